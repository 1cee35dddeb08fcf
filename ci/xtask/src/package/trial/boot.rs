//! The deb on a clean Debian that boots: the host is up without a login, looks at itself,
//! pairs and plays with a client outside, is updated, taken back, removed, installed again
//! and purged. The commands for that are those of `docs/install/debian.md`, as they stand
//! there.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::machine::{Machine, can_boot, succeed, until};
use super::{debian, empty};
use crate::package::lint::check;
use crate::package::make;
use crate::package::manifest::Format;
use crate::pages::Steps;
use crate::program;
use crate::tally::Tally;

/// What accounts change, and what the trials themselves bring.
const ACCOUNTS: [&str; 5] = ["/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow", "/etc/.pwd.lock"];

/// What the doctor finds wrong with the machine that tries us, and not with us.
const OF_THE_MACHINE: [&str; 2] = ["system.disk", "system.memory"];

/// All of it, in order: each step finds what the one before has left.
pub fn trials(tally: &mut Tally, deb: &Path, built: &Path, work: &Path) {
    let name = "a clean Debian";
    let skip = |tally: &mut Tally, reason: &str| tally.skip(format!("package: {name}"), reason);
    let Some(release) = debian::release() else {
        return skip(tally, "the programs are linked to the libraries of another distribution");
    };
    if !program::is_root() {
        return skip(tally, "only root can boot a container");
    }
    for tool in ["mmdebstrap", "systemd-nspawn", "nsenter", "ip"] {
        if program::find(tool).is_none() {
            return skip(tally, &format!("{tool} is not installed; `cargo xtask package` brings it"));
        }
    }
    let base = match debian::base(deb, &release) {
        Ok(base) => base,
        Err(error) => return skip(tally, &format!("it cannot be made here: {}", one_line(&error))),
    };
    let root = work.join("debian");
    if let Err(error) = debian::unpack(&base, &root).and_then(|()| can_boot(&root)) {
        return skip(tally, &format!("no container can be booted here: {}", one_line(&error)));
    }
    check(tally, "the deb on a clean Debian", "systemd-nspawn", || life(deb, built, &root, work));
}

/// The first line of an error; all of it is shown now.
fn one_line(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    println!("  {text}");
    text.lines().next().unwrap_or_default().to_owned()
}

fn life(deb: &Path, built: &Path, root: &Path, work: &Path) -> Result<()> {
    let mut page = Steps::of("deb", "debian.md")?;
    page.expect("What you need", "cargo xtask package deb")?;
    shelf(deb, built, root)?;
    // It was booted before: what a first start makes is there.
    let before = files(root)?;
    said("the package is installed where nothing runs");
    install_offline(deb, root)?;
    said("the machine boots");
    let machine = Machine::boot(root)?;
    is_up(&machine)?;
    said("units are well, and the doctor finds no error of ours");
    units(&machine)?;
    doctor(&machine)?;
    said("the page's own commands show how to make it one's own, and what it does");
    look(&machine, &mut page)?;
    said("a client outside pairs and plays the Test card");
    play(&machine, &mut page, built, work)?;
    said("an update starts the host anew and keeps who is paired, and so does going back");
    update(&machine, &mut page)?;
    said("removed: the state stays; installed again: it is used; purged: nothing stays");
    remove(&machine, &mut page, root, &before)?;
    page.all_taken()?;
    machine.power_off()
}

fn said(step: &str) {
    println!("  {step}");
}

/// Where a person has the source tree and the packages, in the machine.
const SHELF: &str = "/srv/punktfunk";

/// Puts packages where the page says they are, and what the page relies on besides: `sudo`,
/// and somebody who says yes.
fn shelf(deb: &Path, built: &Path, root: &Path) -> Result<()> {
    let shelf = root.join(SHELF.trim_start_matches('/'));
    let made = shelf.join("target/package");
    fs::create_dir_all(&made)?;
    fs::copy(deb, made.join(deb.file_name().context("a package without a name")?))?;
    fs::copy(deb, shelf.join("punktfunk_OLD.deb"))?;
    fs::copy(make(Format::Deb, built, 2)?, shelf.join("punktfunk_NEW.deb"))?;
    let sudo = root.join("usr/bin/sudo");
    fs::write(&sudo, "#!/bin/sh\nexec \"$@\"\n")?;
    fs::set_permissions(&sudo, fs::Permissions::from_mode(0o755))?;
    Ok(fs::write(root.join("etc/apt/apt.conf.d/90trial"), "APT::Get::Assume-Yes \"true\";\n")?)
}

/// A command of the page, in that folder.
fn by_the_page(machine: &Machine, command: &str) -> Command {
    machine.command(&["sh", "-euc", &format!("cd {SHELF}\n{command}")])
}

/// Runs the next commands of a section; what they printed.
fn run(machine: &Machine, page: &mut Steps, section: &str) -> Result<String> {
    let mut printed = String::new();
    for command in page.take(section)? {
        printed += &succeed(&mut by_the_page(machine, &command)).with_context(|| command.clone())?;
    }
    Ok(printed)
}

/// As an image is built: no process of the system is there.
fn install_offline(deb: &Path, root: &Path) -> Result<()> {
    fs::copy(deb, root.join("punktfunk.deb"))?;
    let mut install = Command::new("systemd-nspawn");
    install.args(["--quiet", "--register=no", "--keep-unit", "--pipe", "--directory"]).arg(root);
    succeed(install.args(["dpkg", "--install", "/punktfunk.deb"]).stdin(Stdio::null())).map(drop)
}

/// Nobody has logged in, and nobody has started anything.
fn is_up(machine: &Machine) -> Result<()> {
    let uid = machine.must(&["id", "-u", "punktfunk"])?;
    // Waits for the manager; it is being started by itself.
    machine.must(&["systemctl", "start", &format!("user@{}.service", uid.trim())])?;
    // Whether everything in it works is not our affair.
    host(machine, &["systemctl", "--user", "is-system-running", "--wait"])?.output()?;
    let state = show(machine, "ActiveState")?;
    ensure!(state == "active", "the host is {state}");
    let sessions = machine.must(&["loginctl", "list-sessions", "--no-legend"])?;
    ensure!(sessions.trim().is_empty(), "somebody has logged in: {sessions}");
    let status = show(machine, "StatusText")?;
    ensure!(status.contains("9777"), "it says of itself {status:?}");
    ensure!(show(machine, "WatchdogUSec")? != "0", "nobody watches it");
    Ok(())
}

/// A program inside, as the user of the host.
fn host(machine: &Machine, words: &[&str]) -> Result<Command> {
    machine.as_user("punktfunk", words)
}

fn show(machine: &Machine, property: &str) -> Result<String> {
    let words = ["systemctl", "--user", "show", "--value", "-p", property, "punktfunk-host.service"];
    Ok(succeed(&mut host(machine, &words)?)?.trim().to_owned())
}

fn units(machine: &Machine) -> Result<()> {
    let socket = machine.must(&["systemctl", "is-active", "punktfunk-inputd.socket"])?;
    ensure!(socket.trim() == "active", "the broker's socket is {socket}");
    let place = machine.must(&["stat", "-c", "%U:%G %a", "/run/punktfunk-inputd/inputd.sock"])?;
    ensure!(place.trim() == "root:punktfunk 660", "the broker's socket is {place}");
    for (folder, wanted) in
        [("/run/punktfunk", "punktfunk:punktfunk 700"), ("/var/lib/punktfunk", "punktfunk:punktfunk 700")]
    {
        let is = machine.must(&["stat", "-c", "%U:%G %a", folder])?;
        ensure!(is.trim() == wanted, "{folder} is {is}");
    }
    for unit in ["punktfunk-inputd.service", "punktfunk-inputd.socket", "punktfunk-activate.service"] {
        machine.must(&[
            "systemd-analyze",
            "verify",
            "--man=no",
            &format!("/usr/lib/systemd/system/{unit}"),
        ])?;
    }
    // Without capabilities and new privileges, behind a filter of system calls.
    let process = show(machine, "MainPID")?;
    let status = machine.must(&["cat", &format!("/proc/{process}/status")])?;
    for line in ["CapEff:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"] {
        ensure!(status.contains(line), "{line} does not hold");
    }
    let groups = machine.must(&["id", "-nG", "punktfunk"])?;
    ensure!(
        groups.split_whitespace().any(|group| group == "render"),
        "it is not in the group render: {groups}"
    );
    Ok(())
}

/// In the areas that need no graphics, no encoder and no time.
fn doctor(machine: &Machine) -> Result<()> {
    for area in ["system", "input", "host"] {
        let output = host(machine, &["punktfunk-host", "doctor", "--json", "--area", area])?.output()?;
        let report: Value = serde_json::from_slice(&output.stdout)
            .with_context(|| format!("doctor: {}", String::from_utf8_lossy(&output.stderr)))?;
        let probes = report["probes"].as_array().context("the doctor has looked at nothing")?;
        ensure!(probes.len() > 3, "the doctor has looked at {} things of {area}", probes.len());
        let is_error = |probe: &&Value| {
            probe["severity"] == "error" && !OF_THE_MACHINE.iter().any(|own| probe["id"] == **own)
        };
        let errors: Vec<_> = probes.iter().filter(is_error).map(ToString::to_string).collect();
        ensure!(errors.is_empty(), "{}", errors.join("\n"));
    }
    Ok(())
}

/// What the page shows to a person who has just installed it.
fn look(machine: &Machine, page: &mut Steps) -> Result<()> {
    let claim = run(machine, page, "Open the console and pair")?;
    ensure!(claim.contains("https://"), "there is no link to the console: {claim}");
    let status = run(machine, page, "See what it does")?;
    ensure!(status.contains("punktfunk-host serve"), "the host is not seen: {status}");
    let journal = run(machine, page, "See what it does")?;
    ensure!(journal.contains("punktfunk"), "the journal knows nothing of it: {journal}");
    let doctor = page.take("See what it does")?;
    ensure!(doctor.len() == 1, "more than the doctor: {doctor:?}");
    let output = by_the_page(machine, &doctor[0]).output()?;
    // In a container something does not work, and the doctor says so.
    ensure!(matches!(output.status.code(), Some(0 | 1)), "{}: {}", doctor[0], output.status);
    ensure!(output.stdout.len() > 500, "the doctor says next to nothing");
    Ok(())
}

/// With the probe, from outside of the container.
fn play(machine: &Machine, page: &mut Steps, built: &Path, work: &Path) -> Result<()> {
    let home = empty(&work.join("client"))?;
    let address = machine.address.to_string();
    let probe = |words: &[&str]| {
        let mut probe = Command::new(built.join("punktfunk-probe"));
        probe.args(words).arg("--host").arg(&address).arg("--identity").arg(&home).stdin(Stdio::null());
        probe
    };
    let pair = page.take("Open the console and pair")?;
    ensure!(pair.len() == 1, "more than pairing: {pair:?}");
    // As a program reads it.
    let mut window = by_the_page(machine, &format!("{} --json", pair[0]));
    let mut window = window.stdout(Stdio::piped()).spawn()?;
    let mut lines = BufReader::new(window.stdout.take().context("no output")?).lines();
    let pin = loop {
        let Some(line) = lines.next() else { bail!("the host shows no PIN") };
        if let Some((_, rest)) = line?.split_once("\"pin\":") {
            break rest.chars().filter(char::is_ascii_digit).take(6).collect::<String>();
        }
    };
    succeed(&mut probe(&["pair", "--pin", &pin]))?;
    // To its end: the host confirms whom it has paired.
    for line in lines {
        line?;
    }
    ensure!(window.wait()?.success(), "the host does not say that it has paired");
    let words =
        ["stream", "--app", "Test card", "--mode", "640x360x30", "--seconds", "6", "--quit", "--json"];
    let report: Value = serde_json::from_str(&succeed(&mut probe(&words))?)?;
    let number = |value: &Value| value.as_f64().unwrap_or(0.0);
    println!("  {} pictures, {} of the Test card's own", report["pictures"], report["card"]["unique"]);
    ensure!(number(&report["pictures"]) > 0.0, "no picture came: {report}");
    ensure!(number(&report["card"]["unique"]) > 0.0, "they were not the Test card's: {report}");
    Ok(())
}

fn update(machine: &Machine, page: &mut Steps) -> Result<()> {
    let paired = clients(machine)?;
    ensure!(paired.contains("name"), "nobody is paired: {paired}");
    another(machine, page, "Update", "-2")?;
    ensure!(clients(machine)? == paired, "who was paired is not who is paired");
    run(machine, page, "Go back")?;
    machine.must(&["test", "-s", &format!("{SHELF}/punktfunk.backup")])?;
    another(machine, page, "Go back", "-1")?;
    ensure!(clients(machine)? == paired, "who was paired is not who is paired after going back");
    Ok(())
}

/// Installs what a section says, and waits for the host that comes of it.
fn another(machine: &Machine, page: &mut Steps, section: &str, ends: &str) -> Result<()> {
    let before = show(machine, "MainPID")?;
    run(machine, page, section)?;
    let version = machine.must(&["dpkg-query", "-W", "-f", "${Version}", "punktfunk"])?;
    ensure!(version.ends_with(ends), "{version} is installed");
    until("the host has started anew", || {
        let process = show(machine, "MainPID").ok()?;
        let state = show(machine, "ActiveState").ok()?;
        (process != before && process != "0" && state == "active").then_some(())
    })
}

fn clients(machine: &Machine) -> Result<String> {
    machine.must(&["punktfunk-host", "clients", "list", "--json"])
}

fn remove(machine: &Machine, page: &mut Steps, root: &Path, before: &BTreeSet<String>) -> Result<()> {
    let paired = clients(machine)?;
    run(machine, page, "Remove")?;
    is_gone(machine, root)?;
    run(machine, page, "Install")?;
    until("the host that was installed again has started", || {
        (show(machine, "ActiveState").ok()? == "active").then_some(())
    })?;
    ensure!(clients(machine)? == paired, "who was paired is not who is paired after an installation");
    run(machine, page, "Remove")?;
    ensure!(!inside(root, machine, "/var/lib/punktfunk")?, "the state is left after a purge");
    let after = files(root)?;
    let left: Vec<_> = after.difference(before).filter(|name| !is_account(name)).collect();
    ensure!(left.is_empty(), "left after a purge: {left:?}");
    let lost: Vec<_> = before.difference(&after).collect();
    ensure!(lost.is_empty(), "taken along by a purge: {lost:?}");
    Ok(())
}

/// What a removal takes away, and what it leaves.
fn is_gone(machine: &Machine, root: &Path) -> Result<()> {
    let uid = machine.must(&["id", "-u", "punktfunk"])?;
    let unit = format!("user@{}.service", uid.trim());
    let state = machine.output(&["systemctl", "is-active", &unit])?;
    ensure!(state.trim() != "active", "its manager still runs");
    let running = machine.output(&["pgrep", "--list-full", "--uid", uid.trim()])?;
    ensure!(running.trim().is_empty(), "still runs: {running}");
    for gone in ["/run/punktfunk-inputd/inputd.sock", "/var/lib/systemd/linger/punktfunk", "/run/punktfunk"] {
        ensure!(!inside(root, machine, gone)?, "{gone} is left");
    }
    for stays in ["/var/lib/punktfunk/native-identity.json", "/etc/ufw/applications.d/punktfunk"] {
        ensure!(inside(root, machine, stays)?, "{stays} is gone, and was only to go with a purge");
    }
    Ok(())
}

fn is_account(name: &str) -> bool {
    ACCOUNTS.iter().any(|account| name == *account || name.strip_suffix('-') == Some(account))
}

/// Whether `path` is there for the machine, whose /run is not in the tree.
fn inside(root: &Path, machine: &Machine, path: &str) -> Result<bool> {
    if path.starts_with("/run/") {
        return Ok(machine.output(&["sh", "-c", "test -e \"$1\" && echo yes", "sh", path])?.trim() == "yes");
    }
    Ok(root.join(path.trim_start_matches('/')).symlink_metadata().is_ok())
}

/// All names below `/usr` and `/etc`.
fn files(root: &Path) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for folder in ["usr", "etc"] {
        let mut files = Vec::new();
        crate::package::manifest::walk(&root.join(folder), &mut files)?;
        for file in files {
            names.insert(Path::new("/").join(file.strip_prefix(root)?).display().to_string());
        }
    }
    Ok(names)
}
