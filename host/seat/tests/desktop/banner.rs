//! A text of the owner: it is seen for some seconds, and nobody but the eye notices.

use std::time::{Duration, Instant};

use punktfunk_seat_ipc::ToSeat;

use crate::stage::{lacks, pixel, start};
use crate::wayland::Wayland;

#[test]
fn a_text_of_the_owner_is_seen_and_takes_nothing_away() {
    if lacks("a_text_of_the_owner_is_seen_and_takes_nothing_away", &["foot"]) {
        return;
    }
    let mut seat = start("banner", (640, 360), &[]);
    drop(seat.desktop());
    let mut client = Wayland::connect(&seat);
    let window = client.window((300, 200), 0x00_ff_00_00);
    window.toplevel.set_fullscreen(None);
    client.until("the whole screen", |line| line == "toplevel 640 360");
    client.show(&window.surface, (640, 360), 0x00_ff_00_00);
    let is_covered = |frame: &punktfunk_seat_ipc::host::Frame| pixel(frame, 320, 16)[0] < 0x80;
    drop(seat.frame("the game", |frame| pixel(frame, 3, 3) == [0xff, 0, 0] && !is_covered(frame)));
    seat.point(100, 100);
    client.until("the pointer", |line| line == "at 100 100" || line == "enter");
    client.log.lines.clear();

    let shown = Instant::now();
    seat.link.send(&ToSeat::Message("Dinner is ready".to_owned())).unwrap();
    drop(seat.frame("the text", |frame| is_covered(frame) && pixel(frame, 3, 3) == [0xff, 0, 0]));
    // The pointer goes to the game, also where the text is.
    seat.point(320, 20);
    client.until("the pointer", |line| line == "at 320 20");
    let lines = &client.log.lines;
    assert!(!lines.iter().any(|line| line == "leave" || line.starts_with("toplevel")), "{lines:?}");
    drop(seat.frame("the text to go", |frame| !is_covered(frame)));
    assert!(shown.elapsed() > Duration::from_secs(5), "{:?}", shown.elapsed());
}
