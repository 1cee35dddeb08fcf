//! What is asked of a gamescope that has just come up: its node and its input socket. On
//! a thread, since both answers are waited for.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::ei::{self, EiError, Handshaken};
use super::node::{self, NodeError};

/// What was found.
pub struct Found {
    /// The PipeWire node of its picture.
    pub node: Result<u32, NodeError>,
    /// Its input.
    pub input: Result<Handshaken, EiError>,
    /// Which of our gamescopes it was asked of: they are counted.
    pub attempt: u32,
}

/// Asks the gamescope that listens at `socket`, and hands the answers to `done`.
pub fn start(
    socket: PathBuf,
    attempt: u32,
    done: impl FnOnce(Found) + Send + 'static,
) -> std::io::Result<()> {
    let ask = move || {
        let node = node::find(&socket);
        let input = ei::connect(&input_socket(&socket));
        done(Found { node, input, attempt });
    };
    std::thread::Builder::new().name("gamescope-find".into()).spawn(ask).map(|_| ())
}

/// Beside the Wayland socket, with `-ei` at its end.
fn input_socket(socket: &Path) -> PathBuf {
    let mut name = OsString::from(socket);
    name.push("-ei");
    name.into()
}
