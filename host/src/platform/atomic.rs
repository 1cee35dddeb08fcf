//! Files that are either the old one or the new one, whenever the power fails, and
//! that nobody but their owner can read.

use std::ffi::OsString;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

/// Which step of a change failed.
#[derive(Debug, thiserror::Error)]
#[error("{what} failed: {source}")]
pub struct WriteError {
    /// What was to be done.
    pub what: &'static str,
    /// What the system said.
    pub source: io::Error,
}

fn fail(what: &'static str) -> impl FnOnce(io::Error) -> WriteError {
    move |source| WriteError { what, source }
}

/// Makes a directory for its owner only, with the ones above it.
pub fn make_private_dir(dir: &Path) -> Result<(), WriteError> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(fail("making the directory"))?;
    let mode = dir.metadata().map_err(fail("reading"))?.permissions().mode();
    if mode & 0o077 != 0 {
        let private = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(dir, private).map_err(fail("making it private"))?;
    }
    Ok(())
}

/// For writing, made when missing, readable by its owner only.
pub fn private_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).mode(0o600);
    options
}

/// Replaces `path` as a whole.
pub fn write_whole(path: &Path, text: &[u8]) -> Result<(), WriteError> {
    let mut name = path.file_name().map(OsString::from).unwrap_or_default();
    name.push(".new");
    let temporary = path.with_file_name(name);
    let mut file = private_options().truncate(true).open(&temporary).map_err(fail("writing"))?;
    file.write_all(text).and_then(|()| file.sync_all()).map_err(fail("writing"))?;
    std::fs::rename(&temporary, path).map_err(fail("replacing"))?;
    // Without this the rename itself may be lost.
    if let Some(dir) = path.parent() {
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(fail("syncing the directory"))?;
    }
    Ok(())
}
