//! Runs punktfunk-host; the work is in the library.

use std::process::ExitCode;

use punktfunk_host::{cli, wiring};

fn main() -> ExitCode {
    ExitCode::from(cli::run(Box::new(wiring::assemble)))
}
