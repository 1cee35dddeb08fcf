//! A second connection to the X server, for what smithay's window manager leaves out:
//! requests for activation, the focus of the X server, and states that a window has
//! when it is mapped.
//!
//! Only mapping a window waits for an answer; smithay does the same ten times over.

use std::os::unix::net::UnixStream;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use calloop::channel::Event as Received;
use calloop::{LoopHandle, RegistrationToken};
use smithay::reexports::x11rb;
use smithay::utils::x11rb::X11Source;
use x11rb::connection::Connection as _;
use x11rb::protocol::Event;
use x11rb::protocol::xproto::{
    AtomEnum, ChangeWindowAttributesAux, ClientMessageEvent, ConnectionExt as _, CreateWindowAux, EventMask,
    InputFocus, PropMode, Window, WindowClass,
};
use x11rb::rust_connection::{ConnectionError, DefaultStream, RustConnection};
use x11rb::wrapper::ConnectionExt as _;

use crate::seat::State;

x11rb::atom_manager! {
    /// The words of X that are used here.
    Atoms: AtomsCookie {
        WM_PROTOCOLS,
        WM_TAKE_FOCUS,
        _NET_ACTIVE_WINDOW,
        _NET_CLOSE_WINDOW,
        _NET_SUPPORTED,
        _NET_WM_STATE,
        _NET_WM_STATE_FULLSCREEN,
        _NET_WM_STATE_MAXIMIZED_HORZ,
        _NET_WM_STATE_MAXIMIZED_VERT,
        _NET_WM_STATE_SKIP_PAGER,
        _NET_WM_STATE_SKIP_TASKBAR,
        _PUNKTFUNK_CLOSE,
    }
}

/// What a window says of itself and smithay does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// It wants to be told when it gets the keys.
    pub take_focus: bool,
    /// It is to be mapped on the whole output.
    pub fullscreen: bool,
    /// It is to be mapped as large as possible.
    pub maximized: bool,
    /// It hides from taskbar and pager.
    pub unlisted: bool,
}

/// Who gets the focus of the X server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Focus {
    /// The window.
    pub window: Window,
    /// It wants to be told.
    pub take_focus: bool,
}

/// The second connection.
pub struct Side {
    connection: Arc<RustConnection>,
    atoms: Atoms,
    root: Window,
    token: RegistrationToken,
    active: Window,
    /// The latest time of the X server that was seen.
    time: u32,
}

impl Side {
    /// Connects to the server with this display number, which must be up.
    pub fn connect(handle: &LoopHandle<'static, State>, display: u32) -> anyhow::Result<Self> {
        let stream = UnixStream::connect(format!("/tmp/.X11-unix/X{display}"))?;
        let (stream, _) = DefaultStream::from_unix_stream(stream)?;
        let connection = RustConnection::connect_to_stream(stream, 0).context("the X server refused")?;
        let atoms = Atoms::new(&connection)?.reply()?;
        let root = connection.setup().roots.first().context("the X server has no screen")?.root;
        let events = EventMask::SUBSTRUCTURE_NOTIFY | EventMask::PROPERTY_CHANGE;
        connection
            .change_window_attributes(root, &ChangeWindowAttributesAux::new().event_mask(events))?
            .check()?;
        // Ends the thread that waits for events, when something is sent to it.
        let own = connection.generate_id()?;
        connection.create_window(
            x11rb::COPY_DEPTH_FROM_PARENT,
            own,
            root,
            -1,
            -1,
            1,
            1,
            0,
            WindowClass::INPUT_ONLY,
            x11rb::COPY_FROM_PARENT,
            &CreateWindowAux::new(),
        )?;
        let more = [atoms._NET_CLOSE_WINDOW];
        connection.change_property32(PropMode::APPEND, root, atoms._NET_SUPPORTED, AtomEnum::ATOM, &more)?;
        connection.flush()?;
        let connection = Arc::new(connection);
        let source = X11Source::new(Arc::clone(&connection), own, atoms._PUNKTFUNK_CLOSE);
        let token = handle
            .insert_source(source, |event, (), state| match event {
                Received::Msg(event) => state.side_event(&event),
                // The window manager's connection says so as well.
                Received::Closed => {}
            })
            .map_err(|error| anyhow!("watch the X server: {error}"))?;
        Ok(Self { connection, atoms, root, token, active: 0, time: 0 })
    }

    /// Takes the connection out of the loop; the server must be gone.
    pub fn remove(self, handle: &LoopHandle<'static, State>) {
        handle.remove(self.token);
    }

    /// Asks a window about itself. Nothing when it is gone.
    pub fn facts(&self, window: Window) -> Facts {
        self.ask(window).unwrap_or_default()
    }

    fn ask(&self, window: Window) -> Result<Facts, ConnectionError> {
        let atoms = &self.atoms;
        let property = |name| self.connection.get_property(false, window, name, AtomEnum::ATOM, 0, 64);
        let (protocols, states) = (property(atoms.WM_PROTOCOLS)?, property(atoms._NET_WM_STATE)?);
        let protocols = protocols.reply_unchecked()?;
        let states = states.reply_unchecked()?;
        let list = |reply: Option<x11rb::protocol::xproto::GetPropertyReply>| -> Vec<u32> {
            reply.and_then(|reply| Some(reply.value32()?.collect())).unwrap_or_default()
        };
        let (protocols, states) = (list(protocols), list(states));
        let has = |atom| states.contains(&atom);
        Ok(Facts {
            take_focus: protocols.contains(&atoms.WM_TAKE_FOCUS),
            fullscreen: has(atoms._NET_WM_STATE_FULLSCREEN),
            maximized: has(atoms._NET_WM_STATE_MAXIMIZED_HORZ) && has(atoms._NET_WM_STATE_MAXIMIZED_VERT),
            unlisted: has(atoms._NET_WM_STATE_SKIP_TASKBAR) && has(atoms._NET_WM_STATE_SKIP_PAGER),
        })
    }

    /// Gives the focus of the X server to a window, or to none.
    pub fn focus(&mut self, focus: Option<Focus>) {
        self.active = focus.map_or(x11rb::NONE, |focus| focus.window);
        if let Err(error) = self.try_focus(focus) {
            tracing::debug!(%error, "the focus could not be moved");
        }
    }

    fn try_focus(&self, focus: Option<Focus>) -> Result<(), ConnectionError> {
        // Always, even for windows that ask only to be told: Wine ignores that.
        self.connection.set_input_focus(InputFocus::NONE, self.active, x11rb::CURRENT_TIME)?;
        if let Some(focus) = focus.filter(|focus| focus.take_focus) {
            let data = [self.atoms.WM_TAKE_FOCUS, self.time, 0, 0, 0];
            let event = ClientMessageEvent::new(32, focus.window, self.atoms.WM_PROTOCOLS, data);
            self.connection.send_event(false, focus.window, EventMask::NO_EVENT, event)?;
        }
        self.write_active()
    }

    fn write_active(&self) -> Result<(), ConnectionError> {
        let name = self.atoms._NET_ACTIVE_WINDOW;
        self.connection.change_property32(
            PropMode::REPLACE,
            self.root,
            name,
            AtomEnum::WINDOW,
            &[self.active],
        )?;
        self.connection.flush()
    }

    /// smithay writes the root window there when the focus moves: what we wrote stands.
    fn check_active(&self) -> Result<(), ConnectionError> {
        let name = self.atoms._NET_ACTIVE_WINDOW;
        let reply = self.connection.get_property(false, self.root, name, AtomEnum::WINDOW, 0, 1)?;
        let reply = reply.reply_unchecked()?;
        let is = reply.and_then(|reply| reply.value32()?.next());
        if is == Some(self.active) { Ok(()) } else { self.write_active() }
    }

    fn hear(&mut self, event: &Event) -> Option<Request> {
        match event {
            Event::ClientMessage(message) if message.format == 32 => {
                if message.type_ == self.atoms._NET_ACTIVE_WINDOW {
                    return Some(Request::Activate(message.window));
                }
                if message.type_ == self.atoms._NET_CLOSE_WINDOW {
                    return Some(Request::Close(message.window));
                }
            }
            Event::PropertyNotify(event) => {
                self.time = event.time;
                if event.atom == self.atoms._NET_ACTIVE_WINDOW
                    && let Err(error) = self.check_active()
                {
                    tracing::debug!(%error, "the active window could not be written");
                }
            }
            _ => {}
        }
        None
    }
}

/// What an event asks of the seat.
enum Request {
    /// A window wants the keys, or somebody wants that for it.
    Activate(Window),
    /// Somebody wants a window closed.
    Close(Window),
}

impl State {
    fn side_event(&mut self, event: &Event) {
        let Some(side) = self.xwayland.side() else { return };
        match side.hear(event) {
            Some(Request::Activate(window)) => {
                let managed = self.windows.find_x11(window).filter(|managed| managed.mapped);
                if let Some(surface) = managed.and_then(|managed| managed.surface().cloned()) {
                    self.activate(&surface);
                    self.refresh_pointer();
                }
            }
            Some(Request::Close(window)) => {
                if let Some(managed) = self.windows.find_x11(window) {
                    managed.close();
                }
            }
            None => {}
        }
    }
}
