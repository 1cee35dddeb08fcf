//! How streams and applications begin and end.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use punktfunk_core::gamestream::control::{REASON_CONVERSION, REASON_GRACEFUL};
use punktfunk_probe::{Card, End, Options, Player, Stats};

use crate::Scenario;
use crate::host::{processes_of, seat_processes, user_of};
use crate::stage::{Outcome, PICTURE, Stage, TONE, World, until};

/// The scenarios of this file.
pub const SCENARIOS: &[Scenario] = &[
    ("disconnect and resume", resume),
    ("quit", quit),
    ("application exits", app_exits),
    ("application crashes", app_crashes),
    ("seat crashes", seat_crashes),
    ("encoder fails", encoder_fails),
    ("encoder panics", encoder_panics),
    ("host stops", host_stops),
    ("not as root", not_as_root),
];

/// Number of the Test card on the client's screen.
fn number(player: &Player) -> Result<u32> {
    let stats = player.wait_for("a readable Test card", PICTURE, |stats| {
        stats.seen.last().is_some_and(|seen| seen.code.is_some())
    })?;
    Ok(stats.seen.last().and_then(|seen| seen.code).context("no code")?.frame)
}

fn resume(world: &World, name: &str) -> Result<Outcome> {
    let stage = Stage::paired(world, name)?;
    let options = stage.options("Test card")?;
    let player = stage.play(&options)?;
    player.play_on(Duration::from_secs(3))?;
    let left_at = number(&player)?;
    let processes = seat_processes(&marker(&stage));
    drop(player);
    let running = stage.address.info(&stage.identity)?.running_app();
    ensure!(running == Some(options.app), "after the client left, {running:?} runs");
    std::thread::park_timeout(Duration::from_secs(1));
    // The picture may have another size the second time.
    let player = stage.play(&Options { ..options.clone().mode(960, 540, 30) })?;
    ensure!(player.resumed(), "the application was started a second time");
    player.wait_for("the new size", PICTURE, |stats| stats.size == (960, 540))?;
    let back_at = number(&player)?;
    stage.screenshot(&player, "")?;
    ensure!(back_at > left_at, "the Test card began again: {left_at}, then {back_at}");
    let again = seat_processes(&marker(&stage));
    ensure!(again.len() == processes.len(), "the seat changed: {processes:?}, then {again:?}");
    player.wait_for("the tone", PICTURE, |stats| stats.tone_share > TONE)?;
    Ok(Outcome::Passed(format!("left at number {left_at}, came back at {back_at}")))
}

/// What the environment of this host's seats says.
fn marker(stage: &Stage) -> String {
    format!("seat-{}-", stage.host.pid())
}

fn quit(world: &World, name: &str) -> Result<Outcome> {
    let stage = Stage::paired(world, name)?;
    let mut most = 0;
    for app in ["Desktop", "Test card"] {
        let player = stage.play(&stage.options(app)?)?;
        player.play_on(Duration::from_secs(1))?;
        let running = seat_processes(&marker(&stage));
        ensure!(!running.is_empty(), "no process of the seat was found: the check is worth nothing");
        most = most.max(running.len());
        stage.address.quit(&stage.identity)?;
        let end = player.wait_for_end(Duration::from_secs(5));
        ensure!(
            matches!(end, Some(End::Terminated(_) | End::Disconnected)),
            "quit ended the stream with {end:?}"
        );
        let left = until("the end of the seat", Duration::from_secs(10), || {
            seat_processes(&marker(&stage)).is_empty().then_some(())
        });
        left.with_context(|| format!("still there: {:?}", seat_processes(&marker(&stage))))?;
    }
    Ok(Outcome::Passed(format!("{most} processes, then none")))
}

fn ends(world: &World, name: &str, command: &str) -> Result<Outcome> {
    let config = format!("[[app]]\nname = \"Brief\"\ncommand = \"{command}\"\n");
    let stage = Stage::with(world, name, &config)?;
    stage.pair()?;
    let player = stage.play(&stage.options("Brief")?)?;
    let end = player.wait_for_end(PICTURE);
    ensure!(end == Some(End::Terminated(REASON_GRACEFUL)), "the stream ended with {end:?}");
    until("the end of the seat", Duration::from_secs(10), || {
        seat_processes(&marker(&stage)).is_empty().then_some(())
    })?;
    let running = stage.address.info(&stage.identity)?.running_app();
    ensure!(running.is_none(), "the host says that {running:?} runs");
    drop(player);
    let player = stage.play(&stage.options("Test card")?).context("after the application ended")?;
    number(&player)?;
    Ok(Outcome::Passed(String::new()))
}

fn app_exits(world: &World, name: &str) -> Result<Outcome> {
    ends(world, name, "sleep 4")
}

fn app_crashes(world: &World, name: &str) -> Result<Outcome> {
    ends(world, name, "sleep 4; kill -SEGV $$")
}

fn host_stops(world: &World, name: &str) -> Result<Outcome> {
    let stage = Stage::paired(world, name)?;
    let player = stage.play(&stage.options("Test card")?)?;
    let marker = marker(&stage);
    stage.host.stop()?;
    let end = player.wait_for_end(Duration::from_secs(5));
    ensure!(end == Some(End::Terminated(REASON_GRACEFUL)), "the stream ended with {end:?}");
    let left = seat_processes(&marker);
    ensure!(left.is_empty(), "still there: {left:?}");
    Ok(Outcome::Passed(String::new()))
}

fn seat_crashes(world: &World, name: &str) -> Result<Outcome> {
    let stage = Stage::paired(world, name)?;
    let player = stage.play(&stage.options("Test card")?)?;
    number(&player)?;
    let processes = processes_of(&marker(&stage));
    let seat = processes.iter().find(|process| process.command.contains("--runtime-dir"));
    let seat = seat.context("no process of the seat was found")?.pid;
    let killed = Command::new("kill").args(["-KILL", &seat.to_string()]).status()?;
    ensure!(killed.success(), "the seat could not be killed");
    let end = player.wait_for_end(Duration::from_secs(5));
    ensure!(matches!(end, Some(End::Terminated(_))), "the stream ended with {end:?}");
    until("the end of what ran in the seat", Duration::from_secs(10), || {
        seat_processes(&marker(&stage)).is_empty().then_some(())
    })?;
    drop(player);
    let player = stage.play(&stage.options("Test card")?).context("after the seat crashed")?;
    number(&player)?;
    Ok(Outcome::Passed(format!("{end:?}")))
}

fn not_as_root(world: &World, name: &str) -> Result<Outcome> {
    let stage = Stage::paired(world, name)?;
    let player = stage.play(&stage.options("Desktop")?)?;
    player.play_on(Duration::from_secs(1))?;
    let host = user_of(stage.host.pid())?;
    ensure!(host != 0, "the host runs as root");
    let processes = processes_of(&marker(&stage));
    ensure!(!processes.is_empty(), "no process of the seat was found: the check is worth nothing");
    for process in &processes {
        let user = user_of(process.pid)?;
        ensure!(user == host, "{} runs as user {user}, the host as {host}", process.command);
    }
    Ok(Outcome::Passed(format!("{} processes of user {host}", processes.len() + 1)))
}

/// The Test card's numbers go on behind an encoder that failed, soon and with a key
/// frame. The longest time without a picture, in milliseconds.
fn goes_on(stage: &Stage, player: &Player, failures: usize) -> Result<u64> {
    until("the encoder's failures", PICTURE * 2, || {
        (stage.log().matches("the stream goes on").count() >= failures).then_some(())
    })?;
    let before = player.stats().seen.len();
    let stats = player.wait_for("pictures of the encoder after it", PICTURE, |stats| {
        stats.seen.iter().skip(before).filter(|seen| seen.code.is_some()).count() >= 30
    })?;
    ensure!(stats.lost_frames == 0 && stats.decode_errors == 0, "the picture suffered: {stats:?}");
    ensure!(stats.idr_frames > failures as u64, "{} key frames after {failures} failures", stats.idr_frames);
    let card = Card::of(&stats.seen);
    ensure!(card.backwards == 0, "pictures out of order: {card:?}");
    let waits = stats.seen.windows(2).map(|pair| pair[1].at_ms - pair[0].at_ms);
    let longest = waits.max().unwrap_or(0);
    // Promised is a picture within two seconds.
    ensure!(longest < 2000, "no picture for {longest} ms");
    Ok(longest)
}

fn encoder_fails(world: &World, name: &str) -> Result<Outcome> {
    let config = "[test]\nfail_encoder_after = 25\nfail_encoder_times = 2\n";
    let stage = Stage::with(world, name, config)?;
    stage.pair()?;
    let small = |app: &str| Ok::<_, anyhow::Error>(stage.options(app)?.mode(640, 360, 30));
    let player = stage.play(&small("Test card")?)?;
    let longest = goes_on(&stage, &player, 2)?;
    stage.address.quit(&stage.identity)?;
    drop(player);
    // A still screen: the failure comes with a repetition, which no encoder after it
    // could make of nothing.
    let player = stage.play(&small("Desktop")?)?;
    until("two failures more", PICTURE * 3, || {
        (stage.log().matches("the stream goes on").count() >= 4).then_some(())
    })?;
    let before = player.stats().frames_decoded;
    player.wait_for("pictures of the still screen", PICTURE, |stats| stats.frames_decoded > before + 20)?;
    stage.screenshot(&player, "")?;
    drop(player);
    // Every encoder fails at once: an end with a reason, and the application goes on.
    let config = "[test]\nfail_encoder_after = 30\nfail_encoder_times = 1000\n";
    let stage = Stage::with(world, &format!("{name} for ever"), config)?;
    stage.pair()?;
    let player = stage.play(&stage.options("Test card")?.mode(640, 360, 30))?;
    let end = player.wait_for_end(PICTURE * 2);
    ensure!(end == Some(End::Terminated(REASON_CONVERSION)), "the stream ended with {end:?}");
    ensure!(stage.address.info(&stage.identity)?.running_app().is_some(), "the application ended too");
    Ok(Outcome::Passed(format!("longest time without a picture {longest} ms")))
}

fn encoder_panics(world: &World, name: &str) -> Result<Outcome> {
    let mut stage = Stage::with(world, name, "[test]\npanic_encoder_after = 90\n")?;
    stage.pair()?;
    let phone = stage.another("phone")?;
    let options = stage.options("Test card")?.mode(640, 360, 30);
    let tv = stage.play(&options)?;
    // It begins later, so it is still playing when the first one ends.
    tv.wait_for("a second of pictures", PICTURE, |stats| stats.frames_decoded > 30)?;
    let other = stage.play_as(&phone, &options)?;
    let end = tv.wait_for_end(PICTURE);
    ensure!(end == Some(End::Terminated(REASON_CONVERSION)), "the stream ended with {end:?}");
    let before = other.stats();
    ensure!(before.end.is_none(), "the other stream ended with {:?}", before.end);
    let more = |stats: &Stats| stats.frames_decoded > before.frames_decoded;
    other.wait_for("a picture of the other", PICTURE, more)?;
    ensure!(stage.host.is_alive(), "the host ended");
    drop(tv);
    let tv = stage.play(&options).context("after the panic")?;
    ensure!(tv.resumed(), "the application was started a second time");
    Ok(Outcome::Passed(String::new()))
}
