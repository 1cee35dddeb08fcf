//! The control stream with clients of every age, and what the host says on it.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use punktfunk_probe::{HostMessage, Options, Player};

use crate::Scenario;
use crate::input::{TERMINALS, installed, type_line};
use crate::stage::{Outcome, PICTURE, Stage, World};

/// The scenarios of this file.
pub const SCENARIOS: &[Scenario] = &[("legacy client", legacy), ("host says", host_says)];

/// An IDR frame comes because it was asked for, not by chance: the host sends none
/// otherwise.
fn answers_idr_request(player: &Player) -> Result<()> {
    let before = player.stats().idr_frames;
    player.request_idr();
    let answered = player.wait_for("the IDR frame", PICTURE, |stats| stats.idr_frames > before);
    answered.map(drop)
}

/// No `corever`, RTSP in the clear, control in the old style: had the host another one in
/// mind, neither would understand the other.
fn legacy(world: &World, name: &str) -> Result<Outcome> {
    let stage = Stage::paired(world, name)?;
    let has_terminal = TERMINALS.iter().any(|name| installed(name));
    let app = if has_terminal { "Desktop" } else { "Test card" };
    let options = Options { legacy: true, ..stage.options(app)?.mode(640, 360, 30) };
    let player = stage.play(&options)?;
    answers_idr_request(&player)?;
    let typed = if has_terminal { type_line(&stage, &player) } else { Ok(0) };
    stage.screenshot(&player, "")?;
    let attempts = typed.with_context(|| format!("the seat said: {}", stage.host.seat_log()))?;
    let stats = player.play_on(Duration::from_millis(500))?;
    ensure!(stats.control_rejected == 0, "{} messages were not opened", stats.control_rejected);
    ensure!(stats.decode_errors == 0, "{} frames were not decodable", stats.decode_errors);
    Ok(Outcome::Passed(format!("{} pictures, typed {attempts} times", stats.frames_decoded)))
}

/// The first thing a client hears is whether the picture is HDR.
fn host_says(world: &World, name: &str) -> Result<Outcome> {
    let stage = Stage::paired(world, name)?;
    let player = stage.play(&stage.options("Test card")?.mode(640, 360, 30))?;
    let stats = player.wait_for("a word", PICTURE, |stats| !stats.host_messages.is_empty())?;
    let first = stats.host_messages.first().context("nothing was heard")?;
    let sdr = matches!(first.message, HostMessage::HdrMode { enabled: false, .. });
    ensure!(sdr, "the first message was {:?}", first.message);
    answers_idr_request(&player)?;
    ensure!(player.stats().control_rejected == 0, "a message was not opened");
    Ok(Outcome::Passed(String::new()))
}
