//! Menus near the edges of the screen.

use wayland_protocols::xdg::shell::client::xdg_positioner::ConstraintAdjustment as Adjust;
use wayland_protocols_wlr::layer_shell::v1::client::zwlr_layer_shell_v1::{Layer, ZwlrLayerShellV1};
use wayland_protocols_wlr::layer_shell::v1::client::zwlr_layer_surface_v1::Anchor;

use crate::stage::{lacks, start};
use crate::wayland::Wayland;

#[test]
fn menus_stay_on_the_screen_as_they_ask() {
    let mut seat = start("menus", (640, 360), &[]);
    let mut client = Wayland::connect(&seat);
    // It fills the screen: places in it are places on the screen.
    let window = client.window((640, 360), 0x00_40_40_40);
    type Case = ((i32, i32, i32, i32), (i32, i32), Adjust, &'static str);
    let cases: [Case; 6] = [
        ((600, 340, 10, 10), (100, 50), Adjust::empty(), "popup 610 350 100 50"),
        ((630, 100, 1, 1), (100, 50), Adjust::FlipX, "popup 530 101 100 50"),
        ((100, 330, 10, 10), (100, 50), Adjust::FlipY | Adjust::SlideY, "popup 110 280 100 50"),
        ((600, 340, 10, 10), (100, 50), Adjust::SlideX | Adjust::SlideY, "popup 540 310 100 50"),
        ((0, 0, 1, 1), (400, 400), Adjust::ResizeY, "popup 1 1 400 359"),
        // Larger than the screen: its beginning is seen.
        ((300, 300, 1, 1), (700, 20), Adjust::SlideX | Adjust::ResizeX, "popup 0 301 640 20"),
    ];
    for (anchor, size, adjust, wanted) in cases {
        let positioner = client.positioner(anchor, size, adjust);
        let (surface, xdg, popup) = client.popup(Some(&window.xdg), &positioner);
        surface.commit();
        let line = client.until("a popup", |line| line.starts_with("popup"));
        assert_eq!(line, wanted, "{anchor:?} {size:?} {adjust:?}");
        popup.destroy();
        xdg.destroy();
        surface.destroy();
    }
    // A menu of a menu, and one that is put elsewhere.
    let slide = Adjust::SlideX | Adjust::SlideY;
    let positioner = client.positioner((600, 340, 10, 10), (100, 50), slide);
    positioner.set_reactive();
    let (surface, parent, popup) = client.popup(Some(&window.xdg), &positioner);
    surface.commit();
    client.until("a popup", |line| line == "popup 540 310 100 50");
    client.show(&surface, (100, 50), 0x00_ff_00_00);
    drop(seat.frame("the menu", |frame| crate::pixel(frame, 635, 355) == [0xff, 0, 0]));
    let beside = client.positioner((50, 0, 50, 50), (80, 20), Adjust::FlipX | Adjust::SlideY);
    let (child, _child_xdg, child_popup) = client.popup(Some(&parent), &beside);
    child.commit();
    client.until("a popup of a popup", |line| line == "popup -30 30 80 20");
    child_popup.destroy();
    let elsewhere = client.positioner((-20, 10, 5, 5), (100, 50), slide);
    popup.reposition(&elsewhere, 7);
    client.until("the answer", |line| line == "repositioned 7");
    client.until("the new place", |line| line == "popup 0 15 100 50");
    popup.reposition(&positioner, 8);
    client.until("the old place", |line| line == "popup 540 310 100 50");
    // The output becomes smaller, and a menu that follows comes along.
    let mode = punktfunk_seat_ipc::Mode { width: 500, height: 300, refresh_num: 60, refresh_den: 1 };
    seat.link.send(&punktfunk_seat_ipc::ToSeat::SetMode(mode)).unwrap();
    client.until("a place on the new screen", |line| line == "popup 400 250 100 50");
    seat.quit();
}

#[test]
fn menus_of_panels_stay_on_the_screen() {
    if lacks("menus_of_panels_stay_on_the_screen", &["foot"]) {
        return;
    }
    let mut seat = start("menu-panel", (640, 360), &[]);
    drop(seat.desktop());
    let mut client = Wayland::connect(&seat);
    let shell: ZwlrLayerShellV1 = client.bind();
    let surface = client.surface();
    let handle = client.queue.handle();
    let panel = shell.get_layer_surface(&surface, None, Layer::Top, "a test".to_owned(), &handle, ());
    panel.set_anchor(Anchor::Bottom | Anchor::Left | Anchor::Right);
    panel.set_size(0, 30);
    panel.set_exclusive_zone(30);
    surface.commit();
    client.until("a panel", |line| line == "panel 640 30");
    client.show(&surface, (640, 30), 0x00_00_ff_00);
    drop(seat.frame("the panel", |frame| crate::pixel(frame, 5, 340) == [0, 0xff, 0]));
    // From the right end of the panel at the bottom: it comes above it, and to the left.
    let adjust = Adjust::FlipY | Adjust::SlideX;
    let positioner = client.positioner((600, 0, 40, 30), (100, 60), adjust);
    let (menu, _xdg, popup) = client.popup(None, &positioner);
    panel.get_popup(&popup);
    menu.commit();
    client.until("a menu of the panel", |line| line == "popup 540 -60 100 60");
    client.show(&menu, (100, 60), 0x00_ff_00_00);
    drop(seat.frame("its menu", |frame| {
        crate::pixel(frame, 545, 275) == [0xff, 0, 0] && crate::pixel(frame, 635, 325) == [0xff, 0, 0]
    }));
    seat.quit();
}
