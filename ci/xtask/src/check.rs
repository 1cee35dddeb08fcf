//! `cargo xtask check`: everything that can be said about the sources without
//! running them. Each step runs, whatever became of the one before.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::tally::Tally;
use crate::{exit_code, layers, licences, program, promises};

/// A file longer than this is mentioned.
const LONG: usize = 600;

/// A file longer than this is an error.
const TOO_LONG: usize = 800;

/// Runs every step and prints which ones failed.
pub fn run() -> Result<ExitCode> {
    let tally = checks()?;
    for (name, reason) in &tally.skipped {
        println!("skipped: {name}: {reason}");
    }
    for what in &tally.failed {
        println!("failed: {what}");
    }
    println!("{}", if tally.is_good() { "all checks passed" } else { "some checks failed" });
    Ok(exit_code(tally.is_good()))
}

/// Runs every step; failed and skipped ones are counted, passed ones are not: they
/// are not tests.
pub fn checks() -> Result<Tally> {
    let mut tally = Tally::default();
    let fmt = program::succeeds(program::cargo().args(["fmt", "--all", "--check"]))?;
    step(&mut tally, "fmt", fmt, "`cargo fmt --all` puts it right");

    // The profile of the tests, so that build scripts and macros are built once.
    let mut clippy = program::cargo();
    clippy.args([
        "clippy",
        "--keep-going",
        "--profile",
        "ci",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]);
    step(&mut tally, "clippy", program::succeeds(&mut clippy)?, "see above");

    let mut docs = program::cargo();
    docs.env("RUSTDOCFLAGS", "-D warnings").args([
        "doc",
        "--keep-going",
        "--profile",
        "ci",
        "--workspace",
        "--no-deps",
    ]);
    step(&mut tally, "docs", program::succeeds(&mut docs)?, "see above");

    step(&mut tally, "layers", layers::print_violations()?, "see above, and ci/layers.toml");
    step(&mut tally, "file lengths", lengths()?, "a file has at most 800 lines; split it");
    step(
        &mut tally,
        "promises",
        promises::are_kept()?,
        "docs/SPECIFICATION.md names a test that is not there",
    );
    step(&mut tally, "licences", licences::is_current()?, "`cargo xtask licences` puts it right");

    if program::output(program::cargo().args(["deny", "--version"])).is_some() {
        let mut deny = program::cargo();
        deny.args(["deny", "--workspace", "check", "bans", "licenses", "sources"]);
        step(&mut tally, "cargo-deny", program::succeeds(&mut deny)?, "see above, and deny.toml");
    } else {
        tally.skip("cargo-deny", "not installed; `cargo install cargo-deny --locked` brings it");
    }
    Ok(tally)
}

fn step(tally: &mut Tally, name: &str, ok: bool, hint: &str) {
    if !ok {
        tally.fail(format!("check {name}: {hint}"));
    }
}

fn lengths() -> Result<bool> {
    let mut ok = true;
    for file in rust_files(&program::root())? {
        let lines = fs::read_to_string(&file)?.lines().count();
        let name = program::relative(&file);
        if lines > TOO_LONG {
            println!("error: {name} has {lines} lines, more than {TOO_LONG}");
            ok = false;
        } else if lines > LONG {
            println!("warning: {name} has {lines} lines, more than {LONG}");
        }
    }
    Ok(ok)
}

/// Every Rust source below `folder` that git does not ignore, sorted.
pub fn rust_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut git = Command::new("git");
    git.current_dir(folder).args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
        "--",
        "*.rs",
    ]);
    if let Some(said) = program::output(&mut git) {
        let mut files: Vec<PathBuf> = said.split_terminator('\0').map(|name| folder.join(name)).collect();
        // A deleted file stays in git's list until the deletion is committed.
        files.retain(|file| file.is_file());
        files.sort();
        files.dedup();
        return Ok(files);
    }
    // Not a git checkout, such as an unpacked archive.
    let mut files = Vec::new();
    walk(folder, &mut files)?;
    files.sort();
    Ok(files)
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if entry.file_type()?.is_dir() {
            if name != "target" && !name.starts_with('.') {
                walk(&path, files)?;
            }
        } else if name.ends_with(".rs") {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_listing_find_this_file() {
        let folder = program::root().join("ci/xtask");
        let mut walked = Vec::new();
        walk(&folder, &mut walked).unwrap();
        let listed = rust_files(&folder).unwrap();
        for files in [walked, listed] {
            assert!(files.contains(&folder.join("src/check.rs")), "{files:?}");
        }
    }
}
