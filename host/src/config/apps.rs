//! What a client can start: two built-in applications and the owner's commands.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Id of the built-in desktop.
pub const DESKTOP_ID: u32 = 1;
/// Id of the built-in test card.
pub const TEST_CARD_ID: u32 = 2;
/// The word for the gamescope of the user's session, for what `Desktop` shows.
const GAMESCOPE: &str = "gamescope";
/// Ids below are kept for built-in applications.
pub const FIRST_OWN_ID: u32 = 1000;

/// One application of the list that clients show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// Positive, below 2^31; the same for the same name, because clients keep box
    /// art and shortcuts by it (sheet, section 2.5).
    pub id: u32,
    /// Its title.
    pub name: String,
    /// What it is.
    pub kind: AppKind,
}

/// What an application is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AppKind {
    /// The built-in desktop.
    Desktop {
        /// `auto`, `own`, `gamescope` for the one that runs in the user's session, or the
        /// command of a compositor to nest.
        session: String,
    },
    /// The built-in test card.
    TestCard,
    /// A program of the owner's choice.
    Command {
        /// The program and its arguments, at least one.
        argv: Vec<String>,
        /// Variables added to its environment.
        env: BTreeMap<String, String>,
    },
}

impl AppKind {
    /// True for the desktop that is the gamescope of the user's session. With arguments it
    /// is a command like any other.
    pub fn is_gamescope_of_session(&self) -> bool {
        matches!(self, Self::Desktop { session } if session.trim() == GAMESCOPE)
    }
}

/// The application list, in the order clients show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Apps(Vec<App>);

/// `[[app]]` as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    name: String,
    command: CommandLine,
    #[serde(default)]
    env: BTreeMap<String, String>,
    id: Option<u32>,
    /// Where it stands in its file.
    #[serde(skip)]
    line: Option<usize>,
}

impl Entry {
    /// The entry, which begins in this line of its file.
    pub(super) fn at(self, line: usize) -> Self {
        Self { line: Some(line), ..self }
    }
}

/// A list of arguments, or one line for the shell.
#[derive(Clone, Debug)]
struct CommandLine(Vec<String>);

impl<'de> Deserialize<'de> for CommandLine {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Line;
        impl<'de> Visitor<'de> for Line {
            type Value = CommandLine;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a command line or a list of arguments")
            }

            fn visit_str<E: de::Error>(self, line: &str) -> Result<CommandLine, E> {
                if line.trim().is_empty() {
                    return Err(E::custom("the command is empty"));
                }
                Ok(CommandLine(vec!["/bin/sh".to_owned(), "-c".to_owned(), line.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<CommandLine, A::Error> {
                let mut argv = Vec::new();
                while let Some(argument) = list.next_element()? {
                    argv.push(argument);
                }
                if argv.first().is_none_or(String::is_empty) {
                    return Err(de::Error::custom("the command is empty"));
                }
                Ok(CommandLine(argv))
            }
        }
        deserializer.deserialize_any(Line)
    }
}

impl Apps {
    /// Refused with the line of the entry that is wrong.
    pub(super) fn new(entries: Vec<Entry>, session: String) -> Result<Self, (Option<usize>, String)> {
        let mut apps = vec![
            App { id: DESKTOP_ID, name: "Desktop".to_owned(), kind: AppKind::Desktop { session } },
            App { id: TEST_CARD_ID, name: "Test card".to_owned(), kind: AppKind::TestCard },
        ];
        for entry in entries {
            let wrong = |message| Err((entry.line, message));
            let name = entry.name;
            if name.is_empty() || name.chars().any(char::is_control) {
                return wrong(format!("the app name {name:?} is not printable text: rename it"));
            }
            if apps.iter().any(|app| app.name == name) {
                return wrong(format!("there are two apps named {name:?}: rename one"));
            }
            let id = entry.id.unwrap_or_else(|| id_for_name(&name));
            if !(FIRST_OWN_ID..1 << 31).contains(&id) {
                return wrong(format!("the id {id} of {name:?} must be from {FIRST_OWN_ID} to 2147483647"));
            }
            if let Some(other) = apps.iter().find(|app| app.id == id) {
                return wrong(format!(
                    "{:?} and {name:?} have the id {id}: give one another `id`",
                    other.name
                ));
            }
            let kind = AppKind::Command { argv: entry.command.0, env: entry.env };
            apps.push(App { id, name, kind });
        }
        Ok(Self(apps))
    }

    /// What `Desktop` shows, as it is written in a file.
    pub(super) fn desktop_session(&self) -> Option<&str> {
        self.0.iter().find_map(|app| match &app.kind {
            AppKind::Desktop { session } => Some(session.as_str()),
            _ => None,
        })
    }

    /// The application with this id.
    pub fn by_id(&self, id: u32) -> Option<&App> {
        self.0.iter().find(|app| app.id == id)
    }

    /// All of them, in the order clients show them.
    pub fn iter(&self) -> impl Iterator<Item = &App> {
        self.0.iter()
    }
}

/// The id of a name: 31 bits of its hash, above the built-in ones. Stable for ever,
/// or clients lose their box art and shortcuts.
pub fn id_for_name(name: &str) -> u32 {
    let hash = punktfunk_core::crypto::sha256(&[name.as_bytes()]);
    let bits = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]) >> 1;
    if bits < FIRST_OWN_ID { bits + FIRST_OWN_ID } else { bits }
}

#[cfg(test)]
mod tests {
    use crate::config::{AppKind, Config};
    use std::path::Path;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(text, Path::new("f")).map_err(|error| error.to_string())
    }

    #[test]
    fn ids_follow_the_name_and_never_change() {
        let text = "[[app]]\nname = 'Steam'\ncommand = ['steam', '-bigpicture']\nenv = { A = 'b' }";
        let config = parse(text).unwrap();
        let app = config.apps.iter().last().unwrap();
        assert_eq!(app.id, 2_072_855_169);
        let AppKind::Command { argv, env } = &app.kind else { panic!("{app:?}") };
        assert_eq!(argv, &["steam", "-bigpicture"]);
        assert_eq!(env["A"], "b");
        assert_eq!(config.apps.by_id(app.id).unwrap().name, "Steam");
        assert!(config.apps.by_id(77).is_none());
    }

    #[test]
    fn one_word_means_the_gamescope_of_the_session() {
        let is = |session: &str| {
            let config = parse(&format!("desktop.session = '{session}'")).unwrap();
            assert!(config.problems.is_empty(), "{session}");
            config.apps.by_id(super::DESKTOP_ID).unwrap().kind.is_gamescope_of_session()
        };
        assert!(is("gamescope") && is(" gamescope "));
        for session in ["auto", "own", "gamescope -W 1280", "/usr/bin/gamescope", "sway"] {
            assert!(!is(session), "{session}");
        }
        let command = AppKind::Command { argv: vec!["gamescope".to_owned()], env: Default::default() };
        assert!(!command.is_gamescope_of_session());
    }

    #[test]
    fn a_line_is_run_by_the_shell() {
        let config = parse("[[app]]\nname = 'x'\ncommand = 'foo | bar'\nid = 1000").unwrap();
        let AppKind::Command { argv, .. } = &config.apps.by_id(1000).unwrap().kind else { panic!() };
        assert_eq!(argv, &["/bin/sh", "-c", "foo | bar"]);
    }

    #[test]
    fn what_cannot_work_is_refused() {
        let two = "[[app]]\nname = 'x'\ncommand = 'x'\n[[app]]\nname = 'x'\ncommand = 'y'";
        assert!(parse(two).unwrap_err().contains("two apps named"));
        let two =
            "[[app]]\nname = 'x'\ncommand = 'x'\nid = 1000\n[[app]]\nname = 'y'\ncommand = 'y'\nid = 1000";
        assert!(parse(two).unwrap_err().contains("have the id 1000"));
        for text in ["command = []", "command = ''", "command = 5", "command = 'a'\nid = 1", ""] {
            assert!(parse(&format!("[[app]]\nname = 'x'\n{text}")).is_err(), "{text}");
        }
        assert!(parse("[[app]]\nname = 'Desktop'\ncommand = 'x'").is_err());
    }
}
