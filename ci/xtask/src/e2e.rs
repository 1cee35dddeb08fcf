//! `cargo xtask e2e`: the scenarios with real processes.
//!
//! `punktfunk-e2e` holds them. It gets the programs to test and a folder for what
//! they leave behind (screenshots, logs), and puts the programs itself where the user
//! they run as can read them.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::packages::{self, Group};
use crate::tally::{self, Tally};
use crate::{build, exit_code, program};

/// Which scenarios, and how.
#[derive(Debug, Default, clap::Args)]
pub struct Options {
    /// Play the long versions of those that have one: a hundred launches, every odd
    /// mode, a minute of storm
    #[arg(long)]
    long: bool,
    /// Play only scenarios whose name contains one of these
    #[arg(value_name = "NAME")]
    only: Vec<String>,
}

/// Builds what is needed and runs every scenario, or those that were asked for.
pub fn run(options: &Options) -> Result<ExitCode> {
    packages::ensure(&[Group::Build, Group::Run, Group::Test], false)?;
    build::everything()?;
    let tally = scenarios(&build::folder("ci")?, options)?;
    println!("{tally}");
    Ok(exit_code(tally.is_good()))
}

/// Runs the scenarios with the programs in `built`.
pub fn scenarios(built: &Path, options: &Options) -> Result<Tally> {
    let artefacts = build::target()?.join("e2e");
    std::fs::create_dir_all(&artefacts)?;
    let mut player = Command::new(built.join("punktfunk-e2e"));
    player.arg("--artefacts").arg(&artefacts);
    player.arg("--host").arg(built.join("punktfunk-host"));
    player.arg("--seat").arg(built.join("punktfunk-seat"));
    if options.long {
        player.arg("--long");
    }
    player.args(&options.only);
    let mut tally = Tally::default();
    let completed = program::each_line(&mut player, |line| {
        println!("{line}");
        tally::scenario(&mut tally, "e2e", line);
    })?;
    if !completed && tally.is_good() {
        tally.fail("e2e: punktfunk-e2e ended with an error; see above");
    }
    if completed && tally.passed == 0 && tally.skipped.is_empty() {
        tally.fail("e2e: no scenario ran");
    }
    println!("artefacts are in {}", artefacts.display());
    Ok(tally)
}
