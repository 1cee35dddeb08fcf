//! Another mode of the screen, and another resolution for the applications of a gamescope
//! that runs.
//!
//! gamescope reads a property of its Xwayland's root window and gives that server another
//! mode. The size of its picture stays: it scales what the application draws.

use calloop::channel::{Event as ChannelEvent, channel};
use punktfunk_seat_ipc::Mode;
use smithay::reexports::x11rb;
use x11rb::connection::Connection as _;
use x11rb::protocol::xproto::{AtomEnum, ConnectionExt as _, PropMode};
use x11rb::wrapper::ConnectionExt as _;

use super::room::Room;
use super::spawn::rate;

/// Which Xwayland, width, height, and whether it may be larger than the picture.
const PROPERTY: &[u8] = b"GAMESCOPE_XWAYLAND_MODE_CONTROL";

/// Why the resolution stays as it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModeError {
    /// The X server does not answer.
    #[error("gamescope's Xwayland at {display} does not answer: {reason}")]
    Connect {
        /// Its name.
        display: String,
        /// What happened.
        reason: String,
    },
    /// It refused.
    #[error("gamescope's Xwayland refused another size: {0}")]
    Refused(String),
}

impl Room {
    /// Another mode. gamescope takes another rate or size of its picture only when it
    /// starts, so it starts again while no application runs; else the application gets
    /// another resolution, and the picture is fitted into the screen. What runs for the user
    /// already is left as it is.
    pub(super) fn set_mode(&mut self, mode: Mode) {
        if mode == self.mode {
            return;
        }
        let old = std::mem::replace(&mut self.mode, mode);
        if self.other.is_some() {
            tracing::info!(?mode, "gamescope keeps its own size and rate");
        } else if self.restart() {
            return;
        } else {
            if rate(old) != rate(mode) {
                self.notice(format!(
                    "gamescope keeps {} Hz until the application ends: it takes another rate only when it starts",
                    rate(old)
                ));
                (self.mode.refresh_num, self.mode.refresh_den) = (old.refresh_num, old.refresh_den);
            }
            if (old.width, old.height) != (mode.width, mode.height) {
                self.ask_for_size(mode.width, mode.height);
            }
        }
        if (old.width, old.height) != (mode.width, mode.height) {
            self.renew_sheets();
        }
    }

    fn ask_for_size(&mut self, width: u32, height: u32) {
        let Some(display) = self.names.as_ref().map(|names| names.x11.clone()) else { return };
        let (sender, receiver) = channel::<String>();
        let inserted = self.handle.insert_source(receiver, |event, (), room: &mut Self| {
            if let ChannelEvent::Msg(why) = event {
                room.notice(why);
            }
        });
        // The X server may take its time, and the picture goes on meanwhile.
        let ask = move || {
            if let Err(error) = ask(&display, width, height) {
                let _ = sender.send(error.to_string());
            }
        };
        let started = std::thread::Builder::new().name("gamescope-mode".into()).spawn(ask);
        if inserted.is_err() || started.is_err() {
            self.notice("gamescope could not be asked for another size".to_owned());
        }
    }
}

/// Asks for `width` by `height` at the X display of a gamescope. It waits for the server.
fn ask(display: &str, width: u32, height: u32) -> Result<(), ModeError> {
    let (connection, screen) = x11rb::connect(Some(display))
        .map_err(|error| ModeError::Connect { display: display.to_owned(), reason: error.to_string() })?;
    let refused = |error: &dyn std::fmt::Display| ModeError::Refused(error.to_string());
    let root = connection.setup().roots.get(screen).ok_or_else(|| refused(&"it has no screen"))?.root;
    let atom = connection.intern_atom(false, PROPERTY).map_err(|error| refused(&error))?;
    let atom = atom.reply().map_err(|error| refused(&error))?.atom;
    connection
        .change_property32(PropMode::REPLACE, root, atom, AtomEnum::CARDINAL, &[0, width, height, 1])
        .map_err(|error| refused(&error))?
        .check()
        .map_err(|error| refused(&error))
}
