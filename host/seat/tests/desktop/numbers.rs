//! Clients that say numbers nobody should count with, and take away what others stand on.

use std::fs::File;
use std::os::fd::AsFd as _;

use wayland_client::protocol::wl_shm::{Format, WlShm};
use wayland_client::protocol::wl_subcompositor::WlSubcompositor;
use wayland_protocols::wp::viewporter::client::wp_viewporter::WpViewporter;
use wayland_protocols::xdg::shell::client::xdg_positioner::ConstraintAdjustment as Adjust;
use wayland_protocols_wlr::layer_shell::v1::client::zwlr_layer_shell_v1::{Layer, ZwlrLayerShellV1};
use wayland_protocols_wlr::layer_shell::v1::client::zwlr_layer_surface_v1::Anchor;

use crate::stage::{LEFT, Seat, lacks, start};
use crate::wayland::{Toplevel, Wayland};

const MOST: i32 = i32::MAX;
const LEAST: i32 = i32::MIN;

type Abuse = (&'static str, fn(&mut Wayland, &Toplevel));

const ABUSES: [Abuse; 12] = [
    ("a menu far away", |client, window| {
        for (anchor, offset) in [((MOST, MOST, MOST, MOST), MOST), ((LEAST, LEAST, MOST, MOST), LEAST)] {
            let positioner = client.positioner(anchor, (MOST, MOST), Adjust::all());
            positioner.set_offset(offset, offset);
            let (surface, ..) = client.popup(Some(&window.xdg), &positioner);
            surface.commit();
            client.show(&surface, (4, 4), 0x00_ff_00_00);
        }
    }),
    ("menus of menus", |client, window| {
        let mut parent = window.xdg.clone();
        for _ in 0..40 {
            let positioner = client.positioner((MOST, MOST, MOST, MOST), (MOST, MOST), Adjust::empty());
            let (surface, xdg, _) = client.popup(Some(&parent), &positioner);
            surface.commit();
            client.lives();
            client.show(&surface, (4, 4), 0x00_ff_00_00);
            parent = xdg;
        }
    }),
    ("a geometry without end", |client, window| {
        window.xdg.set_window_geometry(LEAST, LEAST, MOST, MOST);
        client.show(&window.surface, (300, 200), 0x00_ff_00_00);
        window.xdg.set_window_geometry(MOST, MOST, MOST, MOST);
        client.show(&window.surface, (300, 200), 0x00_ff_00_00);
        window.toplevel.set_maximized();
        window.toplevel.set_fullscreen(None);
    }),
    ("subsurfaces far away", |client, window| {
        let subcompositor: WlSubcompositor = client.bind();
        let handle = client.queue.handle();
        let mut parent = window.surface.clone();
        for place in [MOST, LEAST].into_iter().cycle().take(40).chain([MOST; 40]) {
            let surface = client.surface();
            let sub = subcompositor.get_subsurface(&surface, &parent, &handle, ());
            sub.set_desync();
            sub.set_position(place, place);
            client.show(&surface, (4, 4), 0x00_00_ff_00);
            parent.commit();
            parent = surface;
        }
    }),
    ("a parent goes first", |client, window| {
        let subcompositor: WlSubcompositor = client.bind();
        let handle = client.queue.handle();
        let (parent, child) = (client.surface(), client.surface());
        let _sub = subcompositor.get_subsurface(&parent, &window.surface, &handle, ());
        let sub = subcompositor.get_subsurface(&child, &parent, &handle, ());
        client.show(&child, (4, 4), 0x00_00_ff_00);
        parent.destroy();
        sub.set_position(MOST, MOST);
        client.show(&child, (4, 4), 0x00_00_ff_00);
        window.surface.commit();
    }),
    ("a window goes before its menu", |client, window| {
        let positioner = client.positioner((0, 0, 1, 1), (50, 50), Adjust::all());
        let (surface, _xdg, popup) = client.popup(Some(&window.xdg), &positioner);
        surface.commit();
        client.lives();
        client.show(&surface, (50, 50), 0x00_ff_00_00);
        window.toplevel.destroy();
        window.xdg.destroy();
        window.surface.destroy();
        popup.reposition(&positioner, 1);
        surface.commit();
    }),
    ("damage and regions without end", |client, window| {
        let region = client.compositor.create_region(&client.queue.handle(), ());
        region.add(LEAST, LEAST, MOST, MOST);
        region.add(MOST, MOST, MOST, MOST);
        region.subtract(1, 1, LEAST, LEAST);
        window.surface.set_input_region(Some(&region));
        window.surface.set_opaque_region(Some(&region));
        window.surface.set_buffer_scale(64);
        for (at, size) in [(LEAST, MOST), (MOST, MOST), (LEAST, LEAST), (0, MOST)] {
            window.surface.damage(at, at, size, size);
            window.surface.damage_buffer(at, at, size, size);
            window.surface.offset(at, at);
            window.surface.commit();
        }
        client.show(&window.surface, (320, 256), 0x00_ff_00_00);
    }),
    ("a scale without end", |client, window| {
        window.surface.set_buffer_scale(MOST);
        client.show(&window.surface, (300, 200), 0x00_ff_00_00);
    }),
    ("a view without end", |client, window| {
        let viewporter: WpViewporter = client.bind();
        let view = viewporter.get_viewport(&window.surface, &client.queue.handle(), ());
        view.set_destination(MOST, MOST);
        client.show(&window.surface, (300, 200), 0x00_ff_00_00);
        view.set_source(0.0, 0.0, 8_388_607.0, 8_388_607.0);
        window.surface.commit();
    }),
    ("a panel of everything", |client, _| {
        let shell: ZwlrLayerShellV1 = client.bind();
        let handle = client.queue.handle();
        for (margin, zone) in [(MOST, MOST), (LEAST, LEAST), (LEAST, MOST)] {
            let surface = client.surface();
            let panel = shell.get_layer_surface(&surface, None, Layer::Top, String::new(), &handle, ());
            panel.set_anchor(Anchor::Top | Anchor::Left);
            panel.set_size(u32::MAX, u32::MAX);
            panel.set_margin(margin, margin, margin, margin);
            panel.set_exclusive_zone(zone);
            surface.commit();
            client.lives();
            client.show(&surface, (64, 64), 0x00_00_00_ff);
        }
    }),
    ("a pointer that is elsewhere", |client, window| {
        let surface = client.surface();
        client.show(&surface, (16, 16), 0x00_00_00_ff);
        for serial in 0..64 {
            client.pointer.set_cursor(serial, Some(&surface), LEAST, MOST);
        }
        window.surface.commit();
    }),
    ("memory that is not there", |client, window| {
        let file: File = rustix::fs::memfd_create("a test", rustix::fs::MemfdFlags::CLOEXEC).unwrap().into();
        file.set_len(300 * 200 * 4).unwrap();
        let shm: WlShm = client.bind();
        let handle = client.queue.handle();
        let pool = shm.create_pool(file.as_fd(), 300 * 200 * 4, &handle, ());
        let buffer = pool.create_buffer(0, 300, 200, 1200, Format::Xrgb8888, &handle, ());
        window.surface.attach(Some(&buffer), 0, 0);
        window.surface.damage(0, 0, MOST, MOST);
        file.set_len(0).unwrap();
        window.surface.commit();
        pool.resize(300 * 200 * 8);
        pool.destroy();
        client.lives();
        // Gone while it is shown.
        buffer.destroy();
        window.surface.damage(0, 0, MOST, MOST);
        window.surface.commit();
    }),
];

fn answers(seat: &mut Seat, good: &mut Wayland, what: &str) {
    assert!(seat.process.try_wait().unwrap().is_none(), "{what} ended the seat");
    assert!(good.lives(), "{what}: the seat does not answer");
}

#[test]
fn no_numbers_of_a_client_end_a_seat() {
    if lacks("no_numbers_of_a_client_end_a_seat", &["foot"]) {
        return;
    }
    let mut seat = start("numbers", (640, 360), &[]);
    drop(seat.desktop());
    let mut good = Wayland::connect(&seat);
    for (what, abuse) in ABUSES {
        let mut client = Wayland::connect(&seat);
        let window = client.window((300, 200), 0x00_40_40_40);
        seat.point(330, 190);
        abuse(&mut client, &window);
        // Whether it is still welcome or not; it is drawn, and pointed at, meanwhile.
        client.lives();
        for (x, y) in [(320, 180), (1, 1), (639, 359), (330, 200)] {
            seat.point(x, y);
            seat.click(LEFT);
        }
        client.lives();
        answers(&mut seat, &mut good, what);
        drop(client);
        answers(&mut seat, &mut good, what);
        drop(seat.frame("the next picture", |_| true));
    }
    seat.quit();
}
