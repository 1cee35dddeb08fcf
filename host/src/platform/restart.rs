//! Starting anew: the same program with the same arguments, in the same process. Sockets
//! and files are closed by that; seats are processes of their own and stay.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// Where relative paths of the command line begin: root's directory is left when root is
/// given up.
static STARTED_IN: OnceLock<Option<PathBuf>> = OnceLock::new();

/// Notes where the process was started. To be called first.
pub fn note_start() {
    let _ = STARTED_IN.get_or_init(|| std::env::current_dir().ok());
}

/// Replaces this process. Returns only when it cannot.
pub fn start_anew() -> io::Error {
    // Not what lies at the path now in the sense of the kernel: an update has replaced it.
    let program = match std::env::current_exe() {
        Ok(program) => match program.to_str().and_then(|path| path.strip_suffix(" (deleted)")) {
            Some(path) => PathBuf::from(path),
            None => program,
        },
        Err(error) => return error,
    };
    let mut command = Command::new(program);
    command.args(std::env::args_os().skip(1));
    if let Some(Some(dir)) = STARTED_IN.get()
        && std::fs::read_dir(dir).is_ok()
    {
        command.current_dir(dir);
    }
    if let Some((name, value)) = super::inputd::hand_over_inputd() {
        command.env(name, value);
    }
    command.exec()
}
