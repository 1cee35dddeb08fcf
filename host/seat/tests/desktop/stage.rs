//! The real program in a folder of its own, for tests of the desktop.

use std::path::PathBuf;

pub use punktfunk_seat_stage::{LEFT, Process, Seat, WAIT, installed, lacks, pixel, save, wait_for, written};
use punktfunk_seat_stage::{command, directory};

/// Keys by their codes.
pub mod key {
    pub const ESCAPE: u16 = 1;
    pub const TAB: u16 = 15;
    pub const RETURN: u16 = 28;
    pub const SHIFT: u16 = 42;
    pub const ALT: u16 = 56;
    pub const F4: u16 = 62;
    pub const SUPER: u16 = 125;
}

/// A folder of this test.
pub fn folder(name: &str) -> PathBuf {
    let folder = directory(&format!("d-{name}"));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Starts a seat without sound, in a folder where its test may keep files.
pub fn start(name: &str, size: (u32, u32), env: &[(&str, &str)]) -> Seat {
    let folder = folder(name);
    let directory = folder.join("seat");
    let mut command = command(env!("CARGO_BIN_EXE_punktfunk-seat"), &directory, size);
    command.arg("--no-sound").envs(env.iter().copied());
    Seat { folder, ..Seat::start(&mut command, directory, size) }
}

/// The `DISPLAY` of the seat.
pub fn display(seat: &Seat) -> String {
    let word = |pid: &u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line);
        line.split('\0').find(|word| word.starts_with(':')).map(str::to_owned)
    };
    wait_for("Xwayland", || seat.named("Xwayland").iter().find_map(word))
}
