//! How sessions and applications begin and end, and how they are found again.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use punktfunk_client::Code;
use punktfunk_probe::native::{End, Options, Player};

use super::{SIZE, cards, paired, paired_with, passed};
use crate::Scenario;
use crate::host::{processes_of, seat_processes};
use crate::stage::{Outcome, PICTURE, Stage, TONE, World, until};

/// The scenarios of this file.
pub const SCENARIOS: &[Scenario] = &[
    ("native resume", resume),
    ("native quit", quit),
    ("native application ends", app_ends),
    ("native host stops", host_stops),
    ("native seat crashes", seat_crashes),
    ("native host killed", host_killed),
];

/// What the environment of this host's seats says.
fn marker(stage: &Stage) -> String {
    format!("seat-{}-", stage.host.pid())
}

fn gone(marker: &str) -> Result<()> {
    until("the end of the seat", PICTURE, || seat_processes(marker).is_empty().then_some(()))
        .with_context(|| format!("still there: {:?}", seat_processes(marker)))
}

fn ends_with(player: &Player, code: Code) -> Result<()> {
    let end = player.wait_for_end(PICTURE);
    let is_so = matches!(&end, Some(End::Ended { code: said, .. }) if *said == code);
    ensure!(is_so, "the stream ended with {end:?} and not with {code}");
    Ok(())
}

/// By the session's id, in another size, and again without it.
fn resume(world: &World, name: &str) -> Result<Outcome> {
    let (stage, guest) = paired(world, name)?;
    let options = guest.options("Test card")?;
    let player = guest.play(&options)?;
    let left_at = cards(&player, SIZE)?;
    let (session, processes) = (player.session_id(), seat_processes(&marker(&stage)).len());
    ensure!(processes > 0, "no process of the seat was found: the check is worth nothing");
    drop(player);
    ensure!(guest.running()? == options.app, "after the client left, {:?} runs", guest.running()?);
    let player = guest.play(&Options { resume: Some(session), ..options.clone().mode(848, 480, 30) })?;
    ensure!(player.resumed(), "the application was started a second time");
    ensure!(player.session_id() == session, "the session has another id");
    let back_at = cards(&player, (848, 480))?;
    ensure!(back_at > left_at, "the Test card began again: {left_at}, then {back_at}");
    player.wait_for("the tone", PICTURE, |stats| stats.tone_share > TONE)?;
    // A second connection of the same client takes the session over.
    let other = guest.play(&options)?;
    ends_with(&player, Code::Replaced)?;
    ensure!(other.resumed() && cards(&other, SIZE)? > back_at, "the Test card began again");
    let again = seat_processes(&marker(&stage)).len();
    ensure!(again == processes, "the seat has {processes} processes, then {again}");
    Ok(passed(format!("left at number {left_at}, came back at {back_at}")))
}

fn quit(world: &World, name: &str) -> Result<Outcome> {
    let (stage, guest) = paired(world, name)?;
    let player = guest.play(&guest.options("Test card")?)?;
    let processes = seat_processes(&marker(&stage)).len();
    ensure!(processes > 0, "no process of the seat was found: the check is worth nothing");
    player.quit()?;
    ends_with(&player, Code::None)?;
    gone(&marker(&stage))?;
    ensure!(guest.running()?.is_none(), "the host says that {:?} runs", guest.running()?);
    Ok(passed(format!("{processes} processes, then none")))
}

fn app_ends(world: &World, name: &str) -> Result<Outcome> {
    let config = "[[app]]\nname = \"Brief\"\ncommand = \"sleep 4\"\n";
    let (stage, guest) = paired_with(world, name, config)?;
    let player = guest.play(&guest.options("Brief")?)?;
    ends_with(&player, Code::AppEnded)?;
    gone(&marker(&stage))?;
    drop(player);
    let player = guest.play(&guest.options("Test card")?).context("after the application ended")?;
    cards(&player, SIZE)?;
    Ok(passed(""))
}

fn host_stops(world: &World, name: &str) -> Result<Outcome> {
    let (stage, guest) = paired(world, name)?;
    let player = guest.play(&guest.options("Test card")?)?;
    let marker = marker(&stage);
    stage.host.stop()?;
    ends_with(&player, Code::HostStopping)?;
    let left = seat_processes(&marker);
    ensure!(left.is_empty(), "still there: {left:?}");
    Ok(passed(""))
}

fn seat_crashes(world: &World, name: &str) -> Result<Outcome> {
    let (stage, guest) = paired(world, name)?;
    let player = guest.play(&guest.options("Test card")?)?;
    cards(&player, SIZE)?;
    let processes = processes_of(&marker(&stage));
    let seat = processes.iter().find(|process| process.command.contains("--runtime-dir"));
    let seat = seat.context("no process of the seat was found")?.pid;
    let killed = Command::new("kill").args(["-KILL", &seat.to_string()]).status()?;
    ensure!(killed.success(), "the seat could not be killed");
    ends_with(&player, Code::Failed)?;
    gone(&marker(&stage))?;
    drop(player);
    let player = guest.play(&guest.options("Test card")?).context("after the seat crashed")?;
    ensure!(!player.resumed(), "what crashed was resumed");
    cards(&player, SIZE)?;
    Ok(passed(""))
}

/// The client is back by itself, and its application never noticed.
fn host_killed(world: &World, name: &str) -> Result<Outcome> {
    let (mut stage, guest) = paired(world, name)?;
    let player = guest.play(&guest.options("Test card")?)?;
    let left_at = cards(&player, SIZE)?;
    let marker = marker(&stage);
    let card = || {
        let all = processes_of(&marker);
        all.into_iter().find(|process| process.command.ends_with("test-card")).map(|process| process.pid)
    };
    let before = card().context("no Test card was found: the check is worth nothing")?;
    let killed = Instant::now();
    let start = stage.host.kill_and_restart()?;
    let listening = Instant::now();
    player.wait_for("the session", PICTURE * 2, |stats| stats.resumptions > 0)?;
    let decoded = player.look(|stats| stats.frames_decoded);
    player.wait_for("a picture", PICTURE, |stats| stats.frames_decoded > decoded)?;
    let (back, of_all) = (listening.elapsed(), killed.elapsed());
    let back_at = cards(&player, SIZE)?;
    ensure!(card() == Some(before), "another Test card is shown");
    ensure!(back_at > left_at, "the Test card began again: {left_at}, then {back_at}");
    player.wait_for("the tone", PICTURE, |stats| stats.tone_share > TONE)?;
    // Promised are two seconds; a busy machine gets some more.
    ensure!(back < Duration::from_secs(8), "the picture took {back:?} to come back");
    player.quit()?;
    gone(&marker)?;
    Ok(passed(format!(
        "listening after {} ms, picture back {} ms later, {} ms in all",
        start.as_millis(),
        back.as_millis(),
        of_all.as_millis()
    )))
}
