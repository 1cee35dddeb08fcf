//! `punktfunk-host update`: the newest release, however this machine got punktfunk: as a system
//! extension, or as one image with the system. What came of it is written down for the console.

use std::path::Path;

use serde_json::json;

use super::sysext;
use super::sysext::{Exit, Teller};
use crate::platform::current_user_id;
use crate::sysext::{Outcome, SysextError};
use crate::update::image::{self, ImageError};
use crate::update::{self, Told, UpdateState};

/// What brings images; found where the system keeps its programs.
const BOOTC: &str = "/usr/bin/bootc";

pub(super) fn run(look: bool, json: bool) -> anyhow::Result<u8> {
    if current_user_id() != 0 {
        let why = SysextError::System { what: "this".to_owned(), why: "it takes root: use sudo".to_owned() };
        sysext::complain(&why, json);
        return Ok(Exit::Refused as u8);
    }
    let (told, exit) = if sysext::is_installed() {
        extension(look, json)
    } else if image::is_one(Path::new("/")) {
        whole_system(look)
    } else {
        let detail = "It came as a package: updates of the system bring newer ones.";
        (Told::plain(UpdateState::Unmanaged, detail), Exit::NotInstalled)
    };
    write(&told);
    say(&told, exit, json)?;
    Ok(exit as u8)
}

/// The owner changed the extension by hand: the console shows that, too.
pub(super) fn note(outcome: &Outcome) {
    write(&Told { channel: sysext::source(), ..told(Ok(outcome.clone())) });
}

fn write(told: &Told) {
    // A console that shows something older is no reason to fail.
    if let Err(error) = told.write(Path::new(update::FILE)) {
        eprintln!("punktfunk-host: {}: {error}", update::FILE);
    }
}

fn extension(look: bool, json: bool) -> (Told, Exit) {
    let outcome = sysext::update(look, &mut Teller::new(json));
    let exit = outcome.as_ref().map_or_else(|error| sysext::exit_of(error).0, |_| Exit::Done);
    (Told { channel: sysext::source(), ..told(outcome) }, exit)
}

/// What came of an update of the extension, in words.
fn told(outcome: Result<Outcome, SysextError>) -> Told {
    match outcome {
        Ok(Outcome::UpToDate { version }) => {
            Told::plain(UpdateState::None, format!("{version} is the newest release."))
        }
        Ok(Outcome::Changed { to, .. }) => {
            Told::plain(UpdateState::None, format!("{to} was just installed."))
        }
        Ok(Outcome::Available { to, .. }) => {
            Told::plain(UpdateState::Available, format!("{to} is there.")).with(to.to_string())
        }
        Ok(Outcome::Removed) => Told::plain(UpdateState::Unmanaged, "Nothing is laid over the system."),
        Err(error @ (SysextError::NoSource | SysextError::SwitchedOff(_))) => {
            Told::plain(UpdateState::Unmanaged, sentence(&error))
        }
        Err(error @ (SysextError::Streaming(_) | SysextError::AtWork)) => {
            Told::plain(UpdateState::Available, sentence(&error))
        }
        Err(SysextError::Undone { version, why, back }) => {
            let detail = SysextError::Undone { version: version.clone(), why, back };
            Told::plain(UpdateState::Failed, sentence(&detail)).with(version.to_string())
        }
        Err(error) => Told::plain(UpdateState::Failed, sentence(&error)),
    }
}

fn whole_system(look: bool) -> (Told, Exit) {
    match image::update(Path::new(BOOTC), look, &sysext::streaming) {
        Ok(found) if found.waits => (found.told, Exit::Busy),
        Ok(found) => (found.told, Exit::Done),
        Err(error @ ImageError::NotBooted) => {
            (Told::plain(UpdateState::Unmanaged, sentence(&error)), Exit::NotInstalled)
        }
        Err(error) => (Told::plain(UpdateState::Failed, sentence(&error)), Exit::Failed),
    }
}

/// An error as a sentence of its own.
fn sentence(error: &dyn std::error::Error) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

fn say(told: &Told, exit: Exit, json: bool) -> anyhow::Result<()> {
    if json {
        println!("{}", serde_json::to_string(&json!(told))?);
    } else if exit == Exit::Done {
        println!("{}", told.detail);
    } else {
        eprintln!("punktfunk-host: {}", told.detail);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_of_it_is_told_in_words() {
        let version = || "1.2.3".parse().unwrap();
        let told = |outcome| {
            let told = told(outcome);
            (told.state, told.available.map(|available| available.version), told.detail)
        };
        let changed = told(Ok(Outcome::Changed { from: None, to: version() }));
        assert_eq!((changed.0, changed.1), (UpdateState::None, None));
        let there = told(Ok(Outcome::Available { from: None, to: version() }));
        assert_eq!((there.0, there.1.as_deref()), (UpdateState::Available, Some("1.2.3")));
        let busy = told(Err(SysextError::Streaming("\"tv\" plays".to_owned())));
        assert_eq!(busy.0, UpdateState::Available);
        assert!(busy.2.starts_with("\"tv\" plays"), "{}", busy.2);
        let undone = told(Err(SysextError::Undone { version: version(), why: "why".to_owned(), back: None }));
        assert_eq!((undone.0, undone.1.as_deref()), (UpdateState::Failed, Some("1.2.3")));
        let nowhere = told(Err(SysextError::NoSource));
        assert_eq!(nowhere.0, UpdateState::Unmanaged);
        assert!(nowhere.2.starts_with("It is not known") && nowhere.2.ends_with('.'), "{}", nowhere.2);
    }
}
