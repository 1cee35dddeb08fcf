//! `soak`: plays for long, says each minute how it goes, and fails when something grows
//! that should not.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::Args as ClapArgs;
use punktfunk_probe::native::Options;

use super::live::{Meter, Tick};
use super::process::Holdings;
use super::stream::{Wanted, judge};

/// Pictures that are remembered: a minute of them at 60 Hz, so that memory is as it will
/// be before the first look that counts.
const HISTORY: usize = 1800;
/// Minutes before what is held counts: buffers find their size.
const WARM_UP: u64 = 2;
/// Memory may grow by this much of what it was after that, and this many kilobytes.
const GROWTH_PERCENT: u64 = 10;
const GROWTH_KB: u64 = 16_384;

/// Arguments of `soak`.
#[derive(Debug, ClapArgs)]
pub struct Soak {
    #[command(flatten)]
    wanted: Wanted,
    /// Play for so long
    #[arg(long, default_value_t = 60)]
    minutes: u64,
    /// Only receive: pictures are counted and not decoded
    #[arg(long)]
    no_decode: bool,
}

impl Soak {
    pub fn run(self) -> Result<()> {
        let (home, host, options) = self.wanted.settle()?;
        let options = Options { history: HISTORY, decode: !self.no_decode, ..options };
        let player = self.wanted.start(home.client(), &host, &options)?;
        let json = self.wanted.places.own.json;
        let (begin, mut meter) = (Instant::now(), Meter::new(&player));
        let mut warm = None;
        let mut leaks = None;
        for minute in 1..=self.minutes {
            let due = begin + Duration::from_secs(minute * 60);
            let end = player.wait_for_end(due.saturating_duration_since(Instant::now()));
            let (tick, held) = (meter.tick(&player), Holdings::now()?);
            print_minute(minute, &tick, held, json);
            judge(end.as_ref())?;
            if minute == WARM_UP {
                warm = Some(held);
            }
            leaks = warm.and_then(|warm| grown(warm, held));
        }
        let report = player.stop();
        if json {
            println!("{}", serde_json::json!({ "leak": leaks, "report": report }));
        } else {
            let stats = &report.stats;
            println!(
                "{} frames decoded, {} lost, longest gap {} ms, {} interruptions",
                stats.frames_decoded, stats.lost_frames, stats.longest_gap_ms, stats.interruptions
            );
        }
        ensure!(leaks.is_none(), "something leaks: {}", leaks.unwrap_or_default());
        Ok(())
    }
}

fn print_minute(minute: u64, tick: &Tick, held: Holdings, json: bool) {
    let Holdings { rss_kb, files, threads } = held;
    let whole = tick.latency.captured_to_decoded;
    if json {
        let line = serde_json::json!({
            "minute": minute, "fps": tick.fps, "mbps": tick.mbps, "loss_percent": tick.loss,
            "lost_frames": tick.lost_frames, "recovered_shards": tick.recovered, "latency": tick.latency,
            "rss_kb": rss_kb, "files": files, "threads": threads, "limiter": tick.limiter,
        });
        println!("{line}");
        return;
    }
    println!(
        "{minute:>5} min  {:>5.1} fps  {:>6.2} Mbit/s  {} lost  {} recovered  {:.1} ms median, {:.1} ms of 99 %  \
         {} MB  {files} files  {threads} threads",
        tick.fps,
        tick.mbps,
        tick.lost_frames,
        tick.recovered,
        whole.p50_ms,
        whole.p99_ms,
        rss_kb / 1024
    );
}

/// What grew since `warm`, in words.
fn grown(warm: Holdings, now: Holdings) -> Option<String> {
    let most = warm.rss_kb + (warm.rss_kb * GROWTH_PERCENT / 100).max(GROWTH_KB);
    if now.rss_kb > most {
        Some(format!("memory grew from {} to {} kB", warm.rss_kb, now.rss_kb))
    } else if now.files > warm.files {
        Some(format!("open files grew from {} to {}", warm.files, now.files))
    } else if now.threads > warm.threads {
        Some(format!("threads grew from {} to {}", warm.threads, now.threads))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_little_memory_is_no_leak_and_one_file_is() {
        let warm = Holdings { rss_kb: 100_000, files: 20, threads: 8 };
        assert_eq!(grown(warm, Holdings { rss_kb: 116_000, ..warm }), None);
        assert!(
            grown(warm, Holdings { rss_kb: 117_000, ..warm }).is_some_and(|text| text.contains("memory"))
        );
        assert!(grown(warm, Holdings { files: 21, ..warm }).is_some_and(|text| text.contains("files")));
        assert!(grown(warm, Holdings { threads: 9, ..warm }).is_some_and(|text| text.contains("threads")));
        assert_eq!(grown(warm, Holdings { rss_kb: 50_000, files: 19, threads: 7 }), None);
    }
}
