//! The host's clock as the client knows it: probes, the offset of the one that came
//! back quickest, and the stages of a frame's way through both machines.

use std::time::Duration;

use super::{micros, to_micros};
use crate::time::Time;

/// Replies that are looked at together.
const KEPT: usize = 16;
/// Probes that wait for a reply; an older one is forgotten.
const OPEN: usize = 16;
/// Probes of the first second, and the time between them.
const FIRST: u32 = 10;
const FIRST_EVERY: Duration = Duration::from_millis(100);
/// The time between them as long as none was answered, and how many come that quickly.
const URGENT: u64 = 20;
const URGENT_EVERY: Duration = Duration::from_millis(10);
/// The time between later ones.
const EVERY: Duration = Duration::from_secs(1);
/// A reply after this says nothing.
const TOO_LATE: Duration = Duration::from_secs(10);

/// One reply: how long it took, and how far the host's clock is ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reading {
    round_trip: Duration,
    /// Host minus client, microseconds.
    offset: i64,
}

/// The client's machine: says when to probe, takes replies, knows the offset.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    next_id: u64,
    due: Option<Time>,
    /// Ids and sending times of probes without a reply.
    open: [Option<(u64, Time)>; OPEN],
    readings: [Option<Reading>; KEPT],
    taken: usize,
    latest: Option<Duration>,
}

impl Clock {
    /// When the next probe is due; at once in the beginning.
    pub fn due(&self) -> Time {
        self.due.unwrap_or_default()
    }

    /// The id of a probe that is sent now.
    pub fn probe(&mut self, now: Time) -> u64 {
        let id = self.next_id;
        self.next_id = self.next_id.wrapping_add(1);
        self.open[place(id, OPEN)] = Some((id, now));
        let every = match (id, self.taken) {
            (0..URGENT, 0) => URGENT_EVERY,
            _ if id < u64::from(FIRST) => FIRST_EVERY,
            _ => EVERY,
        };
        self.due = Some(now + every);
        id
    }

    /// A reply to probe `id`, which arrived at and left the host at these microseconds
    /// of its clock. False when it answers nothing or cannot be true.
    pub fn reply(&mut self, now: Time, id: u64, arrived: u64, left: u64) -> bool {
        let Some((_, sent)) = self.open[place(id, OPEN)].filter(|(open, _)| *open == id) else {
            return false;
        };
        self.open[place(id, OPEN)] = None;
        let Some(inside) = left.checked_sub(arrived) else { return false };
        let whole = to_micros(now - sent);
        let (Some(round_trip), true) = (whole.checked_sub(inside), now - sent < TOO_LATE) else {
            return false;
        };
        let (Ok(arrived), Ok(left)) = (i64::try_from(arrived), i64::try_from(left)) else { return false };
        let (Ok(sent), Ok(now)) = (i64::try_from(sent.0), i64::try_from(now.0)) else { return false };
        // The sums of two could overflow, their halves cannot.
        let offset = (arrived / 2 - sent / 2) + (left / 2 - now / 2);
        let reading = Reading { round_trip: micros(round_trip), offset };
        self.readings[self.taken % KEPT] = Some(reading);
        self.taken = self.taken.wrapping_add(1);
        self.latest = Some(reading.round_trip);
        true
    }

    /// The shortest round trip of the last 16 replies.
    pub fn round_trip(&self) -> Option<Duration> {
        self.best().map(|reading| reading.round_trip)
    }

    /// The round trip of the last reply.
    pub const fn latest_round_trip(&self) -> Option<Duration> {
        self.latest
    }

    /// How far the host's clock is ahead of ours, microseconds.
    pub fn offset(&self) -> Option<i64> {
        self.best().map(|reading| reading.offset)
    }

    /// What our clock shows when the host's shows `host` microseconds.
    pub fn ours(&self, host: u64) -> Option<Time> {
        self.offset().map(|offset| Time(host.saturating_add_signed(offset.checked_neg().unwrap_or(0))))
    }

    fn best(&self) -> Option<Reading> {
        self.readings.iter().flatten().min_by_key(|reading| reading.round_trip).copied()
    }
}

/// Where `id` has its place among `places`.
fn place(id: u64, places: usize) -> usize {
    // Less than `places`, so it fits.
    (id % places as u64) as usize
}

/// Where the time between the capture of a frame and its picture went. Each stage
/// begins where the one before ends, so their sum is the whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stages {
    /// Taken by the host until it handed the frame's last shard to the network.
    pub host: Duration,
    /// From there until the frame was whole at the client; with the clocks' error.
    pub network: Duration,
    /// From there until it was decoded.
    pub decode: Duration,
}

impl Stages {
    /// Of a frame captured at `captured` and sent at `sent` (microseconds of the host's
    /// clock), whole and decoded at these moments of ours. A clock that puts one
    /// moment before the one it follows gives a stage of no length.
    pub fn of(clock: &Clock, captured: u64, sent: u64, whole: Time, decoded: Time) -> Option<Self> {
        let begin = clock.ours(captured)?;
        let decoded = decoded.max(begin);
        let whole = whole.clamp(begin, decoded);
        let sent = clock.ours(sent)?.clamp(begin, whole);
        Some(Self { host: sent - begin, network: whole - sent, decode: decoded - whole })
    }

    /// All of it.
    pub fn whole(&self) -> Duration {
        self.host + self.network + self.decode
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Plays one probe over a way there and back, with a host `ahead` of us.
    fn play(clock: &mut Clock, now: Time, ahead: u64, there: u64, inside: u64, back: u64) -> Time {
        let id = clock.probe(now);
        let arrived = now.0 + there + ahead;
        let end = Time(now.0 + there + inside + back);
        assert!(clock.reply(end, id, arrived, arrived + inside));
        end
    }

    #[test]
    fn ten_in_the_first_second_and_then_one_each_but_more_until_one_is_answered() {
        let probes = |answered: u64| {
            let (mut clock, mut sent) = (Clock::default(), Vec::new());
            for millis in 0..5_000 {
                let now = Time::from_millis(1_000 + millis);
                if millis == answered {
                    assert!(clock.reply(now, answered / 10, 5, 5));
                }
                if now >= clock.due() {
                    clock.probe(now);
                    sent.push(millis);
                }
            }
            sent
        };
        assert_eq!(probes(9), [0, 10, 110, 210, 310, 410, 510, 610, 710, 810, 910, 1910, 2910, 3910, 4910]);
        let in_vain: Vec<u64> = (0..=20).map(|n| n * 10).chain([1_200, 2_200, 3_200, 4_200]).collect();
        assert_eq!(probes(u64::MAX), in_vain);
    }

    #[test]
    fn the_quickest_of_sixteen_counts_and_is_forgotten_then() {
        let mut clock = Clock::default();
        assert_eq!((clock.offset(), clock.round_trip(), clock.ours(5)), (None, None, None));
        let mut now = play(&mut clock, Time(1_000), 1_000_000, 2_000, 50, 2_000);
        for _ in 0..15 {
            now = play(&mut clock, now, 1_000_000, 9_000, 50, 2_000);
            assert_eq!(clock.round_trip(), Some(Duration::from_millis(4)));
            assert!((clock.offset().unwrap() - 1_000_000).abs() <= 1);
        }
        play(&mut clock, now, 1_000_000, 9_000, 50, 2_000);
        assert_eq!(clock.round_trip(), Some(Duration::from_millis(11)));
    }

    #[test]
    fn a_reply_counts_once_and_only_when_it_can_be_true() {
        let mut clock = Clock::default();
        let id = clock.probe(Time(1_000));
        assert!(!clock.reply(Time(2_000), id + 1, 5, 6));
        assert!(clock.reply(Time(2_000), id, 5, 6));
        assert!(!clock.reply(Time(2_000), id, 5, 6), "the same again");
        for (arrived, left) in [(6, 5), (0, 50_000), (u64::MAX, u64::MAX)] {
            let id = clock.probe(Time(1_000));
            assert!(!clock.reply(Time(2_000), id, arrived, left), "{arrived} {left}");
        }
    }

    proptest! {
        #[test]
        fn no_reply_breaks_anything(
            script in prop::collection::vec((any::<u64>(), any::<u64>(), any::<u64>(), 0_u64..40), 1..60),
            host: u64,
        ) {
            let mut clock = Clock::default();
            for (now, arrived, left, id) in script {
                clock.probe(Time(now / 2));
                clock.reply(Time(now), id, arrived, left);
                let _ = clock.ours(host);
                prop_assert!(clock.round_trip().is_none_or(|time| time <= TOO_LATE));
            }
        }

        #[test]
        fn the_error_is_at_most_half_the_asymmetry(
            ahead in 0_u64..1 << 40, there in 0_u64..50_000, back in 0_u64..50_000, inside in 0_u64..1_000,
        ) {
            let mut clock = Clock::default();
            play(&mut clock, Time(77), ahead, there, inside, back);
            let error = clock.offset().unwrap().abs_diff(i64::try_from(ahead).unwrap());
            prop_assert!(error <= there.abs_diff(back) / 2 + 2);
        }

        #[test]
        fn stages_tile(captured: u32, sent: u32, whole: u32, decoded: u32) {
            let mut clock = Clock::default();
            play(&mut clock, Time(0), 5_000, 100, 10, 100);
            let (whole, decoded) = (Time(whole.into()), Time(decoded.into()));
            let stages = Stages::of(&clock, captured.into(), sent.into(), whole, decoded).unwrap();
            let begin = clock.ours(captured.into()).unwrap();
            prop_assert_eq!(stages.whole(), decoded - begin);
        }
    }
}
