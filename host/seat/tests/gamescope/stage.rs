//! Starts seats with the stand-in, and waits for what they do.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use punktfunk_core::input::Event as Input;
use punktfunk_seat_ipc::host::{Event, Frame, SeatLink};
use punktfunk_seat_ipc::{App, AppKind, ToSeat};

use crate::stand_in::{CONTROL, MANNER, OPTIONS, X_DISPLAY};

const WAIT: Duration = Duration::from_secs(40);

/// A seat with its stand-in.
pub struct Stage {
    pub directory: PathBuf,
    pub process: Child,
    pub link: SeatLink,
    control: BufReader<UnixStream>,
}

/// True when the test must be left out, which it says.
pub fn lacks(test: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = |program: &str| std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    let missing =
        ["pipewire", "wireplumber", "pipewire-pulse"].into_iter().find(|program| !installed(program));
    if let Some(missing) = missing {
        println!("SKIPPED {test}: {missing} is not installed");
    }
    missing.is_some()
}

pub fn wait_for<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(start.elapsed() < WAIT, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Blue, green and red of a place.
pub fn at(frame: &Frame, x: usize, y: usize) -> [u8; 3] {
    let start = y * frame.stride() + x * 4;
    frame.bytes()[start..start + 3].try_into().unwrap()
}

/// Processes with this variable in their environment.
pub fn marked(mark: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let carries = |path: &PathBuf| {
        let environment = std::fs::read(path.join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
    };
    entries.filter(carries).collect()
}

/// A seat with our own compositor and its Xwayland; none where that is not installed. Its
/// `DISPLAY`.
pub fn x_server(name: &str) -> Option<(Child, PathBuf, String)> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if !std::env::split_paths(&path).any(|folder| folder.join("Xwayland").is_file()) {
        return None;
    }
    let directory = directory(name);
    let process = Command::new(env!("CARGO_BIN_EXE_punktfunk-seat"))
        .args(["--no-sound", "--runtime-dir"])
        .arg(&directory)
        .spawn()
        .unwrap();
    let link = wait_for("the seat", || SeatLink::connect(&directory).ok());
    let script =
        "echo $DISPLAY > $XDG_RUNTIME_DIR/said.new; mv $XDG_RUNTIME_DIR/said.new $XDG_RUNTIME_DIR/said";
    let kind = AppKind::Command(["sh", "-c", script].map(str::to_owned).to_vec());
    let app = App { kind, name: "a test".to_owned(), env: vec![], cwd: None };
    link.send(&ToSeat::Launch(app)).unwrap();
    let said = wait_for("its display", || std::fs::read_to_string(directory.join("said")).ok());
    Some((process, directory, said.trim().to_owned()))
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
    let mut command = Command::new(env!("CARGO_BIN_EXE_punktfunk-seat"));
    command.args(["--compositor", "gamescope", "--no-sound", "--runtime-dir"]).arg(directory).args([
        "--width",
        &size.0.to_string(),
        "--height",
        &size.1.to_string(),
    ]);
    command
}

fn directory(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("pf-gs-{name}-{}", std::process::id()))
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
        let process = command(&directory, size)
            .env("PATH", std::env::join_paths(folders).unwrap())
            .env(CONTROL, &folder)
            .env(MANNER, manner)
            .env(X_DISPLAY, display)
            .spawn()
            .unwrap();
        let (link, control) = (connect(&directory), meet(&folder));
        Self { directory, process, link, control }
    }

    /// A seat that uses the stand-in of this one.
    pub fn attached(&self, name: &str) -> Self {
        let directory = directory(name);
        let process = command(&directory, (320, 200))
            .args(["--attach", "gamescope-7"])
            .env("XDG_RUNTIME_DIR", &self.directory)
            .env("PIPEWIRE_REMOTE", self.directory.join("pipewire-0"))
            .spawn()
            .unwrap();
        let (link, control) = (connect(&directory), meet(&self.directory.join("stand-in")));
        Self { directory, process, link, control }
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
        self.link = connect(&self.directory);
    }

    /// Speaks to the stand-in of now: another was started.
    pub fn meet_stand_in(&mut self) {
        self.control = meet(&self.directory.join("stand-in"));
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

    pub fn input(&self, input: Input) {
        self.link.send(&ToSeat::Input(input)).unwrap();
    }

    pub fn launch(&self, argv: &[&str]) {
        let kind = AppKind::Command(argv.iter().map(|word| (*word).to_owned()).collect());
        let app = App { kind, name: "a test".to_owned(), env: vec![], cwd: None };
        self.link.send(&ToSeat::Launch(app)).unwrap();
    }

    /// The next frame that satisfies `wanted`.
    pub fn frame(&mut self, what: &str, mut wanted: impl FnMut(&Frame) -> bool) -> Frame {
        let event = self.event(what, |event| match event {
            Event::Frame(frame) => wanted(frame),
            Event::Error(text) => panic!("{text}"),
            _ => false,
        });
        let Event::Frame(frame) = event else { unreachable!("only a frame is wanted") };
        frame
    }

    /// The next event that satisfies `wanted`.
    pub fn event(&mut self, what: &str, mut wanted: impl FnMut(&Event) -> bool) -> Event {
        let start = Instant::now();
        while start.elapsed() < WAIT {
            match self.link.next_event(Duration::from_millis(500)).unwrap() {
                Some(event) if wanted(&event) => return event,
                _ => {}
            }
        }
        panic!("waited too long for {what}");
    }

    pub fn quit(mut self) {
        let mark = format!("PUNKTFUNK_SEAT={}", self.directory.display());
        assert!(!marked(&mark).is_empty(), "something of the seat runs");
        self.link.send(&ToSeat::Quit).unwrap();
        let process = &mut self.process;
        let status = wait_for("the seat to end", || process.try_wait().unwrap());
        assert!(status.success(), "{status}");
        wait_for("everything to end", || marked(&mark).is_empty().then_some(()));
        std::fs::remove_dir_all(&self.directory).unwrap();
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // After a failed test; the guard of the seat ends the rest.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Connects as soon as the seat listens, and waits until it is ready.
fn connect(directory: &Path) -> SeatLink {
    let mut link = wait_for("the seat", || SeatLink::connect(directory).ok());
    let ready = link.next_event(WAIT).unwrap();
    assert!(
        matches!(&ready, Some(Event::Ready(ready)) if ready.wayland_display == "gamescope-7"),
        "{ready:?}"
    );
    link
}

/// Connects to the stand-in that runs now.
fn meet(folder: &Path) -> BufReader<UnixStream> {
    let socket = wait_for("the stand-in", || UnixStream::connect(folder.join("control")).ok());
    socket.set_read_timeout(Some(WAIT)).unwrap();
    BufReader::new(socket)
}
