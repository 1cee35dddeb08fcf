//! Starts seats with the stand-in, and waits for what they do.

use std::io::{BufRead, BufReader, Write};
use std::ops::{Deref, DerefMut};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use punktfunk_seat_ipc::host::{Event, Frame};
use punktfunk_seat_stage::{self as stage, Seat, WAIT, installed};
pub use punktfunk_seat_stage::{marked, wait_for};

use crate::stand_in::{CONTROL, MANNER, OPTIONS, X_DISPLAY};

/// The program.
const SEAT: &str = env!("CARGO_BIN_EXE_punktfunk-seat");

/// A seat with its stand-in.
pub struct Stage {
    seat: Seat,
    control: BufReader<UnixStream>,
}

impl Deref for Stage {
    type Target = Seat;

    fn deref(&self) -> &Seat {
        &self.seat
    }
}

impl DerefMut for Stage {
    fn deref_mut(&mut self) -> &mut Seat {
        &mut self.seat
    }
}

/// True when the test must be left out, which it says.
pub fn lacks(test: &str) -> bool {
    stage::lacks(test, &["pipewire", "wireplumber", "pipewire-pulse"])
}

/// Blue, green and red of a place.
pub fn at(frame: &Frame, x: usize, y: usize) -> [u8; 3] {
    let start = y * frame.stride() + x * 4;
    frame.bytes()[start..start + 3].try_into().unwrap()
}

/// A seat with our own compositor and its Xwayland; none where that is not installed. Its
/// `DISPLAY`.
pub fn x_server(name: &str) -> Option<(Seat, String)> {
    if !installed("Xwayland") {
        return None;
    }
    let (directory, size) = (directory(name), (1920, 1080));
    let seat = Seat::start(stage::command(SEAT, &directory, size).arg("--no-sound"), directory, size);
    seat.launch(&["sh", "-c", "echo $DISPLAY > $XDG_RUNTIME_DIR/said"]);
    let said = seat.line("said");
    Some((seat, said.trim().to_owned()))
}

/// A folder with a program `gamescope` in it that is this test.
fn stand_in(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    let me = std::env::current_exe().unwrap();
    let script = format!(
        "#!/bin/sh\n{OPTIONS}=\"$*\" exec {} stand_in --exact --nocapture --test-threads=1\n",
        me.display()
    );
    let program = folder.join("gamescope");
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn command(directory: &Path, size: (u32, u32)) -> Command {
    let mut command = stage::command(SEAT, directory, size);
    command.args(["--compositor", "gamescope", "--no-sound"]);
    command
}

fn directory(name: &str) -> PathBuf {
    stage::directory(&format!("gs-{name}"))
}

impl Stage {
    /// Starts a seat of this size, with a stand-in that behaves in this manner.
    pub fn start(name: &str, size: (u32, u32), manner: &str) -> Self {
        Self::start_at(name, size, manner, ":97")
    }

    /// The same, where the stand-in names this X display as its own.
    pub fn start_at(name: &str, size: (u32, u32), manner: &str, display: &str) -> Self {
        let directory = directory(name);
        let folder = directory.join("stand-in");
        stand_in(&folder);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = [folder.clone()].into_iter().chain(std::env::split_paths(&path));
        let mut command = command(&directory, size);
        command
            .env("PATH", std::env::join_paths(folders).unwrap())
            .env(CONTROL, &folder)
            .env(MANNER, manner)
            .env(X_DISPLAY, display);
        Self::on(Seat::start(&mut command, directory, size), &folder)
    }

    /// A seat that uses the stand-in of this one.
    pub fn attached(&self, name: &str) -> Self {
        let directory = directory(name);
        let mut command = command(&directory, (320, 200));
        command
            .args(["--attach", "gamescope-7"])
            .env("XDG_RUNTIME_DIR", &self.directory)
            .env("PIPEWIRE_REMOTE", self.file("pipewire-0"));
        Self::on(Seat::start(&mut command, directory, (320, 200)), &self.file("stand-in"))
    }

    /// A seat and the stand-in of this folder.
    fn on(seat: Seat, folder: &Path) -> Self {
        assert_eq!(seat.ready.wayland_display, "gamescope-7");
        Self { seat, control: meet(folder) }
    }

    /// Runs a seat that cannot start; its exit code and what it said at last.
    pub fn fails(name: &str, manner: Option<&str>) -> (Option<i32>, String) {
        let directory = directory(name);
        let folder = directory.join("stand-in");
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut command = command(&directory, (320, 200));
        if let Some(manner) = manner {
            stand_in(&folder);
            let folders = [folder.clone()].into_iter().chain(std::env::split_paths(&path));
            command.env("PATH", std::env::join_paths(folders).unwrap()).env(MANNER, manner);
        } else if std::env::split_paths(&path).any(|folder| folder.join("gamescope").exists()) {
            println!("SKIPPED a seat without gamescope: there is one");
            return (None, "gamescope is not installed".to_owned());
        }
        let output = command.stdout(Stdio::null()).stderr(Stdio::piped()).output().unwrap();
        std::fs::remove_dir_all(&directory).unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), said.lines().last().unwrap_or_default().to_owned())
    }

    /// Another host takes the place of this one.
    pub fn reconnect(&mut self) {
        self.link = stage::connect(&self.directory).0;
    }

    /// Speaks to the stand-in of now: another was started.
    pub fn meet_stand_in(&mut self) {
        self.control = meet(&self.file("stand-in"));
    }

    /// Waits for the first picture; its generation.
    pub fn first(&mut self) -> u32 {
        self.frame("the first picture", |frame| at(frame, 100, 100) == [0x30, 0x20, 0x10]).generation()
    }

    pub fn say(&mut self, line: &str) {
        writeln!(self.control.get_mut(), "{line}").unwrap();
    }

    /// Has a colour (blue, green, red) painted until it is seen: who has just connected
    /// sees only what is drawn after PipeWire has made the link.
    pub fn painted(&mut self, [blue, green, red]: [u8; 3]) {
        let start = Instant::now();
        while start.elapsed() < WAIT {
            self.say(&format!("paint {red:02x}{green:02x}{blue:02x}"));
            if let Some(Event::Frame(frame)) = self.link.next_event(Duration::from_millis(200)).unwrap()
                && at(&frame, 100, 100) == [blue, green, red]
            {
                return;
            }
        }
        panic!("waited too long for a painted picture");
    }

    /// The next thing that the stand-in says.
    pub fn next_line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.control.read_line(&mut line).unwrap() > 0, "the stand-in is gone");
        line.trim().to_owned()
    }

    /// Waits until the stand-in says so.
    pub fn hear(&mut self, wanted: &str) {
        while self.next_line() != wanted {}
    }

    /// Has the seat quit, and waits until nothing that it started is left.
    pub fn quit(self) {
        assert!(!marked(&self.mark()).is_empty(), "something of the seat runs");
        self.seat.quit();
    }
}

/// Connects to the stand-in that runs now.
fn meet(folder: &Path) -> BufReader<UnixStream> {
    let socket = wait_for("the stand-in", || UnixStream::connect(folder.join("control")).ok());
    socket.set_read_timeout(Some(WAIT)).unwrap();
    BufReader::new(socket)
}
