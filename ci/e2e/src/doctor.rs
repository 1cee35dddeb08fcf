//! `punktfunk-host doctor` and the support bundle, beside a host that runs and was paired.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::Scenario;
use crate::stage::{Outcome, PIN, Stage, World};

/// The scenarios of this file.
pub const SCENARIOS: &[Scenario] = &[("doctor", doctor), ("support bundle", bundle)];

/// Every probe answers, those of what runs here say so, and a fix can be carried out twice.
fn doctor(world: &World, name: &str) -> Result<Outcome> {
    let stage = Stage::paired(world, name)?;
    let output = stage.host.cli(&["doctor", "--json"])?;
    let report: Value = serde_json::from_slice(&output.stdout)
        .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    let probes = report["probes"].as_array().context("no probes")?;
    ensure!(probes.len() >= 45, "{} probes", probes.len());
    for probe in probes {
        let evidence = probe["evidence"].as_str().unwrap_or_default();
        let broken = ["", "the probe itself failed"].contains(&evidence) || evidence.starts_with("no answer");
        ensure!(!broken, "{probe}");
        let bad = ["warning", "error"].contains(&probe["severity"].as_str().unwrap_or_default());
        ensure!(!bad || probe["fix"].is_string(), "nothing mends {probe}");
    }
    let find = |id: &str| probes.iter().find(|probe| probe["id"] == id).context("a probe is missing");
    for (id, severities, says) in [
        ("host.running", &["ok"][..], "one runs"),
        ("host.clients", &["ok"], "1 paired"),
        ("host.secrets", &["ok"], "files"),
        ("host.certificate", &["ok"], "identity.json until"),
        ("network.ports", &["ok"], "held by this host"),
        ("network.gso", &["ok", "info"], "arrived"),
        ("encoders.h264", &["ok", "warning"], "1080p"),
        ("display.seat", &["ok", "warning"], ""),
        ("audio.seat", &["ok", "warning"], ""),
    ] {
        let probe = find(id)?;
        let severity = probe["severity"].as_str().unwrap_or_default();
        ensure!(severities.contains(&severity), "{probe}");
        ensure!(probe["evidence"].as_str().is_some_and(|text| text.contains(says)), "{probe}");
    }
    let errors = probes.iter().filter(|probe| probe["severity"] == "error").count();
    ensure!(output.status.success() == (errors == 0), "{errors} errors and {}", output.status);
    for _ in 0..2 {
        stage.owner(&["doctor", "--fix", "clear-seats"])?;
    }
    let text = stage.owner(&["doctor", "--area", "host"])?;
    ensure!(text.starts_with("host\n") && text.contains("\n12 probes: "), "{text}");
    let wrong = stage.host.cli(&["doctor", "--area", "weather"])?;
    ensure!(!wrong.status.success(), "an area that there is not was looked at");
    let spoken = find("encoders.h264")?["evidence"].as_str().unwrap_or_default().to_owned();
    Ok(Outcome::Passed(format!("{} probes, {errors} errors; H.264 {spoken}", probes.len())))
}

/// The bundle holds what helps; neither it nor the log has the PIN, a key or a client's name.
fn bundle(world: &World, name: &str) -> Result<Outcome> {
    let stage = Stage::paired(world, name)?;
    let file = stage.folder.join("support.tar.gz");
    stage.owner(&["support-bundle", &file.to_string_lossy()])?;
    let unpack = |arguments: &[&str]| -> Result<String> {
        let output = Command::new("tar").args(arguments).arg(&file).output().context("tar cannot be run")?;
        ensure!(output.status.success(), "tar: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (names, text) = (unpack(&["-tzf"])?, unpack(&["-xzOf"])?);
    for part in [
        "CONTENTS.txt",
        "doctor.json",
        "versions.txt",
        "hardware.txt",
        "clients.json",
        // What only the running host has.
        "log.txt",
        "host.json",
        "settings.json",
    ] {
        ensure!(names.contains(part), "{part} is missing: {names}");
    }
    let state = stage.folder.join("state");
    let claim: Value = serde_json::from_str(&std::fs::read_to_string(state.join("claim.json"))?)?;
    let claim = claim["secret"].as_str().context("the host is claimed already")?;
    ensure!(!text.contains(claim), "the claim secret stands in the bundle");
    // Where the secret looks like other random text, the word before it goes with it.
    let link = text.contains("/#claim=•••") || text.contains("/#•••");
    ensure!(link, "the log in the bundle has no claim link");
    let state: String = ["identity.json", "native-identity.json", "clients.json"]
        .iter()
        .filter_map(|name| std::fs::read_to_string(state.join(name)).ok())
        .collect();
    // Lines of keys, certificates and fingerprints, as they stand in JSON.
    let secrets: Vec<&str> = state
        .split(['"', '\\', '\n'])
        .map(|word| word.trim_start_matches('n'))
        .filter(|word| {
            word.len() >= 32 && word.chars().all(|c| c.is_ascii_alphanumeric() || "+/=".contains(c))
        })
        .collect();
    ensure!(secrets.len() > 20, "only {} secrets in the state", secrets.len());
    let log = stage.log();
    for (where_, text) in [("the bundle", &text), ("the log", &log)] {
        for secret in &secrets {
            // The log names clients by the whole fingerprint, which is no secret.
            let public = where_ == "the log" && secret.len() == 64;
            ensure!(public || !text.contains(secret), "{secret} stands in {where_}");
        }
        let words = text.split(|c: char| !c.is_ascii_alphanumeric());
        ensure!(words.into_iter().all(|word| word != PIN), "the PIN stands in {where_}");
    }
    Ok(Outcome::Passed(format!("{} secrets looked for", secrets.len())))
}
