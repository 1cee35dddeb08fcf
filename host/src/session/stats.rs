//! What a stream measured: a line a second at debug, a summary at the end.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use punktfunk_net::Histogram;

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
    /// Packets of those that did not arrive.
    pub client_missing: AtomicU64,
    /// The round trip of the control channel of a GameStream client, µs; 0 as long as
    /// it is not known.
    pub round_trip_us: AtomicU64,
    /// From the seat's drawing to the slot.
    pub capture: Histogram,
    /// In the slot, until the encoder.
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

/// Counts a duration given in microseconds.
pub fn record(histogram: &Histogram, micros: u64) {
    histogram.record(micros.saturating_mul(1000));
}

/// Median and tail, as the log has them.
struct Shown<'a>(&'a Histogram);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quantiles = self.0.quantiles();
        write!(f, "{:.2}/{:.2} ms", quantiles.p50.as_secs_f64() * 1e3, quantiles.p99.as_secs_f64() * 1e3)
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encoded = read(&self.encoded);
        write!(
            f,
            "frames={encoded} unique={} idr={} bytes={} packets={} parity={} dropped={} audio={} \
             repaired={} lost={} capture={} wait={} encode={} packetize={} capture-to-send={}",
            encoded - read(&self.repeated).min(encoded),
            read(&self.idr),
            read(&self.bytes),
            read(&self.packets),
            read(&self.parity),
            read(&self.dropped),
            read(&self.audio),
            read(&self.client_repaired),
            read(&self.client_lost),
            Shown(&self.capture),
            Shown(&self.wait),
            Shown(&self.encode),
            Shown(&self.packetize),
            Shown(&self.total),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_median_and_tail_of_each_stage() {
        let stats = Stats::default();
        (0..99).for_each(|_| record(&stats.encode, 1_000));
        record(&stats.encode, 50_000);
        count(&stats.encoded, 100);
        let line = stats.to_string();
        assert!(line.starts_with("frames=100 unique=100 "), "{line}");
        assert!(line.contains("encode=1.05/1.05 ms") && line.contains("wait=0.00/0.00 ms"), "{line}");
    }
}
