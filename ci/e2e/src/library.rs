//! The library: what the owner adds through the API, and what is done around a launch.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::Scenario;
use crate::host::{processes_of, seat_processes};
use crate::stage::{Outcome, PICTURE, Stage, World, until};

/// The scenarios of this file.
pub const SCENARIOS: &[Scenario] = &[("library: what was prepared is undone", launched_killed_undone)];

/// Asks the API of a host over its socket; the body of the answer.
fn api(stage: &Stage, method: &str, path: &str, body: &str) -> Result<String> {
    let name = format!("punktfunk/api-{}.sock", stage.host.base);
    let folders = [Some("/run".to_owned()), std::env::var("XDG_RUNTIME_DIR").ok()];
    let sockets = folders.into_iter().flatten().map(|folder| PathBuf::from(folder).join(&name));
    let socket = sockets.into_iter().find(|path| path.exists()).context("the API has no socket")?;
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    write!(
        stream,
        "{method} /api/v1{path} HTTP/1.1\r\nHost: localhost\r\nOrigin: https://localhost\r\nX-Punktfunk: 1\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no answer")?;
    ensure!(head.starts_with("HTTP/1.1 2"), "{method} {path}: {answer}");
    Ok(body.to_owned())
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_default()
}

fn launched_killed_undone(world: &World, name: &str) -> Result<Outcome> {
    let mut stage = Stage::paired(world, name)?;
    let log = stage.folder.join("prepared");
    let say = |word: &str| format!("echo {word} >> {}", log.display());
    let new = format!(
        r#"{{"title":"Prepared","command":"exec sleep 600","prep":[{{"do":"{}","undo":"{}"}},{{"do":"{}","undo":"{}"}}]}}"#,
        say("one"),
        say("un-one"),
        say("two"),
        say("un-two")
    );
    api(&stage, "POST", "/apps", &new)?;
    // The client sees it at its next look, without a new start of the host.
    let options = stage.options("Prepared")?.mode(640, 360, 30);
    let player = stage.play(&options)?;
    ensure!(read(&log) == "one\ntwo\n", "before the start was done: {:?}", read(&log));
    let marker = format!("seat-{}-", stage.host.pid());
    stage.host.kill_and_restart()?;
    let running = stage.address.info(&stage.identity)?.running_app();
    ensure!(running == Some(options.app), "the host that was started again says that {running:?} runs");
    ensure!(read(&log) == "one\ntwo\n", "it was undone while the application runs: {:?}", read(&log));
    drop(player);
    // As when the power fails: host and seat are gone at once.
    let seats = processes_of(&marker).into_iter().filter(|one| one.command.contains("--runtime-dir"));
    let pids: Vec<_> =
        seats.map(|one| one.pid).chain([stage.host.pid()]).map(|pid| pid.to_string()).collect();
    ensure!(pids.len() == 2, "one seat was expected: {pids:?}");
    ensure!(Command::new("kill").arg("-KILL").args(&pids).status()?.success(), "they could not be killed");
    stage.host.kill_and_restart()?;
    let undone = "one\ntwo\nun-two\nun-one\n";
    until("what was done to be undone", PICTURE, || (read(&log) == undone).then_some(()))
        .with_context(|| format!("{:?}", read(&log)))?;
    // A command whose end is not on disk yet would rightly run again.
    let journal = stage.folder.join("state/undo.json");
    until("the journal to be empty", PICTURE, || read(&journal).contains(r#""launches": []"#).then_some(()))
        .with_context(|| read(&journal))?;
    stage.host.kill_and_restart()?;
    // An ordinary launch and quit, which ends after anything that would be undone again.
    let player = stage.play(&options)?;
    stage.address.quit(&stage.identity)?;
    drop(player);
    let twice = undone.repeat(2);
    until("the end of the second launch", PICTURE, || (read(&log) == twice).then_some(()))
        .with_context(|| format!("{:?}", read(&log)))?;
    until("the end of the seat", PICTURE, || seat_processes(&marker).is_empty().then_some(()))?;
    Ok(Outcome::Passed(String::new()))
}
