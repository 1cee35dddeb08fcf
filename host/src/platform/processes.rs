//! Which programs this user runs, by what the kernel says of each process.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use super::current_user_id;

/// A living process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub id: u32,
    /// The name of its program, at most 15 bytes.
    pub name: String,
}

impl Process {
    /// A variable of the environment it was started with.
    pub fn variable(&self, name: &str) -> Option<OsString> {
        let environment = std::fs::read(self.file("environ")).ok()?;
        let variables = environment.split(|byte| *byte == 0);
        let values = variables.filter_map(|pair| pair.strip_prefix(name.as_bytes())?.strip_prefix(b"="));
        values.map(|value| OsString::from_vec(value.to_vec())).next()
    }

    /// Its program and arguments.
    pub fn arguments(&self) -> Vec<OsString> {
        let line = std::fs::read(self.file("cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).map(|word| OsStr::from_bytes(word).to_owned()).collect()
    }

    fn file(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{name}", self.id))
    }
}

/// Every living process of the user of this one.
pub fn own_processes() -> Vec<Process> {
    let user = current_user_id();
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbered = entries.filter_map(|entry| {
        let id: u32 = entry.file_name().to_str()?.parse().ok()?;
        (entry.metadata().ok()?.uid() == user).then_some(id)
    });
    numbered.filter_map(living).collect()
}

fn living(id: u32) -> Option<Process> {
    let stat = std::fs::read(format!("/proc/{id}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    // The name stands in parentheses and may hold some itself.
    let (before, after) = stat.rsplit_once(") ")?;
    let name = before.split_once('(')?.1.to_owned();
    // Dead, and not yet waited for.
    if after.starts_with(['Z', 'X']) { None } else { Some(Process { id, name }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_found_with_what_it_was_started_with() {
        let id = std::process::id();
        let own = own_processes().into_iter().find(|process| process.id == id).expect("it lives");
        let arguments: Vec<_> = std::env::args_os().collect();
        assert_eq!(own.arguments()[..arguments.len()], arguments);
        assert_eq!(own.variable("PATH"), std::env::var_os("PATH"));
        assert_eq!(own.variable("PAT"), None);
    }

    #[test]
    fn the_dead_are_not_living() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while living(child.id()).is_some() {
            assert!(std::time::Instant::now() < deadline);
            std::thread::yield_now();
        }
        child.wait().unwrap();
    }
}
