//! The host's handle of a seat, with the real program where it was built.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use punktfunk_core::input::Event as Input;
use punktfunk_host::display::{
    App, AppKind, DisplayError, Keymap, Screen, Seat, SeatEvent, SeatEvents, SeatSpec,
};

const WAIT: Duration = Duration::from_secs(20);

/// The seat lies beside the test's own directory in the target directory.
fn program(test: &str) -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    let program = own.parent()?.parent()?.join("punktfunk-seat");
    if !program.is_file() {
        println!("SKIPPED {test}: {} was not built", program.display());
        return None;
    }
    Some(program)
}

fn spec(name: &str, program: PathBuf) -> SeatSpec {
    SeatSpec {
        name: name.to_owned(),
        runtime_dir: std::env::temp_dir().join(format!("pfh-{name}-{}", std::process::id())),
        program,
        screen: Screen::Own,
        width: 641,
        height: 359,
        fps: 60,
        channels: 2,
        layout: Keymap::default(),
    }
}

fn until(events: &SeatEvents, what: &str, mut wanted: impl FnMut(&SeatEvent) -> bool) -> SeatEvent {
    let start = Instant::now();
    while start.elapsed() < WAIT {
        let event = events.next(Duration::from_millis(200));
        if wanted(&event) {
            return event;
        }
    }
    panic!("waited too long for {what}");
}

#[test]
fn a_seat_starts_is_found_again_and_ends() {
    let Some(program) = program("a_seat_starts_is_found_again_and_ends") else { return };
    let spec = spec("life", program);
    let (seat, events) = Seat::start(&spec).unwrap();
    let SeatEvent::Frame(frame) = until(&events, "a frame", |e| matches!(e, SeatEvent::Frame(_))) else {
        panic!("no frame");
    };
    assert_eq!((frame.width(), frame.height()), (641, 359));
    assert!(frame.full() && frame.timestamp_us() > 0);
    drop(frame);
    let kind = AppKind::Command(vec!["sleep".to_owned(), "1000".to_owned()]);
    seat.launch(App { kind, name: "sleep".to_owned(), env: vec![], cwd: None }).unwrap();
    until(&events, "the application", |e| matches!(e, SeatEvent::AppStarted(_)));
    // A second host takes over; the first is told.
    let (second, second_events) = Seat::attach(&spec.runtime_dir, WAIT).unwrap();
    until(&events, "the end of the first connection", |e| matches!(e, SeatEvent::Gone));
    assert!(!seat.is_alive() && second.is_alive());
    assert_eq!(second.pid(), seat.pid());
    until(&second_events, "the application again", |e| matches!(e, SeatEvent::AppStarted(_)));
    second.set_mode(801, 450, 30).unwrap();
    until(&second_events, "the new size", |e| matches!(e, SeatEvent::Frame(f) if f.width() == 801));
    second.quit();
    assert!(!second.is_alive());
    assert!(Seat::attach(&spec.runtime_dir, WAIT).is_err_and(|error| error.is_gone()));
    std::fs::remove_dir_all(&spec.runtime_dir).unwrap();
}

#[test]
fn a_seat_that_cannot_start_says_why() {
    let Some(program) = program("a_seat_that_cannot_start_says_why") else { return };
    let mut spec = spec("broken", program);
    spec.width = 0;
    let Err(error) = Seat::start(&spec) else { panic!("it started") };
    assert!(matches!(&error, DisplayError::Ended { .. }), "{error}");
    assert!(error.to_string().contains("0x359"), "{error}");
    spec.program = "/nonexistent/punktfunk-seat".into();
    assert!(matches!(Seat::start(&spec), Err(DisplayError::Io { .. })));
    std::fs::remove_dir_all(&spec.runtime_dir).unwrap();
}

#[test]
fn who_wants_gamescope_is_told_that_it_is_missing() {
    let test = "who_wants_gamescope_is_told_that_it_is_missing";
    let Some(program) = program(test) else { return };
    let path = std::env::var_os("PATH").unwrap_or_default();
    for (name, wanted) in [("gamescope", false), ("pipewire", true)] {
        if std::env::split_paths(&path).any(|folder| folder.join(name).is_file()) != wanted {
            println!("SKIPPED {test}: {name} is {}installed", if wanted { "not " } else { "" });
            return;
        }
    }
    let spec = SeatSpec { screen: Screen::Gamescope, ..spec("missing", program) };
    let error = Seat::start(&spec).unwrap_err();
    let said = error.to_string();
    assert!(
        matches!(error, DisplayError::Ended { .. }) && said.contains("gamescope is not installed"),
        "{said}"
    );
    std::fs::remove_dir_all(&spec.runtime_dir).unwrap();
}

#[test]
fn who_wants_the_gamescope_of_the_session_is_told_how_to_have_one() {
    let test = "who_wants_the_gamescope_of_the_session_is_told_how_to_have_one";
    let Some(program) = program(test) else { return };
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).unwrap_or_default();
    let names = std::fs::read_dir(runtime).into_iter().flatten().flatten().map(|entry| entry.file_name());
    if names.into_iter().any(|name| name.to_string_lossy().starts_with("gamescope-")) {
        println!("SKIPPED {test}: there may be one");
        return;
    }
    let spec = SeatSpec { screen: Screen::Session, ..spec("nobody", program) };
    let error = Seat::start(&spec).unwrap_err();
    let DisplayError::Ended { log, .. } = &error else { panic!("{error}") };
    assert!(log.contains("log in to game mode as this user"), "{log}");
    assert!(log.contains("set desktop.session to \"auto\""), "{log}");
    std::fs::remove_dir_all(&spec.runtime_dir).unwrap();
}

#[test]
fn a_seat_that_hangs_is_not_waited_for() {
    let Some(program) = program("a_seat_that_hangs_is_not_waited_for") else { return };
    let spec = spec("hung", program);
    let (seat, events) = Seat::start(&spec).unwrap();
    until(&events, "a frame", |event| matches!(event, SeatEvent::Frame(_)));
    let pid = rustix::process::Pid::from_raw(seat.pid()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    // More than its socket holds.
    for round in 0..2_000_u16 {
        seat.input(&Input::Key { code: 30, down: round % 2 == 0 }).unwrap();
    }
    let start = Instant::now();
    seat.quit();
    assert!(!seat.is_alive());
    // It would be given 13 seconds to close its application, if it had heard of it.
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    // The guard beside it may still be ending its sound server.
    while std::fs::remove_dir_all(&spec.runtime_dir).is_err() {
        assert!(start.elapsed() < WAIT, "something of the seat goes on");
        std::thread::yield_now();
    }
}
