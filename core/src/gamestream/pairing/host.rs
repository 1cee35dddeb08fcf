//! The host's side of pairing: many attempts, each a chain of typed states.
//!
//! An attempt belongs to (uniqueid, address, salt). Every step is taken once and in
//! order; whatever else comes from that id and address ends the attempt, except the
//! start of another client (same id and address, other salt), which is refused and
//! changes nothing. The certificate is handed out for storing at phase 4, when
//! secret and signature are verified, because phase 5 already comes over a TLS
//! connection that this certificate must open.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use super::{Error, Identity, Pin, Request, Step, paired_answer};
use crate::bytes::to_hex;
use crate::crypto::{Certificate, constant_time_eq, ecb_decrypt, ecb_encrypt, sha256};
use crate::gamestream::http::Query;
use crate::time::Time;

/// How long a client waits for its PIN.
pub const PIN_TIMEOUT: Duration = Duration::from_secs(300);
/// How long the next step may take once the PIN is entered.
pub const STEP_TIMEOUT: Duration = Duration::from_secs(15);
/// Attempts at one time, over all clients.
pub const MAX_ATTEMPTS: usize = 8;
/// Attempts at one time from one address: clients behind one address translator.
const MAX_PER_ADDRESS: usize = 3;

/// Fills a slice with random bytes; never fails.
pub type Random = Box<dyn FnMut(&mut [u8]) + Send>;

/// One attempt, for the owner and for the request that is held open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AttemptId(pub u64);

/// What the owner sees of an attempt that waits for its PIN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingAttempt {
    /// To be given with the PIN.
    pub id: AttemptId,
    /// What the client calls itself.
    pub device_name: String,
    /// Where it is.
    pub peer: IpAddr,
    /// How long it has been waiting.
    pub age: Duration,
}

/// A client that proved itself: store it before the answer is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairedClient {
    /// The certificate that is trusted from now on.
    pub certificate: Certificate,
    /// What the client calls itself.
    pub device_name: String,
}

/// What a request leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Hold the request open. Its answer comes from [`Host::enter_pin`]; call
    /// [`Host::abandon`] when the connection goes away, and answer with
    /// [`Error::TimedOut`] when [`Host::expire`] names the attempt.
    WaitForPin(AttemptId),
    /// Send this document.
    Answer(String),
    /// Store the client, then send the document.
    Paired {
        /// The document.
        answer: String,
        /// Whom to store.
        client: Box<PairedClient>,
    },
}

/// What an attempt waits for.
enum State {
    Pin { salt: [u8; 16] },
    Challenge { key: [u8; 16] },
    Response { key: [u8; 16], secret: [u8; 16], challenge: [u8; 16] },
    Secret { challenge: [u8; 16], hash: [u8; 32] },
}

struct Attempt {
    id: AttemptId,
    unique_id: String,
    peer: IpAddr,
    salt: [u8; 16],
    device_name: String,
    certificate: Certificate,
    started: Time,
    deadline: Time,
    state: State,
}

/// All pairing attempts of a host.
pub struct Host {
    identity: Identity,
    random: Random,
    attempts: Vec<Attempt>,
    expired: Vec<AttemptId>,
    next_id: u64,
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("attempts", &self.attempts.len()).finish_non_exhaustive()
    }
}

impl Host {
    /// A host that pairs with this identity. `random` must be fit for keys.
    pub fn new(identity: Identity, random: Random) -> Self {
        Self { identity, random, attempts: Vec::new(), expired: Vec::new(), next_id: 1 }
    }

    /// Reads and takes one `/pair` request that came over plain HTTP. A damaged step
    /// ends the attempt it belongs to; a damaged start belongs to none.
    pub fn request(&mut self, now: Time, peer: IpAddr, query: &Query) -> Result<Reply, Error> {
        match Request::parse(query) {
            Ok(request) => self.handle(now, peer, request),
            Err(error) => {
                let (peer, id) = (peer.to_canonical(), query.value("uniqueid").unwrap_or_default());
                if query.value("phrase") != Some("getservercert") {
                    self.attempts.retain(|a| !(a.peer == peer && a.unique_id == id));
                }
                Err(error)
            }
        }
    }

    /// Takes one step that came over plain HTTP. [`Step::Confirm`] is out of
    /// order here: it belongs to HTTPS.
    pub fn handle(&mut self, now: Time, peer: IpAddr, request: Request) -> Result<Reply, Error> {
        self.drop_expired(now);
        let peer = peer.to_canonical();
        let Request { unique_id, step } = request;
        let found = self.attempts.iter().position(|a| a.unique_id == unique_id && a.peer == peer);
        if let (Step::Start { salt, .. }, Some(at)) = (&step, found)
            && self.attempts.get(at).is_some_and(|a| a.salt != *salt)
        {
            return Err(Error::Busy);
        }
        // From here on the attempt exists only if it is put back.
        match (step, found.map(|at| self.attempts.swap_remove(at))) {
            (Step::Start { device_name, salt, certificate }, None) => {
                self.admit(peer)?;
                let attempt = Attempt {
                    id: AttemptId(self.next_id),
                    unique_id,
                    peer,
                    salt,
                    device_name,
                    certificate: *certificate,
                    started: now,
                    deadline: now + PIN_TIMEOUT,
                    state: State::Pin { salt },
                };
                self.next_id += 1;
                let id = attempt.id;
                self.attempts.push(attempt);
                Ok(Reply::WaitForPin(id))
            }
            (step, Some(attempt)) => self.advance(now, attempt, step),
            (_, None) => Err(Error::OutOfOrder),
        }
    }

    fn admit(&self, peer: IpAddr) -> Result<(), Error> {
        let from_peer = self.attempts.iter().filter(|a| a.peer == peer).count();
        if self.attempts.len() >= MAX_ATTEMPTS || from_peer >= MAX_PER_ADDRESS {
            return Err(Error::TooMany);
        }
        Ok(())
    }

    fn advance(&mut self, now: Time, attempt: Attempt, step: Step) -> Result<Reply, Error> {
        match (&attempt.state, step) {
            (&State::Challenge { key }, Step::Challenge(mut challenge)) => {
                ecb_decrypt(&key, &mut challenge)?;
                let (mut secret, mut own) = ([0; 16], [0; 16]);
                (self.random)(&mut secret);
                (self.random)(&mut own);
                let hash = sha256(&[&challenge, self.identity.certificate.signature(), &secret]);
                let mut answer = [hash.as_slice(), &own].concat();
                ecb_encrypt(&key, &mut answer)?;
                let state = State::Response { key, secret, challenge: own };
                self.proceed(now, attempt, state);
                Ok(Reply::Answer(paired_answer(&[("challengeresponse", &to_hex(&answer))])))
            }
            (&State::Response { key, secret, challenge }, Step::Response(mut hash)) => {
                ecb_decrypt(&key, &mut hash)?;
                let signature = self.identity.key.sign(&secret)?;
                let answer = [secret.as_slice(), &signature].concat();
                self.proceed(now, attempt, State::Secret { challenge, hash });
                Ok(Reply::Answer(paired_answer(&[("pairingsecret", &to_hex(&answer))])))
            }
            (State::Secret { challenge, hash }, Step::Secret { secret, signature }) => {
                let certificate = &attempt.certificate;
                let expected = sha256(&[challenge, certificate.signature(), &secret]);
                let known = constant_time_eq(&expected, hash);
                let signed = certificate.verify(&secret, &signature).is_ok();
                if !(known && signed) {
                    return Err(Error::Refused);
                }
                let Attempt { certificate, device_name, .. } = attempt;
                let client = Box::new(PairedClient { certificate, device_name });
                Ok(Reply::Paired { answer: paired_answer(&[]), client })
            }
            _ => Err(Error::OutOfOrder),
        }
    }

    fn proceed(&mut self, now: Time, attempt: Attempt, state: State) {
        self.attempts.push(Attempt { state, deadline: now + STEP_TIMEOUT, ..attempt });
    }

    /// Continues an attempt with the PIN the owner typed, and returns the document
    /// that answers the request held open. Call it on behalf of the owner only.
    pub fn enter_pin(&mut self, id: AttemptId, pin: Pin, now: Time) -> Result<String, Error> {
        self.drop_expired(now);
        let waits = |a: &Attempt| a.id == id && matches!(a.state, State::Pin { .. });
        let attempt = self.attempts.iter_mut().find(|a| waits(a)).ok_or(Error::UnknownAttempt)?;
        if let State::Pin { salt } = attempt.state {
            attempt.state = State::Challenge { key: pin.key(&salt) };
            attempt.deadline = now + STEP_TIMEOUT;
        }
        Ok(paired_answer(&[("plaincert", &to_hex(self.identity.pem.as_bytes()))]))
    }

    /// Attempts that wait for a PIN, oldest first.
    pub fn pending(&self, now: Time) -> Vec<PendingAttempt> {
        let waits = |a: &&Attempt| matches!(a.state, State::Pin { .. }) && now < a.deadline;
        let mut pending: Vec<_> = self
            .attempts
            .iter()
            .filter(waits)
            .map(|a| PendingAttempt {
                id: a.id,
                device_name: a.device_name.clone(),
                peer: a.peer,
                age: now.since(a.started),
            })
            .collect();
        pending.sort_by_key(|attempt| attempt.id);
        pending
    }

    /// True while the attempt is known; false once it ended for whatever reason.
    pub fn is_running(&self, id: AttemptId) -> bool {
        self.attempts.iter().any(|a| a.id == id)
    }

    /// Ends an attempt: the client went away or the owner declined.
    pub fn abandon(&mut self, id: AttemptId) {
        self.attempts.retain(|a| a.id != id);
    }

    /// A client says on plain HTTP that its pairing failed. That counts only while
    /// its secret is awaited, where a client that noticed a wrong PIN stops: an
    /// attempt that waits for its PIN must not fall to a second client's goodbye.
    pub fn unpair(&mut self, peer: IpAddr, unique_id: &str) {
        let peer = peer.to_canonical();
        self.attempts.retain(|a| {
            !(a.peer == peer && a.unique_id == unique_id && matches!(a.state, State::Secret { .. }))
        });
    }

    /// Ends the attempts whose time is over and names them.
    pub fn expire(&mut self, now: Time) -> Vec<AttemptId> {
        self.drop_expired(now);
        std::mem::take(&mut self.expired)
    }

    /// When [`Self::expire`] has something to do next.
    pub fn deadline(&self) -> Option<Time> {
        self.attempts.iter().map(|a| a.deadline).min()
    }

    fn drop_expired(&mut self, now: Time) {
        let over = self.attempts.iter().filter(|a| now >= a.deadline).map(|a| a.id);
        self.expired.extend(over);
        self.attempts.retain(|a| now < a.deadline);
    }
}
