//! What the client tells about the path: which datagrams came, how many were lost and
//! in what runs, how long they stood in queues. [`Collector`] makes it out of what was
//! opened; [`Readings`] is where the host lets it in.
//!
//! A datagram counts as lost when it has not come a while after later ones did, so
//! that the path may swap datagrams without being called lossy.

use std::time::Duration;

use crate::native::wire::report::Feedback;
use crate::time::Time;

/// Sequences that are told apart behind the highest; older missing ones are lost.
const WINDOW: u64 = 8192;
const WORDS: usize = 128;
/// How long a missing datagram may still come.
const WAIT: Duration = Duration::from_millis(10);
/// Time between reports while media arrives, and how long they go on after.
pub const EVERY: Duration = Duration::from_millis(50);
const AFTER: Duration = Duration::from_millis(200);
/// The least one-way delay is that of this long to twice as long.
const BASE: Duration = Duration::from_secs(10);
/// Gaps remembered in order to measure how late reordered datagrams come.
const GAPS: usize = 8;
/// Reordering waited for is at least and at most this long.
const LEAST_REORDER: Duration = Duration::from_millis(1);
const MOST_REORDER: Duration = Duration::from_millis(20);

/// One report, as both sides calculate with it (section 4.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// Counts the reports of a session from 1.
    pub number: u64,
    /// Highest sequence opened.
    pub highest: u64,
    /// Datagrams received since the report before, and those that will not come.
    pub received: u64,
    /// See `received`.
    pub lost: u64,
    /// Runs of 1, 2, 3-4, 5-8, 9-16 and more lost datagrams.
    pub bursts: [u16; 6],
    /// Shards restored from parity.
    pub recovered: u64,
    /// Frames that became whole, and those given up.
    pub frames: u64,
    /// See `frames`.
    pub frames_lost: u64,
    /// Least time above the least one-way delay: what stands in queues.
    pub delay: Duration,
    /// Mean time to decode a frame.
    pub decode: Duration,
    /// Frames that are whole and not yet decoded.
    pub backlog: u64,
    /// Largest datagram received, bytes.
    pub largest: u64,
    /// Since the report before.
    pub interval: Duration,
    /// Received since the report before.
    pub bytes: u64,
}

impl Sample {
    /// As the wire has it. The numbers of reports begin with 0 there.
    pub fn from_wire(feedback: &Feedback) -> Self {
        Self {
            number: u64::from(feedback.number) + 1,
            highest: feedback.highest,
            received: feedback.received.into(),
            lost: feedback.lost.into(),
            bursts: feedback.bursts,
            recovered: feedback.recovered.into(),
            frames: feedback.frames.into(),
            frames_lost: feedback.frames_lost.into(),
            delay: super::micros(feedback.delay_us.into()),
            decode: super::micros(feedback.decode_us.into()),
            backlog: feedback.backlog.into(),
            largest: feedback.largest.into(),
            interval: super::micros(feedback.interval_us.into()),
            bytes: feedback.bytes,
        }
    }

    /// For the wire, where most numbers end at 32 bits.
    pub fn to_wire(self) -> Feedback {
        let short = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
        let micros = |duration| short(super::to_micros(duration));
        Feedback {
            highest: self.highest,
            received: short(self.received),
            lost: short(self.lost),
            bursts: self.bursts,
            recovered: short(self.recovered),
            frames: short(self.frames),
            frames_lost: short(self.frames_lost),
            delay_us: micros(self.delay),
            decode_us: micros(self.decode),
            backlog: short(self.backlog),
            largest: u16::try_from(self.largest).unwrap_or(u16::MAX),
            number: short(self.number.saturating_sub(1)),
            interval_us: micros(self.interval),
            bytes: self.bytes,
        }
    }
}

/// The client's side.
#[derive(Clone, Debug)]
pub struct Collector {
    seen: [u64; WORDS],
    /// Sequences below are judged.
    next: u64,
    /// One more than the highest sequence, 0 before the first.
    end: u64,
    /// What `end` was at that moment.
    mark: (u64, Time),
    /// Datagrams lost one after another, up to `next`.
    run: u64,
    sample: Sample,
    decoded: u64,
    decoding: Duration,
    queue: Option<u64>,
    base: Base,
    gaps: [(u64, u64, Time); GAPS],
    gap: usize,
    reorder: Duration,
    since: Time,
    last_media: Option<Time>,
    due: Option<Time>,
}

impl Default for Collector {
    fn default() -> Self {
        Self {
            seen: [0; WORDS],
            next: 0,
            end: 0,
            mark: (0, Time(0)),
            run: 0,
            sample: Sample::default(),
            decoded: 0,
            decoding: Duration::ZERO,
            queue: None,
            base: Base::default(),
            gaps: [(0, 0, Time(0)); GAPS],
            gap: 0,
            reorder: LEAST_REORDER,
            since: Time(0),
            last_media: None,
            due: None,
        }
    }
}

impl Collector {
    /// Datagram `sequence` of `len` bytes was opened, once each.
    pub fn received(&mut self, now: Time, sequence: u64, len: usize) {
        if self.due.is_none() {
            self.due = Some(now + EVERY);
            self.since = now;
        }
        self.last_media = Some(now);
        self.sample.received += 1;
        let len = len as u64;
        self.sample.bytes = self.sample.bytes.saturating_add(len);
        self.sample.largest = self.sample.largest.max(len);
        if sequence < self.next {
            self.sample.lost = self.sample.lost.saturating_sub(1);
        } else {
            let end = sequence.saturating_add(1);
            self.judge(end.saturating_sub(WINDOW));
            let (word, bit) = place(sequence);
            self.seen[word] |= bit;
        }
        if sequence < self.end {
            self.late(now, sequence);
        } else {
            if sequence > self.end {
                self.gaps[self.gap % GAPS] = (self.end, sequence, now);
                self.gap = self.gap.wrapping_add(1);
            }
            self.end = sequence.saturating_add(1);
        }
        self.settle(now);
    }

    /// A shard was handed to the network at `sent` (µs of the host's clock) and came
    /// now. Repairs say nothing here: they are as old as their frame.
    pub fn shard(&mut self, now: Time, sent: u64) {
        // The clocks differ by an amount that cancels out against the least one.
        let one_way = now.0.wrapping_sub(sent);
        let above = self.base.above(now, one_way);
        self.queue = Some(self.queue.map_or(above, |least| least.min(above)));
    }

    /// Shards were restored from parity.
    pub fn recovered(&mut self, shards: u64) {
        self.sample.recovered = self.sample.recovered.saturating_add(shards);
    }

    /// A frame became whole.
    pub fn frame(&mut self) {
        self.sample.frames = self.sample.frames.saturating_add(1);
    }

    /// Frames were given up.
    pub fn frames_lost(&mut self, frames: u64) {
        self.sample.frames_lost = self.sample.frames_lost.saturating_add(frames);
    }

    /// A frame was decoded, which took that long; `backlog` more are waiting for it.
    pub fn decoded(&mut self, took: Duration, backlog: u64) {
        self.decoded += 1;
        self.decoding = self.decoding.saturating_add(took);
        self.sample.backlog = backlog;
    }

    /// How long a missing datagram is worth waiting for, by how late others came.
    pub const fn reorder(&self) -> Duration {
        self.reorder
    }

    /// When the next report is due; `None` when media has ceased.
    pub fn due(&self) -> Option<Time> {
        self.due
    }

    /// The report that is due now, and the beginning of the next one.
    pub fn take(&mut self, now: Time) -> Sample {
        self.settle(now);
        self.reorder = (self.reorder - self.reorder / 64).max(LEAST_REORDER);
        let mut sample = std::mem::take(&mut self.sample);
        sample.highest = self.end.saturating_sub(1);
        sample.number += 1;
        sample.interval = now - self.since;
        sample.delay = super::micros(self.queue.take().unwrap_or(0));
        let frames = u32::try_from(self.decoded).unwrap_or(u32::MAX);
        sample.decode = self.decoding.checked_div(frames).unwrap_or_default();
        (self.decoded, self.decoding) = (0, Duration::ZERO);
        (self.sample.number, self.sample.backlog) = (sample.number, sample.backlog);
        self.since = now;
        let goes_on = self.last_media.is_some_and(|last| now - last < AFTER);
        self.due = goes_on.then(|| now + EVERY);
        sample
    }

    /// A datagram came after later ones: how long after, if that is known.
    fn late(&mut self, now: Time, sequence: u64) {
        let gap = self.gaps.iter().find(|(first, end, _)| (*first..*end).contains(&sequence));
        if let Some(&(_, _, opened)) = gap {
            let wait = (now - opened).saturating_mul(5) / 4;
            self.reorder = self.reorder.max(wait.min(MOST_REORDER));
        }
    }

    /// Judges what was passed by later datagrams a while ago.
    fn settle(&mut self, now: Time) {
        let (end, at) = self.mark;
        if now - at >= WAIT {
            self.judge(end);
            self.mark = (self.end, now);
        }
    }

    /// Decides about all sequences below `end`.
    fn judge(&mut self, end: u64) {
        let near = end.min(self.next.saturating_add(WINDOW));
        while self.next < near {
            let (word, bit) = place(self.next);
            if self.seen[word] & bit == 0 {
                self.sample.lost = self.sample.lost.saturating_add(1);
                self.run = self.run.saturating_add(1);
            } else {
                self.seen[word] &= !bit;
                self.end_run();
            }
            self.next += 1;
        }
        // Nothing is marked beyond the window.
        let far = end.saturating_sub(self.next);
        self.sample.lost = self.sample.lost.saturating_add(far);
        self.run = self.run.saturating_add(far);
        self.next += far;
    }

    fn end_run(&mut self) {
        let class = match std::mem::take(&mut self.run) {
            0 => return,
            1 => 0,
            2 => 1,
            3..=4 => 2,
            5..=8 => 3,
            9..=16 => 4,
            _ => 5,
        };
        self.sample.bursts[class] = self.sample.bursts[class].saturating_add(1);
    }
}

/// Which word and which bit of it stand for `sequence`.
fn place(sequence: u64) -> (usize, u64) {
    // Less than `WINDOW`, so it fits.
    let bit = (sequence % WINDOW) as usize;
    (bit / 64, 1 << (bit % 64))
}

/// The least one-way delay of the present and of the last 10 seconds.
#[derive(Clone, Copy, Debug, Default)]
struct Base {
    began: Time,
    least: Option<u64>,
    before: Option<u64>,
}

impl Base {
    /// How far `one_way` is above the least.
    fn above(&mut self, now: Time, one_way: u64) -> u64 {
        if now - self.began >= BASE {
            (self.before, self.least, self.began) = (self.least, None, now);
        }
        self.least = Some(self.least.map_or(one_way, |least| nearest_least(least, one_way)));
        let least = [self.least, self.before].into_iter().flatten().reduce(nearest_least);
        one_way.wrapping_sub(least.unwrap_or(one_way))
    }
}

/// The lesser of two differences of clocks, which may have wrapped below zero.
fn nearest_least(a: u64, b: u64) -> u64 {
    if a.wrapping_sub(b).cast_signed() <= 0 { a } else { b }
}

/// The host's side: lets a report in when it can be true.
#[derive(Clone, Debug, Default)]
pub struct Readings {
    last: u64,
}

impl Readings {
    /// `sample`, bounded; `None` for one that is older than the newest or speaks of
    /// more than the `sent` datagrams that there were.
    pub fn take(&mut self, sample: Sample, sent: u64) -> Option<Sample> {
        if sample.number <= self.last || sample.highest >= sent.max(1) {
            return None;
        }
        self.last = sample.number;
        Some(Sample {
            received: sample.received.min(sent),
            lost: sample.lost.min(sent),
            backlog: sample.backlog.min(1_000),
            interval: sample.interval.clamp(Duration::from_millis(1), Duration::from_secs(10)),
            bytes: sample.bytes.min(1 << 40),
            ..sample
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Sequences arrive 100 µs apart from `begin` on; then everything is settled.
    fn collect(collector: &mut Collector, begin: Time, sequences: &[u64]) -> Sample {
        let mut now = begin;
        for &sequence in sequences {
            collector.received(now, sequence, 1000);
            now = now + Duration::from_micros(100);
        }
        let end = sequences.iter().max().unwrap() + 1;
        collector.received(now + WAIT, end, 1000);
        collector.received(now + WAIT * 2, end + 1, 1000);
        collector.take(now + WAIT * 2)
    }

    #[test]
    fn runs_fall_into_their_classes() {
        let gaps = [1, 2, 3, 4, 5, 8, 9, 16, 17, 200];
        let (mut sequences, mut next) = (vec![0], 1);
        for gap in gaps {
            next += gap;
            sequences.push(next);
            next += 1;
        }
        let sample = collect(&mut Collector::default(), Time(0), &sequences);
        assert_eq!(sample.bursts, [1, 1, 2, 2, 2, 2]);
        assert_eq!(sample.lost, gaps.iter().sum::<u64>());
        assert_eq!((sample.received, sample.bytes, sample.number), (13, 13_000, 1));
        assert_eq!(sample.highest, next + 1);
    }

    #[test]
    fn swapped_datagrams_are_not_lost_and_say_how_late_they_come() {
        let mut collector = Collector::default();
        assert_eq!(collector.reorder(), LEAST_REORDER);
        let swapped: Vec<u64> = (0..500).map(|n| if n % 50 == 10 { n + 40 } else { n }).collect();
        let mut order: Vec<u64> = (0..500).collect();
        order.sort_by_key(|&n| (swapped[usize::try_from(n).unwrap()], n));
        let sample = collect(&mut collector, Time(0), &order);
        assert_eq!((sample.lost, sample.bursts), (0, [0; 6]));
        assert!(collector.reorder() > Duration::from_millis(3), "{:?}", collector.reorder());
        // And is forgotten.
        for n in 0..1_000 {
            collector.take(Time::from_millis(100 + n));
        }
        assert_eq!(collector.reorder(), LEAST_REORDER);
    }

    #[test]
    fn one_that_comes_after_all_is_taken_back() {
        let mut collector = Collector::default();
        for millis in 0..40 {
            if millis != 3 {
                collector.received(Time::from_millis(millis), millis, 100);
            }
        }
        collector.received(Time::from_millis(40), 3, 100);
        let sample = collector.take(Time::from_millis(41));
        assert_eq!((sample.received, sample.lost), (40, 0));
    }

    #[test]
    fn a_report_every_50_ms_and_for_200_after() {
        let mut collector = Collector::default();
        assert_eq!(collector.due(), None);
        let mut reports = Vec::new();
        for millis in 1_000..3_000_u64 {
            let now = Time::from_millis(millis);
            if millis < 1_500 {
                collector.received(now, millis - 1_000, 100);
            }
            if collector.due().is_some_and(|due| due <= now) {
                let sample = collector.take(now);
                assert_eq!(sample.interval, EVERY);
                reports.push(millis);
            }
        }
        let expected: Vec<u64> = (21..=34).map(|n| n * 50).collect();
        assert_eq!(reports, expected);
        collector.received(Time::from_millis(9_000), 500, 100);
        assert_eq!(collector.due(), Some(Time::from_millis(9_050)));
    }

    #[test]
    fn delay_is_what_stands_above_the_least_whatever_the_clocks_say() {
        for ahead in [0_u64, 5_000_000, 0_u64.wrapping_sub(5_000_000)] {
            let mut collector = Collector::default();
            let mut arrive = |millis: u64, delay: u64| {
                let sent = millis * 1_000;
                collector.shard(Time(sent + delay), sent.wrapping_add(ahead));
                collector.take(Time(sent + delay)).delay
            };
            assert_eq!(arrive(0, 4_000), Duration::ZERO);
            assert_eq!(arrive(100, 9_000), Duration::from_millis(5));
            assert_eq!(arrive(200, 3_000), Duration::ZERO);
            assert_eq!(arrive(9_000, 10_000), Duration::from_millis(7));
            // A path that is longer now is the new least after a while.
            let last = (10..40).map(|second| arrive(second * 1_000, 10_000)).last();
            assert_eq!(last, Some(Duration::ZERO));
        }
    }

    #[test]
    fn the_host_takes_each_report_once_and_only_what_can_be_true() {
        let mut readings = Readings::default();
        let sample = |number, highest| Sample { number, highest, ..Sample::default() };
        assert!(readings.take(sample(1, 99), 100).is_some());
        assert!(readings.take(sample(1, 99), 100).is_none());
        assert!(readings.take(sample(2, 100), 100).is_none());
        let huge = Sample {
            received: u64::MAX,
            lost: u64::MAX,
            backlog: u64::MAX,
            bytes: u64::MAX,
            interval: Duration::MAX,
            ..sample(7, 5)
        };
        let sample_taken = readings.take(huge, 100).unwrap();
        assert_eq!((sample_taken.received, sample_taken.lost), (100, 100));
        assert!(sample_taken.interval <= Duration::from_secs(10));
        assert!(readings.take(sample(6, 5), 100).is_none(), "backwards");
    }

    proptest! {
        #[test]
        fn every_sequence_is_received_or_lost(lose in prop::collection::vec(prop::bool::weighted(0.3), 1..2_000)) {
            let sequences: Vec<u64> = lose.iter().zip(0..).filter(|(lost, _)| !**lost).map(|(_, n)| n).collect();
            prop_assume!(!sequences.is_empty());
            let sample = collect(&mut Collector::default(), Time(7), &sequences);
            let end = sequences.iter().max().unwrap() + 1;
            prop_assert_eq!(sample.received, sequences.len() as u64 + 2);
            prop_assert_eq!(sample.received + sample.lost, end + 2);
        }

        #[test]
        fn no_sequences_break_it(script in prop::collection::vec((any::<u64>(), any::<u64>(), any::<u64>()), 1..50)) {
            let mut collector = Collector::default();
            for (now, sequence, sent) in script {
                collector.received(Time(now), sequence, 9);
                collector.shard(Time(now), sent);
                let sample = collector.take(Time(now));
                prop_assert!(sample.delay <= Duration::from_secs(3_600));
            }
        }
    }
}
