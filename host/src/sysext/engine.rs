//! The rules: which release is taken, tried, kept, undone. No files and no programs here.
//!
//! The order of the steps is what makes them safe. A release on trial is only laid, which
//! the next boot forgets; it becomes current after it was healthy; images are thrown away
//! last. So whenever the machine stops, it starts a release that worked.

use serde::Serialize;

use super::releases::Releases;
use super::system::{Kept, Notes, Skipped, System};
use super::{Progress, SysextError, Version};

/// Trials that may end with the machine before a release is not tried any more: a power
/// failure is not the release's fault, two are suspicious.
const UNFINISHED: u32 = 2;

/// What the owner wants.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// This release and no other, be it older or skipped.
    pub version: Option<Version>,
    /// Also releases that were skipped.
    pub retry: bool,
    /// Only look.
    pub look: bool,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "outcome")]
pub enum Outcome {
    /// Another release is active and kept.
    Changed {
        /// What was active.
        from: Option<Version>,
        /// What is.
        to: Version,
    },
    /// There is nothing newer.
    UpToDate {
        /// What is active.
        version: Version,
    },
    /// There is something newer, and it was only looked at.
    Available {
        /// What is current.
        from: Option<Version>,
        /// What could be.
        to: Version,
    },
    /// Nothing of it is left.
    Removed,
}

/// What is where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Seen in `/usr`.
    pub active: Option<Version>,
    /// Started at boot.
    pub current: Option<Version>,
    /// What one can go back to.
    pub previous: Option<Version>,
    /// What keeps it off.
    pub switched_off: Option<String>,
    /// Who plays.
    pub streaming: Option<String>,
    /// Sources, and releases that are not taken by themselves.
    #[serde(flatten)]
    pub notes: Notes,
}

/// Says what is where.
pub fn status<S: System>(system: &S) -> Result<Status, SysextError> {
    let current = system.kept(Kept::Current)?;
    Ok(Status {
        active: system.active(),
        previous: system.kept(Kept::Previous)?.filter(|previous| Some(previous) != current.as_ref()),
        current,
        switched_off: system.switched_off(),
        streaming: system.streaming(),
        notes: system.notes()?,
    })
}

/// Takes the newest release, or the one that is wished, and makes the system start it at
/// boot.
pub fn install<S: System>(
    system: &mut S,
    releases: &mut dyn Releases,
    wish: &Wish,
    say: &mut dyn FnMut(Progress),
) -> Result<Outcome, SysextError> {
    let outcome = take(system, releases, wish, say)?;
    let Outcome::UpToDate { version } = &outcome else { return Ok(outcome) };
    if wish.look {
        return Ok(outcome);
    }
    // It may be current and yet not active: unmerged for an update of the system.
    let version = version.clone();
    if system.active().as_ref() != Some(&version) {
        may_change(system)?;
        try_out(system, &version, say)?;
    }
    system.settle()?;
    Ok(outcome)
}

/// Takes the newest release, or the one that is wished, in place of the one that is there.
pub fn update<S: System>(
    system: &mut S,
    releases: &mut dyn Releases,
    wish: &Wish,
    say: &mut dyn FnMut(Progress),
) -> Result<Outcome, SysextError> {
    if system.kept(Kept::Current)?.is_none() {
        return Err(SysextError::NotInstalled);
    }
    take(system, releases, wish, say)
}

/// Goes back to the release before.
pub fn rollback<S: System>(system: &mut S, say: &mut dyn FnMut(Progress)) -> Result<Outcome, SysextError> {
    let current = system.kept(Kept::Current)?.ok_or(SysextError::NotInstalled)?;
    let previous = system.kept(Kept::Previous)?.filter(|previous| *previous != current);
    let previous = previous.ok_or(SysextError::NoPrevious)?;
    may_change(system)?;
    undo_unfinished(system)?;
    try_out(system, &previous, say)?;
    let mut notes = system.notes()?;
    notes.skipped.insert(current.clone(), Skipped::RolledBack);
    system.note(&notes)?;
    Ok(Outcome::Changed { from: Some(current), to: previous })
}

/// Takes everything away.
pub fn remove<S: System>(system: &mut S, say: &mut dyn FnMut(Progress)) -> Result<Outcome, SysextError> {
    let images = system.images()?;
    if images.is_empty() && system.active().is_none() {
        return Err(SysextError::NotInstalled);
    }
    if let Some(who) = system.streaming() {
        return Err(SysextError::Streaming(who));
    }
    unmerge(system, say)?;
    say(Progress::Step("removing the images".to_owned()));
    // The link first: a link to an image that is gone would be started at boot in vain.
    system.keep(Kept::Current, None)?;
    system.keep(Kept::Previous, None)?;
    for image in &images {
        system.discard(image)?;
    }
    system.leave()?;
    Ok(Outcome::Removed)
}

/// Ends the hosts and lays nothing over `/usr` until the next boot: before the system
/// below is updated. It does not ask who plays: the system's update has begun.
pub fn unmerge<S: System>(system: &mut S, say: &mut dyn FnMut(Progress)) -> Result<(), SysextError> {
    say(Progress::Step("stopping the hosts".to_owned()));
    // A host that does not end must not keep the rest from happening.
    let quiet = system.quiet(true);
    say(Progress::Step("uncovering /usr".to_owned()));
    system.lay(None)?;
    system.refresh()?;
    quiet
}

fn take<S: System>(
    system: &mut S,
    releases: &mut dyn Releases,
    wish: &Wish,
    say: &mut dyn FnMut(Progress),
) -> Result<Outcome, SysextError> {
    say(Progress::Step("asking for releases".to_owned()));
    let current = system.kept(Kept::Current)?;
    let offered = releases.list()?;
    let Some(to) = choose(&offered, current.as_ref(), &system.notes()?, wish)? else {
        return match current {
            Some(version) => Ok(Outcome::UpToDate { version }),
            None => Err(SysextError::NoSuchRelease("a release that was not skipped".to_owned())),
        };
    };
    if wish.look {
        return Ok(Outcome::Available { from: current, to });
    }
    if let Some(what) = system.switched_off() {
        return Err(SysextError::SwitchedOff(what));
    }
    if !system.images()?.contains(&to) {
        tidy(system)?;
        say(Progress::Step(format!("fetching {to}")));
        releases.bring(&to, say)?;
    }
    may_change(system)?;
    undo_unfinished(system)?;
    try_out(system, &to, say)?;
    system.settle()?;
    Ok(Outcome::Changed { from: current, to })
}

/// The release to take; none when there is nothing newer.
fn choose(
    offered: &[Version],
    current: Option<&Version>,
    notes: &Notes,
    wish: &Wish,
) -> Result<Option<Version>, SysextError> {
    if let Some(wanted) = &wish.version {
        if !offered.contains(wanted) {
            return Err(SysextError::NoSuchRelease(wanted.to_string()));
        }
        return Ok(Some(wanted.clone()).filter(|wanted| Some(wanted) != current));
    }
    let fit = |version: &&Version| {
        let tried = notes.unfinished.get(*version).copied().unwrap_or_default();
        wish.retry || (!notes.skipped.contains_key(*version) && tried < UNFINISHED)
    };
    let newest = offered.iter().filter(fit).max();
    Ok(newest.filter(|version| current.is_none_or(|current| *version > current)).cloned())
}

fn may_change<S: System>(system: &S) -> Result<(), SysextError> {
    if let Some(what) = system.switched_off() {
        return Err(SysextError::SwitchedOff(what));
    }
    match system.streaming() {
        Some(who) => Err(SysextError::Streaming(who)),
        None => Ok(()),
    }
}

/// A run that was killed may have left a release on trial.
fn undo_unfinished<S: System>(system: &mut S) -> Result<(), SysextError> {
    let current = system.kept(Kept::Current)?;
    if system.laid().is_some() && system.laid() != current {
        system.lay(current.as_ref())?;
    }
    Ok(())
}

/// Lays a release over `/usr`, keeps it when it is healthy, else goes back.
fn try_out<S: System>(
    system: &mut S,
    to: &Version,
    say: &mut dyn FnMut(Progress),
) -> Result<(), SysextError> {
    let current = system.kept(Kept::Current)?;
    let mut notes = system.notes()?;
    *notes.unfinished.entry(to.clone()).or_default() += 1;
    system.note(&notes)?;
    say(Progress::Step(format!("trying {to}")));
    let outcome = bring_up(system, to);
    notes.unfinished.remove(to);
    if let Err(why) = outcome {
        say(Progress::Step(format!("{to} does not work: going back")));
        // One that worked before is not to blame when it does not now.
        if current.as_ref() != Some(to) {
            notes.skipped.insert(to.clone(), Skipped::Unhealthy(why.clone()));
        }
        let noted = system.note(&notes);
        // Not before another one is active; it is fetched again when the owner insists.
        let back = go_back(system, current.as_ref()).and_then(|()| tidy(system));
        return Err(match back.and(noted) {
            Ok(()) => SysextError::Undone { version: to.clone(), why, back: current },
            Err(problem) => SysextError::Stuck { version: to.clone(), why, problem: problem.to_string() },
        });
    }
    if current.as_ref() != Some(to) {
        system.keep(Kept::Previous, current.as_ref())?;
        system.keep(Kept::Current, Some(to))?;
    }
    notes.skipped.remove(to);
    system.note(&notes)?;
    tidy(system)
}

fn bring_up<S: System>(system: &mut S, to: &Version) -> Result<(), String> {
    system.quiet(false).map_err(|error| error.to_string())?;
    system.lay(Some(to)).map_err(|error| error.to_string())?;
    system.refresh().map_err(|error| error.to_string())?;
    if system.active().as_ref() != Some(to) {
        return Err("this system does not take it as an extension (another processor, or damaged)".to_owned());
    }
    system.wake().map_err(|error| error.to_string())?;
    system.check(to)
}

fn go_back<S: System>(system: &mut S, to: Option<&Version>) -> Result<(), SysextError> {
    // What runs now is of the release that does not work; it may not even end well.
    let quiet = system.quiet(false);
    system.lay(to)?;
    system.refresh()?;
    if to.is_some() {
        system.wake()?;
    }
    if system.active().as_ref() != to {
        quiet?;
        return Err(SysextError::NotBack);
    }
    Ok(())
}

/// Keeps the two releases that count, and the one that is laid.
fn tidy<S: System>(system: &mut S) -> Result<(), SysextError> {
    let kept = [system.kept(Kept::Current)?, system.kept(Kept::Previous)?, system.active()];
    for image in system.images()? {
        if !kept.contains(&Some(image.clone())) {
            system.discard(&image)?;
        }
    }
    Ok(())
}
