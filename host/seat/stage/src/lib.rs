//! What the tests of the seat share: the real program in a folder of its own, a host's
//! connection to it, what a person does there, and its end with everything it started.
//!
//! It serves tests, so what cannot be is a panic here; nothing that is shipped uses it. It
//! knows no program that a test shows on a seat: those are each test's own.
#![forbid(unsafe_code)]

mod picture;
mod process;
mod seat;

use std::path::Path;
use std::time::{Duration, Instant};

pub use picture::{count, pixel, save};
pub use process::{Process, marked};
pub use seat::{LEFT, RIGHT, Seat, command, connect, directory};

/// How long anything may take on a busy machine.
pub const WAIT: Duration = Duration::from_secs(60);

/// Asks until there is an answer; fails the test when there is none in time.
pub fn wait_for<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(start.elapsed() < WAIT, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// True when there is a program of this name on the `PATH`.
pub fn installed(program: &str) -> bool {
    std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).any(|d| d.join(program).is_file())
}

/// True when the test must be left out, which it says: one of these programs is missing.
pub fn lacks(test: &str, programs: &[&str]) -> bool {
    let missing = programs.iter().find(|program| !installed(program));
    if let Some(program) = missing {
        println!("SKIPPED {test}: {program} is not installed");
    }
    missing.is_some()
}

/// What is in a file, once the last line there is whole.
pub fn written(what: &str, file: &Path) -> String {
    wait_for(what, || std::fs::read_to_string(file).ok().filter(|text| text.ends_with('\n')))
}
