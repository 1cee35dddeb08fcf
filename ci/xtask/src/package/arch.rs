//! The package for Arch and its relatives, from the texts in `arch/`: what `makepkg` would
//! pack, without `makepkg`, which refuses root and cannot read a tree in root's home.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::manifest::{Format, Manifest, walk};
use super::stage::Stage;
use super::{depends, fill};
use crate::program;

/// What is known of each file, in the words of libarchive.
const KNOWN: &str = "--options=!all,use-set,type,uid,gid,mode,time,size,md5,sha256,link";

/// Packs what `stage` has laid out.
pub fn build(stage: &Stage, into: &Path) -> Result<PathBuf> {
    let line = |key: &'static str| move |value: String| format!("{key} = {value}");
    let manifest = Manifest::read()?;
    let config = manifest.of(Format::Arch).filter(|entry| entry.config);
    let backup: Vec<_> =
        config.map(|entry| entry.to.trim_start_matches('/').to_owned()).map(line("backup")).collect();
    let depends: Vec<_> = depends::of(Format::Arch)?.into_iter().map(line("depend")).collect();
    let values = [
        ("VERSION", stage.version.clone()),
        ("REVISION", stage.revision.to_string()),
        ("EPOCH", stage.epoch.to_string()),
        ("SIZE", super::size(&stage.tree)?.to_string()),
        ("BACKUP", backup.join("\n")),
        ("DEPENDS", depends.join("\n")),
    ];
    let text = fs::read_to_string(program::root().join("arch/PKGINFO"))?;
    fs::write(stage.tree.join(".PKGINFO"), fill(&text, &values)?)?;
    fs::copy(program::root().join("arch/punktfunk.install"), stage.tree.join(".INSTALL"))?;
    stage.same_modes_and_times(&stage.tree)?;

    // The package's own files first: pacman reads no further to know it.
    let list = list(&stage.tree)?;
    let known = bsdtar(stage, &["--format=mtree", KNOWN], &list)?;
    let mtree = through(Command::new("gzip").args(["-cfn9"]), &known)?;
    fs::write(stage.tree.join(".MTREE"), mtree)?;
    stage.same_modes_and_times(&stage.tree)?;
    let packed = through(
        Command::new("zstd").args(["-q", "-9", "-T1", "-c"]),
        &bsdtar(stage, &["--no-fflags"], &[&[".MTREE".to_owned()], list.as_slice()].concat())?,
    )?;
    let file = into.join(format!("punktfunk-{}-{}-x86_64.pkg.tar.zst", stage.version, stage.revision));
    fs::write(&file, packed)?;
    for own in [".PKGINFO", ".INSTALL", ".MTREE"] {
        fs::remove_file(stage.tree.join(own))?;
    }
    Ok(file)
}

/// Folders, files and links, relative, each folder before what is in it.
fn list(tree: &Path) -> Result<Vec<String>> {
    let mut files = Vec::new();
    walk(tree, &mut files)?;
    let mut names = std::collections::BTreeSet::new();
    for file in &files {
        for part in file.strip_prefix(tree)?.ancestors().filter(|part| *part != Path::new("")) {
            names.insert(part.to_str().context("a name that is not text")?.to_owned());
        }
    }
    Ok(names.into_iter().collect())
}

fn bsdtar(stage: &Stage, options: &[&str], names: &[String]) -> Result<Vec<u8>> {
    let mut pack = Command::new("bsdtar");
    pack.args(["-cnf", "-", "--uid", "0", "--gid", "0", "--uname", "root", "--gname", "root"]).args(options);
    pack.args(["--null", "-T", "-"]).current_dir(&stage.tree).env("LC_ALL", "C");
    through(&mut pack, names.join("\0").as_bytes())
}

/// What a program makes of `input`.
fn through(command: &mut Command, input: &[u8]) -> Result<Vec<u8>> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let child = child.as_mut().map_err(|error| anyhow::anyhow!("{name} cannot be started: {error}"))?;
    let mut stdin = child.stdin.take().context("no standard input")?;
    let mut stdout = child.stdout.take().context("no standard output")?;
    // Both at once: a pipe holds less than a package.
    let packed = std::thread::scope(|scope| -> Result<Vec<u8>> {
        let writer = scope.spawn(move || stdin.write_all(input));
        let mut packed = Vec::new();
        std::io::Read::read_to_end(&mut stdout, &mut packed)?;
        writer.join().map_err(|_| anyhow::anyhow!("writing to {name} failed"))??;
        Ok(packed)
    })?;
    ensure!(child.wait()?.success(), "{name} failed");
    Ok(packed)
}
