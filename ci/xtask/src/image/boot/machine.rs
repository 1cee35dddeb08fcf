//! An emulated machine that runs the disk: started, asked over a shell, photographed, shut
//! down. What to ask is not decided here.
//!
//! The disk is the image's own but for what an administrator could have put into its /etc: a
//! shell of root's on the second serial port, a program that looks at gamepads, and a system
//! extension that lies there until it is asked for.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::PATIENCE;
use super::network::Network;
use crate::image::disk::Disk;
use crate::program;

/// What the kernel is told besides, so that emulating it costs less.
const LIGHT: &str = "console=ttyS0 mitigations=off no_timer_check tsc=reliable nokaslr \
                     random.trust_cpu=on audit=0 systemd.mask=systemd-hwdb-update.service \
                     systemd.mask=ldconfig.service systemd.mask=systemd-journal-catalog-update.service";

/// The shell that this looks with.
const SHELL: &str = "[Unit]\nDescription=A shell for trying the image\nAfter=dev-ttyS1.device\n\
                     BindsTo=dev-ttyS1.device\n[Service]\nStandardInput=tty\nStandardOutput=tty\n\
                     StandardError=journal\nTTYPath=/dev/ttyS1\nEnvironment=PATH=/usr/sbin:/usr/bin TERM=dumb\n\
                     ExecStart=/bin/sh -c 'stty -echo -onlcr; echo; echo @@ 0; exec sh'\n";

/// What looks at gamepads, as it is called inside.
pub const EVTEST: &str = "/etc/trial-evtest";

/// Where the system extension lies inside.
pub const EXTENSION: &str = "/etc/trial-extension.raw";

/// It is gone when this is dropped.
pub struct Machine {
    qemu: Child,
    to: UnixStream,
    lines: BufReader<UnixStream>,
    monitor: PathBuf,
    /// What it printed on its first serial port.
    pub console: PathBuf,
}

impl Machine {
    /// Starts it and waits for its shell.
    pub fn boot(disk: &Disk, network: &Network, extension: Option<&Path>, work: &Path) -> Result<Self> {
        let file = furnished(disk, extension, work)?;
        let boot = disk.boot()?;
        let (console, socket) = (work.join("console.log"), work.join("shell"));
        let monitor = work.join("monitor");
        let mut qemu = network.command("qemu-system-x86_64");
        qemu.args(["-accel", "tcg,thread=multi", "-cpu", "Nehalem", "-smp", "2", "-m", "2048"]);
        qemu.args(["-nodefaults", "-display", "none", "-no-reboot", "-device", "VGA"]);
        qemu.arg("-kernel").arg(disk.inside(&boot.kernel)).arg("-initrd").arg(disk.inside(&boot.initrd));
        qemu.args(["-append", &format!("{} {LIGHT}", boot.options)]);
        qemu.args(["-device", "virtio-rng-pci"]).args(network.plug());
        qemu.arg("-drive").arg(format!("file={},format=raw,if=virtio,snapshot=on", file.display()));
        qemu.arg("-serial").arg(format!("file:{}", console.display()));
        qemu.arg("-serial").arg(format!("unix:{},server=on,wait=off", socket.display()));
        qemu.arg("-monitor").arg(format!("unix:{},server=on,wait=off", monitor.display()));
        let mut qemu = qemu.spawn().context("qemu-system-x86_64 cannot be started")?;
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
        let mut machine = Self { qemu, to, lines, monitor, console };
        // What it says before anything was asked.
        machine.answer().context("the machine does not come up")?;
        Ok(machine)
    }

    /// Runs a line of shell inside; whether it succeeded, and what it printed.
    pub fn ask(&mut self, line: &str) -> Result<(bool, String)> {
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
    pub fn must(&mut self, line: &str) -> Result<String> {
        let (ok, said) = self.ask(line)?;
        ensure!(ok, "`{line}` inside: {said}");
        Ok(said)
    }

    /// A line of shell as the user of the host, with its manager.
    pub fn as_host(&mut self, line: &str) -> Result<(bool, String)> {
        self.ask(&format!(
            "setpriv --reuid=punktfunk --regid=punktfunk --init-groups \
             env XDG_RUNTIME_DIR=/run/user/$(id -u punktfunk) {line}"
        ))
    }

    /// Waits until a line of shell succeeds inside.
    pub fn until(&mut self, line: &str) -> Result<()> {
        let loops = format!("for n in $(seq 240); do {{ {line}; }} && break; sleep 1; done; {line}");
        self.must(&loops).map(drop)
    }

    /// A picture of the attached display, as PNG.
    pub fn photograph(&mut self, file: &Path) -> Result<()> {
        let mut monitor = UnixStream::connect(&self.monitor).context("the monitor of QEMU")?;
        monitor.set_read_timeout(Some(PATIENCE))?;
        writeln!(monitor, "screendump {} -f png", file.display())?;
        let (mut said, mut byte) = (String::new(), [0]);
        // It greets with one, and has another when it is done.
        while said.matches("(qemu)").count() < 2 {
            ensure!(monitor.read(&mut byte)? > 0, "the monitor of QEMU says: {said}");
            said.push(char::from(byte[0]));
        }
        ensure!(file.is_file(), "QEMU took no picture: {said}");
        Ok(())
    }

    /// Shuts it down.
    pub fn power_off(mut self) -> Result<()> {
        // A shell on a terminal does not end when it is asked to.
        writeln!(self.to, "systemctl --no-block poweroff; exit")?;
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

/// A copy of the disk, with what is needed to look.
fn furnished(disk: &Disk, extension: Option<&Path>, work: &Path) -> Result<PathBuf> {
    let file = work.join("disk.raw");
    program::must(Command::new("cp").arg("--sparse=always").arg(&disk.file).arg(&file))?;
    let unit = work.join("trial.service");
    fs::write(&unit, SHELL)?;
    let evtest = program::find("evtest").context("evtest is not installed")?;
    let etc = disk.etc()?;
    let put =
        |from: &Path, to: &str| format!("write {} {}\n", from.display(), to.trim_start_matches("/etc/"));
    let mut text = format!("cd {etc}\n{}", put(&evtest, EVTEST));
    text += &extension.map_or_else(String::new, |image| put(image, EXTENSION));
    text += &format!("cd {etc}/systemd/system\n{}", put(&unit, "trial.service"));
    text += "cd multi-user.target.wants\nsymlink trial.service ../trial.service\n";
    let commands = work.join("debugfs");
    fs::write(&commands, text)?;
    program::must(Command::new("debugfs").arg("-w").arg("-f").arg(&commands).arg(&file))?;
    Ok(file)
}
