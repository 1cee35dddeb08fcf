//! Files that are either the old one or the new one, whenever the power fails, and
//! that nobody but their owner can read.

use std::ffi::OsString;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

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

/// The bytes of a regular file that has at most `most`. A link is followed only with
/// `follow`: who may write to a directory must not lead root to other files.
pub fn read_bounded(path: &Path, most: u64, follow: bool) -> io::Result<Vec<u8>> {
    // Opening a pipe would wait for somebody who writes to it.
    let mut flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    flags.set(OFlags::NOFOLLOW, !follow);
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let refuse = |why: &str| Err(io::Error::new(io::ErrorKind::InvalidData, why.to_owned()));
    if !file.metadata()?.is_file() {
        return refuse("it is no regular file");
    }
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most { refuse(&format!("it is longer than {most} bytes")) } else { Ok(bytes) }
}

/// The same for a file that everybody may read.
pub fn write_public(path: &Path, text: &[u8]) -> Result<(), WriteError> {
    write_whole(path, text)?;
    let public = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(path, public).map_err(fail("letting others read it"))
}

/// Replaces `path` as a whole; its owner alone may read it.
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
