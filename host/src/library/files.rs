//! Reading other programs' files within limits: how many, how large, how long.
//!
//! Nothing is written, and only regular files are opened: a named pipe would wait for
//! ever. A problem is noted for the owner and never stops a scan.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long one scan may take: a disk that sleeps wakes up in that time.
const PATIENCE: Duration = Duration::from_secs(20);
/// Files that one scan opens at most.
const MAX_FILES: u32 = 20_000;
/// Entries of a folder that are looked at.
const MAX_ENTRIES: usize = 10_000;
/// Problems that are told; more say nothing new.
const MAX_PROBLEMS: usize = 50;

/// What one scan may still do, and what went wrong.
#[derive(Debug)]
pub(super) struct Reader {
    deadline: Instant,
    files: u32,
    problems: Vec<String>,
}

impl Reader {
    pub fn new() -> Self {
        Self { deadline: Instant::now() + PATIENCE, files: MAX_FILES, problems: Vec::new() }
    }

    /// What could not be read.
    pub fn into_problems(self) -> Vec<String> {
        self.problems
    }

    /// Notes what is wrong with a file, for the owner.
    pub fn problem(&mut self, path: &Path, what: &dyn std::fmt::Display) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(format!("{}: {what}", path.display()));
        }
    }

    /// The bytes of a file of at most `most` bytes; nothing when it is not there.
    pub fn read(&mut self, path: &Path, most: u64) -> Option<Vec<u8>> {
        if !self.may_go_on(path) {
            return None;
        }
        match read(path, most) {
            Ok(bytes) => bytes,
            Err(why) => {
                self.problem(path, &why);
                None
            }
        }
    }

    /// The same as text; bytes that are none are replaced.
    pub fn text(&mut self, path: &Path, most: u64) -> Option<String> {
        Some(String::from_utf8_lossy(&self.read(path, most)?).into_owned())
    }

    /// What lies in a folder, sorted; nothing when it is not there.
    pub fn list(&mut self, folder: &Path) -> Vec<PathBuf> {
        if !self.may_go_on(folder) {
            return Vec::new();
        }
        let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
        let mut found: Vec<_> = entries.flatten().take(MAX_ENTRIES).map(|entry| entry.path()).collect();
        found.sort();
        found
    }

    /// True while files may be read; says once when it is over.
    fn may_go_on(&mut self, path: &Path) -> bool {
        let over = if self.files == 0 {
            "too many files: the rest is left out"
        } else if Instant::now() >= self.deadline {
            "reading takes too long: the rest is left out"
        } else {
            self.files -= 1;
            return true;
        };
        if !self.problems.iter().any(|problem| problem.ends_with(over)) {
            self.problem(path, &over);
        }
        false
    }
}

/// Reads a regular file of at most `most` bytes. Nothing when there is none.
pub(super) fn read(path: &Path, most: u64) -> Result<Option<Vec<u8>>, String> {
    let found = match fs::metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("it cannot be read ({error})")),
    };
    if !found.is_file() {
        return Err("it is no file".to_owned());
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| format!("it cannot be read ({error})"))?;
    file.take(most + 1).read_to_end(&mut bytes).map_err(|error| format!("it cannot be read ({error})"))?;
    if bytes.len() as u64 > most {
        return Err(format!("it is larger than {most} bytes"));
    }
    Ok(Some(bytes))
}

/// The first of these files that is there and lies below `root` also when links are
/// followed. Pictures are sent to clients: a link must not lead them anywhere else.
pub(super) fn first_inside(root: &Path, files: impl IntoIterator<Item = PathBuf>) -> Option<PathBuf> {
    let root = root.canonicalize().ok()?;
    let inside =
        |file: &PathBuf| file.canonicalize().is_ok_and(|real| real.starts_with(&root) && real.is_file());
    files.into_iter().find(inside)
}

#[cfg(test)]
mod tests {
    use super::super::scratch::Scratch;
    use super::*;

    #[test]
    fn only_regular_files_of_a_bounded_size_are_read() {
        let dir = Scratch::new("files");
        let file = dir.write("a", "abc");
        let mut reader = Reader::new();
        assert_eq!(reader.text(&file, 3).as_deref(), Some("abc"));
        assert_eq!(reader.read(&dir.path().join("none"), 3), None);
        assert!(reader.problems.is_empty(), "what is not there is no problem");
        assert_eq!(reader.read(&file, 2), None);
        assert_eq!(reader.read(dir.path(), 2), None);
        let problems = reader.into_problems();
        assert!(problems[0].ends_with("a: it is larger than 2 bytes"), "{problems:?}");
        assert!(problems[1].ends_with("it is no file"), "{problems:?}");
    }

    #[test]
    fn a_scan_ends_after_so_many_files_or_so_long() {
        let dir = Scratch::new("bounds");
        let file = dir.write("a", "abc");
        let over = Reader { deadline: Instant::now(), files: 10, problems: Vec::new() };
        let many = Reader { deadline: Instant::now() + PATIENCE, files: 1, problems: Vec::new() };
        for (mut reader, reads) in [(over, 0), (many, 1)] {
            let read = (0..3).filter(|_| reader.read(&file, 10).is_some()).count();
            assert_eq!(read, reads);
            assert!(reader.list(dir.path()).is_empty());
            assert_eq!(reader.into_problems().len(), 1, "it is told once");
        }
    }

    #[test]
    fn a_picture_is_never_taken_from_outside_of_its_root() {
        let dir = Scratch::new("inside");
        let secret = dir.write("secret", "x");
        let inside = dir.write("root/a.png", "x");
        let root = dir.path().join("root");
        std::os::unix::fs::symlink(&secret, root.join("link.png")).unwrap();
        std::os::unix::fs::symlink(&inside, root.join("fine.png")).unwrap();
        assert_eq!(first_inside(&root, [root.join("link.png"), root.join("../secret")]), None);
        let fine = root.join("fine.png");
        assert_eq!(first_inside(&root, [root.join("none.png"), fine.clone()]), Some(fine));
    }
}
