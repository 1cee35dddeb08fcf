//! What the workflow files must hold to. They run where this machine cannot look, so what
//! can be known of them beforehand is tested here: that every command they run exists, and
//! that nothing of somebody else's runs that was not named exactly.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use clap::Parser as _;

use crate::{Arguments, program};

/// Every workflow file with its text.
fn files() -> Result<Vec<(PathBuf, String)>> {
    let folder = program::root().join(".github/workflows");
    let mut files = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        let text = fs::read_to_string(&path)?;
        files.push((path, text));
    }
    ensure!(files.len() >= 3, "the workflow files are gone");
    Ok(files)
}

#[test]
fn every_command_of_a_workflow_is_one_of_ours() -> Result<()> {
    for (path, text) in files()? {
        let mut commands = 0;
        for line in text.lines().filter(|line| !line.trim_start().starts_with(['#', '-'])) {
            let Some((before, command)) = line.split_once("cargo xtask ") else { continue };
            if before.trim_end().ends_with("name:") {
                continue;
            }
            let words =
                command.split_whitespace().take_while(|word| !word.starts_with(['\'', '|', '&', ';']));
            Arguments::try_parse_from(std::iter::once("xtask").chain(words))
                .with_context(|| format!("{}: {line}", path.display()))?;
            commands += 1;
        }
        ensure!(commands > 0, "{} runs none of our commands", path.display());
    }
    Ok(())
}

#[test]
fn what_others_wrote_is_named_by_its_commit_and_may_do_nothing_by_default() -> Result<()> {
    for (path, text) in files()? {
        ensure!(text.lines().any(|line| line == "permissions: {}"), "{}: permissions", path.display());
        // What may write, or holds a key, asks a person first.
        if text.contains(": write") || text.contains("secrets.") {
            ensure!(text.contains("    environment: release\n"), "{}: environment", path.display());
        }
        for line in text.lines() {
            let Some((_, action)) = line.split_once("uses: ") else { continue };
            let commit = action.split_once('@').and_then(|(_, rest)| rest.split_whitespace().next());
            let is_whole = |commit: &str| commit.len() == 40 && commit.bytes().all(|c| c.is_ascii_hexdigit());
            ensure!(commit.is_some_and(is_whole), "{}: {line}", path.display());
        }
    }
    Ok(())
}
