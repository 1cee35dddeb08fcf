//! What the client sees.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use punktfunk_probe::{Card, Player, Stats, quantile};

use crate::Scenario;
use crate::stage::{Outcome, Stage, World};

/// The scenarios of this file.
pub const SCENARIOS: &[Scenario] = &[
    ("test card 720p60", test_card),
    ("odd size 853x480 at 24", odd_size),
    ("IDR on request", idr),
    ("still picture", still),
];

/// Nothing is said about the first second of a stream: everything starts in it.
const WARM_UP_MS: u64 = 1000;

fn test_card(world: &World, name: &str) -> Result<Outcome> {
    let stage = Stage::paired(world, name)?;
    let player = stage.play(&stage.options("Test card")?)?;
    let from = player.millis() + WARM_UP_MS;
    player.play_on(Duration::from_secs(11))?;
    stage.screenshot(&player, "")?;
    colours(&player)?;
    let report = player.stop();
    let stats = &report.stats;
    let seen: Vec<_> = stats.seen.iter().filter(|seen| seen.at_ms >= from).collect();
    let card = Card::of(seen.iter().copied());
    let numbers: Vec<_> = seen.iter().map(|seen| seen.frame).collect();
    let ms = |share| quantile(&stats.latencies, share).map_or(0.0, |tenths| f64::from(tenths) / 10.0);
    let note = format!(
        "{} pictures in 10 s, {} numbers of the card, {} left out, {} repeated; host latency {:.1} ms, 99 %: {:.1} ms",
        card.read,
        card.unique,
        card.missing,
        card.repeated,
        ms(0.5),
        ms(0.99)
    );
    ensure!(stats.lost_frames == 0 && stats.decode_errors == 0, "{} frames lost; {note}", stats.lost_frames);
    ensure!(stats.order_errors == 0 && card.backwards == 0, "pictures out of order; {note}");
    ensure!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "frame numbers skip; {note}");
    ensure!(card.unreadable == 0, "{} pictures without a readable number; {note}", card.unreadable);
    // The host repeats a picture on purpose when a busy machine drew none in time; it names
    // no latency then.
    let on_purpose = stats.frames_received.saturating_sub(stats.latencies.len() as u64);
    ensure!(card.repeated <= on_purpose, "pictures were shown twice; {note}");
    ensure!(card.missing * 100 <= card.unique * 3, "more than 3 % of the pictures never came; {note}");
    // A busy machine may draw fewer; more would be wrong on any.
    let span = seen.last().map_or(0, |last| last.at_ms) - seen.first().map_or(0, |first| first.at_ms);
    let rate = card.unique as f64 * 1000.0 / span.max(1) as f64;
    ensure!((50.0..=61.0).contains(&rate), "that is {rate:.1} a second; {note}");
    ensure!(stats.size == (1280, 720), "the picture is {:?}", stats.size);
    Ok(Outcome::Passed(note))
}

/// The Test card's bars, from left to right.
const BARS: [[u8; 3]; 8] = [
    [235, 235, 235],
    [191, 191, 0],
    [0, 191, 191],
    [0, 191, 0],
    [191, 0, 191],
    [191, 0, 0],
    [0, 0, 191],
    [16, 16, 16],
];
/// Rounding to limited range and coding change a flat colour by no more than this.
const TOLERANCE: u8 = 6;

/// Compares the bars with what was drawn: a wrong matrix or range shows here.
fn colours(player: &Player) -> Result<()> {
    let picture = player.last_picture().context("there is no picture")?;
    let rgb = picture.rgb();
    for (index, wanted) in BARS.iter().enumerate() {
        // The bars fill 90 % of the width, each an eighth of that.
        let x = picture.width * (5 * 16 + 90 * (2 * index + 1)) / 1600;
        let start = (picture.height / 5 * picture.width + x) * 3;
        let got = rgb.get(start..start + 3).context("the picture is too small")?;
        let near = got.iter().zip(wanted).all(|(got, wanted)| got.abs_diff(*wanted) <= TOLERANCE);
        ensure!(near, "bar {index} should be {wanted:?} and is {got:?}");
    }
    Ok(())
}

fn odd_size(world: &World, name: &str) -> Result<Outcome> {
    let stage = Stage::paired(world, name)?;
    let player = stage.play(&stage.options("Test card")?.mode(853, 480, 24))?;
    player.wait_for("90 readable pictures", Duration::from_secs(10), |stats| readable(stats) >= 90)?;
    stage.screenshot(&player, "")?;
    colours(&player)?;
    let report = player.stop();
    // Chroma has half the resolution: the last column is coded twice.
    ensure!(report.stats.size == (854, 480), "the picture is {:?}", report.stats.size);
    let rate = report.frame_rate;
    ensure!((20.0..27.0).contains(&rate), "{rate:.1} pictures a second");
    Ok(Outcome::Passed(format!("{rate:.1} pictures a second")))
}

fn readable(stats: &Stats) -> usize {
    stats.seen.iter().filter(|seen| seen.code.is_some()).count()
}

fn idr(world: &World, name: &str) -> Result<Outcome> {
    let stage = Stage::paired(world, name)?;
    let player = stage.play(&stage.options("Test card")?)?;
    let second = Duration::from_secs(1);
    player.play_on(2 * second)?;
    let mut waited = Vec::new();
    for _ in 0..3 {
        let before = player.stats().seen.len();
        let asked = player.millis();
        player.request_idr();
        let came =
            |stats: &Stats| stats.seen.iter().skip(before).find(|seen| seen.idr).map(|seen| seen.at_ms);
        let stats = player.wait_for("an IDR frame", second, |stats| came(stats).is_some())?;
        waited.push(came(&stats).unwrap_or(asked).saturating_sub(asked));
        player.play_on(second)?;
    }
    let report = player.stop();
    ensure!(report.stats.lost_frames == 0, "{} frames lost", report.stats.lost_frames);
    // One at the start, perhaps a second one for the request that opens a stream.
    let idrs = report.stats.idr_frames;
    ensure!((4..=5).contains(&idrs), "{idrs} IDR frames for three requests");
    Ok(Outcome::Passed(format!("IDR frames came after {waited:?} ms")))
}

fn still(world: &World, name: &str) -> Result<Outcome> {
    let stage = Stage::paired(world, name)?;
    let player = stage.play(&stage.options("Desktop")?)?;
    // The desktop may open a window first.
    let before = player.play_on(Duration::from_secs(4))?;
    let after = player.play_on(Duration::from_secs(5))?;
    stage.screenshot(&player, "")?;
    let rate = (after.frames_decoded - before.frames_decoded) as f64 / 5.0;
    let kbit = (after.video_bytes - before.video_bytes) as f64 * 8.0 / 5000.0;
    let note = format!("{rate:.1} frames a second, {kbit:.0} kbit/s");
    ensure!(rate >= 9.5, "a still picture comes too rarely: {note}");
    ensure!(kbit < 1500.0, "a still picture costs too much: {note}");
    Ok(Outcome::Passed(note))
}
