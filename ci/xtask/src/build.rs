//! Building the programs, and putting them where the user they run as can read
//! them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use clap::Args;

use crate::{program, web};

/// Which programs a command takes: those that are built, or those it builds now.
#[derive(Args)]
pub struct Programs {
    /// Install missing system packages without asking
    #[arg(long)]
    pub yes: bool,
    /// Cargo profile to build
    #[arg(long, value_name = "NAME", default_value = "dist")]
    pub profile: String,
    /// Take the programs that are built already
    #[arg(long)]
    pub built: bool,
}

impl Programs {
    /// Builds them and the console, if that is wanted, and returns the folder they are in.
    pub fn folder(&self) -> Result<PathBuf> {
        if self.built {
            return folder(&self.profile);
        }
        web::build()?;
        programs(&self.profile)
    }
}

/// The user that host and seats run as when started by root.
pub const USER: &str = "punktfunk";

/// State of that user: identity, paired clients, settings.
const HOME: &str = "/var/lib/punktfunk";

/// Where programs go when root starts them: a source tree in root's home cannot be
/// read by anybody else.
pub const INSTALLED: &str = "/usr/local/lib/punktfunk";

/// The packages whose programs a running host consists of.
const PACKAGES: [&str; 4] = ["punktfunk-host", "punktfunk-inputd", "punktfunk-seat", "punktfunk-probe"];

/// Builds the programs in `profile` and returns the folder they are in.
pub fn programs(profile: &str) -> Result<PathBuf> {
    let mut cargo = program::cargo();
    cargo.args(["build", "--profile", profile, "--bins"]);
    for package in PACKAGES {
        cargo.args(["--package", package]);
    }
    program::must(&mut cargo)?;
    folder(profile)
}

/// Builds everything `test` needs, once: programs, tests and examples in one go, so
/// that cargo settles the features of every dependency only once.
pub fn everything() -> Result<PathBuf> {
    program::must(program::cargo().args(["build", "--profile", "ci", "--workspace", "--all-targets"]))?;
    folder("ci")
}

/// Builds programs and benchmarks in `profile`, in one go as [`everything`] does, so that
/// what the tests have built is not built again.
pub fn benchmarks(profile: &str) -> Result<PathBuf> {
    program::must(program::cargo().args([
        "build",
        "--profile",
        profile,
        "--workspace",
        "--bins",
        "--examples",
    ]))?;
    folder(profile)
}

/// Where cargo puts what it builds in `profile`.
pub fn folder(profile: &str) -> Result<PathBuf> {
    // The one profile whose folder is not called like it.
    let name = if profile == "dev" { "debug" } else { profile };
    Ok(target()?.join(name))
}

/// The `target` folder, wherever the user's settings put it.
pub fn target() -> Result<PathBuf> {
    let said = program::output(program::cargo().args(["metadata", "--no-deps", "--format-version", "1"]));
    let json: serde_json::Value = serde_json::from_str(&said.context("`cargo metadata` failed")?)?;
    json["target_directory"].as_str().map(PathBuf::from).context("cargo metadata names no target folder")
}

/// Makes sure that the user exists that host and seats run as. Only root can.
pub fn ensure_user() -> Result<()> {
    if program::output(Command::new("id").args(["-u", USER])).is_none() {
        println!("user: making the system user {USER}; host and seats run as it");
        let useradd =
            program::find("useradd").context("useradd is missing; install it (passwd, shadow-utils)")?;
        let nologin = program::find("nologin").unwrap_or_else(|| PathBuf::from("/usr/sbin/nologin"));
        let mut command = Command::new(useradd);
        command.args(["--system", "--user-group", "--no-create-home", "--home-dir", HOME, "--shell"]);
        program::must(command.arg(nologin).arg(USER))?;
    }
    if !Path::new(HOME).is_dir() {
        let mut install = Command::new("install");
        program::must(install.args(["-d", "-m", "0700", "-o", USER, "-g", USER, HOME]))?;
    }
    Ok(())
}

/// Copies the programs from `built` into `folder`, each by one rename: a program that
/// runs keeps its file, one that starts meets either the old or the new.
pub fn install(built: &Path, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    for name in PACKAGES {
        let (from, to) = (built.join(name), folder.join(name));
        if !from.is_file() {
            bail!("{} is missing; was the build interrupted?", from.display());
        }
        let fresh = folder.join(format!(".{name}.new"));
        fs::copy(&from, &fresh).with_context(|| format!("writing {}", fresh.display()))?;
        fs::set_permissions(&fresh, fs::Permissions::from_mode(0o755))?;
        fs::rename(&fresh, &to).with_context(|| format!("replacing {}", to.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_replaced_by_rename_and_readable() {
        let base = std::env::temp_dir().join(format!("xtask-install-{}", std::process::id()));
        let (built, folder) = (base.join("built"), base.join("installed"));
        fs::create_dir_all(&built).unwrap();
        for name in PACKAGES {
            fs::write(built.join(name), "new").unwrap();
        }
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(PACKAGES[0]), "old").unwrap();
        let old = fs::File::open(folder.join(PACKAGES[0])).unwrap();

        install(&built, &folder).unwrap();
        assert_eq!(std::io::read_to_string(old).unwrap(), "old");
        for name in PACKAGES {
            assert_eq!(fs::read_to_string(folder.join(name)).unwrap(), "new");
            assert_eq!(fs::metadata(folder.join(name)).unwrap().permissions().mode() & 0o777, 0o755);
        }
        assert_eq!(fs::read_dir(&folder).unwrap().count(), PACKAGES.len());

        fs::remove_file(built.join(PACKAGES[1])).unwrap();
        assert!(install(&built, &folder).is_err());
        fs::remove_dir_all(&base).unwrap();
    }
}
