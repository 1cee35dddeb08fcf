//! The extension on systems that are pretended: a Debian tree with the `os-release` of
//! another one is booted in a container, and `sysext/trial.sh` installs, updates, breaks,
//! goes back and removes there. What a person types for that is what `docs/install/sysext.md`
//! says. Releases are signed by minisign itself.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use super::{Options, complete, image_name, name, pack, put};
use crate::package::manifest::Format;
use crate::package::stage::Stage;
use crate::packages::{self, Group};
use crate::pages::Steps;
use crate::program;
use crate::tally::Tally;

/// What the tree is made of: an ordinary system with sound and a graphical session's
/// libraries, and nothing of ours.
const TREE: &str = "systemd,systemd-sysv,libpam-systemd,dbus,udev,kmod,procps,mount,util-linux,\
    libpipewire-0.3-0t64,libxkbcommon0,libpixman-1-0,libopus0,libstdc++6,xkb-data";
/// The systems: what their os-release says, and the restarts after the first start.
const SYSTEMS: [(&str, &str, &[Phase]); 4] = [
    ("bazzite", "ID=bazzite\nID_LIKE=fedora\nVERSION_ID=44\n", &[Phase::Second]),
    ("steamos", "ID=steamos\nID_LIKE=arch\nVERSION_ID=3.8\nBUILD_ID=20260901.1\n", &[Phase::Second]),
    ("fedora", "ID=fedora\nVERSION_ID=44\nVARIANT_ID=silverblue\n", &[Phase::OffByArgument, Phase::Second]),
    ("debian", "ID=debian\nVERSION_ID=13\n", &[Phase::OffByFile, Phase::Second]),
];

/// Stands for SteamOS's updater. What it looks at is looked at again from outside.
const UPDATER: &str = "[Service]\nType=oneshot\nRemainAfterExit=yes\n\
    ExecStart=/bin/sh -c 'test ! -e /usr/lib/punktfunk && ! pgrep -x punktfunk-host'\n";

/// Sections of the page, and the files that hold their commands.
const SCRIPTS: [(&str, &str); 5] = [
    ("Install", "install"),
    ("See what it does", "look"),
    ("Update", "update"),
    ("Go back", "go-back"),
    ("Remove", "remove"),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    First,
    Second,
    OffByFile,
    OffByArgument,
}

/// All of it as a part of the tests, and the extension itself, which `cargo xtask image boot`
/// takes. What a machine lacks is skipped and never a failure.
pub fn stage(built: &Path, yes: bool) -> Result<Tally> {
    if let Err(error) = packages::ensure(&[Group::Package], yes) {
        println!("packages: {error:#}");
    }
    let mut tally = run(built)?;
    if lacking().is_none() {
        println!("{}", super::make(built, 1, &Options::default())?.display());
        tally.passed += 1;
    }
    Ok(tally)
}

/// Boots all systems and counts what was tried there.
pub fn run(built: &Path) -> Result<Tally> {
    let mut tally = Tally::default();
    if let Some(why) = lacking() {
        for (system, _, _) in SYSTEMS {
            tally.skip(format!("system extension on {system}"), why.clone());
        }
        return Ok(tally);
    }
    let folder = super::super::folder()?.join("sysext-trial");
    let shops = folder.join("shops");
    releases(built, &folder, &shops)?;
    said_on_the_page(&folder, &shops)?;
    let root = root(&folder)?;
    for (system, release, restarts) in SYSTEMS {
        fs::write(root.join("usr/lib/os-release"), format!("NAME={system}\n{release}"))?;
        let updater = root.join("etc/systemd/system/rauc.service");
        if system == "steamos" {
            fs::write(&updater, UPDATER)?;
        } else {
            let _ = fs::remove_file(&updater);
        }
        for phase in [Phase::First].iter().chain(restarts) {
            if !boot(&root, &shops, system, *phase, &mut tally)? {
                // What comes after it relies on it.
                break;
            }
        }
    }
    Ok(tally)
}

/// Why this machine cannot try it.
fn lacking() -> Option<String> {
    if !program::is_root() {
        return Some("only root can boot a container".to_owned());
    }
    for program in ["systemd-nspawn", "mmdebstrap", "mkfs.erofs", "minisign", "patchelf"] {
        if program::find(program).is_none() {
            return Some(format!("{program} is not installed"));
        }
    }
    let kernel = fs::read_to_string("/proc/filesystems").unwrap_or_default();
    let knows = |name: &str| {
        kernel.split_whitespace().any(|known| known == name)
            || program::output(Command::new("modprobe").arg(name)).is_some()
    };
    if let Some(name) = ["erofs", "overlay"].into_iter().find(|name| !knows(name)) {
        return Some(format!("this kernel has no {name}"));
    }
    (!Path::new("/dev/loop-control").exists()).then(|| "there are no loop devices here".to_owned())
}

/// A clean system, made once and copied for every run.
fn root(folder: &Path) -> Result<PathBuf> {
    let (clean, root) = (folder.join("clean"), folder.join("root"));
    if !clean.join("usr/bin/systemctl").exists() {
        let _ = fs::remove_dir_all(&clean);
        let fresh = folder.join("clean.new");
        let _ = fs::remove_dir_all(&fresh);
        let mut make = Command::new("mmdebstrap");
        make.args(["--quiet", "--variant=minbase", "--include", TREE, "trixie"]).arg(&fresh);
        program::must(&mut make).context("making a clean Debian; does this machine reach its archive?")?;
        fs::rename(&fresh, &clean)?;
    }
    if root.exists() {
        fs::remove_dir_all(&root)?;
    }
    let mut cp = Command::new("cp");
    program::must(cp.args(["-a", "--reflink=auto"]).arg(&clean).arg(&root))?;
    let system = root.join("etc/systemd/system");
    fs::create_dir_all(system.join("multi-user.target.wants"))?;
    // Who tries it is root already.
    let sudo = root.join("usr/local/bin/sudo");
    fs::write(&sudo, "#!/bin/sh\nexec \"$@\"\n")?;
    fs::set_permissions(&sudo, fs::Permissions::from_mode(0o755))?;
    // The result is read from a file: a console may hold other lines.
    fs::write(
        system.join("trial.service"),
        "[Unit]\nAfter=multi-user.target systemd-user-sessions.service\n\
         [Service]\nType=oneshot\nEnvironmentFile=/trial/phase\n\
         ExecStart=/bin/sh -c 'exec /trial/trial.sh $SYSTEM $PHASE >/trial/result 2>&1'\n\
         ExecStopPost=systemctl poweroff --no-block\nTimeoutStartSec=480\n",
    )?;
    let wanted = system.join("multi-user.target.wants/trial.service");
    let _ = fs::remove_file(&wanted);
    symlink("../trial.service", wanted)?;
    let _ = fs::remove_file(system.join("default.target"));
    symlink("/usr/lib/systemd/system/multi-user.target", system.join("default.target"))?;
    Ok(root)
}

/// Boots the tree once, and counts what the script said; false when it did not end.
fn boot(root: &Path, shops: &Path, system: &str, phase: Phase, tally: &mut Tally) -> Result<bool> {
    let name = match phase {
        Phase::First => "first",
        Phase::Second => "second",
        Phase::OffByFile | Phase::OffByArgument => "off",
    };
    println!("sysext: {system}, {phase:?}");
    fs::write(shops.join("phase"), format!("SYSTEM={system}\nPHASE={name}\n"))?;
    let (result, console) = (shops.join("result"), shops.join("console"));
    let _ = fs::remove_file(&result);
    let switch = root.join("home/.punktfunk-off");
    if phase == Phase::OffByFile {
        fs::write(&switch, "")?;
    }
    // The kernel takes a device away that a container let go of.
    for number in 0..8 {
        let device = format!("/dev/loop{number}");
        if !Path::new(&device).exists() {
            program::must(Command::new("mknod").args([&device, "b", "7", &number.to_string()]))?;
        }
    }
    let mut nspawn = Command::new("timeout");
    nspawn.args([
        "--kill-after=20",
        "600",
        "systemd-nspawn",
        "--quiet",
        "--register=no",
        "--keep-unit",
        "--boot",
    ]);
    nspawn.args(["--console=pipe", "--capability=all", "--bind=/dev/loop-control"]);
    nspawn.args((0..8).map(|number| format!("--bind=/dev/loop{number}")));
    nspawn.arg("-D").arg(root).arg(format!("--bind={}:/trial", shops.display()));
    if phase == Phase::OffByArgument {
        nspawn.arg("punktfunk=off");
    }
    let log = fs::File::create(&console)?;
    nspawn.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    // How it ends says nothing: the result does.
    program::succeeds(&mut nspawn)?;
    let _ = fs::remove_file(&switch);
    let text = fs::read_to_string(&result).unwrap_or_default();
    let done = count(&text, tally);
    if !done {
        let said = fs::read_to_string(&console).unwrap_or_default();
        let last: Vec<_> = said.lines().rev().take(30).collect();
        for line in last.iter().rev() {
            println!("  {line}");
        }
        tally.fail(format!("{system}: the container did not get to the end of {phase:?}"));
    }
    Ok(done)
}

/// Counts the lines of a result; false when it ends early.
fn count(text: &str, tally: &mut Tally) -> bool {
    for line in text.lines() {
        if line.starts_with("ok ") {
            tally.passed += 1;
        } else if let Some(what) = line.strip_prefix("not ok ") {
            println!("FAILED {what}");
            tally.fail(what.to_owned());
        }
    }
    text.lines().last() == Some("done")
}

/// Releases good and bad, each in a shop of its own.
fn releases(built: &Path, folder: &Path, shops: &Path) -> Result<()> {
    let _ = fs::remove_dir_all(shops);
    fs::create_dir_all(shops)?;
    fs::copy(program::root().join("sysext/trial.sh"), shops.join("trial.sh"))?;
    let keys = folder.join("keys");
    let _ = fs::remove_dir_all(&keys);
    let trusted = keys.join("trusted");
    fs::create_dir_all(&trusted)?;
    for who in ["current", "backup", "stranger"] {
        let public =
            if who == "stranger" { keys.join("stranger.pub") } else { trusted.join(format!("{who}.pub")) };
        let mut make = Command::new("minisign");
        make.args(["-G", "-W", "-f", "-p"]).arg(public).arg("-s").arg(keys.join(who)).stdout(Stdio::null());
        program::must(&mut make)?;
    }
    let stage = Stage::make(Format::Sysext, built, 1)?;
    let options = Options { trust: Some(trusted), ..Options::default() };
    complete(&stage.tree, "1.0.1", &options)?;
    stage.same_modes_and_times(&stage.tree)?;
    let fake = "#!/bin/sh\nexit 1\n";
    // What a script in the place of the host does: everything but serve.
    let mute = "#!/bin/sh\n[ \"$1\" = serve ] && exit 1\nexec /usr/lib/punktfunk/punktfunk-real \"$@\"\n";
    let machine = super::architecture();
    let other = if machine == "arm64" { "x86-64" } else { "arm64" };
    let none: &dyn Fn(&Path) -> Result<()> = &|_| Ok(());
    let shop = |place: &str, version: &str, signer: &str, change: &dyn Fn(&Path) -> Result<()>| {
        let tree = stage.work.join(place);
        copy(&stage.tree, &tree)?;
        name(&tree, version, "_any", machine)?;
        put(&tree, "usr/lib/punktfunk/release", &format!("{version}\n"))?;
        change(&tree)?;
        let shop = shops.join(place);
        fs::create_dir_all(&shop)?;
        pack(&tree, &shop.join(image_name(version)))?;
        fs::remove_dir_all(&tree)?;
        sign(&shop, &keys.join(signer))
    };
    shop("shop1", "1.0.1", "current", none)?;
    shop("shop2", "1.0.2", "current", none)?;
    shop("backup", "1.0.3", "backup", none)?;
    shop("stranger", "1.0.9", "stranger", none)?;
    shop("damaged", "1.0.9", "current", none)?;
    fs::OpenOptions::new()
        .write(true)
        .open(shops.join("damaged").join(image_name("1.0.9")))?
        .set_len(9000)?;
    shop("alien", "1.0.4", "current", &|tree| name(tree, "1.0.4", "otheros", machine))?;
    shop("processor", "1.0.5", "current", &|tree| name(tree, "1.0.5", "_any", other))?;
    shop("broken", "1.0.6", "current", &|tree| script(tree, "punktfunk-seat", fake))?;
    shop("mute", "1.0.7", "current", &|tree| {
        let folder = tree.join(super::PROGRAMS);
        fs::rename(folder.join("punktfunk-host"), folder.join("punktfunk-real"))?;
        script(tree, "punktfunk-host", mute)
    })
}

/// What the script does by the page: a file each for the commands of a section. Looking at the
/// signature is done here; the pretended systems have no minisign.
fn said_on_the_page(folder: &Path, shops: &Path) -> Result<()> {
    let mut page = Steps::of("sysext", "sysext.md")?;
    let shop = shops.join("shop1");
    fs::copy(folder.join("keys/trusted/current.pub"), shop.join("punktfunk.pub"))?;
    for command in page.take("What you need")? {
        let mut look = Command::new("sh");
        program::must(look.args(["-euc", &command]).current_dir(&shop)).with_context(|| command.clone())?;
    }
    let place = shops.join("page");
    fs::create_dir_all(&place)?;
    for (section, name) in SCRIPTS {
        fs::write(place.join(name), page.take(section)?.join("\n") + "\n")?;
    }
    page.all_taken()
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let mut cp = Command::new("cp");
    ensure!(program::output(cp.arg("-a").arg(from).arg(to)).is_some(), "{} cannot be copied", from.display());
    Ok(())
}

fn script(tree: &Path, program: &str, text: &str) -> Result<()> {
    let file = tree.join(super::PROGRAMS).join(program);
    let _ = fs::remove_file(&file);
    fs::write(&file, text)?;
    Ok(fs::set_permissions(&file, fs::Permissions::from_mode(0o755))?)
}

/// Writes the list of a shop and signs it.
fn sign(shop: &Path, key: &Path) -> Result<()> {
    let images: Vec<_> = fs::read_dir(shop)?.flatten().map(|entry| entry.file_name()).collect();
    let sums = program::output(Command::new("sha256sum").args(&images).current_dir(shop));
    let Some(sums) = sums else { bail!("sha256sum failed") };
    fs::write(shop.join("SHA256SUMS"), sums)?;
    let mut minisign = Command::new("minisign");
    minisign.args(["-S", "-m"]).arg(shop.join("SHA256SUMS")).arg("-s").arg(key).stdin(Stdio::null());
    ensure!(program::output(&mut minisign).is_some(), "minisign cannot sign");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_counts_and_one_that_ends_early_is_told() {
        let mut tally = Tally::default();
        assert!(count("ok a: b\nnoise\nnot ok a: c: why\ndone\n", &mut tally));
        assert_eq!((tally.passed, tally.failed.len()), (1, 1));
        assert!(!count("ok a: b\n", &mut tally));
        assert!(!count("", &mut tally));
    }

    #[test]
    fn every_section_of_the_page_is_run_by_the_script() {
        let script = fs::read_to_string(program::root().join("sysext/trial.sh")).unwrap();
        let run: Vec<_> = script.lines().filter_map(|line| line.trim().strip_prefix("page ")).collect();
        let names: Vec<_> = run.iter().filter_map(|words| words.rsplit(' ').next()).collect();
        assert_eq!(names, SCRIPTS.map(|(_, name)| name));
    }

    #[test]
    fn every_system_ends_with_nothing_left() {
        assert!(SYSTEMS.iter().all(|(_, _, restarts)| restarts.last() == Some(&Phase::Second)));
        let script = fs::read_to_string(program::root().join("sysext/trial.sh")).unwrap();
        assert!(!script.contains("sleep"), "it waits for what systemd says");
        for phase in ["first", "second", "off"] {
            assert!(script.contains(&format!("\n{phase}() {{\n")), "{phase}");
        }
    }
}
