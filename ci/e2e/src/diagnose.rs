//! The tests that a user can run when something does not work.

use anyhow::{Result, ensure};

use crate::Scenario;
use crate::stage::{Outcome, Stage, World};

/// The scenarios of this file.
pub const SCENARIOS: &[Scenario] = &[("diagnostics", diagnostics)];

/// Each stage is found to work, beside a running host.
fn diagnostics(world: &World, name: &str) -> Result<Outcome> {
    let stage = Stage::new(world, name)?;
    let mut said = Vec::new();
    for test in ["display-test", "capture-test", "encode-test", "audio-test", "input-test"] {
        let output = stage.host.cli(&[test, "--seconds", "2", "--mode", "640x360@30"])?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let error = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{test}: {text} {error}");
        ensure!(
            text.lines().count() >= 3 && text.lines().all(|line| line.starts_with("ok")),
            "{test}: {text}"
        );
        said.extend(text.lines().last().map(str::to_owned));
    }
    let missing = stage.host.cli(&["display-test", "--mode", "640x360"])?;
    ensure!(!missing.status.success(), "a mode without a rate was taken");
    Ok(Outcome::Passed(said.join("; ")))
}
