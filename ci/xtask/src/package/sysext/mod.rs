//! `cargo xtask package sysext`: the system extension, one image that systemd lays over
//! `/usr` of Bazzite, SteamOS, Fedora's atomic desktops and Debian.
//!
//! Self-contained: programs look for private libraries beside them. What it may ask of a
//! machine is `sysext/contract.toml`; a tree that breaks it is not packed. Packed twice, it
//! has to be the same image.

mod contract;
mod elf;
mod ffmpeg;
pub mod trial;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::manifest::{Format, walk};
use super::stage::Stage;
use crate::program;
use contract::Contract;

/// Folder of the payload's programs, from the root of a tree.
const PROGRAMS: &str = "usr/lib/punktfunk";
/// What the extension says of itself.
const RELEASE: &str = "usr/lib/extension-release.d/extension-release.punktfunk";

/// What is put into an extension besides the payload.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(id = "sysext")]
pub struct Options {
    /// System extension: its version, when it is not that of Cargo.toml
    #[arg(long, value_name = "VERSION")]
    pub release: Option<String>,
    /// System extension: folder with the public keys (*.pub) that sign releases: two of them
    #[arg(long, value_name = "DIR")]
    pub trust: Option<PathBuf>,
    /// System extension: where releases will be, such as an https:// address
    #[arg(long, value_name = "ADDRESS")]
    pub source: Option<String>,
}

/// Makes the extension from what cargo put into `built`, and returns the image.
pub fn make(built: &Path, revision: u32, options: &Options) -> Result<PathBuf> {
    let stage = Stage::make(Format::Sysext, built, revision)?;
    let version = options.release.clone().unwrap_or_else(|| stage.version.clone());
    complete(&stage.tree, &version, options)?;
    stage.same_modes_and_times(&stage.tree)?;
    let image = super::folder()?.join(image_name(&version));
    pack_twice(&stage.tree, &stage.work, &image)?;
    if options.trust.is_none() {
        println!("sysext: without --trust it trusts nobody, and cannot bring newer releases");
    }
    Ok(image)
}

/// What systemd's own updater would call it, too.
pub fn image_name(version: &str) -> String {
    format!("punktfunk_{version}_{}.raw", architecture())
}

fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "x86-64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// Adds to a tree with the payload what only an extension has.
fn complete(tree: &Path, version: &str, options: &Options) -> Result<()> {
    libraries(tree)?;
    put(tree, &format!("{PROGRAMS}/release"), &format!("{version}\n"))?;
    name(tree, version, "_any", architecture())?;
    if let Some(folder) = &options.trust {
        let keys: Vec<_> = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
        let keys: Vec<_> =
            keys.into_iter().filter(|path| path.extension().is_some_and(|name| name == "pub")).collect();
        ensure!(
            keys.len() >= 2,
            "{} holds fewer than two keys: releases need a second one",
            folder.display()
        );
        for key in keys {
            let name = key.file_name().unwrap_or_default().to_string_lossy().into_owned();
            put(tree, &format!("{PROGRAMS}/trust/{name}"), &fs::read_to_string(&key)?)?;
        }
    }
    if let Some(source) = &options.source {
        put(tree, &format!("{PROGRAMS}/release-source"), &format!("{source}\n"))?;
    }
    let wrong = Contract::read()?.violations(tree)?;
    if !wrong.is_empty() {
        bail!("the tree breaks sysext/contract.toml:\n  {}", wrong.join("\n  "));
    }
    Ok(())
}

/// The file by which systemd decides whether an extension fits a system.
fn name(tree: &Path, version: &str, id: &str, architecture: &str) -> Result<()> {
    // Any system: what the programs need is in the contract, and not in the name of the
    // system, whose versions would make the extension disappear with each of its updates.
    let text = format!(
        "ID={id}\nARCHITECTURE={architecture}\nEXTENSION_RELOAD_MANAGER=1\nPUNKTFUNK_VERSION={version}\n"
    );
    put(tree, RELEASE, &text)
}

fn put(tree: &Path, path: &str, text: &str) -> Result<()> {
    let file = tree.join(path);
    let folder = file.parent().context("a path without a folder")?;
    fs::create_dir_all(folder)?;
    fs::write(&file, text).with_context(|| format!("writing {}", file.display()))?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644))?;
    Ok(())
}

/// Carries what programs need and machines may lack, and says where it is.
fn libraries(tree: &Path) -> Result<()> {
    let contract = Contract::read()?;
    let ffmpeg = ffmpeg::build(&super::folder()?)?;
    let folder = tree.join(PROGRAMS).join("lib");
    fs::create_dir_all(&folder)?;
    let mut files = Vec::new();
    walk(&tree.join(PROGRAMS), &mut files)?;
    let mut open = Vec::new();
    for file in files {
        if let Some(facts) = elf::read(&file)? {
            runpath(&file, "$ORIGIN/lib")?;
            open.extend(facts.needed);
        }
    }
    let mut carried = BTreeSet::new();
    while let Some(library) = open.pop() {
        // What is neither is told by the contract.
        if contract.is_of_the_host(&library)
            || !contract.carried_libraries.contains_key(&library)
            || !carried.insert(library.clone())
        {
            continue;
        }
        let own = ffmpeg.join(&library);
        let from = if own.is_file() { own } else { installed(&library)? };
        let to = folder.join(&library);
        let mut strip = Command::new("strip");
        strip.args(["--strip-unneeded", "--remove-section=.comment", "-o"]).arg(&to).arg(&from);
        ensure!(program::output(&mut strip).is_some(), "`strip` cannot read {}", from.display());
        runpath(&to, "$ORIGIN")?;
        fs::set_permissions(&to, fs::Permissions::from_mode(0o644))?;
        open.extend(elf::read(&to)?.unwrap_or_default().needed);
    }
    Ok(())
}

fn runpath(file: &Path, path: &str) -> Result<()> {
    let mode = fs::metadata(file)?.permissions();
    let mut patchelf = Command::new("patchelf");
    patchelf.args(["--set-rpath", path]).arg(file);
    ensure!(program::output(&mut patchelf).is_some(), "`patchelf` cannot change {}", file.display());
    Ok(fs::set_permissions(file, mode)?)
}

/// Where the loader of this machine finds a library.
fn installed(library: &str) -> Result<PathBuf> {
    let ldconfig = program::find("ldconfig").context("ldconfig is missing")?;
    let known = program::output(Command::new(ldconfig).arg("-p")).unwrap_or_default();
    let line = known.lines().find(|line| line.split_whitespace().next() == Some(library));
    let path = line.and_then(|line| line.split_once("=> ")).map(|(_, path)| PathBuf::from(path.trim()));
    path.with_context(|| format!("{library} is to be carried and is not installed"))
}

/// Packs a tree, and a copy of it: both have to be the same image.
fn pack_twice(tree: &Path, work: &Path, image: &Path) -> Result<()> {
    let (copy, again) = (work.join("copy"), work.join("again.raw"));
    let mut cp = Command::new("cp");
    program::must(cp.args(["-r", "--preserve=mode,links", "--no-dereference"]).arg(tree).arg(&copy))?;
    pack(tree, image)?;
    pack(&copy, &again)?;
    let same = fs::read(image)? == fs::read(&again)?;
    fs::remove_dir_all(&copy)?;
    fs::remove_file(&again)?;
    if !same {
        fs::remove_file(image)?;
        bail!("packed twice, {} was two images", image.display());
    }
    Ok(())
}

/// Makes an image of a tree.
fn pack(tree: &Path, image: &Path) -> Result<()> {
    if image.exists() {
        fs::remove_file(image)?;
    }
    let mkfs = program::find("mkfs.erofs").context("mkfs.erofs is missing; install erofs-utils")?;
    let mut mkfs = Command::new(mkfs);
    // No time and no random number, and nobody but root owns anything.
    mkfs.args(["--quiet", "-zlz4hc", "-T0", "-U00000000-0000-0000-0000-000000000000", "--all-root"]);
    let contexts = program::root().join("sysext/file_contexts");
    mkfs.arg(format!("--file-contexts={}", contexts.display())).arg(image).arg(tree);
    program::must(&mut mkfs)
}
