//! `cargo xtask image`: the appliance, a system of which all is made here. `Containerfile`
//! says how, `image/inputs.toml` from what, `image/rootfs` what of ours is in it.
//!
//! What is made lies in `target/image`. Only root can do it: files of an image are root's.

mod boot;
mod build;
mod disk;
mod inputs;
mod lint;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::{Args, Subcommand, ValueEnum};

use crate::packages::{self, Group};
use crate::tally::Tally;
use crate::{exit_code, program};

/// Options of `cargo xtask image`.
#[derive(Args)]
pub struct Options {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Build the image and lay its files out, to be looked at and installed
    Build(Build),
    /// Check the files of an image: bootc's rules and our own
    Lint {
        /// The files of an image [default: those of the last build]
        root: Option<PathBuf>,
    },
    /// Install the image onto a disk for trying
    Disk {
        /// Install missing system packages without asking
        #[arg(long)]
        yes: bool,
    },
    /// Boot that disk in an emulated machine, look at it and play on it; with the system
    /// extension over it, too, where `cargo xtask package sysext` made one
    Boot {
        /// Where the probe is from
        #[arg(long, value_name = "NAME", default_value = "dist")]
        profile: String,
        /// Install missing system packages without asking
        #[arg(long)]
        yes: bool,
    },
}

/// Options of `cargo xtask image build`.
#[derive(Args)]
pub struct Build {
    /// What to build upon, as image/inputs.toml names it
    #[arg(long, value_name = "NAME", default_value = "debian")]
    base: String,
    /// What graphics cards it is for
    #[arg(long, value_enum, default_value = "mesa")]
    flavour: Flavour,
    /// Refuse everything that image/inputs.toml leaves open
    #[arg(long)]
    release: bool,
    /// Of what it is made.
    #[command(flatten)]
    programs: crate::build::Programs,
}

/// What is installed for graphics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Flavour {
    /// Nothing
    Core,
    /// AMD and Intel
    Mesa,
    /// NVIDIA
    Nvidia,
}

impl Flavour {
    /// As the lists of packages are called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Mesa => "mesa",
            Self::Nvidia => "nvidia",
        }
    }
}

/// Does what was asked for.
pub fn run(options: &Options) -> Result<ExitCode> {
    match &options.verb {
        Verb::Build(options) => {
            // First what costs nothing: a release with something missing is not begun.
            let inputs = inputs::Inputs::read()?;
            let base = inputs.base(&options.base, options.flavour)?;
            if options.release {
                inputs.is_settled(&options.base)?;
            }
            only_root()?;
            packages::ensure(&[Group::Build, Group::Image], options.programs.yes)?;
            let built = options.programs.folder()?;
            let root = build::run(options.flavour, options.release, &built, &inputs, base)?;
            checked(&root)
        }
        Verb::Lint { root } => match root {
            Some(root) => checked(root),
            None => checked(&built_root()?),
        },
        Verb::Disk { yes } => {
            only_root()?;
            packages::ensure(&[Group::Image], *yes)?;
            disk::make(&built_root()?)?;
            Ok(ExitCode::SUCCESS)
        }
        Verb::Boot { profile, yes } => {
            only_root()?;
            packages::ensure(&[Group::Image, Group::Vm], *yes)?;
            let extension = newest_extension()?;
            boot::run(&disk::made()?, &crate::build::folder(profile)?, extension.as_deref())?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// All of it as a part of the tests, with the programs in `built`: what a machine lacks is
/// skipped and never a failure.
pub fn stage(built: &Path, yes: bool) -> Result<Tally> {
    let mut tally = Tally::default();
    // Nobody else needs them, because nobody else can do what follows.
    if program::is_root()
        && let Err(error) = packages::ensure(&[Group::Image, Group::Vm], yes)
    {
        println!("packages: {error:#}");
    }
    if let Some(why) = lacking() {
        tally.skip("image: built, checked, booted and played on", why);
        return Ok(tally);
    }
    let inputs = inputs::Inputs::read()?;
    let base = inputs.base("debian", Flavour::Mesa)?;
    let root = build::run(Flavour::Mesa, false, built, &inputs, base)?;
    tally.passed += 1;
    tally.add(lint::all(&root)?);
    let disk = disk::make(&root)?;
    let extension = newest_extension()?;
    if extension.is_none() {
        tally.skip("image: a system extension over it", "`cargo xtask package sysext` made none");
    }
    boot::run(&disk, built, extension.as_deref())?;
    tally.passed += 1;
    Ok(tally)
}

/// Why an image cannot be made and tried here.
fn lacking() -> Option<String> {
    if !program::is_root() {
        return Some("only root can make an image".to_owned());
    }
    let needed = ["buildah", "mmdebstrap", "ostree", "qemu-system-x86_64", "ip", "setpriv"];
    if let Some(name) = needed.into_iter().find(|name| program::find(name).is_none()) {
        return Some(format!("{name} is not installed"));
    }
    (!Path::new("/dev/net/tun").exists()).then(|| "there is no /dev/net/tun here".to_owned())
}

/// The files of the last image.
fn built_root() -> Result<PathBuf> {
    let root = folder()?.join("root");
    ensure!(root.join("usr").is_dir(), "there is no image yet: `cargo xtask image build`");
    Ok(root)
}

/// The system extension that was made last, if any was.
fn newest_extension() -> Result<Option<PathBuf>> {
    let folder = crate::build::target()?.join("package");
    let Ok(entries) = fs::read_dir(&folder) else { return Ok(None) };
    let images = entries.flatten().map(|entry| entry.path()).filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("punktfunk_") && name.ends_with(".raw")
    });
    Ok(images.max_by_key(|path| path.metadata().and_then(|known| known.modified()).ok()))
}

fn checked(root: &Path) -> Result<ExitCode> {
    let tally = lint::all(root)?;
    println!("{tally}");
    Ok(exit_code(tally.is_good()))
}

fn only_root() -> Result<()> {
    ensure!(program::is_root(), "only root can do this: files of an image are root's");
    Ok(())
}

/// Where images are made.
fn folder() -> Result<PathBuf> {
    let folder = crate::build::target()?.join("image");
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    Ok(folder)
}

/// An empty folder, whatever was there.
fn empty(folder: &Path) -> Result<PathBuf> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    Ok(folder.to_owned())
}
