//! What has to be undone: the commands that answer those already done for a launch, in a
//! file of the state, so that a host after a crash or a power cut can carry them out.
//!
//! A command is noted before what it undoes is done, and struck out when it ended, however
//! it ended: each runs once, and again only when the machine failed while it ran.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use punktfunk_core::bytes::{from_hex, to_hex};
use serde::{Deserialize, Serialize};

use super::commands::Runner;
use crate::session::SeatKey;
use crate::store::{StoreError, read_versioned, write_versioned};

/// The file in the state directory.
pub(super) const NAME: &str = "undo.json";
/// The format this program writes.
const VERSION: u32 = 1;
/// How long a command that undoes something may take.
const LIMIT: Duration = Duration::from_secs(10);

#[derive(Debug, Default, Serialize, Deserialize)]
struct File {
    version: u32,
    launches: Vec<Launch>,
}

/// What one launch left to undo.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Launch {
    /// The seat, in hexadecimal digits.
    seat: String,
    /// The application, for the log.
    title: String,
    /// What the commands see.
    env: BTreeMap<String, String>,
    dir: Option<PathBuf>,
    /// In the order of what they undo.
    undo: Vec<String>,
}

/// The journal of one host.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    runner: Runner,
    launches: Mutex<Vec<Launch>>,
}

/// What the commands of a launch see.
#[derive(Clone, Debug)]
pub(super) struct Scene<'a> {
    pub title: &'a str,
    pub env: &'a BTreeMap<String, String>,
    pub dir: Option<&'a Path>,
}

impl Journal {
    /// Reads what an earlier host left.
    pub fn open(state: &Path, runner: Runner) -> Result<Self, StoreError> {
        let path = state.join(NAME);
        let file: File = read_versioned(&path, VERSION)?.unwrap_or_default();
        Ok(Self { path, runner, launches: Mutex::new(file.launches) })
    }

    /// Notes what undoes the next step of a launch. On disk before this returns.
    pub fn note(&self, seat: SeatKey, scene: &Scene<'_>, undo: &str) -> Result<(), StoreError> {
        let seat = to_hex(&seat);
        self.change(|launches| {
            if let Some(launch) = launches.iter_mut().find(|launch| launch.seat == seat) {
                launch.undo.push(undo.to_owned());
                return;
            }
            launches.push(Launch {
                seat,
                title: scene.title.to_owned(),
                env: scene.env.clone(),
                dir: scene.dir.map(Path::to_owned),
                undo: vec![undo.to_owned()],
            });
        })
    }

    /// Strikes out the newest note of a launch: its step was not done, or is undone.
    pub fn strike(&self, seat: SeatKey) -> Result<(), StoreError> {
        let seat = to_hex(&seat);
        self.change(|launches| {
            if let Some(launch) = launches.iter_mut().find(|launch| launch.seat == seat) {
                launch.undo.pop();
            }
            launches.retain(|launch| !launch.undo.is_empty());
        })
    }

    /// Undoes what was done for a seat, the last first. One that fails is told of in the log,
    /// and the others follow.
    pub fn undo(&self, seat: SeatKey) {
        let hex = to_hex(&seat);
        let newest = || self.lock().iter().find(|launch| launch.seat == hex).cloned();
        while let Some(launch) = newest() {
            let Some(line) = launch.undo.last() else { return };
            match self.runner.run(line, &launch.env, launch.dir.as_deref(), LIMIT) {
                Ok(()) => tracing::info!(app = launch.title, command = line, "undone"),
                Err(why) => tracing::warn!(app = launch.title, %why, "not undone"),
            }
            if let Err(error) = self.strike(seat) {
                tracing::error!(%error, "what was undone cannot be struck out: it is tried again at the next start");
                self.lock().retain(|launch| launch.seat != hex);
            }
        }
    }

    /// The seats of launches with something to undo, newest first.
    pub fn seats(&self) -> Vec<SeatKey> {
        let launches = self.lock();
        launches.iter().rev().filter_map(|launch| from_hex(&launch.seat)?.try_into().ok()).collect()
    }

    /// On disk first: what is not there would be forgotten by a crash.
    fn change(&self, edit: impl FnOnce(&mut Vec<Launch>)) -> Result<(), StoreError> {
        let mut launches = self.lock();
        let mut changed = launches.clone();
        edit(&mut changed);
        if changed != *launches {
            let file = File { version: VERSION, launches: changed };
            write_versioned(&self.path, &file)?;
            *launches = file.launches;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Launch>> {
        // Replaced as a whole: a panic elsewhere leaves it whole.
        self.launches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::scratch::Scratch;
    use super::*;
    use std::io::{BufRead as _, BufReader};
    use std::process::{Command, Stdio};

    const USER: Runner = Runner { uid: 1000 };
    const ONE: SeatKey = [1; 16];
    const TWO: SeatKey = [2; 16];

    fn done(dir: &Scratch) -> String {
        std::fs::read_to_string(dir.path().join("done")).unwrap_or_default()
    }

    fn note(journal: &Journal, dir: &Scratch, seat: SeatKey, undo: &str) {
        let env = BTreeMap::from([("WHO".to_owned(), "tv".to_owned())]);
        journal.note(seat, &Scene { title: "Game", env: &env, dir: Some(dir.path()) }, undo).unwrap();
    }

    #[test]
    fn the_last_is_undone_first_and_each_once() {
        let dir = Scratch::new("journal");
        let journal = Journal::open(dir.path(), USER).unwrap();
        for step in 1..=3 {
            note(&journal, &dir, ONE, &format!("echo {step} $WHO >> done"));
        }
        note(&journal, &dir, TWO, "echo other >> done");
        journal.undo(ONE);
        assert_eq!(done(&dir), "3 tv\n2 tv\n1 tv\n");
        journal.undo(ONE);
        assert_eq!(done(&dir), "3 tv\n2 tv\n1 tv\n", "once");
        assert_eq!(journal.seats(), [TWO]);
    }

    #[test]
    fn one_that_fails_does_not_keep_the_others() {
        let dir = Scratch::new("journal-fail");
        let journal = Journal::open(dir.path(), USER).unwrap();
        note(&journal, &dir, ONE, "echo first >> done");
        note(&journal, &dir, ONE, "exit 1");
        note(&journal, &dir, ONE, "no-such-program-of-any-machine");
        journal.undo(ONE);
        assert_eq!(done(&dir), "first\n");
        assert!(Journal::open(dir.path(), USER).unwrap().seats().is_empty());
    }

    #[test]
    fn what_was_not_done_is_struck_out() {
        let dir = Scratch::new("journal-strike");
        let journal = Journal::open(dir.path(), USER).unwrap();
        note(&journal, &dir, ONE, "echo first >> done");
        note(&journal, &dir, ONE, "echo second >> done");
        journal.strike(ONE).unwrap();
        journal.strike(TWO).unwrap();
        journal.undo(ONE);
        assert_eq!(done(&dir), "first\n");
    }

    #[test]
    fn a_journal_that_is_not_understood_is_left_as_it_is() {
        let dir = Scratch::new("journal-bad");
        for text in ["{\"version\": 99}", "{\"version\": 1}", "[", "{\"version\": 1, \"launches\": [7]}"] {
            let file = dir.write(NAME, text);
            assert!(Journal::open(dir.path(), USER).is_err(), "{text}");
            assert_eq!(std::fs::read_to_string(file).unwrap(), text);
        }
    }

    /// The host of [`a_host_that_is_killed_leaves_what_the_next_one_undoes`].
    #[test]
    fn child_that_notes_until_it_is_killed() {
        let Some(dir) = std::env::var_os("PUNKTFUNK_TEST_JOURNAL") else { return };
        let dir = PathBuf::from(dir);
        let journal = Journal::open(&dir, USER).unwrap();
        let env = BTreeMap::new();
        let scene = Scene { title: "Game", env: &env, dir: Some(&dir) };
        for step in 0..1000 {
            journal.note(ONE, &scene, &format!("echo {step} >> done")).unwrap();
            eprintln!("noted {step}");
        }
        loop {
            std::thread::park();
        }
    }

    #[test]
    fn a_host_that_is_killed_leaves_what_the_next_one_undoes() {
        for kill_at in [0, 3, 7] {
            let dir = Scratch::new("journal-kill");
            let mut child = Command::new(std::env::current_exe().unwrap())
                .args([
                    "--exact",
                    "library::journal::tests::child_that_notes_until_it_is_killed",
                    "--nocapture",
                ])
                .env("PUNKTFUNK_TEST_JOURNAL", dir.path())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let mut confirmed = None;
            for line in BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok) {
                if let Some(step) = line.strip_prefix("noted ") {
                    confirmed = step.parse::<u32>().ok();
                    if confirmed == Some(kill_at) {
                        child.kill().unwrap();
                    }
                }
            }
            child.wait().unwrap();
            let confirmed = confirmed.expect("it noted something");
            assert!(confirmed >= kill_at);
            let journal = Journal::open(dir.path(), USER).unwrap();
            assert_eq!(journal.seats(), [ONE]);
            journal.undo(ONE);
            let undone: Vec<u32> = done(&dir).lines().map(|line| line.parse().unwrap()).collect();
            let first = undone[0];
            // One more may have been written and not yet told of.
            assert!(first == confirmed || first == confirmed + 1, "{first} after {confirmed}");
            assert_eq!(undone, (0..=first).rev().collect::<Vec<_>>());
            assert!(Journal::open(dir.path(), USER).unwrap().seats().is_empty());
        }
    }
}
