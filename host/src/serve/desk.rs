//! Where a client that asks to be paired and the owner's PIN meet.
//!
//! The protocol is [`pairing::Host`] of `core`; this holds the first request of an
//! attempt open until the owner has entered the PIN, stores the client at the end,
//! and tells the owner what came of it. An attempt ends with the connection of its
//! held request, and with the first error.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use punktfunk_core::bytes::to_hex;
use punktfunk_core::gamestream::http::{self, Query};
use punktfunk_core::gamestream::pairing::{
    self, AttemptId, Error, Identity, PIN_TIMEOUT, PairedClient, Pin, Reply, Request, Step,
};
use punktfunk_core::time::Time;
use tokio::sync::{oneshot, watch};

use super::ServeError;
use super::front::{Attempt, FrontError};
use super::notice::{Notice, Notices};
use crate::store::{Client, Store};

/// How often an owner who waits for the outcome looks for attempts that timed out.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// All pairing of a host.
pub(super) struct Desk {
    store: Arc<Store>,
    clock: Instant,
    state: Mutex<State>,
    /// Counts new attempts, for owners who wait for one.
    arrivals: watch::Sender<u64>,
    notices: Notices,
}

struct State {
    machine: pairing::Host,
    visitors: BTreeMap<AttemptId, Visitor>,
}

/// One attempt, with who waits for it on both sides.
struct Visitor {
    unique_id: String,
    peer: IpAddr,
    fingerprint: String,
    /// What the owner called the client.
    name: String,
    /// The request held open.
    held: Option<oneshot::Sender<String>>,
    /// The owner who entered the PIN.
    owner: Option<oneshot::Sender<Result<Client, String>>>,
}

impl Desk {
    pub(super) fn new(store: Arc<Store>, notices: Notices) -> Result<Self, ServeError> {
        let identity = store.identity();
        let identity = Identity::new(identity.certificate_pem(), identity.key_pkcs8())?;
        let machine = pairing::Host::new(identity, Box::new(random));
        Ok(Self {
            store,
            clock: Instant::now(),
            state: Mutex::new(State { machine, visitors: BTreeMap::new() }),
            arrivals: watch::Sender::new(0),
            notices,
        })
    }

    /// Answers a `/pair` request of plain HTTP. Dropping the future of the first
    /// phase ends the attempt.
    pub(super) async fn pair(&self, query: &Query, peer: IpAddr) -> String {
        match self.try_pair(query, peer.to_canonical()).await {
            Ok(document) => document,
            Err(error) => {
                tracing::info!(%peer, %error, "pairing failed");
                error.answer()
            }
        }
    }

    async fn try_pair(&self, query: &Query, peer: IpAddr) -> Result<String, Error> {
        let request = Request::parse(query).inspect_err(|_| self.spoil(query, peer))?;
        let unique_id = request.unique_id.clone();
        let fingerprint = match &request.step {
            Step::Start { certificate, .. } => to_hex(&certificate.fingerprint()[..8]),
            _ => String::new(),
        };
        let (reply, named) = {
            let now = self.now();
            let mut state = self.state();
            let named = state.find(&unique_id, peer);
            let reply = state.machine.handle(now, peer, request);
            // The attempt that just succeeded is answered below, with the stored client.
            let keep = matches!(reply, Ok(Reply::Paired { .. })).then_some(named).flatten();
            self.sweep(&mut state, keep);
            (reply?, named)
        };
        match reply {
            Reply::Answer(document) => Ok(document),
            Reply::WaitForPin(id) => self.hold(id, unique_id, peer, fingerprint).await,
            Reply::Paired { answer, client } => {
                let visitor = named.and_then(|id| self.state().visitors.remove(&id));
                self.admit(*client, visitor).await.map(|()| answer)
            }
        }
    }

    /// Waits with the client for its PIN.
    async fn hold(
        &self,
        id: AttemptId,
        unique_id: String,
        peer: IpAddr,
        fingerprint: String,
    ) -> Result<String, Error> {
        let (held, pin) = oneshot::channel();
        tracing::info!(%peer, fingerprint, "a client asks to be paired: run `punktfunk-host pair`");
        let visitor =
            Visitor { unique_id, peer, fingerprint, name: String::new(), held: Some(held), owner: None };
        self.state().visitors.insert(id, visitor);
        let mut guard = Held { desk: self, id, done: false };
        self.arrivals.send_modify(|count| *count += 1);
        self.notices.tell(Notice::Pairing);
        // A sender that is dropped means the attempt ended: it cannot be waited for.
        match tokio::time::timeout(PIN_TIMEOUT, pin).await {
            Ok(Ok(document)) => {
                guard.done = true;
                Ok(document)
            }
            _ => Err(Error::TimedOut),
        }
    }

    /// Stores a client that proved itself, before it is told so.
    async fn admit(&self, paired: PairedClient, visitor: Option<Visitor>) -> Result<(), Error> {
        let (name, owner) = visitor.map(|visitor| (visitor.name, visitor.owner)).unwrap_or_default();
        let store = self.store.clone();
        let stored = tokio::task::spawn_blocking(move || store.pair(paired.certificate.der(), &name)).await;
        let outcome = match stored {
            Ok(Ok(client)) => {
                tracing::info!(client = %client.id, name = client.name, "client paired");
                self.notices.tell(Notice::Devices);
                self.notices.tell(Notice::Pairing);
                Ok(client)
            }
            Ok(Err(error)) => Err(error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let answer = match &outcome {
            Ok(_) => Ok(()),
            Err(error) => {
                tracing::error!(%error, "a paired client could not be stored");
                Err(Error::Crypto)
            }
        };
        if let Some(owner) = owner {
            let _ = owner.send(outcome);
        }
        answer
    }

    /// A request that cannot be read ends the attempt it belongs to, as every error
    /// does, unless that still waits for its PIN: then it may be another client's.
    fn spoil(&self, query: &Query, peer: IpAddr) {
        let Some(unique_id) = query.value("uniqueid") else { return };
        let mut state = self.state();
        let Some(id) = state.find(unique_id, peer) else { return };
        if state.visitors.get(&id).is_some_and(|visitor| visitor.held.is_none()) {
            state.machine.abandon(id);
            self.sweep(&mut state, None);
        }
    }

    /// A client says that its pairing failed.
    pub(super) fn give_up(&self, query: &Query, peer: IpAddr) {
        let Some(unique_id) = query.value("uniqueid") else { return };
        let mut state = self.state();
        state.machine.unpair(peer, unique_id);
        self.sweep(&mut state, None);
    }

    /// The attempts that wait for a PIN, oldest first; with `wait`, at least one.
    pub(super) async fn waiting(&self, wait: bool) -> Vec<Attempt> {
        let mut arrivals = self.arrivals.subscribe();
        loop {
            arrivals.mark_unchanged();
            let attempts = self.list();
            if !(wait && attempts.is_empty()) || arrivals.changed().await.is_err() {
                return attempts;
            }
        }
    }

    fn list(&self) -> Vec<Attempt> {
        let now = self.now();
        let state = self.state();
        let pending = state.machine.pending(now).into_iter();
        pending
            .filter_map(|pending| {
                let visitor = state.visitors.get(&pending.id)?;
                Some(Attempt {
                    id: pending.id.0,
                    address: pending.peer,
                    fingerprint: visitor.fingerprint.clone(),
                    waiting: pending.age,
                })
            })
            .collect()
    }

    /// Continues an attempt with the owner's PIN and waits for its outcome.
    pub(super) async fn enter_pin(&self, attempt: u64, pin: &str, name: &str) -> Result<Client, FrontError> {
        let id = AttemptId(attempt);
        let pin = Pin::parse(pin).map_err(|error| FrontError::invalid("pin", error))?;
        let unknown = |error: Error| FrontError::NotFound(error.to_string());
        let (sender, mut outcome) = oneshot::channel();
        {
            let now = self.now();
            let mut state = self.state();
            let State { machine, visitors } = &mut *state;
            let visitor = visitors.get_mut(&id).ok_or_else(|| unknown(Error::UnknownAttempt))?;
            let document = machine.enter_pin(id, pin, now).map_err(unknown)?;
            visitor.name = name.to_owned();
            visitor.owner = Some(sender);
            if let Some(held) = visitor.held.take() {
                let _ = held.send(document);
            }
        }
        self.notices.tell(Notice::Pairing);
        loop {
            match tokio::time::timeout(LOOK_AGAIN, &mut outcome).await {
                Ok(Ok(outcome)) => return outcome.map_err(FrontError::Failed),
                Ok(Err(_)) => return Err(FrontError::WrongPin(FAILED.to_owned())),
                Err(_) => {
                    let now = self.now();
                    let mut state = self.state();
                    let over = state.machine.expire(now);
                    if !over.is_empty() {
                        tracing::info!(attempts = over.len(), "pairing was not finished in time");
                    }
                    self.sweep(&mut state, None);
                }
            }
        }
    }

    /// Sends away a client that waits for its PIN.
    pub(super) fn refuse(&self, attempt: u64) -> Result<(), FrontError> {
        let id = AttemptId(attempt);
        let mut state = self.state();
        if !state.visitors.contains_key(&id) {
            return Err(FrontError::NotFound(Error::UnknownAttempt.to_string()));
        }
        state.machine.abandon(id);
        self.sweep(&mut state, None);
        Ok(())
    }

    /// Tells both sides of the attempts that ended, except `keep`.
    fn sweep(&self, state: &mut State, keep: Option<AttemptId>) {
        let State { machine, visitors } = state;
        let before = visitors.len();
        // Dropping the senders is what tells them.
        visitors.retain(|id, _| keep == Some(*id) || machine.is_running(*id));
        if visitors.len() != before {
            self.notices.tell(Notice::Pairing);
        }
    }

    fn now(&self) -> Time {
        Time(u64::try_from(self.clock.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic between two steps leaves an attempt that times out, nothing worse.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the owner reads when an attempt ended without success.
const FAILED: &str = "pairing failed: the PIN was wrong, or the client gave up; start again on the client";

impl State {
    fn find(&self, unique_id: &str, peer: IpAddr) -> Option<AttemptId> {
        let mut all = self.visitors.iter();
        all.find(|(_, visitor)| visitor.unique_id == unique_id && visitor.peer == peer).map(|(id, _)| *id)
    }
}

/// Ends an attempt when its held request goes away before the PIN came.
struct Held<'a> {
    desk: &'a Desk,
    id: AttemptId,
    done: bool,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if !self.done {
            let mut state = self.desk.state();
            state.machine.abandon(self.id);
            self.desk.sweep(&mut state, None);
        }
    }
}

/// Answers phase 5: the client came over HTTPS with a paired certificate.
pub(super) fn pair_challenge(query: &Query) -> String {
    match Request::parse(query) {
        Ok(Request { step: Step::Confirm, .. }) => pairing::challenge_answer(),
        Ok(_) => Error::OutOfOrder.answer(),
        Err(error) => http::error(400, &error.to_string()),
    }
}

/// Without random numbers nothing here is safe, so there is nothing to fall back to.
fn random(out: &mut [u8]) {
    assert!(aws_lc_rs::rand::fill(out).is_ok(), "the system gives no random numbers");
}
