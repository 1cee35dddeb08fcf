//! What a stream was like, as one JSON document.

use serde::Serialize;

use crate::stats::{Card, Stats, quantile};

/// The sum of a stream.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// How long the player lived, seconds.
    pub seconds: f64,
    /// Decoded pictures a second, from the first one to the last.
    pub frame_rate: f64,
    /// The host's own latency from capture to packet, milliseconds, median.
    pub host_latency_p50_ms: Option<f64>,
    /// The same, 99th percentile.
    pub host_latency_p99_ms: Option<f64>,
    /// The Test card's numbers.
    pub card: Card,
    /// All counters.
    #[serde(flatten)]
    pub stats: Stats,
}

impl Report {
    pub(crate) fn new(stats: &Stats, millis: u64) -> Self {
        let latency = |share| quantile(&stats.latencies, share).map(|tenths| f64::from(tenths) / 10.0);
        let span = match (stats.seen.first(), stats.seen.last()) {
            (Some(first), Some(last)) => last.at_ms.saturating_sub(first.at_ms),
            _ => 0,
        };
        let intervals = stats.seen.len().saturating_sub(1);
        Self {
            seconds: millis as f64 / 1000.0,
            frame_rate: if span == 0 { 0.0 } else { intervals as f64 * 1000.0 / span as f64 },
            host_latency_p50_ms: latency(0.5),
            host_latency_p99_ms: latency(0.99),
            card: Card::of(&stats.seen),
            stats: stats.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Seen;

    #[test]
    fn a_report_of_nothing_and_of_a_second() {
        let mut stats = Stats::default();
        assert_eq!(Report::new(&stats, 0).frame_rate, 0.0);
        let seen = |n: u64| Seen { frame: 0, code: None, at_ms: 100 + n * 20, idr: false, bytes: 1 };
        stats.seen = (0..51).map(seen).collect();
        stats.latencies = vec![10, 20, 30];
        let report = Report::new(&stats, 1500);
        assert_eq!((report.frame_rate, report.host_latency_p50_ms), (50.0, Some(2.0)));
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["seconds"], 1.5);
        assert_eq!(json["frames_received"], 0);
        assert_eq!(json["card"]["unreadable"], 51);
    }
}
