//! What the parts of a session say to each other: plain data, and requests.

use std::sync::mpsc::Sender;
use std::sync::{Mutex, MutexGuard, PoisonError};

use punktfunk_core::gamestream::control::FecStatus;
use punktfunk_seat_ipc::Exit;
use punktfunk_seat_ipc::host::Frame;

use super::mender::Mender;
use super::slots::Supersede;
use super::stats::monotonic_us;
use super::{Mode, SessionId};
use crate::encode::Encoder;

/// What ended by itself.
#[derive(Debug)]
pub(super) enum Ended {
    /// The application of a seat.
    App { seat: u64, exit: Exit },
    /// A seat process.
    Seat { seat: u64 },
    /// A client's control connection.
    Client { id: SessionId, by_client: bool },
    /// A stream that cannot go on.
    Stream { id: SessionId, why: String },
    /// A client that may not look any more.
    Revoked { id: SessionId },
    /// The last picture of a stream, which a new encoder has to be shown.
    Picture { id: SessionId },
}

/// Tells of an ending when the thread that owns it panics: the stream or seat it
/// worked for ends then, and nothing else.
pub(super) struct OnPanic {
    ended: Sender<Ended>,
    ending: Option<Ended>,
}

impl OnPanic {
    pub fn tell(ended: &Sender<Ended>, ending: Ended) -> Self {
        Self { ended: ended.clone(), ending: Some(ending) }
    }
}

impl Drop for OnPanic {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(ending) = self.ending.take()
        {
            // Without a supervisor there is nobody left to tell.
            drop(self.ended.send(ending));
        }
    }
}

/// A picture of the screen on its way to the encoder.
pub(super) struct Shot {
    pub frame: Frame,
    /// When it came from the seat, µs of the monotonic clock.
    pub arrived_us: u64,
}

impl Shot {
    /// It came just now.
    pub fn new(frame: Frame) -> Self {
        Self { frame, arrived_us: monotonic_us() }
    }

    /// Width and height, pixels.
    pub fn size(&self) -> (u32, u32) {
        (self.frame.width(), self.frame.height())
    }
}

impl Supersede for Shot {
    fn supersede(&mut self, older: Self) {
        self.frame.absorb(&older.frame);
    }
}

/// What a stream goes on with.
pub(super) struct NewPicture {
    pub mode: Mode,
    pub mender: Mender,
    pub encoder: Box<dyn Encoder>,
    /// Of a native stream.
    pub epoch: u8,
}

/// What control has to say to the encode thread. Asking twice is asking once.
#[derive(Default)]
pub(super) struct Requests {
    asked: Mutex<Asked>,
    change: Mutex<Option<NewPicture>>,
}

/// What was asked for since the last look.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// The client cannot go on without an IDR frame.
    pub key_frame: bool,
    /// Frames the client lost: the first and the last of all it named.
    pub lost: Option<(u32, u32)>,
    /// The newest long-term reference the client has.
    pub acknowledged: Option<u32>,
    /// What the path carries, by the sender of a native stream.
    pub bitrate_bps: Option<u64>,
    /// How close damaged blocks were to being lost.
    pub reports: Vec<FecStatus>,
}

/// Reports that are kept between two pictures; more say nothing new.
const MOST_REPORTS: usize = 32;

impl Requests {
    fn ask(&self, ask: impl FnOnce(&mut Asked)) {
        ask(&mut self.asked.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn next(&self) -> MutexGuard<'_, Option<NewPicture>> {
        self.change.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The stream shall go on with this.
    pub fn set_change(&self, change: NewPicture) {
        // Encoders take their time to end: not under the lock.
        let older = self.next().replace(change);
        drop(older);
    }

    /// Takes what the stream shall go on with.
    pub fn change(&self) -> Option<NewPicture> {
        self.next().take()
    }

    /// The encoder may spend so many bits a second.
    pub fn set_bitrate(&self, bps: u64) {
        self.ask(|asked| asked.bitrate_bps = Some(bps));
    }

    pub fn want_key_frame(&self) {
        self.ask(|asked| asked.key_frame = true);
    }

    pub fn lost(&self, first: u32, last: u32) {
        self.ask(|asked| {
            let (low, high) = asked.lost.unwrap_or((first, last));
            asked.lost = Some((low.min(first), high.max(last)));
        });
    }

    pub fn acknowledge(&self, frame: u32) {
        self.ask(|asked| asked.acknowledged = asked.acknowledged.max(Some(frame)));
    }

    pub fn report(&self, status: FecStatus) {
        self.ask(|asked| {
            if asked.reports.len() < MOST_REPORTS {
                asked.reports.push(status);
            }
        });
    }

    /// Takes all that was asked for.
    pub fn take(&self) -> Asked {
        let mut asked = Asked::default();
        self.ask(|current| std::mem::swap(current, &mut asked));
        asked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_panic_ends_what_a_thread_worked_for() {
        let (ended, endings) = std::sync::mpsc::channel();
        drop(OnPanic::tell(&ended, Ended::Seat { seat: 1 }));
        let guard = OnPanic::tell(&ended, Ended::Seat { seat: 2 });
        let thread = std::thread::spawn(move || {
            let _guard = guard;
            panic!("on purpose");
        });
        assert!(thread.join().is_err());
        assert!(matches!(endings.try_recv(), Ok(Ended::Seat { seat: 2 })));
        assert!(endings.try_recv().is_err());
    }

    #[test]
    fn asking_twice_is_asking_once() {
        let requests = Requests::default();
        requests.want_key_frame();
        requests.want_key_frame();
        requests.lost(7, 9);
        requests.lost(8, 12);
        requests.acknowledge(5);
        requests.acknowledge(4);
        (0..100).for_each(|frame| requests.report(FecStatus { frame, ..FecStatus::default() }));
        let asked = requests.take();
        assert!(asked.key_frame);
        assert_eq!((asked.lost, asked.acknowledged), (Some((7, 12)), Some(5)));
        assert_eq!(asked.reports.len(), MOST_REPORTS);
        let again = requests.take();
        assert!(!again.key_frame && again.lost.is_none() && again.reports.is_empty());
    }
}
