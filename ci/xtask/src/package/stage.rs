//! Laying out: the tree of files that a format packs, made from what was built. The same
//! build makes the same bytes, modes and times.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};

use super::manifest::{Format, Manifest, Source};
use crate::program;

/// What a format is made of.
pub struct Stage {
    /// The files, as they are to lie on the system.
    pub tree: PathBuf,
    /// A place for the format's own work, beside them.
    pub work: PathBuf,
    /// Seconds since 1970 that every file and package carries.
    pub epoch: u64,
    /// `0.1.0`
    pub version: String,
    /// Counts packages of one version.
    pub revision: u32,
}

impl Stage {
    /// Lays out for `format` what cargo has put into `built`.
    pub fn make(format: Format, built: &Path, revision: u32) -> Result<Self> {
        let name = format!("{format:?}-{revision}").to_lowercase();
        let folder = super::folder()?.join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))?;
        }
        let stage = Self {
            tree: folder.join("tree"),
            work: folder.join("work"),
            epoch: epoch(),
            version: version()?,
            revision,
        };
        fs::create_dir_all(&stage.work)?;
        for entry in Manifest::read()?.of(format) {
            let to = stage.tree.join(entry.to.trim_start_matches('/'));
            fs::create_dir_all(to.parent().context("a path without a folder")?)?;
            let (source, packed) = entry.source()?;
            match &source {
                Source::Link(target) => {
                    symlink(target, &to)?;
                    continue;
                }
                Source::Tree(file) => drop(fs::copy(program::root().join(file), &to)?),
                Source::Program(name) => strip(&built.join(name), &to)?,
                Source::Made(what) => fs::write(&to, made(built, what)?)?,
                Source::Packager(what) => fs::write(&to, stage.packager(format, what)?)?,
            }
            if packed {
                pack(&to)?;
            }
            fs::set_permissions(&to, fs::Permissions::from_mode(entry.mode()?))?;
        }
        stage.same_modes_and_times(&stage.tree)?;
        Ok(stage)
    }

    /// Folders that anybody may read, whatever the umask of who builds; every time the same.
    pub fn same_modes_and_times(&self, folder: &Path) -> Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                self.same_modes_and_times(&entry.path())?;
            } else {
                self.touch(&entry.path())?;
            }
        }
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
        self.touch(folder)
    }

    fn touch(&self, path: &Path) -> Result<()> {
        let mut touch = Command::new("touch");
        touch.args(["--no-dereference", "--date", &format!("@{}", self.epoch)]).arg(path);
        ensure!(program::output(&mut touch).is_some(), "{} cannot be given its time", path.display());
        Ok(())
    }

    fn packager(&self, format: Format, what: &str) -> Result<String> {
        ensure!((format, what) == (Format::Deb, "changelog"), "{format:?} writes no {what}");
        super::deb::changelog(self)
    }
}

/// Without symbols, which are most of a program.
fn strip(from: &Path, to: &Path) -> Result<()> {
    ensure!(from.is_file(), "{} is missing; build it first", from.display());
    let mut strip = Command::new("strip");
    strip.args(["--strip-unneeded", "--remove-section=.comment", "-o"]).arg(to).arg(from);
    ensure!(program::output(&mut strip).is_some(), "`strip` cannot read {}", from.display());
    Ok(())
}

fn made(built: &Path, what: &str) -> Result<String> {
    let host = built.join("punktfunk-host");
    program::output(Command::new(&host).args(["generate", what]))
        .with_context(|| format!("`{} generate {what}` failed", host.display()))
}

/// Packs a file in place; without name and time, which would differ.
fn pack(file: &Path) -> Result<()> {
    let output = Command::new("gzip").args(["-9nc"]).arg(file).stdin(Stdio::null()).output()?;
    ensure!(output.status.success(), "gzip cannot pack {}", file.display());
    Ok(fs::write(file, output.stdout)?)
}

/// Seconds since 1970 at the start of 2026; nothing of this is older. Packages with files
/// from 1970 are refused by those who check them.
const OLDEST: u64 = 1_767_225_600;

/// What `SOURCE_DATE_EPOCH` says, else the time of the last commit, if git knows of one and
/// it is not in this machine's future.
fn epoch() -> u64 {
    let said = std::env::var("SOURCE_DATE_EPOCH").ok();
    let commit = || program::output(program::in_root("git").args(["log", "-1", "--format=%ct"]));
    let time = said.or_else(commit).and_then(|text| text.trim().parse().ok());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    time.filter(|time| (OLDEST..=now).contains(time)).unwrap_or(OLDEST)
}

/// The version in `Cargo.toml`, which all our crates share.
fn version() -> Result<String> {
    let text = fs::read_to_string(program::root().join("Cargo.toml"))?;
    let manifest: toml::Table = toml::from_str(&text)?;
    let version = manifest.get("workspace").and_then(|it| it.get("package")).and_then(|it| it.get("version"));
    let version = version.and_then(|version| version.as_str());
    Ok(version.context("Cargo.toml names no version")?.to_owned())
}
