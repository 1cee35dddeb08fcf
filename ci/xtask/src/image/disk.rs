//! `cargo xtask image disk`: installs the files of an image as ostree does, as a version that
//! can be booted, and puts them onto a disk. For trying: there is no boot loader on it, the
//! machine that boots it is given the kernel ([`super::boot`]). Real machines are installed
//! with bootc.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::{empty, folder};
use crate::program;

/// The name of the system among others on one disk, and of its disk.
const NAME: &str = "punktfunk";

/// Room for /var beside two versions; a file with holes.
const SIZE: &str = "8G";

/// An installed system.
pub struct Disk {
    /// The file system.
    pub file: PathBuf,
    /// The folder that was made into it.
    sysroot: PathBuf,
}

/// How the installed version is booted.
#[derive(Debug, PartialEq, Eq)]
pub struct Boot {
    /// From the root of the disk.
    pub kernel: String,
    /// From the root of the disk.
    pub initrd: String,
    /// What the kernel is told.
    pub options: String,
}

/// Installs the files in `root`.
pub fn make(root: &Path) -> Result<Disk> {
    let work = folder()?.join("disk");
    if work.exists() {
        // ostree guards what it has installed even from root.
        program::output(Command::new("chattr").args(["-R", "-f", "-i"]).arg(&work));
    }
    let work = empty(&work)?;
    let tree = commit_tree(root, &work)?;
    let disk = Disk { file: folder()?.join("disk.raw"), sysroot: work.join("sysroot") };
    // One that is half made is not booted.
    let _ = fs::remove_file(&disk.file);
    let repository = disk.sysroot.join("ostree/repo");
    fs::create_dir(&disk.sysroot)?;
    admin(&disk, &["init-fs"], true)?;
    for (key, value) in [("sysroot.readonly", "true"), ("sysroot.bootloader", "none")] {
        ostree(&repository, &["config", "set", key, value])?;
    }
    admin(&disk, &["os-init", NAME], false)?;
    let from = format!("--tree=dir={}", tree.display());
    ostree(&repository, &["commit", "--branch", NAME, "--subject", "image", &from])?;
    let label = format!("--karg=root=LABEL={NAME}");
    admin(&disk, &["deploy", "--os", NAME, &label, "--karg=rw", NAME], false)?;
    let mut pack = Command::new("mke2fs");
    pack.args(["-q", "-F", "-t", "ext4", "-L", NAME, "-d"]).arg(&disk.sysroot).arg(&disk.file).arg(SIZE);
    program::must(&mut pack)?;
    println!("image: installed on {}", program::relative(&disk.file));
    Ok(disk)
}

/// The last one that was made.
pub fn made() -> Result<Disk> {
    let folder = folder()?;
    let disk = Disk { file: folder.join("disk.raw"), sysroot: folder.join("disk/sysroot") };
    ensure!(disk.file.is_file(), "there is no disk yet: `cargo xtask image disk`");
    Ok(disk)
}

impl Disk {
    /// How it is booted, as ostree has written down.
    pub fn boot(&self) -> Result<Boot> {
        let entries = self.sysroot.join("boot/loader/entries");
        let entry = fs::read_dir(&entries).with_context(|| format!("reading {}", entries.display()))?.next();
        let entry = entry.context("ostree has installed nothing that boots")??;
        Boot::parse(&fs::read_to_string(entry.path())?)
    }

    /// A file of the disk, as it lies here.
    pub fn inside(&self, path: &str) -> PathBuf {
        // Entries count from the file system that holds /boot, which is all of it.
        let path = path.trim_start_matches('/');
        let whole = self.sysroot.join(path);
        if whole.exists() { whole } else { self.sysroot.join("boot").join(path) }
    }

    /// Where the /etc of the installed version lies on the disk.
    pub fn etc(&self) -> Result<String> {
        let deployments = format!("ostree/deploy/{NAME}/deploy");
        let names = fs::read_dir(self.sysroot.join(&deployments))?.flatten();
        let mut folders = names.filter(|entry| entry.path().is_dir());
        let folder = folders.next().context("no version is installed")?.file_name();
        Ok(format!("/{deployments}/{}/etc", folder.to_string_lossy()))
    }
}

impl Boot {
    /// Reads an entry as boot loaders do.
    fn parse(text: &str) -> Result<Self> {
        let value = |key: &str| {
            let line =
                text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(char::is_whitespace));
            line.map(|line| line.trim().to_owned()).with_context(|| format!("the entry names no {key}"))
        };
        Ok(Self { kernel: value("linux")?, initrd: value("initrd")?, options: value("options")? })
    }
}

/// The tree that ostree keeps: /etc is the pattern for that of machines, and /var is theirs.
/// Files are the same as in `root`, by hard links.
fn commit_tree(root: &Path, work: &Path) -> Result<PathBuf> {
    let tree = work.join("tree");
    program::must(Command::new("cp").args(["--archive", "--link"]).arg(root).arg(&tree))?;
    fs::rename(tree.join("etc"), tree.join("usr/etc"))?;
    empty(&tree.join("var"))?;
    // The base has device nodes in it, which ostree does not keep and no machine looks at.
    empty(&tree.join("dev"))?;
    Ok(tree)
}

fn admin(disk: &Disk, words: &[&str], fresh: bool) -> Result<()> {
    let (verb, rest) = words.split_first().context("no verb")?;
    let mut ostree = Command::new("ostree");
    ostree.args(["admin", verb]).args(rest);
    // Nothing here is kept from being thrown away.
    ostree.env("OSTREE_SYSROOT_DEBUG", "mutable-deployments");
    if fresh {
        ostree.arg(&disk.sysroot);
    } else {
        ostree.arg(format!("--sysroot={}", disk.sysroot.display()));
    }
    program::must(&mut ostree)
}

fn ostree(repository: &Path, words: &[&str]) -> Result<()> {
    program::must(Command::new("ostree").arg(format!("--repo={}", repository.display())).args(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_says_how_to_boot() {
        let text = "title Debian\nversion 1\noptions root=LABEL=x rw ostree=/ostree/boot.1/x/0\n\
                    linux /ostree/x/vmlinuz-6\ninitrd /ostree/x/initramfs-6.img\n";
        let boot = Boot::parse(text).unwrap();
        assert_eq!(boot.kernel, "/ostree/x/vmlinuz-6");
        assert_eq!(boot.initrd, "/ostree/x/initramfs-6.img");
        assert_eq!(boot.options, "root=LABEL=x rw ostree=/ostree/boot.1/x/0");
        assert!(Boot::parse("linux /x\noptions y\n").is_err());
        assert!(Boot::parse("linux /x\ninitrd /y\noptionsz\n").is_err());
    }
}
