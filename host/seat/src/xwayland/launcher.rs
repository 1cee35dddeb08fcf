//! What stands in for the program `Xwayland` when the seat starts it: it puts back
//! what a child must not inherit and becomes the real one.
//!
//! smithay runs whatever `PATH` names `Xwayland`. The seat lets it find a link to
//! itself there, in a folder of its own, so that the arguments are ours to change.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::platform::spawn::start_plain;

/// Names the real program to the stand-in.
pub const REAL: &str = "PUNKTFUNK_XWAYLAND";
/// The name under which the stand-in is run.
const NAME: &str = "Xwayland";

/// The real program, where one is installed.
pub fn installed() -> Option<PathBuf> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).map(|folder| folder.join(NAME)).find(|program| program.is_file())
}

/// Makes the stand-in; gives the `PATH` that leads to it.
pub fn prepare(runtime: &Path) -> std::io::Result<OsString> {
    let folder = runtime.join("xwayland");
    std::fs::create_dir_all(&folder)?;
    let link = folder.join(NAME);
    let _ = std::fs::remove_file(&link);
    std::os::unix::fs::symlink(std::env::current_exe()?, link)?;
    let mut path = folder.into_os_string();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    Ok(path)
}

/// Becomes the real Xwayland if this process was started as the stand-in. Returns only
/// if it was not (`None`) or if that failed.
pub fn stand_in() -> Option<std::io::Error> {
    let mut arguments = std::env::args_os();
    let called = PathBuf::from(arguments.next()?);
    let real = std::env::var_os(REAL)?;
    if called.file_name()? != NAME {
        return None;
    }
    let mut command = Command::new(real);
    // It shall stay when its last window closes: the next one comes up faster.
    command.args(arguments.filter(|argument| argument != "-terminate")).env_remove(REAL);
    start_plain(&mut command);
    Some(command.exec())
}
