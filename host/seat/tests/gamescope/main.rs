//! A seat with gamescope, against a stand-in that speaks its interfaces: a real PipeWire
//! and a real EIS between them, but no graphics card and no gamescope.

mod attached;
mod ffi;
mod fitted;
mod global;
mod stage;
mod stand_in;

use punktfunk_core::input::{Event as Input, Phase, Touch};
use punktfunk_seat_ipc::host::Event;
use punktfunk_seat_ipc::{Exit, Mode, ToSeat};
use smithay::reexports::x11rb;
use stage::{Stage, at, lacks, marked, wait_for};
use x11rb::connection::Connection as _;
use x11rb::protocol::xproto::{AtomEnum, ConnectionExt as _};
use x11rb::rust_connection::RustConnection;

/// The stand-in itself, when this program was started as one; else nothing.
#[test]
fn stand_in() {
    stand_in::run();
}

#[test]
fn the_picture_arrives_in_its_size_and_colours() {
    if lacks("the_picture_arrives_in_its_size_and_colours") {
        return;
    }
    let mut stage = Stage::start("picture", (853, 479), "");
    let first = stage.frame("the first picture", |frame| at(frame, 400, 200) == [0x30, 0x20, 0x10]);
    assert_eq!((first.width(), first.height()), (853, 479));
    assert_eq!(at(&first, 7, 7), [0xcf, 0xdf, 0xef], "the corner is on top");
    assert_eq!((at(&first, 8, 8), at(&first, 852, 478)), ([0x30, 0x20, 0x10], [0x30, 0x20, 0x10]));
    assert!(first.full() && first.timestamp_us() > 0);
    let mut sequence = first.sequence();
    drop(first);
    for colour in ["000001", "000002", "000003", "000004", "000005", "000006", "000007", "000008"] {
        stage.say(&format!("paint {colour}"));
        let blue = u8::from_str_radix(&colour[4..], 16).unwrap();
        let frame = stage.frame(colour, |frame| at(frame, 400, 200) == [blue, 0, 0]);
        assert!(frame.sequence() > sequence, "{} after {sequence}", frame.sequence());
        sequence = frame.sequence();
    }
    stage.quit();
}

#[test]
fn broken_and_empty_buffers_are_no_pictures() {
    if lacks("broken_and_empty_buffers_are_no_pictures") {
        return;
    }
    let mut stage = Stage::start("broken", (320, 200), "");
    stage.first();
    for (word, good) in [("corrupt-header", "0000a1"), ("corrupt-chunk", "0000a2"), ("empty", "0000a3")] {
        stage.say(&format!("{word} ff0000"));
        stage.hear(&format!("drawn {word}"));
        stage.say(&format!("paint {good}"));
        let blue = u8::from_str_radix(&good[4..], 16).unwrap();
        let mut before = false;
        stage.frame(good, |frame| {
            before |= at(frame, 100, 100) == [0, 0, 0xff];
            at(frame, 100, 100) == [blue, 0, 0]
        });
        assert!(!before, "{word} was shown");
    }
    stage.quit();
}

#[test]
fn dma_bufs_are_read_where_nothing_else_is_offered() {
    if lacks("dma_bufs_are_read_where_nothing_else_is_offered") {
        return;
    }
    // Memory that says it is a DMA-BUF: everything but its synchronization is as with one.
    let mut stage = Stage::start("dmabuf", (323, 200), "dma-buf");
    stage.first();
    stage.say("paint 102030");
    let frame = stage.frame("a picture of size 0", |frame| at(frame, 322, 199) == [0x30, 0x20, 0x10]);
    assert_eq!(at(&frame, 0, 0), [0xcf, 0xdf, 0xef]);
    drop(frame);
    if !std::path::Path::new("/dev/udmabuf").exists() {
        println!("SKIPPED a DMA-BUF of the kernel: /dev/udmabuf does not exist");
    }
    stage.quit();
}

#[test]
fn input_arrives_and_is_released_when_the_host_goes() {
    if lacks("input_arrives_and_is_released_when_the_host_goes") {
        return;
    }
    let mut stage = Stage::start("input", (800, 600), "");
    stage.first();
    stage.hear("start");
    stage.input(Input::Key { code: 30, down: true });
    stage.input(Input::Key { code: 30, down: true });
    stage.input(Input::Key { code: 30, down: false });
    stage.input(Input::PointerMotion { dx: 3.0, dy: -2.0 });
    stage.input(Input::PointerPosition { x: 0.5, y: 1.0 });
    stage.input(Input::PointerButton { code: 0x110, down: true });
    stage.input(Input::PointerButton { code: 0x110, down: false });
    stage.input(Input::Scroll { horizontal: 60, vertical: 120 });
    stage.input(Input::Text { character: 'A' });
    let finger = |phase, x| {
        Input::Touch(Touch { id: 4, phase, x, y: 0.25, pressure: None, contact: None, rotation: None })
    };
    stage.input(finger(Phase::Down, 0.25));
    stage.input(finger(Phase::Up, 0.25));
    let wanted = [
        "key 30 1",
        "frame 1",
        "key 30 0",
        "frame 1",
        "motion 3 -2",
        "frame 1",
        "place 400 599",
        "frame 1",
        "button 272 1",
        "frame 1",
        "button 272 0",
        "frame 1",
        "scroll 60 -120",
        "frame 1",
        "key 42 1",
        "frame 1",
        "key 30 1",
        "frame 1",
        "key 30 0",
        "frame 1",
        "key 42 0",
        "frame 1",
        "place 200 150",
        "frame 1",
        "button 272 1",
        "frame 1",
        "button 272 0",
        "frame 1",
    ];
    for line in wanted {
        assert_eq!(stage.next_line(), line);
    }
    stage.input(Input::Key { code: 29, down: true });
    stage.input(Input::PointerButton { code: 0x111, down: true });
    for line in ["key 29 1", "frame 1", "button 273 1", "frame 1"] {
        assert_eq!(stage.next_line(), line);
    }
    stage.say("still");
    stage.hear("still");
    stage.reconnect();
    for line in ["button 273 0", "frame 1", "key 29 0", "frame 1"] {
        assert_eq!(stage.next_line(), line);
    }
    // Nothing new is drawn, and yet the new host has a picture.
    stage.frame("the picture again", |frame| at(frame, 400, 200) == [0x30, 0x20, 0x10]);
    stage.quit();
}

#[test]
fn the_application_finds_the_displays_of_gamescope() {
    if lacks("the_application_finds_the_displays_of_gamescope") {
        return;
    }
    let mut stage = Stage::start("app", (320, 200), "");
    stage.first();
    let script = "echo $DISPLAY,$GAMESCOPE_WAYLAND_DISPLAY,$WAYLAND_DISPLAY,$LIBEI_SOCKET,$PIPEWIRE_REMOTE > $XDG_RUNTIME_DIR/said; exit 7";
    stage.launch(&["sh", "-c", script]);
    stage.event("its start", |event| matches!(event, Event::AppStarted { .. }));
    stage.event("its end", |event| matches!(event, Event::AppExited(Exit::Code(7))));
    let here = stage.directory.display().to_string();
    let said = std::fs::read_to_string(stage.directory.join("said")).unwrap();
    assert_eq!(said.trim(), format!(":97,gamescope-7,,{here}/gamescope-7-ei,{here}/pipewire-0"));
    stage.quit();
}

#[test]
fn another_mode_starts_it_again_but_not_under_an_application() {
    if lacks("another_mode_starts_it_again_but_not_under_an_application") {
        return;
    }
    let mut stage = Stage::start("mode", (320, 200), "");
    stage.first();
    let mode = |width, height, hertz| Mode { width, height, refresh_num: hertz, refresh_den: 1 };
    stage.link.send(&ToSeat::SetMode(mode(640, 400, 120))).unwrap();
    let frame = stage.frame("the new size", |frame| frame.width() == 640);
    assert_eq!(frame.height(), 400);
    drop(frame);
    stage.meet_stand_in();
    stage.hear("start");
    stage.input(Input::Key { code: 31, down: true });
    stage.hear("key 31 1");
    stage.launch(&["sleep", "600"]);
    stage.event("its start", |event| matches!(event, Event::AppStarted { .. }));
    stage.link.send(&ToSeat::SetMode(mode(640, 400, 60))).unwrap();
    stage.event(
        "a word about the rate",
        |event| matches!(event, Event::Error(text) if text.contains("120 Hz")),
    );
    stage.quit();
}

#[test]
fn another_size_is_asked_of_the_x_server_under_an_application() {
    const TEST: &str = "another_size_is_asked_of_the_x_server_under_an_application";
    if lacks(TEST) {
        return;
    }
    let Some((other, display)) = stage::x_server("x-server") else {
        println!("SKIPPED {TEST}: Xwayland is not installed");
        return;
    };
    let mut stage = Stage::start_at("atoms", (320, 200), "", &display);
    stage.first();
    stage.launch(&["sleep", "600"]);
    stage.event("its start", |event| matches!(event, Event::AppStarted { .. }));
    let mode = Mode { width: 640, height: 400, refresh_num: 60, refresh_den: 1 };
    stage.link.send(&ToSeat::SetMode(mode)).unwrap();
    let (server, screen) = wait_for("the X server", || RustConnection::connect(Some(&display)).ok());
    let root = server.setup().roots[screen].root;
    let name = b"GAMESCOPE_XWAYLAND_MODE_CONTROL";
    let asked = wait_for("the request", || {
        let atom = server.intern_atom(false, name).unwrap().reply().unwrap().atom;
        let value =
            server.get_property(false, root, atom, AtomEnum::CARDINAL, 0, 8).unwrap().reply().unwrap();
        value.value32().map(Iterator::collect::<Vec<u32>>).filter(|values| !values.is_empty())
    });
    assert_eq!(asked, [0, 640, 400, 1]);
    stage.quit();
    other.quit();
}

#[test]
fn one_that_runs_already_is_used_and_left_alone() {
    if lacks("one_that_runs_already_is_used_and_left_alone") {
        return;
    }
    let mut first = Stage::start("session", (320, 200), "");
    first.first();
    let mut stage = first.attached("attached");
    stage.painted([0x0c, 0x0b, 0x0a]);
    stage.input(Input::PointerPosition { x: 0.25, y: 0.5 });
    stage.hear("place 80 100");
    stage.quit();
    first.painted([0x0f, 0x0e, 0x0d]);
    first.quit();
}

#[test]
fn a_seat_says_why_there_is_no_gamescope() {
    if lacks("a_seat_says_why_there_is_no_gamescope") {
        return;
    }
    let (code, said) = Stage::fails("missing", None);
    assert!(code != Some(0) && said.contains("gamescope is not installed"), "{said}");
    let (code, said) = Stage::fails("early", Some("broken"));
    assert!(code != Some(0) && said.contains("no physical device was found"), "{said}");
}

#[test]
fn a_seat_ends_with_its_gamescope_and_says_so() {
    if lacks("a_seat_ends_with_its_gamescope_and_says_so") {
        return;
    }
    let mut stage = Stage::start("death", (320, 200), "");
    stage.first();
    stage.launch(&["sleep", "600"]);
    stage.event("its start", |event| matches!(event, Event::AppStarted { .. }));
    stage.say("die");
    stage.event("the reason", |event| matches!(event, Event::Error(text) if text.contains("told to die")));
    let status = wait_for("the seat to end", || stage.process.try_wait().unwrap());
    assert!(!status.success());
    let mark = stage.mark();
    wait_for("everything to end", || marked(&mark).is_empty().then_some(()));
}
