//! Whether a release works on this machine, said by the release itself: it runs its own
//! programs, so that a library that is missing or too new shows before it is kept.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::{Version, boot};
use crate::platform;
use crate::platform::command::must;

/// What belongs to a host, beside it.
const PROGRAMS: [&str; 2] = ["punktfunk-seat", "punktfunk-inputd"];
/// Longest a program may take to say its version.
const LIMIT: Duration = Duration::from_secs(20);

/// Where an extension says what it is, below `/usr`.
pub(super) const RELEASE: &str = "lib/extension-release.d/extension-release.punktfunk";
/// The field of that file with our version.
pub(super) const FIELD: &str = "PUNKTFUNK_VERSION";

/// The release this program belongs to: what the file beside it says, which counts builds
/// of one version, else its version.
fn own() -> Option<Version> {
    let said = platform::program_beside("release").and_then(|file| platform::read_bounded(&file, 256, false));
    match said {
        Ok(bytes) => String::from_utf8(bytes).ok()?.trim().parse().ok(),
        Err(_) => env!("CARGO_PKG_VERSION").parse().ok(),
    }
}

/// Which release is laid over this `/usr`.
pub(super) fn active(usr: &Path) -> Option<Version> {
    let bytes = platform::read_bounded(&usr.join(RELEASE), 4096, true).ok()?;
    boot::release_value(&String::from_utf8(bytes).ok()?, FIELD)?.parse().ok()
}

/// What does not work of the release this program belongs to; nothing when it is healthy.
pub fn check(usr: &Path) -> Vec<String> {
    let mut problems = Vec::new();
    let (own, active) = (own(), active(usr));
    if active != own || own.is_none() {
        let told = |version: Option<Version>| version.map_or_else(|| "none".to_owned(), |it| it.to_string());
        problems.push(format!(
            "release {} is laid over /usr, this program is of {}",
            told(active),
            told(own)
        ));
    }
    for name in PROGRAMS {
        let said = platform::program_beside(name)
            .map_err(|error| error.to_string())
            .and_then(|program| must(Command::new(program).arg("--version"), LIMIT));
        match said {
            Ok(said) if said.trim() == format!("{name} {}", env!("CARGO_PKG_VERSION")) => {}
            Ok(said) => problems.push(format!("{name} is of another release: {}", said.trim())),
            Err(why) => problems.push(format!("{name} does not run: {why}")),
        }
    }
    problems
}
