//! The screen becomes another while panels and windows of all kinds are on it: somebody
//! resumes on another device.

use punktfunk_seat_ipc::{Mode, ToSeat};
use smithay::reexports::x11rb;
use wayland_protocols_wlr::layer_shell::v1::client::zwlr_layer_shell_v1::{Layer, ZwlrLayerShellV1};
use wayland_protocols_wlr::layer_shell::v1::client::zwlr_layer_surface_v1::Anchor;
use x11rb::protocol::xproto::ConnectionExt as _;

use crate::stage::{display, lacks, pixel, save, start, wait_for};
use crate::wayland::Wayland;
use crate::xclient::X;

/// The height of a title bar.
const BAR: u16 = 30;
const GREEN: [u8; 3] = [0, 0xff, 0];
const GREY: [u8; 3] = [0x50, 0x50, 0x50];
const RED: [u8; 3] = [200, 10, 10];

#[test]
fn everything_is_right_on_another_screen() {
    if lacks("everything_is_right_on_another_screen", &["foot", "Xwayland"]) {
        return;
    }
    let mut seat = start("resized", (1280, 720), &[]);
    drop(seat.desktop());
    let x = X::connect(display(&seat).strip_prefix(':').unwrap().parse().unwrap());
    let mut client = Wayland::connect(&seat);
    let shell: ZwlrLayerShellV1 = client.bind();
    let strip = client.surface();
    let panel = shell.get_layer_surface(&strip, None, Layer::Top, String::new(), &client.queue.handle(), ());
    panel.set_anchor(Anchor::Top | Anchor::Left | Anchor::Right);
    panel.set_size(0, 40);
    panel.set_exclusive_zone(40);
    strip.commit();
    client.until("a panel", |line| line == "panel 1280 40");
    client.show(&strip, (1280, 40), 0x00_00_ff_00);
    drop(seat.frame("the panel", |frame| pixel(frame, 1270, 35) == GREEN));
    // One window as large as the panel leaves room, one of X11 the same, then on all of it.
    let window = client.window((300, 200), 0x00_50_50_50);
    window.toplevel.set_maximized();
    client.until("the room", |line| line == "toplevel 1280 680");
    client.show(&window.surface, (1280, 680), 0x00_50_50_50);
    let game = x.window((100, 100), (400, 300), RED, false);
    x.wait_for_focus(game);
    let add = |state: &str, other: &str| {
        x.ask(game, "_NET_WM_STATE", [1, x.atom(state), x.atom(other), 1, 0]);
    };
    add("_NET_WM_STATE_MAXIMIZED_HORZ", "_NET_WM_STATE_MAXIMIZED_VERT");
    let (top, rest) = (40 + BAR, 720 - 40 - BAR);
    wait_for("room below the panel", || {
        (x.place(game) == (0, i16::try_from(top).unwrap(), 1280, rest)).then_some(())
    });
    let frame = seat.frame("all of that", |frame| {
        pixel(frame, 5, 35) == GREEN && pixel(frame, 5, 75) == RED && pixel(frame, 1275, 715) == RED
    });
    save(&frame, "resized-before.png");
    drop(frame);
    add("_NET_WM_STATE_FULLSCREEN", "_NET_WM_STATE_FULLSCREEN");
    drop(seat.frame("the game alone", |frame| pixel(frame, 5, 35) == RED && pixel(frame, 640, 3) == RED));
    assert!(x.has_state(game, "_NET_WM_STATE_FULLSCREEN"));
    // Another screen, of an odd size.
    let mode = |width, height| ToSeat::SetMode(Mode { width, height, refresh_num: 60, refresh_den: 1 });
    seat.link.send(&mode(1001, 501)).unwrap();
    client.until("a panel as wide", |line| line == "panel 1001 40");
    wait_for("the game as large", || (x.place(game) == (0, 0, 1001, 501)).then_some(()));
    let root = x.connection.get_geometry(x.root).unwrap().reply().unwrap();
    assert_eq!((root.width, root.height), (1001, 501));
    client.show(&strip, (1001, 40), 0x00_00_ff_00);
    let all = |frame: &punktfunk_seat_ipc::host::Frame, colour| {
        let ends = [(0, 0), (1000, 0), (0, 500), (1000, 500), (500, 250)];
        frame.width() == 1001 && ends.iter().all(|(x, y)| pixel(frame, *x, *y) == colour)
    };
    drop(seat.frame("the game on all of it", |frame| all(frame, RED)));
    x.connection.destroy_window(game).unwrap().check().unwrap();
    // The other window was told, too.
    client.until("the new room", |line| line == "toplevel 1001 461");
    client.show(&window.surface, (1001, 461), 0x00_50_50_50);
    let frame = seat.frame("panel and window", |frame| {
        pixel(frame, 1000, 39) == GREEN && pixel(frame, 1000, 41) == GREY && pixel(frame, 5, 500) == GREY
    });
    save(&frame, "resized-after.png");
    drop(frame);
    // Back again; a window that is moved away by its client stays within reach.
    seat.link.send(&mode(1280, 720)).unwrap();
    client.until("the old room", |line| line == "toplevel 1280 680");
    let lost = x.unmapped((0, 0), (200, 100), RED, false);
    x.set_atoms(lost, "_NET_WM_WINDOW_TYPE", &["_NET_WM_WINDOW_TYPE_NORMAL"]);
    x.connection.map_window(lost).unwrap().check().unwrap();
    x.wait_for_focus(lost);
    let away = x11rb::protocol::xproto::ConfigureWindowAux::new().x(5_000).y(-4_000);
    x.connection.configure_window(lost, &away).unwrap().check().unwrap();
    wait_for("it to be within reach", || {
        (x.place(lost) == (1280 - 64, i16::try_from(top).unwrap(), 200, 100)).then_some(())
    });
    seat.quit();
}
