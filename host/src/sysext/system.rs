//! What the rules ask of a machine. Every call that changes something either happens or
//! does not, also when the power fails: the rules rely on it, and the tests take the power
//! away between any two of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{SysextError, Version};

/// Which releases outlive a restart of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kept {
    /// What is started at boot. Only ever a release that was healthy.
    Current,
    /// What one can go back to.
    Previous,
}

/// Why a release is not taken again by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "why", content = "what")]
pub enum Skipped {
    /// It was tried and did not work.
    Unhealthy(String),
    /// The owner went back from it.
    RolledBack,
}

/// What is remembered beside the images.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Notes {
    /// Where releases come from.
    pub source: Option<String>,
    /// Releases that are not taken by themselves.
    pub skipped: BTreeMap<Version, Skipped>,
    /// Trials that began and did not end: the machine stopped meanwhile.
    pub unfinished: BTreeMap<Version, u32>,
}

/// A machine that extensions can be laid over.
pub trait System {
    /// The images that are here as a whole.
    fn images(&self) -> Result<Vec<Version>, SysextError>;
    /// Throws an image away.
    fn discard(&mut self, version: &Version) -> Result<(), SysextError>;
    /// What outlives a restart, if its image is here.
    fn kept(&self, which: Kept) -> Result<Option<Version>, SysextError>;
    /// Says what outlives a restart.
    fn keep(&mut self, which: Kept, version: Option<&Version>) -> Result<(), SysextError>;
    /// What is remembered.
    fn notes(&self) -> Result<Notes, SysextError>;
    /// Remembers.
    fn note(&mut self, notes: &Notes) -> Result<(), SysextError>;

    /// What keeps it off, if the owner does.
    fn switched_off(&self) -> Option<String>;
    /// Who plays, or why that cannot be known; none when nobody does.
    fn streaming(&self) -> Option<String>;
    /// What the system is told to lay over `/usr`, until it restarts.
    fn laid(&self) -> Option<Version>;
    /// Tells it; [`System::refresh`] makes it so.
    fn lay(&mut self, version: Option<&Version>) -> Result<(), SysextError>;
    /// Lays over `/usr` what the system was told.
    fn refresh(&mut self) -> Result<(), SysextError>;
    /// Which release is seen in `/usr`.
    fn active(&self) -> Option<Version>;
    /// Ends the hosts and what belongs to them, and remembers those that ran. With `until_boot`
    /// nothing starts them again before the next boot.
    fn quiet(&mut self, until_boot: bool) -> Result<(), SysextError>;
    /// Starts what `/usr` has now, and the hosts that ran.
    fn wake(&mut self) -> Result<(), SysextError>;
    /// Whether the active release works, found out by its own programs.
    fn check(&mut self, version: &Version) -> Result<(), String>;

    /// Makes the system start the current release at boot.
    fn settle(&mut self) -> Result<(), SysextError>;
    /// Takes that back, and what is remembered.
    fn leave(&mut self) -> Result<(), SysextError>;
}
