//! The real program, with no application on it.

use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use punktfunk_core::input::{Event as Input, Phase, Touch};
use punktfunk_seat_ipc::host::{Event, SeatLink};
use punktfunk_seat_ipc::{App, AppKind, ToSeat};

pub const WAIT: Duration = Duration::from_secs(30);
/// A key that no test needs: sent last, it tells that everything before has arrived.
pub const MARK: u16 = 88;

/// True when the test must be left out, which it says.
pub fn lacks(test: &str, program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let lacks = !std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    if lacks {
        println!("SKIPPED {test}: {program} is not installed");
    }
    lacks
}

/// Asks until there is an answer.
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

pub struct Seat {
    pub directory: PathBuf,
    process: Child,
    link: Option<SeatLink>,
}

impl Seat {
    /// A seat with an output of this size. Nothing can be started on it if `bare`.
    pub fn start(name: &str, size: (u32, u32), bare: bool) -> Self {
        let directory = std::env::temp_dir().join(format!("pf-{name}-{}", std::process::id()));
        let mut command = Command::new(env!("CARGO_BIN_EXE_punktfunk-seat"));
        // A shell that reads nobody's settings: those may take long, or ask.
        command.env("SHELL", "/bin/sh").env_remove("ENV");
        if bare {
            command.env("PATH", "/nonexistent");
        }
        let process = command
            .arg("--runtime-dir")
            .arg(&directory)
            .args(["--no-sound", "--refresh", "60"])
            .args(["--width", &size.0.to_string(), "--height", &size.1.to_string()])
            .spawn()
            .unwrap();
        let mut link = wait_for("the seat", || SeatLink::connect(&directory).ok());
        let ready = link.next_event(WAIT).unwrap();
        assert!(matches!(&ready, Some(Event::Ready(_))), "{ready:?}");
        Self { directory, process, link: Some(link) }
    }

    pub fn socket(&self) -> PathBuf {
        self.directory.join("wayland-1")
    }

    pub fn say(&self, message: &ToSeat) {
        self.link.as_ref().unwrap().send(message).unwrap();
    }

    pub fn launch(&self, kind: AppKind) {
        self.say(&ToSeat::Launch(App { kind, name: "a test".to_owned(), env: vec![], cwd: None }));
    }

    pub fn input(&self, input: Input) {
        self.say(&ToSeat::Input(input));
    }

    pub fn key(&self, code: u16) {
        self.input(Input::Key { code, down: true });
        self.input(Input::Key { code, down: false });
    }

    pub fn mark(&self) {
        self.key(MARK);
    }

    pub fn text(&self, text: &str) {
        text.chars().for_each(|character| self.input(Input::Text { character }));
    }

    pub fn touch(&self, id: u32, phase: Phase, x: f64, y: f64) {
        let touch = Touch { id, phase, x, y, pressure: None, contact: None, rotation: None };
        self.input(Input::Touch(touch));
    }

    /// Waits until the last pixel of the screen has this colour.
    pub fn until_shown(&mut self, [red, green, blue]: [u8; 3]) {
        let link = self.link.as_mut().unwrap();
        wait_for("a colour", || {
            let Ok(Some(Event::Frame(frame))) = link.next_event(Duration::from_millis(100)) else {
                return None;
            };
            let at = (frame.height() as usize - 1) * frame.stride() + (frame.width() as usize - 1) * 4;
            (frame.bytes()[at..at + 3] == [blue, green, red]).then_some(())
        });
    }

    /// The host is gone, as far as the seat knows.
    pub fn hang_up(&mut self) {
        self.link = None;
    }

    /// A host is there again.
    pub fn connect(&mut self) {
        let mut link = wait_for("the seat", || SeatLink::connect(&self.directory).ok());
        let ready = link.next_event(WAIT).unwrap();
        assert!(matches!(&ready, Some(Event::Ready(_))), "{ready:?}");
        self.link = Some(link);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        // The guard of the seat ends the rest.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
