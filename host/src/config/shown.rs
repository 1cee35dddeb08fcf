//! Settings as the console and programs see them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Config;
use super::layers::{Set, Source};
use super::schema::{Kind, Reach, Setting};
use super::table::{GROUPS, SETTINGS};
use super::value::Value;

/// All settings of a host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Settings)]
pub struct Listing {
    /// Each setting, in the order of the reference.
    pub settings: Vec<Shown>,
    /// The groups, in the order a form shows them.
    pub groups: Vec<Group>,
    /// The file that the console writes.
    pub file: String,
    /// Something was set that waits for the next start.
    pub restart_needed: bool,
}

/// A group of settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = SettingGroup)]
pub struct Group {
    /// As settings name it.
    pub id: String,
    /// A heading.
    pub title: String,
}

/// One setting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Setting)]
pub struct Shown {
    /// As in a file, with dots.
    pub key: String,
    /// Its group.
    pub group: String,
    /// A label.
    pub title: String,
    /// What it does, in sentences.
    pub help: String,
    /// What it may be.
    pub kind: Shape,
    /// What it is now; null when it is not set and has no default.
    #[schema(required)]
    pub value: Option<Value>,
    /// What it is when nobody sets it.
    #[schema(required)]
    pub default: Option<Value>,
    /// Who set it.
    pub source: Source,
    /// The file or the flag that set it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_file: Option<String>,
    /// The line of that file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_line: Option<usize>,
    /// A change waits for the next start.
    pub needs_restart: bool,
    /// What it will be after the next start, when that is something else; null means that
    /// it will not be set.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schema(value_type = Option<Value>)]
    pub pending: Option<Option<Value>>,
    /// Most people never need it.
    pub advanced: bool,
    /// It cannot be changed here: a flag wins, or only a file can set it.
    pub locked: bool,
}

/// What a setting may be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
#[schema(as = SettingKind)]
pub enum Shape {
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Integer {
        /// The least.
        min: i64,
        /// The most.
        max: i64,
        /// What it counts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unit: Option<String>,
    },
    /// Any number.
    Number {
        /// The least.
        min: f64,
        /// The most.
        max: f64,
        /// What it counts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unit: Option<String>,
    },
    /// A text.
    Text {
        /// Longest, bytes in UTF-8.
        max_bytes: usize,
        /// What it matches.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pattern: Option<String>,
    },
    /// One of several words.
    Choice {
        /// The words.
        options: Vec<Word>,
    },
    /// Several texts, each once.
    List {
        /// How many at most.
        max_items: usize,
        /// Longest of each, bytes in UTF-8.
        max_bytes: usize,
        /// What each matches.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pattern: Option<String>,
    },
}

/// One word of a choice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = SettingOption)]
pub struct Word {
    /// As it is written.
    pub value: String,
    /// As it is shown.
    pub title: String,
}

/// A null that is there is told from one that is not.
fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Value>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl From<Kind> for Shape {
    fn from(kind: Kind) -> Self {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        match kind {
            Kind::Bool => Self::Bool,
            Kind::Integer { min, max, unit } => Self::Integer { min, max, unit: owned(unit) },
            Kind::Number { min, max, unit } => Self::Number { min, max, unit: owned(unit) },
            Kind::Text(form) => Self::Text { max_bytes: form.max_bytes, pattern: owned(form.pattern) },
            Kind::Choice(words) => {
                let word = |(value, title): &(&str, &str)| Word {
                    value: (*value).to_owned(),
                    title: (*title).to_owned(),
                };
                Self::Choice { options: words.iter().map(word).collect() }
            }
            Kind::List { max_items, item } => {
                Self::List { max_items, max_bytes: item.max_bytes, pattern: owned(item.pattern) }
            }
        }
    }
}

/// The settings of a host that runs with `live` and would start with `newest`.
pub(super) fn listing(
    live: &Config,
    newest: &Config,
    set: &BTreeMap<&'static str, Set>,
    file: String,
) -> Listing {
    let preset = Config::default();
    let settings: Vec<_> =
        SETTINGS.iter().map(|setting| shown(setting, live, newest, &preset, set)).collect();
    let groups = GROUPS.iter().map(|(id, title)| Group { id: (*id).to_owned(), title: (*title).to_owned() });
    let restart_needed = settings.iter().any(|setting| setting.pending.is_some());
    Listing { settings, groups: groups.collect(), file, restart_needed }
}

fn shown(
    setting: &Setting,
    live: &Config,
    newest: &Config,
    preset: &Config,
    set: &BTreeMap<&'static str, Set>,
) -> Shown {
    let (value, next) = ((setting.read)(live), (setting.read)(newest));
    let set = set.get(setting.key);
    Shown {
        key: setting.key.to_owned(),
        group: setting.group().to_owned(),
        title: setting.title.to_owned(),
        help: setting.help.to_owned(),
        kind: setting.kind.into(),
        pending: (value != next).then_some(next),
        value,
        default: (setting.read)(preset),
        source: set.map_or(Source::Default, |set| set.source),
        source_file: set.map(|set| set.origin.display().to_string()),
        source_line: set.and_then(|set| set.line),
        needs_restart: setting.needs_restart(),
        advanced: setting.advanced,
        locked: is_locked(setting, set),
    }
}

/// True when the console cannot change it.
pub(super) fn is_locked(setting: &Setting, set: Option<&Set>) -> bool {
    matches!(setting.reach, Reach::FilesOnly) || set.is_some_and(|set| set.source == Source::Flag)
}
