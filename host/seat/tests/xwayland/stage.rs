//! A seat for a test: started, seen, typed into, and ended.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use punktfunk_core::input::Event as Input;
use punktfunk_seat_ipc::host::{Event, Frame, SeatLink};
use punktfunk_seat_ipc::{App, AppKind, ToSeat};

pub const WAIT: Duration = Duration::from_secs(60);

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
    let missing = programs.iter().find(|program| !installed(program));
    if let Some(program) = missing {
        println!("SKIPPED {test}: {program} is not installed");
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
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A seat whose `PATH` begins with `path`.
pub fn start(name: &str, size: (u32, u32), path: &Path) -> Seat {
    let directory = std::env::temp_dir().join(format!("pf-x-{name}-{}", std::process::id()));
    let mut paths = path.as_os_str().to_owned();
    paths.push(":");
    paths.push(std::env::var_os("PATH").unwrap());
    let process = Command::new(env!("CARGO_BIN_EXE_punktfunk-seat"))
        .arg("--runtime-dir")
        .arg(&directory)
        .args(["--no-sound", "--width", &size.0.to_string(), "--height", &size.1.to_string()])
        .env("PATH", paths)
        // What the users of this machine do when a shell starts is not tried here.
        .env("SHELL", "/bin/sh")
        .env_remove("ENV")
        .spawn()
        .unwrap();
    let mut link = wait_for("the seat", || SeatLink::connect(&directory).ok());
    assert!(matches!(link.next_event(WAIT).unwrap(), Some(Event::Ready(_))));
    Seat { directory, process, link, size }
}

pub fn plain(name: &str, size: (u32, u32)) -> Seat {
    start(name, size, Path::new("/usr/bin"))
}

impl Seat {
    pub fn launch(&self, argv: &[&str]) {
        let kind = match argv {
            [] => AppKind::Desktop,
            argv => AppKind::Command(argv.iter().map(|a| (*a).to_owned()).collect()),
        };
        let app = App { kind, name: "a test".to_owned(), env: vec![], cwd: None };
        self.link.send(&ToSeat::Launch(app)).unwrap();
    }

    pub fn input(&self, input: Input) {
        self.link.send(&ToSeat::Input(input)).unwrap();
    }

    pub fn key(&self, code: u16) {
        self.input(Input::Key { code, down: true });
        self.input(Input::Key { code, down: false });
    }

    pub fn text(&self, text: &str) {
        text.chars().for_each(|character| self.input(Input::Text { character }));
        // Nobody reads the link meanwhile, who would send what the seat could not take at once.
        let sender = self.link.sender();
        wait_for("the seat to read", || (!sender.is_waiting().unwrap()).then_some(()));
    }

    pub fn point(&self, x: u32, y: u32) {
        let share = |at: u32, of: u32| f64::from(at) / f64::from(of);
        self.input(Input::PointerPosition { x: share(x, self.size.0), y: share(y, self.size.1) });
    }

    pub fn button(&self, code: u16, down: bool) {
        self.input(Input::PointerButton { code, down });
    }

    /// The next frame that satisfies `wanted`.
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

    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The contents of a file, once a whole line is in it; the file goes.
    pub fn line(&self, name: &str) -> String {
        let file = self.file(name);
        let text = wait_for(name, || std::fs::read_to_string(&file).ok().filter(|text| text.ends_with('\n')));
        std::fs::remove_file(file).unwrap();
        text
    }

    pub fn mark(&self) -> String {
        format!("PUNKTFUNK_SEAT={}", self.directory.display())
    }

    /// Process ids of this seat's processes of that name.
    pub fn named(&self, name: &str) -> Vec<i32> {
        let is =
            |path: &PathBuf| std::fs::read_to_string(path.join("comm")).is_ok_and(|comm| comm.trim() == name);
        let pid = |path: PathBuf| path.file_name()?.to_str()?.parse().ok();
        marked(&self.mark()).into_iter().filter(is).filter_map(pid).collect()
    }

    pub fn quit(mut self) {
        self.link.send(&ToSeat::Quit).unwrap();
        let process = &mut self.process;
        let status = wait_for("the seat to end", || process.try_wait().unwrap());
        assert!(status.success(), "{status}");
        let mark = self.mark();
        wait_for("everything to end", || marked(&mark).is_empty().then_some(()));
        std::fs::remove_dir_all(&self.directory).unwrap();
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
pub fn marked(mark: &str) -> Vec<PathBuf> {
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

/// How many pixels of the frame have this colour.
pub fn count(frame: &Frame, colour: [u8; 3]) -> usize {
    let all = (0..frame.height()).flat_map(|y| (0..frame.width()).map(move |x| (x, y)));
    all.filter(|(x, y)| pixel(frame, *x, *y) == colour).count()
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

pub const NAVY: [u8; 3] = [0, 0, 0x80];
pub const TERMINAL: [&str; 7] = ["xterm", "-bg", "navy", "-fg", "white", "-e", "sh"];

impl Seat {
    /// Waits until a shell runs what is typed: windows need a moment until they take keys.
    pub fn shell_is_ready(&self) {
        let file = self.file("ready");
        let mut asked = Instant::now();
        self.text(&format!(": > {}\n", file.display()));
        wait_for("a shell", || {
            if asked.elapsed() > Duration::from_secs(3) {
                asked = Instant::now();
                // What arrived of the line before must not spoil this one.
                for (code, down) in [(29, true), (46, true), (46, false), (29, false)] {
                    self.input(Input::Key { code, down });
                }
                self.text(&format!(": > {}\n", file.display()));
            }
            file.exists().then_some(())
        });
        std::fs::remove_file(file).unwrap();
    }

    /// Runs a command in the shell that has the keys; what it prints.
    pub fn shell(&self, command: &str) -> String {
        self.text(&format!("{{ {command}; }} > {0}- && mv {0}- {0}\n", self.file("said").display()));
        let file = self.file("said");
        wait_for(command, || file.exists().then_some(()));
        let said = std::fs::read_to_string(&file).unwrap();
        std::fs::remove_file(file).unwrap();
        said
    }

    /// The number of this seat's X server.
    pub fn display(&self) -> u32 {
        let file = self.file("display");
        self.launch(&[
            "sh",
            "-c",
            &format!("echo $DISPLAY > {0}- && mv {0}- {0}; sleep 1000", file.display()),
        ]);
        self.line("display").trim().strip_prefix(':').unwrap().parse().unwrap()
    }
}
