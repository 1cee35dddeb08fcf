//! What a setting is: its key, what it may be, its default, and how a change reaches a
//! running host. The settings themselves are in `table`.

use super::Config;
use super::table::SETTINGS;
use super::value::Value;

/// One setting of a host.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// As in a file, with dots: `encoder.software`.
    pub key: &'static str,
    /// A few words for the label of a form.
    pub title: &'static str,
    /// What it does, in sentences.
    pub help: &'static str,
    /// What it may be.
    pub kind: Kind,
    /// What it is when nobody sets it.
    pub preset: Preset,
    /// Most people never need it.
    pub advanced: bool,
    /// When a change takes effect, and where it may be made.
    pub reach: Reach,
    /// Its value in a configuration; `None` when it has none.
    pub read: fn(&Config) -> Option<Value>,
}

/// What a setting may be.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Integer {
        /// The least.
        min: i64,
        /// The most.
        max: i64,
        /// What it counts, when that needs saying.
        unit: Option<&'static str>,
    },
    /// Any number.
    Number {
        /// The least.
        min: f64,
        /// The most.
        max: f64,
        /// What it counts, when that needs saying.
        unit: Option<&'static str>,
    },
    /// A text.
    Text(Form),
    /// One word of several, each with its title.
    Choice(&'static [(&'static str, &'static str)]),
    /// Several texts of one form, each once.
    List {
        /// How many at most.
        max_items: usize,
        /// What each is.
        item: Form,
    },
}

/// What a text may be.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// The fewest bytes.
    pub min_bytes: usize,
    /// The most bytes.
    pub max_bytes: usize,
    /// A regular expression that every such text matches, as ECMAScript and Rust read it.
    /// It may let more through than `check`.
    pub pattern: Option<&'static str>,
    /// What it is, to end the sentence "it must be …".
    pub what: &'static str,
    /// Says whether a text is such a thing.
    pub check: fn(&str) -> bool,
}

/// What a setting is when nobody sets it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Preset {
    /// Nothing; what that means.
    Nothing(&'static str),
    /// It depends on the machine; how.
    OfMachine(&'static str),
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Any number.
    Number(f64),
    /// A text.
    Text(&'static str),
    /// No texts.
    EmptyList,
}

/// When a change takes effect, and where it may be made.
#[derive(Clone, Copy, Debug)]
pub enum Reach {
    /// At once: the function carries the value from the second configuration to the first.
    Live(fn(&mut Config, &Config)),
    /// When the host starts again.
    Restart,
    /// When the host starts again; and only a file of the owner or a flag can set it,
    /// because the place of the state directory follows from it.
    FilesOnly,
}

impl Setting {
    /// The group it stands in: what precedes the first dot, or `general`.
    pub fn group(&self) -> &'static str {
        self.key.split_once('.').map_or("general", |(group, _)| group)
    }

    /// A change waits for the next start.
    pub fn needs_restart(&self) -> bool {
        !matches!(self.reach, Reach::Live(_))
    }

    /// The value as this setting keeps it, or what it must be.
    pub fn check(&self, value: Value) -> Result<Value, String> {
        self.kind.check(value).map_err(|must| format!("`{}` must be {must}", self.key))
    }
}

impl Kind {
    fn check(&self, value: Value) -> Result<Value, String> {
        let fits = match (self, &value) {
            (Self::Bool, Value::Bool(_)) => true,
            (Self::Integer { min, max, .. }, Value::Integer(value)) => (min..=max).contains(&value),
            (Self::Number { min, max, .. }, Value::Number(value)) => (min..=max).contains(&value),
            (Self::Number { .. }, Value::Integer(value)) => {
                // Those beyond the exact ones are far outside of every range here.
                return self.check(Value::Number(*value as f64));
            }
            (Self::Text(form), Value::Text(text)) => form.fits(text),
            (Self::Choice(words), Value::Text(text)) => words.iter().any(|(word, _)| word == text),
            (Self::List { max_items, item }, Value::List(list)) => {
                list.len() <= *max_items
                    && list.iter().all(|text| item.fits(text))
                    && list.iter().enumerate().all(|(n, text)| !list[..n].contains(text))
            }
            _ => false,
        };
        if fits { Ok(value) } else { Err(self.to_string()) }
    }
}

/// What it may be, to end the sentence "it must be …".
impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bool => f.write_str("`true` or `false`"),
            Self::Integer { min, max, .. } => write!(f, "a whole number from {min} to {max}"),
            Self::Number { min, max, .. } => write!(f, "a number from {min} to {max}"),
            Self::Text(form) => f.write_str(form.what),
            Self::Choice(words) => {
                for (n, (word, _)) in words.iter().enumerate() {
                    let between = match n {
                        0 => "",
                        n if n + 1 == words.len() => " or ",
                        _ => ", ",
                    };
                    write!(f, "{between}`\"{word}\"`")?;
                }
                Ok(())
            }
            Self::List { max_items, item } => {
                write!(f, "a list of at most {max_items}, each once and each {}", item.what)
            }
        }
    }
}

impl Form {
    fn fits(&self, text: &str) -> bool {
        (self.min_bytes..=self.max_bytes).contains(&text.len()) && (self.check)(text)
    }
}

impl Preset {
    /// The value, where it is the same on every machine.
    pub fn value(&self) -> Option<Value> {
        Some(match *self {
            Self::Nothing(_) | Self::OfMachine(_) => return None,
            Self::Bool(value) => Value::Bool(value),
            Self::Integer(value) => Value::Integer(value),
            Self::Number(value) => Value::Number(value),
            Self::Text(text) => Value::from(text),
            Self::EmptyList => Value::List(Vec::new()),
        })
    }
}

/// The setting with this key.
pub fn find(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

/// True for `native`, where `native.port` is a setting.
pub(super) fn is_table(path: &str) -> bool {
    SETTINGS.iter().any(|setting| setting.key.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
}

/// The key that somebody may have meant who wrote `wrong`.
pub fn nearest(wrong: &str) -> Option<&'static str> {
    // Nobody means a key by a line of prose.
    if wrong.len() > 60 {
        return None;
    }
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    let near = |key: &'static str| {
        // `fec_percentage` outside of its table is more often meant than a slip of ten letters.
        let whole = distance(wrong, key);
        let name = if last(key) == last(wrong) { 1 } else { usize::MAX };
        whole.min(name)
    };
    let keys = SETTINGS.iter().map(|setting| setting.key).chain(["app"]);
    let (key, steps) = keys.map(|key| (key, near(key))).min_by_key(|(_, steps)| *steps)?;
    (steps <= 1 + wrong.len() / 4).then_some(key)
}

/// How many letters to add, to leave out, to change or to swap with the next one.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let change = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = change.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_the_one_that_was_meant() {
        for (wrong, meant) in [
            ("prot", Some("port")),
            ("encoder.softwear", Some("encoder.software")),
            ("fec_percentage", Some("encoder.fec_percentage")),
            ("sessions.keep_minuets", Some("sessions.keep_minutes")),
            ("apps", Some("app")),
            ("completely.different", None),
            ("", None),
        ] {
            assert_eq!(nearest(wrong), meant, "{wrong}");
        }
    }

    #[test]
    fn a_value_out_of_bounds_is_told_its_bounds() {
        let max = find("sessions.max").unwrap();
        assert_eq!(
            max.check(Value::Integer(65)).unwrap_err(),
            "`sessions.max` must be a whole number from 1 to 64"
        );
        let software = find("encoder.software").unwrap().check(Value::from("best")).unwrap_err();
        assert_eq!(software, "`encoder.software` must be `\"auto\"`, `\"x264\"` or `\"openh264\"`");
        let hosts = find("api.hosts").unwrap();
        let twice = Value::List(vec!["a".into(), "a".into()]);
        assert!(hosts.check(twice).is_err());
        assert!(find("test.drop_percent").unwrap().check(Value::Number(f64::NAN)).is_err());
    }
}
