//! A machine to try things on: a tree of Debian that systemd boots in a container with a
//! network of its own. It is waited for, never slept for, and gone when dropped.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::program;

/// The longest anything may take that is waited for; most takes a second.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The unit of the host.
const HOST: &str = "image/rootfs/usr/lib/systemd/user/punktfunk-host.service";

/// A user that every Debian has and nothing runs as.
const ANYBODY: &str = "daemon";

/// A booted machine.
pub struct Machine {
    container: Child,
    /// The first process inside.
    leader: u32,
    root: PathBuf,
    /// Where it is reached from outside.
    pub address: Ipv4Addr,
}

impl Machine {
    /// Boots the tree at `root` and waits until everything it starts by itself has started.
    pub fn boot(root: &Path) -> Result<Self> {
        let process = std::process::id();
        let mut nspawn = Command::new("systemd-nspawn");
        nspawn.arg("--quiet").arg("--directory").arg(root).args(["--register=no", "--keep-unit", "--boot"]);
        nspawn
            .args(["--console=pipe", "--network-veth", "--resolv-conf=off"])
            .arg(format!("--machine=pf{process}"));
        let log = fs::File::create(root.with_extension("log"))?;
        nspawn.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let container = nspawn.spawn().context("systemd-nspawn cannot be started")?;
        // Of a range for tests of networks (RFC 2544); each process has four addresses of it.
        let net = u32::from(Ipv4Addr::new(198, 18, 0, 0)) + (process % 32_768) * 4;
        let mut machine =
            Self { container, leader: 0, root: root.to_owned(), address: Ipv4Addr::from(net + 2) };
        let started = until("the container has a first process", || match machine.container.try_wait() {
            Ok(None) => machine.first_process().map(Some),
            // It gave up.
            _ => Some(None),
        })?;
        machine.leader = started.with_context(|| format!("systemd-nspawn: {}", machine.last_words()))?;
        let outside = Ipv4Addr::from(net + 1);
        let link = format!("ve-pf{process}");
        until("the container has a network", || {
            Path::new("/sys/class/net").join(&link).exists().then_some(())
        })?;
        ip(&mut Command::new("ip"), &["address", "replace", &format!("{outside}/30"), "dev", &link])?;
        ip(&mut Command::new("ip"), &["link", "set", &link, "up"])?;
        for arguments in [
            &["address", "replace", &format!("{}/30", machine.address), "dev", "host0"][..],
            &["link", "set", "host0", "up"],
        ] {
            let mut inside = Command::new("nsenter");
            inside.args(["--net", "--target", &machine.leader.to_string(), "ip"]);
            ip(&mut inside, arguments)?;
        }
        machine.settled()?;
        Ok(machine)
    }

    /// Waits until systemd has nothing more to start.
    fn settled(&self) -> Result<()> {
        until("systemd answers inside", || {
            let socket = format!("/proc/{}/root/run/systemd/private", self.leader);
            Path::new(&socket).exists().then_some(())
        })?;
        let said = self.output(&["systemctl", "is-system-running", "--wait"])?;
        // Some units of Debian's cannot work in a container.
        ensure!(matches!(said.trim(), "running" | "degraded"), "the machine is {said:?}");
        Ok(())
    }

    /// A program inside, as root.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.leader.to_string(), "--mount", "--uts", "--ipc", "--net", "--pid"]);
        command.args(["--root", "--wd=/", "--", "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"]);
        command.args([
            "LC_ALL=C.UTF-8",
            "DEBIAN_FRONTEND=noninteractive",
            "timeout",
            &PATIENCE.as_secs().to_string(),
        ]);
        command.args(words).stdin(Stdio::null());
        command
    }

    /// A program inside, as `user`, with that user's manager.
    pub fn as_user(&self, user: &str, words: &[&str]) -> Result<Command> {
        let uid = self.must(&["id", "-u", user])?;
        let place = format!("XDG_RUNTIME_DIR=/run/user/{}", uid.trim());
        let (uid, group) = (format!("--reuid={user}"), format!("--regid={user}"));
        let user = ["setpriv", &uid, &group, "--init-groups", "env", &place];
        Ok(self.command(&[&user, words].concat()))
    }

    /// Runs a program inside that has to succeed, and returns what it printed.
    pub fn must(&self, words: &[&str]) -> Result<String> {
        succeed(&mut self.command(words))
    }

    /// Runs a program inside and returns what it printed, however it ended.
    pub fn output(&self, words: &[&str]) -> Result<String> {
        let output = self.command(words).output()?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Powers it off and waits until it is gone.
    pub fn power_off(mut self) -> Result<()> {
        self.must(&["systemctl", "--no-block", "poweroff"])?;
        until("the machine is off", || self.container.try_wait().ok().flatten())?;
        Ok(())
    }

    /// What the container said last.
    fn last_words(&self) -> String {
        let log = fs::read_to_string(self.root.with_extension("log")).unwrap_or_default();
        log.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it ended without a word").to_owned()
    }

    fn first_process(&self) -> Option<u32> {
        let outer = self.container.id();
        let children = fs::read_to_string(format!("/proc/{outer}/task/{outer}/children")).ok()?;
        // Before it is the one, a helper sets the container up.
        children.split_whitespace().filter_map(|child| child.parse().ok()).find(|child: &u32| {
            let name = fs::read_to_string(format!("/proc/{child}/comm")).unwrap_or_default();
            name.trim() == "systemd"
        })
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if matches!(self.container.try_wait(), Ok(Some(_))) {
            return;
        }
        // The first process of a container takes all others along.
        if self.leader != 0 {
            let _ = program::output(Command::new("kill").args(["-KILL", &self.leader.to_string()]));
        }
        let _ = self.container.kill();
        let _ = self.container.wait();
        eprintln!("  the machine's log: {}", self.root.with_extension("log").display());
    }
}

/// Runs a program that has to succeed, and returns what it printed.
pub fn succeed(command: &mut Command) -> Result<String> {
    let output = command.output().context("a program cannot be started")?;
    if !output.status.success() {
        let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
        let said = [output.stdout, output.stderr].concat();
        bail!("`{}`: {}: {}", words.join(" "), output.status, String::from_utf8_lossy(&said).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Waits until `look` finds something.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return Ok(found);
        }
        ensure!(Instant::now() < deadline, "waited {PATIENCE:?} until {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Boots a tree that holds nothing of ours, and starts a unit as confined as the host's in a
/// user's manager. What fails here is lacking on this machine.
pub fn can_boot(root: &Path) -> Result<()> {
    let host = fs::read_to_string(program::root().join(HOST))?;
    let units = root.join("etc/systemd/user");
    fs::create_dir_all(&units)?;
    let unit = units.join("confined.service");
    fs::write(&unit, confined(&host)?)?;
    let machine = Machine::boot(root)?;
    let uid = machine.must(&["id", "-u", ANYBODY])?;
    machine.must(&["systemctl", "start", &format!("user@{}.service", uid.trim())])?;
    succeed(&mut machine.as_user(ANYBODY, &["systemctl", "--user", "start", "confined.service"])?)?;
    machine.power_off()?;
    Ok(fs::remove_file(&unit)?)
}

/// The host's unit with nothing in it but its confinement.
fn confined(host: &str) -> Result<String> {
    let (_, confinement) = host.split_once("NoNewPrivileges=").context("the unit of the host is open")?;
    let confinement = confinement.split("\n[").next().unwrap_or_default();
    Ok(format!("[Service]\nType=oneshot\nExecStart=/bin/true\nNoNewPrivileges={confinement}\n"))
}

fn ip(command: &mut Command, arguments: &[&str]) -> Result<()> {
    succeed(command.args(arguments)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_as_confined_as_the_host_and_does_nothing() {
        let host = fs::read_to_string(program::root().join(HOST)).unwrap();
        let unit = confined(&host).unwrap();
        assert!(unit.contains("\nSystemCallFilter=@system-service\n"), "{unit}");
        assert!(!unit.contains("punktfunk-host") && !unit.contains("[Install]"), "{unit}");
        assert!(confined("[Service]\n").is_err());
    }
}
