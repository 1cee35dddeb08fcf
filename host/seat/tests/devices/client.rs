//! A client with one window that writes down what it is told.

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use punktfunk_seat_stage::WAIT;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use wayland_client::globals::{GlobalListContents, registry_queue_init};
use wayland_client::protocol::{
    wl_buffer, wl_compositor, wl_keyboard, wl_pointer, wl_registry, wl_seat, wl_shm, wl_shm_pool, wl_surface,
    wl_touch,
};
use wayland_client::{
    Connection, Dispatch, EventQueue, QueueHandle, WEnum, delegate_noop, event_created_child,
};
use wayland_protocols::wp::keyboard_shortcuts_inhibit::zv1::client::{
    zwp_keyboard_shortcuts_inhibit_manager_v1, zwp_keyboard_shortcuts_inhibitor_v1,
};
use wayland_protocols::wp::tablet::zv2::client::{
    zwp_tablet_manager_v2, zwp_tablet_pad_v2, zwp_tablet_seat_v2, zwp_tablet_tool_v2, zwp_tablet_v2,
};
use wayland_protocols::wp::text_input::zv3::client::{zwp_text_input_manager_v3, zwp_text_input_v3};
use wayland_protocols::xdg::decoration::zv1::client::{
    zxdg_decoration_manager_v1, zxdg_toplevel_decoration_v1,
};
use wayland_protocols::xdg::shell::client::{
    xdg_popup, xdg_positioner, xdg_surface, xdg_toplevel, xdg_wm_base,
};

use crate::seat::{MARK, Seat};

/// What a client listens to.
#[derive(Clone, Copy, Default)]
pub struct Wants {
    pub pointer: bool,
    pub touch: bool,
    pub tablet: bool,
    pub text: bool,
    /// All keys, also those of the desktop.
    pub shortcuts: bool,
    /// Its window; that of the output when it is zero.
    pub size: (i32, i32),
}

/// What it was told.
#[derive(Default)]
pub struct Log {
    pub events: Vec<String>,
    size: Option<(i32, i32)>,
    configured: bool,
    pub focused: bool,
    pub toplevel: Option<xdg_toplevel::XdgToplevel>,
    pub seat: Option<wl_seat::WlSeat>,
    pub field: Option<zwp_text_input_v3::ZwpTextInputV3>,
    /// On the next touch, ask that the window be moved.
    pub move_on_touch: bool,
    /// What is locked: Caps Lock is 2, Num Lock 16.
    pub locked: u32,
    /// On the next touch, open a menu.
    pub menu_on_touch: bool,
    menu: Option<Menu>,
}

/// What a menu is made of: 100 by 80 pixels at (20, 30) of the window.
struct Menu {
    compositor: wl_compositor::WlCompositor,
    shell: xdg_wm_base::XdgWmBase,
    parent: xdg_surface::XdgSurface,
    buffer: wl_buffer::WlBuffer,
    surface: Option<wl_surface::WlSurface>,
}

impl Log {
    pub fn say(&mut self, event: String) {
        self.events.push(event);
    }

    fn open_menu(&mut self, serial: u32, handle: &QueueHandle<Self>) {
        let (Some(menu), Some(seat)) = (&mut self.menu, &self.seat) else { return };
        let surface = menu.compositor.create_surface(handle, ());
        let place = menu.shell.create_positioner(handle, ());
        place.set_size(100, 80);
        place.set_anchor_rect(20, 30, 1, 1);
        place.set_anchor(xdg_positioner::Anchor::TopLeft);
        place.set_gravity(xdg_positioner::Gravity::BottomRight);
        let popup = menu.shell.get_xdg_surface(&surface, handle, ());
        popup.get_popup(Some(&menu.parent), &place, handle, ()).grab(seat, serial);
        surface.commit();
        menu.surface = Some(surface);
    }
}

pub struct Client {
    queue: EventQueue<Log>,
    pub log: Log,
}

impl Client {
    /// Shows a window and waits until it has the keys.
    pub fn open(seat: &Seat, wants: Wants) -> Self {
        let stream = UnixStream::connect(seat.socket()).unwrap();
        let connection = Connection::from_socket(stream).unwrap();
        let (globals, queue) = registry_queue_init::<Log>(&connection).unwrap();
        let handle = queue.handle();
        let mut client = Self { queue, log: Log::default() };
        let wl_seat: wl_seat::WlSeat = globals.bind(&handle, 5..=9, ()).unwrap();
        wl_seat.get_keyboard(&handle, ());
        if wants.pointer {
            wl_seat.get_pointer(&handle, ());
        }
        if wants.touch {
            wl_seat.get_touch(&handle, ());
        }
        if wants.tablet {
            let tablets: zwp_tablet_manager_v2::ZwpTabletManagerV2 =
                globals.bind(&handle, 1..=1, ()).unwrap();
            tablets.get_tablet_seat(&wl_seat, &handle, ());
        }
        if wants.text {
            let manager: zwp_text_input_manager_v3::ZwpTextInputManagerV3 =
                globals.bind(&handle, 1..=1, ()).unwrap();
            client.log.field = Some(manager.get_text_input(&wl_seat, &handle, ()));
        }
        let compositor: wl_compositor::WlCompositor = globals.bind(&handle, 4..=6, ()).unwrap();
        let shell: xdg_wm_base::XdgWmBase = globals.bind(&handle, 1..=6, ()).unwrap();
        let shm: wl_shm::WlShm = globals.bind(&handle, 1..=1, ()).unwrap();
        let surface = compositor.create_surface(&handle, ());
        if wants.shortcuts {
            let inhibitors: zwp_keyboard_shortcuts_inhibit_manager_v1::ZwpKeyboardShortcutsInhibitManagerV1 =
                globals.bind(&handle, 1..=1, ()).unwrap();
            inhibitors.inhibit_shortcuts(&surface, &wl_seat, &handle, ());
        }
        client.log.seat = Some(wl_seat);
        let parent = shell.get_xdg_surface(&surface, &handle, ());
        let toplevel = parent.get_toplevel(&handle, ());
        let decorations: zxdg_decoration_manager_v1::ZxdgDecorationManagerV1 =
            globals.bind(&handle, 1..=1, ()).unwrap();
        let decoration = decorations.get_toplevel_decoration(&toplevel, &handle, ());
        decoration.set_mode(zxdg_toplevel_decoration_v1::Mode::ServerSide);
        client.log.toplevel = Some(toplevel);
        surface.commit();
        client.until("a configure", |log| log.configured);
        let (w, h) = match wants.size {
            (0, 0) => client.log.size.unwrap(),
            size => size,
        };
        let file: File = rustix::fs::memfd_create("a test", rustix::fs::MemfdFlags::CLOEXEC).unwrap().into();
        file.set_len(u64::try_from(w * h * 4).unwrap()).unwrap();
        let pool = shm.create_pool(file.as_fd(), w * h * 4, &handle, ());
        let buffer = pool.create_buffer(0, w, h, w * 4, wl_shm::Format::Xrgb8888, &handle, ());
        surface.attach(Some(&buffer), 0, 0);
        surface.damage_buffer(0, 0, w, h);
        surface.commit();
        if w >= 100 && h >= 80 {
            let buffer = pool.create_buffer(0, 100, 80, 400, wl_shm::Format::Xrgb8888, &handle, ());
            client.log.menu = Some(Menu { compositor, shell, parent, buffer, surface: None });
        }
        client.until("the keys", |log| log.focused);
        client
    }

    /// Listens until this is so.
    pub fn until(&mut self, what: &str, so: impl Fn(&Log) -> bool) {
        let start = Instant::now();
        loop {
            self.queue.dispatch_pending(&mut self.log).unwrap();
            if so(&self.log) {
                return;
            }
            assert!(start.elapsed() < WAIT, "waited too long for {what}: {:#?}", self.log.events);
            self.queue.flush().unwrap();
            if let Some(guard) = self.queue.prepare_read() {
                let patience = Timespec::try_from(Duration::from_millis(100)).unwrap();
                let fd = guard.connection_fd();
                let ready = poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&patience)).unwrap();
                if ready > 0 {
                    guard.read().unwrap();
                }
            }
        }
    }

    /// Waits until the seat has taken what was asked of it.
    pub fn sync(&mut self) {
        self.queue.roundtrip(&mut self.log).unwrap();
    }

    /// Everything it was told since the last time, up to the mark.
    pub fn told(&mut self, seat: &Seat) -> Vec<String> {
        seat.mark();
        let mark = format!("key {MARK} up");
        self.until("the mark", |log| log.events.contains(&mark));
        let mut events = std::mem::take(&mut self.log.events);
        events.retain(|event| !event.starts_with(&format!("key {MARK}")));
        events
    }
}

delegate_noop!(Log: wl_compositor::WlCompositor);
delegate_noop!(Log: zxdg_decoration_manager_v1::ZxdgDecorationManagerV1);
delegate_noop!(Log: ignore zxdg_toplevel_decoration_v1::ZxdgToplevelDecorationV1);
delegate_noop!(Log: zwp_tablet_manager_v2::ZwpTabletManagerV2);
delegate_noop!(Log: ignore zwp_tablet_v2::ZwpTabletV2);
delegate_noop!(Log: ignore zwp_tablet_pad_v2::ZwpTabletPadV2);
delegate_noop!(Log: zwp_text_input_manager_v3::ZwpTextInputManagerV3);
delegate_noop!(Log: wl_shm_pool::WlShmPool);
delegate_noop!(Log: xdg_positioner::XdgPositioner);
delegate_noop!(Log: zwp_keyboard_shortcuts_inhibit_manager_v1::ZwpKeyboardShortcutsInhibitManagerV1);
delegate_noop!(Log: ignore zwp_keyboard_shortcuts_inhibitor_v1::ZwpKeyboardShortcutsInhibitorV1);
delegate_noop!(Log: ignore wl_shm::WlShm);
delegate_noop!(Log: ignore wl_buffer::WlBuffer);
delegate_noop!(Log: ignore wl_surface::WlSurface);
delegate_noop!(Log: ignore wl_seat::WlSeat);

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

impl Dispatch<xdg_wm_base::XdgWmBase, ()> for Log {
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

impl Dispatch<xdg_surface::XdgSurface, ()> for Log {
    fn event(
        log: &mut Self,
        surface: &xdg_surface::XdgSurface,
        event: xdg_surface::Event,
        _: &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        if let xdg_surface::Event::Configure { serial } = event {
            surface.ack_configure(serial);
            log.configured = true;
            // A menu is shown once it knows its place.
            if let Some(menu) = log.menu.as_ref().and_then(|menu| menu.surface.as_ref()) {
                menu.commit();
            }
        }
    }
}

impl Dispatch<xdg_popup::XdgPopup, ()> for Log {
    fn event(
        log: &mut Self,
        popup: &xdg_popup::XdgPopup,
        event: xdg_popup::Event,
        _: &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        match event {
            xdg_popup::Event::Configure { .. } => {
                let surface = log.menu.as_ref().and_then(|menu| Some((menu.surface.as_ref()?, &menu.buffer)));
                if let Some((surface, buffer)) = surface {
                    surface.attach(Some(buffer), 0, 0);
                    surface.damage_buffer(0, 0, 100, 80);
                }
            }
            xdg_popup::Event::PopupDone => {
                popup.destroy();
                log.say("menu closed".to_owned());
            }
            _ => {}
        }
    }
}

impl Dispatch<xdg_toplevel::XdgToplevel, ()> for Log {
    fn event(
        log: &mut Self,
        _: &xdg_toplevel::XdgToplevel,
        event: xdg_toplevel::Event,
        _: &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        match event {
            xdg_toplevel::Event::Configure { width, height, .. } => log.size = Some((width, height)),
            xdg_toplevel::Event::Close => log.say("close".to_owned()),
            _ => {}
        }
    }
}

impl Dispatch<wl_keyboard::WlKeyboard, ()> for Log {
    fn event(
        log: &mut Self,
        _: &wl_keyboard::WlKeyboard,
        event: wl_keyboard::Event,
        _: &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        match event {
            wl_keyboard::Event::Enter { .. } => log.focused = true,
            wl_keyboard::Event::Leave { .. } => log.focused = false,
            wl_keyboard::Event::Key { key, state, .. } => {
                let down = state == WEnum::Value(wl_keyboard::KeyState::Pressed);
                log.say(format!("key {key} {}", if down { "down" } else { "up" }));
            }
            wl_keyboard::Event::Modifiers { mods_locked, .. } => log.locked = mods_locked,
            _ => {}
        }
    }
}

impl Dispatch<wl_pointer::WlPointer, ()> for Log {
    fn event(
        log: &mut Self,
        _: &wl_pointer::WlPointer,
        event: wl_pointer::Event,
        _: &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        match event {
            wl_pointer::Event::Enter { surface_x, surface_y, .. } => {
                log.say(format!("pointer enter {surface_x} {surface_y}"));
            }
            wl_pointer::Event::Leave { .. } => log.say("pointer leave".to_owned()),
            wl_pointer::Event::Motion { surface_x, surface_y, .. } => {
                log.say(format!("pointer motion {surface_x} {surface_y}"));
            }
            wl_pointer::Event::Button { button, state, .. } => {
                let down = state == WEnum::Value(wl_pointer::ButtonState::Pressed);
                log.say(format!("button {button:#x} {}", if down { "down" } else { "up" }));
            }
            _ => {}
        }
    }
}

impl Dispatch<wl_touch::WlTouch, ()> for Log {
    fn event(
        log: &mut Self,
        _: &wl_touch::WlTouch,
        event: wl_touch::Event,
        _: &(),
        _: &Connection,
        handle: &QueueHandle<Self>,
    ) {
        let told = match event {
            wl_touch::Event::Down { id, x, y, serial, .. } => {
                if log.move_on_touch
                    && let (Some(toplevel), Some(seat)) = (&log.toplevel, &log.seat)
                {
                    toplevel._move(seat, serial);
                }
                if std::mem::take(&mut log.menu_on_touch) {
                    log.open_menu(serial, handle);
                }
                format!("touch down {id} {x} {y}")
            }
            wl_touch::Event::Up { id, .. } => format!("touch up {id}"),
            wl_touch::Event::Motion { id, x, y, .. } => format!("touch motion {id} {x} {y}"),
            wl_touch::Event::Frame => "touch frame".to_owned(),
            wl_touch::Event::Cancel => "touch cancel".to_owned(),
            wl_touch::Event::Shape { id, major, minor } => format!("touch shape {id} {major} {minor}"),
            wl_touch::Event::Orientation { id, orientation } => {
                format!("touch orientation {id} {orientation}")
            }
            _ => return,
        };
        log.say(told);
    }
}

impl Dispatch<zwp_tablet_seat_v2::ZwpTabletSeatV2, ()> for Log {
    fn event(
        _: &mut Self,
        _: &zwp_tablet_seat_v2::ZwpTabletSeatV2,
        _: zwp_tablet_seat_v2::Event,
        _: &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
    }

    event_created_child!(Log, zwp_tablet_seat_v2::ZwpTabletSeatV2, [
        zwp_tablet_seat_v2::EVT_TABLET_ADDED_OPCODE => (zwp_tablet_v2::ZwpTabletV2, ()),
        zwp_tablet_seat_v2::EVT_TOOL_ADDED_OPCODE => (zwp_tablet_tool_v2::ZwpTabletToolV2, ()),
        zwp_tablet_seat_v2::EVT_PAD_ADDED_OPCODE => (zwp_tablet_pad_v2::ZwpTabletPadV2, ()),
    ]);
}

impl Dispatch<zwp_tablet_tool_v2::ZwpTabletToolV2, ()> for Log {
    fn event(
        log: &mut Self,
        _: &zwp_tablet_tool_v2::ZwpTabletToolV2,
        event: zwp_tablet_tool_v2::Event,
        _: &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        use zwp_tablet_tool_v2::Event as E;
        let told = match event {
            E::Type { tool_type: WEnum::Value(kind) } => format!("tool {kind:?}"),
            E::ProximityIn { .. } => "pen in".to_owned(),
            E::ProximityOut => "pen out".to_owned(),
            E::Down { .. } => "pen down".to_owned(),
            E::Up => "pen up".to_owned(),
            E::Motion { x, y } => format!("pen motion {x} {y}"),
            E::Pressure { pressure } => format!("pen pressure {pressure}"),
            E::Distance { distance } => format!("pen distance {distance}"),
            E::Tilt { tilt_x, tilt_y } => format!("pen tilt {} {}", tilt_x.round(), tilt_y.round()),
            E::Button { button, state, .. } => {
                let down = state == WEnum::Value(zwp_tablet_tool_v2::ButtonState::Pressed);
                format!("pen button {button:#x} {}", if down { "down" } else { "up" })
            }
            _ => return,
        };
        log.say(told);
    }
}

impl Dispatch<zwp_text_input_v3::ZwpTextInputV3, ()> for Log {
    fn event(
        log: &mut Self,
        _: &zwp_text_input_v3::ZwpTextInputV3,
        event: zwp_text_input_v3::Event,
        _: &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        let told = match event {
            zwp_text_input_v3::Event::Enter { .. } => "field enter".to_owned(),
            zwp_text_input_v3::Event::Leave { .. } => "field leave".to_owned(),
            zwp_text_input_v3::Event::CommitString { text } => format!("text {}", text.unwrap_or_default()),
            zwp_text_input_v3::Event::Done { serial } => format!("done {serial}"),
            _ => return,
        };
        log.say(told);
    }
}
