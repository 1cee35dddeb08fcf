//! Processes: those that tests start, and those that a seat has started.

use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::process::Child;

/// A process that is killed when this is dropped.
#[derive(Debug)]
pub struct Process(Child);

impl From<Child> for Process {
    fn from(child: Child) -> Self {
        Self(child)
    }
}

impl Deref for Process {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl DerefMut for Process {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // After a failed test; the guard of a seat ends what it started.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Processes with this variable, `NAME=value`, in their environment: their folders in `/proc`.
pub fn marked(mark: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let carries = |path: &PathBuf| {
        let environment = std::fs::read(path.join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
    };
    entries.filter(carries).collect()
}
