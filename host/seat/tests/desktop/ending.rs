//! A window that opens while the seat ends.

use std::os::unix::net::UnixStream;

use crate::stage::{start, wait_for};
use wayland_client::globals::{GlobalListContents, registry_queue_init};
use wayland_client::protocol::{wl_compositor, wl_registry, wl_surface};
use wayland_client::{Connection, Dispatch, QueueHandle, delegate_noop};
use wayland_protocols::xdg::shell::client::{xdg_surface, xdg_toplevel, xdg_wm_base};

/// Whether the window was asked to close.
#[derive(Default)]
struct Asked(bool);

impl Dispatch<wl_registry::WlRegistry, GlobalListContents> for Asked {
    fn event(
        _: &mut Self,
        _: &wl_registry::WlRegistry,
        _: wl_registry::Event,
        _: &GlobalListContents,
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
    }
}

impl Dispatch<xdg_toplevel::XdgToplevel, ()> for Asked {
    fn event(
        asked: &mut Self,
        _: &xdg_toplevel::XdgToplevel,
        event: xdg_toplevel::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        asked.0 |= matches!(event, xdg_toplevel::Event::Close);
    }
}

delegate_noop!(Asked: ignore wl_compositor::WlCompositor);
delegate_noop!(Asked: ignore wl_surface::WlSurface);
delegate_noop!(Asked: ignore xdg_wm_base::XdgWmBase);
delegate_noop!(Asked: ignore xdg_surface::XdgSurface);

#[test]
fn a_window_that_opens_while_the_seat_ends_is_asked_to_close() {
    let seat = start("ending", (640, 360), &[]);
    seat.launch(&["sleep", "1000"]);
    wait_for("the application", || (!seat.named("sleep").is_empty()).then_some(()));
    let stream = UnixStream::connect(seat.directory.join("wayland-1")).unwrap();
    let connection = Connection::from_socket(stream).unwrap();
    let (globals, mut queue) = registry_queue_init::<Asked>(&connection).unwrap();
    let handle = queue.handle();
    let compositor: wl_compositor::WlCompositor = globals.bind(&handle, 4..=6, ()).unwrap();
    let shell: xdg_wm_base::XdgWmBase = globals.bind(&handle, 1..=6, ()).unwrap();

    seat.tell_to_quit();
    let surface = compositor.create_surface(&handle, ());
    let role = shell.get_xdg_surface(&surface, &handle, ());
    let _window = role.get_toplevel(&handle, ());
    surface.commit();
    let mut asked = Asked::default();
    while !asked.0 {
        queue.blocking_dispatch(&mut asked).expect("the seat ended without a word to the window");
    }
    drop((queue, connection, globals));
    seat.quit();
}
