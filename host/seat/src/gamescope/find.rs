//! What is asked of a gamescope that has just come up: its node and its input socket. On
//! a thread, since both answers are waited for.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::ei::{self, EiError, Handshaken};
use super::node::{self, Node, NodeError};

/// What was found.
pub struct Found {
    /// The PipeWire node of its picture.
    pub node: Result<Node, NodeError>,
    /// Its input.
    pub input: Result<Handshaken, EiError>,
    /// Which of our gamescopes it was asked of: they are counted.
    pub attempt: u32,
}

/// Asks the gamescope that listens at `socket`, at most for `patience`, and hands the answers
/// to `done`.
pub fn start(
    socket: PathBuf,
    attempt: u32,
    patience: Duration,
    done: impl FnOnce(Found) + Send + 'static,
) -> std::io::Result<()> {
    let ask = move || {
        let node = node::find(&socket, patience);
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
