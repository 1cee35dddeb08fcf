//! Fingers.

use punktfunk_core::input::{Event as Input, Phase, Touch};
use punktfunk_seat_ipc::{AppKind, ToSeat};
use punktfunk_seat_stage::wait_for;

use crate::client::{Client, Wants};
use crate::seat::Seat;

const TOUCH: Wants =
    Wants { touch: true, pointer: true, tablet: false, text: false, shortcuts: false, size: (0, 0) };

#[test]
fn fingers_arrive_where_they_are_each_event_in_a_frame() {
    let seat = Seat::start("touch-exact", (640, 360), true);
    let mut client = Client::open(&seat, TOUCH);
    client.told(&seat);
    // Above the screen: nothing.
    seat.touch(7, Phase::Hover, 0.4, 0.4);
    seat.touch(7, Phase::Down, 0.5, 0.25);
    seat.touch(9, Phase::Down, 0.25, 0.5);
    seat.touch(7, Phase::Move, 0.75, 0.5);
    // Down while down is a movement, the same place again is nothing.
    seat.touch(7, Phase::Down, 1.5, 0.5);
    seat.touch(7, Phase::Move, 1.5, 0.5);
    seat.touch(9, Phase::Up, 0.25, 0.5);
    // Nobody knows this one.
    seat.touch(3, Phase::Move, 0.1, 0.1);
    seat.touch(3, Phase::Up, 0.1, 0.1);
    // The lowest free slot is taken again.
    seat.touch(11, Phase::Down, 0.0, 0.0);
    let full = Touch {
        id: 11,
        phase: Phase::Move,
        x: 0.125,
        y: 0.0,
        pressure: Some(0.5),
        contact: Some([0.1, 0.05]),
        rotation: Some(270),
    };
    seat.input(Input::Touch(full));
    seat.touch(11, Phase::Up, 0.25, 0.0);
    seat.touch(7, Phase::Up, 1.5, 0.5);
    seat.touch(7, Phase::HoverEnd, 0.5, 0.5);
    assert_eq!(
        client.told(&seat),
        [
            "touch down 0 320 90",
            "touch frame",
            "touch down 1 160 180",
            "touch frame",
            "touch motion 0 480 180",
            "touch frame",
            "touch motion 0 639 180",
            "touch frame",
            "touch up 1",
            "touch frame",
            "touch down 1 0 0",
            "touch frame",
            "touch motion 1 80 0",
            "touch shape 1 64 18",
            "touch orientation 1 -90",
            "touch frame",
            "touch motion 1 160 0",
            "touch frame",
            "touch up 1",
            "touch frame",
            "touch up 0",
            "touch frame",
        ]
    );
}

#[test]
fn what_is_cancelled_does_not_count() {
    let mut seat = Seat::start("touch-cancel", (640, 360), true);
    let mut client = Client::open(&seat, TOUCH);
    client.told(&seat);
    let edges = |events: Vec<String>| -> Vec<String> {
        events.into_iter().filter(|event| !event.contains("motion") && !event.contains("frame")).collect()
    };
    // One alone is cancelled; beside another it can only go up.
    seat.touch(1, Phase::Down, 0.5, 0.5);
    seat.touch(1, Phase::Cancel, 0.0, 0.0);
    seat.touch(1, Phase::Up, 0.5, 0.5);
    seat.touch(2, Phase::Down, 0.5, 0.5);
    seat.touch(3, Phase::Down, 0.5, 0.5);
    seat.touch(2, Phase::Cancel, 0.0, 0.0);
    seat.touch(3, Phase::Up, 0.5, 0.5);
    assert_eq!(
        edges(client.told(&seat)),
        [
            "touch down 0 320 180",
            "touch cancel",
            "touch down 0 320 180",
            "touch down 1 320 180",
            "touch up 0",
            "touch up 1"
        ]
    );
    // Sixteen fit, and all go at once.
    for id in 0..20 {
        seat.touch(id, Phase::Down, 0.5, 0.5);
    }
    seat.touch(0, Phase::CancelAll, 0.0, 0.0);
    seat.touch(1, Phase::Up, 0.5, 0.5);
    let told = edges(client.told(&seat));
    assert_eq!(told.len(), 17, "{told:?}");
    assert_eq!(told[15..], ["touch down 15 320 180", "touch cancel"]);
    // A client that goes lets go; so does a host.
    for last in 0..3 {
        seat.touch(4, Phase::Down, 0.5, 0.5);
        match last {
            0 => seat.input(Input::ReleaseAll),
            1 => seat.say(&ToSeat::SetViewer(false)),
            _ => {
                client.until("the finger", |log| log.events.len() >= 2);
                seat.hang_up();
                client.until("the end", |log| log.events.contains(&"touch cancel".to_owned()));
                return;
            }
        }
        assert_eq!(edges(client.told(&seat)), ["touch down 0 320 180", "touch cancel"]);
    }
}

#[test]
fn a_client_that_knows_no_touch_gets_the_pointer() {
    let seat = Seat::start("touch-pointer", (640, 360), true);
    let mut client = Client::open(&seat, Wants { touch: false, ..TOUCH });
    client.told(&seat);
    seat.touch(1, Phase::Down, 0.5, 0.5);
    // A second finger is not a second pointer.
    seat.touch(2, Phase::Down, 0.1, 0.1);
    seat.touch(2, Phase::Move, 0.2, 0.1);
    seat.touch(1, Phase::Move, 0.75, 0.5);
    seat.touch(2, Phase::Up, 0.2, 0.1);
    seat.touch(1, Phase::Up, 0.75, 0.5);
    seat.touch(1, Phase::Down, 0.25, 0.5);
    seat.input(Input::ReleaseAll);
    let mut told = client.told(&seat);
    told.dedup();
    assert_eq!(
        told,
        [
            "pointer enter 320 180",
            "button 0x110 down",
            "pointer motion 480 180",
            "button 0x110 up",
            "pointer motion 160 180",
            "button 0x110 down",
            "button 0x110 up",
        ]
    );
}

/// Where the window of this client begins, found with the pointer, which must be over it.
fn origin(seat: &Seat, client: &mut Client, (x, y): (f64, f64)) -> (f64, f64) {
    let place = |prefix: &str, events: &[String]| {
        let event = events.iter().rev().find(|event| event.starts_with(prefix))?;
        let mut numbers = event.split(' ').skip(2).map(|number| number.parse::<f64>().unwrap());
        Some((numbers.next()?, numbers.next()?))
    };
    seat.input(Input::PointerPosition { x: 0.0, y: 0.0 });
    seat.input(Input::PointerPosition { x: x / 1280.0, y: y / 720.0 });
    let told = client.told(seat);
    let (dx, dy) = place("pointer enter", &told).expect("the pointer is over the window");
    (x - dx, y - dy)
}

#[test]
fn our_own_title_bars_are_for_fingers_too() {
    let mut seat = Seat::start("touch-bars", (1280, 720), true);
    // A desktop without anything that could be started on it.
    seat.launch(AppKind::Desktop);
    let mut client = Client::open(&seat, Wants { size: (400, 300), ..TOUCH });
    let (x, y) = origin(&seat, &mut client, (640.0, 400.0));
    let tap = |phase, x: f64, y: f64| seat.touch(5, phase, x / 1280.0, y / 720.0);
    // The title bar is dragged.
    tap(Phase::Down, x + 100.0, y - 10.0);
    tap(Phase::Move, x + 150.0, y + 20.0);
    tap(Phase::Up, x + 160.0, y + 30.0);
    let told = client.told(&seat);
    assert!(!told.iter().any(|event| event.starts_with("touch")), "{told:?}");
    let moved = origin(&seat, &mut client, (700.0, 450.0));
    assert_eq!(moved, (x + 60.0, y + 40.0));
    let (x, y) = moved;
    // A client with a bar of its own asks for the same.
    client.log.move_on_touch = true;
    tap(Phase::Down, x + 10.0, y + 10.0);
    client.until("the end of the touch", |log| log.events.contains(&"touch cancel".to_owned()));
    client.log.move_on_touch = false;
    tap(Phase::Move, x - 20.0, y + 15.0);
    tap(Phase::Up, x - 30.0, y + 20.0);
    client.told(&seat);
    let moved = origin(&seat, &mut client, (700.0, 450.0));
    assert_eq!(moved, (x - 40.0, y + 10.0));
    // A press on the cross that is cancelled closes nothing; a tap does.
    let (x, y) = (moved.0 + 400.0 - 14.0, moved.1 - 14.0);
    tap(Phase::Down, x, y);
    tap(Phase::Cancel, x, y);
    assert!(!client.told(&seat).contains(&"close".to_owned()));
    tap(Phase::Down, x, y);
    tap(Phase::Up, x, y);
    assert!(client.told(&seat).contains(&"close".to_owned()));
    seat.hang_up();
}

#[test]
fn each_finger_keeps_to_its_own_window() {
    let mut seat = Seat::start("touch-two", (1280, 720), true);
    seat.launch(AppKind::Desktop);
    let mut below = Client::open(&seat, Wants { size: (600, 400), ..TOUCH });
    let first = origin(&seat, &mut below, (640.0, 360.0));
    let mut above = Client::open(&seat, Wants { size: (200, 150), ..TOUCH });
    let second = origin(&seat, &mut above, (660.0, 390.0));
    let at = |id, phase, (x, y): (f64, f64), dx: f64, dy: f64| {
        seat.touch(id, phase, (x + dx) / 1280.0, (y + dy) / 720.0);
    };
    at(1, Phase::Down, second, 20.0, 20.0);
    at(2, Phase::Down, first, 8.0, 16.0);
    // Over the other window it still is the first one's.
    at(2, Phase::Move, second, 20.0, 20.0);
    at(1, Phase::Move, second, 40.0, 24.0);
    at(1, Phase::Up, second, 40.0, 24.0);
    at(2, Phase::Cancel, first, 0.0, 0.0);
    below.until("the end", |log| log.events.contains(&"touch cancel".to_owned()));
    above.until("the end", |log| log.events.contains(&"touch up 0".to_owned()));
    let touches = |client: &Client| -> Vec<String> {
        let touches = client.log.events.iter().filter(|event| event.starts_with("touch"));
        touches.filter(|event| !event.contains("frame")).cloned().collect()
    };
    assert_eq!(touches(&above), ["touch down 0 20 20", "touch motion 0 40 24", "touch up 0"]);
    let (dx, dy) = (second.0 - first.0 + 20.0, second.1 - first.1 + 20.0);
    let there = format!("touch motion 1 {dx} {dy}");
    assert_eq!(touches(&below), ["touch down 1 8 16", &there, &there, "touch cancel"]);
    seat.hang_up();
}

#[test]
fn a_menu_is_for_fingers_too_and_a_tap_beside_it_closes_it() {
    let mut seat = Seat::start("touch-menu", (1280, 720), true);
    seat.launch(AppKind::Desktop);
    let mut client = Client::open(&seat, Wants { size: (600, 400), ..TOUCH });
    let (x, y) = origin(&seat, &mut client, (640.0, 400.0));
    let tap = |x: f64, y: f64| {
        seat.touch(5, Phase::Down, x / 1280.0, y / 720.0);
        seat.touch(5, Phase::Up, x / 1280.0, y / 720.0);
    };
    let menu = |client: &mut Client| {
        client.log.menu_on_touch = true;
        tap(x + 8.0, y + 8.0);
        client.until("the press", |log| !log.menu_on_touch);
        // It is at (20, 30): inside, a tap is the menu's own.
        wait_for("the menu", || {
            tap(x + 60.0, y + 62.0);
            client.told(&seat).contains(&"touch down 0 40 32".to_owned()).then_some(())
        });
    };
    menu(&mut client);
    // Beside both, on the backdrop.
    tap(4.0, 700.0);
    let told = client.told(&seat);
    assert!(told.contains(&"menu closed".to_owned()), "{told:?}");
    assert!(!told.iter().any(|event| event.starts_with("touch")), "{told:?}");
    // And the next tap is the window's.
    tap(x + 60.0, y + 62.0);
    let told = client.told(&seat);
    assert!(told.contains(&"touch down 0 60 62".to_owned()), "{told:?}");
    seat.hang_up();
}

#[test]
fn while_the_launcher_is_open_fingers_are_its_own() {
    let mut seat = Seat::start("touch-launcher", (1280, 720), true);
    seat.launch(AppKind::Desktop);
    let mut client = Client::open(&seat, Wants { size: (1000, 600), ..TOUCH });
    let (x, y) = origin(&seat, &mut client, (640.0, 400.0));
    let at = |phase, x: f64, y: f64| seat.touch(5, phase, x / 1280.0, y / 720.0);
    client.told(&seat);
    // A finger that is down when it opens goes on where it was.
    at(Phase::Down, x + 8.0, y + 8.0);
    seat.key(125);
    at(Phase::Up, x + 8.0, y + 8.0);
    client.until("the finger", |log| log.events.contains(&"touch up 0".to_owned()));
    // Beside its panel: closed, and nothing of it is the window's. The next one is.
    for place in [16.0, 32.0] {
        at(Phase::Down, x + place, y + place);
        at(Phase::Up, x + place, y + place);
    }
    let mut told = client.told(&seat);
    told.retain(|event| ["touch", "button"].iter().any(|kind| event.starts_with(kind)));
    told.retain(|event| event != "touch frame");
    assert_eq!(told, ["touch down 0 8 8", "touch up 0", "touch down 0 32 32", "touch up 0"]);
    seat.hang_up();
}
