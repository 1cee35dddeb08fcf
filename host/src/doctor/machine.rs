//! All that probes see of the machine: files below a root, programs in a path, the host's
//! own places. Tests give a root of their own and programs that say what they are told.
//!
//! It reads and runs, within limits, and writes nothing.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::distribution::Distribution;
use super::encoders::Benches;
use crate::config::Config;
use crate::platform::{Account, Scope, current_user_id};

/// No file that is read here is longer, but its beginning is enough.
const LONGEST: u64 = 256 * 1024;
/// How often a child is looked after.
const LOOK: Duration = Duration::from_millis(5);
/// Most programs that are asked answer much sooner.
pub const SOON: Duration = Duration::from_secs(3);

/// Which host is examined, and where its things are.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Whose host it is.
    pub scope: Scope,
    /// Identity and paired clients.
    pub state: PathBuf,
    /// Sockets and seats.
    pub runtime: PathBuf,
    /// The owner's socket of this host.
    pub socket: PathBuf,
    /// The file of settings.
    pub settings: PathBuf,
    /// The settings, or what is wrong with them.
    pub config: Result<Arc<Config>, String>,
    /// GameStream is served or would be.
    pub gamestream: bool,
}

/// The machine as probes see it.
#[derive(Debug)]
pub struct Machine {
    /// The host that is examined.
    pub host: Subject,
    /// What files are below: `/`, but for tests.
    pub root: PathBuf,
    /// Where programs are looked for.
    pub path: Vec<PathBuf>,
    /// Where programs of ours are: the folder of this one.
    pub programs: PathBuf,
    /// Environment variables that probes look at.
    pub env: BTreeMap<String, String>,
    /// Who looks.
    pub user: Account,
    /// What was measured once for several probes.
    pub(super) benches: OnceLock<Benches>,
}

/// How a program went that was run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// It ended with status 0.
    pub ok: bool,
    /// It ended by itself; else it took too long and was killed.
    pub ended: bool,
    /// What it printed: its output, else its errors. Cut at 256 KiB.
    pub text: String,
}

impl Machine {
    /// The real one, for this host.
    pub fn real(host: Subject) -> Self {
        let mut path: Vec<PathBuf> =
            std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
        // Where an ordinary user's path seldom leads, and firewalls are.
        for folder in ["/usr/sbin", "/sbin"] {
            if !path.iter().any(|known| known == Path::new(folder)) {
                path.push(folder.into());
            }
        }
        let programs = std::env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_owned));
        let uid = current_user_id();
        Self {
            host,
            root: "/".into(),
            path,
            programs: programs.unwrap_or_default(),
            env: std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
            user: Account::current().unwrap_or(Account {
                name: format!("user {uid}"),
                uid,
                gid: 0,
                home: "/".into(),
            }),
            benches: OnceLock::new(),
        }
    }

    /// The same machine, of which nothing is known yet.
    pub fn again(&self) -> Arc<Self> {
        Arc::new(Self {
            host: self.host.clone(),
            root: self.root.clone(),
            path: self.path.clone(),
            programs: self.programs.clone(),
            env: self.env.clone(),
            user: self.user.clone(),
            benches: OnceLock::new(),
        })
    }

    /// The settings, defaults where the file is wrong.
    pub fn config(&self) -> Arc<Config> {
        self.host.config.clone().unwrap_or_default()
    }

    /// True when it is this machine, not one of a test.
    pub fn is_real(&self) -> bool {
        self.root == Path::new("/")
    }

    /// Where a file of the machine is, named without its first slash.
    pub fn at(&self, file: &str) -> PathBuf {
        self.root.join(file)
    }

    /// Where a file is that is named with its first slash.
    pub fn inside(&self, file: &Path) -> PathBuf {
        self.root.join(file.strip_prefix("/").unwrap_or(file))
    }

    /// The text of a file, without blanks at its end; `None` when it cannot be read.
    pub fn read(&self, file: &str) -> Option<String> {
        read(&self.at(file))
    }

    /// The number in a file.
    pub fn number(&self, file: &str) -> Option<u64> {
        self.read(file)?.parse().ok()
    }

    /// Whether there is such a file.
    pub fn exists(&self, file: &str) -> bool {
        self.at(file).exists()
    }

    /// The names in a folder, in order.
    pub fn names(&self, folder: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.at(folder)).into_iter().flatten().flatten();
        let mut names: Vec<String> =
            entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    }

    /// Which distribution this is.
    pub fn distribution(&self) -> Distribution {
        Distribution::of(self)
    }

    /// Where a program is.
    pub fn program(&self, name: &str) -> Option<PathBuf> {
        self.path.iter().map(|folder| folder.join(name)).find(|file| is_program(file))
    }

    /// Runs a program of the path that only looks, for at most `limit`. `None` when it is
    /// not there or did not end.
    pub fn ask(&self, name: &str, arguments: &[&str], limit: Duration) -> Option<Ran> {
        run(Command::new(self.program(name)?).args(arguments), limit).filter(|ran| ran.ended)
    }

    /// What the program answers to this in its first line.
    pub fn first_line(&self, name: &str, arguments: &[&str]) -> Option<String> {
        let text = self.ask(name, arguments, SOON)?.text;
        text.lines().map(str::trim).find(|line| !line.is_empty()).map(|line| line.chars().take(80).collect())
    }

    /// The names of all processes that can be seen, with their numbers.
    pub fn processes(&self) -> Vec<(u32, String)> {
        let numbers = self.names("proc").into_iter().filter_map(|name| name.parse::<u32>().ok());
        numbers.filter_map(|pid| Some((pid, self.read(&format!("proc/{pid}/comm"))?))).collect()
    }

    /// Whether this user may read and write a file.
    pub fn may_use(&self, file: &str) -> bool {
        rustix::fs::access(self.at(file), rustix::fs::Access::READ_OK | rustix::fs::Access::WRITE_OK).is_ok()
    }

    /// Owner, group and mode of a file, as `0:44 0660`.
    pub fn rights(&self, file: &str) -> Option<String> {
        let about = self.at(file).metadata().ok()?;
        Some(format!("{}:{} {:04o}", about.uid(), about.gid(), about.mode() & 0o7777))
    }
}

/// The text of a file, without blanks at its end, at most 256 KiB of it.
pub(super) fn read(file: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    std::fs::File::open(file).ok()?.take(LONGEST).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).trim_end().to_owned())
}

fn is_program(file: &Path) -> bool {
    file.metadata().is_ok_and(|about| about.is_file() && about.mode() & 0o111 != 0)
}

/// Runs a program without input, for at most `limit`; then it is killed. `None` when it
/// cannot be run.
pub(super) fn run(command: &mut Command, limit: Duration) -> Option<Ran> {
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().ok()?;
    let (out, err) = (collect(child.stdout.take()), collect(child.stderr.take()));
    let deadline = Instant::now() + limit;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break Some(status),
            Ok(None) if Instant::now() < deadline => std::thread::sleep(LOOK),
            _ => {
                drop(child.kill());
                drop(child.wait());
                break None;
            }
        }
    };
    let text = |thread: Option<std::thread::JoinHandle<String>>| {
        thread.and_then(|thread| thread.join().ok()).unwrap_or_default()
    };
    let (out, err) = (text(out), text(err));
    let ok = status.is_some_and(|status| status.success());
    Some(Ran { ok, ended: status.is_some(), text: if out.trim().is_empty() { err } else { out } })
}

/// Reads a pipe to its end on a thread of its own, so that it never fills up.
fn collect(pipe: Option<impl io::Read + Send + 'static>) -> Option<std::thread::JoinHandle<String>> {
    let mut pipe = pipe?;
    let thread = std::thread::Builder::new().name("punktfunk-doctor".to_owned());
    thread
        .spawn(move || {
            let mut bytes = Vec::new();
            // What was read until an error counts.
            let _ = pipe.by_ref().take(LONGEST).read_to_end(&mut bytes);
            let _ = io::copy(&mut pipe, &mut io::sink());
            String::from_utf8_lossy(&bytes).into_owned()
        })
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_hangs_is_ended() {
        let begun = Instant::now();
        let mut sleep = Command::new("/bin/sh");
        let ran = run(sleep.args(["-c", "echo begun; exec sleep 600"]), Duration::from_millis(300)).unwrap();
        assert!(!ran.ok && !ran.ended && "begun\n".starts_with(&ran.text), "{ran:?}");
        assert!(begun.elapsed() < Duration::from_secs(30));
        let mut echo = Command::new("/bin/sh");
        let ran = run(echo.args(["-c", "echo out; echo err >&2; exit 3"]), SOON).unwrap();
        assert_eq!(ran, Ran { ok: false, ended: true, text: "out\n".to_owned() });
        let mut error = Command::new("/bin/sh");
        assert_eq!(run(error.args(["-c", "echo err >&2"]), SOON).unwrap().text, "err\n");
    }

    #[test]
    fn a_program_that_says_much_does_not_block() {
        let mut long = Command::new("/bin/sh");
        let ran = run(long.args(["-c", "head -c 1000000 /dev/zero"]), Duration::from_secs(60)).unwrap();
        assert!(ran.ok);
        assert_eq!(ran.text.len() as u64, LONGEST);
    }
}
