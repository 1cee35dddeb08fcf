//! Where the owner who opens a pairing window, and the clients that come through it,
//! meet: the policy of [`super::pairing_window`] with a clock, random numbers, the store
//! and somebody who waits for the outcome.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use punktfunk_core::native::pairing::host::Offer;
use punktfunk_core::native::pairing::{Pin, Secret};
use punktfunk_core::native::wire::Access;
use punktfunk_core::time::Time;
use tokio::sync::oneshot;

use super::pairing_window::{NotPaired, OPEN_FOR, Policy, Refusal, WindowId};
use super::random;
use crate::serve::notice::{Notice, Notices};
use crate::session::ClientId;
use crate::store::{Client, Store};

/// How often an owner who waits looks whether the window closed by itself.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// What the owner settled about the client that pairs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Its name; what it calls itself when there is none.
    pub name: Option<String>,
    /// What it may do.
    pub access: Access,
    /// Until when, seconds since 1970.
    pub expires: Option<u64>,
}

/// What a window is open for.
#[derive(Clone)]
pub(super) struct Invite {
    /// What the client has to know.
    pub offer: Offer,
    /// What it gets.
    pub terms: Terms,
}

/// An open window, for the owner to show.
#[derive(Clone)]
pub(in crate::serve) struct Opened {
    /// Names it.
    pub id: WindowId,
    /// To be typed.
    pub pin: Pin,
    /// For the QR code.
    pub secret: Secret,
    /// What the client gets.
    pub terms: Terms,
    /// When it closes by itself.
    pub closes: SystemTime,
}

/// All native pairing of a host.
pub(in crate::serve) struct Windows {
    store: Arc<Store>,
    clock: Instant,
    state: Mutex<State>,
    notices: Notices,
}

struct State {
    policy: Policy<Invite>,
    /// The newest window.
    newest: Option<Opened>,
    /// Who waits for the outcome of the newest window.
    waiting: Option<(WindowId, Waiting)>,
}

struct Waiting {
    tell: Option<oneshot::Sender<Result<Client, String>>>,
    hear: Option<oneshot::Receiver<Result<Client, String>>>,
    /// A client proved itself and is being stored.
    is_settled: bool,
}

impl Windows {
    pub(in crate::serve) fn new(store: Arc<Store>, notices: Notices) -> Self {
        let state = State { policy: Policy::new(), newest: None, waiting: None };
        Self { store, clock: Instant::now(), state: Mutex::new(state), notices }
    }

    /// Opens a window.
    pub(in crate::serve) fn open(&self, terms: Terms) -> Opened {
        let (pin, secret) = (Pin::new(&mut random), Secret::new(&mut random));
        let offer = Offer { pin: Some(pin), secret: Some(secret) };
        let now = self.now();
        let mut state = self.state();
        let id = state.policy.open(now, Invite { offer, terms: terms.clone() });
        let (tell, hear) = oneshot::channel();
        // Whoever waited for the window before hears that it was closed.
        state.waiting = Some((id, Waiting { tell: Some(tell), hear: Some(hear), is_settled: false }));
        tracing::info!(seconds = OPEN_FOR.as_secs(), "a client may pair now");
        let opened = Opened { id, pin, secret, terms, closes: SystemTime::now() + OPEN_FOR };
        state.newest = Some(opened.clone());
        self.notices.tell(Notice::Pairing);
        opened
    }

    /// The window that is open now.
    pub(in crate::serve) fn current(&self) -> Option<Opened> {
        let now = self.now();
        let State { policy, newest, .. } = &mut *self.state();
        newest.take_if(|newest| !policy.is_open(now, newest.id));
        newest.clone()
    }

    /// Closes this window if it is still open.
    pub(in crate::serve) fn close(&self, id: WindowId) {
        self.state().policy.close(id);
        self.notices.tell(Notice::Pairing);
    }

    /// Waits until the window closes: the client that paired, or why none did. Closes
    /// the window when dropped.
    pub(in crate::serve) async fn outcome(&self, id: WindowId) -> Result<Client, String> {
        let hear = match &mut self.state().waiting {
            Some((current, waiting)) if *current == id => waiting.hear.take(),
            _ => None,
        };
        let mut hear = hear.ok_or("this window is closed, or somebody waits for it already")?;
        let _closed_at_the_end = Closing { windows: self, id };
        loop {
            match tokio::time::timeout(LOOK_AGAIN, &mut hear).await {
                Ok(Ok(outcome)) => return outcome,
                Ok(Err(_)) => return Err("another window was opened in place of this one".to_owned()),
                Err(_) if self.is_over(id) => {
                    return Err("nobody paired while the window was open".to_owned());
                }
                Err(_) => {}
            }
        }
    }

    fn is_over(&self, id: WindowId) -> bool {
        let now = self.now();
        let mut state = self.state();
        let settled =
            matches!(&state.waiting, Some((current, waiting)) if *current == id && waiting.is_settled);
        !settled && !state.policy.is_open(now, id)
    }

    /// See [`Policy::begin`].
    pub(super) fn begin(&self, from: IpAddr) -> Result<(WindowId, Invite), Refusal> {
        let now = self.now();
        self.state().policy.begin(now, from)
    }

    /// See [`Policy::charge`].
    pub(super) fn charge(&self, from: IpAddr) -> bool {
        let now = self.now();
        self.state().policy.charge(now, from)
    }

    /// See [`Policy::settle`]; tells the owner when the last wrong confirmation closed
    /// the window.
    pub(super) fn settle(&self, id: WindowId, right: bool) -> Result<(), NotPaired> {
        let now = self.now();
        let mut state = self.state();
        let settled = state.policy.settle(now, id, right);
        let closed = !state.policy.is_open(now, id);
        if let Some((_, waiting)) = state.waiting.as_mut().filter(|(current, _)| *current == id) {
            waiting.is_settled |= settled.is_ok();
            if settled == Err(NotPaired::Wrong) && closed {
                tracing::warn!("pairing is closed: three confirmations were wrong");
                let told = "three confirmations were wrong: the window is closed. Open another, and \
                            look at the log for who tried";
                waiting.tell(Err(told.to_owned()));
            }
        }
        if closed {
            self.notices.tell(Notice::Pairing);
        }
        settled
    }

    /// Stores a client that proved itself, before it is told so. Blocks.
    pub(super) fn admit(
        &self,
        id: WindowId,
        client: ClientId,
        name: &str,
        terms: &Terms,
    ) -> Result<Client, String> {
        let name = terms.name.as_deref().unwrap_or(name);
        let stored = self.store.pair_native(client, name, terms.access, terms.expires);
        let outcome = stored.map_err(|error| error.to_string());
        match &outcome {
            Ok(client) => tracing::info!(client = %client.id, name = client.name, "client paired"),
            Err(error) => tracing::error!(%error, "a paired client could not be stored"),
        }
        if let Some((_, waiting)) = self.state().waiting.as_mut().filter(|(current, _)| *current == id) {
            waiting.tell(outcome.clone());
        }
        self.notices.tell(Notice::Devices);
        outcome
    }

    fn now(&self) -> Time {
        Time(u64::try_from(self.clock.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No step leaves anything that a later one could not make sense of.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn tell(&mut self, outcome: Result<Client, String>) {
        if let Some(tell) = self.tell.take() {
            // An owner who went away does not mind.
            let _ = tell.send(outcome);
        }
    }
}

/// Closes the window when the owner goes away.
struct Closing<'a> {
    windows: &'a Windows,
    id: WindowId,
}

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.windows.close(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows(name: &str) -> (Windows, std::path::PathBuf) {
        let dir = std::env::temp_dir().join(format!("pfh-windows-{name}-{}", std::process::id()));
        (Windows::new(Arc::new(Store::open(&dir).unwrap()), Notices::new()), dir)
    }

    fn terms() -> Terms {
        Terms { name: None, access: Access::VIEW, expires: None }
    }

    #[tokio::test]
    async fn an_owner_who_goes_away_closes_the_window() {
        let (windows, dir) = windows("away");
        let opened = windows.open(terms());
        let from = IpAddr::from([10, 0, 0, 1]);
        assert!(windows.begin(from).is_ok());
        assert_eq!(windows.current().map(|window| window.id), Some(opened.id));
        // Looked at once, then dropped.
        assert!(tokio::time::timeout(Duration::ZERO, windows.outcome(opened.id)).await.is_err());
        assert_eq!(windows.begin(from).err(), Some(Refusal::Closed));
        assert!(windows.outcome(opened.id).await.is_err());
        assert!(windows.current().is_none());
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[tokio::test]
    async fn the_owner_hears_who_paired_and_settled_its_name() {
        let (windows, dir) = windows("paired");
        let opened = windows.open(Terms { name: Some("tv".to_owned()), ..terms() });
        let (window, invite) = windows.begin(IpAddr::from([10, 0, 0, 1])).ok().unwrap();
        assert_eq!(windows.settle(window, true), Ok(()));
        assert_eq!(windows.settle(window, true), Err(NotPaired::TooLate));
        let admitted = windows.admit(window, ClientId([4; 32]), "calls itself", &invite.terms).unwrap();
        assert_eq!((admitted.name.as_str(), admitted.access), ("tv", Access::VIEW));
        assert_eq!(windows.outcome(opened.id).await, Ok(admitted));
        std::fs::remove_dir_all(dir).unwrap();
    }
}
