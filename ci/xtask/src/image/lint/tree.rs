//! Reading the files of an image, which nothing has to be true of: links are not followed out
//! of it, and what is not there is nothing, not an error.

use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// What is known of `path`, which may be a link, below `root`.
pub fn known(root: &Path, path: &str) -> Result<Option<Metadata>> {
    match root.join(path).symlink_metadata() {
        Ok(known) => Ok(Some(known)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error).with_context(|| format!("looking at /{path}")),
    }
}

/// The text of a file; `None` when it is not there or no file.
pub fn text(root: &Path, path: &str) -> Result<Option<String>> {
    match known(root, path)? {
        Some(known) if known.is_file() => {
            let bytes = fs::read(root.join(path)).with_context(|| format!("reading /{path}"))?;
            Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
        }
        _ => Ok(None),
    }
}

/// The names in a folder, sorted; none when it is not there.
pub fn names(root: &Path, path: &str) -> Result<Vec<String>> {
    if !known(root, path)?.is_some_and(|known| known.is_dir()) {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(root.join(path)).with_context(|| format!("reading /{path}"))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// The texts of the files in a folder whose names end on `end`, with their paths, in the order
/// in which systemd reads them.
pub fn texts(root: &Path, folder: &str, end: &str) -> Result<Vec<(String, String)>> {
    let mut texts = Vec::new();
    for name in names(root, folder)?.into_iter().filter(|name| name.ends_with(end)) {
        let path = format!("{folder}/{name}");
        if let Some(text) = text(root, &path)? {
            texts.push((path, text));
        }
    }
    Ok(texts)
}

/// Everything below a folder, with it left out; folders come before what is in them. Links are
/// told and not followed.
pub fn walk(root: &Path, folder: &str) -> Result<Vec<(PathBuf, Metadata)>> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from(folder)];
    while let Some(folder) = folders.pop() {
        let full = root.join(&folder);
        if !full.symlink_metadata().is_ok_and(|known| known.is_dir()) {
            continue;
        }
        for entry in fs::read_dir(&full).with_context(|| format!("reading {}", full.display()))? {
            let entry = entry?;
            let (path, known) = (folder.join(entry.file_name()), entry.metadata()?);
            if known.is_dir() {
                folders.push(path.clone());
            }
            found.push((path, known));
        }
    }
    Ok(found)
}

/// Lines that say something: without comments and empty ones.
pub fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', ';']))
}

#[cfg(test)]
pub mod made_up {
    //! Trees for tests: each test has its own, which is gone when it ends.

    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::{Path, PathBuf};

    use super::super::Check;

    /// A folder with the files of a small image in it.
    pub struct Tree(pub PathBuf);

    /// Makes one fault.
    pub type Spoil<'a> = &'a dyn Fn(&Tree) -> &Tree;

    impl Tree {
        /// An empty one; `name` is the test's.
        pub fn new(name: &str) -> Self {
            let root = std::env::temp_dir().join(format!("xtask-image-{}-{name}", std::process::id()));
            let _ = fs::remove_dir_all(&root);
            fs::create_dir_all(root.join("usr")).unwrap();
            Self(root)
        }

        /// Adds a file, with the folders it needs.
        pub fn file(&self, path: impl AsRef<Path>, text: impl AsRef<[u8]>) -> &Self {
            let path = self.0.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
            self
        }

        /// Adds a folder.
        pub fn folder(&self, path: &str) -> &Self {
            fs::create_dir_all(self.0.join(path)).unwrap();
            self
        }

        /// Adds a link.
        pub fn link(&self, path: &str, target: impl AsRef<Path>) -> &Self {
            let path = self.0.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            symlink(target, path).unwrap();
            self
        }

        /// Sets a mode.
        pub fn mode(&self, path: &str, mode: u32) -> &Self {
            fs::set_permissions(self.0.join(path), fs::Permissions::from_mode(mode)).unwrap();
            self
        }

        /// Takes a file, a link or a folder away.
        pub fn without(&self, path: &str) -> &Self {
            let path = self.0.join(path);
            if path.symlink_metadata().unwrap().is_dir() {
                fs::remove_dir_all(path).unwrap();
            } else {
                fs::remove_file(path).unwrap();
            }
            self
        }

        /// The names of those of `checks` that find something.
        pub fn found(&self, checks: &[Check]) -> Vec<&'static str> {
            let bad = checks.iter().filter(|check| !(check.look)(&self.0).unwrap().is_empty());
            bad.map(|check| check.name).collect()
        }
    }

    impl Drop for Tree {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}
