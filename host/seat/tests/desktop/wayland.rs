//! A client of Wayland that makes whatever a test asks for and writes down the answers.

use std::fs::File;
use std::os::fd::AsFd as _;
use std::os::unix::fs::FileExt as _;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use wayland_client::globals::{GlobalList, GlobalListContents, registry_queue_init};
use wayland_client::protocol::{
    wl_buffer, wl_callback, wl_compositor, wl_keyboard, wl_pointer, wl_region, wl_registry, wl_seat, wl_shm,
    wl_shm_pool, wl_subcompositor, wl_subsurface, wl_surface,
};
use wayland_client::{Connection, Dispatch, EventQueue, Proxy, QueueHandle, delegate_noop};
use wayland_protocols::wp::pointer_constraints::zv1::client::{
    zwp_confined_pointer_v1, zwp_locked_pointer_v1, zwp_pointer_constraints_v1,
};
use wayland_protocols::wp::relative_pointer::zv1::client::{
    zwp_relative_pointer_manager_v1, zwp_relative_pointer_v1,
};
use wayland_protocols::wp::viewporter::client::{wp_viewport, wp_viewporter};
use wayland_protocols::xdg::shell::client::{
    xdg_popup, xdg_positioner, xdg_surface, xdg_toplevel, xdg_wm_base,
};
use wayland_protocols_wlr::layer_shell::v1::client::{zwlr_layer_shell_v1, zwlr_layer_surface_v1};

use crate::stage::{Seat, WAIT};

/// What the client was told, as lines.
#[derive(Default)]
pub struct Log {
    pub lines: Vec<String>,
}

/// The client.
pub struct Wayland {
    pub queue: EventQueue<Log>,
    pub log: Log,
    globals: GlobalList,
    pub compositor: wl_compositor::WlCompositor,
    shm: wl_shm::WlShm,
    pub shell: xdg_wm_base::XdgWmBase,
    pub pointer: wl_pointer::WlPointer,
}

/// A window.
pub struct Toplevel {
    pub surface: wl_surface::WlSurface,
    pub xdg: xdg_surface::XdgSurface,
    pub toplevel: xdg_toplevel::XdgToplevel,
}

impl Wayland {
    pub fn connect(seat: &Seat) -> Self {
        let stream = UnixStream::connect(seat.directory.join("wayland-1")).unwrap();
        let connection = Connection::from_socket(stream).unwrap();
        let (globals, queue) = registry_queue_init::<Log>(&connection).unwrap();
        let handle = queue.handle();
        let wl_seat: wl_seat::WlSeat = globals.bind(&handle, 5..=9, ()).unwrap();
        wl_seat.get_keyboard(&handle, ());
        Self {
            compositor: globals.bind(&handle, 6..=6, ()).unwrap(),
            shm: globals.bind(&handle, 1..=1, ()).unwrap(),
            shell: globals.bind(&handle, 3..=6, ()).unwrap(),
            pointer: wl_seat.get_pointer(&handle, ()),
            log: Log::default(),
            queue,
            globals,
        }
    }

    pub fn bind<I: Proxy + 'static>(&self) -> I
    where
        Log: Dispatch<I, ()>,
    {
        let newest = I::interface().version;
        self.globals.bind(&self.queue.handle(), 1..=newest, ()).unwrap()
    }

    pub fn surface(&self) -> wl_surface::WlSurface {
        self.compositor.create_surface(&self.queue.handle(), ())
    }

    /// A buffer of one colour, 0xRRGGBB.
    pub fn buffer(&self, width: i32, height: i32, colour: u32) -> wl_buffer::WlBuffer {
        let file: File = rustix::fs::memfd_create("a test", rustix::fs::MemfdFlags::CLOEXEC).unwrap().into();
        let pixels = colour.to_ne_bytes().repeat(usize::try_from(width * height).unwrap());
        file.write_all_at(&pixels, 0).unwrap();
        let pool = self.shm.create_pool(file.as_fd(), width * height * 4, &self.queue.handle(), ());
        pool.create_buffer(0, width, height, width * 4, wl_shm::Format::Xrgb8888, &self.queue.handle(), ())
    }

    /// Shows a buffer.
    pub fn show(&self, surface: &wl_surface::WlSurface, (width, height): (i32, i32), colour: u32) {
        surface.attach(Some(&self.buffer(width, height, colour)), 0, 0);
        surface.damage_buffer(0, 0, width, height);
        surface.commit();
        // A client that was shown the door cannot.
        let _ = self.queue.flush();
    }

    /// A window of this size, once it is shown and has the keys.
    pub fn window(&mut self, size: (i32, i32), colour: u32) -> Toplevel {
        let handle = self.queue.handle();
        let surface = self.surface();
        let xdg = self.shell.get_xdg_surface(&surface, &handle, ());
        let toplevel = xdg.get_toplevel(&handle, ());
        surface.commit();
        self.until("a configure", |line| line.starts_with("toplevel "));
        self.show(&surface, size, colour);
        self.until("the keys", |line| line == "keys");
        Toplevel { surface, xdg, toplevel }
    }

    pub fn positioner(
        &self,
        anchor: (i32, i32, i32, i32),
        size: (i32, i32),
        adjust: xdg_positioner::ConstraintAdjustment,
    ) -> xdg_positioner::XdgPositioner {
        let positioner = self.shell.create_positioner(&self.queue.handle(), ());
        positioner.set_size(size.0, size.1);
        positioner.set_anchor_rect(anchor.0, anchor.1, anchor.2, anchor.3);
        positioner.set_anchor(xdg_positioner::Anchor::BottomRight);
        positioner.set_gravity(xdg_positioner::Gravity::BottomRight);
        positioner.set_constraint_adjustment(adjust);
        positioner
    }

    /// A popup, not committed yet.
    pub fn popup(
        &self,
        parent: Option<&xdg_surface::XdgSurface>,
        positioner: &xdg_positioner::XdgPositioner,
    ) -> (wl_surface::WlSurface, xdg_surface::XdgSurface, xdg_popup::XdgPopup) {
        let surface = self.surface();
        let xdg = self.shell.get_xdg_surface(&surface, &self.queue.handle(), ());
        let popup = xdg.get_popup(parent, positioner, &self.queue.handle(), ());
        (surface, xdg, popup)
    }

    /// Listens until a line like this comes; what came before it is forgotten.
    pub fn until(&mut self, what: &str, like: impl Fn(&str) -> bool) -> String {
        let start = Instant::now();
        loop {
            self.queue.dispatch_pending(&mut self.log).unwrap();
            if let Some(at) = self.log.lines.iter().position(|line| like(line)) {
                return self.log.lines.drain(..=at).next_back().unwrap();
            }
            assert!(start.elapsed() < WAIT, "waited too long for {what}: {:#?}", self.log.lines);
            self.queue.flush().unwrap();
            if let Some(guard) = self.queue.prepare_read() {
                let patience = Timespec::try_from(Duration::from_millis(100)).unwrap();
                let fd = guard.connection_fd();
                if poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&patience)).unwrap() > 0 {
                    guard.read().unwrap();
                }
            }
        }
    }

    /// True while the seat answers this client.
    pub fn lives(&mut self) -> bool {
        self.queue.roundtrip(&mut self.log).is_ok()
    }
}

/// Objects whose events say nothing here.
macro_rules! silent {
    ($($interface:ty),* $(,)?) => { $(delegate_noop!(Log: ignore $interface);)* };
}
silent!(
    wl_buffer::WlBuffer,
    wl_callback::WlCallback,
    wl_compositor::WlCompositor,
    wl_region::WlRegion,
    wl_seat::WlSeat,
    wl_shm::WlShm,
    wl_shm_pool::WlShmPool,
    wl_subcompositor::WlSubcompositor,
    wl_subsurface::WlSubsurface,
    wl_surface::WlSurface,
    wp_viewport::WpViewport,
    wp_viewporter::WpViewporter,
    xdg_positioner::XdgPositioner,
    zwlr_layer_shell_v1::ZwlrLayerShellV1,
    zwp_pointer_constraints_v1::ZwpPointerConstraintsV1,
    zwp_relative_pointer_manager_v1::ZwpRelativePointerManagerV1,
);

/// Objects whose events become lines.
macro_rules! told {
    ($interface:ty, $log:ident, $object:ident, $event:ident => $told:expr) => {
        impl Dispatch<$interface, ()> for Log {
            fn event(
                $log: &mut Self,
                $object: &$interface,
                $event: <$interface as Proxy>::Event,
                _: &(),
                _: &Connection,
                _: &QueueHandle<Self>,
            ) {
                let line: Option<String> = $told;
                $log.lines.extend(line);
            }
        }
    };
}

impl Dispatch<wl_registry::WlRegistry, GlobalListContents> for Log {
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

told!(xdg_wm_base::XdgWmBase, log, shell, event => {
    if let xdg_wm_base::Event::Ping { serial } = event {
        shell.pong(serial);
    }
    None
});
told!(xdg_surface::XdgSurface, log, surface, event => {
    if let xdg_surface::Event::Configure { serial } = event {
        surface.ack_configure(serial);
    }
    None
});
told!(xdg_toplevel::XdgToplevel, log, _toplevel, event => match event {
    xdg_toplevel::Event::Configure { width, height, .. } => Some(format!("toplevel {width} {height}")),
    _ => None,
});
told!(xdg_popup::XdgPopup, log, _popup, event => match event {
    xdg_popup::Event::Configure { x, y, width, height } => Some(format!("popup {x} {y} {width} {height}")),
    xdg_popup::Event::Repositioned { token } => Some(format!("repositioned {token}")),
    _ => None,
});
told!(zwlr_layer_surface_v1::ZwlrLayerSurfaceV1, log, panel, event => match event {
    zwlr_layer_surface_v1::Event::Configure { serial, width, height } => {
        panel.ack_configure(serial);
        Some(format!("panel {width} {height}"))
    }
    _ => None,
});
told!(wl_keyboard::WlKeyboard, log, _keyboard, event => match event {
    wl_keyboard::Event::Enter { .. } => Some("keys".to_owned()),
    _ => None,
});
told!(wl_pointer::WlPointer, log, _pointer, event => match event {
    wl_pointer::Event::Enter { .. } => Some("enter".to_owned()),
    wl_pointer::Event::Leave { .. } => Some("leave".to_owned()),
    wl_pointer::Event::Motion { surface_x, surface_y, .. } => Some(format!("at {surface_x} {surface_y}")),
    _ => None,
});
told!(zwp_relative_pointer_v1::ZwpRelativePointerV1, log, _relative, event => match event {
    zwp_relative_pointer_v1::Event::RelativeMotion { dx, dy, .. } => Some(format!("by {dx} {dy}")),
    _ => None,
});
told!(zwp_locked_pointer_v1::ZwpLockedPointerV1, log, _lock, event => match event {
    zwp_locked_pointer_v1::Event::Locked => Some("locked".to_owned()),
    zwp_locked_pointer_v1::Event::Unlocked => Some("unlocked".to_owned()),
    _ => None,
});
told!(zwp_confined_pointer_v1::ZwpConfinedPointerV1, log, _lock, event => match event {
    zwp_confined_pointer_v1::Event::Confined => Some("confined".to_owned()),
    zwp_confined_pointer_v1::Event::Unconfined => Some("unconfined".to_owned()),
    _ => None,
});
