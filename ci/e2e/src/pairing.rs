//! Who may stream: pairing, its failures, and its end.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use punktfunk_probe::{End, Player, refusal};

use crate::Scenario;
use crate::stage::{Outcome, PICTURE, PIN, Stage, World};

/// The scenarios of this file.
pub const SCENARIOS: &[Scenario] = &[
    ("pair", pair),
    ("pair with a wrong PIN", wrong_pin),
    ("second pairing attempt", second_attempt),
    ("unpaired client", unpaired),
    ("revoked client", revoked),
];

fn pair(world: &World, name: &str) -> Result<Outcome> {
    let stage = Stage::new(world, name)?;
    let before = stage.address.info_http()?;
    ensure!(!before.paired(), "an unknown client is told that it is paired");
    stage.pair()?;
    ensure!(stage.address.info(&stage.identity)?.paired(), "the host does not know the client it paired");
    let titles: Vec<_> = stage.address.apps(&stage.identity)?.into_iter().map(|app| app.title).collect();
    ensure!(titles == ["Desktop", "Test card"], "the applications are {titles:?}");
    let clients = stage.owner(&["clients", "list", "--json"])?;
    ensure!(clients.contains("\"tv\""), "the host lists {clients}");
    Ok(Outcome::Passed(String::new()))
}

fn wrong_pin(world: &World, name: &str) -> Result<Outcome> {
    let stage = Stage::new(world, name)?;
    let mut owner = stage.host.cli_command(&["pair", "0000"]);
    let owner = owner.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let paired = stage.address.pair(&stage.identity, PIN, |_| {});
    let output = owner.wait_with_output()?;
    ensure!(paired.is_err(), "the client was paired with a wrong PIN");
    ensure!(!output.status.success(), "the owner is told that a wrong PIN was right");
    is_unauthorized(stage.address.info(&stage.identity).map(drop), "serverinfo")?;
    let clients = stage.owner(&["clients", "list", "--json"])?;
    ensure!(!clients.contains("fingerprint"), "the host lists {clients}");
    stage.pair().context("after the wrong PIN")?;
    Ok(Outcome::Passed(String::new()))
}

fn second_attempt(world: &World, name: &str) -> Result<Outcome> {
    let stage = Stage::new(world, name)?;
    let stranger = stage.stranger()?;
    let mut owner = stage
        .host
        .cli_command(&["pair", "--name", "tv"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let (mut keyboard, screen) = (owner.stdin.take(), owner.stdout.take());
    let mut screen = BufReader::new(screen.context("the owner's command has no output")?).lines();
    let outcome = std::thread::scope(|scope| {
        let first = scope.spawn(|| stage.address.pair(&stage.identity, PIN, |_| {}));
        // The owner's command says so once the first attempt waits.
        let waits = screen.by_ref().map_while(Result::ok).any(|line| line.contains("asks to be paired"));
        let started = Instant::now();
        let second = if waits { Some(stage.address.pair(&stranger, "1234", |_| {})) } else { None };
        let took = started.elapsed();
        if let Some(keyboard) = &mut keyboard {
            writeln!(keyboard, "{PIN}")?;
        }
        let first = first.join().map_err(|_| anyhow::anyhow!("the first attempt panicked"))?;
        Ok::<_, anyhow::Error>((first, second, took))
    });
    drop(keyboard);
    let status = owner.wait()?;
    let (first, second, took) = outcome?;
    match second {
        None => bail!("the owner was not told about the first attempt"),
        Some(Ok(())) => bail!("a second client was paired"),
        Some(Err(error)) => {
            refusal(&error).with_context(|| format!("the second attempt failed otherwise: {error:#}"))?;
        }
    }
    ensure!(took < Duration::from_secs(2), "the second attempt was held for {took:?}");
    first.context("the first attempt suffered from the second")?;
    ensure!(status.success(), "the owner's command failed");
    Ok(Outcome::Passed(format!("refused after {} ms", took.as_millis())))
}

fn is_unauthorized(result: Result<()>, what: &str) -> Result<()> {
    match result {
        Ok(()) => bail!("{what} is answered to a client that is not paired"),
        Err(error) => match refusal(&error) {
            Some(401) => Ok(()),
            _ => bail!("{what} is not answered with 401 but: {error:#}"),
        },
    }
}

fn unpaired(world: &World, name: &str) -> Result<Outcome> {
    let stage = Stage::new(world, name)?;
    let (host, identity) = (&stage.address, &stage.identity);
    is_unauthorized(host.info(identity).map(drop), "serverinfo")?;
    is_unauthorized(host.apps(identity).map(drop), "applist")?;
    is_unauthorized(host.quit(identity), "cancel")?;
    let options = punktfunk_probe::Options::new(2);
    for verb in [punktfunk_probe::Verb::Launch, punktfunk_probe::Verb::Resume] {
        is_unauthorized(Player::start_with(host, identity, &options, verb).map(drop), verb.name())?;
    }
    Ok(Outcome::Passed(String::new()))
}

fn revoked(world: &World, name: &str) -> Result<Outcome> {
    let stage = Stage::paired(world, name)?;
    let player = stage.play(&stage.options("Test card")?)?;
    let (done, ended) = mpsc::channel();
    let end = std::thread::scope(|scope| {
        scope.spawn(|| {
            let end = player.wait_for_end(PICTURE);
            let _ = done.send((end, Instant::now()));
        });
        let revoked = Instant::now();
        stage.owner(&["clients", "revoke", "tv"])?;
        let (end, at) = ended.recv()?;
        Ok::<_, anyhow::Error>((end, at.saturating_duration_since(revoked)))
    });
    let (end, took) = end?;
    ensure!(matches!(end, Some(End::Terminated(_) | End::Disconnected)), "the stream ended with {end:?}");
    ensure!(took <= Duration::from_secs(1), "the stream ended {took:?} after its client was revoked");
    is_unauthorized(stage.address.apps(&stage.identity).map(drop), "applist")?;
    let again = Player::start(&stage.address, &stage.identity, &punktfunk_probe::Options::new(2));
    ensure!(again.is_err(), "a revoked client can play");
    Ok(Outcome::Passed(format!("the stream ended {} ms after the command", took.as_millis())))
}
