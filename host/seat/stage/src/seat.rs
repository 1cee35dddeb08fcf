//! A seat, as a host and a person have it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use punktfunk_core::input::Event as Input;
use punktfunk_seat_ipc::host::{Event, Frame, SeatLink};
use punktfunk_seat_ipc::{App, AppKind, Ready, ToSeat};

use crate::picture::{pixel, save};
use crate::process::{Process, marked};
use crate::{WAIT, wait_for, written};

/// The code of the left button.
pub const LEFT: u16 = 0x110;
/// The code of the right button.
pub const RIGHT: u16 = 0x111;

/// Where a seat of this test program belongs.
pub fn directory(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("pf-{name}-{}", std::process::id()))
}

/// `punktfunk-seat`, which is `program`, in this runtime directory and with a screen of this
/// size. Options that a test needs besides are added to it.
pub fn command(program: &str, directory: &Path, (width, height): (u32, u32)) -> Command {
    let mut command = Command::new(program);
    command.arg("--runtime-dir").arg(directory);
    command.args(["--width", &width.to_string(), "--height", &height.to_string()]);
    // A shell that reads nobody's settings: those may take long, or ask.
    command.env("SHELL", "/bin/sh").env_remove("ENV");
    command
}

/// Connects as soon as the seat of this directory listens, and waits until it is ready.
pub fn connect(directory: &Path) -> (SeatLink, Ready) {
    let mut link = wait_for("the seat", || SeatLink::connect(directory).ok());
    match link.next_event(WAIT).unwrap() {
        Some(Event::Ready(ready)) => (link, ready),
        other => panic!("no greeting of the seat: {other:?}"),
    }
}

/// A running seat and the connection of a host to it.
#[derive(Debug)]
pub struct Seat {
    /// Its runtime directory.
    pub directory: PathBuf,
    /// What goes when it has quit: its runtime directory, or a folder around it.
    pub folder: PathBuf,
    /// The seat itself.
    pub process: Process,
    /// The host's end.
    pub link: SeatLink,
    /// What it said when it was ready.
    pub ready: Ready,
    /// Pixels of the screen it was started with.
    pub size: (u32, u32),
}

impl Seat {
    /// Starts what [`command`] made for this directory and size.
    pub fn start(command: &mut Command, directory: PathBuf, size: (u32, u32)) -> Self {
        let process = Process::from(command.spawn().unwrap());
        let (link, ready) = connect(&directory);
        Self { folder: directory.clone(), directory, process, link, ready, size }
    }

    /// A command, or the desktop when there is none.
    pub fn launch(&self, argv: &[&str]) {
        self.launch_with(argv, &[]);
    }

    /// The same with these variables.
    pub fn launch_with(&self, argv: &[&str], env: &[(&str, &str)]) {
        let kind = match argv {
            [] => AppKind::Desktop,
            argv => AppKind::Command(argv.iter().map(|a| (*a).to_owned()).collect()),
        };
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.link.send(&ToSeat::Launch(App { kind, name: "a test".to_owned(), env, cwd: None })).unwrap();
    }

    /// What a person does.
    pub fn input(&self, input: Input) {
        self.link.send(&ToSeat::Input(input)).unwrap();
    }

    /// A key goes down or up.
    pub fn press(&self, code: u16, down: bool) {
        self.input(Input::Key { code, down });
    }

    /// A key goes down and up.
    pub fn key(&self, code: u16) {
        self.press(code, true);
        self.press(code, false);
    }

    /// A key while another is held.
    pub fn chord(&self, held: u16, code: u16) {
        self.press(held, true);
        self.key(code);
        self.press(held, false);
    }

    /// Text, until the seat has read it.
    pub fn text(&self, text: &str) {
        text.chars().for_each(|character| self.input(Input::Text { character }));
        // Nobody reads the link meanwhile, who would send what the seat could not take at once.
        let sender = self.link.sender();
        wait_for("the seat to read", || (!sender.is_waiting().unwrap()).then_some(()));
    }

    /// The pointer goes to a pixel of the screen as it was at the start.
    pub fn point(&self, x: u32, y: u32) {
        let (w, h) = (f64::from(self.size.0), f64::from(self.size.1));
        self.input(Input::PointerPosition { x: f64::from(x) / w, y: f64::from(y) / h });
    }

    /// A button goes down or up.
    pub fn button(&self, code: u16, down: bool) {
        self.input(Input::PointerButton { code, down });
    }

    /// A button goes down and up.
    pub fn click(&self, code: u16) {
        self.button(code, true);
        self.button(code, false);
    }

    /// The next event that satisfies `wanted`.
    pub fn event(&mut self, what: &str, mut wanted: impl FnMut(&Event) -> bool) -> Event {
        let start = Instant::now();
        while start.elapsed() < WAIT {
            match self.link.next_event(Duration::from_millis(100)).unwrap() {
                Some(event) if wanted(&event) => return event,
                _ => {}
            }
        }
        panic!("waited too long for {what}");
    }

    /// The next frame that satisfies `wanted`; it is saved under what it is.
    pub fn frame(&mut self, what: &str, mut wanted: impl FnMut(&Frame) -> bool) -> Frame {
        let start = Instant::now();
        let mut last = None;
        while start.elapsed() < WAIT {
            match self.link.next_event(Duration::from_millis(100)).unwrap() {
                Some(Event::Frame(frame)) if wanted(&frame) => {
                    save(&frame, &format!("{what}.png"));
                    return frame;
                }
                Some(Event::Frame(frame)) => last = Some(frame),
                Some(Event::Error(text)) => panic!("{text}"),
                _ => {}
            }
        }
        if let Some(last) = last {
            save(&last, &format!("{what} (missing).png"));
        }
        panic!("waited too long for {what}");
    }

    /// The desktop, once its terminal is seen and nothing moves. A window that a test opens
    /// earlier might end up behind it.
    pub fn desktop(&mut self) -> Frame {
        self.launch(&[]);
        let (x, y) = (self.size.0 / 2, self.size.1 * 3 / 5);
        // One colour: not the backdrop any more.
        let flat = |frame: &Frame| {
            (1..64).all(|step| pixel(frame, x + step % 16, y + step / 16) == pixel(frame, x, y))
        };
        let first = self.frame("the terminal", flat);
        self.quiet(first)
    }

    /// Reads frames until none comes for a while; the last one.
    pub fn settled(&mut self) -> Frame {
        let first = self.frame("a first frame", |_| true);
        self.quiet(first)
    }

    fn quiet(&mut self, mut last: Frame) -> Frame {
        while let Some(event) = self.link.next_event(Duration::from_millis(700)).unwrap() {
            if let Event::Frame(frame) = event {
                last = frame;
            }
        }
        last
    }

    /// A file in the runtime directory, which programs of the seat may write.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// What is in such a file, once the last line there is whole; the file goes.
    pub fn line(&self, name: &str) -> String {
        let file = self.file(name);
        let text = written(name, &file);
        std::fs::remove_file(file).unwrap();
        text
    }

    /// The variable that everything the seat starts carries.
    pub fn mark(&self) -> String {
        format!("PUNKTFUNK_SEAT={}", self.directory.display())
    }

    /// Process ids of what the seat has started and has this name.
    pub fn named(&self, name: &str) -> Vec<u32> {
        let is =
            |path: &PathBuf| std::fs::read_to_string(path.join("comm")).is_ok_and(|comm| comm.trim() == name);
        let pid = |path: PathBuf| path.file_name()?.to_str()?.parse().ok();
        marked(&self.mark()).into_iter().filter(is).filter_map(pid).collect()
    }

    /// Asks the seat to quit, and waits for nothing.
    pub fn tell_to_quit(&self) {
        self.link.send(&ToSeat::Quit).unwrap();
    }

    /// Has the seat quit, and waits until nothing that it started is left.
    pub fn quit(mut self) {
        self.tell_to_quit();
        let process = &mut self.process;
        let status = wait_for("the seat to end", || process.try_wait().unwrap());
        assert!(status.success(), "{status}");
        self.wait_until_all_is_gone();
    }

    /// Waits until nothing is left of what a seat has started that ended by itself; then its
    /// folder goes.
    pub fn wait_until_all_is_gone(self) {
        let mark = self.mark();
        wait_for("everything to end", || marked(&mark).is_empty().then_some(()));
        std::fs::remove_dir_all(&self.folder).unwrap();
    }
}
