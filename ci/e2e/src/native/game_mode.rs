//! `Desktop` as the gamescope of the session. None runs here: a stand-in for one belongs to
//! the tests of the seat, which play the rest.

use anyhow::{Context as _, Result, ensure};

use super::{SIZE, cards, paired_with, passed};
use crate::Scenario;
use crate::stage::{Outcome, World};

/// The scenarios of this file.
pub const SCENARIOS: &[Scenario] = &[("native game mode that does not run", none_runs)];

/// The client reads what to do, and everything else plays.
fn none_runs(world: &World, name: &str) -> Result<Outcome> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").unwrap_or_default();
    let names = std::fs::read_dir(runtime).into_iter().flatten().flatten();
    if names.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with("gamescope-")) {
        return Ok(Outcome::Skipped("a gamescope may run for this user".into()));
    }
    let (_stage, guest) = paired_with(world, name, "[desktop]\nsession = \"gamescope\"\n")?;
    let refused = guest.start(&guest.options("Desktop")?).err();
    let said = format!("{:#}", refused.context("Desktop was shown, and no gamescope runs")?);
    ensure!(said.contains("log in to game mode as this user"), "the client reads {said:?}");
    let player = guest.play(&guest.options("Test card")?)?;
    cards(&player, SIZE)?;
    Ok(passed(said))
}
