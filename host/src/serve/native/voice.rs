//! How the sessions speak to the client of one connection.

use std::sync::{Mutex, PoisonError};

use punktfunk_core::input::pad::Feedback;
use punktfunk_core::native::wire::Code;
use punktfunk_core::native::wire::control::Reconfigured;
use punktfunk_quic::Connection;
use tokio::sync::{mpsc, watch};

use crate::session::{Reason, SessionId, Voice};

/// Effects of pads that wait; more than that are worth nothing when they arrive.
const MOST_EFFECTS: usize = 256;
/// Changes of the picture that wait.
const MOST_CHANGES: usize = 16;

/// The sessions' end.
pub(super) struct Speaker {
    connection: Connection,
    effects: mpsc::Sender<(u8, Feedback)>,
    changed: mpsc::Sender<Reconfigured>,
    ended: watch::Sender<Option<Reason>>,
    /// Sound could not be sent once, and the log says so.
    complained: Mutex<bool>,
}

/// The connection's end.
pub(super) struct Listener {
    pub effects: mpsc::Receiver<(u8, Feedback)>,
    /// What the picture is from now on, though the client did not ask.
    pub changed: mpsc::Receiver<Reconfigured>,
    pub ended: watch::Receiver<Option<Reason>>,
}

/// Completes when the session ended. Without a reason the voice was dropped: its session
/// is over all the same.
pub(super) async fn end(ended: &mut watch::Receiver<Option<Reason>>) -> Option<Reason> {
    ended.wait_for(Option::is_some).await.ok().and_then(|reason| *reason)
}

pub(super) fn pair(connection: Connection) -> (Speaker, Listener) {
    let (effects, heard) = mpsc::channel(MOST_EFFECTS);
    let (changed, change) = mpsc::channel(MOST_CHANGES);
    let (ended, is_ended) = watch::channel(None);
    let speaker = Speaker { connection, effects, changed, ended, complained: Mutex::new(false) };
    (speaker, Listener { effects: heard, changed: change, ended: is_ended })
}

impl Voice for Speaker {
    fn feedback(&self, _: SessionId, pad: u8, feedback: Feedback) {
        // A full queue loses an effect, never a session.
        let _ = self.effects.try_send((pad, feedback));
    }

    fn reconfigured(&self, _: SessionId, now: Reconfigured) {
        // A client that misses it plays on.
        let _ = self.changed.try_send(now);
    }

    fn end(&self, _: SessionId, reason: Reason) {
        self.ended.send_replace(Some(reason));
    }

    fn datagram(&self, _: SessionId, datagram: &[u8]) {
        if let Err(error) = self.connection.send_datagram(datagram.to_vec().into()) {
            let mut complained = self.complained.lock().unwrap_or_else(PoisonError::into_inner);
            if !std::mem::replace(&mut *complained, true) {
                tracing::debug!(%error, bytes = datagram.len(), "a datagram could not be sent");
            }
        }
    }
}

/// What the client is told, and how people read it.
pub(super) const fn code_of(reason: Reason) -> (Code, &'static str) {
    match reason {
        Reason::Quit => (Code::None, "the session was ended"),
        Reason::AppEnded => (Code::AppEnded, "the application ended"),
        Reason::SessionEnded => {
            (Code::AppEnded, "gamescope has ended: game mode was left on the machine, or it crashed")
        }
        Reason::Replaced => (Code::Replaced, "the session goes on on another connection"),
        Reason::Revoked => (Code::Revoked, "the owner of this host took the access away"),
        Reason::HostStopping => (Code::HostStopping, "the host is being stopped"),
        Reason::ScreenLost => (Code::Failed, "the screen is gone; the log of the host says why"),
        Reason::Broken => (Code::Failed, "the picture cannot be coded; the log of the host says why"),
    }
}
