//! Where the library is that these tests were built with.

use std::path::PathBuf;

/// The folder of the test programs: cargo puts `libpunktfunk.so` beside them.
pub fn folder() -> PathBuf {
    let program = std::env::current_exe().expect("program");
    program.parent().expect("folder").to_owned()
}
