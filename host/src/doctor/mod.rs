//! Why does it not work: probes of this machine, each with what it saw and what mends it,
//! and the support bundle.
//!
//! Called by the command line and by the API. Probes only look; the few that can mend
//! something do so when they are asked to. [`table`] has a line for each probe, the files
//! named like areas hold what they do, [`machine`] is all they see of the machine,
//! [`fixes`] what can be mended. `docs/doctor.md` is the page, compared with the table.

mod audio;
pub mod bundle;
mod display;
mod distribution;
mod encoders;
mod firewall;
pub mod fixes;
mod gpu;
mod host;
mod input;
mod links;
pub mod machine;
mod network;
mod print;
mod run;
mod service;
mod system;
pub mod table;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use encoders::bench;
pub use machine::Machine;
pub use print::print;
pub use run::examine;
pub use service::{Activity, Doctor, Health, HealthFinding, HealthState};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// As it should be.
    Ok,
    /// It could not or need not be looked at here.
    Skipped,
    /// Worth knowing, nothing to do.
    Info,
    /// Something is worse than it could be.
    Warning,
    /// Something does not work.
    Error,
}

impl Severity {
    /// As `--json` and the API write it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Skipped => "skipped",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// What a probe is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Area {
    /// Kernel, distribution, processor, memory.
    System,
    /// Graphics cards and their drivers.
    Gpu,
    /// What can be coded, and how fast.
    Encoders,
    /// Gamepads.
    Input,
    /// Sound servers.
    Audio,
    /// A seat's screen and what it needs.
    Display,
    /// Ports, links, buffers, firewall.
    Network,
    /// This host's own files and programs.
    Host,
    /// What runs on the machine's own screen.
    Desktop,
}

impl Area {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 9] = [
        Self::System,
        Self::Gpu,
        Self::Encoders,
        Self::Input,
        Self::Audio,
        Self::Display,
        Self::Network,
        Self::Host,
        Self::Desktop,
    ];

    /// As arguments, `--json` and the API write it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Gpu => "gpu",
            Self::Encoders => "encoders",
            Self::Input => "input",
            Self::Audio => "audio",
            Self::Display => "display",
            Self::Network => "network",
            Self::Host => "host",
            Self::Desktop => "desktop",
        }
    }

    /// The area of that name.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|area| area.word() == word)
    }
}

/// What a probe saw, before it is given its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What was seen, with numbers.
    pub evidence: String,
    /// What mends it: one command or one sentence.
    pub fix: Option<String>,
    /// The fix of ours that mends it, see [`fixes`].
    pub action: Option<&'static str>,
}

impl Finding {
    fn new(severity: Severity, evidence: impl Into<String>) -> Self {
        Self { severity, evidence: evidence.into(), fix: None, action: None }
    }

    /// As it should be.
    pub fn ok(evidence: impl Into<String>) -> Self {
        Self::new(Severity::Ok, evidence)
    }

    /// Worth knowing.
    pub fn info(evidence: impl Into<String>) -> Self {
        Self::new(Severity::Info, evidence)
    }

    /// Not looked at, and why.
    pub fn skipped(why: impl Into<String>) -> Self {
        Self::new(Severity::Skipped, why)
    }

    /// Worse than it could be, and what mends it.
    pub fn warning(evidence: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { fix: Some(fix.into()), ..Self::new(Severity::Warning, evidence) }
    }

    /// Does not work, and what mends it.
    pub fn error(evidence: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { fix: Some(fix.into()), ..Self::new(Severity::Error, evidence) }
    }

    /// Mended by this fix of ours.
    pub fn mended_by(self, action: &'static str) -> Self {
        Self { action: Some(action), ..self }
    }

    /// With this advice.
    pub fn with_fix(self, fix: impl Into<String>) -> Self {
        Self { fix: Some(fix.into()), ..self }
    }
}

/// A probe and what it saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Probe {
    /// Its lasting name, `area.word`.
    pub id: String,
    /// What it is about.
    pub area: Area,
    /// What it looks at, in a few words.
    pub title: String,
    /// How bad it is.
    pub severity: Severity,
    /// What was seen, with numbers.
    pub evidence: String,
    /// What mends it: one command or one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
    /// The id of a fix that `doctor --fix` and the API carry out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix_action: Option<String>,
}

/// What an examination found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = Diagnostics)]
pub struct Report {
    /// When it was made, seconds since 1970; absent when none was made yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ran: Option<u64>,
    /// In the order of the table.
    pub probes: Vec<Probe>,
}

impl Report {
    /// How many probes found so.
    pub fn count(&self, severity: Severity) -> usize {
        self.probes.iter().filter(|probe| probe.severity == severity).count()
    }

    /// The worst of all; `Ok` when there are none.
    pub fn worst(&self) -> Severity {
        self.probes.iter().map(|probe| probe.severity).max().unwrap_or(Severity::Ok)
    }
}
