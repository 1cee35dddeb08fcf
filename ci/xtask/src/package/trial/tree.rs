//! The rpm and the package for Arch in trees of their own that hold nothing else, with the
//! commands of their pages. There is no system around them, so their scripts are not run and
//! nothing asks what they depend on.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::empty;
use crate::package::lint::said_well;
use crate::package::make;
use crate::package::manifest::{Format, walk};
use crate::pages::Steps;
use crate::program;

/// How the commands of the pages begin that remove what a package leaves.
const STATE: &str = "sudo rm -rf /var/lib/punktfunk /etc/punktfunk";

/// A tree, and what is typed there instead of what the page says, because the tree is not
/// this machine.
struct Tree {
    root: PathBuf,
    /// Where a person has the source tree and the packages.
    shelf: PathBuf,
    /// How a command of the page begins, and how the one that is run.
    instead: Vec<(&'static str, String)>,
    used: BTreeSet<usize>,
    page: Steps,
}

/// With rpm in the place of dnf, which wants a Fedora, and rpm's own database in the tree.
pub fn rpm(file: &Path, built: &Path, work: &Path) -> Result<()> {
    let root = empty(&work.join("rpm-root"))?;
    let rpm = format!("rpm --root {} --dbpath /var/lib/rpm", quoted(&root));
    let instead = vec![
        ("sudo dnf install ", format!("{rpm} --upgrade --nodeps --noscripts ")),
        ("sudo dnf downgrade ", format!("{rpm} --upgrade --oldpackage --nodeps --noscripts ")),
        ("sudo dnf remove ", format!("{rpm} --erase --noscripts ")),
    ];
    let shelf = shelf(Format::Rpm, file, built, &work.join("rpm-shelf"))?;
    let mut page = Steps::of("rpm", "fedora.md")?;
    page.expect("What you need", "cargo xtask package rpm")?;
    let tree = Tree { root, shelf, instead, used: BTreeSet::new(), page };
    let version = format!("{rpm} --query --queryformat '%{{RELEASE}}' punktfunk");
    tree.life(&version, &format!("{rpm} --verify --nodeps punktfunk"))
}

/// With a database of pacman's in the tree.
pub fn arch(file: &Path, built: &Path, work: &Path) -> Result<()> {
    let root = empty(&work.join("arch-root"))?;
    fs::create_dir_all(root.join("var/lib/pacman"))?;
    let tree = quoted(&root);
    let pacman = format!(
        "pacman --config /dev/null --noconfirm --root {tree} --dbpath {tree}/var/lib/pacman --hookdir {tree}"
    );
    let instead = vec![("sudo pacman ", format!("{pacman} -dd --noscriptlet "))];
    let shelf = shelf(Format::Arch, file, built, &work.join("arch-shelf"))?;
    let mut page = Steps::of("arch", "arch.md")?;
    page.expect("What you need", "cargo xtask package arch")?;
    let tree = Tree { root, shelf, instead, used: BTreeSet::new(), page };
    tree.life(
        &format!("{pacman} -Q punktfunk | sed 's/.*-//' | tr -d '\\n'"),
        &format!("{pacman} -Qkk punktfunk"),
    )
}

impl Tree {
    /// All of it, in order. `version` prints the revision, `whole` fails when a file is not
    /// as it was packed.
    fn life(mut self, version: &str, whole: &str) -> Result<()> {
        let state = self.root.join("var/lib/punktfunk");
        let (lib, etc) = (quoted(&state), quoted(&self.root.join("etc/punktfunk")));
        self.instead.push((STATE, format!("rm -rf {lib} {etc}")));
        for (section, revision) in [("Install", "1"), ("Update", "2"), ("Go back", "1")] {
            self.run(section)?;
            let is = program::output(&mut self.shell(version)).unwrap_or_default();
            ensure!(is == revision, "{section}: revision {is:?} is installed, and not {revision}");
            said_well(&mut self.shell(whole))?;
        }
        fs::create_dir_all(&state)?;
        self.run("Remove")?;
        nothing_left(&self.root.join("usr"))?;
        ensure!(state.is_dir(), "a removal takes the state along");
        self.run("Remove")?;
        ensure!(!state.exists(), "the state is left");
        let unused = (0..self.instead.len()).find(|at| !self.used.contains(at));
        if let Some(at) = unused {
            bail!("the page never says {:?}, which stands for {:?}", self.instead[at].0, self.instead[at].1);
        }
        self.page.all_taken()
    }

    /// Runs the next commands of a section, as they are typed here.
    fn run(&mut self, section: &str) -> Result<()> {
        for command in self.page.take(section)? {
            let known = self.instead.iter().position(|(from, _)| command.starts_with(from));
            let at = known.with_context(|| format!("nothing stands for {command:?} here"))?;
            self.used.insert(at);
            let (from, to) = &self.instead[at];
            said_well(&mut self.shell(&command.replacen(from, to, 1))).with_context(|| command.clone())?;
        }
        Ok(())
    }

    fn shell(&self, line: &str) -> Command {
        let mut shell = Command::new("sh");
        shell.args(["-euc", line]).current_dir(&self.shelf);
        shell
    }
}

/// A folder with packages where the page says they are.
fn shelf(format: Format, file: &Path, built: &Path, folder: &Path) -> Result<PathBuf> {
    let shelf = empty(folder)?;
    let made = shelf.join("target/package");
    fs::create_dir_all(&made)?;
    fs::copy(file, made.join(file.file_name().context("a package without a name")?))?;
    let ending = if format == Format::Rpm { "rpm" } else { "pkg.tar.zst" };
    fs::copy(file, shelf.join(format!("punktfunk-OLD.{ending}")))?;
    fs::copy(make(format, built, 2)?, shelf.join(format!("punktfunk-NEW.{ending}")))?;
    Ok(shelf)
}

/// A path as one word of a shell.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', "'\\''"))
}

fn nothing_left(place: &Path) -> Result<()> {
    let mut files = Vec::new();
    if place.exists() {
        walk(place, &mut files)?;
    }
    match files.first() {
        Some(file) => bail!("{} is left behind", file.display()),
        None => Ok(()),
    }
}
