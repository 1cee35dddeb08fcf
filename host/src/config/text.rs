//! Reads one file of settings: what it sets, with the line of each, and all that is
//! wrong with it. Any bytes are survived.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize as _;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::apps;
use super::problem::Problem;
use super::schema::{self, Reach};
use super::value::Value;

/// Longest file, bytes.
pub const MAX_BYTES: u64 = 256 << 10;
/// Who makes more mistakes than this has named the wrong file.
const MAX_PROBLEMS: usize = 50;

/// What a file says.
#[derive(Clone, Debug, Default)]
pub(super) struct Text {
    /// The values, each good by itself, with their lines.
    pub values: BTreeMap<&'static str, (Value, usize)>,
    /// The `[[app]]` entries, when there are any.
    pub apps: Option<Vec<apps::Entry>>,
    /// All that is wrong, by line.
    pub problems: Vec<Problem>,
}

/// What may stand in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rank {
    /// Everything: it is a file of the owner.
    Owner,
    /// What the console may change.
    Console,
}

/// Reads the bytes of `file`.
pub(super) fn read(bytes: &[u8], file: &Path, rank: Rank) -> Text {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let line = line_at(bytes, error.valid_up_to());
            let message = "this is no text in UTF-8; correct or remove this line".to_owned();
            let problem = Problem { file: Some(file.to_owned()), line: Some(line), key: None, message };
            return Text { problems: vec![problem], ..Text::default() };
        }
    };
    let mut reader = Reader { text, file: file.to_owned(), rank, found: Text::default() };
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        reader.syntax(&error, None);
    }
    // What stands in a line that is not understood is not what was meant.
    let broken: Vec<_> = reader.found.problems.iter().filter_map(|problem| problem.line).collect();
    reader.table("", table.into_inner(), &broken);
    reader.finish()
}

/// The line of a byte, counted from 1.
fn line_at(bytes: &[u8], at: usize) -> usize {
    bytes.iter().take(at).filter(|byte| **byte == b'\n').count() + 1
}

struct Reader<'t> {
    text: &'t str,
    file: PathBuf,
    rank: Rank,
    found: Text,
}

impl<'t> Reader<'t> {
    fn line(&self, at: usize) -> usize {
        line_at(self.text.as_bytes(), at)
    }

    fn problem(&mut self, line: usize, key: Option<&str>, message: &str) {
        // One more than are shown says that there are more.
        if self.found.problems.len() <= MAX_PROBLEMS {
            self.found.problems.push(Problem {
                file: Some(self.file.clone()),
                line: Some(line),
                key: key.map(str::to_owned),
                message: format!("{message}; correct or remove this line"),
            });
        }
    }

    fn syntax(&mut self, error: &toml::de::Error, key: Option<&str>) {
        let line = self.line(error.span().map_or(0, |span| span.start));
        if !self.found.problems.iter().any(|problem| problem.line == Some(line)) {
            self.problem(line, key, &error.message().replace('\n', " "));
        }
    }

    fn table(&mut self, path: &str, table: DeTable<'t>, broken: &[usize]) {
        for (key, value) in table {
            if self.found.problems.len() > MAX_PROBLEMS {
                return;
            }
            let line = self.line(key.span().start);
            let name = key.into_inner();
            let key = if path.is_empty() { name.to_string() } else { format!("{path}.{name}") };
            // A quoted key may hold a dot, and then means no table.
            let plain = !name.contains('.');
            let is_table = value.get_ref().is_table();
            if broken.contains(&line) && !is_table {
                continue;
            } else if key == "app" {
                self.apps(value, line);
            } else if plain && let Some(setting) = schema::find(&key) {
                self.setting(setting, value, line);
            } else if plain && schema::is_table(&key) {
                match value.into_inner() {
                    DeValue::Table(inner) => self.table(&key, inner, broken),
                    _ => self.problem(line, None, &format!("`{key}` is a table: write `[{key}]`")),
                }
            } else {
                self.unknown(&key, line);
            }
        }
    }

    fn unknown(&mut self, key: &str, line: usize) {
        let shown: String = key.chars().take(60).collect();
        let hint = match schema::nearest(key) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "`punktfunk-host config explain` lists them".to_owned(),
        };
        self.problem(line, Some(&shown), &format!("there is no setting `{shown}` ({hint})"));
    }

    fn setting(&mut self, setting: &'static schema::Setting, value: Spanned<DeValue<'t>>, line: usize) {
        // The value may begin in another line than the key, but people look for the key.
        let value = match toml::Value::deserialize(ValueDeserializer::from(value)) {
            Ok(value) => Value::from_toml(value),
            Err(error) => {
                self.problem(line, Some(setting.key), &error.message().replace('\n', " "));
                return;
            }
        };
        if self.rank == Rank::Console && matches!(setting.reach, Reach::FilesOnly) {
            let message = format!("`{}` has no place in this file: set it in punktfunk.toml", setting.key);
            self.problem(line, Some(setting.key), &message);
            return;
        }
        let checked = match value {
            Some(value) => setting.check(value),
            None => Err(format!("`{}` must be {}", setting.key, setting.kind)),
        };
        match checked {
            Ok(value) => {
                self.found.values.insert(setting.key, (value, line));
            }
            Err(message) => self.problem(line, Some(setting.key), &message),
        }
    }

    fn apps(&mut self, value: Spanned<DeValue<'t>>, line: usize) {
        let DeValue::Array(list) = value.into_inner() else {
            return self.problem(line, Some("app"), "`app` is a list of tables: write `[[app]]`");
        };
        let mut entries = Vec::new();
        for item in list {
            if self.found.problems.len() > MAX_PROBLEMS {
                return;
            }
            let line = self.line(item.span().start);
            match apps::Entry::deserialize(ValueDeserializer::from(item)) {
                Ok(entry) => entries.push(entry.at(line)),
                Err(error) => {
                    let line = error.span().map_or(line, |span| self.line(span.start));
                    self.problem(line, Some("app"), &error.message().replace('\n', " "));
                }
            }
        }
        self.found.apps = Some(entries);
    }

    fn finish(mut self) -> Text {
        self.found.problems.sort_by_key(|problem| problem.line);
        if self.found.problems.len() > MAX_PROBLEMS {
            self.found.problems.truncate(MAX_PROBLEMS);
            let message = "and there is more, which is not shown".to_owned();
            self.found.problems.push(Problem::of_file(&self.file, message));
        }
        self.found
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn problems(text: &str) -> Vec<String> {
        let found = read(text.as_bytes(), Path::new("f"), Rank::Owner);
        found.problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn all_that_is_wrong_is_told_with_its_line_and_a_hint() {
        let text = "prot = 5\nname = ''\n\n[encoder]\nsoftware = 'best'\nfec = 3\n\n[[app]]\nname = 'x'\n\
                    comand = 'y'\n[log]\nlevel = 5\n";
        let told = problems(text);
        assert_eq!(told.len(), 6, "{told:#?}");
        assert!(told[0].starts_with("f:1: there is no setting `prot` (did you mean `port`?)"), "{told:#?}");
        assert!(told[0].ends_with("; correct or remove this line"));
        assert!(told[1].starts_with("f:2: `name` must be 1 to 60 bytes of printable text;"), "{told:#?}");
        assert!(told[2].starts_with("f:5: `encoder.software` must be `\"auto\"`, "), "{told:#?}");
        assert!(told[3].starts_with("f:6: there is no setting `encoder.fec` "), "{told:#?}");
        assert!(told[4].starts_with("f:10: unknown field `comand`"), "{told:#?}");
        assert!(told[5].starts_with("f:12: `log.level` must be a level"), "{told:#?}");
    }

    #[test]
    fn a_line_that_is_no_toml_is_told_once_and_the_rest_is_read() {
        let text = "name = \nsessions.max = 99\n[log]\nlevel = 'debug'\n";
        let told = problems(text);
        assert_eq!(told.len(), 2, "{told:#?}");
        assert!(told[0].starts_with("f:1: "), "{told:#?}");
        assert!(told[1].starts_with("f:2: `sessions.max` must be"), "{told:#?}");
        let found = read(text.as_bytes(), Path::new("f"), Rank::Owner);
        assert_eq!(found.values["log.level"], (Value::from("debug"), 4));
    }

    #[test]
    fn what_only_resembles_a_setting_is_refused() {
        for text in [
            "'native.port' = 5000",
            "native = 5",
            "port = {}",
            "port = 1e4",
            "app = 5",
            "[app]\nname = 'x'",
            "port = 99999999999999999999",
            "name = 1979-05-27",
            "[api]\nhosts = 'a'",
            "[api]\nhosts = ['a', 5]",
            "\"\" = 1",
        ] {
            assert_eq!(problems(text).len(), 1, "{text}: {:#?}", problems(text));
        }
        let found = read(b"port = 5000", Path::new("f"), Rank::Console);
        assert!(found.values.is_empty() && found.problems.len() == 1, "the console cannot move a host");
        assert_eq!(read(b"name = 'x'\n\xff", Path::new("f"), Rank::Owner).problems[0].line, Some(2));
    }

    #[test]
    fn a_file_full_of_mistakes_is_told_in_a_page() {
        let text: String = (0..10_000).map(|n| format!("x{n} = 1\n")).collect();
        assert_eq!(problems(&text).len(), MAX_PROBLEMS + 1);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            read(&bytes, Path::new("f"), Rank::Owner);
        }

        #[test]
        fn any_scraps_of_settings_are_read_or_refused(
            scraps in proptest::collection::vec(
                prop_oneof![
                    Just("name"), Just("port"), Just("native"), Just("app"), Just("hosts"), Just("api"),
                    Just("="), Just("["), Just("]"), Just("[["), Just("]]"), Just("{"), Just("}"), Just("."),
                    Just("'x'"), Just("\"\"\""), Just("5"), Just("-0.0"), Just("nan"), Just("true"), Just(","),
                    Just("\n"), Just("\n"), Just("#"), Just("1979-05-27"),
                ],
                0..40,
            )
        ) {
            let text = scraps.concat();
            let found = read(text.as_bytes(), Path::new("f"), Rank::Owner);
            // Strict and patient reading agree about what is TOML.
            if text.parse::<toml::Table>().is_err() {
                prop_assert!(!found.problems.is_empty(), "{}", text);
            }
        }
    }
}
