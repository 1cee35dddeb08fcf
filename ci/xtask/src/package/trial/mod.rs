//! Packages are made, compared, installed into clean roots and taken out again. The one for
//! Debian is also booted, in a container, and played on from outside of it ([`boot`]).
//!
//! The commands for that are those of `docs/install`. What cannot be done on this machine is
//! skipped, with the reason.

mod boot;
mod debian;
mod machine;
mod tree;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::contents::{self, Facts};
use super::lint::{self, check, said_well};
use super::manifest::{Format, Manifest};
use super::{PACKAGES, folder, make};
use crate::packages::{self, Group};
use crate::tally::Tally;
use crate::{pages, program};

/// The release of Debian whose programs judge packages as they are here.
const PROVEN: &str = "bookworm";

/// All trials as a part of the tests: what a machine lacks is skipped and never a failure.
pub fn stage(built: &Path, yes: bool) -> Result<Tally> {
    if debian::release().as_deref() != Some(PROVEN) {
        let mut tally = Tally::default();
        pages(&mut tally, built);
        let why = "tried on Debian 12 only; `cargo xtask package trial` tries them anyway";
        tally.skip("trials of packages", why);
        return Ok(tally);
    }
    if let Err(error) = packages::ensure(&[Group::Package], yes) {
        println!("packages: {error:#}");
    }
    all(built)
}

/// All trials, with the programs in `built`.
pub fn all(built: &Path) -> Result<Tally> {
    let mut tally = Tally::default();
    pages(&mut tally, built);
    let work = folder()?.join("trial");
    fs::create_dir_all(&work)?;
    lint::sources(&mut tally, &work.join("units"));
    let mut made = Vec::new();
    for (format, tool) in PACKAGES.into_iter().zip(["dpkg-deb", "rpmbuild", "bsdtar"]) {
        check(&mut tally, &format!("{format:?} made twice is the same"), tool, || {
            made.push((format, twice(format, built)?));
            Ok(())
        });
    }
    for (format, file) in &made {
        lint::package(&mut tally, *format, file);
    }
    check(&mut tally, "all formats hold the same", "bsdtar", || parity(&made, &work));
    for (format, file) in &made {
        if matches!(format, Format::Rpm | Format::Arch) && !can_change_root() {
            tally.skip(format!("package: {format:?} in a tree of its own"), "only root can change into one");
            continue;
        }
        match format {
            Format::Rpm => {
                let name = "the rpm is installed, updated, taken back and removed";
                check(&mut tally, name, "rpm", || tree::rpm(file, built, &work));
            }
            Format::Arch => {
                let name = "the Arch package is installed, updated, taken back and removed";
                check(&mut tally, name, "pacman", || tree::arch(file, built, &work));
            }
            _ => {}
        }
    }
    match made.iter().find(|(format, _)| *format == Format::Deb) {
        Some((_, deb)) => boot::trials(&mut tally, deb, built, &work),
        None => tally.skip("package: a clean Debian", "there is no deb"),
    }
    Ok(tally)
}

/// Whatever the machine: the program is there.
fn pages(tally: &mut Tally, built: &Path) {
    check(tally, "the host knows every command of the pages", "sh", || {
        pages::the_host_knows(&built.join("punktfunk-host"))
    });
}

/// Makes a package twice from one build.
fn twice(format: Format, built: &Path) -> Result<PathBuf> {
    let first = make(format, built, 1)?;
    let bytes = fs::read(&first)?;
    let second = make(format, built, 1)?;
    ensure!(fs::read(second)? == bytes, "the second one has other bytes");
    Ok(first)
}

fn parity(made: &[(Format, PathBuf)], work: &Path) -> Result<()> {
    let mut packages: Vec<(Format, Facts)> = Vec::new();
    for (format, file) in made {
        packages.push((*format, contents::of(*format, file, &work.join(format!("{format:?}")))?));
    }
    let lines = contents::differences(&Manifest::read()?, &packages)?;
    ensure!(lines.is_empty(), "{}", lines.join("\n"));
    ensure!(
        packages.len() == PACKAGES.len(),
        "only {} of {} packages were made",
        packages.len(),
        PACKAGES.len()
    );
    println!(
        "  {} formats, {} files",
        packages.len(),
        packages.iter().map(|(_, facts)| facts.len()).max().unwrap_or(0)
    );
    Ok(())
}

/// Whether programs can be run in another root, as rpm and pacman run theirs.
fn can_change_root() -> bool {
    program::is_root() && program::output(Command::new("chroot").args(["/", "true"])).is_some()
}

fn empty(folder: &Path) -> Result<PathBuf> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    fs::create_dir_all(folder)?;
    Ok(folder.to_owned())
}
