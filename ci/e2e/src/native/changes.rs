//! What changes while it plays: size, rate, bitrate, codec, and where the client is.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use punktfunk_client::messages::Reconfigured;
use punktfunk_client::{Codec, Mode};
use punktfunk_probe::native::{Options, Player, Reconfigure, Stats};

use super::playing::tried;
use super::{SIZE, cards, paired, passed};
use crate::Scenario;
use crate::stage::{Outcome, PICTURE, World};

/// The scenarios of this file.
pub const SCENARIOS: &[Scenario] = &[("native changes", changes), ("native client moves", moves)];

/// Asks for a change and waits for what the host says to it.
fn ask(player: &Player, wanted: Reconfigure) -> Result<Reconfigured> {
    let before = player.look(|stats| stats.reconfigured().count());
    player.reconfigure(wanted)?;
    let answered = |stats: &Stats| stats.reconfigured().count() > before;
    let stats = player.wait_for("an answer", PICTURE, answered)?;
    stats.reconfigured().nth(before).cloned().context("no answer")
}

/// The same, and waits for the first picture of the new epoch; how long all of it took.
fn change(player: &Player, wanted: Reconfigure) -> Result<(Reconfigured, Duration)> {
    let (asked, at_ms) = (Instant::now(), player.millis());
    let now = ask(player, wanted)?;
    // The first of an epoch is a key frame; others nobody asks for here.
    player.wait_for("a picture of the new epoch", PICTURE, |stats| {
        stats.epoch == now.epoch && stats.seen.iter().any(|seen| seen.idr && seen.at_ms >= at_ms)
    })?;
    Ok((now, asked.elapsed()))
}

fn changes(world: &World, name: &str) -> Result<Outcome> {
    let (stage, guest) = paired(world, name)?;
    tried(&stage)?;
    let options = Options { codecs: vec![Codec::H264, Codec::HEVC], ..guest.options("Test card")? };
    let player = guest.play(&options)?;
    let left_at = cards(&player, SIZE)?;
    let epoch = player.welcome().epoch;
    let mut notes = Vec::new();

    let (asked, mode) = (Instant::now(), Mode { width: 848, height: 480, refresh_mhz: 30_000 });
    player.change_mode(mode, PICTURE)?;
    notes.push(format!("size {} ms", asked.elapsed().as_millis()));
    ensure!(player.welcome().epoch != epoch, "another size in the same epoch");
    cards(&player, (848, 480))?;

    let wanted = Reconfigure { refresh_mhz: Some(60_000), ..Reconfigure::default() };
    let (now, took) = change(&player, wanted)?;
    ensure!(now.mode.refresh_mhz == 60_000 && now.mode.width == 848, "it became {now:?}");
    notes.push(format!("refresh {} ms", took.as_millis()));
    cards(&player, (848, 480))?;

    let wanted = Reconfigure { bitrate_kbps: Some(4_000), ..Reconfigure::default() };
    let same = ask(&player, wanted)?;
    ensure!(same.bitrate_kbps == 4_000 && same.epoch == now.epoch, "it became {same:?}");
    cards(&player, (848, 480))?;

    let (wanted, before) = (Reconfigure { codec: Some(Codec::HEVC), ..Reconfigure::default() }, same);
    let now = ask(&player, wanted)?;
    if now.codec == Codec::HEVC {
        ensure!(now.epoch != before.epoch, "another codec in the same epoch");
        player.wait_for("a picture of the other codec", PICTURE, |stats| stats.epoch == now.epoch)?;
    } else {
        ensure!(!now.text.is_empty() && now.codec == before.codec, "it became {now:?}");
        notes.push(format!("no HEVC here: {}", now.text));
    }
    let back_at = cards(&player, (848, 480))?;
    ensure!(back_at > left_at, "the Test card began again: {left_at}, then {back_at}");
    let stats = player.stats();
    ensure!(stats.order_errors == 0, "{} frames came out of order", stats.order_errors);
    notes.push(format!("longest time without a picture {} ms", stats.longest_gap_ms));
    Ok(passed(notes.join(", ")))
}

/// Another socket, so another port: the picture follows, and nothing is started again.
fn moves(world: &World, name: &str) -> Result<Outcome> {
    let (_stage, guest) = paired(world, name)?;
    let player = guest.play(&guest.options("Test card")?)?;
    let mut last = cards(&player, SIZE)?;
    for _ in 0..3 {
        player.rebind()?;
        let now = cards(&player, SIZE)?;
        ensure!(now > last, "the Test card stood still: {last}, then {now}");
        last = now;
    }
    let stats = player.stats();
    ensure!(stats.resumptions == 0, "it had to be connected again {} times", stats.resumptions);
    Ok(passed(format!("longest time without a picture {} ms", stats.longest_gap_ms)))
}
