//! What others say of our files and packages: the programs that distributions check theirs
//! with. One that is not installed is skipped, with the reason.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use super::manifest::Format;
use crate::program;
use crate::tally::Tally;

/// A unit, the most its exposure may be in tenths, and what its manager adds by itself.
const UNITS: [(&str, u32, &str); 4] = [
    // No user's manager has a capability to give, and none runs as root.
    ("user/punktfunk-host.service", 50, "User=punktfunk\nCapabilityBoundingSet=\n"),
    ("system/punktfunk-inputd.service", 10, ""),
    ("system/punktfunk-welcome.service", 20, ""),
    // It changes /usr for the whole machine, from within its mounts.
    ("system/punktfunk-update.service", 90, ""),
];

/// Scripts that machines run.
const SCRIPTS: [&str; 7] = [
    "image/rootfs/usr/lib/punktfunk/punktfunk-activate",
    "image/rootfs/usr/share/gamescope-session-plus/sessions.d/punktfunk",
    "deb/postinst",
    "deb/prerm",
    "deb/postrm",
    "arch/punktfunk.install",
    "sysext/trial.sh",
];

/// Checks what lies in the source tree; `work` is a folder for copies.
pub fn sources(tally: &mut Tally, work: &Path) {
    check(tally, "exposure of the units", "systemd-analyze", || exposure(work));
    check(tally, "shellcheck of the scripts", "shellcheck", || {
        said_well(program::in_root("shellcheck").args(["--severity=warning", "--shell=sh"]).args(SCRIPTS))
    });
    check(tally, "shellcheck of the image's build", "shellcheck", || {
        said_well(
            program::in_root("shellcheck").args(["--severity=warning", "--shell=bash"]).args(building()?),
        )
    });
    check(tally, "services of firewalld", "python3", || {
        let parse = "import sys, xml.dom.minidom as x\nfor f in sys.argv[1:]: x.parse(f)";
        let services = ["", "-console", "-gamestream"];
        let files =
            services.map(|name| format!("image/rootfs/usr/lib/firewalld/services/punktfunk{name}.xml"));
        said_well(program::in_root("python3").args(["-c", parse]).args(files))
    });
}

/// The scripts that the image is built by.
fn building() -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(program::root().join("image/build"))?;
    let scripts: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    ensure!(scripts.len() > 5, "image/build has no scripts any more");
    Ok(scripts)
}

/// Checks a package.
pub fn package(tally: &mut Tally, format: Format, file: &Path) {
    match format {
        Format::Deb => check(tally, "lintian", "lintian", || {
            let mut lintian = Command::new("lintian");
            lintian
                .args(["--allow-root", "--tag-display-limit", "0", "--fail-on", "error,warning"])
                .arg(file);
            said_well(lintian.env("LC_ALL", "C.UTF-8"))
        }),
        Format::Rpm => check(tally, "rpmlint", "rpmlint", || {
            let mut rpmlint = program::in_root("rpmlint");
            said_well(
                rpmlint.args(["--strict", "--config", "rpm/rpmlint.toml"]).arg(file).env("LC_ALL", "C.UTF-8"),
            )
        }),
        _ => {}
    }
}

/// Runs a check, if the program it needs is there.
pub fn check(tally: &mut Tally, name: &str, needs: &str, check: impl FnOnce() -> Result<()>) {
    let name = format!("package: {name}");
    if program::find(needs).is_none() {
        tally.skip(name, format!("{needs} is not installed; `cargo xtask package` brings it"));
        return;
    }
    let since = Instant::now();
    let outcome = check();
    let time = since.elapsed().as_secs();
    match outcome {
        Ok(()) => {
            println!("ok {name} ({time} s)");
            tally.passed += 1;
        }
        Err(error) => {
            println!("FAILED {name} ({time} s): {error:#}");
            tally.fail(format!("{name}: {error:#}"));
        }
    }
}

/// Runs a program that has to be content; if it is not, what it said is the error.
pub fn said_well(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("{name} cannot be started"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    bail!("{name}: {}\n{}", output.status, String::from_utf8_lossy(&said).trim())
}

/// Only options that really apply are in the units; how much is left open is counted by
/// systemd itself.
fn exposure(work: &Path) -> Result<()> {
    fs::create_dir_all(work)?;
    for (unit, most, given) in UNITS {
        let from = program::root().join("image/rootfs/usr/lib/systemd").join(unit);
        let text = fs::read_to_string(&from)?.replace("[Service]\n", &format!("[Service]\n{given}"));
        let copy = work.join(from.file_name().context("a unit without a name")?);
        fs::write(&copy, text)?;
        let mut analyze = Command::new("systemd-analyze");
        analyze
            .args(["security", "--no-pager", "--offline=true"])
            .arg(format!("--threshold={most}"))
            .arg(&copy);
        said_well(&mut analyze).with_context(|| format!("{unit} is more exposed than {most} tenths"))?;
    }
    Ok(())
}
