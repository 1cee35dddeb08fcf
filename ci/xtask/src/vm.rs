//! `cargo xtask vm`: what needs a kernel of its own. Not part of `test`: it fetches a
//! kernel from the distribution (70 MB, once) and emulates a machine.
//!
//! The machine is as small as it can be: the kernel, and an initial file system that
//! holds busybox, the modules in question, and our programs linked statically. What they
//! print on the serial port is the result.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use crate::packages::{self, Group};
use crate::{exit_code, program};

/// Options of `cargo xtask vm`.
#[derive(Args)]
pub struct Options {
    /// What to check
    what: What,
    /// Install missing system packages without asking
    #[arg(long)]
    yes: bool,
}

/// What can be checked.
#[derive(Clone, Copy, ValueEnum)]
enum What {
    /// Gamepads: the broker with the kernel's uinput
    Inputd,
}

/// Where programs for any machine are built.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// What a machine that passed says last.
const PASSED: &str = "vm: all checks passed";

/// The first program of the machine. The broker serves a user that is not root, and has
/// to answer before and after the modules are there.
const INIT: &str = "#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs dev /dev
/punktfunk-inputd --socket /run/punktfunk-inputd/inputd.sock --allow-user 1000 --give-nodes &
as_player() { /bin/busybox su player -c \"/vm $1 /run/punktfunk-inputd/inputd.sock\"; }
if as_player without &&
    /bin/busybox insmod /evdev.ko && /bin/busybox insmod /uinput.ko &&
    as_player with; then
    echo 'vm: all checks passed'
fi
/bin/busybox poweroff -f
";

/// Builds, boots, and looks at what the machine said.
pub fn run(options: &Options) -> Result<ExitCode> {
    let What::Inputd = options.what;
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        bail!("the machine is an x86-64 one; on other machines there is nothing to run it with yet");
    }
    packages::ensure(&[Group::Build, Group::Vm], options.yes)?;
    let folder = program::root().join("target/vm");
    fs::create_dir_all(&folder)?;
    let kernel = Kernel::ensure(&folder)?;
    let built = build(&folder)?;
    let image = folder.join("initrd");
    fs::write(&image, initial_files(&kernel, &built)?)?;

    let mut machine = Command::new("timeout");
    machine.args(["300", "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "Nehalem", "-smp", "2"]);
    machine.args(["-m", "1024", "-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot"]);
    machine.arg("-kernel").arg(&kernel.image).arg("-initrd").arg(&image);
    machine.args(["-append", "console=ttyS0 quiet panic=-1 mitigations=off no_timer_check tsc=reliable"]);
    machine.stdin(std::process::Stdio::null());
    let said = program::output(&mut machine).context("qemu-system-x86_64 failed or took five minutes")?;
    print!("{said}");
    Ok(exit_code(said.contains(PASSED)))
}

/// A kernel of the distribution, unpacked.
struct Kernel {
    image: PathBuf,
    modules: PathBuf,
}

impl Kernel {
    /// Fetches the distribution's kernel for real machines, unless it is there: the one
    /// for virtual machines lacks uinput.
    fn ensure(folder: &Path) -> Result<Self> {
        let unpacked = folder.join("kernel");
        if !unpacked.join("boot").is_dir() {
            let depends = program::output(Command::new("apt-cache").args(["depends", "linux-image-amd64"]))
                .context("apt-cache knows no kernel; this works on Debian only so far")?;
            let name = package_of(&depends).context("linux-image-amd64 names no kernel")?;
            program::must(Command::new("apt-get").args(["-q", "download", name]).current_dir(folder))?;
            let file = entry(folder, |file| file.starts_with(name) && file.ends_with(".deb"))?;
            program::must(Command::new("dpkg-deb").arg("-x").arg(file).arg(&unpacked))?;
        }
        let image = entry(&unpacked.join("boot"), |file| file.starts_with("vmlinuz-"))?;
        let modules = entry(&unpacked.join("lib/modules"), |_| true)?.join("kernel");
        Ok(Self { image, modules })
    }
}

/// The kernel that the package of all kernels stands for.
fn package_of(depends: &str) -> Option<&str> {
    depends.lines().find_map(|line| line.trim().strip_prefix("Depends: ")).map(str::trim)
}

fn entry(folder: &Path, wanted: impl Fn(&str) -> bool) -> Result<PathBuf> {
    fs::read_dir(folder)?
        .flatten()
        .find(|entry| wanted(&entry.file_name().to_string_lossy()))
        .map(|entry| entry.path())
        .with_context(|| format!("something is missing in {}; remove that folder", folder.display()))
}

/// Programs that need no libraries.
fn build(folder: &Path) -> Result<PathBuf> {
    let mut cargo = program::cargo();
    cargo.args(["build", "--profile", "ci", "--package", "punktfunk-inputd", "--bins", "--example", "vm"]);
    // Naming the target keeps the flags from build scripts.
    cargo.args(["--target", TARGET, "--target-dir"]).arg(folder.join("build"));
    program::must(cargo.env("RUSTFLAGS", "-C target-feature=+crt-static"))?;
    Ok(folder.join("build").join(TARGET).join("ci"))
}

fn initial_files(kernel: &Kernel, built: &Path) -> Result<Vec<u8>> {
    let busybox = ["/bin/busybox", "/usr/bin/busybox"].map(Path::new).into_iter().find(|path| path.is_file());
    let mut archive = Archive::default();
    for folder in ["bin", "dev", "etc", "proc", "run", "sys"] {
        archive.add(folder, 0o040_755, &[]);
    }
    archive.add("etc/passwd", 0o100_644, b"root:x:0:0::/:\nplayer:x:1000:1000::/:/bin/sh\n");
    archive.add("bin/sh", 0o120_777, b"busybox");
    archive.add("etc/group", 0o100_644, b"root:x:0:\nplayer:x:1000:\n");
    archive.add("init", 0o100_755, INIT.as_bytes());
    for (name, file) in [
        ("bin/busybox", busybox.context("busybox is missing")?.to_owned()),
        ("evdev.ko", kernel.modules.join("drivers/input/evdev.ko")),
        ("uinput.ko", kernel.modules.join("drivers/input/misc/uinput.ko")),
        ("punktfunk-inputd", built.join("punktfunk-inputd")),
        ("vm", built.join("examples/vm")),
    ] {
        let bytes = fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
        archive.add(name, 0o100_755, &bytes);
    }
    Ok(archive.finish())
}

/// An archive as the kernel unpacks it: cpio, "new ASCII" format, everything root's.
#[derive(Default)]
struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

impl Archive {
    fn add(&mut self, name: &str, mode: u32, content: &[u8]) {
        self.entries += 1;
        // Number, mode, user, group, links, time, size, four of devices, length of the
        // name with its NUL, checksum.
        let (size, length) = (content.len() as u32, name.len() as u32 + 1);
        let numbers = [self.entries, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, length, 0];
        self.bytes.extend_from_slice(b"070701");
        for number in numbers {
            self.bytes.extend_from_slice(format!("{number:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    fn finish(mut self) -> Vec<u8> {
        self.add("TRAILER!!!", 0, &[]);
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_what_the_kernel_unpacks() {
        let mut archive = Archive::default();
        archive.add("ab", 0o100_755, b"hello");
        let bytes = archive.finish();
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.starts_with("07070100000001000081ed"));
        assert_eq!(&text[54..62], "00000005");
        assert_eq!(&text[94..110], "0000000300000000");
        // The name and its NUL end on a multiple of four: 110 + 3 + 3.
        assert_eq!(&bytes[110..124], b"ab\0\0\0\0hello\0\0\0");
        assert_eq!(&text[124..130], "070701");
        assert!(bytes.len() % 4 == 0 && text.contains("TRAILER!!!"));
    }

    #[test]
    fn the_kernel_is_what_the_package_of_kernels_depends_on() {
        let said = "linux-image-amd64\n  Depends: linux-image-6.1.0-56-amd64\n";
        assert_eq!(package_of(said), Some("linux-image-6.1.0-56-amd64"));
        assert_eq!(package_of("linux-image-amd64\n"), None);
        assert!(INIT.contains(PASSED));
    }
}
