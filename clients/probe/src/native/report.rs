//! What a stream was like, as one JSON document with names that stay.

use punktfunk_client::Time;
use punktfunk_client::messages::Welcome;
use serde::Serialize;

use super::stats::{Limiter, Stats, Timing};
use crate::stats::{Card, quantile};

/// Lost datagrams of 1000 from which on the network is what limits.
const LOSSY: u64 = 20;
/// Time in queues from which on it is, too.
const QUEUED_MS: u128 = 30;

/// How a time is spread over the pictures, milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Spread {
    /// Half of them took no longer.
    pub p50_ms: f64,
    /// Nine of ten.
    pub p90_ms: f64,
    /// 99 of 100.
    pub p99_ms: f64,
    /// On average. Those of stages that tile add up.
    pub mean_ms: f64,
}

/// Where the time of pictures went. The first four stages tile the fifth; two are times
/// between clocks and may be below zero by as much as the clocks are known wrongly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Latency {
    /// Pictures whose whole way is known.
    pub pictures: usize,
    /// In the host, until the last datagram was handed to the network.
    pub captured_to_sent: Spread,
    /// On the network, until the frame was whole; repairs count.
    pub sent_to_received: Spread,
    /// Until the decoder took it.
    pub received_to_taken: Spread,
    /// In the decoder.
    pub taken_to_decoded: Spread,
    /// All of it.
    pub captured_to_decoded: Spread,
}

/// The sum of a stream.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// How long the player lived, seconds.
    pub seconds: f64,
    /// What the host calls itself.
    pub host: String,
    /// The session's id, to resume it.
    pub session: String,
    /// Number of the application.
    pub app: u32,
    /// The application ran before.
    pub resumed: bool,
    /// Pixels, pixels and thousandths of a hertz, as agreed on last.
    pub mode: (u32, u32, u32),
    /// As agreed on last.
    pub codec: String,
    /// Kbit/s agreed on last, parity included.
    pub bitrate_kbps: u32,
    /// Pictures a second, from the first one to the last.
    pub frame_rate: f64,
    /// Bits of access units a second, in kbit/s.
    pub goodput_kbps: f64,
    /// Shortest round trip of late, milliseconds.
    pub round_trip_ms: Option<f64>,
    /// Datagrams of the present connection that came.
    pub datagrams_received: u64,
    /// And that did not.
    pub datagrams_lost: u64,
    /// Shards of parity for each 100 of data that came.
    pub parity_percent: f64,
    /// Requests for shards to be sent again.
    pub nacks: u64,
    /// Frames dropped in the library because this client was behind.
    pub frames_dropped: u64,
    /// What set the pace.
    pub limiter: Limiter,
    /// Where the time went.
    pub latency: Latency,
    /// The Test card's numbers.
    pub card: Card,
    /// All counters.
    #[serde(flatten)]
    pub stats: Stats,
}

impl Latency {
    /// Of those pictures whose way is known.
    pub fn of(timings: &[Timing]) -> Self {
        let known: Vec<_> = timings.iter().filter_map(|timing| Some((timing, ends(timing)?))).collect();
        let spread = |stage: fn(&Timing, (Time, Time)) -> (Time, Time)| {
            let between = |(timing, ends): &(&Timing, _)| {
                let (from, to) = stage(timing, *ends);
                to.0.cast_signed().saturating_sub(from.0.cast_signed())
            };
            Spread::of(&known.iter().map(between).collect::<Vec<_>>())
        };
        Self {
            pictures: known.len(),
            captured_to_sent: spread(|_, ends| ends),
            sent_to_received: spread(|timing, (_, sent)| (sent, timing.received)),
            received_to_taken: spread(|timing, _| (timing.received, timing.taken)),
            taken_to_decoded: spread(|timing, _| (timing.taken, timing.decoded)),
            captured_to_decoded: spread(|timing, (captured, _)| (captured, timing.decoded)),
        }
    }

    /// Each stage with its name, in order; the last one is the sum.
    pub fn stages(&self) -> [(&'static str, Spread); 5] {
        [
            ("captured -> sent", self.captured_to_sent),
            ("sent -> received", self.sent_to_received),
            ("received -> taken", self.received_to_taken),
            ("taken -> decoded", self.taken_to_decoded),
            ("captured -> decoded", self.captured_to_decoded),
        ]
    }
}

fn ends(timing: &Timing) -> Option<(Time, Time)> {
    Some((timing.captured?, timing.sent?))
}

impl Spread {
    /// Of times in microseconds.
    pub fn of(micros: &[i64]) -> Self {
        let millis = |micros: i64| micros as f64 / 1000.0;
        let at = |share| quantile(micros, share).map_or(0.0, millis);
        let sum: i64 = micros.iter().fold(0, |sum, micros| sum.saturating_add(*micros));
        let mean_ms = if micros.is_empty() { 0.0 } else { millis(sum) / micros.len() as f64 };
        Self { p50_ms: at(0.5), p90_ms: at(0.9), p99_ms: at(0.99), mean_ms }
    }
}

impl Limiter {
    /// What limits when `frames` pictures came where `expected` were agreed on, with
    /// what the library counted meanwhile.
    pub fn of(
        frames: f64,
        expected: f64,
        (received, lost): (u64, u64),
        (delay, behind): (std::time::Duration, u64),
    ) -> Self {
        if behind > 0 {
            Self::Decoder
        } else if lost * 1000 > (received + lost) * LOSSY || delay.as_millis() > QUEUED_MS {
            Self::Network
        } else if frames < expected * 0.9 {
            Self::Host
        } else {
            Self::Nothing
        }
    }
}

impl Report {
    pub(super) fn new(
        stats: Stats,
        library: &punktfunk_client::Stats,
        (first, now): (&Welcome, &Welcome),
        millis: u64,
    ) -> Self {
        let span = match (stats.timings.first(), stats.timings.last()) {
            (Some(first), Some(last)) => last.decoded.since(first.decoded).as_secs_f64(),
            _ => 0.0,
        };
        let intervals = stats.timings.len().saturating_sub(1) as f64;
        let frame_rate = if span > 0.0 { intervals / span } else { 0.0 };
        let seconds = millis as f64 / 1000.0;
        let media = &library.media;
        let behind = library.frames_dropped + stats.skipped_frames;
        let paths = ((media.received, media.lost), (media.delay, behind));
        let hertz = f64::from(now.mode.refresh_mhz) / 1000.0;
        Self {
            seconds,
            host: now.name.clone(),
            session: now.session.to_string(),
            app: now.app,
            resumed: first.resumed,
            mode: (now.mode.width, now.mode.height, now.mode.refresh_mhz),
            codec: now.codec.to_string(),
            bitrate_kbps: now.bitrate_kbps,
            frame_rate,
            goodput_kbps: if seconds > 0.0 { stats.video_bytes as f64 / 125.0 / seconds } else { 0.0 },
            round_trip_ms: media.round_trip.map(|time| time.as_secs_f64() * 1000.0),
            datagrams_received: media.received,
            datagrams_lost: media.lost,
            parity_percent: if media.data > 0 {
                media.parity as f64 * 100.0 / media.data as f64
            } else {
                0.0
            },
            nacks: media.nacks,
            frames_dropped: library.frames_dropped,
            limiter: Limiter::of(frame_rate, hertz, paths.0, paths.1),
            latency: Latency::of(&stats.timings),
            card: Card::of(&stats.seen),
            stats,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn timing(frame: u32, times: [u64; 5]) -> Timing {
        let [captured, sent, received, taken, decoded] = times.map(Time);
        Timing { frame, captured: Some(captured), sent: Some(sent), first: sent, received, taken, decoded }
    }

    #[test]
    fn stages_tile_the_whole_way() {
        let mut timings = vec![timing(0, [1000, 4000, 6000, 6500, 9500])];
        // The clocks are known wrongly by a little.
        timings.push(timing(1, [18_000, 21_000, 20_900, 21_000, 25_000]));
        timings.push(Timing { captured: None, ..timing(2, [0; 5]) });
        let latency = Latency::of(&timings);
        assert_eq!(latency.pictures, 2);
        let stages = latency.stages();
        let sum: f64 = stages[..4].iter().map(|(_, spread)| spread.mean_ms).sum();
        assert!((sum - stages[4].1.mean_ms).abs() < 1e-9, "{latency:?}");
        assert_eq!(latency.captured_to_sent.p99_ms, 3.0);
        assert_eq!(latency.sent_to_received.mean_ms, 0.95);
        assert_eq!(Latency::of(&[]), Latency::default());
    }

    #[test]
    fn the_limiter_is_where_the_pictures_are_held_up() {
        let limiter = |frames, path, behind| Limiter::of(frames, 60.0, path, behind);
        let quick = Duration::from_millis(1);
        assert_eq!(limiter(59.9, (1000, 1), (quick, 0)), Limiter::Nothing);
        assert_eq!(limiter(40.0, (1000, 1), (quick, 0)), Limiter::Host);
        assert_eq!(limiter(60.0, (1000, 50), (quick, 0)), Limiter::Network);
        assert_eq!(limiter(60.0, (1000, 0), (Duration::from_millis(80), 0)), Limiter::Network);
        assert_eq!(limiter(40.0, (1000, 50), (quick, 3)), Limiter::Decoder);
        assert_eq!(limiter(0.0, (0, 0), (Duration::ZERO, 0)), Limiter::Host);
    }
}
