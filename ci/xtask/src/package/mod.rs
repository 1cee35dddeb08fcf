//! `cargo xtask package`: what is built, in the forms in which it reaches machines.
//!
//! All of them are made from one list, `image/manifest.toml`, and one tree of files,
//! `image/rootfs`; the texts of each format are in its own folder (`deb`, `rpm`, `arch`).
//! What is made lies in `target/package`. [`trial`] installs it and looks.

mod arch;
mod contents;
mod deb;
mod depends;
mod lint;
pub mod manifest;
mod rpm;
pub mod stage;
pub mod sysext;
pub mod trial;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use crate::packages::{self, Group};
use crate::{build, exit_code};
use manifest::Format;
use stage::Stage;

/// Options of `cargo xtask package`.
#[derive(Args)]
pub struct Options {
    /// What to make
    what: What,
    /// Of what it is made.
    #[command(flatten)]
    programs: build::Programs,
    /// Counts packages of one version
    #[arg(long, value_name = "N", default_value_t = 1)]
    revision: u32,
    /// Of the system extension.
    #[command(flatten)]
    sysext: sysext::Options,
}

/// What can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// The package for Debian and its relatives
    Deb,
    /// The package for Fedora and its relatives
    Rpm,
    /// The package for Arch and its relatives
    Arch,
    /// All three
    All,
    /// The system extension, for systems whose /usr cannot be written to
    Sysext,
    /// Nothing: install, update, break and remove the extension on four pretended systems
    SysextTrial,
    /// Nothing: install the three, remove them, compare them, and say what is wrong
    Trial,
}

/// The formats that are packages of a distribution.
pub const PACKAGES: [Format; 3] = [Format::Deb, Format::Rpm, Format::Arch];

/// Builds, lays out, packs.
pub fn run(options: &Options) -> Result<ExitCode> {
    packages::ensure(&[Group::Build, Group::Package], options.programs.yes)?;
    let built = options.programs.folder()?;
    let formats = match options.what {
        What::Deb => vec![Format::Deb],
        What::Rpm => vec![Format::Rpm],
        What::Arch => vec![Format::Arch],
        What::All => PACKAGES.to_vec(),
        What::Sysext => {
            println!("{}", sysext::make(&built, options.revision, &options.sysext)?.display());
            return Ok(ExitCode::SUCCESS);
        }
        What::SysextTrial => {
            let tally = sysext::trial::run(&built)?;
            println!("{tally}");
            return Ok(exit_code(tally.is_good()));
        }
        What::Trial => {
            let tally = trial::all(&built)?;
            println!("{tally}");
            return Ok(exit_code(tally.is_good()));
        }
    };
    for format in formats {
        println!("{}", make(format, &built, options.revision)?.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes one package and returns where it lies.
pub fn make(format: Format, built: &Path, revision: u32) -> Result<PathBuf> {
    let stage = Stage::make(format, built, revision)?;
    let into = folder()?;
    match format {
        Format::Deb => deb::build(&stage, &into),
        Format::Rpm => rpm::build(&stage, &into),
        Format::Arch => arch::build(&stage, &into),
        Format::Sysext | Format::Image => bail!("{format:?} is no package"),
    }
    .with_context(|| format!("making the {format:?} package"))
}

/// Where packages are made.
pub fn folder() -> Result<PathBuf> {
    let folder = build::target()?.join("package");
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    Ok(folder)
}

/// Puts values in the places of a text: `@NAME@`. Every value has a place, and every place
/// a value.
fn fill(text: &str, values: &[(&str, String)]) -> Result<String> {
    let mut text = text.to_owned();
    for (name, value) in values {
        let place = format!("@{name}@");
        if !text.contains(&place) {
            bail!("{place} is not in the text");
        }
        text = text.replace(&place, value);
    }
    let words: Vec<&str> = text.split('@').collect();
    let between = words.get(1..words.len().saturating_sub(1)).unwrap_or_default();
    let is_place = |word: &&&str| !word.is_empty() && word.chars().all(|letter| letter.is_ascii_uppercase());
    let left = between.iter().find(is_place);
    match left {
        Some(word) => bail!("nothing is known for @{word}@"),
        None => Ok(text),
    }
}

/// Bytes of all files below `tree`.
fn size(tree: &Path) -> Result<u64> {
    let mut files = Vec::new();
    manifest::walk(tree, &mut files)?;
    files.iter().map(|file| Ok(file.symlink_metadata()?.len())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_filled() {
        let values = [("A", "1".to_owned())];
        assert_eq!(fill("x @A@ y@z", &values).unwrap(), "x 1 y@z");
        assert!(fill("x @A@ @B@", &values).is_err());
        assert!(fill("x", &values).is_err());
    }
}
