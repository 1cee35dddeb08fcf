//! The conversation with the host, in the seat's loop.

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

/// Accepts hosts from now on.
pub fn listen(handle: &LoopHandle<'static, State>, listener: Listener) -> anyhow::Result<()> {
    handle
        .insert_source(Generic::new(listener, Interest::READ, Trigger::Level), |_, listener, state| {
            match listener.accept() {
                Ok(Some(connection)) => state.meet_host(connection),
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "a host was turned away"),
            }
            Ok(PostAction::Continue)
        })
        .map(|_| ())
        .map_err(|error| anyhow!("watch the socket of the seat: {error}"))
}

impl State {
    /// A host connected. It takes the place of one that was there before: that one may
    /// be hung.
    fn meet_host(&mut self, connection: Connection) {
        self.drop_host();
        let fd = match connection.try_clone() {
            Ok(fd) => fd,
            Err(error) => {
                tracing::warn!(%error, "a host could not be accepted");
                return;
            }
        };
        let source = Generic::new(fd, Interest::READ, Trigger::Level);
        match self.handle.insert_source(source, |_, _, state| {
            state.hear_host();
            Ok(PostAction::Continue)
        }) {
            Ok(token) => self.host = Some(Host { connection, token, greeted: false }),
            Err(error) => tracing::warn!(%error, "a host could not be watched"),
        }
    }

    fn hear_host(&mut self) {
        loop {
            let Some(host) = &mut self.host else { return };
            match host.connection.receive() {
                Ok(Some(message)) => {
                    if let Err(error) = self.obey(message) {
                        self.lose_host(&error);
                    }
                }
                Ok(None) => return,
                Err(error) => self.lose_host(&error),
            }
        }
    }

    fn obey(&mut self, message: ToSeat) -> Result<(), LinkError> {
        let greeted = self.host.as_ref().is_some_and(|host| host.greeted);
        match message {
            ToSeat::Hello { version } => return self.greet(version),
            _ if !greeted => return Err(LinkError::Protocol("something before its hello")),
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
        Ok(())
    }

    fn greet(&mut self, version: u32) -> Result<(), LinkError> {
        let Some(host) = &mut self.host else { return Ok(()) };
        let (pipewire_remote, pulse_server) = self.session.sound();
        let ready = Ready {
            version: VERSION,
            wayland_display: self.display_name.clone(),
            pipewire_remote,
            pulse_server,
        };
        host.connection.send(&ToHost::Ready(ready))?;
        if version != VERSION {
            return Err(LinkError::Protocol("a hello of another version"));
        }
        host.greeted = true;
        if let Some(pid) = self.session.app_pid() {
            host.connection.send(&ToHost::AppStarted { pid })?;
        }
        tracing::info!("a host is connected");
        if self.renderer.backdrop.is_none() {
            self.paint_backdrop();
        }
        self.attended(true, true);
        self.new_frames()
    }

    /// Tells the host something, if there is one.
    pub fn tell(&mut self, message: &ToHost) {
        let Some(host) = self.host.as_ref().filter(|host| host.greeted) else { return };
        if let Err(error) = host.connection.send(message) {
            self.lose_host(&error);
        }
    }

    /// The host is gone or talks nonsense. The application runs on.
    pub fn lose_host(&mut self, error: &LinkError) {
        if self.host.is_some() {
            tracing::info!(%error, "the host is gone; the application runs on");
        }
        self.drop_host();
    }

    fn drop_host(&mut self) {
        if let Some(host) = self.host.take() {
            self.handle.remove(host.token);
            self.renderer.frames = None;
            self.release_all();
            self.attended(false, false);
        }
    }
}
