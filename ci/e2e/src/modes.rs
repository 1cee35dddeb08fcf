//! Odd sizes and rates, as far as the machine carries them: when it does not, the rate
//! drops evenly, pictures get no older, and the log says what limits.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use punktfunk_probe::{Card, Player, Stats, quantile};

use crate::Scenario;
use crate::stage::{Outcome, Stage, World};

/// The scenarios of this file.
pub const SCENARIOS: &[Scenario] = &[("odd modes", odd_modes)];

/// Width, height, pictures a second.
type Mode = (u32, u32, u32);

/// What each run plays.
const ALWAYS: [Mode; 2] = [(1366, 768, 75), (1280, 720, 240)];
/// What the long one plays besides.
const LONG: [Mode; 4] = [(853, 480, 24), (2160, 3840, 30), (3440, 1440, 60), (3840, 2160, 60)];

/// Everything starts in the first seconds, and a rate that is too high for the machine
/// is found out in them.
const WARM_UP: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_secs(2);
/// 4K takes its time to be decoded by software.
const FIRST: Duration = Duration::from_secs(30);

fn odd_modes(world: &World, name: &str) -> Result<Outcome> {
    let stage = Stage::paired(world, name)?;
    let long = if world.long { &LONG[..] } else { &[] };
    let mut notes = Vec::new();
    for mode in ALWAYS.iter().chain(long) {
        let note = play(&stage, *mode).with_context(|| format!("{mode:?}"))?;
        notes.push(note);
    }
    Ok(Outcome::Passed(notes.join("\n    ")))
}

fn play(stage: &Stage, (width, height, fps): Mode) -> Result<String> {
    let before = stage.log().len();
    let options = stage.options("Test card")?.mode(width, height, fps);
    let player = Player::start(&stage.address, &stage.identity, &options)?;
    player.wait_for("the first picture", FIRST, |stats| stats.frames_decoded > 0)?;
    let warm = player.play_on(WARM_UP)?;
    let from = player.millis();
    let stats = player.play_on(LOOK)?;
    stage.screenshot(&player, &format!("{width}x{height}"))?;
    stage.address.quit(&stage.identity)?;
    let log = stage.log().split_off(before);
    // The screen has exactly the client's size; chroma is coded for pairs of pixels.
    let coded = (width.next_multiple_of(2) as usize, height.next_multiple_of(2) as usize);
    ensure!(stats.size == coded, "the picture is {:?}", stats.size);
    ensure!(stats.lost_frames == 0 && stats.decode_errors == 0, "the picture suffered: {stats:?}");
    let (rate, median) = evenness(&stats, from)?;
    let limits: Vec<_> = log.lines().filter(|line| line.contains(" limits: ")).collect();
    if rate < f64::from(fps) * 0.8 {
        ensure!(!limits.is_empty(), "{rate:.0} of {fps} fps, and the log does not say why");
    }
    let (early, late) = ages(stats.latencies.get(warm.latencies.len()..).unwrap_or_default())?;
    // A queue that grows would age by the share of the pictures that does not fit.
    ensure!(late <= early * 2.0 + 50.0, "pictures get older: {early:.0} ms, then {late:.0} ms");
    let limit = limits.last().and_then(|line| line.find("the ").and_then(|at| line.get(at..)));
    Ok(format!(
        "{width}x{height}@{fps}: {rate:.0} fps, {median:.1} ms apart, host latency {early:.1}, then {late:.1} ms; {}",
        limit.unwrap_or("nothing limits")
    ))
}

/// Pictures a second since `from`, and the median of the time from one to the next, as
/// they were drawn, in milliseconds.
fn evenness(stats: &Stats, from: u64) -> Result<(f64, f64)> {
    let seen: Vec<_> = stats.seen.iter().filter(|seen| seen.at_ms >= from).collect();
    let card = Card::of(seen.iter().copied());
    ensure!(card.unreadable == 0 && card.backwards == 0, "the picture is torn or out of order: {card:?}");
    let drawn: Vec<_> = seen.iter().filter_map(|seen| seen.code).map(|code| code.micros).collect();
    let apart: Vec<_> = drawn.windows(2).map(|pair| (pair[1].saturating_sub(pair[0])) as f64 / 1e3).collect();
    let mut sorted = apart.clone();
    sorted.sort_by(f64::total_cmp);
    let median = *sorted.get(sorted.len() / 2).context("there were no two pictures")?;
    let (all, long): (f64, f64) = (apart.iter().sum(), apart.iter().filter(|ms| **ms > median * 3.0).sum());
    // A few quick pictures and then a pause would show most of the time the pause.
    ensure!(long <= all * 0.4, "uneven: {long:.0} of {all:.0} ms are pauses, the median is {median:.1} ms");
    Ok((drawn.len() as f64 / LOOK.as_secs_f64(), median))
}

/// How old pictures were when they left, in milliseconds: the median of the first half
/// and that of the second.
fn ages(tenths: &[u16]) -> Result<(f64, f64)> {
    let (first, second) = tenths.split_at(tenths.len() / 2);
    let median = |half: &[u16]| Some(f64::from(quantile(half, 0.5)?) / 10.0);
    median(first).zip(median(second)).context("no picture named its age")
}
