//! What to do about a frame that is not whole (section 5 of the protocol): parity has
//! failed by then, so wait a little, ask for what is missing, give the frame up. What
//! comes after that is [`super::recovery`]'s.
//!
//! [`Attempt`] is the client's, [`Budget`] is the host's.

use std::time::Duration;

use crate::time::Time;

/// What an answer takes besides the round trip (section 5).
const ANSWER: Duration = Duration::from_millis(2);
/// What is missing of a block whose last shards do not come is known by silence.
const QUIET: Duration = Duration::from_millis(2);
/// The least time before more is asked for, besides the round trip.
const AGAIN: Duration = Duration::from_micros(500);
/// Turns before the time between them doubles each time.
const QUICK_TURNS: u8 = 4;
/// The least and the most time between two sayings of one request.
const SAY: Duration = Duration::from_micros(100);
const MOST_SAY: Duration = Duration::from_millis(2);
/// So often a request is said in the time that is left for it, and in a later turn.
const SAYINGS: u32 = 24;
/// Datagrams that the answer has at least: in the first turn, when that is the only one that
/// comes in time (the host sends it in two halves), in the next, and in the last that comes
/// in time. A burst that goes on takes a quarter less with each.
const FIRST_SPREAD: u8 = 8;
const ONLY_SPREAD: u8 = 9;
const NEXT_SPREAD: u8 = 16;
const LAST_SPREAD: u8 = 32;
/// How long a picture that mends is waited for at most.
const MOST_AWAITED: Duration = Duration::from_secs(1);

/// What the path and the client are like, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// There and back.
    pub round_trip: Duration,
    /// What stands in queues on top of it, as of late.
    pub queue: Duration,
    /// How late a datagram may be that is not lost.
    pub reorder: Duration,
    /// How long the client is willing to wait for a frame.
    pub patience: Duration,
    /// From one frame to the next; what comes so much later than it should is seen.
    pub interval: Duration,
}

impl Path {
    /// Whether asking for what is missing can help at all.
    pub fn allows_repair(&self) -> bool {
        self.round_trip + ANSWER < self.patience
    }

    /// How long after the request of this turn the next turn begins.
    fn again(&self, turns: u8) -> Duration {
        let once = self.round_trip + self.queue + (self.round_trip / 8).max(AGAIN);
        once * (1 << turns.saturating_sub(QUICK_TURNS).min(5))
    }
}

/// What to do about an incomplete frame now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing before that moment.
    Wait(Time),
    /// Ask for what is missing, in a new turn or (when this was asked for before, and the
    /// request may have been lost) in the same one again.
    /// Nothing more before the moment given.
    Ask(Turn, Time),
    /// It will not come in time.
    GiveUp,
}

/// A request of a client for what is missing of a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// How often it was asked for something else, or for the same as it was lost again.
    pub turn: u8,
    /// Datagrams that the answer should have at least.
    pub spread: u8,
}

/// The efforts for one incomplete frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attempt {
    /// When it was first known that there is such a frame.
    since: Time,
    /// When a shard of it came, or as `since`.
    active: Time,
    /// Whether any shard came.
    begun: bool,
    /// When a shard of a later frame came.
    overtaken: Option<Time>,
    /// When it was known that more is missing than is still to come.
    short: Option<Time>,
    /// The present turn, when it was asked in it first and last, and whether an answer came.
    turn: Option<Turn>,
    asked: Time,
    said: Time,
    answered: bool,
    turns: u8,
    /// Nothing else is waited for: as long as anything of it comes it is not given up.
    awaited: bool,
}

impl Attempt {
    /// A frame that is known by a shard of it, or (`begun` false) by later ones.
    pub const fn new(now: Time, begun: bool) -> Self {
        let overtaken = if begun { None } else { Some(now) };
        Self {
            since: now,
            active: now,
            begun,
            overtaken,
            short: None,
            turn: None,
            asked: now,
            said: now,
            answered: false,
            turns: 0,
            awaited: false,
        }
    }

    /// A frame that should have begun to arrive at `due`, and is late.
    pub const fn expected(due: Time) -> Self {
        Self { overtaken: Some(due), ..Self::new(due, false) }
    }

    /// A shard of it came.
    pub const fn shard(&mut self, now: Time) {
        (self.active, self.begun) = (now, true);
    }

    /// A shard of it came that was sent again.
    pub const fn answered(&mut self, now: Time) {
        self.shard(now);
        self.answered = true;
    }

    /// A shard of a later frame came: all of this one has been sent.
    pub const fn overtaken(&mut self, now: Time) {
        if self.overtaken.is_none() {
            self.overtaken = Some(now);
        }
    }

    /// The picture stands until this frame is whole.
    pub const fn awaited(&mut self) {
        self.awaited = true;
    }

    /// More is missing than is still to come.
    pub const fn short(&mut self, now: Time) {
        if self.short.is_none() {
            self.short = Some(now);
        }
    }

    /// A shard came at its own: when it was asked for already, how long the silence was
    /// that was taken for a loss.
    pub fn in_vain(&self, now: Time) -> Option<Duration> {
        (self.begun && self.turn.is_some() && self.overtaken.is_none()).then(|| now - self.active)
    }

    /// What to do now; [`Verdict::Ask`] counts as done. `ends_open` tells that more shards
    /// than those asked for may be on their way from the encoder: silence then means nothing.
    pub fn verdict(&mut self, now: Time, path: &Path, quiet: Duration, ends_open: bool) -> Verdict {
        let deadline = self.deadline(path);
        if now >= deadline {
            return Verdict::GiveUp;
        }
        let overtaken = self.overtaken.map(|at| at + path.reorder);
        if !path.allows_repair() {
            return match overtaken {
                Some(at) if now >= at => Verdict::GiveUp,
                at => Verdict::Wait(at.unwrap_or(deadline).min(deadline)),
            };
        }
        let silent = (self.begun && !ends_open).then(|| self.active + quiet.max(QUIET).max(path.reorder));
        let short = self.short.map(|at| at + path.reorder);
        let missed = [overtaken, silent, short].into_iter().flatten().min().unwrap_or(deadline);
        let next = match self.turn {
            None => missed,
            Some(_) if self.answered => self.active + path.reorder,
            Some(_) => self.asked + path.again(self.turns),
        };
        if (now >= next || self.turn.is_some()) && now + path.round_trip > deadline {
            return Verdict::Wait(deadline);
        }
        if now >= next {
            return self.ask(now, path);
        }
        let Some(turn) = self.turn.filter(|_| !self.answered) else {
            return Verdict::Wait(next.min(deadline));
        };
        let say = self.said + self.pause(path);
        if now < say {
            return Verdict::Wait(say.min(next).min(deadline));
        }
        self.said = now;
        Verdict::Ask(turn, (now + self.pause(path)).min(next))
    }

    /// When it is given up. A picture that mends what is broken is worth more than another
    /// one that would have to pass behind it.
    fn deadline(&self, path: &Path) -> Time {
        let known = self.overtaken.unwrap_or(self.active) + path.patience;
        if !self.awaited {
            return known;
        }
        known.max((self.active + path.patience + path.queue).min(self.since + MOST_AWAITED))
    }

    /// Begins the next turn.
    fn ask(&mut self, now: Time, path: &Path) -> Verdict {
        let in_time = self.since + path.interval;
        let is_last = now + path.again(0) > in_time;
        let spread = match (self.turns, is_last) {
            (0, false) => FIRST_SPREAD,
            (0, true) => ONLY_SPREAD,
            (_, false) => NEXT_SPREAD,
            (_, true) => LAST_SPREAD,
        };
        let turn = Turn { turn: self.turns, spread };
        (self.turn, self.asked, self.said, self.answered) = (Some(turn), now, now, false);
        self.turns = self.turns.saturating_add(1);
        Verdict::Ask(turn, now + self.pause(path))
    }

    /// How long after a request the same is said again, in case it was lost.
    fn pause(&self, path: &Path) -> Duration {
        let again = path.again(self.turns);
        let left = (self.since + path.interval) - self.asked;
        let window = if left.is_zero() { again } else { again.min(left) };
        let most = if self.turns > 1 { MOST_SAY } else { (path.round_trip / 8).min(MOST_SAY) };
        (window / SAYINGS).min(most).max(SAY)
    }
}

/// What the host may spend on sending again: a part of the rate, saved up for a short
/// while.
#[derive(Clone, Debug, Default)]
pub struct Budget {
    bytes: u64,
    at: Time,
}

impl Budget {
    /// The part of the rate, and how long it is saved: percent and milliseconds.
    const PART: u64 = 50;
    const SAVED: u64 = 100;
    /// However low the rate, so much can be saved.
    const LEAST: u64 = 16_000;

    /// Bytes that may be sent again now, at a rate of `bps` bits a second.
    pub fn available(&mut self, now: Time, bps: u64) -> u64 {
        let per_second = bps / 8 / 100 * Self::PART;
        let most = (per_second / 1_000 * Self::SAVED).max(Self::LEAST);
        let elapsed = super::to_micros(now - self.at).min(10_000_000);
        let more = per_second.saturating_mul(elapsed) / 1_000_000;
        // Time that was too short for a byte is not thrown away.
        if more > 0 || per_second == 0 {
            self.at = now;
        }
        self.bytes = self.bytes.saturating_add(more).min(most);
        self.bytes
    }

    /// So many were sent.
    pub const fn spend(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn path(round_trip: u64, patience: u64) -> Path {
        Path {
            round_trip: Duration::from_millis(round_trip),
            reorder: Duration::from_millis(1),
            patience: Duration::from_millis(patience),
            interval: Duration::from_micros(16_667),
            queue: Duration::ZERO,
        }
    }

    /// Plays an attempt that nothing answers: its turns and when they begin, how often it
    /// asks in all, and when it gives up, in µs.
    fn play(
        mut attempt: Attempt,
        path: &Path,
        overtaken: Option<u64>,
        ends_open: bool,
    ) -> (Vec<u64>, u32, u64) {
        let (mut turns, mut sayings, mut now) = (Vec::new(), 0, Time(0));
        while now.as_millis() < 10_000 {
            if overtaken.is_some_and(|millis| now >= Time::from_millis(millis)) {
                attempt.overtaken(now);
            }
            let until = match attempt.verdict(now, path, Duration::ZERO, ends_open) {
                Verdict::Wait(until) => until,
                Verdict::Ask(turn, until) => {
                    sayings += 1;
                    if usize::from(turn.turn) == turns.len() {
                        turns.push(now.0);
                    }
                    until
                }
                Verdict::GiveUp => return (turns, sayings, now.0),
            };
            assert!(until > now, "{until:?} is no future");
            let comes = overtaken.map(Time::from_millis).filter(|at| *at > now);
            now = comes.map_or(until, |at| at.min(until));
        }
        panic!("it never ends");
    }

    #[test]
    fn a_frame_is_asked_for_in_turns_until_it_cannot_come_in_time() {
        let begun = Attempt::new(Time(0), true);
        let unseen = Attempt::new(Time(0), false);
        // A hole at the end is known by silence, unless more may come from the encoder.
        let (turns, sayings, end) = play(begun, &path(4, 100), None, false);
        assert_eq!(turns, [2_000, 6_500, 11_000, 15_500, 20_000, 29_000, 47_000, 83_000]);
        assert!((50..250).contains(&sayings) && end == 100_000, "{sayings} until {end}");
        assert_eq!(play(begun, &path(10, 100), None, true), (vec![], 0, 100_000));
        assert_eq!(play(begun, &path(10, 100), Some(1), true).0[..2], [2_000, 13_250]);
        assert_eq!(play(unseen, &path(4, 100), None, true).0[..2], [1_000, 5_500]);
        // The last chance is taken, and its answer waited for.
        let (turns, _, end) = play(unseen, &path(40, 60), None, true);
        assert_eq!((turns, end), (vec![1_000], 60_000));
        // A path too long for it: once the frame was overtaken nothing is waited for.
        assert_eq!(play(begun, &path(98, 100), Some(16), true), (vec![], 0, 17_000));
        assert_eq!(play(begun, &path(98, 100), None, false), (vec![], 0, 100_000));
    }

    #[test]
    fn what_is_known_to_be_missing_is_asked_for_at_once_and_an_answer_ends_the_turn() {
        let way = path(4, 100);
        let mut attempt = Attempt::new(Time(0), true);
        attempt.short(Time(0));
        let ask = |attempt: &mut Attempt, now| attempt.verdict(Time(now), &way, Duration::ZERO, false);
        assert_eq!(ask(&mut attempt, 0), Verdict::Wait(Time(1_000)));
        let Verdict::Ask(first, again) = ask(&mut attempt, 1_000) else { panic!("not asked for") };
        assert_eq!(first, Turn { turn: 0, spread: FIRST_SPREAD });
        let Verdict::Ask(second, _) = ask(&mut attempt, again.0) else { panic!("not said again") };
        assert_eq!(first, second, "the same request");
        // A part of the answer came: what is still missing was lost once more.
        attempt.answered(Time(5_000));
        assert_eq!(ask(&mut attempt, 5_000), Verdict::Wait(Time(6_000)));
        let Verdict::Ask(third, _) = ask(&mut attempt, 6_000) else { panic!("not asked for again") };
        assert_eq!(third, Turn { turn: 1, spread: NEXT_SPREAD });
        // The last that comes in time.
        attempt.answered(Time(14_000));
        let Verdict::Ask(last, _) = ask(&mut attempt, 15_000) else { panic!("not asked for again") };
        assert_eq!(last, Turn { turn: 2, spread: LAST_SPREAD });
        assert_eq!(attempt.in_vain(Time(15_500)), Some(Duration::from_micros(1_500)));
    }

    #[test]
    fn the_only_request_that_comes_in_time_asks_for_more() {
        let interval = Duration::from_micros(8_334);
        for (millis, spread) in [(4, FIRST_SPREAD), (12, ONLY_SPREAD)] {
            let way = Path { interval, ..path(millis, 100) };
            let mut attempt = Attempt::new(Time(0), true);
            attempt.short(Time(0));
            let verdict = attempt.verdict(Time(1_000), &way, Duration::ZERO, false);
            let Verdict::Ask(turn, _) = verdict else { panic!("not asked for") };
            assert_eq!(turn, Turn { turn: 0, spread }, "{millis} ms");
        }
    }

    #[test]
    fn a_queue_is_waited_for_and_a_picture_that_mends_as_long_as_it_comes() {
        let slow = Path { queue: Duration::from_millis(50), ..path(4, 100) };
        let (turns, _, _) = play(Attempt::new(Time(0), true), &slow, None, false);
        assert_eq!(turns, [2_000, 56_500], "no answer can be there before");
        for awaited in [false, true] {
            let (mut attempt, mut now) = (Attempt::new(Time(0), true), Time(0));
            attempt.overtaken(Time(0));
            if awaited {
                attempt.awaited();
            }
            while attempt.verdict(now, &slow, Duration::ZERO, false) != Verdict::GiveUp
                && now.as_millis() < 3_000
            {
                now = now + Duration::from_millis(5);
                attempt.shard(now);
            }
            assert_eq!(now.as_millis(), if awaited { 1_000 } else { 100 });
        }
    }

    #[test]
    fn a_budget_is_half_of_the_rate() {
        let mut budget = Budget::default();
        let mut spent = 0;
        for micros in (0..10_000_000).step_by(333) {
            let bytes = budget.available(Time(micros), 20_000_000);
            budget.spend(bytes);
            spent += bytes;
        }
        assert!((12_300_000..=12_500_000).contains(&spent), "{spent}");
        let rested = budget.available(Time(60_000_000), 20_000_000);
        assert_eq!(rested, 125_000, "saved for 100 ms");
        budget.spend(u64::MAX);
        assert_eq!(budget.available(Time(0), u64::MAX), 0, "a clock that goes back gives nothing");
    }

    proptest! {
        #[test]
        fn every_attempt_ends(
            round_trip in 0_u64..300, patience in 1_u64..300, overtaken in prop::option::of(0_u64..500),
            begun: bool, ends_open: bool,
        ) {
            let way = path(round_trip, patience);
            let (turns, sayings, end) = play(Attempt::new(Time(0), begun), &way, overtaken, ends_open);
            prop_assert!(end <= overtaken.unwrap_or(0).max(patience) * 1_000 + patience * 1_000);
            prop_assert!(turns.windows(2).all(|pair| pair[1] - pair[0] >= round_trip * 1_000));
            prop_assert!(u64::from(sayings) <= end / 100 + 1);
        }
    }
}
