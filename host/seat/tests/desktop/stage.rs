//! The real program in a folder of its own, for tests of the desktop.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use punktfunk_core::input::Event as Input;
use punktfunk_seat_ipc::host::{Event, Frame, SeatLink};
use punktfunk_seat_ipc::{App, AppKind, ToSeat};

/// How long anything may take on a busy machine.
pub const WAIT: Duration = Duration::from_secs(30);

/// Keys by their codes.
pub mod key {
    pub const ESCAPE: u16 = 1;
    pub const TAB: u16 = 15;
    pub const RETURN: u16 = 28;
    pub const SHIFT: u16 = 42;
    pub const ALT: u16 = 56;
    pub const F4: u16 = 62;
    pub const SUPER: u16 = 125;
}

/// The left button.
pub const LEFT: u16 = 0x110;

/// A running seat and the connection of a host to it.
pub struct Seat {
    pub directory: PathBuf,
    pub process: Child,
    pub link: SeatLink,
    pub size: (u32, u32),
}

pub fn installed(program: &str) -> bool {
    std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).any(|d| d.join(program).is_file())
}

/// True when the test must be left out, which it says.
pub fn lacks(test: &str, programs: &[&str]) -> bool {
    let missing: Vec<_> = programs.iter().filter(|program| !installed(program)).collect();
    if !missing.is_empty() {
        println!("SKIPPED {test}: not installed: {missing:?}");
    }
    !missing.is_empty()
}

pub fn wait_for<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(start.elapsed() < WAIT, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A folder of this test.
pub fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("pf-d-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Starts a seat without sound.
pub fn start(name: &str, size: (u32, u32), env: &[(&str, &str)]) -> Seat {
    let directory = folder(name).join("seat");
    let process = Command::new(env!("CARGO_BIN_EXE_punktfunk-seat"))
        .arg("--runtime-dir")
        .arg(&directory)
        .args(["--no-sound", "--width", &size.0.to_string(), "--height", &size.1.to_string()])
        // A shell that reads nobody's settings: those may take long, or ask.
        .env("SHELL", "/bin/sh")
        .env_remove("ENV")
        .envs(env.iter().copied())
        .spawn()
        .unwrap();
    let mut link = wait_for("the seat", || SeatLink::connect(&directory).ok());
    let ready = link.next_event(WAIT).unwrap();
    assert!(matches!(&ready, Some(Event::Ready(_))), "{ready:?}");
    Seat { directory, process, link, size }
}

impl Seat {
    /// The desktop, with these variables; or a command.
    pub fn launch(&self, argv: &[&str], env: &[(&str, &str)]) {
        let kind = match argv {
            [] => AppKind::Desktop,
            argv => AppKind::Command(argv.iter().map(|a| (*a).to_owned()).collect()),
        };
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.link.send(&ToSeat::Launch(App { kind, name: "a test".to_owned(), env, cwd: None })).unwrap();
    }

    pub fn input(&self, input: Input) {
        self.link.send(&ToSeat::Input(input)).unwrap();
    }

    pub fn press(&self, code: u16, down: bool) {
        self.input(Input::Key { code, down });
    }

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

    pub fn text(&self, text: &str) {
        text.chars().for_each(|character| self.input(Input::Text { character }));
        // Nobody reads the link meanwhile, who would send what the seat could not take at once.
        let sender = self.link.sender();
        wait_for("the seat to read", || (!sender.is_waiting().unwrap()).then_some(()));
    }

    pub fn point(&self, x: u32, y: u32) {
        let (w, h) = (f64::from(self.size.0), f64::from(self.size.1));
        self.input(Input::PointerPosition { x: f64::from(x) / w, y: f64::from(y) / h });
    }

    pub fn click(&self) {
        self.input(Input::PointerButton { code: LEFT, down: true });
        self.input(Input::PointerButton { code: LEFT, down: false });
    }

    /// The next frame that satisfies `wanted`.
    pub fn frame(&mut self, what: &str, mut wanted: impl FnMut(&Frame) -> bool) -> Frame {
        let start = Instant::now();
        let mut last = None;
        while start.elapsed() < WAIT {
            match self.link.next_event(Duration::from_millis(100)).unwrap() {
                Some(Event::Frame(frame)) if wanted(&frame) => return frame,
                Some(Event::Frame(frame)) => last = Some(frame),
                Some(Event::Error(text)) => panic!("{text}"),
                _ => {}
            }
        }
        if let Some(frame) = last {
            save(&frame, "failed.png");
        }
        panic!("waited too long for {what}");
    }

    /// The desktop, once its terminal is seen and nothing moves. A window that a test opens
    /// earlier might end up behind it.
    pub fn desktop(&mut self, env: &[(&str, &str)]) -> Frame {
        self.launch(&[], env);
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

    pub fn mark(&self) -> String {
        format!("PUNKTFUNK_SEAT={}", self.directory.display())
    }

    /// The command lines of this seat's processes of this name.
    pub fn running(&self, name: &str) -> Vec<String> {
        let line = |path: PathBuf| {
            let comm = std::fs::read_to_string(path.join("comm")).unwrap_or_default();
            let line = std::fs::read(path.join("cmdline")).unwrap_or_default();
            (comm.trim() == name).then(|| String::from_utf8_lossy(&line).replace('\0', " "))
        };
        marked(&self.mark()).into_iter().filter_map(line).collect()
    }

    pub fn tell_to_quit(&self) {
        self.link.send(&ToSeat::Quit).unwrap();
    }

    pub fn quit(mut self) {
        let mark = self.mark();
        self.tell_to_quit();
        let process = &mut self.process;
        let status = wait_for("the seat to end", || process.try_wait().unwrap());
        assert!(status.success(), "{status}");
        wait_for("everything to end", || marked(&mark).is_empty().then_some(()));
        std::fs::remove_dir_all(self.directory.parent().unwrap()).unwrap();
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        // After a failed test; the guard of the seat ends the rest.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Processes with this variable in their environment.
fn marked(mark: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    entries
        .filter(|path| {
            let environment = std::fs::read(path.join("environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
        })
        .collect()
}

pub fn pixel(frame: &Frame, x: u32, y: u32) -> [u8; 3] {
    let at = y as usize * frame.stride() + x as usize * 4;
    let bytes = frame.bytes();
    [bytes[at + 2], bytes[at + 1], bytes[at]]
}

/// Writes the frame where `PUNKTFUNK_PICTURES` says, for people to look at.
pub fn save(frame: &Frame, name: &str) {
    let Some(directory) = std::env::var_os("PUNKTFUNK_PICTURES") else { return };
    let file = std::fs::File::create(Path::new(&directory).join(name)).unwrap();
    let mut encoder = png::Encoder::new(file, frame.width(), frame.height());
    encoder.set_color(png::ColorType::Rgb);
    let rgb: Vec<u8> =
        (0..frame.height()).flat_map(|y| (0..frame.width()).flat_map(move |x| pixel(frame, x, y))).collect();
    encoder.write_header().unwrap().write_image_data(&rgb).unwrap();
}
