//! The real program, with no application on it and a host that may hang up.

use std::path::PathBuf;
use std::time::Duration;

use punktfunk_core::input::{Event as Input, Phase, Touch};
use punktfunk_seat_ipc::host::{Event, SeatLink};
use punktfunk_seat_ipc::{App, AppKind, ToSeat};
use punktfunk_seat_stage::{self as stage, Process, pixel, wait_for};

/// A key that no test needs: sent last, it tells that everything before has arrived.
pub const MARK: u16 = 88;

pub struct Seat {
    pub directory: PathBuf,
    process: Process,
    link: Option<SeatLink>,
}

impl Seat {
    /// A seat with an output of this size. Nothing can be started on it if `bare`.
    pub fn start(name: &str, size: (u32, u32), bare: bool) -> Self {
        let directory = stage::directory(name);
        let mut command = stage::command(env!("CARGO_BIN_EXE_punktfunk-seat"), &directory, size);
        command.args(["--no-sound", "--refresh", "60"]);
        if bare {
            command.env("PATH", "/nonexistent");
        }
        let stage::Seat { directory, process, link, .. } = stage::Seat::start(&mut command, directory, size);
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
    pub fn until_shown(&mut self, colour: [u8; 3]) {
        let link = self.link.as_mut().unwrap();
        wait_for("a colour", || {
            let Ok(Some(Event::Frame(frame))) = link.next_event(Duration::from_millis(100)) else {
                return None;
            };
            (pixel(&frame, frame.width() - 1, frame.height() - 1) == colour).then_some(())
        });
    }

    /// The host is gone, as far as the seat knows.
    pub fn hang_up(&mut self) {
        self.link = None;
    }

    /// A host is there again.
    pub fn connect(&mut self) {
        self.link = Some(stage::connect(&self.directory).0);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        // Its folder goes after it; the guard of the seat ends the rest.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
