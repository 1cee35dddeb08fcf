//! The conversation with the host, in the loop of whoever is the seat's compositor.

use anyhow::anyhow;
use calloop::generic::Generic;
use calloop::{Interest, LoopHandle, Mode as Trigger, PostAction, RegistrationToken};
use punktfunk_seat_ipc::seat::{Connection, Listener};
use punktfunk_seat_ipc::{LinkError, Ready, ToHost, ToSeat, VERSION};

use crate::seat::State;

/// The connected host.
pub struct Host {
    /// Its connection.
    pub connection: Connection,
    /// Its source in the loop.
    token: RegistrationToken,
    /// It said hello, in our version.
    greeted: bool,
}

/// Who serves a host: the seat's own compositor, or one beside another's.
pub trait Served: Sized + 'static {
    /// Its loop.
    fn loop_handle(&self) -> LoopHandle<'static, Self>;
    /// The place of the host.
    fn host(&mut self) -> &mut Option<Host>;
    /// Where programs find their servers; none while it is not up.
    fn ready(&self) -> Option<Ready>;
    /// The first process of the application that runs.
    fn app_pid(&self) -> Option<u32>;
    /// A host said hello and knows that we are ready.
    fn greeted(&mut self) -> Result<(), LinkError>;
    /// Does what the host says.
    fn obey(&mut self, message: ToSeat);
    /// The host is no longer there.
    fn left(&mut self);
}

/// Accepts hosts from now on.
pub fn listen<S: Served>(handle: &LoopHandle<'static, S>, listener: Listener) -> anyhow::Result<()> {
    handle
        .insert_source(Generic::new(listener, Interest::READ, Trigger::Level), |_, listener, state| {
            match listener.accept() {
                Ok(Some(connection)) => meet(state, connection),
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "a host was turned away"),
            }
            Ok(PostAction::Continue)
        })
        .map(|_| ())
        .map_err(|error| anyhow!("watch the socket of the seat: {error}"))
}

/// A host connected. It takes the place of one that was there before: that one may
/// be hung.
fn meet<S: Served>(state: &mut S, connection: Connection) {
    part(state);
    let fd = match connection.try_clone() {
        Ok(fd) => fd,
        Err(error) => {
            tracing::warn!(%error, "a host could not be accepted");
            return;
        }
    };
    let source = Generic::new(fd, Interest::READ, Trigger::Level);
    match state.loop_handle().insert_source(source, |_, _, state| {
        hear(state);
        Ok(PostAction::Continue)
    }) {
        Ok(token) => *state.host() = Some(Host { connection, token, greeted: false }),
        Err(error) => tracing::warn!(%error, "a host could not be watched"),
    }
}

fn hear<S: Served>(state: &mut S) {
    loop {
        let Some(host) = state.host() else { return };
        match host.connection.receive() {
            Ok(Some(message)) => {
                if let Err(error) = obey(state, message) {
                    lose(state, &error);
                }
            }
            Ok(None) => return,
            Err(error) => lose(state, &error),
        }
    }
}

fn obey<S: Served>(state: &mut S, message: ToSeat) -> Result<(), LinkError> {
    let greeted = state.host().as_ref().is_some_and(|host| host.greeted);
    match message {
        ToSeat::Hello { version } => greet(state, version),
        _ if !greeted => Err(LinkError::Protocol("something before its hello")),
        message => {
            state.obey(message);
            Ok(())
        }
    }
}

fn greet<S: Served>(state: &mut S, version: u32) -> Result<(), LinkError> {
    let ready = state.ready().map(|ready| Ready { version: VERSION, ..ready });
    let pid = state.app_pid();
    let Some(host) = state.host() else { return Ok(()) };
    let Some(ready) = ready else {
        host.greeted = version == VERSION;
        return Ok(());
    };
    host.connection.send(&ToHost::Ready(ready))?;
    if version != VERSION {
        return Err(LinkError::Protocol("a hello of another version"));
    }
    host.greeted = true;
    if let Some(pid) = pid {
        host.connection.send(&ToHost::AppStarted { pid })?;
    }
    tracing::info!("a host is connected");
    state.greeted()
}

/// We are ready now: a host that said hello before is told.
pub fn become_ready<S: Served>(state: &mut S) {
    if state.host().as_ref().is_some_and(|host| host.greeted)
        && let Err(error) = greet(state, VERSION)
    {
        lose(state, &error);
    }
}

/// Tells the host something, if there is one.
pub fn tell<S: Served>(state: &mut S, message: &ToHost) {
    let Some(host) = state.host().as_ref().filter(|host| host.greeted) else { return };
    if let Err(error) = host.connection.send(message) {
        lose(state, &error);
    }
}

/// The host is gone or talks nonsense. The application runs on.
pub fn lose<S: Served>(state: &mut S, error: &LinkError) {
    if state.host().is_some() {
        tracing::info!(%error, "the host is gone; the application runs on");
    }
    part(state);
}

fn part<S: Served>(state: &mut S) {
    if let Some(host) = state.host().take() {
        state.loop_handle().remove(host.token);
        state.left();
    }
}

impl State {
    /// Tells the host something, if there is one.
    pub fn tell(&mut self, message: &ToHost) {
        tell(self, message);
    }

    /// The host is gone or talks nonsense. The application runs on.
    pub fn lose_host(&mut self, error: &LinkError) {
        lose(self, error);
    }
}

impl Served for State {
    fn loop_handle(&self) -> LoopHandle<'static, Self> {
        self.handle.clone()
    }

    fn host(&mut self) -> &mut Option<Host> {
        &mut self.host
    }

    fn ready(&self) -> Option<Ready> {
        let (pipewire_remote, pulse_server) = self.session.sound();
        let wayland_display = self.display_name.clone();
        Some(Ready { version: VERSION, wayland_display, pipewire_remote, pulse_server })
    }

    fn app_pid(&self) -> Option<u32> {
        self.session.app_pid()
    }

    fn greeted(&mut self) -> Result<(), LinkError> {
        if self.renderer.backdrop.is_none() {
            self.paint_backdrop();
        }
        self.attended(true, true);
        self.new_frames()
    }

    fn obey(&mut self, message: ToSeat) {
        match message {
            ToSeat::SetMode(mode) => self.set_mode(mode),
            ToSeat::Launch(app) => self.launch(&app),
            ToSeat::Input(event) => self.input(event),
            ToSeat::Keymap(keymap) => self.set_keymap(&keymap),
            ToSeat::ReleaseFrame { generation, buffer } => {
                let waited =
                    self.renderer.frames.as_mut().is_some_and(|frames| frames.release(generation, buffer));
                if waited && self.dirty {
                    self.wake();
                }
            }
            ToSeat::SetViewer(viewer) => {
                if !viewer {
                    self.release_all();
                }
                self.attended(true, viewer);
            }
            ToSeat::Message(text) => self.show_message(&text),
            ToSeat::Quit => self.quit(),
            other => tracing::warn!(?other, "a message this version does not know"),
        }
    }

    fn left(&mut self) {
        self.renderer.frames = None;
        self.release_all();
        self.attended(false, false);
    }
}
