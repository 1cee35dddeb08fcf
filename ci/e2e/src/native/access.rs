//! What the owner allows, changed while a client plays.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use punktfunk_client::{Access, Code};
use punktfunk_probe::native::{End, Options, Player, Stats, Word, refusal};

use super::hands::{terminal, written};
use super::{Guest, SIZE, cards, paired, passed};
use crate::Scenario;
use crate::input::installed;
use crate::stage::{Outcome, PICTURE, World, until};

/// The scenarios of this file.
pub const SCENARIOS: &[Scenario] =
    &[("native access narrowed", narrowed), ("native client revoked", revoked)];

/// Waits until the client was told what it may do now.
fn told(player: &Player, may_type: bool) -> Result<()> {
    let last = |stats: &Stats| {
        stats.host_messages.iter().rev().find_map(|heard| match heard.word {
            Word::Access(access) => Some(access.contains(Access::KEYBOARD)),
            _ => None,
        })
    };
    player.wait_for("the new access", PICTURE, |stats| last(stats) == Some(may_type)).map(drop)
}

/// A client that may not type any more does not, however it tries, until it may again.
fn narrowed(world: &World, name: &str) -> Result<Outcome> {
    if !installed("foot") {
        return Ok(Outcome::Skipped("foot is not installed".into()));
    }
    let (stage, _guest, player) = terminal(world, name, "exec cat > \"$0/typed\"")?;
    let (started, mut attempts) = (player.millis(), 0);
    until("a typed line", PICTURE * 2, || {
        if attempts == 0 || player.millis() > started + attempts * 2000 {
            attempts += 1;
            player.type_text("before\n").ok()?;
        }
        fs::read_to_string(stage.folder.join("typed")).ok().filter(|text| text.contains("before\n"))
    })?;
    stage.owner(&["clients", "access", "tv", "view,pointer,pads"])?;
    told(&player, false)?;
    player.type_text("never\n")?;
    player.text("nothing\n")?;
    stage.owner(&["clients", "access", "tv", "view,pointer,keyboard"])?;
    told(&player, true)?;
    player.type_text("after\n")?;
    // All of it goes one way in order: what was not thrown away would be in front.
    let text = written(&stage.folder, "typed", |text| text.ends_with("after\n"))?;
    ensure!(!text.contains("never") && !text.contains("nothing"), "the terminal got {text:?}");
    Ok(passed(""))
}

/// The stream of a revoked client ends, and nobody else's.
fn revoked(world: &World, name: &str) -> Result<Outcome> {
    let (stage, guest) = paired(world, name)?;
    let phone = Guest::new(&stage, "phone")?;
    let tv = guest.play(&guest.options("Test card")?)?;
    let other = phone.play(&phone.options("Test card")?)?;
    let (end, took) = std::thread::scope(|scope| {
        let ended = scope.spawn(|| (tv.wait_for_end(PICTURE), Instant::now()));
        let asked = Instant::now();
        stage.owner(&["clients", "revoke", "tv"])?;
        let (end, at) = ended.join().map_err(|_| anyhow::anyhow!("waiting panicked"))?;
        Ok::<_, anyhow::Error>((end, at.saturating_duration_since(asked)))
    })?;
    let is_told = matches!(&end, Some(End::Ended { code: Code::Revoked, .. }));
    ensure!(is_told, "the stream ended with {end:?}");
    // Promised is a second; a busy machine gets some more.
    ensure!(took < Duration::from_secs(4), "it ended {took:?} after its client was revoked");
    cards(&other, SIZE).context("after another client was revoked")?;
    let again = guest.start(&Options::default()).err().context("a revoked client can play")?;
    ensure!(refusal(&again) == Some(Code::NotPaired), "it was refused with {again:#}");
    Ok(passed(format!("the stream ended {} ms after the command", took.as_millis())))
}
