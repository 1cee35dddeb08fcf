//! Which gamescope of the user's session a seat shows, and that only one seat does.
//!
//! A gamescope is known by its global, not by a variable: sockets of dead ones stay behind,
//! and whoever listens may be something else. Those that other seats have started for
//! themselves are never taken.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

use super::node::{self, Node, NodeError};
use crate::process::MARK;

/// The word for "whichever runs".
const AUTO: &str = "auto";
/// How the sockets of gamescopes begin.
const PREFIX: &str = "gamescope-";
/// How long each socket has to answer: at first, and once more where none has, for the
/// machine may be busy. One that hangs costs no more.
const ANSWERS: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(3)];
/// One that was named has longer: there is no other.
const ANSWER: Duration = Duration::from_secs(6);
/// So many sockets are tried at the most, dead ones of earlier sessions among them.
const MOST: usize = 32;
/// All of it together: the host waits for a seat for 15 seconds.
const ALL: Duration = Duration::from_secs(8);
/// The seat before may be on its way out.
const TURN: Duration = Duration::from_secs(2);
/// Held by the seat that shows a gamescope of this user.
const LOCK: &str = "punktfunk-gamescope.lock";
/// Longer names of clients are cut.
const NAME: usize = 64;

/// Why no gamescope is shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttachError {
    /// Nobody can be found without it.
    #[error(
        "this host's user has no session, for XDG_RUNTIME_DIR is not set: log in to game mode as this user, or \
         set desktop.session to \"auto\""
    )]
    NoSession,
    /// `--attach` without a name.
    #[error("--attach needs the name of a Wayland display, or auto")]
    NoName,
    /// None answers.
    #[error(
        "no gamescope runs for this host's user: log in to game mode as this user (or choose the session \
         \"Steam for punktfunk\"), or set desktop.session to \"auto\""
    )]
    None,
    /// The one that was named cannot be used.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// Another seat shows it.
    #[error(
        "gamescope is shown on another seat already ({by}): quit Desktop there, or end it in the console, and \
         try again"
    )]
    Taken {
        /// The client's name.
        by: String,
    },
    /// It cannot be seen whether another seat shows it.
    #[error("{path}: {source}")]
    Lock {
        /// The file.
        path: String,
        /// What happened.
        source: std::io::Error,
    },
}

/// A gamescope that runs already, and is not ours to end.
#[derive(Debug)]
pub struct Running {
    /// Its Wayland socket.
    pub socket: PathBuf,
    /// The PipeWire server that it sends its picture to.
    pub pipewire: PathBuf,
    /// Its process, when the kernel says so.
    pub pid: Option<i32>,
    /// While this is open, no other seat shows it.
    pub turn: File,
}

/// The gamescope that runs as `display`, or any for `auto`, for a seat of this client.
pub fn find(display: &str, client: &str) -> Result<Running, AttachError> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let runtime = variable("XDG_RUNTIME_DIR").ok_or(AttachError::NoSession)?;
    let (socket, node) = match display {
        "" => return Err(AttachError::NoName),
        AUTO => whichever(&runtime, variable("GAMESCOPE_WAYLAND_DISPLAY"))?,
        name => {
            let socket = runtime.join(name);
            let node = node::find(&socket, ANSWER)?;
            (socket, node)
        }
    };
    let turn = take_turn(&runtime, client)?;
    let remote = variable("PIPEWIRE_REMOTE").unwrap_or_else(|| "pipewire-0".into());
    let pipewire = variable("PIPEWIRE_RUNTIME_DIR").unwrap_or(runtime).join(remote);
    tracing::info!(socket = %socket.display(), pid = node.pid, "a gamescope of this session was found");
    Ok(Running { socket, pipewire, pid: node.pid, turn })
}

/// The first that answers as a gamescope and is nobody's but the user's.
fn whichever(runtime: &Path, told: Option<PathBuf>) -> Result<(PathBuf, Node), AttachError> {
    let deadline = Instant::now() + ALL;
    let mut sockets = candidates(runtime, told);
    for patience in ANSWERS {
        let mut late = Vec::new();
        for socket in sockets {
            let left = deadline.saturating_duration_since(Instant::now());
            match node::find(&socket, patience.min(left)) {
                Ok(node) if node.pid.is_some_and(is_of_a_seat) => {
                    tracing::debug!(socket = %socket.display(), "passed over: it belongs to a seat");
                }
                Ok(node) => return Ok((socket, node)),
                Err(error) => {
                    tracing::debug!(%error, socket = %socket.display(), "passed over");
                    if matches!(error, NodeError::Late { .. }) {
                        late.push(socket);
                    }
                }
            }
        }
        sockets = late;
    }
    Err(AttachError::None)
}

/// What may be a gamescope: the one that a variable names, then all by the names that
/// gamescope gives its sockets, in their order.
fn candidates(runtime: &Path, told: Option<PathBuf>) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(runtime).into_iter().flatten().flatten();
    let named = |name: &OsStr| {
        // Its input listens beside it.
        name.to_str().is_some_and(|name| name.starts_with(PREFIX) && !name.ends_with("-ei"))
    };
    let sockets = entries.map(|entry| entry.path()).filter(|path| {
        path.file_name().is_some_and(named)
            && path.metadata().is_ok_and(|about| about.file_type().is_socket())
    });
    let mut sockets: Vec<_> = sockets.collect();
    sockets.sort();
    if let Some(told) = told.map(|told| runtime.join(told)) {
        sockets.retain(|socket| *socket != told);
        sockets.insert(0, told);
    }
    sockets.truncate(MOST);
    sockets
}

/// Every process that a seat has started carries its mark.
fn is_of_a_seat(pid: i32) -> bool {
    let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|variable| {
        variable.strip_prefix(MARK.as_bytes()).is_some_and(|rest| rest.first() == Some(&b'='))
    })
}

/// Waits for a seat that is on its way out, and says whose seat it is that stays.
fn take_turn(runtime: &Path, client: &str) -> Result<File, AttachError> {
    let path = runtime.join(LOCK);
    let failed = |source: std::io::Error| AttachError::Lock { path: path.display().to_string(), source };
    let mut options = OpenOptions::new();
    let options = options.create(true).truncate(false).read(true).write(true).mode(0o600);
    let mut file = options.open(&path).map_err(failed)?;
    let deadline = Instant::now() + TURN;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => break,
            Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < deadline => {
                // Nobody says when it is free, but for a wait without a deadline.
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(AttachError::Taken { by: holder(&mut file) }),
            Err(error) => return Err(failed(error.into())),
        }
    }
    let name: String = client.chars().take(NAME).collect();
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| file.write_all(name.as_bytes()))
        .map_err(failed)?;
    Ok(file)
}

/// The name in the file, as far as it is one.
fn holder(file: &mut File) -> String {
    let mut bytes = Vec::new();
    // Without it somebody is told less.
    let _ = file.take(4 * NAME as u64).read_to_end(&mut bytes);
    let name: String =
        String::from_utf8_lossy(&bytes).chars().filter(|c| !c.is_control()).take(NAME).collect();
    if name.is_empty() { "of an unknown device".to_owned() } else { format!("for {name}") }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;
    use proptest::prelude::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("pf-attach-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn what_may_be_a_gamescope_is_found_by_its_name() {
        let folder = folder("names");
        let sockets = ["gamescope-1", "gamescope-0", "gamescope-0-ei", "wayland-0", "gamescopes"];
        let _listening = sockets.map(|name| UnixListener::bind(folder.join(name)).unwrap());
        std::fs::write(folder.join("gamescope-2"), "").unwrap();
        std::fs::write(folder.join("gamescope-0.lock"), "").unwrap();
        let names = |told: Option<&str>| {
            let found = candidates(&folder, told.map(PathBuf::from));
            found
                .iter()
                .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(names(None), ["gamescope-0", "gamescope-1"]);
        assert_eq!(names(Some("gamescope-1")), ["gamescope-1", "gamescope-0"]);
        assert_eq!(names(Some("other")), ["other", "gamescope-0", "gamescope-1"]);
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(candidates(&folder, None).is_empty());
    }

    #[test]
    fn one_that_does_not_answer_is_passed_over() {
        let folder = folder("silent");
        drop(UnixListener::bind(folder.join("gamescope-0")).unwrap());
        let _hung = UnixListener::bind(folder.join("gamescope-1")).unwrap();
        let start = Instant::now();
        assert!(matches!(whichever(&folder, None), Err(AttachError::None)));
        assert!(start.elapsed() >= ANSWERS.iter().sum::<Duration>(), "the hung one was asked twice");
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_turn_is_taken_by_one_and_is_free_when_that_one_is_gone() {
        let folder = folder("turn");
        let first = take_turn(&folder, "Living room").unwrap();
        let error = take_turn(&folder, "Phone").unwrap_err();
        assert!(error.to_string().contains("(for Living room)"), "{error}");
        drop(first);
        let second = take_turn(&folder, "x").unwrap();
        assert!(take_turn(&folder, "").unwrap_err().to_string().contains("(for x)"));
        drop(second);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn who_carries_a_mark_belongs_to_a_seat() {
        let mark = |name: &str, value: &str| {
            let mut child = std::process::Command::new("sleep")
                .arg("600")
                .env_remove(MARK)
                .env(name, value)
                .spawn()
                .unwrap();
            let pid = child.id().cast_signed();
            let start = Instant::now();
            // Until it is the program, its environment is ours.
            while !std::fs::read(format!("/proc/{pid}/cmdline")).unwrap().starts_with(b"sleep") {
                assert!(start.elapsed() < Duration::from_secs(20));
                std::thread::yield_now();
            }
            let is = is_of_a_seat(pid);
            child.kill().unwrap();
            child.wait().unwrap();
            is
        };
        assert!(mark(MARK, "/run/x"));
        assert!(!mark("PUNKTFUNK_SEATS", "/run/x"));
        assert!(!is_of_a_seat(i32::MAX));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn whatever_is_in_the_file_is_a_short_name_without_control_characters(bytes: Vec<u8>) {
            let folder = folder("bytes");
            std::fs::write(folder.join(LOCK), &bytes).unwrap();
            let mut file = File::open(folder.join(LOCK)).unwrap();
            let name = holder(&mut file);
            prop_assert!(name.chars().count() <= NAME + 4 + 16 && !name.chars().any(char::is_control));
        }
    }
}
