//! Another resolution for the applications of a gamescope that runs.
//!
//! gamescope reads a property of its Xwayland's root window and gives that server another
//! mode. The size of its picture stays: it scales what the application draws.

use smithay::reexports::x11rb;
use x11rb::connection::Connection as _;
use x11rb::protocol::xproto::{AtomEnum, ConnectionExt as _, PropMode};
use x11rb::wrapper::ConnectionExt as _;

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

/// Asks for `width` by `height` at the X display of a gamescope. It waits for the server.
pub fn ask(display: &str, width: u32, height: u32) -> Result<(), ModeError> {
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
