//! Real programs by name, each doing on a desktop what it is known for. One that is not
//! installed is named as skipped.

use std::collections::HashSet;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use punktfunk_core::input::Event as Input;
use punktfunk_seat_ipc::host::{Event, Frame};

use crate::stage::{LEFT, Process, Seat, WAIT, display, installed, pixel, save, start, wait_for};

/// A seat with a desktop on it, and what is needed to start programs there.
struct Stage {
    seat: Seat,
    folder: PathBuf,
    display: String,
}

impl Stage {
    fn new() -> Self {
        let mut seat = start("clients", (1280, 720), &[]);
        drop(seat.desktop());
        let folder = seat.folder.clone();
        let display = display(&seat);
        Self { seat, folder, display }
    }

    fn command(&self, line: &str) -> Command {
        let mut words = line.split_whitespace();
        let mut command = Command::new(words.next().unwrap());
        command.args(words).env("XDG_RUNTIME_DIR", &self.seat.directory).env("WAYLAND_DISPLAY", "wayland-1");
        command.env("DISPLAY", &self.display).stdin(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Starts a program, which is ended when it is dropped; what it prints goes to a file of
    /// its name.
    fn run(&self, line: &str) -> (Process, PathBuf) {
        let name = line.split_whitespace().next().unwrap();
        let said = self.folder.join(name);
        let program = self.command(line).stdout(File::create(&said).unwrap()).spawn().unwrap();
        (program.into(), said)
    }

    /// What a program prints that ends by itself; `None` if it fails.
    fn ask(&self, line: &str) -> Option<String> {
        let output = self.command(line).output().unwrap();
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Waits until the screen is at rest; the last picture on the way is saved.
    fn rest(&mut self, name: &str) {
        while let Some(event) = self.seat.link.next_event(Duration::from_millis(700)).unwrap() {
            if let Event::Frame(frame) = event {
                save(&frame, &format!("client {name}.png"));
            }
        }
    }

    /// How many different pictures of this part of the screen come, up to `most`.
    fn pictures(&mut self, (left, top, width, height): (u32, u32, u32, u32), most: usize) -> usize {
        let (start, mut seen) = (Instant::now(), HashSet::new());
        while seen.len() < most && start.elapsed() < WAIT {
            if let Some(Event::Frame(frame)) = self.seat.link.next_event(Duration::from_millis(100)).unwrap()
            {
                let rows = (top..top + height).step_by(3);
                let part = |y| (left..left + width).step_by(3).map(move |x| (x, y));
                let picture: Vec<_> = rows.flat_map(part).map(|(x, y)| pixel(&frame, x, y)).collect();
                seen.insert(picture);
            }
        }
        seen.len()
    }
}

fn read(path: &PathBuf) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The middle of the screen, where windows come up.
const MIDDLE: (u32, u32, u32, u32) = (540, 260, 200, 200);

fn wayland_info(stage: &mut Stage) {
    let said = stage.ask("wayland-info").unwrap();
    for what in
        ["xdg_wm_base", "zwlr_layer_shell_v1", "width: 1280 px, height: 720 px, refresh: 60.000 Hz", "PF-1"]
    {
        assert!(said.contains(what), "{what} is missing in {said}");
    }
}

fn foot(stage: &mut Stage) {
    let file = stage.folder.join("foot-typed");
    stage.seat.text(&format!("echo 'Hello [1] @' > {}\n", file.display()));
    wait_for("what was typed", || (read(&file) == "Hello [1] @\n").then_some(()));
}

fn simple_shm(stage: &mut Stage) {
    let _program = stage.run("weston-simple-shm");
    assert_eq!(stage.pictures(MIDDLE, 20), 20, "it is animated");
}

fn presentation_shm(stage: &mut Stage) {
    let (mut program, said) = stage.run("stdbuf -oL weston-presentation-shm -f");
    let presented = |text: &str| text.lines().filter(|line| line.contains("f2p")).count();
    wait_for("feedback", || {
        // That of weston 10 takes the newest xdg_wm_base and does not know its events.
        if program.try_wait().unwrap().is_some() {
            println!("SKIPPED real program weston-presentation-shm: this one ends at once");
            return Some(());
        }
        (presented(&read(&said)) >= 20).then_some(())
    });
}

fn xterm(stage: &mut Stage) {
    let _program = stage.run("xterm -bg navy -fg white -geometry 60x16+300+200 -e sh");
    let shown = |frame: &Frame| pixel(frame, 500, 350) == [0, 0, 0x80];
    drop(stage.seat.frame("xterm", shown));
    let file = stage.folder.join("xterm-typed");
    // A window needs a moment until it takes keys.
    wait_for("what was typed", || {
        stage.seat.text(&format!("echo $TERM > {}\n", file.display()));
        std::thread::sleep(Duration::from_millis(200));
        read(&file).starts_with("xterm").then_some(())
    });
}

/// How often glxgears drew within the last seconds.
fn rate(said: &PathBuf, reports: usize) -> f64 {
    let text = wait_for("a report of glxgears", || {
        let text = read(said);
        (text.lines().filter(|line| line.ends_with("FPS")).count() >= reports).then_some(text)
    });
    let last = text.lines().rfind(|line| line.ends_with("FPS")).unwrap();
    last.split_whitespace().rev().nth(1).unwrap().parse().unwrap()
}

fn glxgears(stage: &mut Stage) {
    let (_program, said) = stage.run("stdbuf -oL glxgears -geometry 300x300+300+200");
    assert!(stage.pictures((300, 200, 300, 300), 20) == 20, "it turns");
    // Hidden behind another window it draws on: games do not stand still.
    stage.seat.point(300, 140);
    stage.seat.click(LEFT);
    stage.seat.click(LEFT);
    let before = read(&said).lines().count();
    let hidden = rate(&said, before + 2);
    // Far from the 1 Hz of a wrong refresh, whatever else the machine does.
    assert!(hidden > 15.0, "{hidden} a second while it is hidden");
}

fn xeyes(stage: &mut Stage) {
    let _program = stage.run("xeyes -geometry 300x200+300+200");
    let eyes = |frame: &Frame| -> Vec<[u8; 3]> {
        (200..400).flat_map(|y| (300..600).map(move |x| (x, y))).map(|(x, y)| pixel(frame, x, y)).collect()
    };
    let mut looks = HashSet::new();
    // Xwayland knows of the pointer while it is on a window of X11.
    for (x, y) in [(310, 300), (590, 300), (450, 205), (450, 395)] {
        stage.seat.point(x, y);
        looks.insert(eyes(&stage.seat.settled()));
    }
    assert_eq!(looks.len(), 4, "they follow the pointer");
}

/// From one side to the other, with the keys on a window of Wayland all the time: what
/// controls the clipboard needs none.
fn clipboards(stage: &mut Stage) {
    let _copy = stage.run("wl-copy --foreground wayland-text");
    let get = |stage: &Stage, line: &str, wanted: &str| {
        wait_for(line, || (stage.ask(line).as_deref() == Some(wanted)).then_some(()));
    };
    get(stage, "xclip -o -selection clipboard", "wayland-text");
    let file = stage.folder.join("x11-text");
    fs::write(&file, "x11-text").unwrap();
    let _clip = stage.run(&format!("xclip -quiet -i -selection clipboard {}", file.display()));
    get(stage, "wl-paste -n", "x11-text");
    let _primary = stage.run("wl-copy --foreground --primary wayland-primary");
    get(stage, "xclip -o -selection primary", "wayland-primary");
    fs::write(&file, "x11-primary").unwrap();
    let _second = stage.run(&format!("xclip -quiet -i -selection primary {}", file.display()));
    get(stage, "wl-paste -n --primary", "x11-primary");
    get(stage, "wl-paste -n", "x11-text");
}

/// Motions reach X11 games as they were, also while the pointer is at an edge.
fn raw_motion(stage: &mut Stage) {
    let _window = stage.run("xeyes -geometry 300x200+300+200");
    stage.seat.point(450, 300);
    drop(stage.seat.settled());
    let (_program, said) = stage.run("stdbuf -oL xinput test-xi2 --root");
    wait_for("raw motion", || {
        stage.seat.input(Input::PointerMotion { dx: 7.0, dy: -3.0 });
        stage.seat.input(Input::PointerMotion { dx: -7.0, dy: 3.0 });
        let text = read(&said);
        let raw = text.split("EVENT type 17 (RawMotion)").skip(1);
        let is = |event: &str, x: &str, y: &str| {
            event.contains(&format!("0: {x} ({x})")) && event.contains(&format!("1: {y} ({y})"))
        };
        let found: Vec<_> =
            raw.map(|event| (is(event, "7.00", "-3.00"), is(event, "-7.00", "3.00"))).collect();
        (found.iter().any(|(there, _)| *there) && found.iter().any(|(_, back)| *back)).then_some(())
    });
}

type Try = (&'static str, &'static [&'static str], fn(&mut Stage));

/// Sway has a test of its own: `a_nested_session_is_used_when_it_works_...`.
const CLIENTS: [Try; 9] = [
    ("wayland-info", &["wayland-info"], wayland_info),
    ("foot", &["foot"], foot),
    ("weston-simple-shm", &["weston-simple-shm"], simple_shm),
    ("weston-presentation-shm", &["weston-presentation-shm", "stdbuf"], presentation_shm),
    ("xterm", &["Xwayland", "xterm"], xterm),
    ("glxgears", &["Xwayland", "glxgears", "stdbuf"], glxgears),
    ("xeyes", &["Xwayland", "xeyes"], xeyes),
    ("wl-copy, wl-paste and xclip", &["Xwayland", "wl-copy", "wl-paste", "xclip"], clipboards),
    ("xinput", &["Xwayland", "xeyes", "xinput", "stdbuf"], raw_motion),
];

#[test]
fn real_programs_do_what_they_are_known_for() {
    if !installed("foot") || !installed("Xwayland") {
        println!("SKIPPED real_programs_do_what_they_are_known_for: foot or Xwayland is not installed");
        return;
    }
    let mut stage = Stage::new();
    for (name, programs, run) in CLIENTS {
        if let Some(missing) = programs.iter().find(|program| !installed(program)) {
            println!("SKIPPED real program {name}: {missing} is not installed");
            continue;
        }
        println!("real program {name}");
        run(&mut stage);
        // The desktop is as it was before.
        stage.rest(name);
        assert!(stage.seat.process.try_wait().unwrap().is_none(), "{name} ended the seat");
    }
    stage.seat.quit();
}
