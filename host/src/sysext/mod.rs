//! The system extension: releases of punktfunk as one image that systemd lays over `/usr`.
//!
//! Brings releases (signed lists of hashes, resumed downloads), tries one out, keeps it
//! when it is healthy and goes back when it is not. A release on trial is named only in
//! `/run`: a machine that loses its power meanwhile boots the one that was kept. What the
//! rules ask of a machine is the trait [`System`]; [`Machine`] is a real one. Called by the
//! command line as root; not by the host, which only says whether somebody plays.

mod boot;
mod check;
mod engine;
mod https;
mod machine;
mod names;
mod releases;
mod source;
mod system;
mod trust;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

pub use check::check;
pub use engine::{Outcome, Status, Wish, install, remove, rollback, status, unmerge, update};
pub use machine::{Machine, Roots};
pub use names::{Version, architecture, image_name};
pub use releases::{Releases, Remote};
pub use source::{Source, SourceError};
pub use system::{Kept, Notes, Skipped, System};
pub use trust::{Trust, TrustError};

/// What is told while something takes its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// What is done now.
    Step(String),
    /// How much of an image is here, bytes, and how much it is when that is known.
    Bytes(u64, Option<u64>),
}

/// Why a release was not installed, updated, rolled back or removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SysextError {
    /// Nothing of it is here.
    #[error("no release is installed; `punktfunk-host sysext install --from ADDRESS` installs one")]
    NotInstalled,
    /// Neither an argument nor an earlier run said where releases come from.
    #[error("it is not known where releases come from: name it with --from")]
    NoSource,
    /// There is no older release here.
    #[error("there is no older release to go back to")]
    NoPrevious,
    /// The source has no such release.
    #[error("{0} is not among the releases for this machine")]
    NoSuchRelease(String),
    /// Somebody plays.
    #[error("{0}; try again when nobody plays, nothing was changed")]
    Streaming(String),
    /// Another run has the lock.
    #[error("another `punktfunk-host sysext` is at work; wait for it")]
    AtWork,
    /// The owner keeps it off.
    #[error("it is switched off by {0}; take that away first")]
    SwitchedOff(String),
    /// The release was tried and did not work; what was there before is there again.
    #[error("{version} was undone: {why}; {}", told_back(.back.as_ref()))]
    Undone {
        /// The one that was tried.
        version: Version,
        /// What was wrong with it.
        why: String,
        /// The one that is active again.
        back: Option<Version>,
    },
    /// It did not work, and going back did not either.
    #[error(
        "{version} does not work ({why}) and could not be undone ({problem}); restart the machine: it starts what was kept"
    )]
    Stuck {
        /// The one that was tried.
        version: Version,
        /// What was wrong with it.
        why: String,
        /// Why it could not be undone.
        problem: String,
    },
    /// Part of [`SysextError::Stuck`]: the system laid something else over `/usr`.
    #[error("the system does not take what it had before")]
    NotBack,
    /// Releases could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Nobody who is trusted vouches for it.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// What came is not what was signed.
    #[error("{0} is not what the signed list says; it was thrown away, try again")]
    Damaged(String),
    /// The system refused something.
    #[error("{what} failed: {why}")]
    System {
        /// What was to be done.
        what: String,
        /// What the system said.
        why: String,
    },
    /// A newer program wrote the notes.
    #[error("{}: {why}; it stays as it is", path.display())]
    Notes {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

fn told_back(version: Option<&Version>) -> String {
    match version {
        Some(version) => format!("{version} is active again"),
        None => "nothing is laid over the system".to_owned(),
    }
}

/// Makes an error of what the system said while doing `what`.
fn failed<E: std::fmt::Display>(what: impl Into<String>) -> impl FnOnce(E) -> SysextError {
    move |why| SysextError::System { what: what.into(), why: why.to_string() }
}
