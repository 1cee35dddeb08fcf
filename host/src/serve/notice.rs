//! Word that something the owner looks at is different now, for those who show it and do
//! not want to ask all the time. What it is, they look up; missing a word is missing
//! nothing as long as one comes after it.

use std::sync::Arc;

use tokio::sync::broadcast;

use crate::session::{Played, Watcher};
use crate::store::Store;

/// Words that a slow listener may be behind; who is behind further looks at everything.
const BEHIND: usize = 64;

/// What is different now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// The paired devices, or which of them are connected.
    Devices,
    /// The window, attempts and knocks.
    Pairing,
    /// What runs for whom.
    Sessions,
}

/// Where it is said. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Notices(broadcast::Sender<Notice>);

impl Notices {
    pub(super) fn new() -> Self {
        Self(broadcast::Sender::new(BEHIND))
    }

    /// Never waits; that nobody listens is all right.
    pub(super) fn tell(&self, notice: Notice) {
        let _ = self.0.send(notice);
    }

    pub(super) fn listen(&self) -> broadcast::Receiver<Notice> {
        self.0.subscribe()
    }
}

/// What the sessions tell: passed on, and what was played is kept.
pub(super) struct Watch {
    pub notices: Notices,
    pub store: Arc<Store>,
}

impl Watcher for Watch {
    fn changed(&self) {
        self.notices.tell(Notice::Sessions);
    }

    fn ended(&self, played: Played) {
        if let Err(error) = self.store.note_played(played) {
            tracing::warn!(%error, "the numbers of a stream are not kept");
        }
    }
}
