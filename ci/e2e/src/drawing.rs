//! An application of ours, to be streamed: it shows what fingers and a pen do and
//! writes down what it is told. This program is it when its first argument says so.
//!
//! It fills the screen with black. Where a finger comes down there is a red square,
//! where it goes a blue one, where a pen writes a green one, the larger the harder.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use wayland_client::globals::{GlobalListContents, registry_queue_init};
use wayland_client::protocol::{
    wl_buffer, wl_compositor, wl_registry, wl_seat, wl_shm, wl_shm_pool, wl_surface, wl_touch,
};
use wayland_client::{Connection, Dispatch, QueueHandle, WEnum, delegate_noop, event_created_child};
use wayland_protocols::wp::tablet::zv2::client::{
    zwp_tablet_manager_v2, zwp_tablet_pad_v2, zwp_tablet_seat_v2, zwp_tablet_tool_v2, zwp_tablet_v2,
};
use wayland_protocols::xdg::shell::client::{xdg_surface, xdg_toplevel, xdg_wm_base};

/// The first argument of this program when it shall be the application; the second
/// is the file to write to.
pub const WORD: &str = "draw";
/// Half the side of what a finger leaves, in pixels.
pub const HALF: i32 = 16;
/// Pressure for each pixel of half the side of what a pen leaves.
const HARDNESS: u32 = 2048;

const RED: u32 = 0xE0_20_20;
const GREEN: u32 = 0x20_C0_20;
const BLUE: u32 = 0x20_20_E0;

struct App {
    connection: Connection,
    file: File,
    compositor: wl_compositor::WlCompositor,
    shm: wl_shm::WlShm,
    surface: Option<wl_surface::WlSurface>,
    size: (i32, i32),
    pixels: Vec<u32>,
    stale: bool,
    ended: bool,
    pen: Pen,
}

/// The pen as of the event's frame.
#[derive(Default)]
struct Pen {
    place: (f64, f64),
    pressure: u32,
    down: bool,
}

/// Runs until its window is closed or the screen ends.
pub fn run(file: &Path) -> Result<()> {
    let connection = Connection::connect_to_env()?;
    let (globals, mut queue) = registry_queue_init::<App>(&connection)?;
    let handle = queue.handle();
    let seat: wl_seat::WlSeat = globals.bind(&handle, 5..=9, ())?;
    let tablets: zwp_tablet_manager_v2::ZwpTabletManagerV2 = globals.bind(&handle, 1..=1, ())?;
    let shell: xdg_wm_base::XdgWmBase = globals.bind(&handle, 1..=6, ())?;
    seat.get_touch(&handle, ());
    tablets.get_tablet_seat(&seat, &handle, ());
    let mut app = App {
        connection,
        file: File::create(file).with_context(|| file.display().to_string())?,
        compositor: globals.bind(&handle, 4..=6, ())?,
        shm: globals.bind(&handle, 1..=1, ())?,
        surface: None,
        size: (640, 360),
        pixels: Vec::new(),
        stale: false,
        ended: false,
        pen: Pen::default(),
    };
    let surface = app.compositor.create_surface(&handle, ());
    let toplevel = shell.get_xdg_surface(&surface, &handle, ()).get_toplevel(&handle, ());
    toplevel.set_fullscreen(None);
    surface.commit();
    app.surface = Some(surface);
    while !app.ended {
        queue.blocking_dispatch(&mut app)?;
        if std::mem::take(&mut app.stale) {
            app.show(&handle)?;
        }
    }
    Ok(())
}

impl App {
    fn say(&mut self, what: &str) {
        // The scenario notices what is missing.
        let _written = writeln!(self.file, "{what}");
    }

    fn square(&mut self, (x, y): (f64, f64), half: i32, colour: u32) {
        #[expect(clippy::cast_possible_truncation, reason = "a place on the screen")]
        let (x, y) = (x.round() as i32, y.round() as i32);
        let (w, h) = self.size;
        for row in (y - half).max(0)..(y + half).min(h) {
            for column in (x - half).max(0)..(x + half).min(w) {
                let place = usize::try_from(row * w + column).unwrap_or(usize::MAX);
                if let Some(pixel) = self.pixels.get_mut(place) {
                    *pixel = colour;
                }
            }
        }
        self.stale = true;
    }

    /// Shows everything, in memory of its own each time: what the screen may still
    /// read is not written to.
    fn show(&mut self, handle: &QueueHandle<Self>) -> Result<()> {
        let (w, h) = self.size;
        let bytes: Vec<u8> = self.pixels.iter().flat_map(|pixel| pixel.to_le_bytes()).collect();
        let file: File = rustix::fs::memfd_create("drawing", rustix::fs::MemfdFlags::CLOEXEC)?.into();
        file.write_all_at(&bytes, 0)?;
        let pool = self.shm.create_pool(file.as_fd(), i32::try_from(bytes.len())?, handle, ());
        let buffer = pool.create_buffer(0, w, h, w * 4, wl_shm::Format::Xrgb8888, handle, ());
        pool.destroy();
        let surface = self.surface.as_ref().context("no window")?;
        surface.attach(Some(&buffer), 0, 0);
        surface.damage_buffer(0, 0, w, h);
        surface.commit();
        // Said once the compositor has it: a finger that came before would touch nothing.
        self.connection.roundtrip()?;
        self.say(&format!("shown {w} {h}"));
        Ok(())
    }
}

delegate_noop!(App: wl_compositor::WlCompositor);
delegate_noop!(App: zwp_tablet_manager_v2::ZwpTabletManagerV2);
delegate_noop!(App: ignore zwp_tablet_v2::ZwpTabletV2);
delegate_noop!(App: ignore zwp_tablet_pad_v2::ZwpTabletPadV2);
delegate_noop!(App: wl_shm_pool::WlShmPool);
delegate_noop!(App: ignore wl_shm::WlShm);
delegate_noop!(App: ignore wl_surface::WlSurface);
delegate_noop!(App: ignore wl_seat::WlSeat);

impl Dispatch<wl_registry::WlRegistry, GlobalListContents> for App {
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

impl Dispatch<wl_buffer::WlBuffer, ()> for App {
    fn event(
        _: &mut Self,
        buffer: &wl_buffer::WlBuffer,
        _: wl_buffer::Event,
        _: &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        buffer.destroy();
    }
}

impl Dispatch<xdg_wm_base::XdgWmBase, ()> for App {
    fn event(
        _: &mut Self,
        shell: &xdg_wm_base::XdgWmBase,
        event: xdg_wm_base::Event,
        _: &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        if let xdg_wm_base::Event::Ping { serial } = event {
            shell.pong(serial);
        }
    }
}

impl Dispatch<xdg_surface::XdgSurface, ()> for App {
    fn event(
        app: &mut Self,
        surface: &xdg_surface::XdgSurface,
        event: xdg_surface::Event,
        _: &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        if let xdg_surface::Event::Configure { serial } = event {
            surface.ack_configure(serial);
            let count = usize::try_from(app.size.0 * app.size.1).unwrap_or(0);
            if app.pixels.len() != count {
                app.pixels = vec![0; count];
            }
            app.stale = true;
        }
    }
}

impl Dispatch<xdg_toplevel::XdgToplevel, ()> for App {
    fn event(
        app: &mut Self,
        _: &xdg_toplevel::XdgToplevel,
        event: xdg_toplevel::Event,
        _: &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        match event {
            xdg_toplevel::Event::Configure { width, height, .. } if width > 0 && height > 0 => {
                app.size = (width, height);
            }
            xdg_toplevel::Event::Close => app.ended = true,
            _ => {}
        }
    }
}

impl Dispatch<wl_touch::WlTouch, ()> for App {
    fn event(
        app: &mut Self,
        _: &wl_touch::WlTouch,
        event: wl_touch::Event,
        _: &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        match event {
            wl_touch::Event::Down { id, x, y, .. } => {
                app.square((x, y), HALF, RED);
                app.say(&format!("down {id} {x} {y}"));
            }
            wl_touch::Event::Motion { id, x, y, .. } => {
                app.square((x, y), HALF, BLUE);
                app.say(&format!("move {id} {x} {y}"));
            }
            wl_touch::Event::Up { id, .. } => app.say(&format!("up {id}")),
            wl_touch::Event::Cancel => app.say("cancel"),
            _ => {}
        }
    }
}

impl Dispatch<zwp_tablet_seat_v2::ZwpTabletSeatV2, ()> for App {
    fn event(
        _: &mut Self,
        _: &zwp_tablet_seat_v2::ZwpTabletSeatV2,
        _: zwp_tablet_seat_v2::Event,
        _: &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
    }

    event_created_child!(App, zwp_tablet_seat_v2::ZwpTabletSeatV2, [
        zwp_tablet_seat_v2::EVT_TABLET_ADDED_OPCODE => (zwp_tablet_v2::ZwpTabletV2, ()),
        zwp_tablet_seat_v2::EVT_TOOL_ADDED_OPCODE => (zwp_tablet_tool_v2::ZwpTabletToolV2, ()),
        zwp_tablet_seat_v2::EVT_PAD_ADDED_OPCODE => (zwp_tablet_pad_v2::ZwpTabletPadV2, ()),
    ]);
}

impl Dispatch<zwp_tablet_tool_v2::ZwpTabletToolV2, ()> for App {
    fn event(
        app: &mut Self,
        _: &zwp_tablet_tool_v2::ZwpTabletToolV2,
        event: zwp_tablet_tool_v2::Event,
        _: &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        use zwp_tablet_tool_v2::Event as E;
        match event {
            E::Type { tool_type: WEnum::Value(kind) } => app.say(&format!("tool {kind:?}")),
            E::ProximityIn { .. } => app.say("near"),
            E::ProximityOut => app.say("far"),
            E::Down { .. } => {
                app.pen.down = true;
                app.say("pen down");
            }
            E::Up => {
                app.pen.down = false;
                app.say("pen up");
            }
            E::Pressure { pressure } => {
                app.pen.pressure = pressure;
                app.say(&format!("pressure {pressure}"));
            }
            E::Tilt { tilt_x, tilt_y } => app.say(&format!("tilt {} {}", tilt_x.round(), tilt_y.round())),
            E::Button { button, state, .. } => {
                let down = state == WEnum::Value(zwp_tablet_tool_v2::ButtonState::Pressed);
                app.say(&format!("button {button:#x} {}", if down { "down" } else { "up" }));
            }
            E::Motion { x, y } => {
                app.pen.place = (x, y);
                app.say(&format!("pen {x} {y}"));
            }
            E::Frame { .. } if app.pen.down => {
                let half = i32::try_from(app.pen.pressure / HARDNESS).unwrap_or(HALF);
                app.square(app.pen.place, half, GREEN);
            }
            _ => {}
        }
    }
}
