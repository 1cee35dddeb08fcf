//! A clean Debian: what `mmdebstrap` makes, with what a package asks for and nothing else.
//! It is kept for the next run, with a list of what is in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::package::folder;
use crate::program;

/// What a machine has that boots, and what the trials look with.
const MACHINE: [&str; 4] = ["systemd-sysv", "dbus", "iproute2", "procps"];

/// The Debian that the programs were built on; what is linked there runs on no older one.
pub fn release() -> Option<String> {
    let text = fs::read_to_string("/etc/os-release").ok()?;
    let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    (value("ID")? == "debian").then(|| value("VERSION_CODENAME")).flatten().map(str::to_owned)
}

/// Makes the tree that `deb` can be installed into, or finds it.
pub fn base(deb: &Path, release: &str) -> Result<PathBuf> {
    let names = format!("{},{}", MACHINE.join(","), names(deb)?.join(","));
    let file = folder()?.join(format!("debian-{release}.tar"));
    // What is in it; written last.
    let list = file.with_extension("list");
    if fs::read_to_string(&list).is_ok_and(|known| known.trim() == names) && file.is_file() {
        println!("  the clean Debian is there from an earlier run");
    } else {
        let fresh = file.with_extension("new");
        // An archive that does not answer is not waited for.
        let mut make = Command::new("timeout");
        make.args(["--kill-after=20", "420", "mmdebstrap", "--variant=minbase", "--quiet", "--format=tar"]);
        make.arg(format!("--include={names}"));
        make.arg(release).arg(&fresh);
        super::said_well(&mut make)?;
        fs::rename(&fresh, &file)?;
        fs::write(&list, names)?;
    }
    Ok(file)
}

/// Unpacks a base into an empty folder.
pub fn unpack(base: &Path, into: &Path) -> Result<()> {
    super::empty(into)?;
    let mut tar = Command::new("tar");
    tar.args(["--extract", "--numeric-owner", "--xattrs", "--xattrs-include=*", "--file"]).arg(base);
    super::said_well(tar.arg("--directory").arg(into))
}

/// What the package depends on: of alternatives the first, and no versions.
fn names(deb: &Path) -> Result<Vec<String>> {
    let said = program::output(Command::new("dpkg-deb").arg("-f").arg(deb).arg("Depends"));
    let said = said.context("the package does not say what it depends on")?;
    let names: Vec<_> = said
        .split(',')
        .filter_map(|word| word.split('|').next()?.split_whitespace().next())
        .map(str::to_owned)
        .collect();
    ensure!(names.len() > 5, "the package depends on next to nothing: {said}");
    Ok(names)
}
