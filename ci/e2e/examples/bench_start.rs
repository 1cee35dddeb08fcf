//! How long a client waits: from the start of the program until it listens, from the
//! launch to the first frame and the first sound, from the end until everything is gone
//! (performance page, P16). The programs are named by `PUNKTFUNK_BENCH_HOST` and
//! `PUNKTFUNK_BENCH_SEAT`, as `cargo xtask bench` does; one JSON object comes out.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use punktfunk_e2e::host::seat_processes;
use punktfunk_e2e::stage::{PICTURE, Stage, World, until};
use punktfunk_e2e::usage::Look;
use punktfunk_probe::{Options, Player};

const RUNS: usize = 5;
/// What Sunshine was measured with by hand (performance page, anchors).
const SUNSHINE: &str = "23 ms from the connection to the first frame, sound 2400 ms after the launch";

/// One row: milliseconds of every run.
struct Row {
    case: &'static str,
    goal: &'static str,
    runs: Vec<f64>,
}

impl Row {
    fn new(case: &'static str, goal: &'static str) -> Self {
        Self { case, goal, runs: Vec::new() }
    }

    fn add(&mut self, elapsed: Duration) {
        self.runs.push(elapsed.as_secs_f64() * 1e3);
    }

    fn json(&self) -> serde_json::Value {
        let mut runs = self.runs.clone();
        runs.sort_by(f64::total_cmp);
        let at = |index: usize| runs.get(index).copied().unwrap_or(f64::NAN);
        let (least, median, most) = (at(0), at(runs.len() / 2), at(runs.len().saturating_sub(1)));
        serde_json::json!({ "case": self.case, "goal": self.goal, "ms_median": median, "ms_least": least,
            "ms_most": most })
    }
}

fn program(variable: &str) -> Result<PathBuf> {
    std::env::var_os(variable)
        .map(PathBuf::from)
        .with_context(|| format!("{variable} names no program: run this by `cargo xtask bench start`"))
}

fn main() -> Result<()> {
    let artefacts = std::env::temp_dir().join(format!("punktfunk-start-{}", std::process::id()));
    let (host, seat) = (program("PUNKTFUNK_BENCH_HOST")?, program("PUNKTFUNK_BENCH_SEAT")?);
    let world = World::new(&host, &seat, &artefacts, false)?;
    let mut stage = Stage::with(&world, "bench start", "[test]\nencoder = \"synthetic\"\n")?;
    stage.pair()?;
    let options = Options { decode: false, ..stage.options("Test card")? };
    until("the results of the encoders", PICTURE, || stage.log().contains("encoders tried").then_some(()))?;
    let mut listening = Row::new("start to listening, processor time", "≤ 40");
    let mut frame = Row::new("launch to first frame", "≤ 250");
    let mut sound = Row::new("launch to first sound", "≤ 300");
    let mut quit = Row::new("quit, as the client waits for it", "≤ 100");
    let mut released = Row::new("quit until no process of the seat is left", "≤ 100");
    for _ in 0..RUNS {
        stage.host.kill_and_restart()?;
        listening.add(Duration::from_nanos(Look::at([stage.host.pid()]).total().cpu_ns));
        let player = Player::start(&stage.address, &stage.identity, &options)?;
        let stats = player.wait_for("picture and sound", PICTURE, |stats| {
            stats.first_video_ms.is_some() && stats.first_audio_ms.is_some()
        })?;
        frame.add(Duration::from_millis(stats.first_video_ms.unwrap_or_default()));
        sound.add(Duration::from_millis(stats.first_audio_ms.unwrap_or_default()));
        let start = Instant::now();
        stage.address.quit(&stage.identity)?;
        quit.add(start.elapsed());
        let marker = format!("seat-{}-", stage.host.pid());
        until("the end of the seat", PICTURE, || seat_processes(&marker).is_empty().then_some(()))?;
        released.add(start.elapsed());
    }
    let rows: Vec<_> = [listening, frame, sound, quit, released].iter().map(Row::json).collect();
    let object = serde_json::json!({
        "name": "bench_start",
        "goal": "P16",
        "method": format!("medians of {RUNS} runs, no encoder, encoders already tried; looked at every 10 to 20 ms"),
        "sunshine": SUNSHINE,
        "rows": rows,
    });
    println!("{object}");
    drop(stage);
    std::fs::remove_dir_all(&artefacts).context("the logs were not removed")
}
