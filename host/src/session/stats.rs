//! What a stream measured: a line a second at debug, a summary at the end.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Durations in logarithmic buckets, four to the octave: quantiles to about 20 %
/// without an allocation and without a lock.
#[derive(Debug)]
pub struct Histogram {
    buckets: [AtomicU64; Self::BUCKETS],
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: [const { AtomicU64::new(0) }; Self::BUCKETS] }
    }
}

impl Histogram {
    const BUCKETS: usize = 128;

    fn index(micros: u64) -> usize {
        if micros < 4 {
            return usize::try_from(micros).unwrap_or(0);
        }
        let octave = micros.ilog2();
        let quarter = (micros >> (octave - 2)) & 3;
        let index = u64::from(octave - 1) * 4 + quarter;
        usize::try_from(index).unwrap_or(usize::MAX).min(Self::BUCKETS - 1)
    }

    /// The largest duration that bucket `index` holds, in microseconds.
    fn upper(index: usize) -> u64 {
        if index < 4 {
            return index as u64;
        }
        let octave = index / 4 + 1;
        let quarter = index as u64 % 4;
        (4 + quarter + 1) * (1 << (octave - 2)) - 1
    }

    /// Counts one duration.
    pub fn record(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.buckets[Self::index(micros)].fetch_add(1, Ordering::Relaxed);
    }

    /// The duration that `share` (0.0 to 1.0) of all counted ones do not exceed.
    pub fn quantile(&self, share: f64) -> Duration {
        let total: u64 = self.buckets.iter().map(|b| b.load(Ordering::Relaxed)).sum();
        let wanted = (total as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (index, bucket) in self.buckets.iter().enumerate() {
            seen += bucket.load(Ordering::Relaxed);
            if seen >= wanted && seen > 0 {
                return Duration::from_micros(Self::upper(index));
            }
        }
        Duration::ZERO
    }
}

impl fmt::Display for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = |share| self.quantile(share).as_secs_f64() * 1e3;
        write!(f, "{:.2}/{:.2} ms", millis(0.5), millis(0.99))
    }
}

/// The counters of one stream, written by its stages, read by its log line.
#[derive(Debug, Default)]
pub struct Stats {
    /// Frames the seat delivered.
    pub captured: AtomicU64,
    /// Access units sent, repeats included.
    pub encoded: AtomicU64,
    /// Access units that show the same picture again.
    pub repeated: AtomicU64,
    /// IDR frames.
    pub idr: AtomicU64,
    /// Bytes of access units.
    pub bytes: AtomicU64,
    /// Video datagrams handed to the sender, parity included.
    pub packets: AtomicU64,
    /// Parity datagrams of those.
    pub parity: AtomicU64,
    /// Batches thrown away because the sender was busy.
    pub dropped: AtomicU64,
    /// Audio packets.
    pub audio: AtomicU64,
    /// Damaged frames the client reported as repaired.
    pub client_repaired: AtomicU64,
    /// Damaged frames the client reported as lost.
    pub client_lost: AtomicU64,
    /// From capture to the encoder.
    pub wait: Histogram,
    /// In colour conversion and encoder.
    pub encode: Histogram,
    /// In packetizer and parity.
    pub packetize: Histogram,
    /// From capture to the last packet handed to the sender.
    pub total: Histogram,
}

/// Now, on the clock frames are stamped with: `CLOCK_MONOTONIC` in microseconds.
pub fn monotonic_us() -> u64 {
    punktfunk_net::monotonic_nanos() / 1000
}

/// Adds to a counter.
pub fn count(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

/// Reads a counter.
pub fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encoded = read(&self.encoded);
        write!(
            f,
            "frames={encoded} unique={} idr={} bytes={} packets={} parity={} dropped={} audio={} \
             repaired={} lost={} wait={} encode={} packetize={} capture-to-send={}",
            encoded - read(&self.repeated).min(encoded),
            read(&self.idr),
            read(&self.bytes),
            read(&self.packets),
            read(&self.parity),
            read(&self.dropped),
            read(&self.audio),
            read(&self.client_repaired),
            read(&self.client_lost),
            self.wait,
            self.encode,
            self.packetize,
            self.total,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_bucket_holds_its_values_to_a_quarter(micros in 0u64..10_000_000) {
            let upper = Histogram::upper(Histogram::index(micros));
            prop_assert!(upper >= micros);
            prop_assert!(upper <= micros + micros / 4);
        }
    }

    #[test]
    fn quantiles_follow_the_counts() {
        let histogram = Histogram::default();
        for _ in 0..99 {
            histogram.record(Duration::from_micros(100));
        }
        histogram.record(Duration::from_millis(50));
        assert!(histogram.quantile(0.5) < Duration::from_micros(128));
        assert!(histogram.quantile(0.999) >= Duration::from_millis(50));
        assert_eq!(Histogram::default().quantile(0.5), Duration::ZERO);
    }
}
