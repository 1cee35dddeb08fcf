//! A gamescope of the user's session as a seat's screen: it is found by what it offers, shown
//! and left alone, and its end is the end of the application.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use punktfunk_core::input::Event as Input;
use punktfunk_seat_ipc::host::{Event, Frame, SeatLink};
use punktfunk_seat_ipc::{App, AppKind, Exit, Mode, Ready, ToSeat};

use crate::fitted::is_between_bars;
use crate::stage::{Stage, lacks, marked, wait_for};
use crate::stand_in::{CONTROL, MANNER, OPTIONS};

const WAIT: Duration = Duration::from_secs(40);
const COLOUR: [u8; 3] = [0x30, 0x20, 0x10];

/// What a user has who is logged in: a sound server, and a gamescope that no seat started.
struct Session {
    folder: PathBuf,
    /// Has the sound server.
    server: Child,
    /// The socket of a compositor that is no gamescope.
    wayland: PathBuf,
    gamescope: Child,
    control: BufReader<UnixStream>,
}

/// A seat that shows it.
struct Seat {
    directory: PathBuf,
    process: Child,
    link: SeatLink,
    ready: Ready,
}

fn folder(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("pf-ga-{name}-{}", std::process::id()))
}

fn program(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_punktfunk-seat"));
    command.arg("--runtime-dir").arg(directory);
    for name in ["GAMESCOPE_WAYLAND_DISPLAY", "PIPEWIRE_REMOTE", "PIPEWIRE_RUNTIME_DIR", "PUNKTFUNK_SEAT"] {
        command.env_remove(name);
    }
    command
}

fn ready(directory: &Path) -> (SeatLink, Ready) {
    let mut link = wait_for("the seat", || SeatLink::connect(directory).ok());
    let Some(Event::Ready(ready)) = link.next_event(WAIT).unwrap() else { panic!("it is not ready") };
    (link, ready)
}

impl Session {
    fn start(name: &str, manner: &str) -> Self {
        let folder = folder(name);
        let server = program(&folder).spawn().unwrap();
        let (link, ready) = ready(&folder);
        assert!(!ready.pipewire_remote.is_empty(), "it has sound");
        drop(link);
        let control = folder.join("stand-in");
        std::fs::create_dir_all(&control).unwrap();
        let said = folder.join("said");
        let options = format!("--backend headless -W 320 -H 200 --ready-fd {}", said.display());
        let gamescope = Command::new(std::env::current_exe().unwrap())
            .args(["stand_in", "--exact", "--nocapture", "--test-threads=1"])
            .env(OPTIONS, options)
            .env(CONTROL, &control)
            .env(MANNER, manner)
            .env("XDG_RUNTIME_DIR", &folder)
            .env_remove("PIPEWIRE_REMOTE")
            .env_remove("PUNKTFUNK_SEAT")
            .stdin(Stdio::null())
            // It is a test program: what it counts is not ours.
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        wait_for("the stand-in", || std::fs::read(&said).ok().filter(|line| line.ends_with(b"\n")));
        let socket = UnixStream::connect(control.join("control")).unwrap();
        socket.set_read_timeout(Some(WAIT)).unwrap();
        let wayland = folder.join(ready.wayland_display);
        Self { folder, server, wayland, gamescope, control: BufReader::new(socket) }
    }

    fn command(&self, directory: &Path, client: &str, (width, height): (u32, u32)) -> Command {
        let mut command = program(directory);
        command.args(["--compositor=gamescope", "--attach=auto", "--name", client]);
        command.args(["--width", &width.to_string(), "--height", &height.to_string()]);
        command.env("XDG_RUNTIME_DIR", &self.folder);
        command
    }

    fn seat(&self, name: &str, size: (u32, u32)) -> Seat {
        let directory = folder(name);
        let process = self.command(&directory, name, size).spawn().unwrap();
        let (link, ready) = ready(&directory);
        Seat { directory, process, link, ready }
    }

    /// What a seat says at last that cannot show it.
    fn refused(&self, name: &str) -> String {
        let directory = folder(name);
        let output = self.command(&directory, name, (320, 200)).stdout(Stdio::null()).output().unwrap();
        assert!(!output.status.success());
        let _ = std::fs::remove_dir_all(&directory);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        said.lines().last().unwrap_or_default().to_owned()
    }

    fn say(&mut self, line: &str) {
        writeln!(self.control.get_mut(), "{line}").unwrap();
    }

    /// Waits until the stand-in says so.
    fn hear(&mut self, wanted: &str) {
        loop {
            let mut line = String::new();
            assert!(self.control.read_line(&mut line).unwrap() > 0, "it is gone before it says {wanted:?}");
            if line.trim() == wanted {
                return;
            }
        }
    }

    fn end(mut self) {
        assert!(self.gamescope.try_wait().unwrap().is_none(), "gamescope runs on");
        self.clear_away();
    }

    fn clear_away(&mut self) {
        let _ = self.gamescope.kill();
        let _ = self.gamescope.wait();
        let (link, _) = ready(&self.folder);
        link.send(&ToSeat::Quit).unwrap();
        let server = &mut self.server;
        wait_for("the server to end", || server.try_wait().unwrap());
        let mark = format!("PUNKTFUNK_SEAT={}", self.folder.display());
        wait_for("everything to end", || marked(&mark).is_empty().then_some(()));
        std::fs::remove_dir_all(&self.folder).unwrap();
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // After a failed test; the guard of the server's seat ends the rest.
        for process in [&mut self.gamescope, &mut self.server] {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

impl Seat {
    fn event(&mut self, what: &str, mut wanted: impl FnMut(&Event) -> bool) -> Event {
        let start = Instant::now();
        while start.elapsed() < WAIT {
            match self.link.next_event(Duration::from_millis(500)).unwrap() {
                Some(event) if wanted(&event) => return event,
                _ => {}
            }
        }
        panic!("waited too long for {what}");
    }

    fn frame(&mut self, what: &str, mut wanted: impl FnMut(&Frame) -> bool) -> Frame {
        let event = self.event(what, |event| matches!(event, Event::Frame(frame) if wanted(frame)));
        let Event::Frame(frame) = event else { unreachable!("only a frame is wanted") };
        frame
    }

    fn launch(&mut self) -> u32 {
        let app = App { kind: AppKind::Desktop, name: "Desktop".to_owned(), env: vec![], cwd: None };
        self.link.send(&ToSeat::Launch(app)).unwrap();
        let started = self.event("its start", |event| matches!(event, Event::AppStarted { .. }));
        let Event::AppStarted { pid } = started else { unreachable!("only a start is wanted") };
        pid
    }

    fn end(mut self) {
        self.link.send(&ToSeat::Quit).unwrap();
        let process = &mut self.process;
        let status = wait_for("the seat to end", || process.try_wait().unwrap());
        assert!(status.success(), "{status}");
        self.clear_away();
    }

    fn clear_away(&self) {
        let mark = format!("PUNKTFUNK_SEAT={}", self.directory.display());
        wait_for("everything to end", || marked(&mark).is_empty().then_some(()));
        std::fs::remove_dir_all(&self.directory).unwrap();
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn the_gamescope_of_the_session_is_found_among_what_is_none() {
    if lacks("the_gamescope_of_the_session_is_found_among_what_is_none") {
        return;
    }
    let session = Session::start("found", "");
    let mut game = Stage::start("of-a-seat", (320, 200), "");
    game.first();
    // A dead one, one that hangs, a compositor that is no gamescope, and a gamescope that
    // belongs to a seat: all of them come before it by their names.
    drop(UnixListener::bind(session.folder.join("gamescope-0")).unwrap());
    let _hung = UnixListener::bind(session.folder.join("gamescope-1")).unwrap();
    std::os::unix::fs::symlink(&session.wayland, session.folder.join("gamescope-2")).unwrap();
    std::os::unix::fs::symlink(game.directory.join("gamescope-7"), session.folder.join("gamescope-3"))
        .unwrap();
    let mut seat = session.seat("finder", (320, 200));
    assert_eq!(seat.ready.wayland_display, "gamescope-7");
    let sound = session.folder.join("pipewire-0");
    assert_eq!(
        (seat.ready.pipewire_remote.as_str(), seat.ready.pulse_server.as_str()),
        (sound.to_str().unwrap(), "")
    );
    assert_eq!(seat.launch(), session.gamescope.id());
    seat.frame("its picture", |frame| is_between_bars(frame, 0, COLOUR));
    // A host that comes later hears that it runs.
    let (link, _) = ready(&seat.directory);
    seat.link = link;
    let pid = session.gamescope.id();
    seat.event("its start again", |event| matches!(event, Event::AppStarted { pid: told } if *told == pid));
    seat.end();
    // What a variable names comes first, when it answers.
    for end in ["", "-ei"] {
        let (from, to) = (format!("gamescope-7{end}"), format!("mine{end}"));
        std::os::unix::fs::symlink(session.folder.join(from), session.folder.join(to)).unwrap();
    }
    let directory = folder("told");
    let mut command = session.command(&directory, "told", (320, 200));
    let process = command.env("GAMESCOPE_WAYLAND_DISPLAY", "mine").spawn().unwrap();
    let (link, ready) = ready(&directory);
    assert_eq!(ready.wayland_display, "mine");
    Seat { directory, process, link, ready }.end();
    session.end();
    game.quit();
}

#[test]
fn one_seat_shows_it_and_the_next_is_told_whose_it_is() {
    if lacks("one_seat_shows_it_and_the_next_is_told_whose_it_is") {
        return;
    }
    let session = Session::start("turns", "");
    let mut first = session.seat("sofa", (320, 200));
    first.launch();
    let said = session.refused("desk");
    assert!(said.contains("shown on another seat already (for sofa): quit Desktop there"), "{said}");
    first.end();
    session.seat("desk", (320, 200)).end();
    session.end();
}

#[test]
fn its_end_is_the_end_of_the_application_and_none_is_told_with_what_to_do() {
    if lacks("its_end_is_the_end_of_the_application_and_none_is_told_with_what_to_do") {
        return;
    }
    let mut session = Session::start("ends", "");
    let mut seat = session.seat("witness", (320, 200));
    seat.launch();
    session.say("die");
    seat.event(
        "the reason",
        |event| matches!(event, Event::Error(text) if text.contains("gamescope has ended")),
    );
    seat.event("its end", |event| matches!(event, Event::AppExited(Exit::Code(0))));
    let process = &mut seat.process;
    wait_for("the seat to end", || process.try_wait().unwrap());
    seat.clear_away();
    let said = session.refused("late");
    assert!(said.contains("no gamescope runs for this host's user: log in to game mode"), "{said}");
    session.clear_away();
}

#[test]
fn a_still_picture_is_asked_for_by_a_pointer_that_moves_and_comes_back() {
    if lacks("a_still_picture_is_asked_for_by_a_pointer_that_moves_and_comes_back") {
        return;
    }
    let mut session = Session::start("still", "still");
    let mut seat = session.seat("looker", (320, 200));
    // Nothing is drawn until something moves, and nobody but the seat moves anything here.
    seat.frame("its picture", |frame| is_between_bars(frame, 0, COLOUR));
    session.hear("motion 1 0");
    session.hear("motion -1 0");
    // Who looks away and comes back sees it again, though nothing is drawn meanwhile.
    for viewer in [false, true] {
        seat.link.send(&ToSeat::SetViewer(viewer)).unwrap();
    }
    let frame = seat.frame("its picture again", |frame| is_between_bars(frame, 0, COLOUR));
    assert!(frame.full());
    drop(frame);
    seat.end();
    session.end();
}

#[test]
fn its_picture_lies_undistorted_in_the_screen_of_the_client() {
    if lacks("its_picture_lies_undistorted_in_the_screen_of_the_client") {
        return;
    }
    let mut session = Session::start("fits", "still");
    let mut seat = session.seat("wide", (640, 360));
    let frame = seat.frame("its picture", |frame| is_between_bars(frame, 32, COLOUR));
    assert_eq!((frame.width(), frame.height()), (640, 360));
    drop(frame);
    for (x, y, place) in
        [(0.5, 0.5, "place 160 100"), (32.0 / 640.0, 0.0, "place 0 0"), (1.0, 1.0, "place 319 199")]
    {
        seat.link.send(&ToSeat::Input(Input::PointerPosition { x, y })).unwrap();
        session.hear(place);
    }
    // The mode of the client is another; gamescope's own stays, and nothing is asked of it.
    let mode = Mode { width: 400, height: 200, refresh_num: 30, refresh_den: 1 };
    seat.link.send(&ToSeat::SetMode(mode)).unwrap();
    let event = seat.event("the new size, or a complaint", |event| match event {
        Event::Frame(frame) => frame.width() == 400,
        other => matches!(other, Event::Error(_)),
    });
    let Event::Frame(frame) = event else { panic!("{event:?}") };
    assert!(is_between_bars(&frame, 40, COLOUR));
    drop(frame);
    seat.end();
    session.end();
}
