//! What is installed on this machine: runs every scanner and puts together what they find.
//!
//! A scanner is a function from [`Roots`] to [`Found`], which reads files and nothing
//! else. What one cannot read is a problem for the owner to see; the others go on.

use std::collections::HashSet;
use std::path::PathBuf;

use super::files::Reader;
use super::{desktop, flatpak, heroic, lutris, steam};
use crate::config::Library as Sources;

/// More applications than any list can be used with.
const MAX_FOUND: usize = 5_000;
/// Bytes of a title.
const MAX_TITLE: usize = 200;

/// Where an application of the list comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// Part of punktfunk.
    Builtin,
    /// An `[[app]]` of the settings.
    Config,
    /// Added by the owner.
    Custom,
    /// Installed by Steam, or a shortcut there.
    Steam,
    /// Installed by Heroic.
    Heroic,
    /// Installed by Lutris.
    Lutris,
    /// A game of Flatpak.
    Flatpak,
    /// A game of the system's menu.
    Desktop,
}

impl Source {
    /// In one word, as the API and the command line say it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Builtin => "builtin",
            Self::Config => "config",
            Self::Custom => "custom",
            Self::Steam => "steam",
            Self::Heroic => "heroic",
            Self::Lutris => "lutris",
            Self::Flatpak => "flatpak",
            Self::Desktop => "desktop",
        }
    }
}

/// Where launchers keep their files.
#[derive(Clone, Debug)]
pub(super) struct Roots {
    /// The user's home.
    pub home: PathBuf,
    /// `XDG_CONFIG_HOME`.
    pub config: PathBuf,
    /// `XDG_DATA_HOME`.
    pub data: PathBuf,
    /// `XDG_DATA_DIRS`.
    pub shared: Vec<PathBuf>,
    /// Flatpak's applications of the whole machine.
    pub flatpak: PathBuf,
    /// The program that starts games of Steam.
    pub launcher: PathBuf,
}

impl Roots {
    /// Those of the user this process runs as.
    pub fn find() -> Self {
        let variable =
            |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let home = variable("HOME").unwrap_or_else(|| PathBuf::from("/"));
        let shared = std::env::var_os("XDG_DATA_DIRS").filter(|dirs| !dirs.is_empty());
        let shared = shared.unwrap_or_else(|| "/usr/local/share:/usr/share".into());
        Self {
            config: variable("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config")),
            data: variable("XDG_DATA_HOME").unwrap_or_else(|| home.join(".local/share")),
            shared: std::env::split_paths(&shared).filter(|path| path.is_absolute()).collect(),
            flatpak: "/var/lib/flatpak".into(),
            launcher: std::env::current_exe().unwrap_or_else(|_| "punktfunk-host".into()),
            home,
        }
    }
}

/// A program that has to be out of the way before a launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guard {
    /// Steam, which would open the game where it runs already.
    Steam {
        /// The one in Flatpak.
        flatpak: bool,
    },
    /// Heroic, likewise.
    Heroic,
}

/// An application that a scanner found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub source: Source,
    /// Names it within its source, the same at every scan.
    pub key: String,
    pub title: String,
    pub argv: Vec<String>,
    pub dir: Option<PathBuf>,
    pub guard: Option<Guard>,
    /// A picture of it.
    pub art: Option<PathBuf>,
}

impl Found {
    /// With nothing but a command.
    pub fn new(source: Source, key: impl Into<String>, title: &str, argv: &[&str]) -> Self {
        Self {
            source,
            key: key.into(),
            title: title.to_owned(),
            argv: argv.iter().map(|&word| word.to_owned()).collect(),
            dir: None,
            guard: None,
            art: None,
        }
    }
}

/// What a scan found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// By title.
    pub found: Vec<Found>,
    /// How many of each source that was looked for.
    pub counts: Vec<(&'static str, usize)>,
    pub problems: Vec<String>,
}

type Scanner = fn(&Roots, &mut Reader) -> Vec<Found>;

/// Runs the scanners that the owner wants.
pub(super) fn scan(roots: &Roots, wanted: Sources) -> Outcome {
    let scanners: [(bool, Source, Scanner); 5] = [
        (wanted.steam, Source::Steam, steam::scan),
        (wanted.heroic, Source::Heroic, heroic::scan),
        (wanted.lutris, Source::Lutris, lutris::scan),
        (wanted.flatpak, Source::Flatpak, flatpak::scan),
        (wanted.desktop, Source::Desktop, desktop::scan),
    ];
    let mut outcome = Outcome::default();
    let mut seen = HashSet::new();
    for (_, source, scanner) in scanners.into_iter().filter(|(wanted, ..)| *wanted) {
        // Each has its own patience: a slow one must not cost the others theirs.
        let mut reader = Reader::new();
        let mut found = scanner(roots, &mut reader);
        outcome.problems.extend(reader.into_problems());
        found.iter_mut().for_each(|found| found.title = printable(&found.title));
        found.retain(|found| !found.title.is_empty() && seen.insert((source, found.key.clone())));
        found.truncate(MAX_FOUND.saturating_sub(outcome.found.len()));
        outcome.counts.push((source.name(), found.len()));
        outcome.found.append(&mut found);
    }
    outcome.found.sort_by_cached_key(|found| (found.title.to_lowercase(), found.source, found.key.clone()));
    outcome
}

/// A title that fits on one line of any client.
fn printable(title: &str) -> String {
    let words = title.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let mut title = words.collect::<Vec<_>>().join(" ");
    title.truncate(title.floor_char_boundary(MAX_TITLE));
    title
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::scratch::Scratch;
    use super::*;

    /// Every scanner.
    pub const ALL: Sources =
        Sources { steam: true, heroic: true, lutris: true, flatpak: true, desktop: true };

    /// Roots that all lie in one folder.
    pub fn roots(dir: &Scratch) -> Roots {
        let at = |name: &str| dir.path().join(name);
        Roots {
            home: at("home"),
            config: at("home/.config"),
            data: at("home/.local/share"),
            shared: vec![at("usr/share")],
            flatpak: at("flatpak"),
            launcher: "/bin/punktfunk-host".into(),
        }
    }

    #[test]
    fn nothing_installed_is_nothing_found_and_no_problem() {
        let dir = Scratch::new("empty");
        let outcome = scan(&roots(&dir), ALL);
        assert!(outcome.found.is_empty() && outcome.problems.is_empty(), "{outcome:?}");
        assert_eq!(outcome.counts.len(), 5);
        let only = Sources { steam: true, heroic: false, lutris: false, flatpak: false, desktop: false };
        assert_eq!(scan(&roots(&dir), only).counts, [("steam", 0)]);
    }

    #[test]
    fn titles_are_one_printable_line() {
        assert_eq!(printable(" A\n\tlong\u{0} \u{a0}day "), "A long day");
        assert_eq!(printable("\n"), "");
        assert_eq!(printable(&"ä".repeat(150)).len(), 200);
    }
}
