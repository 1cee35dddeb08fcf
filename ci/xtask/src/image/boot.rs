//! `cargo xtask image boot`: boots the installed image in an emulated machine, looks at it from
//! inside and plays on it from outside. Without hardware support for that, so it is slow, and
//! what is played is small.
//!
//! The disk is the image's own but for one unit in its /etc, as an administrator could have put
//! there: a shell of root's on the second serial port, over which this looks.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::UdpSocket;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::disk::Disk;
use super::{empty, folder};
use crate::program;

/// The longest any step may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// How often a client tries to play.
const TRIES: u32 = 6;

/// What the kernel is told besides, so that emulating it costs less.
const LIGHT: &str = "console=ttyS0 mitigations=off no_timer_check tsc=reliable nokaslr \
                     random.trust_cpu=on audit=0 systemd.mask=systemd-hwdb-update.service \
                     systemd.mask=ldconfig.service systemd.mask=systemd-journal-catalog-update.service";

/// The shell that this looks with.
const SHELL: &str = "[Unit]\nDescription=A shell for trying the image\nAfter=dev-ttyS1.device\n\
                     BindsTo=dev-ttyS1.device\n[Service]\nStandardInput=tty\nStandardOutput=tty\n\
                     StandardError=journal\nTTYPath=/dev/ttyS1\nEnvironment=PATH=/usr/sbin:/usr/bin TERM=dumb\n\
                     ExecStart=/bin/sh -c 'stty -echo -onlcr; echo; echo @@ 0; exec sh'\n";

/// Boots `disk` and tries it, with the probe in `built`.
pub fn run(disk: &Disk, built: &Path) -> Result<()> {
    let work = empty(&folder()?.join("boot"))?;
    let began = Instant::now();
    let mut machine = Machine::boot(disk, &work)?;
    said(began, "the machine has booted and its shell answers");
    read_only(&mut machine)?;
    said(began, "/usr cannot be written to, and is the version that was installed");
    is_up(&mut machine)?;
    said(began, "the host runs, and nobody has logged in");
    devices(&mut machine)?;
    said(began, "the devices that pads are made with are the broker's");
    play(&mut machine, built, &work)?;
    said(began, "a client outside has paired and played");
    machine.power_off()?;
    said(began, "the machine has shut down");
    Ok(())
}

fn said(began: Instant, step: &str) {
    println!("  {:>4} s  {step}", began.elapsed().as_secs());
}

/// An emulated machine that runs; it is gone when this is dropped.
struct Machine {
    qemu: Child,
    to: UnixStream,
    lines: BufReader<UnixStream>,
    /// The port on this machine that leads to that of the host inside.
    port: u16,
    console: PathBuf,
}

impl Machine {
    fn boot(disk: &Disk, work: &Path) -> Result<Self> {
        let file = with_shell(disk, work)?;
        let boot = disk.boot()?;
        let (console, socket) = (work.join("console.log"), work.join("shell"));
        // Free a moment ago; nobody else takes ports of this kind in a hurry.
        let port = UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut qemu = Command::new("qemu-system-x86_64");
        qemu.args(["-accel", "tcg,thread=multi", "-cpu", "Nehalem", "-smp", "2", "-m", "2048"]);
        qemu.args(["-nodefaults", "-display", "none", "-no-reboot"]);
        qemu.arg("-kernel").arg(disk.inside(&boot.kernel)).arg("-initrd").arg(disk.inside(&boot.initrd));
        qemu.args(["-append", &format!("{} {LIGHT}", boot.options)]);
        qemu.args(["-device", "virtio-rng-pci", "-netdev"]);
        qemu.arg(format!("user,id=net,hostfwd=udp:127.0.0.1:{port}-:9777"));
        qemu.args(["-device", "virtio-net-pci,netdev=net,romfile="]);
        qemu.arg("-drive").arg(format!("file={},format=raw,if=virtio,snapshot=on", file.display()));
        qemu.arg("-serial").arg(format!("file:{}", console.display()));
        qemu.arg("-serial").arg(format!("unix:{},server=on,wait=off", socket.display()));
        let mut qemu = qemu.stdin(Stdio::null()).spawn().context("qemu-system-x86_64 cannot be started")?;
        let to = match connected(&mut qemu, &socket) {
            Ok(to) => to,
            Err(error) => {
                let _ = qemu.kill();
                let _ = qemu.wait();
                return Err(error);
            }
        };
        to.set_read_timeout(Some(PATIENCE))?;
        let lines = BufReader::new(to.try_clone()?);
        let mut machine = Self { qemu, to, lines, port, console };
        // What it says before anything was asked.
        machine.answer().context("the machine does not come up")?;
        Ok(machine)
    }

    /// Runs a line of shell inside; whether it succeeded, and what it printed.
    fn ask(&mut self, line: &str) -> Result<(bool, String)> {
        writeln!(self.to, "{{ {line}\n}} 2>&1; s=$?; echo; echo @@ $s")?;
        self.answer().with_context(|| format!("asking `{line}`"))
    }

    fn answer(&mut self) -> Result<(bool, String)> {
        let mut said = String::new();
        loop {
            let mut line = Vec::new();
            let read = self.lines.read_until(b'\n', &mut line).context("it says nothing more")?;
            ensure!(read > 0, "it is gone");
            let line = String::from_utf8_lossy(&line);
            if let Some(status) = line.trim_end().strip_prefix("@@ ") {
                return Ok((status == "0", said.trim().to_owned()));
            }
            said.push_str(&line);
        }
    }

    /// The same for what has to succeed.
    fn must(&mut self, line: &str) -> Result<String> {
        let (ok, said) = self.ask(line)?;
        ensure!(ok, "`{line}` inside: {said}");
        Ok(said)
    }

    /// A line of shell as the user of the host, with its manager.
    fn as_host(&mut self, line: &str) -> Result<(bool, String)> {
        self.ask(&format!(
            "setpriv --reuid=punktfunk --regid=punktfunk --init-groups \
             env XDG_RUNTIME_DIR=/run/user/$(id -u punktfunk) {line}"
        ))
    }

    fn power_off(mut self) -> Result<()> {
        writeln!(self.to, "systemctl --no-block poweroff")?;
        let deadline = Instant::now() + PATIENCE;
        while self.qemu.try_wait()?.is_none() {
            ensure!(Instant::now() < deadline, "it does not shut down");
            std::thread::sleep(Duration::from_millis(200));
        }
        Ok(())
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if !matches!(self.qemu.try_wait(), Ok(Some(_))) {
            let _ = self.qemu.kill();
            let _ = self.qemu.wait();
            eprintln!("  the machine's console: {}", self.console.display());
        }
    }
}

/// Connects to the second serial port as soon as it is there.
fn connected(qemu: &mut Child, socket: &Path) -> Result<UnixStream> {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Ok(stream) = UnixStream::connect(socket) {
            return Ok(stream);
        }
        if let Some(status) = qemu.try_wait()? {
            bail!("qemu-system-x86_64 ended: {status}");
        }
        ensure!(Instant::now() < deadline, "qemu-system-x86_64 opens no serial port");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A copy of the disk, with the shell.
fn with_shell(disk: &Disk, work: &Path) -> Result<PathBuf> {
    let file = work.join("disk.raw");
    program::must(Command::new("cp").arg("--sparse=always").arg(&disk.file).arg(&file))?;
    let unit = work.join("trial.service");
    fs::write(&unit, SHELL)?;
    let place = format!("{}/systemd/system", disk.etc()?);
    let commands = work.join("debugfs");
    fs::write(
        &commands,
        format!(
            "cd {place}\nwrite {} trial.service\ncd multi-user.target.wants\nsymlink trial.service ../trial.service\n",
            unit.display()
        ),
    )?;
    program::must(Command::new("debugfs").arg("-w").arg("-f").arg(&commands).arg(&file))?;
    Ok(file)
}

fn read_only(machine: &mut Machine) -> Result<()> {
    let (wrote, _) = machine.ask("touch /usr/lib/punktfunk/x")?;
    ensure!(!wrote, "/usr can be written to");
    let options = machine.must("findmnt --noheadings --output OPTIONS --target /usr")?;
    ensure!(options.split(',').any(|option| option == "ro"), "/usr is mounted {options}");
    machine.must("ostree admin status | grep -q '^[*] punktfunk '")?;
    machine.must("touch /var/x /etc/x && rm /var/x /etc/x").map(drop)
}

fn is_up(machine: &mut Machine) -> Result<()> {
    machine.must("systemctl start user@$(id -u punktfunk).service")?;
    machine.as_host("systemctl --user is-system-running --wait")?;
    let (_, state) =
        machine.as_host("systemctl --user show -p ActiveState -p StatusText punktfunk-host.service")?;
    ensure!(state.contains("ActiveState=active") && state.contains("9777"), "the host: {state}");
    let sessions = machine.must("loginctl list-sessions --no-legend")?;
    ensure!(sessions.is_empty(), "somebody has logged in: {sessions}");
    let (_, failed) = machine.ask("systemctl --failed --no-legend --plain")?;
    ensure!(failed.is_empty(), "failed: {failed}");
    Ok(())
}

fn devices(machine: &mut Machine) -> Result<()> {
    for device in ["/dev/uinput", "/dev/uhid"] {
        let is = machine.must(&format!("stat -c '%U:%G %a %F' {device}"))?;
        ensure!(is == "root:punktfunk-input 660 character special file", "{device} is {is}");
    }
    let socket = machine.must("systemctl is-active punktfunk-inputd.socket")?;
    ensure!(socket == "active", "the broker's socket is {socket}");
    Ok(())
}

/// Waits until a line of shell succeeds inside.
fn until(machine: &mut Machine, line: &str) -> Result<()> {
    let loops = format!("for n in $(seq 240); do {line} && break; sleep 1; done; {line}");
    machine.must(&loops).map(drop)
}

/// With the probe, from outside.
fn play(machine: &mut Machine, built: &Path, work: &Path) -> Result<()> {
    // It has an address, and knows which encoders it has; both take time in such a machine.
    until(machine, "ip -4 route show default | grep -q .")?;
    until(machine, "journalctl -q _SYSTEMD_USER_UNIT=punktfunk-host.service | grep -q 'encoders tried'")?;
    machine.must("cd /run && { punktfunk-host pair --native --json >pair.json 2>pair.err & }")?;
    until(machine, "grep -q pin /run/pair.json")?;
    let window: Value = serde_json::from_str(&machine.must("cat /run/pair.json")?)?;
    let pin = window["pin"].as_str().context("the host shows no PIN")?.to_owned();
    let home = empty(&work.join("client"))?;
    let address = format!("127.0.0.1:{}", machine.port);
    let probe = |words: &[&str]| -> Result<String> {
        let mut probe = Command::new("timeout");
        probe.arg(PATIENCE.as_secs().to_string()).arg(built.join("punktfunk-probe")).args(words);
        probe.arg("--host").arg(&address).arg("--identity").arg(&home).stdin(Stdio::null());
        let output = probe.output().context("the probe cannot be started")?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "the probe, {}: {said}", words.join(" "));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    probe(&["pair", "--pin", &pin])?;
    let picture = work.join("screen.png");
    let picture = picture.to_string_lossy();
    // The first start reads every program from the disk, and is given up where that takes too
    // long; the next finds them in memory. The session before is ended by the host itself.
    let words = ["stream", "--app", "Test card", "--mode", "320x180x10", "--seconds", "15", "--json"];
    let words = [&words[..], &["--channels", "0", "--screenshot", &picture]].concat();
    let mut tries = 1;
    let report = loop {
        match probe(&words) {
            Ok(report) => break report,
            Err(error) if tries == TRIES => return Err(error),
            Err(error) => println!("         try {tries}: {error:#}"),
        }
        tries += 1;
    };
    let report: Value = serde_json::from_str(&report)?;
    let number = |value: &Value| value.as_f64().unwrap_or(0.0);
    println!("         {} pictures, {} of the Test card's own", report["pictures"], report["card"]["unique"]);
    ensure!(number(&report["pictures"]) > 0.0, "no picture came: {report}");
    ensure!(number(&report["card"]["unique"]) > 0.0, "they were not the Test card's: {report}");
    println!("         the last one: {}", program::relative(Path::new(picture.as_ref())));
    Ok(())
}
