//! How a stream goes, between two looks at it: one line on a terminal.

use std::fmt;
use std::io::{IsTerminal as _, Write as _};
use std::time::Instant;

use punktfunk_probe::native::{Latency, Limiter, Player};

/// What was counted at one moment.
#[derive(Clone, Copy)]
struct Counts {
    at: Instant,
    pictures: u64,
    bytes: u64,
    lost_frames: u64,
    recovered_shards: u64,
    skipped: u64,
    library: punktfunk_client::Stats,
}

/// Looks at a player now and then.
pub struct Meter {
    begin: Instant,
    before: Counts,
}

/// What happened between two looks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tick {
    /// Since the first look, seconds.
    pub seconds: u64,
    /// Pictures a second.
    pub fps: f64,
    /// Of access units, Mbit/s.
    pub mbps: f64,
    /// Milliseconds.
    pub round_trip: Option<f64>,
    /// Datagrams of 100.
    pub loss: f64,
    /// Frames.
    pub lost_frames: u64,
    /// Shards.
    pub recovered: u64,
    /// Parity shards for each 100 of data.
    pub parity: f64,
    /// Share of the Test card's tone.
    pub tone: f64,
    /// Of the pictures between the looks.
    pub latency: Latency,
    /// What set the pace.
    pub limiter: Limiter,
}

impl Counts {
    fn of(player: &Player) -> Self {
        let library = player.library_stats();
        player.look(|stats| Self {
            at: Instant::now(),
            pictures: stats.pictures,
            bytes: stats.video_bytes,
            lost_frames: stats.lost_frames,
            recovered_shards: stats.recovered_shards,
            skipped: stats.skipped_frames + library.frames_dropped,
            library,
        })
    }
}

impl Meter {
    /// Looks for the first time.
    pub fn new(player: &Player) -> Self {
        let before = Counts::of(player);
        Self { begin: before.at, before }
    }

    /// What happened since the look before.
    pub fn tick(&mut self, player: &Player) -> Tick {
        let now = Counts::of(player);
        let before = std::mem::replace(&mut self.before, now);
        let span = now.at.duration_since(before.at).as_secs_f64().max(0.001);
        let pictures = now.pictures - before.pictures;
        let (latency, tone) = player.look(|stats| {
            let count = usize::try_from(pictures).unwrap_or(usize::MAX);
            let first = stats.timings.len().saturating_sub(count);
            (Latency::of(stats.timings.get(first..).unwrap_or_default()), stats.tone_share)
        });
        // The library counts anew with each connection.
        let since = |count: fn(&punktfunk_client::Stats) -> u64| {
            count(&now.library).saturating_sub(count(&before.library))
        };
        let (received, lost) = (since(|all| all.media.received), since(|all| all.media.lost));
        let (data, parity) = (since(|all| all.media.data), since(|all| all.media.parity));
        let share = |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 };
        let fps = pictures as f64 / span;
        let hertz = f64::from(player.welcome().mode.refresh_mhz) / 1000.0;
        let held_up = (now.library.media.delay, now.skipped.saturating_sub(before.skipped));
        Tick {
            seconds: self.begin.elapsed().as_secs(),
            fps,
            mbps: (now.bytes - before.bytes) as f64 / 125_000.0 / span,
            round_trip: now.library.media.round_trip.map(|time| time.as_secs_f64() * 1000.0),
            loss: share(lost, received + lost),
            lost_frames: now.lost_frames - before.lost_frames,
            recovered: now.recovered_shards - before.recovered_shards,
            parity: share(parity, data),
            tone: tone * 100.0,
            latency,
            limiter: Limiter::of(fps, hertz, (received, lost), held_up),
        }
    }
}

impl fmt::Display for Tick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seconds, fps, mbps, loss, lost_frames, recovered, parity, tone, .. } = self;
        write!(f, "{seconds:>4} s  {fps:>5.1} fps  {mbps:>6.2} Mbit/s  ")?;
        match self.round_trip {
            Some(ms) => write!(f, "RTT {ms:.1} ms  ")?,
            None => write!(f, "RTT ?  ")?,
        }
        write!(f, "loss {loss:.1} % ({lost_frames} frames)  {recovered} recovered  FEC {parity:.0} %  ")?;
        let all = self.latency;
        if all.pictures > 0 {
            let decoding = all.received_to_taken.mean_ms + all.taken_to_decoded.mean_ms;
            let (host, network) = (all.captured_to_sent.mean_ms, all.sent_to_received.mean_ms);
            let whole = all.captured_to_decoded.mean_ms;
            write!(f, "host {host:.1} + network {network:.1} + decoding {decoding:.1} = {whole:.1} ms  ")?;
        }
        write!(f, "tone {tone:.0} %  ")?;
        match self.limiter {
            Limiter::Nothing => write!(f, "no limit"),
            Limiter::Host => write!(f, "limit: host"),
            Limiter::Network => write!(f, "limit: network"),
            Limiter::Decoder => write!(f, "limit: decoder"),
        }
    }
}

/// A line on the terminal that is written over; nothing where there is none.
pub struct Line(bool);

impl Line {
    /// `quiet`: nothing is shown in any case.
    pub fn new(quiet: bool) -> Self {
        Self(!quiet && std::io::stderr().is_terminal())
    }

    /// Shows it in place of what was there.
    pub fn show(&self, tick: &Tick) {
        if self.0 {
            // To the first column; what is left of a longer line is erased.
            eprint!("\r{tick}\x1b[K");
            let _ = std::io::stderr().flush();
        }
    }

    /// Leaves the line as it is.
    pub fn end(&self) {
        if self.0 {
            eprintln!();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_is_known_and_no_more() {
        let tick = Tick { seconds: 7, fps: 59.94, mbps: 9.5, loss: 1.25, parity: 12.0, ..Tick::default() };
        let text = tick.to_string();
        assert_eq!(
            text,
            "   7 s   59.9 fps    9.50 Mbit/s  RTT ?  loss 1.2 % (0 frames)  0 recovered  FEC 12 %  tone 0 %  no limit"
        );
        let mut latency = Latency { pictures: 60, ..Latency::default() };
        latency.captured_to_sent.mean_ms = 4.0;
        latency.sent_to_received.mean_ms = 0.5;
        latency.received_to_taken.mean_ms = 0.1;
        latency.taken_to_decoded.mean_ms = 2.0;
        latency.captured_to_decoded.mean_ms = 6.6;
        let text = Tick { latency, round_trip: Some(0.4), limiter: Limiter::Network, ..tick }.to_string();
        assert!(text.contains("RTT 0.4 ms"), "{text}");
        assert!(text.contains("host 4.0 + network 0.5 + decoding 2.1 = 6.6 ms"), "{text}");
        assert!(text.ends_with("limit: network"), "{text}");
    }
}
