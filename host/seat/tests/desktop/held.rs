//! Games that hold the pointer in place and read how it moves.

use punktfunk_core::input::Event as Input;
use wayland_protocols::wp::pointer_constraints::zv1::client::zwp_pointer_constraints_v1::{
    Lifetime, ZwpPointerConstraintsV1,
};
use wayland_protocols::wp::relative_pointer::zv1::client::zwp_relative_pointer_manager_v1::ZwpRelativePointerManagerV1;

use crate::stage::{key, lacks, start};
use crate::wayland::Wayland;

#[test]
fn a_held_pointer_tells_how_it_moves_and_is_let_go_for_others() {
    if lacks("a_held_pointer_tells_how_it_moves_and_is_let_go_for_others", &["foot"]) {
        return;
    }
    let mut seat = start("held", (640, 360), &[]);
    drop(seat.desktop());
    let mut client = Wayland::connect(&seat);
    let constraints: ZwpPointerConstraintsV1 = client.bind();
    let relative: ZwpRelativePointerManagerV1 = client.bind();
    let handle = client.queue.handle();
    let window = client.window((300, 200), 0x00_ff_00_00);
    window.toplevel.set_fullscreen(None);
    client.until("the whole screen", |line| line == "toplevel 640 360");
    client.show(&window.surface, (640, 360), 0x00_ff_00_00);
    drop(seat.frame("the game", |frame| crate::pixel(frame, 3, 3) == [0xff, 0, 0]));
    relative.get_relative_pointer(&client.pointer, &handle, ());
    let moved = |seat: &crate::stage::Seat, dx: f64, dy: f64| seat.input(Input::PointerMotion { dx, dy });
    seat.point(320, 180);
    client.until("the pointer", |line| line == "at 320 180" || line == "enter");
    let lock =
        constraints.lock_pointer(&window.surface, &client.pointer, None, Lifetime::Persistent, &handle, ());
    client.until("the lock", |line| line == "locked");
    client.log.lines.clear();
    moved(&seat, 10.0, -5.5);
    client.until("a motion", |line| line == "by 10 -5.5");
    // Also when the pointer is sent to a place: by how far that is from the last one.
    seat.point(340, 180);
    seat.point(350, 190);
    client.until("a motion", |line| line == "by 10 10");
    assert!(!client.log.lines.iter().any(|line| line.starts_with("at")), "{:?}", client.log.lines);
    // The launcher wants the pointer, and gives it back.
    seat.key(key::SUPER);
    client.until("it to be let go", |line| line == "unlocked");
    client.until("it to leave", |line| line == "leave");
    seat.key(key::ESCAPE);
    client.until("it to be held again", |line| line == "locked");
    // So does another window.
    seat.chord(key::ALT, key::TAB);
    client.until("it to be let go", |line| line == "unlocked");
    seat.chord(key::ALT, key::TAB);
    client.until("the keys", |line| line == "keys");
    // Without a motion, which would come by another way than what the client asks for next.
    client.until("it to be held again", |line| line == "locked");
    // Let go, it is where the client showed it.
    lock.set_cursor_position_hint(100.0, 50.0);
    window.surface.commit();
    lock.destroy();
    assert!(client.lives());
    client.log.lines.clear();
    moved(&seat, 2.0, 3.0);
    client.until("where it is", |line| line == "at 102 53");
    // A confined one stays in its region.
    let region = client.compositor.create_region(&handle, ());
    region.add(50, 50, 100, 100);
    let _confined = constraints.confine_pointer(
        &window.surface,
        &client.pointer,
        Some(&region),
        Lifetime::Persistent,
        &handle,
        (),
    );
    client.until("to be confined", |line| line == "confined");
    moved(&seat, 500.0, 10.0);
    client.until("a motion along the edge", |line| line == "at 102 63");
    moved(&seat, 40.0, 0.0);
    client.until("a motion inside", |line| line == "at 142 63");
    seat.quit();
}
