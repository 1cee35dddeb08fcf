//! The real program with a real terminal on it.

use std::process::Command;
use std::time::Duration;

use punktfunk_core::input::Event as Input;
use punktfunk_seat_ipc::host::{Event, Frame, SeatLink};
use punktfunk_seat_ipc::{App, AppKind, Exit, Mode, ToSeat};
use punktfunk_seat_stage::{
    LEFT, RIGHT, Seat, WAIT, command, directory, lacks, marked, pixel, save, wait_for,
};

fn start(name: &str, size: (u32, u32)) -> Seat {
    let directory = directory(name);
    let mut command = command(env!("CARGO_BIN_EXE_punktfunk-seat"), &directory, size);
    command.args(if name == "card" { &[][..] } else { &["--no-sound"] }).args(["--refresh", "60"]);
    let seat = Seat::start(&mut command, directory, size);
    assert!(!seat.ready.wayland_display.is_empty(), "{:?}", seat.ready);
    seat
}

/// Where a terminal is on a desktop of 1280x720, all is of one colour: not the backdrop any more.
fn is_flat(frame: &Frame) -> bool {
    let corner = pixel(frame, 300, 580);
    [(900, 580), (300, 400), (900, 400)].iter().all(|(x, y)| pixel(frame, *x, *y) == corner)
}

/// Has it quit; that something of it runs until then shows that what is left would be found.
fn quit(seat: Seat) {
    assert!(!marked(&seat.mark()).is_empty(), "something of the seat runs");
    seat.quit();
}

#[test]
fn a_terminal_fills_an_odd_output_and_takes_what_is_typed() {
    if lacks("a_terminal_fills_an_odd_output_and_takes_what_is_typed", &["foot"]) {
        return;
    }
    let mut seat = start("kiosk", (853, 479));
    seat.launch(&["foot", "-c", "/dev/null", "-o", "colors.background=204060", "sh"]);
    let background = |frame: &Frame| pixel(frame, 852, 478) == [0x20, 0x40, 0x60];
    let frame = seat.frame("the terminal on the whole output", background);
    assert_eq!((frame.width(), frame.height(), frame.stride()), (853, 479, 3456));
    drop(frame);
    // Keys by their codes, then text: both arrive.
    for code in [18, 46, 35, 24, 57] {
        seat.key(code);
    }
    seat.text(&format!("Hello_{{1}} > '{}'\n", seat.file("typed").display()));
    assert_eq!(seat.line("typed"), "Hello_{1}\n");
    seat.input(Input::PointerPosition { x: 0.5, y: 0.5 });
    let frame = seat.settled();
    save(&frame, "kiosk.png");
    drop(frame);
    quit(seat);
}

#[test]
fn the_end_of_an_application_is_reported() {
    if lacks("the_end_of_an_application_is_reported", &["foot"]) {
        return;
    }
    let mut seat = start("exit", (640, 360));
    seat.launch(&["sh", "-c", "exit 7"]);
    let exited = |seat: &mut Seat| {
        wait_for("the exit", || match seat.link.next_event(Duration::from_millis(50)).unwrap() {
            Some(Event::AppExited(exit)) => Some(exit),
            _ => None,
        })
    };
    assert_eq!(exited(&mut seat), Exit::Code(7));
    // An application has ended when the last of its processes has.
    let file = seat.file("last");
    seat.launch(&["sh", "-c", &format!("(setsid sh -c 'sleep 1; echo > {}') & exit 0", file.display())]);
    assert_eq!(exited(&mut seat), Exit::Code(0));
    assert!(file.exists());
    seat.launch(&["/nonexistent/program"]);
    let text = wait_for("the error", || match seat.link.next_event(Duration::from_millis(50)).unwrap() {
        Some(Event::Error(text)) => Some(text),
        _ => None,
    });
    assert!(text.contains("/nonexistent/program"), "{text}");
    quit(seat);
}

#[test]
fn a_desktop_opens_terminals_and_a_host_finds_it_again() {
    if lacks("a_desktop_opens_terminals_and_a_host_finds_it_again", &["foot"]) {
        return;
    }
    let mut seat = start("desktop", (1280, 720));
    let first = seat.desktop();
    save(&first, "desktop-one.png");
    drop(first);
    seat.input(Input::PointerPosition { x: 0.6, y: 0.4 });
    // Super + Return opens another.
    seat.chord(125, 28);
    let second = seat.settled();
    save(&second, "desktop-two.png");
    drop(second);
    assert_eq!(seat.named("foot").len(), 2);
    // The host goes and comes back; the mode changes to the next client's.
    drop(std::mem::replace(&mut seat.link, SeatLink::connect(&seat.directory).unwrap()));
    let mode = Mode { width: 1001, height: 601, refresh_num: 60_000, refresh_den: 1001 };
    assert!(matches!(seat.link.next_event(WAIT).unwrap(), Some(Event::Ready(_))));
    seat.link.send(&ToSeat::SetMode(mode)).unwrap();
    let frame = seat.frame("a frame of the new size", |frame| frame.width() == 1001 && frame.height() == 601);
    assert!(frame.full());
    drop(frame);
    // Alt + F4 twice: both go, the backdrop stays.
    for _ in 0..2 {
        seat.chord(56, 62);
        save(&seat.settled(), "desktop-closing.png");
    }
    wait_for("the terminals to close", || seat.named("foot").is_empty().then_some(()));
    quit(seat);
}

#[test]
fn nothing_is_left_when_a_seat_is_killed() {
    let mut seat = start("killed", (320, 200));
    seat.launch(&["sh", "-c", "setsid sleep 1000 & sleep 1000"]);
    let sleeps = wait_for("the processes", || Some(seat.named("sleep")).filter(|found| found.len() == 2));
    for process in sleeps {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        assert!(status.contains("SigBlk:\t0000000000000000"), "a signal is blocked: {status}");
    }
    seat.process.kill().unwrap();
    seat.process.wait().unwrap();
    seat.wait_until_all_is_gone();
}

#[test]
fn the_damage_of_each_frame_covers_what_changed() {
    if lacks("the_damage_of_each_frame_covers_what_changed", &["foot"]) {
        return;
    }
    let mut seat = start("damage", (700, 401));
    seat.launch(&[]);
    let mut shown = vec![0u8; 0];
    let mut partial = 0;
    for step in 0..40u16 {
        // Typing, moving the pointer, opening and switching windows.
        match step % 5 {
            0 | 1 => seat.text("abc\n"),
            2 => seat.input(Input::PointerPosition { x: f64::from(step) / 40.0, y: 0.5 }),
            3 if step < 20 => seat.chord(125, 28),
            _ => seat.chord(56, 15),
        }
        let Some(Event::Frame(frame)) = seat.link.next_event(Duration::from_millis(150)).unwrap() else {
            continue;
        };
        let stride = frame.stride();
        if shown.is_empty() {
            assert!(frame.full());
            shown = frame.bytes().to_vec();
        }
        partial += u32::from(!frame.full());
        for rect in frame.damage() {
            for y in rect.y..rect.y + rect.height {
                let row = y as usize * stride;
                let range = row + rect.x as usize * 4..row + (rect.x + rect.width) as usize * 4;
                shown[range.clone()].copy_from_slice(&frame.bytes()[range]);
            }
        }
        for y in 0..frame.height() as usize {
            let row = y * stride..y * stride + frame.width() as usize * 4;
            let differs = shown[row.clone()].iter().zip(&frame.bytes()[row]).enumerate();
            let differs = differs.filter(|(at, (a, b))| at % 4 != 3 && a != b).count();
            assert_eq!(differs, 0, "row {y} changed outside of the damage, step {step}");
        }
    }
    assert!(partial > 5, "only {partial} frames were partial");
    quit(seat);
}

#[test]
fn the_test_card_is_shown() {
    let mut seat = start("card", (641, 361));
    let app = App { kind: AppKind::TestCard, name: "Test card".to_owned(), env: vec![], cwd: None };
    seat.link.send(&ToSeat::Launch(app)).unwrap();
    let mut distinct = Vec::new();
    let frame = seat.frame("moving pictures", |frame| {
        let first =
            frame.bytes().iter().fold(0u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
        if !distinct.contains(&first) {
            distinct.push(first);
        }
        distinct.len() > 20
    });
    save(&frame, "card.png");
    drop(frame);
    quit(seat);
}

#[test]
fn a_busy_client_gets_the_rate_of_the_output() {
    let test = "a_busy_client_gets_the_rate_of_the_output";
    if lacks(test, &["weston-simple-shm"]) {
        return;
    }
    let mut seat = start("rate", (640, 360));
    seat.launch(&["weston-simple-shm"]);
    let mut last: Option<(u64, u64)> = None;
    let mut steps = Vec::new();
    while steps.len() < 60 {
        let frame = seat.frame("a frame", |_| true);
        if let Some((sequence, at)) = last {
            let frames = frame.sequence() - sequence;
            steps.push((frame.timestamp_us() - at) as f64 / frames as f64);
        }
        last = Some((frame.sequence(), frame.timestamp_us()));
    }
    steps.sort_by(f64::total_cmp);
    // The median of what the clock of the seat says, not of when this test ran.
    let median = steps[steps.len() / 2];
    assert!((16_000.0..17_400.0).contains(&median), "{median} µs from frame to frame");
    quit(seat);
}

#[test]
fn a_window_is_moved_by_its_title_bar() {
    if lacks("a_window_is_moved_by_its_title_bar", &["foot"]) {
        return;
    }
    let mut seat = start("move", (1280, 720));
    let inside = pixel(&seat.desktop(), 300, 200);
    seat.input(Input::PointerPosition { x: 0.5, y: 0.185 });
    seat.button(LEFT, true);
    seat.input(Input::PointerPosition { x: 0.7, y: 0.3 });
    seat.button(LEFT, false);
    let frame = seat.settled();
    save(&frame, "moved.png");
    // 256 pixels to the right and 82 down.
    assert_ne!(pixel(&frame, 300, 200), inside);
    assert_eq!(pixel(&frame, 556, 282), inside);
    drop(frame);
    quit(seat);
}

/// Types until a shell does what is typed: what comes while one starts may be lost.
fn shell_answers(seat: &Seat) {
    let file = seat.file("answer");
    let mut asked = 0u32;
    wait_for("a shell", || {
        if asked.is_multiple_of(50) {
            seat.text(&format!(": > {}\n", file.display()));
        }
        asked += 1;
        file.exists().then_some(())
    });
}

/// Waits until what is typed reaches a shell, which must be the one in foot.
fn types_into_foot(seat: &Seat, name: &str) {
    seat.text(&format!("echo $TERM > {}\n", seat.file(name).display()));
    assert_eq!(seat.line(name), "foot\n", "{name}");
}

/// One press ends a menu and does what it does without one.
#[test]
fn a_press_beside_a_menu_is_not_lost() {
    let test = "a_press_beside_a_menu_is_not_lost";
    if lacks(test, &["foot", "weston-terminal"]) {
        return;
    }
    const BLACK: [u8; 3] = [0, 0, 0];
    let mut seat = start("menus", (1280, 720));
    seat.launch(&[]);
    let foot = pixel(&seat.frame("the first terminal", is_flat), 300, 580);
    shell_answers(&seat);
    seat.text("weston-terminal &\n");
    drop(seat.frame("a second terminal in front", |frame| pixel(frame, 640, 500) == BLACK));
    let open_menu = |seat: &mut Seat| {
        seat.point(900, 400);
        seat.click(RIGHT);
        let frame = seat.frame("the menu", |frame| pixel(frame, 980, 450) != BLACK);
        save(&frame, "menu.png");
    };
    let raise_second = |seat: &mut Seat| {
        seat.point(900, 580);
        seat.click(LEFT);
        drop(seat.frame("the second in front", |frame| pixel(frame, 640, 470) == BLACK));
    };
    // The client closes its menu itself, then the title bar of another is dragged.
    open_menu(&mut seat);
    seat.key(1);
    seat.point(700, 580);
    seat.click(LEFT);
    drop(seat.frame("no menu", |frame| pixel(frame, 980, 450) == BLACK));
    seat.point(640, 135);
    seat.button(LEFT, true);
    seat.point(440, 35);
    seat.button(LEFT, false);
    let moved = |frame: &Frame| pixel(frame, 640, 470) == foot && pixel(frame, 300, 580) != foot;
    save(&seat.frame("foot moved, in front", moved), "menu-closed.png");
    types_into_foot(&seat, "after-close");
    // The menu is open when the title bar is pressed.
    raise_second(&mut seat);
    open_menu(&mut seat);
    seat.point(440, 35);
    seat.button(LEFT, true);
    seat.point(440, 135);
    seat.button(LEFT, false);
    let raised = |frame: &Frame| pixel(frame, 640, 470) == foot && pixel(frame, 980, 450) == BLACK;
    let moved = |frame: &Frame| raised(frame) && pixel(frame, 100, 580) == foot;
    save(&seat.frame("foot moved, in front, no menu", moved), "menu-bar.png");
    types_into_foot(&seat, "after-bar");
    // The other window itself is pressed.
    raise_second(&mut seat);
    open_menu(&mut seat);
    seat.point(100, 400);
    seat.click(LEFT);
    save(&seat.frame("foot in front, no menu", raised), "menu-window.png");
    types_into_foot(&seat, "after-press");
    // A shortcut goes past the menu as well.
    raise_second(&mut seat);
    open_menu(&mut seat);
    seat.chord(56, 15);
    save(&seat.frame("foot in front, no menu", raised), "menu-switch.png");
    types_into_foot(&seat, "after-switch");
    // The client dies with its menu open.
    raise_second(&mut seat);
    open_menu(&mut seat);
    let second = seat.named("weston-terminal");
    let [second] = second.as_slice() else { panic!("one second terminal: {second:?}") };
    assert!(Command::new("sh").args(["-c", "kill -9 $0", &second.to_string()]).status().unwrap().success());
    drop(seat.frame("foot alone", |frame| pixel(frame, 640, 470) == foot && pixel(frame, 980, 450) != BLACK));
    types_into_foot(&seat, "after-death");
    quit(seat);
}
