//! A seat for X11: started, and shells in it typed into.

use std::ffi::OsStr;
use std::path::Path;
use std::time::{Duration, Instant};

pub use punktfunk_seat_stage::{LEFT, Seat, command, count, directory, lacks, pixel, wait_for};

/// A seat whose `PATH` begins with `path`.
pub fn start(name: &str, size: (u32, u32), path: &Path) -> Seat {
    let mut paths = path.as_os_str().to_owned();
    paths.push(":");
    paths.push(std::env::var_os("PATH").unwrap());
    start_in(name, size, &paths)
}

/// A seat with this `PATH`.
pub fn start_in(name: &str, size: (u32, u32), path: &OsStr) -> Seat {
    let directory = directory(&format!("x-{name}"));
    let mut command = command(env!("CARGO_BIN_EXE_punktfunk-seat"), &directory, size);
    command.arg("--no-sound").env("PATH", path);
    Seat::start(&mut command, directory, size)
}

pub fn plain(name: &str, size: (u32, u32)) -> Seat {
    start(name, size, Path::new("/usr/bin"))
}

pub const NAVY: [u8; 3] = [0, 0, 0x80];
pub const TERMINAL: [&str; 7] = ["xterm", "-bg", "navy", "-fg", "white", "-e", "sh"];

/// Waits until a shell runs what is typed: windows need a moment until they take keys.
pub fn shell_is_ready(seat: &Seat) {
    let file = seat.file("ready");
    let mut asked = Instant::now();
    seat.text(&format!(": > {}\n", file.display()));
    wait_for("a shell", || {
        if asked.elapsed() > Duration::from_secs(3) {
            asked = Instant::now();
            // What arrived of the line before must not spoil this one.
            for (code, down) in [(29, true), (46, true), (46, false), (29, false)] {
                seat.press(code, down);
            }
            seat.text(&format!(": > {}\n", file.display()));
        }
        file.exists().then_some(())
    });
    std::fs::remove_file(file).unwrap();
}

/// Runs a command in the shell that has the keys; what it prints.
pub fn shell(seat: &Seat, command: &str) -> String {
    seat.text(&format!("{{ {command}; }} > {0}- && mv {0}- {0}\n", seat.file("said").display()));
    let file = seat.file("said");
    wait_for(command, || file.exists().then_some(()));
    let said = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(file).unwrap();
    said
}

/// The number of this seat's X server.
pub fn display(seat: &Seat) -> u32 {
    let file = seat.file("display");
    seat.launch(&["sh", "-c", &format!("echo $DISPLAY > {0}- && mv {0}- {0}; sleep 1000", file.display())]);
    seat.line("display").trim().strip_prefix(':').unwrap().parse().unwrap()
}
