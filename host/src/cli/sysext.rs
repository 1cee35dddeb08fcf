//! `punktfunk-host sysext`: the system extension from the command line. Exit statuses are
//! a contract (`docs/install/sysext.md`).

use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use super::args::{SysextAction, SysextWish};
use super::ctl::http;
use crate::platform::{current_user_id, read_bounded};
use crate::sysext::{
    self, Kept, Machine, Outcome, Progress, Remote, Roots, Source, Status, SysextError, System as _, Trust,
    Wish,
};

/// How long a running host may take to say who plays.
const SILENCE: Duration = Duration::from_secs(20);
/// Most bytes of that answer.
const MAX_ANSWER: u64 = 8 << 20;

/// How a command ended; the numbers are promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Exit {
    Done = 0,
    Failed = 1,
    NotInstalled = 3,
    Refused = 4,
    NoRelease = 5,
    Busy = 6,
    SwitchedOff = 7,
    Undone = 8,
}

pub(super) fn run(action: &SysextAction, json: bool) -> anyhow::Result<u8> {
    let exit = match action {
        SysextAction::Check => return check(),
        SysextAction::Status => {
            let machine = Machine::to_look(Roots::of_this_machine(), who_plays);
            match sysext::status(&machine) {
                Ok(status) => show(&status, json)?,
                Err(error) => complain(&error, json),
            }
        }
        _ if current_user_id() != 0 => {
            let why =
                SysextError::System { what: "this".to_owned(), why: "it takes root: use sudo".to_owned() };
            complain(&why, json);
            Exit::Refused
        }
        changing => match change(changing, &mut Teller::new(json)) {
            Ok(outcome) => {
                super::update::note(&outcome);
                told(&outcome, json)?
            }
            Err(error) => complain(&error, json),
        },
    };
    Ok(exit as u8)
}

/// Whether this machine has punktfunk as an extension.
pub(super) fn is_installed() -> bool {
    let machine = Machine::to_look(Roots::of_this_machine(), who_plays);
    machine.kept(Kept::Current).is_ok_and(|current| current.is_some())
}

/// Where its releases come from, when that was ever said.
pub(super) fn source() -> Option<String> {
    Machine::to_look(Roots::of_this_machine(), who_plays).notes().ok()?.source
}

/// Who plays on this machine, if somebody does.
pub(super) fn streaming() -> Option<String> {
    Machine::to_look(Roots::of_this_machine(), who_plays).streaming()
}

/// Brings the newest release, or only looks.
pub(super) fn update(look: bool, teller: &mut Teller) -> Result<Outcome, SysextError> {
    let wish = SysextWish { from: None, version: None, retry: false, look };
    change(&SysextAction::Update(wish), teller)
}

fn change(action: &SysextAction, teller: &mut Teller) -> Result<Outcome, SysextError> {
    let mut machine = Machine::to_change(Roots::of_this_machine(), who_plays)?;
    let mut say = |progress: Progress| teller.tell(&progress);
    match action {
        SysextAction::Install(wish) => {
            let mut releases = releases(&mut machine, wish)?;
            sysext::install(&mut machine, &mut releases, &wanted(wish), &mut say)
        }
        SysextAction::Update(wish) => {
            let mut releases = releases(&mut machine, wish)?;
            sysext::update(&mut machine, &mut releases, &wanted(wish), &mut say)
        }
        SysextAction::Rollback => sysext::rollback(&mut machine, &mut say),
        SysextAction::Remove => sysext::remove(&mut machine, &mut say),
        SysextAction::Unmerge | SysextAction::Status | SysextAction::Check => {
            sysext::unmerge(&mut machine, &mut say).map(|()| Outcome::Removed)
        }
    }
}

fn wanted(wish: &SysextWish) -> Wish {
    Wish { version: wish.version.clone(), retry: wish.retry, look: wish.look }
}

/// The releases of the place that is named, was named before, or is this release's own.
fn releases(machine: &mut Machine, wish: &SysextWish) -> Result<Remote, SysextError> {
    let own = own_folder();
    let mut notes = machine.notes()?;
    let shipped = || {
        let bytes = read_bounded(&own.join("release-source"), 4096, true).ok()?;
        String::from_utf8(bytes).ok().map(|text| text.trim().to_owned())
    };
    let text = wish.from.clone().or_else(|| notes.source.clone()).or_else(shipped);
    let text = text.ok_or(SysextError::NoSource)?;
    let source: Source = text.parse()?;
    let trust = Trust::load(&[own.join("trust"), PathBuf::from("/etc/punktfunk/trust")])?;
    let releases = Remote::open(&source, trust, machine.shelf())?;
    if notes.source.as_ref() != Some(&text) {
        notes.source = Some(text);
        machine.note(&notes)?;
    }
    Ok(releases)
}

/// The folder of this program: `/usr/lib/punktfunk`, or the same in an image that is
/// mounted to install it.
fn own_folder() -> PathBuf {
    let program = std::env::current_exe().ok();
    let folder = program.as_deref().and_then(Path::parent).map(Path::to_owned);
    folder.unwrap_or_else(|| PathBuf::from("/usr/lib/punktfunk"))
}

fn check() -> anyhow::Result<u8> {
    let problems = sysext::check(Path::new("/usr"));
    for problem in &problems {
        eprintln!("punktfunk-host: {problem}");
    }
    Ok(u8::from(!problems.is_empty()))
}

/// Who plays at the host with this socket, or why it cannot be known; none when nobody
/// does or no host is there.
fn who_plays(socket: &Path) -> Option<String> {
    let ask = http::Ask { method: "GET".into(), target: "/api/v1/sessions".into(), body: None };
    let answer = http::ask_within(socket, &ask, Some(SILENCE)).and_then(|answer| {
        let mut body = Vec::new();
        answer.body.take(MAX_ANSWER).read_to_end(&mut body)?;
        Ok((answer.status, body))
    });
    match answer {
        Ok((200, body)) => match serde_json::from_slice(&body) {
            Ok(sessions) => playing(&sessions),
            Err(error) => Some(format!("a host's answer is odd ({error}): stop it")),
        },
        Ok((status, _)) => Some(format!("a host does not say who plays ({status}): stop it")),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => None,
            _ => Some(format!("a host could not be asked who plays ({error}): stop it")),
        },
    }
}

fn playing(sessions: &Value) -> Option<String> {
    let Some(sessions) = sessions["sessions"].as_array() else {
        return Some("a host's answer is odd (no sessions): stop it".to_owned());
    };
    // What only waits for its player goes on when the host was replaced.
    let session = sessions.iter().find(|session| session["state"] != "away")?;
    let name = session["device"]["name"].as_str().unwrap_or("somebody");
    Some(format!("{name:?} plays"))
}

/// Tells progress: lines for people, or lines of JSON.
pub(super) struct Teller {
    json: bool,
    /// Hundredths of an image that were told.
    told: Option<u64>,
}

impl Teller {
    pub(super) fn new(json: bool) -> Self {
        Self { json, told: None }
    }

    fn tell(&mut self, progress: &Progress) {
        match progress {
            Progress::Step(step) if self.json => eprintln!("{}", json!({ "step": step })),
            Progress::Step(step) => eprintln!("{step}"),
            Progress::Bytes(have, whole) => {
                let part = whole.filter(|whole| *whole > 0).map_or(have >> 20, |whole| have * 100 / whole);
                if self.told.replace(part) == Some(part) {
                    return;
                }
                if self.json {
                    eprintln!("{}", json!({ "bytes": have, "of": whole }));
                } else if io::stderr().is_terminal() {
                    let of = whole.map_or_else(String::new, |whole| format!(" of {}", whole >> 20));
                    eprint!("\r  {}{of} MiB ", have >> 20);
                    if Some(*have) == *whole {
                        eprintln!();
                    }
                    let _ = io::stderr().flush();
                }
            }
        }
    }
}

fn told(outcome: &Outcome, json: bool) -> anyhow::Result<Exit> {
    if json {
        println!("{}", serde_json::to_string(outcome)?);
        return Ok(Exit::Done);
    }
    match outcome {
        Outcome::Changed { from: Some(from), to } => println!("{to} is active; {from} is kept"),
        Outcome::Changed { from: None, to } => println!("{to} is active"),
        Outcome::UpToDate { version } => println!("{version} is active; there is nothing newer"),
        Outcome::Available { from: Some(from), to } => println!("{to} is there; {from} is installed"),
        Outcome::Available { from: None, to } => println!("{to} is there; nothing is installed"),
        Outcome::Removed => println!("nothing is laid over /usr"),
    }
    Ok(Exit::Done)
}

fn show(status: &Status, json: bool) -> anyhow::Result<Exit> {
    if json {
        println!("{}", serde_json::to_string_pretty(status)?);
        return Ok(if status.current.is_none() { Exit::NotInstalled } else { Exit::Done });
    }
    let named = |version: &Option<sysext::Version>| {
        version.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string)
    };
    println!("active     {}", named(&status.active));
    println!("at boot    {}", named(&status.current));
    println!("previous   {}", named(&status.previous));
    for (what, why) in [("off by", &status.switched_off), ("in use", &status.streaming)] {
        if let Some(why) = why {
            println!("{what:<10} {why}");
        }
    }
    if let Some(source) = &status.notes.source {
        println!("from       {source}");
    }
    for (version, skipped) in &status.notes.skipped {
        let why = match skipped {
            sysext::Skipped::Unhealthy(why) => why,
            sysext::Skipped::RolledBack => "you went back from it",
        };
        println!("skipped    {version}: {why}");
    }
    Ok(if status.current.is_none() { Exit::NotInstalled } else { Exit::Done })
}

pub(super) fn complain(error: &SysextError, json: bool) -> Exit {
    let (exit, code) = exit_of(error);
    if json {
        eprintln!("{}", json!({ "error": { "code": code, "message": error.to_string() } }));
    } else {
        eprintln!("punktfunk-host: {error}");
    }
    exit
}

pub(super) fn exit_of(error: &SysextError) -> (Exit, &'static str) {
    match error {
        SysextError::NotInstalled | SysextError::NoPrevious => (Exit::NotInstalled, "not-installed"),
        SysextError::Trust(_) | SysextError::Damaged(_) => (Exit::Refused, "refused"),
        SysextError::NoSource | SysextError::NoSuchRelease(_) | SysextError::Source(_) => {
            (Exit::NoRelease, "no-release")
        }
        SysextError::Streaming(_) | SysextError::AtWork => (Exit::Busy, "busy"),
        SysextError::SwitchedOff(_) => (Exit::SwitchedOff, "switched-off"),
        SysextError::Undone { .. } => (Exit::Undone, "undone"),
        _ => (Exit::Failed, "failed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_sees_a_stream_plays() {
        let nobody = json!({ "sessions": [{ "state": "away", "device": { "name": "tv" } }] });
        assert_eq!(playing(&nobody), None);
        let somebody =
            json!({ "sessions": [{ "state": "away" }, { "state": "playing", "device": { "name": "tv" } }] });
        assert_eq!(playing(&somebody).as_deref(), Some("\"tv\" plays"));
        assert!(playing(&json!({})).is_some(), "what is not understood counts as somebody");
    }

    #[test]
    fn a_host_that_is_not_there_has_no_players() {
        assert_eq!(who_plays(Path::new("/nonexistent/api-1.sock")), None);
    }
}
