//! When the next frame is expected: of one that was lost as a whole nothing tells but
//! the clock, and the frame after it comes too late to ask in time.

use std::time::Duration;

use crate::time::Time;

/// A frame is late when it has not begun so long after it was expected, at least.
const SLACK: Duration = Duration::from_millis(2);
/// How much of its newest change the interval follows: one part in so many.
const FOLLOW: u32 = 8;
/// Longer than this is a pause, not an interval.
const LONGEST: Duration = Duration::from_millis(200);

/// The rhythm of a stream.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    /// Number, time of the picture (µs of the host's clock) and arrival of the newest frame.
    newest: Option<(u32, u64, Time)>,
    interval: Option<Duration>,
    /// How far frames are from where they were expected, in the mean.
    spread: Duration,
}

impl Pace {
    /// A shard of a frame came whose picture was taken at `timestamp`. Only the first one
    /// of the newest frame counts; with `again` it was lost at first and is late.
    pub fn arrived(&mut self, now: Time, frame: u32, timestamp: u64, again: bool) {
        let Some((newest, before, at)) = self.newest else {
            self.newest = Some((frame, timestamp, now));
            return;
        };
        let frames = frame.wrapping_sub(newest);
        if frames == 0 || frames >= 1 << 31 {
            return;
        }
        let expected = self.interval.map(|interval| at + interval * frames);
        let now = expected.filter(|_| again).unwrap_or(now);
        self.newest = Some((frame, timestamp, now));
        // 48 bits of the time are on the wire.
        let between = Duration::from_micros(timestamp.wrapping_sub(before) & 0xFFFF_FFFF_FFFF) / frames;
        if between > LONGEST {
            self.interval = None;
            return;
        }
        let interval = self.interval.unwrap_or(between);
        let off =
            Duration::from_micros(super::to_micros(now - at).abs_diff(super::to_micros(interval * frames)));
        self.interval = Some((interval * (FOLLOW - 1) + between) / FOLLOW);
        self.spread = (self.spread * (FOLLOW - 1) + off.min(LONGEST)) / FOLLOW;
    }

    /// From one frame to the next, as of late.
    pub const fn interval(&self) -> Option<Duration> {
        self.interval
    }

    /// The frame that should begin to arrive next, when it should, and when it is late.
    /// `None` where the rhythm is none to go by.
    pub fn next(&self) -> Option<(u32, Time, Time)> {
        let ((newest, _, at), interval) = (self.newest?, self.interval?);
        let slack = SLACK.max(self.spread * 4);
        let due = at + interval;
        (self.spread * 4 < interval).then_some((newest.wrapping_add(1), due, due + slack))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_even_stream_is_expected_to_the_millisecond_and_losses_do_not_matter() {
        let mut pace = Pace::default();
        for frame in (0..100_u32).filter(|frame| frame % 7 != 3) {
            let at = u64::from(frame) * 16_667;
            let (number, taken) = (frame.wrapping_sub(51), ((1 << 48) - 800_000 + at) & 0xFFFF_FFFF_FFFF);
            pace.arrived(Time(at + 5_000), number, taken, false);
            pace.arrived(Time(at + 9_000), number, 0, false);
        }
        assert_eq!(pace.interval().map(|interval| interval.as_micros()), Some(16_667));
        let (frame, due, late) = pace.next().unwrap();
        assert_eq!((frame, due), (49, Time(100 * 16_667 + 5_000)));
        assert_eq!(late - due, SLACK);
    }

    #[test]
    fn an_uneven_stream_and_one_that_paused_promise_nothing() {
        let mut pace = Pace::default();
        assert!(pace.next().is_none());
        for frame in 0..50_u32 {
            let at = u64::from(frame) * 10_000 + u64::from(frame % 2) * 8_000;
            pace.arrived(Time(at), frame, at, false);
        }
        assert!(pace.next().is_none(), "{pace:?}");
        pace.arrived(Time(9_000_000), 50, 9_000_000, false);
        assert!(pace.next().is_none() && pace.interval().is_none());
    }
}
