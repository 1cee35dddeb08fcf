//! What can be said of a stream while it runs: the counters of its stages, read now and
//! compared with what they were a second ago.
//!
//! The stages only add to atomic numbers ([`super::stats`], `punktfunk_net`). All that
//! allocates, locks or calculates is here, on the thread of whoever asks, so that a stream
//! which nobody looks at pays nothing for this.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use punktfunk_net::{Counts, SenderGauge};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::plan::StreamInfo;
use super::stats::{Stats, monotonic_us, read};
use crate::send::PathGauge;

/// What figures are made over.
const SPAN_US: u64 = 1_000_000;
/// A reading that is this much younger than that will do.
const SLACK_US: u64 = 50_000;
/// Readings are taken no more often.
const EVERY_US: u64 = 100_000;

/// The numbers of a stream over its last second, or over all of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Figures {
    /// When, milliseconds of the monotonic clock.
    pub at_ms: u64,
    /// Pictures a second, those that only say that nothing changed left out.
    pub fps: f64,
    /// What was sent, kbit/s.
    pub bitrate_kbps: u64,
    /// Access units since the stream began.
    pub frames: u64,
    /// Of those, as far as the client told, lost.
    pub lost_frames: u64,
    /// Access units since the stream began that were thrown away before they were sent.
    pub dropped_batches: u64,
    /// Datagrams that did not arrive, percent.
    pub loss_percent: f64,
    /// Datagrams of parity for each with data, percent.
    pub parity_percent: f64,
    /// Since the stream began: datagrams restored or sent again (punktfunk/1), pictures
    /// restored (GameStream).
    pub repaired: u64,
    /// There and back, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtt_ms: Option<f64>,
    /// What the bitrate is limited by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limiter: Option<String>,
    /// Where the time goes.
    pub latency_ms: Stages,
    /// Bytes of datagrams since the stream began.
    pub bytes: u64,
}

/// Where the time of a picture goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Stages {
    /// From the seat's drawing to the host.
    pub capture: Latency,
    /// Until the encoder takes it.
    pub wait: Latency,
    /// Colour conversion and encoder.
    pub encode: Latency,
    /// From the packets to the last one's handing over to the network.
    pub send: Latency,
    /// Half of the round trip and what stood in queues, as the client measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<Latency>,
    /// In the client's decoder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decode: Option<Latency>,
}

/// How long something took, milliseconds; at most an eighth too high.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Latency {
    /// Half of them took no longer.
    pub p50: f64,
    /// 95 of 100 took no longer.
    pub p95: f64,
    /// None took longer.
    pub max: f64,
}

impl Latency {
    fn of(counts: &Counts) -> Self {
        Self {
            p50: millis(counts.quantile(50)),
            p95: millis(counts.quantile(95)),
            max: millis(counts.longest()),
        }
    }

    fn known(counts: &Counts) -> Option<Self> {
        (counts.total() > 0).then(|| Self::of(counts))
    }
}

/// A stream that is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Played {
    /// When it began, in seconds since 1970.
    pub started: u64,
    /// When it ended, in seconds since 1970.
    pub ended: u64,
    /// Whom it was for.
    pub device: PlayedBy,
    /// What it showed.
    pub app: PlayedApp,
    /// What it was like at its end.
    pub stream: StreamInfo,
    /// From its beginning to its end.
    pub figures: Figures,
}

/// Whom a stream is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlayedBy {
    /// Its fingerprint, 64 hex digits.
    pub id: String,
    /// The name the owner gave it.
    pub name: String,
    /// `gamestream` or `native`.
    pub protocol: String,
}

/// What a stream shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlayedApp {
    /// The number clients use.
    pub id: String,
    /// Its title.
    pub title: String,
}

/// Everything at one moment.
#[derive(Clone, Debug, Default)]
struct Reading {
    at_us: u64,
    encoded: u64,
    repeated: u64,
    dropped: u64,
    packets: u64,
    parity: u64,
    missing: u64,
    bytes: u64,
    lost_frames: u64,
    repaired: u64,
    capture: Counts,
    wait: Counts,
    encode: Counts,
    send: Counts,
    network: Counts,
    decode: Counts,
}

/// What reads a stream.
pub(super) struct Meter {
    stats: Arc<Stats>,
    sender: SenderGauge,
    /// Of a native stream.
    path: Option<Arc<PathGauge>>,
    began: Reading,
    /// Readings of late, oldest first. Never locked by a stage.
    late: Mutex<VecDeque<Reading>>,
}

impl Meter {
    pub fn new(stats: Arc<Stats>, sender: SenderGauge, path: Option<Arc<PathGauge>>) -> Self {
        let began = Reading { at_us: monotonic_us(), ..Reading::default() };
        Self { stats, sender, path, late: Mutex::new(VecDeque::from([began.clone()])), began }
    }

    /// The last second, or as much of it as there was.
    pub fn figures(&self) -> Figures {
        let now = self.reading();
        let mut late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
        let is_old = |reading: &Reading| now.at_us - reading.at_us.min(now.at_us) >= SPAN_US - SLACK_US;
        // The youngest that is old enough, and nothing before it.
        while late.get(1).is_some_and(is_old) {
            late.pop_front();
        }
        let figures = self.between(late.front().unwrap_or(&self.began), &now);
        if late.back().is_none_or(|last| now.at_us >= last.at_us + EVERY_US) {
            late.push_back(now);
        }
        figures
    }

    /// From its beginning until now.
    pub fn whole(&self) -> Figures {
        self.between(&self.began, &self.reading())
    }

    fn reading(&self) -> Reading {
        let (stats, path) = (&*self.stats, self.path.as_deref());
        let (packets, bytes) = self.sender.sent();
        let told = path.map(PathGauge::told).unwrap_or_default();
        Reading {
            at_us: monotonic_us(),
            encoded: read(&stats.encoded),
            repeated: read(&stats.repeated),
            dropped: read(&stats.dropped),
            packets,
            parity: read(&stats.parity),
            missing: read(&stats.client_missing),
            bytes,
            lost_frames: read(&stats.client_lost) + told.lost_frames,
            repaired: read(&stats.client_repaired) + told.repaired,
            capture: stats.capture.counts(),
            wait: stats.wait.counts(),
            encode: stats.encode.counts(),
            send: self.sender.passage(),
            network: told.network,
            decode: told.decode,
        }
    }

    fn between(&self, then: &Reading, now: &Reading) -> Figures {
        let seconds = (now.at_us.saturating_sub(then.at_us).max(1)) as f64 / 1e6;
        let grown = |what: fn(&Reading) -> u64| what(now).saturating_sub(what(then));
        let span = |what: fn(&Reading) -> &Counts| what(now).since(what(then));
        let (packets, parity) = (grown(|r| r.packets), grown(|r| r.parity));
        let told = self.path.as_deref().map(PathGauge::told);
        let loss_percent = match &told {
            Some(told) => told.loss * 100.0,
            None => percent(grown(|r| r.missing), packets),
        };
        let rtt = match &told {
            Some(told) => told.round_trip,
            None => Some(read(&self.stats.round_trip_us)).filter(|us| *us > 0).map(Duration::from_micros),
        };
        Figures {
            at_ms: now.at_us / 1000,
            fps: rounded(grown(|r| r.encoded - r.repeated.min(r.encoded)) as f64 / seconds),
            bitrate_kbps: (grown(|r| r.bytes) as f64 * 8.0 / 1000.0 / seconds).round() as u64,
            frames: now.encoded,
            lost_frames: now.lost_frames,
            dropped_batches: now.dropped,
            loss_percent: rounded(loss_percent.min(100.0)),
            parity_percent: rounded(percent(parity, packets.saturating_sub(parity))),
            repaired: now.repaired,
            rtt_ms: rtt.map(millis),
            limiter: told.and_then(|told| told.limiter).map(str::to_owned),
            latency_ms: Stages {
                capture: Latency::of(&span(|r| &r.capture)),
                wait: Latency::of(&span(|r| &r.wait)),
                encode: Latency::of(&span(|r| &r.encode)),
                send: Latency::of(&span(|r| &r.send)),
                network: Latency::known(&span(|r| &r.network)),
                decode: Latency::known(&span(|r| &r.decode)),
            },
            bytes: now.bytes,
        }
    }
}

fn millis(duration: Duration) -> f64 {
    rounded(duration.as_secs_f64() * 1e3)
}

/// To three places: nobody measures more.
fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use punktfunk_net::{Batch, Destination, Loopback, PacedSender, Route, SenderConfig, Submit};

    use super::super::stats::{count, record};
    use super::*;

    fn sender() -> PacedSender {
        let [a, b] = [1, 2].map(|port| std::net::SocketAddr::from(([127, 0, 0, 1], port)));
        let (transport, _other) = Loopback::pair(a, b, None);
        let route = Destination::from(Route::to(b));
        PacedSender::spawn(Arc::new(transport), route, SenderConfig::new(1_000_000_000)).unwrap()
    }

    #[test]
    fn a_second_is_not_the_whole() {
        let (stats, sender) = (Arc::<Stats>::default(), sender());
        let meter = Meter::new(Arc::clone(&stats), sender.gauge(), None);
        // Long ago it was slow.
        record(&stats.encode, 400_000);
        count(&stats.encoded, 1);
        let mut old = meter.reading();
        old.at_us -= 1_100_000;
        meter.late.lock().unwrap().push_back(old);

        (0..30).for_each(|_| record(&stats.encode, 2_000));
        record(&stats.encode, 8_000);
        count(&stats.encoded, 40);
        count(&stats.repeated, 9);
        assert_eq!(sender.submit(Batch { bytes: vec![0; 3_000], segment: 1_000 }), Submit::Queued);
        while sender.gauge().passage().total() == 0 {
            std::thread::yield_now();
        }
        count(&stats.parity, 1);
        count(&stats.client_missing, 1);
        stats.round_trip_us.store(4_500, Ordering::Relaxed);

        let figures = meter.figures();
        assert!((25.0..28.5).contains(&figures.fps), "{figures:?}");
        let encode = figures.latency_ms.encode;
        assert!((2.0..2.3).contains(&encode.p50) && (8.0..9.1).contains(&encode.max), "{encode:?}");
        assert_eq!((figures.frames, figures.bytes, figures.rtt_ms), (41, 3_000, Some(4.5)));
        assert_eq!((figures.parity_percent, figures.loss_percent), (50.0, 33.333));
        assert!(figures.latency_ms.network.is_none(), "nobody told");
        assert!(figures.latency_ms.send.max > 0.0);
        assert!(meter.whole().latency_ms.encode.max > 399.0);
    }

    #[test]
    fn who_asks_often_changes_nothing_and_keeps_little() {
        let (stats, sender) = (Arc::<Stats>::default(), sender());
        let meter = Meter::new(Arc::clone(&stats), sender.gauge(), None);
        for _ in 0..200 {
            meter.figures();
        }
        assert!(meter.late.lock().unwrap().len() <= 20);
        assert_eq!(meter.figures().frames, 0);
    }
}
