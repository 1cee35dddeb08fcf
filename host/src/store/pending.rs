//! What changes the whole state at the next start: a backup that is restored, or the state
//! of the factory. A running host keeps its state in memory and would write over it, so the
//! change is laid ready, and carried out before anything is read. It may be interrupted at
//! any moment and is finished at the start after that.
//!
//! Nothing is deleted: what was there is moved into a folder beside it.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::StoreError;
use crate::platform;

/// Asks for the state of the factory.
const RESET: &str = "factory-reset";
/// Holds the files of a backup that was checked.
const READY: &str = "restore-ready";
/// Holds them while they are written and checked.
const NEW: &str = "restore-new";
/// Holds them while they are put in their places; what was there is aside already.
const MOVING: &str = "restore-moving";
/// What the folders for former files begin with.
const BEFORE: &str = "before-";
/// Files that belong to the running machine and not to a backup: the lock, what the
/// encoders can do, what is to be undone after launches, and keys that must not be used
/// again, whatever is restored.
const OWN: [&str; 4] = ["lock", "encoders.json", "undo.json", "used-keys"];

/// The files a backup is made of, with their names: those of the state directory itself.
///
/// # Errors
/// One cannot be read, or they are larger than `most` bytes together.
pub fn files(dir: &Path, most: usize) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
    let mut found = Vec::new();
    let mut size = 0;
    for path in entries(dir)? {
        let Some(name) = path.file_name().and_then(OsStr::to_str) else { continue };
        if !belongs_to_backup(&path) {
            continue;
        }
        let bytes = std::fs::read(&path).map_err(fail("reading", &path))?;
        size += bytes.len();
        if size > most {
            return Err(fail("reading", dir)(io::Error::other("the state is too large for a backup")));
        }
        found.push((name.to_owned(), bytes));
    }
    found.sort();
    Ok(found)
}

/// Whether a backup may have a file of this name. It is a name and never a path.
pub fn may_be_restored(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
    (1..=64).contains(&name.len())
        && name.bytes().all(plain)
        && !name.starts_with('.')
        && !name.ends_with(".new")
        && name != RESET
        && !OWN.contains(&name)
}

/// Writes files to a folder of their own, lets `check` look at it, and lays it ready for
/// the next start. Nothing that is in use is touched.
///
/// # Errors
/// What the system refused, or what `check` says; then nothing is changed.
pub fn lay_ready<E: From<StoreError>>(
    dir: &Path,
    files: &[(String, Vec<u8>)],
    check: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<(), E> {
    let (new, ready) = (dir.join(NEW), dir.join(READY));
    remove(&new)?;
    platform::make_private_dir(&new).map_err(super::failed(&new))?;
    for (name, bytes) in files.iter().filter(|(name, _)| may_be_restored(name)) {
        let path = new.join(name);
        platform::write_whole(&path, bytes).map_err(super::failed(&path))?;
    }
    let checked = check(&new);
    if checked.is_err() {
        remove(&new)?;
        return checked;
    }
    remove(&ready)?;
    std::fs::rename(&new, &ready).map_err(fail("replacing", &ready))?;
    Ok(())
}

/// Asks for the state of the factory at the next start.
///
/// # Errors
/// The system refused.
pub fn ask_reset(dir: &Path) -> Result<(), StoreError> {
    let path = dir.join(RESET);
    platform::write_whole(&path, b"").map_err(super::failed(&path))
}

/// Does what was laid ready; true when the state is another one now. For a host that holds
/// the lock and has not begun to work.
///
/// # Errors
/// The system refused; the next start tries again.
pub fn carry_out(dir: &Path) -> Result<bool, StoreError> {
    let reset = dir.join(RESET);
    if !reset.exists() && !dir.join(READY).is_dir() && !dir.join(MOVING).is_dir() {
        return Ok(false);
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let kind = if reset.exists() { "reset" } else { "restore" };
    let before = dir.join(format!("{BEFORE}{kind}-{now}"));
    platform::make_private_dir(&before).map_err(super::failed(&before))?;
    if reset.exists() {
        move_all(dir, &before, belongs_to_state)?;
        remove(&dir.join(READY))?;
        remove(&dir.join(MOVING))?;
        // Last: until here the next start does it again.
        std::fs::remove_file(&reset).map_err(fail("removing", &reset))?;
    } else {
        restore(dir, &before)?;
    }
    tracing::warn!(before = %before.display(), kind, "the state is another one now");
    Ok(true)
}

/// What a backup may have goes aside, also what this one does not have: it was made after
/// it. Then its files take their places.
fn restore(dir: &Path, before: &Path) -> Result<(), StoreError> {
    let moving = dir.join(MOVING);
    if !moving.is_dir() {
        move_all(dir, before, belongs_to_backup)?;
        // From here on what is in the state directory is the backup's.
        let ready = dir.join(READY);
        std::fs::rename(&ready, &moving).map_err(fail("moving", &ready))?;
    }
    move_all(&moving, dir, |_| true)?;
    remove(&moving)
}

fn move_all(from: &Path, to: &Path, wanted: impl Fn(&Path) -> bool) -> Result<(), StoreError> {
    for path in entries(from)?.into_iter().filter(|path| wanted(path)) {
        let to = to.join(path.file_name().unwrap_or_default());
        std::fs::rename(&path, &to).map_err(fail("moving", &path))?;
    }
    Ok(())
}

/// Whether a backup of this state would have it.
fn belongs_to_backup(path: &Path) -> bool {
    path.is_file() && path.file_name().and_then(OsStr::to_str).is_some_and(may_be_restored)
}

/// Whether a reset moves it away: everything but the lock, other hosts and former states.
fn belongs_to_state(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(OsStr::to_str) else { return false };
    let other = path.is_dir()
        && (name.starts_with("port-") || name.starts_with(BEFORE) || [READY, MOVING].contains(&name));
    name != "lock" && name != RESET && !other
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let entries = std::fs::read_dir(dir).map_err(fail("reading", dir))?;
    entries.map(|entry| entry.map(|entry| entry.path()).map_err(fail("reading", dir))).collect()
}

fn remove(dir: &Path) -> Result<(), StoreError> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(fail("removing", dir)(error)),
        _ => Ok(()),
    }
}

fn fail(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { what, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Dir(PathBuf);

    impl Dir {
        fn new(name: &str) -> Self {
            let dir = std::env::temp_dir().join(format!("pf-pending-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&dir).unwrap();
            Self(dir)
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn former(dir: &Path) -> Vec<PathBuf> {
        let all = entries(dir).unwrap().into_iter();
        all.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(BEFORE)).collect()
    }

    #[test]
    fn a_restore_brings_back_what_was_and_keeps_what_was_there() {
        let dir = Dir::new("restore");
        let dir = &dir.0;
        for (name, text) in [("a.json", "old"), ("later.json", "made later"), ("used-keys", "keys")] {
            std::fs::write(dir.join(name), text).unwrap();
        }
        let new = [("a.json".to_owned(), b"new".to_vec()), ("../b".to_owned(), b"evil".to_vec())];
        let refused: Result<(), StoreError> =
            lay_ready(dir, &new, |_| Err(StoreError::Identity("no".to_owned())));
        assert!(refused.is_err() && !carry_out(dir).unwrap(), "what is refused changes nothing");
        lay_ready::<StoreError>(dir, &new, |there| {
            assert_eq!(std::fs::read(there.join("a.json")).unwrap(), b"new");
            Ok(())
        })
        .unwrap();
        assert_eq!(std::fs::read(dir.join("a.json")).unwrap(), b"old", "until the next start");
        assert!(carry_out(dir).unwrap() && !carry_out(dir).unwrap());
        assert_eq!(std::fs::read(dir.join("a.json")).unwrap(), b"new");
        assert!(!dir.join("later.json").exists(), "the backup knew nothing of it");
        assert_eq!(std::fs::read(dir.join("used-keys")).unwrap(), b"keys");
        assert_eq!(std::fs::read(former(dir)[0].join("a.json")).unwrap(), b"old");
        assert_eq!(std::fs::read(former(dir)[0].join("later.json")).unwrap(), b"made later");
        assert!(!dir.join("../b").exists());
        let names: Vec<String> = files(dir, 100).unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["a.json"]);
        assert!(files(dir, 2).is_err());
    }

    #[test]
    fn a_restore_that_was_interrupted_is_finished() {
        let dir = Dir::new("interrupted");
        let dir = &dir.0;
        let new = [("a.json".to_owned(), b"new".to_vec()), ("b.json".to_owned(), b"new".to_vec())];
        std::fs::write(dir.join("b.json"), "old").unwrap();
        lay_ready::<StoreError>(dir, &new, |_| Ok(())).unwrap();
        // As it is in the middle: one file is in its place already.
        std::fs::rename(dir.join(READY), dir.join(MOVING)).unwrap();
        std::fs::rename(dir.join(MOVING).join("a.json"), dir.join("a.json")).unwrap();
        assert!(carry_out(dir).unwrap() && !carry_out(dir).unwrap());
        for name in ["a.json", "b.json"] {
            assert_eq!(std::fs::read(dir.join(name)).unwrap(), b"new", "{name}");
        }
    }

    #[test]
    fn a_reset_moves_everything_of_this_host_aside() {
        let dir = Dir::new("reset");
        let dir = &dir.0;
        std::fs::create_dir_all(dir.join("port-48989")).unwrap();
        std::fs::create_dir_all(dir.join("art")).unwrap();
        for name in ["identity.json", "lock", "used-keys", "art/1.png"] {
            std::fs::write(dir.join(name), name).unwrap();
        }
        ask_reset(dir).unwrap();
        assert!(carry_out(dir).unwrap() && !carry_out(dir).unwrap());
        assert!(
            !dir.join("identity.json").exists()
                && !dir.join("art").exists()
                && !dir.join("used-keys").exists()
        );
        assert!(dir.join("lock").exists() && dir.join("port-48989").is_dir());
        let before = former(dir);
        assert!(before[0].join("identity.json").exists() && before[0].join("art/1.png").exists());
    }

    #[test]
    fn a_name_is_never_a_path() {
        for name in ["identity.json", "clients.json", "a_b-c.d"] {
            assert!(may_be_restored(name), "{name}");
        }
        for name in [
            "",
            ".",
            "..",
            "../x",
            "a/b",
            "lock",
            "used-keys",
            "undo.json",
            "factory-reset",
            "x.new",
            "A",
            "a\0",
            ".hidden",
            "ä",
        ] {
            assert!(!may_be_restored(name), "{name}");
        }
        assert!(!may_be_restored(&"x".repeat(65)));
    }
}
