//! How many bits a second the stream may use, parity and repairs included. It starts
//! low, climbs while reports are clean, and gives way to what holds it back; every
//! change names its limiter and the numbers that led to it, so that a log explains a
//! picture.
//!
//! Loss alone is not congestion: a radio link loses at any rate, and parity answers
//! that. So a cut that did not lower the loss, or the delay, teaches that they belong
//! to the path. What a cut was made at is remembered for a while and approached
//! slowly, so the rate does not swing.

use std::time::Duration;

use super::feedback::Sample;
use crate::time::Time;

/// Nothing goes below this, in bits a second; also the least that can be agreed.
pub const FLOOR: u64 = 500_000;
/// Where a stream starts at least (section 6).
const START: u64 = 10_000_000;
/// Between two steps up, between two near a rate that was too much, and between a cut
/// and what is made of its effect.
const STEP: Duration = Duration::from_millis(200);
const CAREFUL_STEP: Duration = Duration::from_secs(1);
const EFFECT: Duration = Duration::from_millis(600);
/// A step up from the start, later, and near a rate that was too much: percent.
const QUICK: u64 = 25;
const STEADY: u64 = 8;
const CAREFUL: u64 = 1;
/// How long a rate that was too much is remembered.
const REMEMBERED: Duration = Duration::from_secs(30);
/// Queues longer than this are congestion when they grow, or at any rate.
const GROWING: Duration = Duration::from_millis(8);
const STANDING: Duration = Duration::from_millis(25);
/// Loss above what belongs to the path: a share of datagrams.
const LOSSY: f64 = 0.02;
/// Datagrams lost together, as radio loses them; and how far above its usual share (in
/// standard deviations of bursts that long) loss must be to mean anything.
const BURST: f64 = 4.0;
const UNLIKELY: f64 = 2.5;
/// A decoder this many frames behind, for so many reports, is too slow.
const BEHIND: u64 = 4;
const REPORTS: u32 = 3;
/// No report for this long while media is sent.
const SILENCE: Duration = Duration::from_millis(500);

/// What holds the rate where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limiter {
    /// The way up from the start.
    StartUp,
    /// All that was agreed is used.
    Agreed,
    /// More is lost than belongs to the path.
    Loss,
    /// Queues grow.
    Delay,
    /// The client decodes too slowly.
    Decoder,
    /// The client reports nothing.
    Silence,
}

impl Limiter {
    /// For logs and statistics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::StartUp => "start-up",
            Self::Agreed => "agreed bitrate",
            Self::Loss => "loss",
            Self::Delay => "queue delay",
            Self::Decoder => "decoder",
            Self::Silence => "no reports",
        }
    }
}

/// The rate from now on and why.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// Bits a second for datagrams with all that is in them.
    pub bps: u64,
    /// What limits it.
    pub limiter: Limiter,
    /// Share of datagrams lost, as smoothed now.
    pub loss: f64,
    /// What stood in queues.
    pub delay: Duration,
    /// Frames that waited for the decoder.
    pub backlog: u64,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Rate {
    agreed: u64,
    bps: u64,
    limiter: Limiter,
    /// Share lost, smoothed, and what of it belongs to the path.
    loss: f64,
    path_loss: f64,
    /// Datagrams that `loss` was counted over.
    counted: f64,
    delay: Duration,
    path_delay: Duration,
    growing: u32,
    behind: u32,
    /// A rate that was too much, and when.
    ceiling: Option<(u64, Time)>,
    hold: Time,
    /// What the last cut was made at, until it is known whether it helped.
    cut: Option<Cut>,
    heard: Option<Time>,
    sent: Option<Time>,
}

/// A cut whose effect is awaited.
#[derive(Clone, Copy, Debug)]
struct Cut {
    limiter: Limiter,
    loss: f64,
    delay: Duration,
    judge: Time,
}

impl Rate {
    /// For a stream of at most `agreed` bits a second.
    pub fn new(agreed: u64) -> Self {
        let agreed = agreed.max(FLOOR);
        Self {
            agreed,
            bps: (agreed / 4).max(START).min(agreed),
            limiter: if agreed <= START { Limiter::Agreed } else { Limiter::StartUp },
            loss: 0.0,
            path_loss: 0.0,
            counted: 0.0,
            delay: Duration::ZERO,
            path_delay: Duration::ZERO,
            growing: 0,
            behind: 0,
            ceiling: None,
            hold: Time(0),
            cut: None,
            heard: None,
            sent: None,
        }
    }

    /// Bits a second for everything.
    pub const fn bps(&self) -> u64 {
        self.bps
    }

    /// What limits it.
    pub const fn limiter(&self) -> Limiter {
        self.limiter
    }

    /// Bits a second for the encoder, when `share` parity shards go with each data
    /// shard and shards of `len` bytes cost `overhead` bytes more on the wire.
    pub fn encoder_bps(&self, share: f64, len: usize, overhead: usize) -> u64 {
        let len = len.max(1) as f64;
        // Between nothing and `bps`.
        (self.bps as f64 * len / (len + overhead as f64) / (1.0 + share.clamp(0.0, 8.0))) as u64
    }

    /// Another bitrate was agreed.
    pub fn agree(&mut self, agreed: u64) -> Option<Change> {
        self.agreed = agreed.max(FLOOR);
        let starts = (self.agreed / 4).max(START).min(self.agreed);
        let bps = if self.limiter == Limiter::Agreed { self.bps.max(starts) } else { self.bps };
        let limiter = if bps >= self.agreed { Limiter::Agreed } else { Limiter::StartUp };
        let limiter = if self.ceiling.is_some() && bps < self.agreed { self.limiter } else { limiter };
        self.set(bps.min(self.agreed), limiter)
    }

    /// Media was handed to the network.
    pub fn sent(&mut self, now: Time) {
        if self.sent.is_none_or(|sent| now - sent > SILENCE) {
            // After a rest nobody owes a report yet.
            self.heard = Some(now);
        }
        self.sent = Some(now);
    }

    /// When [`silence`](Self::silence) has to be asked.
    pub fn due(&self) -> Option<Time> {
        let (heard, sent) = (self.heard?, self.sent?);
        (sent > heard && self.bps > self.least()).then(|| heard + SILENCE)
    }

    /// No report came for a while although media is sent: half of the rate.
    pub fn silence(&mut self, now: Time) -> Option<Change> {
        if self.due().is_none_or(|due| now < due) {
            return None;
        }
        self.heard = Some(now);
        self.hold = now + EFFECT;
        self.set(self.bps / 2, Limiter::Silence)
    }

    /// The client's newest report.
    pub fn report(&mut self, now: Time, sample: &Sample) -> Option<Change> {
        self.heard = Some(now);
        self.observe(sample);
        self.judge_cut(now);
        let delay = self.delay.saturating_sub(self.path_delay);
        let delivered = sample.bytes.saturating_mul(8_000_000) / super::to_micros(sample.interval).max(1);
        let limiter = if delay > STANDING || self.growing >= REPORTS && delay > GROWING {
            Limiter::Delay
        } else if self.excess_loss() > self.evidence() {
            Limiter::Loss
        } else if self.behind >= REPORTS {
            Limiter::Decoder
        } else {
            return self.rise(now, delivered, delay);
        };
        if now < self.hold {
            return None;
        }
        self.lower(now, limiter, delivered)
    }

    /// Takes the numbers of a report in.
    fn observe(&mut self, sample: &Sample) {
        let total = sample.received.saturating_add(sample.lost);
        let elapsed = sample.interval.min(Duration::from_secs(1)).as_secs_f64();
        if total > 0 {
            let lost = sample.lost as f64 / total as f64;
            // A report of few datagrams says little.
            let weight = (elapsed / 0.3).min(1.0) * (total as f64 / 20.0).min(1.0);
            self.loss += (lost - self.loss) * weight;
            self.counted += total as f64 - self.counted * weight;
            let part = self.loss - self.path_loss;
            self.path_loss += part * (elapsed / if part < 0.0 { 1.0 } else { 5.0 }).min(1.0);
        }
        let grew = sample.delay > self.delay + Duration::from_micros(500);
        self.growing = if grew { self.growing + 1 } else { 0 };
        self.delay = sample.delay;
        self.path_delay = self.path_delay.min(sample.delay);
        self.behind = if sample.backlog >= BEHIND { self.behind + 1 } else { 0 };
    }

    /// Loss beyond what belongs to the path.
    fn excess_loss(&self) -> f64 {
        self.loss - self.path_loss * 1.5
    }

    /// How much more loss than the path's own says something: a few datagrams that
    /// happened to be lost together do not.
    fn evidence(&self) -> f64 {
        LOSSY.max(UNLIKELY * (self.loss * BURST / self.counted.max(1.0)).sqrt())
    }

    /// A while after a cut: what it did not make better belongs to the path.
    fn judge_cut(&mut self, now: Time) {
        let Some(cut) = self.cut.filter(|cut| now >= cut.judge) else { return };
        self.cut = None;
        if cut.limiter == Limiter::Loss && self.loss > cut.loss * 0.7 {
            self.path_loss = self.loss;
            self.ceiling = None;
        }
        let lasting = self.delay > cut.delay * 3 / 4 && self.delay < cut.delay * 5 / 4;
        if cut.limiter == Limiter::Delay && lasting && self.growing < REPORTS {
            self.path_delay = self.delay;
            self.ceiling = None;
        }
    }

    fn lower(&mut self, now: Time, limiter: Limiter, delivered: u64) -> Option<Change> {
        // What came through is what the path carries, when it was used at all.
        let used = delivered.clamp(self.bps / 2, self.bps);
        let bps = match limiter {
            Limiter::Delay if self.delay > STANDING * 4 => used / 100 * 75,
            Limiter::Delay => used / 100 * 88,
            // A stream that used little of its rate did not cause the loss by it.
            Limiter::Loss => used.max(self.bps / 10 * 9) / 100 * 95,
            _ => self.bps / 100 * 85,
        };
        self.ceiling = Some((self.bps.min(used * 21 / 20), now));
        self.hold = now + EFFECT;
        self.cut = Some(Cut { limiter, loss: self.loss, delay: self.delay, judge: self.hold });
        (self.growing, self.behind) = (0, 0);
        self.set(bps, limiter)
    }

    fn rise(&mut self, now: Time, delivered: u64, delay: Duration) -> Option<Change> {
        if self.ceiling.is_some_and(|(_, at)| now - at > REMEMBERED) {
            self.ceiling = None;
        }
        let busy = delivered >= self.bps / 3;
        let calm = delay <= GROWING && self.excess_loss() <= LOSSY / 2.0 && self.cut.is_none();
        let learned = self.limiter != Limiter::StartUp;
        if self.bps >= self.agreed || !calm || now < self.hold || (learned && !busy) {
            return None;
        }
        let percent = match self.ceiling {
            Some((ceiling, _)) if self.bps >= ceiling / 100 * 90 => CAREFUL,
            Some(_) => STEADY,
            None if learned => STEADY,
            None => QUICK,
        };
        self.hold = now + if percent == CAREFUL { CAREFUL_STEP } else { STEP };
        let bps = (self.bps + self.bps / 100 * percent).min(self.agreed);
        let limiter = if bps == self.agreed { Limiter::Agreed } else { self.limiter };
        self.set(bps, limiter)
    }

    /// The least rate that anything but an agreement can lead to.
    fn least(&self) -> u64 {
        (self.agreed / 20).max(FLOOR)
    }

    fn set(&mut self, bps: u64, limiter: Limiter) -> Option<Change> {
        let bps = bps.clamp(self.least(), self.agreed);
        let changed = bps != self.bps;
        (self.bps, self.limiter) = (bps, limiter);
        let Self { loss, delay, .. } = *self;
        changed.then_some(Change { bps, limiter, loss, delay, backlog: self.behind.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MBIT: u64 = 1_000_000;
    const INTERVAL: Duration = Duration::from_millis(50);

    /// A link with a queue in front of it, and loss of its own.
    struct Link {
        bps: u64,
        queue_bytes: u64,
        random_loss: f64,
        delay: Duration,
        queue: u64,
        now: Time,
        number: u64,
    }

    impl Link {
        fn new(bps: u64, queue_ms: u64) -> Self {
            let queue_bytes = bps / 8 * queue_ms / 1_000;
            let delay = Duration::ZERO;
            Self { bps, queue_bytes, random_loss: 0.0, delay, queue: 0, now: Time(0), number: 0 }
        }

        /// 50 ms at `bps`: what the client reports.
        fn step(&mut self, bps: u64) -> Sample {
            self.now = self.now + INTERVAL;
            self.number += 1;
            let (offered, carried) = (bps / 160, self.bps / 160);
            let all = self.queue + offered;
            let through = all.min(carried);
            let left = all - through;
            let dropped = left.saturating_sub(self.queue_bytes);
            // What stands at the best moment of the interval.
            let standing = self.queue.min(left - dropped);
            self.queue = left - dropped;
            let lost_bytes = dropped + (through as f64 * self.random_loss) as u64;
            let bytes = through - (through as f64 * self.random_loss) as u64;
            Sample {
                number: self.number,
                received: bytes / 1_400,
                lost: lost_bytes / 1_400,
                bytes,
                delay: self.delay + Duration::from_micros(standing * 8_000_000 / self.bps),
                interval: INTERVAL,
                ..Sample::default()
            }
        }

        /// Plays so long with a source that always uses what it may; returns the rates.
        fn play(&mut self, rate: &mut Rate, seconds: u64) -> Vec<u64> {
            (0..seconds * 20)
                .map(|_| {
                    rate.sent(self.now);
                    let sample = self.step(rate.bps());
                    rate.report(self.now, &sample);
                    rate.bps()
                })
                .collect()
        }
    }

    #[test]
    fn it_starts_at_a_quarter_and_climbs_to_what_was_agreed() {
        let cases = [(4, 4), (10, 10), (20, 10), (80, 20), (1000, 250)];
        for (agreed, start) in cases {
            let mut rate = Rate::new(agreed * MBIT);
            assert_eq!(rate.bps(), start * MBIT);
            let rates = Link::new(4_000 * MBIT, 20).play(&mut rate, 4);
            assert_eq!(rates.last(), Some(&(agreed * MBIT)));
            assert!(rates.is_sorted() && rate.limiter() == Limiter::Agreed);
        }
    }

    #[test]
    fn a_narrow_link_is_filled_and_not_swung_about() {
        for (link, queue) in [(30, 100), (30, 15), (15, 40), (60, 300)] {
            let mut rate = Rate::new(100 * MBIT);
            let mut path = Link::new(link * MBIT, queue);
            path.play(&mut rate, 15);
            let rates = path.play(&mut rate, 60);
            let (least, most) = (*rates.iter().min().unwrap(), *rates.iter().max().unwrap());
            let mean = rates.iter().sum::<u64>() / rates.len() as u64;
            assert!(mean * 100 > link * MBIT * 75, "{link}/{queue}: mean {mean}");
            assert!(most * 100 < link * MBIT * 125, "{link}/{queue}: most {most}");
            assert!(least * 100 > link * MBIT * 55, "{link}/{queue}: least {least}");
            let cuts = rates.windows(2).filter(|pair| pair[1] < pair[0]).count();
            assert!(cuts <= 20, "{link}/{queue}: {cuts} cuts in a minute");
        }
    }

    #[test]
    fn loss_of_the_path_itself_does_not_take_the_rate_away() {
        for loss in [0.01, 0.05, 0.1] {
            let mut rate = Rate::new(20 * MBIT);
            let mut path = Link::new(100 * MBIT, 50);
            path.play(&mut rate, 5);
            path.random_loss = loss;
            path.play(&mut rate, 15);
            let rates = path.play(&mut rate, 10);
            assert!(rates.iter().all(|&bps| bps >= 15 * MBIT), "{loss}: {:?}", rates.iter().min());
        }
    }

    /// What a source that uses half of its rate has lost in bursts of about four, one
    /// report after the other.
    fn lost_by_chance(seed: u64, share: f64, received: u64) -> impl FnMut() -> u64 {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        let mut lossy = false;
        move || {
            let next = |lossy: bool, dice: f64| {
                if lossy { dice >= 0.25 } else { dice < share / (1.0 - share) / 4.0 }
            };
            (0..received)
                .filter(|_| {
                    lossy = next(lossy, random());
                    lossy
                })
                .count() as u64
        }
    }

    #[test]
    fn chance_losses_do_not_take_the_rate_of_a_quiet_stream_away() {
        for seed in 1..=60 {
            let mut rate = Rate::new(20 * MBIT);
            let mut now = Time(0);
            let all = 40;
            let mut lost = lost_by_chance(seed, 0.05, all);
            let mut least = u64::MAX;
            for number in 1..=20 * 60 {
                now = now + INTERVAL;
                rate.sent(now);
                let lost = lost();
                let bytes = (all - lost) * 800;
                let sample = Sample {
                    number,
                    received: all - lost,
                    lost,
                    bytes,
                    interval: INTERVAL,
                    ..Sample::default()
                };
                rate.report(now, &sample);
                least = least.min(rate.bps());
            }
            assert!(least >= 8 * MBIT, "seed {seed}: {least}");
        }
    }

    #[test]
    fn a_longer_path_is_not_a_queue() {
        let mut rate = Rate::new(50 * MBIT);
        let mut path = Link::new(100 * MBIT, 50);
        path.play(&mut rate, 5);
        path.delay = Duration::from_millis(60);
        path.play(&mut rate, 20);
        assert!(rate.bps() > 40 * MBIT, "{}", rate.bps());
    }

    #[test]
    fn a_link_that_shrinks_is_obeyed_within_a_second_and_filled_when_it_is_back() {
        let mut rate = Rate::new(50 * MBIT);
        let mut path = Link::new(100 * MBIT, 50);
        path.play(&mut rate, 5);
        path.bps = 20 * MBIT;
        let rates = path.play(&mut rate, 2);
        assert!(*rates.last().unwrap() <= 21 * MBIT, "{:?}", rates.last());
        assert!(matches!(rate.limiter(), Limiter::Delay | Limiter::Loss));
        path.bps = 100 * MBIT;
        let rates = path.play(&mut rate, 60);
        assert_eq!(rates.last(), Some(&(50 * MBIT)));
    }

    #[test]
    fn a_slow_decoder_and_silence_are_named() {
        let mut rate = Rate::new(20 * MBIT);
        let mut path = Link::new(100 * MBIT, 50);
        path.play(&mut rate, 5);
        let changes: Vec<Limiter> = (0..5)
            .filter_map(|_| {
                let sample = Sample { backlog: 9, ..path.step(20 * MBIT) };
                rate.report(path.now, &sample).map(|change| change.limiter)
            })
            .collect();
        assert_eq!(changes, [Limiter::Decoder]);
        let before = rate.bps();
        rate.sent(path.now + Duration::from_millis(1));
        assert_eq!(rate.due(), Some(path.now + SILENCE));
        assert_eq!(rate.silence(path.now), None);
        let change = rate.silence(path.now + SILENCE).unwrap();
        assert_eq!((change.limiter, change.bps), (Limiter::Silence, before / 2));
        for name in [Limiter::StartUp, Limiter::Silence].map(Limiter::name) {
            assert!(!name.is_empty());
        }
    }

    #[test]
    fn an_encoder_gets_what_parity_and_headers_leave() {
        let rate = Rate::new(10 * MBIT);
        assert_eq!(rate.encoder_bps(0.25, 900, 100), 7_200_000);
        assert_eq!(rate.encoder_bps(0.0, 0, 0), 10 * MBIT);
    }

    #[test]
    fn what_is_agreed_anew_counts_at_once() {
        let mut rate = Rate::new(20 * MBIT);
        let mut path = Link::new(200 * MBIT, 50);
        path.play(&mut rate, 3);
        assert_eq!(rate.agree(8 * MBIT).map(|change| change.bps), Some(8 * MBIT));
        let change = rate.agree(100 * MBIT).unwrap();
        assert_eq!((change.bps, change.limiter), (25 * MBIT, Limiter::StartUp));
        path.play(&mut rate, 4);
        assert_eq!(rate.bps(), 100 * MBIT);
    }

    proptest! {
        #[test]
        fn no_report_leaves_the_bounds(
            reports in prop::collection::vec(
                (any::<u32>(), any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>()), 1..60),
            agreed in 0_u64..5_000_000_000,
        ) {
            let mut rate = Rate::new(agreed);
            let mut now = Time(0);
            for (n, (step, received, lost, delay, bytes, backlog)) in reports.into_iter().enumerate() {
                now = now + Duration::from_micros(step.into());
                let delay = Duration::from_micros(delay);
                let interval = Duration::from_micros(step.into());
                let number = n as u64 + 1;
                let sample = Sample { number, received, lost, delay, bytes, backlog, interval, ..Sample::default() };
                rate.sent(now);
                rate.report(now, &sample);
                rate.silence(now);
                prop_assert!(rate.bps() <= agreed.max(FLOOR) && rate.bps() >= FLOOR);
            }
        }
    }
}
