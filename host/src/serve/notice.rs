//! Word that something the owner looks at is different now, for those who show it and do
//! not want to ask all the time. What it is, they look up; missing a word is missing
//! nothing as long as one comes after it.

use tokio::sync::broadcast;

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

impl crate::session::Watcher for Notices {
    fn changed(&self) {
        self.tell(Notice::Sessions);
    }
}
