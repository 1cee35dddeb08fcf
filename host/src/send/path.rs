//! What a native client tells of its path, kept in atomic numbers: written by the thread
//! that hears its reports, read by whoever wants to show them.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use punktfunk_core::native::flow::rate::Limiter;
use punktfunk_core::native::host::Stats;
use punktfunk_net::{Counts, Histogram};

/// All there are; what is stored is an index, and one more for not known.
const LIMITERS: [Limiter; 6] =
    [Limiter::StartUp, Limiter::Agreed, Limiter::Loss, Limiter::Delay, Limiter::Decoder, Limiter::Silence];

/// The numbers of one client.
#[derive(Debug)]
pub struct PathGauge {
    /// Of the newest report.
    number: AtomicU64,
    /// µs; 0 for not known.
    round_trip: AtomicU64,
    /// Of a million.
    loss: AtomicU64,
    lost_frames: AtomicU64,
    recovered: AtomicU64,
    repairs: AtomicU64,
    limiter: AtomicU8,
    network: Histogram,
    decode: Histogram,
}

/// What was told so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PathTold {
    /// There and back.
    pub round_trip: Option<Duration>,
    /// Share of datagrams lost, smoothed.
    pub loss: f64,
    /// Frames given up.
    pub lost_frames: u64,
    /// Datagrams restored by parity or sent again.
    pub repaired: u64,
    /// What limits the bitrate.
    pub limiter: Option<&'static str>,
    /// Half of the round trip and what stood in queues, a value a report.
    pub network: Counts,
    /// Mean time to decode a frame, a value a report.
    pub decode: Counts,
}

impl Default for PathGauge {
    fn default() -> Self {
        Self {
            number: AtomicU64::new(0),
            round_trip: AtomicU64::new(0),
            loss: AtomicU64::new(0),
            lost_frames: AtomicU64::new(0),
            recovered: AtomicU64::new(0),
            repairs: AtomicU64::new(0),
            limiter: AtomicU8::new(u8::MAX),
            network: Histogram::new(),
            decode: Histogram::new(),
        }
    }
}

impl PathGauge {
    /// Takes what the machine counted, after each datagram of the client. One thread calls
    /// this.
    pub(super) fn note(&self, stats: &Stats) {
        self.repairs.store(stats.repairs, Ordering::Relaxed);
        let Some(sample) = stats.last else { return };
        if self.number.swap(sample.number, Ordering::Relaxed) == sample.number {
            return;
        }
        self.loss.store((stats.loss.clamp(0.0, 1.0) * 1e6) as u64, Ordering::Relaxed);
        self.lost_frames.fetch_add(sample.frames_lost, Ordering::Relaxed);
        self.recovered.fetch_add(sample.recovered, Ordering::Relaxed);
        if let Some(round_trip) = stats.round_trip {
            self.round_trip.store(micros(round_trip).max(1), Ordering::Relaxed);
            self.network.record(nanos(round_trip / 2 + sample.delay));
        }
        if sample.frames > 0 && !sample.decode.is_zero() {
            self.decode.record(nanos(sample.decode));
        }
    }

    /// The bitrate follows this.
    pub(super) fn limited(&self, limiter: Limiter) {
        let index = LIMITERS.iter().position(|known| *known == limiter);
        self.limiter.store(index.map_or(u8::MAX, |index| index as u8), Ordering::Relaxed);
    }

    /// What was told so far.
    pub fn told(&self) -> PathTold {
        let read = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let limiter = LIMITERS.get(usize::from(self.limiter.load(Ordering::Relaxed)));
        PathTold {
            round_trip: Some(read(&self.round_trip)).filter(|us| *us > 0).map(Duration::from_micros),
            loss: read(&self.loss) as f64 / 1e6,
            lost_frames: read(&self.lost_frames),
            repaired: read(&self.recovered) + read(&self.repairs),
            limiter: limiter.map(|limiter| limiter.name()),
            network: self.network.counts(),
            decode: self.decode.counts(),
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use punktfunk_core::native::flow::feedback::Sample;

    use super::*;

    #[test]
    fn each_report_counts_once() {
        let gauge = PathGauge::default();
        assert_eq!(gauge.told().limiter, None);
        let sample = Sample {
            number: 1,
            frames: 3,
            frames_lost: 2,
            recovered: 5,
            delay: Duration::from_millis(1),
            decode: Duration::from_millis(4),
            ..Sample::default()
        };
        let round_trip = Some(Duration::from_millis(6));
        let stats = Stats { last: Some(sample), round_trip, loss: 0.02, repairs: 1, ..Stats::default() };
        gauge.note(&stats);
        gauge.note(&Stats { repairs: 2, ..stats });
        gauge.limited(Limiter::Delay);
        let told = gauge.told();
        assert_eq!((told.lost_frames, told.repaired, told.limiter), (2, 7, Some(Limiter::Delay.name())));
        assert_eq!((told.round_trip, told.loss), (round_trip, 0.02));
        assert_eq!((told.network.total(), told.decode.total()), (1, 1));
        assert!((3_900_000..4_600_000).contains(&told.network.longest().as_nanos()), "{told:?}");
        gauge.note(&Stats { last: Some(Sample { number: 2, ..sample }), ..stats });
        assert_eq!(gauge.told().lost_frames, 4);
    }

    #[test]
    fn every_limiter_has_its_name() {
        for limiter in LIMITERS {
            let gauge = PathGauge::default();
            gauge.limited(limiter);
            assert_eq!(gauge.told().limiter, Some(limiter.name()));
        }
    }
}
