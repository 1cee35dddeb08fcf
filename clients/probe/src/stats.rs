//! What a player has seen so far, shared between its threads and those who wait.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use punktfunk_core::gamestream::control::HostMessage;
use punktfunk_core::testcard::Code;
use punktfunk_core::time::Time;
use serde::Serialize;

use crate::decode::Picture;

/// How the connection ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// The host said why (a reason of the control stream).
    Terminated(u32),
    /// The host left without a reason.
    Disconnected,
    /// The host was not heard for the time-out.
    TimedOut,
    /// We left.
    Stopped,
    /// A thread of this client failed.
    Failed(String),
}

/// What a host said is remembered up to here.
const MAX_HEARD: usize = 1000;

/// Something the host said on the control connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// When, milliseconds after the start of the player.
    pub at_ms: u64,
    /// What.
    pub message: HostMessage,
}

impl Serialize for Heard {
    /// As a line to be read.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{} ms: {:?}", self.at_ms, self.message))
    }
}

/// One decoded picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Frame number of the stream.
    pub frame: u32,
    /// Number and time in the Test card's code, when the picture has one.
    pub code: Option<Code>,
    /// When the frame was complete, milliseconds after the start of the player.
    pub at_ms: u64,
    /// It came as an IDR frame.
    pub idr: bool,
    /// Bytes of its access unit.
    pub bytes: usize,
}

/// Counters. All of them start at zero with the player.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Stats {
    /// The control connection is up.
    pub connected: bool,
    /// Complete access units.
    pub frames_received: u64,
    /// Pictures out of the decoder.
    pub frames_decoded: u64,
    /// Access units the decoder refused.
    pub decode_errors: u64,
    /// IDR frames among the complete access units.
    pub idr_frames: u64,
    /// Frames that came but could not be repaired, or never came.
    pub lost_frames: u64,
    /// Frames that were complete only after repair.
    pub repaired_frames: u64,
    /// Complete frames not given to the decoder while it waited for an IDR frame.
    pub skipped_frames: u64,
    /// Access units whose number was not above the one before.
    pub order_errors: u64,
    /// IDR frames asked for after the start.
    pub idr_requests: u64,
    /// Video datagrams given to the reassembler.
    pub video_packets: u64,
    /// Bytes of these.
    pub video_bytes: u64,
    /// Datagrams thrown away on purpose (`--drop`).
    pub injected_losses: u64,
    /// Video datagrams that made no sense.
    pub video_rejected: u64,
    /// First video datagram, milliseconds after the start.
    pub first_video_ms: Option<u64>,
    /// First decoded picture, milliseconds after the start.
    pub first_picture_ms: Option<u64>,
    /// Audio packets decoded, repaired ones included.
    pub audio_packets: u64,
    /// Audio packets that were repaired.
    pub audio_repaired: u64,
    /// Audio packets that never came.
    pub audio_lost: u64,
    /// Audio datagrams that made no sense.
    pub audio_rejected: u64,
    /// First audio datagram, milliseconds after the start.
    pub first_audio_ms: Option<u64>,
    /// Share of 1000 Hz in the last half second of sound, 0.0 to 1.0.
    pub tone_share: f64,
    /// Of each decoded channel, which of the Test card's tones it has most of, in hertz,
    /// and what share that is; 0 Hz for silence.
    pub channel_tones: Vec<(u32, f64)>,
    /// The same share in the front left channel alone.
    pub left_share: f64,
    /// Loudest sample of the last half second, 0.0 to 1.0.
    pub loudness: f32,
    /// Size of the last picture, pixels.
    pub size: (usize, usize),
    /// What the host said besides the end, the first thousand messages.
    pub host_messages: Vec<Heard>,
    /// Messages of the host that could not be opened.
    pub control_rejected: u64,
    /// How it ended.
    pub end: Option<End>,
    /// Host latency of each frame that named one, in tenths of a millisecond.
    #[serde(skip)]
    pub latencies: Vec<u16>,
    /// From a complete access unit to its picture, of each, in microseconds.
    #[serde(skip)]
    pub decoding: Vec<u32>,
    /// Every decoded picture.
    #[serde(skip)]
    pub seen: Vec<Seen>,
}

/// What the Test card's numbers say about a run of pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Card {
    /// Pictures with a readable code.
    pub read: u64,
    /// Pictures without one.
    pub unreadable: u64,
    /// Different numbers.
    pub unique: u64,
    /// Numbers left out between the first and the last.
    pub missing: u64,
    /// Pictures with the number of the one before.
    pub repeated: u64,
    /// Pictures with a lower number than the one before.
    pub backwards: u64,
}

impl Card {
    /// Reads the numbers in their order of arrival.
    pub fn of<'a>(pictures: impl IntoIterator<Item = &'a Seen>) -> Self {
        let mut card = Self::default();
        let mut last: Option<u32> = None;
        for picture in pictures {
            let Some(Code { frame: number, .. }) = picture.code else {
                card.unreadable += 1;
                continue;
            };
            card.read += 1;
            match last {
                Some(before) if number == before => card.repeated += 1,
                Some(before) if number < before => card.backwards += 1,
                Some(before) => {
                    card.unique += 1;
                    card.missing += u64::from(number - before - 1);
                }
                None => card.unique += 1,
            }
            last = last.max(Some(number));
        }
        card
    }
}

/// The time since a player started, for `core`'s machines and for the counters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(Instant);

impl Clock {
    pub fn start() -> Self {
        Self(Instant::now())
    }

    pub fn now(self) -> Time {
        Time(u64::try_from(self.0.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    pub fn millis(self) -> u64 {
        self.now().as_millis()
    }

    /// What [`millis`](Self::millis) said at `then`, which another clock tells that says
    /// `now` at this moment.
    pub fn at_millis(self, then: Time, now: Time) -> u64 {
        Time(self.now().0.saturating_sub(now.0.saturating_sub(then.0))).as_millis()
    }
}

#[derive(Default)]
struct Inner<S> {
    stats: S,
    picture: Option<Arc<Picture>>,
}

/// Counters behind a lock, and somebody who waits for them to change.
#[derive(Default)]
pub(crate) struct Board<S = Stats> {
    inner: Mutex<Inner<S>>,
    changed: Condvar,
}

impl<S: Clone> Board<S> {
    fn lock(&self) -> MutexGuard<'_, Inner<S>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the counters and wakes those who wait.
    pub fn update(&self, change: impl FnOnce(&mut S)) {
        change(&mut self.lock().stats);
        self.changed.notify_all();
    }

    /// Keeps the last picture, and changes the counters.
    pub fn picture(&self, picture: Arc<Picture>, change: impl FnOnce(&mut S)) {
        let mut inner = self.lock();
        inner.picture = Some(picture);
        change(&mut inner.stats);
        drop(inner);
        self.changed.notify_all();
    }

    /// Looks at the counters without a copy of them.
    pub fn look<T>(&self, look: impl FnOnce(&S) -> T) -> T {
        look(&self.lock().stats)
    }

    pub fn stats(&self) -> S {
        self.lock().stats.clone()
    }

    pub fn last_picture(&self) -> Option<Arc<Picture>> {
        self.lock().picture.clone()
    }

    /// Waits until `predicate` holds for the counters; false after `patience`.
    pub fn wait(&self, patience: Duration, mut predicate: impl FnMut(&S) -> bool) -> bool {
        let guard = self.lock();
        let waited = self.changed.wait_timeout_while(guard, patience, |inner| !predicate(&inner.stats));
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}

impl Board {
    /// Notes what the host said.
    pub fn heard(&self, at_ms: u64, message: HostMessage) {
        self.update(|stats| {
            if stats.host_messages.len() < MAX_HEARD {
                stats.host_messages.push(Heard { at_ms, message });
            }
        });
    }

    /// Notes how it ended; the first to say so is right.
    pub fn end(&self, end: End) {
        self.update(|stats| {
            stats.end.get_or_insert(end);
        });
    }
}

/// The `share` (0.0 to 1.0) quantile of `values`, `None` when there are none.
pub fn quantile<T: Copy + Ord>(values: &[T], share: f64) -> Option<T> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let last = sorted.len().checked_sub(1)?;
    sorted.get((last as f64 * share.clamp(0.0, 1.0)).round() as usize).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(numbers: &[Option<u32>]) -> Vec<Seen> {
        let picture = |number: &Option<u32>| Seen {
            frame: 0,
            code: number.map(|frame| Code { frame, micros: 0 }),
            at_ms: 0,
            idr: false,
            bytes: 0,
        };
        numbers.iter().map(picture).collect()
    }

    #[test]
    fn the_card_counts_gaps_repeats_and_disorder() {
        let card = Card::of(&seen(&[Some(5), Some(6), Some(6), None, Some(9), Some(8), Some(10)]));
        let expected = Card { read: 6, unreadable: 1, unique: 4, missing: 2, repeated: 1, backwards: 1 };
        assert_eq!(card, expected);
        assert_eq!(Card::of(&[]), Card::default());
    }

    #[test]
    fn quantiles_of_few_and_of_no_values() {
        assert_eq!(quantile::<u16>(&[], 0.5), None);
        assert_eq!(quantile(&[7], 0.99), Some(7));
        assert_eq!(quantile(&[3, 1, 2], 0.5), Some(2));
    }

    #[test]
    fn waiting_ends_with_the_change_that_was_waited_for() {
        let board: Arc<Board> = Arc::default();
        let other = Arc::clone(&board);
        let thread = std::thread::spawn(move || other.update(|stats| stats.frames_received = 3));
        assert!(board.wait(Duration::from_secs(30), |stats| stats.frames_received == 3));
        thread.join().unwrap();
        assert!(!board.wait(Duration::ZERO, |stats| stats.connected));
        board.end(End::Terminated(1));
        board.end(End::Stopped);
        assert_eq!(board.stats().end, Some(End::Terminated(1)));
    }
}
