//! `cargo xtask console`: scenarios that drive a real browser against a real host.
//!
//! `web/e2e/run.ts` holds them and prints what became of each, as the other scenarios
//! do. Here is what they need beforehand: programs, packages, the user a host becomes.
//! Where no browser works it says so and skips them all.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;

use crate::packages::{self, Group};
use crate::tally::{self, Tally};
use crate::{build, exit_code, program, web};

/// Which scenarios.
#[derive(Debug, Default, clap::Args)]
pub struct Options {
    /// Play only scenarios whose name contains one of these
    #[arg(value_name = "NAME")]
    only: Vec<String>,
}

/// Builds what is needed and runs every scenario, or those that were asked for.
pub fn run(options: &Options) -> Result<ExitCode> {
    packages::ensure(&[Group::Build, Group::Run, Group::Test], false)?;
    web::build()?;
    let built = build::programs("ci")?;
    let tally = scenarios(&built, options)?;
    println!("{tally}");
    Ok(exit_code(tally.is_good()))
}

/// Runs the scenarios with the programs in `built`.
pub fn scenarios(built: &Path, options: &Options) -> Result<Tally> {
    let mut tally = Tally::default();
    if program::is_root() {
        build::ensure_user()?;
    }
    let tests = web::Folder::scenarios()?;
    tests.install()?;
    let artefacts = build::target()?.join("console");
    std::fs::create_dir_all(&artefacts)?;
    let mut player = web::node()?;
    player.arg(tests.path.join("run.ts"));
    player.arg("--programs").arg(built).arg("--artefacts").arg(&artefacts);
    player.args(&options.only);
    let completed = program::each_line(&mut player, |line| {
        println!("{line}");
        tally::scenario(&mut tally, "console", line);
    })?;
    if !completed && tally.is_good() {
        tally.fail("console: run.ts ended with an error; see above");
    }
    if completed && tally.passed == 0 && tally.skipped.is_empty() {
        tally.fail("console: no scenario ran");
    }
    println!("artefacts are in {}", artefacts.display());
    Ok(tally)
}
