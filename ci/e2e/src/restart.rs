//! The host is killed, at any time, and started again.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use punktfunk_probe::{Identity, Options, Player};

use crate::Scenario;
use crate::host::{processes_of, seat_processes};
use crate::stage::{Outcome, PICTURE, PIN, Stage, World, pause, until};

/// The scenarios of this file.
pub const SCENARIOS: &[Scenario] = &[
    ("host killed", killed),
    ("host killed at any time", any_time),
    ("host killed while pairing", while_pairing),
];

/// Process id of the Test card.
fn card(marker: &str) -> Option<u32> {
    let all = processes_of(marker);
    all.into_iter().find(|process| process.command.ends_with("test-card")).map(|process| process.pid)
}

fn killed(world: &World, name: &str) -> Result<Outcome> {
    let mut stage = Stage::paired(world, name)?;
    let phone = stage.another("phone")?;
    let options = stage.options("Test card")?.mode(640, 360, 30);
    let player = stage.play(&options)?;
    let number = |player: &Player| {
        let stats = player.wait_for("a readable Test card", PICTURE, |stats| {
            stats.seen.last().is_some_and(|seen| seen.code.is_some())
        })?;
        stats.seen.last().and_then(|seen| seen.code).map(|code| code.frame).context("no code")
    };
    let left_at = number(&player)?;
    let marker = format!("seat-{}-", stage.host.pid());
    let before = card(&marker).context("no Test card was found: the check is worth nothing")?;
    let start = stage.host.kill_and_restart()?;
    ensure!(stage.address.info(&phone)?.running_app().is_none(), "it is offered to another client");
    let running = stage.address.info(&stage.identity)?.running_app();
    ensure!(running == Some(options.app), "the host that was started again says that {running:?} runs");
    drop(player);
    let asked = Instant::now();
    // Another size: nothing may be taken for granted of the seat.
    let player = stage.play(&options.clone().mode(848, 480, 30))?;
    let back = asked.elapsed();
    ensure!(player.resumed(), "the application was started a second time");
    player.wait_for("the new size", PICTURE, |stats| stats.size == (848, 480))?;
    let back_at = number(&player)?;
    ensure!(card(&marker) == Some(before), "another Test card is shown");
    ensure!(back_at > left_at, "the Test card began again: {left_at}, then {back_at}");
    player.wait_for("the tone", PICTURE, |stats| stats.tone_share > crate::stage::TONE)?;
    // Promised is a second; a busy machine gets some more.
    ensure!(start < Duration::from_secs(5), "the host took {start:?} to start");
    stage.address.quit(&stage.identity)?;
    until("the end of the seat", PICTURE, || seat_processes(&marker).is_empty().then_some(()))?;
    Ok(Outcome::Passed(format!(
        "listening again after {} ms, picture back {} ms after the resume",
        start.as_millis(),
        back.as_millis()
    )))
}

/// Kills the host while it launches, settles and streams. What its client finds then
/// is either the application or nothing, never something in between.
fn any_time(world: &World, name: &str) -> Result<Outcome> {
    let mut stage = Stage::paired(world, name)?;
    let options = Options { decode: false, ..stage.options("Test card")?.mode(640, 360, 30) };
    let (mut resumed, mut longest) = (0, Duration::ZERO);
    // The long run tries many more moments, always the same.
    let waits: Vec<u64> =
        if world.long { (0..24).map(|n| n * 53 % 1250).collect() } else { vec![0, 30, 100, 250, 500, 900] };
    for wait in waits.iter().copied() {
        let marker = format!("seat-{}-", stage.host.pid());
        let (address, identity) = (stage.address.clone(), &stage.identity);
        std::thread::scope(|scope| {
            let host = &mut stage.host;
            // It fails, mostly: that is the point.
            scope.spawn(|| Player::start(&address, identity, &options).map(drop));
            pause(Duration::from_millis(wait));
            longest = longest.max(host.kill_and_restart()?);
            Ok::<_, anyhow::Error>(())
        })?;
        ensure!(stage.address.info(&stage.identity)?.paired(), "the pairing is lost");
        let player = Player::start(&stage.address, &stage.identity, &options)
            .with_context(|| format!("killed {wait} ms after the launch"))?;
        player.wait_for("a picture", PICTURE, |stats| stats.frames_received > 0)?;
        resumed += u32::from(player.resumed());
        stage.address.quit(&stage.identity)?;
        let left =
            until("the end of the seats", PICTURE, || seat_processes(&marker).is_empty().then_some(()));
        left.with_context(|| format!("still there: {:?}", seat_processes(&marker)))?;
    }
    Ok(Outcome::Passed(format!(
        "{resumed} of {} resumed, longest start {} ms",
        waits.len(),
        longest.as_millis()
    )))
}

/// Kills the host at any step of a pairing. Who was told that it is paired is; whoever
/// was paired before still is; and who was not told can pair again.
fn while_pairing(world: &World, name: &str) -> Result<Outcome> {
    let mut stage = Stage::paired(world, name)?;
    let (mut told, rounds) = (0, if world.long { 24 } else { 6 });
    for round in 0..rounds {
        let identity = Identity::open(&stage.folder.join(format!("client-{round}")))?;
        let (address, name) = (stage.address.clone(), format!("phone {round}"));
        let mut owner = stage.host.cli_command(&["pair", PIN, "--name", &name]);
        let mut owner = owner.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let paired = std::thread::scope(|scope| {
            let client = scope.spawn(|| address.pair(&identity, PIN, |_| {}).is_ok());
            // A pairing takes about as long.
            pause(Duration::from_millis(round * 240 / rounds));
            stage.host.kill_and_restart()?;
            client.join().map_err(|_| anyhow::anyhow!("pairing panicked"))
        })?;
        // It fails with the host that it waited for: that is the point.
        owner.wait()?;
        told += u32::from(paired);
        ensure!(stage.address.info(&stage.identity)?.paired(), "an old pairing is lost");
        if paired {
            ensure!(stage.address.info(&identity)?.paired(), "who was told so is not paired");
        }
        let again = stage.another(&format!("{round}"))?;
        ensure!(stage.address.info(&again)?.paired(), "it cannot pair any more");
    }
    Ok(Outcome::Passed(format!("{told} of {rounds} were paired when the host was killed")))
}
