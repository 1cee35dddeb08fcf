//! A small X11 client, for what no program at hand does.

use punktfunk_seat_stage::wait_for;
use smithay::reexports::x11rb;
use x11rb::connection::Connection as _;
use x11rb::protocol::xproto::{
    AtomEnum, ClientMessageEvent, ConnectionExt as _, CreateWindowAux, EventMask, PropMode, WindowClass,
};
use x11rb::rust_connection::RustConnection;
use x11rb::wrapper::ConnectionExt as _;

/// A small X11 client.
pub struct X {
    /// Its connection.
    pub connection: RustConnection,
    /// The root window.
    pub root: u32,
}

impl X {
    /// Connects as soon as the server is there.
    pub fn connect(display: u32) -> Self {
        let name = format!(":{display}");
        let (connection, screen) = wait_for("the X server", || RustConnection::connect(Some(&name)).ok());
        let root = connection.setup().roots[screen].root;
        Self { connection, root }
    }

    /// The number of a name.
    pub fn atom(&self, name: &str) -> u32 {
        self.connection.intern_atom(false, name.as_bytes()).unwrap().reply().unwrap().atom
    }

    /// Maps a window of one colour; `free`: nobody manages it.
    pub fn window(&self, at: (i16, i16), size: (u16, u16), colour: [u8; 3], free: bool) -> u32 {
        let window = self.unmapped(at, size, colour, free);
        self.connection.map_window(window).unwrap().check().unwrap();
        window
    }

    /// The same, not yet mapped.
    pub fn unmapped(&self, at: (i16, i16), size: (u16, u16), colour: [u8; 3], free: bool) -> u32 {
        let window = self.connection.generate_id().unwrap();
        let values = CreateWindowAux::new()
            .background_pixel(u32::from_be_bytes([0, colour[0], colour[1], colour[2]]))
            .override_redirect(u32::from(free))
            .event_mask(EventMask::STRUCTURE_NOTIFY | EventMask::KEY_PRESS | EventMask::FOCUS_CHANGE);
        let (depth, class, visual) = (0, WindowClass::INPUT_OUTPUT, 0);
        self.connection
            .create_window(depth, window, self.root, at.0, at.1, size.0, size.1, 0, class, visual, &values)
            .unwrap()
            .check()
            .unwrap();
        window
    }

    /// Sets a property that lists names.
    pub fn set_atoms(&self, window: u32, name: &str, values: &[&str]) {
        let values: Vec<_> = values.iter().map(|value| self.atom(value)).collect();
        let name = self.atom(name);
        self.connection
            .change_property32(PropMode::REPLACE, window, name, AtomEnum::ATOM, &values)
            .unwrap()
            .check()
            .unwrap();
    }

    /// Asks the window manager for something, as programs do.
    pub fn ask(&self, window: u32, name: &str, data: [u32; 5]) {
        let event = ClientMessageEvent::new(32, window, self.atom(name), data);
        let mask = EventMask::SUBSTRUCTURE_NOTIFY | EventMask::SUBSTRUCTURE_REDIRECT;
        self.connection.send_event(false, self.root, mask, event).unwrap().check().unwrap();
    }

    /// Reads a property of 32-bit values.
    pub fn property(&self, window: u32, name: &str) -> Vec<u32> {
        let name = self.atom(name);
        let reply = self.connection.get_property(false, window, name, AtomEnum::ANY, 0, 64).unwrap();
        reply.reply().unwrap().value32().map(Iterator::collect).unwrap_or_default()
    }

    /// The window that has the keys.
    pub fn focus(&self) -> u32 {
        self.connection.get_input_focus().unwrap().reply().unwrap().focus
    }

    /// Waits until a window has the keys, and everybody is told so.
    pub fn wait_for_focus(&self, window: u32) {
        wait_for("the focus", || (self.focus() == window).then_some(()));
        wait_for("the active window", || {
            (self.property(self.root, "_NET_ACTIVE_WINDOW") == [window]).then_some(())
        });
    }

    /// Where the window is on the screen, and how large.
    pub fn place(&self, window: u32) -> (i16, i16, u16, u16) {
        let size = self.connection.get_geometry(window).unwrap().reply().unwrap();
        let at = self.connection.translate_coordinates(window, self.root, 0, 0).unwrap().reply().unwrap();
        (at.dst_x, at.dst_y, size.width, size.height)
    }

    /// True when the window manager lists this state.
    pub fn has_state(&self, window: u32, state: &str) -> bool {
        self.property(window, "_NET_WM_STATE").contains(&self.atom(state))
    }
}
