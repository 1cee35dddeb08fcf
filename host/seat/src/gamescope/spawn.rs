//! How a gamescope begins, and how it says that it is ready.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use punktfunk_seat_ipc::{Keymap, Mode};
use rustix::fs::{CWD, FileType, Mode as FileMode, OFlags};

use crate::launcher::find_program;

/// A line of readiness is never longer.
const LINE: usize = 256;

/// Why there is no gamescope.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// It is not installed.
    #[error(
        "gamescope is not installed: install the package gamescope, or choose punktfunk's own compositor"
    )]
    Missing,
    /// It could not be started.
    #[error("gamescope could not be started: {0}")]
    Io(#[from] std::io::Error),
    /// It said something else than its names.
    #[error("gamescope named its displays in a way that is not understood: {0:?}")]
    Line(String),
}

/// The names by which a gamescope is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// `DISPLAY` of its first Xwayland, for example `:3`.
    pub x11: String,
    /// Its Wayland socket in the runtime directory, for example `gamescope-0`.
    pub wayland: String,
}

/// A gamescope that was started.
#[derive(Debug)]
pub struct Gamescope {
    child: Child,
    ready: Ready,
    log: PathBuf,
}

/// The end of a pipe that readiness is read from.
#[derive(Debug)]
pub struct Ready {
    pipe: OwnedFd,
    line: Vec<u8>,
    closed: bool,
}

impl Gamescope {
    /// Starts one with a screen of `mode`. `prepare` gives it the seat's environment.
    pub fn start(
        directory: &Path,
        mode: Mode,
        layout: &Keymap,
        prepare: impl FnOnce(&mut Command),
    ) -> Result<Self, SpawnError> {
        let pipe = directory.join("gamescope.ready");
        let _ = std::fs::remove_file(&pipe);
        rustix::fs::mknodat(CWD, &pipe, FileType::Fifo, FileMode::from_raw_mode(0o600), 0)
            .map_err(std::io::Error::from)?;
        // Opened before it is, so that neither waits for the other.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let reading = rustix::fs::open(&pipe, flags, FileMode::empty()).map_err(std::io::Error::from)?;
        let log = directory.join("gamescope.log");
        let file = File::create(&log)?;
        let mut command = Command::new("gamescope");
        prepare(&mut command);
        command
            .args(arguments(mode, &pipe))
            .env_remove("WAYLAND_DISPLAY")
            .env_remove("DISPLAY")
            // The keymap of its keyboard, which xkbcommon reads from here.
            .env("XKB_DEFAULT_LAYOUT", &layout.layout)
            .env("XKB_DEFAULT_VARIANT", &layout.variant)
            .env("XKB_DEFAULT_OPTIONS", &layout.options)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file);
        let child = command.spawn().map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => SpawnError::Missing,
            // So says a folder of the path that this user may not look into, too.
            std::io::ErrorKind::PermissionDenied if find_program("gamescope").is_none() => {
                SpawnError::Missing
            }
            _ => SpawnError::Io(error),
        })?;
        tracing::debug!(pid = child.id(), ?mode, "gamescope is started");
        Ok(Self { child, ready: Ready { pipe: reading, line: Vec::new(), closed: false }, log })
    }

    /// Its process.
    pub fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// What it is to be asked for readiness.
    pub fn ready(&mut self) -> &mut Ready {
        &mut self.ready
    }

    /// The last line that it printed.
    pub fn last_words(&self) -> String {
        let said = std::fs::read(&self.log).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        let last = said.lines().rev().find(|line| !line.trim().is_empty());
        last.unwrap_or("it printed nothing").chars().take(punktfunk_seat_ipc::MAX_TEXT).collect()
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ready {
    /// The other end was opened and closed: nothing follows.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// The names, as soon as they are said. It does not wait.
    pub fn read(&mut self) -> Result<Option<Names>, SpawnError> {
        let mut file = File::from(self.pipe.try_clone()?);
        let mut part = [0; LINE];
        loop {
            match file.read(&mut part) {
                Ok(0) => {
                    self.closed = true;
                    return Ok(None);
                }
                Ok(read) => self.line.extend(part.iter().take(read)),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error.into()),
            }
            if let Some(end) = self.line.iter().position(|byte| *byte == b'\n') {
                let line = String::from_utf8_lossy(self.line.get(..end).unwrap_or_default()).into_owned();
                return names(&line).map(Some).ok_or(SpawnError::Line(line));
            }
            if self.line.len() > LINE {
                return Err(SpawnError::Line(String::from_utf8_lossy(&self.line).into_owned()));
            }
        }
    }
}

impl AsFd for Ready {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}

/// The options of gamescope for a screen that nobody sees but us.
fn arguments(mode: Mode, ready: &Path) -> Vec<OsString> {
    let side = |side: u32| OsString::from(side.to_string());
    let (width, height, rate) = (side(mode.width), side(mode.height), side(rate(mode)));
    let words = ["--backend", "headless", "-W"].map(OsString::from);
    let mut arguments: Vec<OsString> = words.into();
    // -w and -h are what the application is told, -W and -H what is drawn.
    arguments.extend([width.clone(), "-H".into(), height.clone(), "-w".into(), width, "-h".into(), height]);
    arguments.extend(["-r".into(), rate, "--ready-fd".into(), ready.into()]);
    arguments
}

/// Whole Hertz, which is all that gamescope takes.
pub fn rate(mode: Mode) -> u32 {
    let (num, den) = (u64::from(mode.refresh_num), u64::from(mode.refresh_den.max(1)));
    u32::try_from((num + den / 2) / den).unwrap_or(u32::MAX).max(1)
}

/// Reads `:N NAME`.
fn names(line: &str) -> Option<Names> {
    let (x11, wayland) = line.split_once(' ')?;
    let number = x11.strip_prefix(':')?;
    let plain = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    let sane = number.parse::<u16>().is_ok() && !wayland.is_empty() && !wayland.starts_with('.');
    (sane && plain(wayland)).then(|| Names { x11: x11.to_owned(), wayland: wayland.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_read_or_refused() {
        let known = Names { x11: ":12".to_owned(), wayland: "gamescope-0".to_owned() };
        assert_eq!(names(":12 gamescope-0"), Some(known));
        for line in ["", ":1", ":1 ", "1 gamescope-0", ":x gamescope-0", ":1 ../up", ":1 a/b", ":1 a b"] {
            assert_eq!(names(line), None, "{line}");
        }
    }

    #[test]
    fn the_options_name_the_screen_in_whole_hertz() {
        let mode = Mode { width: 853, height: 479, refresh_num: 60_000, refresh_den: 1001 };
        let words = arguments(mode, Path::new("/run/x/gamescope.ready"));
        let words: Vec<_> = words.iter().map(|word| word.to_str().unwrap()).collect();
        let wanted = "--backend headless -W 853 -H 479 -w 853 -h 479 -r 60 --ready-fd /run/x/gamescope.ready";
        assert_eq!(words.join(" "), wanted);
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line: String) {
            if let Some(found) = names(&line) {
                prop_assert!(!found.wayland.contains('/'));
            }
        }
    }
}
