//! Backup, restore and the state of the factory, asked for through the management API: they
//! take effect when the host has started anew, which it does by itself.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use punktfunk_probe::refusal;
use serde_json::{Value, json};

use crate::Scenario;
use crate::stage::{Outcome, PICTURE, Stage, World, until};

/// The scenarios of this file.
pub const SCENARIOS: &[Scenario] = &[("backup restored", restored), ("factory reset", reset)];

/// What backups are sealed with here.
const PASSPHRASE: &str = "walrus and kettle";
/// What the owner logs in with.
const PASSWORD: &str = "a good password";

/// What a restore must bring back: who the host is, whom it knows, how it is set, and what
/// can be played.
#[derive(Debug, PartialEq)]
struct State {
    id: Value,
    devices: Vec<(Value, Value)>,
    settings: Value,
    apps: Vec<Value>,
}

impl State {
    fn of(stage: &Stage) -> Result<Self> {
        let (devices, apps) = (stage.ctl(&["devices.list"])?, stage.ctl(&["apps.list"])?);
        let all = |list: &Value, of: &str| list[of].as_array().cloned().context("no list");
        let device = |device: &Value| (device["id"].clone(), device["name"].clone());
        Ok(Self {
            id: stage.ctl(&["host.show"])?["id"].clone(),
            devices: all(&devices, "devices")?.iter().map(device).collect(),
            settings: stage.ctl(&["settings.list"])?["settings"].clone(),
            apps: all(&apps, "apps")?.iter().map(|app| app["title"].clone()).collect(),
        })
    }
}

fn restored(world: &World, name: &str) -> Result<Outcome> {
    let stage = Stage::paired(world, name)?;
    stage.ctl(&["apps.add", "title=Kart", "command=true"])?;
    let before = State::of(&stage)?;
    let file = stage.folder.join("sealed");
    let path = file.to_str().context("a folder without a name")?;
    let passphrase = format!("passphrase={PASSPHRASE}");
    stage.owner(&["ctl", "backup.save", &passphrase, "--output", path])?;

    let tv = before.devices.first().and_then(|(id, _)| id.as_str()).context("nothing is paired")?;
    stage.ctl(&["devices.change", &format!("id={tv}"), "name=television"])?;
    stage.ctl(&["settings.change", r#"values={"sessions.max": 3, "name": "another"}"#])?;
    stage.ctl(&["apps.add", "title=Later", "command=true"])?;
    let phone = stage.another("phone")?;
    let changed = State::of(&stage)?;
    ensure!(changed != before && changed.apps.len() == before.apps.len() + 1, "nothing was changed");

    let wrong = restore(&stage, "another one", &file)?;
    ensure!(!wrong, "a wrong passphrase opened the backup");
    ensure!(State::of(&stage)? == changed, "what is refused changes something");
    ensure!(restore(&stage, PASSPHRASE, &file)?, "the backup was refused");
    // Until the new start the host answers with what it has in memory.
    let back = until("the state of the backup", PICTURE * 2, || {
        State::of(&stage).ok().filter(|state| state.devices == before.devices)
    })?;
    ensure!(back == before, "the host is {back:?} and was {before:?}");
    ensure!(stage.address.info(&stage.identity)?.paired(), "who was paired then is not any more");
    let late = stage.address.apps(&phone).err().context("who was paired after the backup still is")?;
    ensure!(refusal(&late) == Some(401), "it is answered with {late:#}");
    let player = stage.play(&stage.options("Test card")?.mode(640, 360, 30))?;
    player.wait_for("a readable Test card", PICTURE, |stats| {
        stats.seen.iter().any(|seen| seen.code.is_some())
    })?;
    Ok(Outcome::Passed(String::new()))
}

/// Whether the host takes a backup.
fn restore(stage: &Stage, passphrase: &str, file: &std::path::Path) -> Result<bool> {
    let body = json!({ "passphrase": passphrase, "data": BASE64_STANDARD.encode(fs::read(file)?) });
    let mut command = stage.host.cli_command(&["ctl", "backup.restore", "--body", "-"]);
    let mut owner = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    owner.stdin.take().context("no way in")?.write_all(body.to_string().as_bytes())?;
    let output = owner.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(matches!(output.status.code(), Some(0 | 7)), "backup.restore: {} {said}", output.status);
    Ok(output.status.success())
}

fn reset(world: &World, name: &str) -> Result<Outcome> {
    let stage = Stage::paired(world, name)?;
    let secret = claim(&stage, None)?;
    let before = State::of(&stage)?;
    // What runs belongs to nobody after that.
    let player = stage.play(&stage.options("Test card")?.mode(640, 360, 30))?;
    let refused = stage.host.cli(&["ctl", "backup.reset", "confirm=yes"])?;
    ensure!(refused.status.code() == Some(7), "a reset that is not confirmed ended with {}", refused.status);
    stage.ctl(&["backup.reset", &format!("confirm=e2e {name}")])?;
    player.wait_for_end(PICTURE).context("the stream goes on")?;
    until("a host that is nobody's", PICTURE * 2, || {
        let public = stage.ctl(&["host.public"]).ok()?;
        (public["claimed"] == false).then_some(())
    })?;
    let after = State::of(&stage)?;
    ensure!(after.id != before.id, "it is the host that it was");
    ensure!(after.devices.is_empty(), "{:?} are paired", after.devices);
    let sessions = stage.ctl(&["sessions.list"])?;
    ensure!(sessions["sessions"] == json!([]), "{sessions} goes on");
    let login = stage.host.cli(&["ctl", "login.login", &format!("password={PASSWORD}")])?;
    ensure!(login.status.code() == Some(6), "the former owner's password: {}", login.status);
    claim(&stage, Some(&secret))?;
    let again = stage.ctl(&["login.login", &format!("password={PASSWORD}")])?;
    ensure!(again["scope"] == "owner", "the new owner is {again}");
    Ok(Outcome::Passed(String::new()))
}

/// Makes the host one's own with the secret that it shows, which is not `former`.
fn claim(stage: &Stage, former: Option<&str>) -> Result<String> {
    let shown: Value = serde_json::from_str(&stage.owner(&["claim", "--json"])?)?;
    let secret = shown["secret"].as_str().context("the host is somebody's")?.to_owned();
    ensure!(former != Some(&*secret), "the former secret is shown again");
    if let Some(former) = former {
        let old = stage.host.cli(&[
            "ctl",
            "claim.claim",
            &format!("secret={former}"),
            &format!("password={PASSWORD}"),
        ])?;
        ensure!(old.status.code() == Some(4), "the former secret: {}", old.status);
    }
    stage.ctl(&["claim.claim", &format!("secret={secret}"), &format!("password={PASSWORD}")])?;
    ensure!(stage.ctl(&["host.public"])?["claimed"] == true, "it was claimed and is nobody's");
    Ok(secret)
}
