//! The console in the browser: its toolchain, its build and its checks.
//!
//! The system's npm fetches packages and does nothing else; everything runs under the
//! one Node that `web/toolchain` pins. What is installed is remembered by a copy of the
//! lock beside it, what is built by a digest of the sources, so that a second run with
//! nothing new starts no program at all.

use std::fs;
use std::hash::{DefaultHasher, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::program;
use crate::tally::Tally;

/// What the browser loads before it shows the first page may weigh so much, compressed.
const FIRST_LOAD: u64 = 150 * 1024;

/// Folders below `web/` that are not part of the console's build.
const NOT_BUILT: [&str; 5] = ["dist", "e2e", "node_modules", "toolchain", "coverage"];

/// Installs what is missing and builds `web/dist`, unless nothing changed.
pub fn build() -> Result<()> {
    let console = Folder::console()?;
    console.install()?;
    let digest = console.digest()?;
    let stamp = console.path.join("node_modules/.punktfunk-built");
    let built = fs::read_to_string(&stamp).unwrap_or_default();
    if built == digest && console.path.join("dist/index.html").is_file() {
        println!("console: web/dist is up to date");
        return Ok(());
    }
    program::must(&mut console.script("build")?).context("building the console")?;
    fs::write(&stamp, digest).with_context(|| format!("writing {}", stamp.display()))
}

/// Formatting, lints, types, build, unit tests and the size of the first load.
pub fn tests() -> Result<Tally> {
    let mut tally = Tally::default();
    let console = Folder::console()?;
    console.install()?;
    if !program::succeeds(&mut console.script("check")?)? {
        tally.fail("web check: see above; `node --run format` in web/ puts most of it right");
    }
    let scenarios = Folder::scenarios()?;
    scenarios.install()?;
    if !program::succeeds(&mut scenarios.script("check")?)? {
        tally.fail("web check: the types of web/e2e; see above");
    }
    // Before the tests, which look at what is shipped.
    build()?;
    let mut tests = console.script("test")?;
    tests.args(["--", "--reporter=tap-flat"]);
    let completed = program::each_line(&mut tests, |line| {
        if unit_test(&mut tally, line) {
            println!("{line}");
        }
    })?;
    if !completed && tally.is_good() {
        tally.fail("web test: the unit tests ended with an error; see above");
    } else if tally.passed == 0 && tally.is_good() {
        tally.fail("web test: no unit test ran");
    }
    first_load(&console, &mut tally)?;
    Ok(tally)
}

/// A folder with a `package.json` and a lock.
pub struct Folder {
    /// Where it is.
    pub path: PathBuf,
}

impl Folder {
    /// `web/`, the console.
    fn console() -> Result<Self> {
        Self::below("web")
    }

    /// `web/e2e`, what drives a browser.
    pub fn scenarios() -> Result<Self> {
        Self::below("web/e2e")
    }

    /// A folder by its place in the source tree.
    fn below(place: &str) -> Result<Self> {
        let path = program::root().join(place);
        if !path.join("package-lock.json").is_file() {
            bail!("{place}/package-lock.json is missing; is the source tree whole?");
        }
        Ok(Self { path })
    }

    /// Brings its packages, unless they are those of the lock already. No package may
    /// run a program of its own meanwhile.
    pub fn install(&self) -> Result<()> {
        let lock = fs::read(self.path.join("package-lock.json"))?;
        let stamp = self.path.join("node_modules/.punktfunk-lock");
        if fs::read(&stamp).is_ok_and(|installed| installed == lock) {
            return Ok(());
        }
        let Some(npm) = program::find("npm") else {
            bail!(
                "npm is missing and the console cannot be built without it; install it (Debian: apt-get \
                 install npm), or go on without a console: cargo xtask serve --no-console"
            );
        };
        let mut command = Command::new(npm);
        command.current_dir(&self.path);
        command.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
        program::must(&mut command).with_context(|| {
            format!(
                "the packages of {} could not be fetched. That needs the network once, and again only when \
                 the lock changes; without it: cargo xtask serve --no-console",
                program::relative(&self.path)
            )
        })?;
        fs::write(&stamp, lock).with_context(|| format!("writing {}", stamp.display()))
    }

    /// A script of its `package.json`, run by the pinned Node and not by npm: the npm of
    /// a distribution only works with that distribution's Node.
    fn script(&self, name: &str) -> Result<Command> {
        let mut command = node()?;
        command.current_dir(&self.path).args(["--run", name]);
        Ok(command)
    }

    /// Stands for everything that `dist` is made of.
    fn digest(&self) -> Result<String> {
        let mut files = Vec::new();
        sources(&self.path, &mut files, true)?;
        files.sort();
        let mut hasher = DefaultHasher::new();
        for file in &files {
            let bytes = fs::read(file).with_context(|| format!("reading {}", file.display()))?;
            hasher.write(file.strip_prefix(&self.path).unwrap_or(file).as_os_str().as_encoded_bytes());
            hasher.write_usize(bytes.len());
            hasher.write(&bytes);
        }
        Ok(format!("{:016x}\n", hasher.finish()))
    }
}

/// The Node that `web/toolchain` pins, with its folder first in the search path.
pub fn node() -> Result<Command> {
    let toolchain = Folder::below("web/toolchain")?;
    toolchain.install()?;
    let machine = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => bail!("there is no Node for the processor {other}; go on with `--no-console`"),
    };
    let bin = toolchain.path.join(format!("node_modules/node-linux-{machine}/bin"));
    let node = bin.join("node");
    if !node.is_file() {
        bail!("{} is missing; remove web/toolchain/node_modules and try again", node.display());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(bin).chain(std::env::split_paths(&path)))?;
    let mut command = Command::new(node);
    command.env("PATH", path).current_dir(program::root());
    Ok(command)
}

fn sources(folder: &Path, files: &mut Vec<PathBuf>, top: bool) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        if entry.file_type()?.is_dir() {
            if !(top && NOT_BUILT.iter().any(|other| name == *other)) {
                sources(&entry.path(), files, false)?;
            }
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}

/// Reads a line of the unit tests' report (TAP) and says whether a person should see it.
fn unit_test(tally: &mut Tally, line: &str) -> bool {
    let named = |rest: &str| {
        let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start();
        rest.strip_prefix("- ").unwrap_or(rest).split(" # ").next().unwrap_or_default().to_owned()
    };
    if let Some(rest) = line.strip_prefix("not ok ") {
        tally.fail(format!("web {}", named(rest)));
        return true;
    }
    let Some(rest) = line.strip_prefix("ok ") else { return true };
    match rest.split_once(" # SKIP") {
        Some((_, why)) => tally.skip(format!("web {}", named(rest)), why.trim().to_owned()),
        None => tally.passed += 1,
    }
    false
}

/// Weighs what the browser fetches before the first page is there.
fn first_load(console: &Folder, tally: &mut Tally) -> Result<()> {
    let mut weigh = node()?;
    weigh.arg("web/toolchain/first-load.mjs").arg(console.path.join("dist"));
    let said = program::output(&mut weigh).context("web/dist/index.html could not be weighed")?;
    let bytes: u64 = said.trim().parse().context("first-load.mjs printed no number")?;
    println!("console: the first load is {} of {} bytes, compressed", bytes, FIRST_LOAD);
    if bytes > FIRST_LOAD {
        tally.fail(format!("web size: the first load is {bytes} bytes, more than {FIRST_LOAD}"));
    } else {
        tally.passed += 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unit_tests_are_counted_and_failures_named() {
        let mut tally = Tally::default();
        let lines = [
            "TAP version 13",
            "1..3",
            "ok 1 - src/a.test.ts > adds # time=1.20ms",
            "not ok 2 - src/a.test.ts > subtracts # time=3.00ms",
            "ok 3 - src/b.test.ts > waits # SKIP no clock",
        ];
        let shown: Vec<_> = lines.iter().filter(|line| unit_test(&mut tally, line)).collect();
        assert_eq!(tally.to_string(), "1 passed, 1 failed, 1 skipped");
        assert_eq!(tally.failed, ["web src/a.test.ts > subtracts"]);
        assert_eq!(tally.skipped[0].1, "no clock");
        assert_eq!(shown, [&lines[0], &lines[1], &lines[3]]);
    }

    #[test]
    fn the_digest_follows_the_sources_and_nothing_else() {
        let path = std::env::temp_dir().join(format!("xtask-web-{}", std::process::id()));
        for folder in ["src/dist", "dist", "node_modules", "e2e"] {
            fs::create_dir_all(path.join(folder)).unwrap();
        }
        let folder = Folder { path: path.clone() };
        fs::write(path.join("src/main.ts"), "1").unwrap();
        let first = folder.digest().unwrap();
        for other in ["dist/index.html", "node_modules/x", "e2e/run.ts"] {
            fs::write(path.join(other), "2").unwrap();
            assert_eq!(folder.digest().unwrap(), first, "{other}");
        }
        // Only at the top is `dist` what was built.
        fs::write(path.join("src/dist/x.ts"), "2").unwrap();
        let second = folder.digest().unwrap();
        assert_ne!(second, first);
        fs::rename(path.join("src/main.ts"), path.join("src/other.ts")).unwrap();
        assert_ne!(folder.digest().unwrap(), second);
        fs::remove_dir_all(&path).unwrap();
    }

    #[test]
    fn a_lock_that_is_installed_is_not_installed_again() {
        let path = std::env::temp_dir().join(format!("xtask-lock-{}", std::process::id()));
        fs::create_dir_all(path.join("node_modules")).unwrap();
        // npm would refuse this lock.
        fs::write(path.join("package-lock.json"), "no lock").unwrap();
        fs::write(path.join("node_modules/.punktfunk-lock"), "no lock").unwrap();
        Folder { path: path.clone() }.install().unwrap();
        fs::remove_dir_all(&path).unwrap();
        assert!(Folder::below("ci/no-such-folder").is_err());
    }
}
