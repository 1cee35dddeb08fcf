//! `bench`: receives without decoding, and tells what a packet costs.

use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args as ClapArgs;
use punktfunk_probe::native::{Options, Player, Report};

use super::live::{Line, Meter};
use super::process::Work;
use super::stream::{Wanted, judge};

/// Arguments of `bench`.
#[derive(Debug, ClapArgs)]
pub struct Bench {
    #[command(flatten)]
    wanted: Wanted,
    /// Measure for so long
    #[arg(long, default_value_t = 10)]
    seconds: u64,
}

/// What receiving cost.
struct Cost {
    span: f64,
    datagrams: u64,
    bytes: u64,
    access_units: u64,
    threads: Vec<(String, Duration)>,
}

impl Cost {
    fn cpu(&self) -> Duration {
        self.threads.iter().map(|(_, time)| *time).sum()
    }

    fn nanos_per_datagram(&self) -> f64 {
        self.cpu().as_secs_f64() * 1e9 / self.datagrams.max(1) as f64
    }
}

impl Bench {
    pub fn run(self) -> Result<()> {
        let (home, host, options) = self.wanted.settle()?;
        // Sound is left out: the processor shall be busy with datagrams alone.
        let options = Options { decode: false, channels: 0, history: 100_000, ..options };
        let player = self.wanted.start(home.client(), &host, &options)?;
        let json = self.wanted.places.own.json;
        let (line, mut meter) = (Line::new(json), Meter::new(&player));
        let count = |player: &Player| {
            let media = player.library_stats().media;
            (media.received, media.bytes, player.look(|stats| stats.video_bytes))
        };
        let (begin, work, before) = (Instant::now(), Work::now(), count(&player));
        let until = begin + Duration::from_secs(self.seconds.max(1));
        let mut end = None;
        while end.is_none() && Instant::now() < until {
            end = player
                .wait_for_end(Duration::from_secs(1).min(until.saturating_duration_since(Instant::now())));
            line.show(&meter.tick(&player));
        }
        line.end();
        let after = count(&player);
        let cost = Cost {
            span: begin.elapsed().as_secs_f64(),
            datagrams: after.0.saturating_sub(before.0),
            bytes: after.1.saturating_sub(before.1),
            access_units: after.2.saturating_sub(before.2),
            threads: Work::now().since(&work),
        };
        show(&cost, &player.stop(), json)?;
        judge(end.as_ref())
    }
}

fn show(cost: &Cost, report: &Report, json: bool) -> Result<()> {
    let megabits = |bytes: u64| bytes as f64 / 125_000.0 / cost.span;
    let per_second = cost.datagrams as f64 / cost.span;
    let busy = cost.cpu().as_secs_f64() * 100.0 / cost.span;
    if json {
        let threads: Vec<_> = cost
            .threads
            .iter()
            .map(|(name, time)| serde_json::json!({ "name": name, "cpu_ms": time.as_secs_f64() * 1000.0 }))
            .collect();
        let json = serde_json::json!({
            "seconds": cost.span, "datagrams": cost.datagrams, "datagrams_per_second": per_second,
            "wire_mbps": megabits(cost.bytes), "goodput_mbps": megabits(cost.access_units),
            "cpu_percent": busy, "cpu_ns_per_datagram": cost.nanos_per_datagram(),
            "threads": threads, "report": report,
        });
        println!("{}", serde_json::to_string_pretty(&json)?);
        return Ok(());
    }
    println!(
        "received  {} datagrams, {per_second:.0} a second, {:.2} Mbit/s",
        cost.datagrams,
        megabits(cost.bytes)
    );
    println!("goodput   {:.2} Mbit/s of access units", megabits(cost.access_units));
    println!("processor {busy:.1} % of one, {:.0} ns for each datagram", cost.nanos_per_datagram());
    for (name, time) in &cost.threads {
        println!("thread    {name:<16} {:>8.1} ms", time.as_secs_f64() * 1000.0);
    }
    println!(
        "lost      {} datagrams, {} frames; {} frames dropped by this client",
        report.datagrams_lost, report.stats.lost_frames, report.frames_dropped
    );
    println!("limit     {:?}", report.limiter);
    Ok(())
}
