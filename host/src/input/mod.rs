//! Input that a compositor cannot carry out: gamepads, which are devices of the
//! kernel.
//!
//! Keyboard, pointer, touch and pen go to the seat. [`Pads`] belongs to a seat, like
//! its application: it outlives the streams that use it, so that a short
//! disconnection takes no pad away from a game.
//!
//! | Backend | Needs | Does |
//! |---|---|---|
//! | `broker` | the socket of `punktfunk-inputd` | pads of the kernel, rumble |
//! | `null` | nothing | says once what to do |
//! | `record` | chosen by a test | remembers what it was told |

mod broker;
mod null;
mod record;
mod table;

use std::path::Path;

use punktfunk_core::input::pad;

use crate::platform;

pub use record::Record;

/// What a game has a pad do, with the pad's index. Called from a thread of the
/// backend; must not block, and must not drop the [`Pads`].
pub type OnFeedback = Box<dyn Fn(u8, pad::Feedback) + Send + Sync>;

/// Something that carries out what clients do with pads.
trait Backend: Send + Sync {
    /// Carries it out. Never blocks.
    fn event(&self, event: &pad::Event);
    /// Nothing is pressed any more; the pads stay.
    fn release_all(&self);
}

/// Asks the broker at `socket` what it can do, waiting for at most `patience`: how many
/// pads a seat may have. The error says what is wrong.
pub fn ask(socket: &Path, patience: std::time::Duration) -> Result<u8, String> {
    broker::ask(socket, patience)
}

/// The gamepads of one seat.
pub struct Pads {
    backend: Box<dyn Backend>,
}

impl Pads {
    /// The pads of `seat` (a name without spaces, for `phys`) of the client whose
    /// certificate has this hash. Never fails: without a backend pads are ignored,
    /// and the log says once what to do.
    pub fn open(seat: &str, client: &[u8; 32], on_feedback: OnFeedback) -> Self {
        match platform::inputd_socket() {
            Ok(socket) => Self::open_at(&socket, seat, client, on_feedback),
            Err(why) => Self { backend: Box::new(null::Null::new(why)) },
        }
    }

    /// The same, with the broker that listens (or will listen) at `socket`.
    pub fn open_at(socket: &Path, seat: &str, client: &[u8; 32], on_feedback: OnFeedback) -> Self {
        match broker::Broker::open(socket, seat, client, on_feedback) {
            Ok(broker) => Self { backend: Box::new(broker) },
            Err(error) => Self { backend: Box::new(null::Null::new(error.to_string())) },
        }
    }

    /// Pads that remember what they were told, for tests.
    pub fn recording(on_feedback: OnFeedback) -> (Self, Record) {
        let (backend, record) = record::recording(on_feedback);
        (Self { backend: Box::new(backend) }, record)
    }

    /// Carries out what the client did with a pad. Never blocks. A pad whose arrival was
    /// never told is made when its first state comes.
    pub fn event(&self, event: &pad::Event) {
        self.backend.event(event);
    }

    /// The client is gone: nothing is pressed any more, the pads stay.
    pub fn release_all(&self) {
        self.backend.release_all();
    }
}
