//! The settings of a running host: what applies now, what waits for the next start, and
//! the changes of the console.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use super::good::Good;
use super::layers::{Layers, Loaded};
use super::problem::ConfigError;
use super::schema::{self, Reach, Setting};
use super::shown::{self, Listing};
use super::table::SETTINGS;
use super::text::{self, MAX_BYTES, Rank};
use super::value::Value;
use super::{Config, put};
use crate::platform::{self, WriteError};

const HEADER: &str = "# Written by the console of punktfunk; it wins over punktfunk.toml.\n\
                      # Your own comments are lost at its next change.\n\n";

/// The settings of a running host.
pub struct Settings {
    layers: Layers,
    /// What applies now.
    live: RwLock<Arc<Config>>,
    /// What the next start would come to. Held while something is changed.
    newest: Mutex<Loaded>,
    observers: Mutex<Vec<Observer>>,
}

/// Called with what applied before and what applies now.
type Observer = Box<dyn Fn(&Config, &Config) + Send + Sync>;

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// A key or a value is none.
    #[error("{message}")]
    Invalid {
        /// The key.
        key: String,
        /// What is wrong, and what it must be.
        message: String,
    },
    /// It cannot be changed here.
    #[error("{message}")]
    Locked {
        /// The key.
        key: String,
        /// Why, and where to change it.
        message: String,
    },
    /// Another file has to be corrected first.
    #[error("correct the other files of this host first: {0}")]
    Elsewhere(ConfigError),
    /// The file cannot be written.
    #[error("the settings cannot be kept ({0}); check the state directory and its space")]
    Write(#[from] WriteError),
}

impl Settings {
    /// Reads all layers. An error only for what must be right; other mistakes are in
    /// [`Config::problems`].
    pub fn open(layers: Layers) -> Result<Self, ConfigError> {
        let loaded = layers.load()?;
        Ok(Self::new(layers, loaded))
    }

    /// Settings that are in no file and cannot be changed.
    pub fn fixed(config: Config) -> Self {
        Self::new(Layers::default(), Loaded { config, set: BTreeMap::new(), texts: Vec::new() })
    }

    fn new(layers: Layers, loaded: Loaded) -> Self {
        let live = RwLock::new(Arc::new(loaded.config.clone()));
        Self { layers, live, newest: Mutex::new(loaded), observers: Mutex::default() }
    }

    /// What applies now.
    pub fn current(&self) -> Arc<Config> {
        Arc::clone(&self.live.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Calls `observer` after each change, with what applied before and what applies now.
    /// It must not wait for long, nor change settings itself.
    pub fn observe(&self, observer: impl Fn(&Config, &Config) + Send + Sync + 'static) {
        self.observers.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(observer));
    }

    /// All settings, for people.
    pub fn list(&self) -> Listing {
        let newest = self.newest();
        let file = self.layers.state_file().map(|file| file.display().to_string()).unwrap_or_default();
        shown::listing(&self.current(), &newest.config, &newest.set, file)
    }

    /// Something was set that waits for the next start.
    pub fn restart_needed(&self) -> bool {
        let (newest, live) = (self.newest(), self.current());
        SETTINGS.iter().any(|setting| (setting.read)(&live) != (setting.read)(&newest.config))
    }

    /// Keeps what the files say now, for the time when one of them has a mistake. To be
    /// called when the host has started well.
    pub fn note_good(&self) -> Result<(), WriteError> {
        match self.layers.state_dir() {
            Some(dir) => Good::write(dir, &self.newest().texts),
            None => Ok(()),
        }
    }

    /// Changes all of `values` or nothing, in the console's file; null takes a value out of
    /// it. What can apply at once does.
    pub fn change(&self, values: &BTreeMap<String, serde_json::Value>) -> Result<(), ChangeError> {
        let mut newest = self.newest();
        let wishes = wishes(values, &newest)?;
        let Some(file) = self.layers.state_file() else {
            let source = std::io::Error::other("this host has no state directory");
            return Err(WriteError { what: "writing", source }.into());
        };
        let mut kept = Kept::read(&file)?;
        for (setting, value) in wishes {
            match value {
                Some(value) => put(&mut kept.table, setting.key, value.to_toml()),
                None => take(&mut kept.table, setting.key),
            }
        }
        let text = format!("{HEADER}{}", kept.table);
        let loaded = self.layers.load_with(Some(text.as_bytes()));
        let loaded = loaded.map_err(|error| refused(error, values, &file))?;
        let known = |problem| newest.config.problems.contains(problem);
        let new: Vec<_> = loaded.config.problems.iter().filter(|problem| !known(problem)).cloned().collect();
        if !new.is_empty() && new.iter().any(|problem| problem.file.as_ref() != Some(&file)) {
            return Err(refused(ConfigError { problems: new }, values, &file));
        }
        if let Some(broken) = kept.broken {
            platform::write_whole(&file.with_extension("toml.broken"), &broken)?;
        }
        platform::write_whole(&file, text.as_bytes())?;
        self.apply(&loaded.config);
        *newest = loaded;
        Ok(())
    }

    fn apply(&self, newest: &Config) {
        let before = self.current();
        let mut live = Config::clone(&before);
        for setting in SETTINGS {
            if let Reach::Live(carry) = setting.reach {
                carry(&mut live, newest);
            }
        }
        live.problems.clone_from(&newest.problems);
        let live = Arc::new(live);
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&live);
        for observer in self.observers.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            observer(&before, &live);
        }
    }

    fn newest(&self) -> MutexGuard<'_, Loaded> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("layers", &self.layers).finish_non_exhaustive()
    }
}

/// What is to be changed to what, if all of it can be.
fn wishes(
    values: &BTreeMap<String, serde_json::Value>,
    newest: &Loaded,
) -> Result<Vec<(&'static Setting, Option<Value>)>, ChangeError> {
    let mut wishes = Vec::new();
    for (key, json) in values {
        let invalid = |message| ChangeError::Invalid { key: key.clone(), message };
        let setting = schema::find(key).ok_or_else(|| invalid(unknown(key)))?;
        let set = newest.set.get(setting.key);
        if shown::is_locked(setting, set) {
            let message = match set.filter(|_| !matches!(setting.reach, Reach::FilesOnly)) {
                Some(set) => format!("{} wins over `{key}`: start the host without it", set.origin.display()),
                None => format!("`{key}` is set in punktfunk.toml or with a flag: change it there"),
            };
            return Err(ChangeError::Locked { key: key.clone(), message });
        }
        let value = match Value::from_json(json) {
            Some(value) => Some(setting.check(value).map_err(invalid)?),
            None if json.is_null() => None,
            None => return Err(invalid(format!("`{key}` must be {}", setting.kind))),
        };
        wishes.push((setting, value));
    }
    Ok(wishes)
}

fn unknown(key: &str) -> String {
    let shown: String = key.chars().take(60).collect();
    match schema::nearest(key) {
        Some(meant) => format!("there is no setting `{shown}` (did you mean `{meant}`?)"),
        None => format!("there is no setting `{shown}`"),
    }
}

/// The mistake that a change would make, by the key that was changed when it is one.
fn refused(error: ConfigError, values: &BTreeMap<String, serde_json::Value>, file: &Path) -> ChangeError {
    let ours = |key: &String| values.contains_key(key);
    let group = |key: &str| key.split_once('.').map(|(group, _)| format!("{group}."));
    for problem in &error.problems {
        let Some(key) = &problem.key else { continue };
        // The other half of what does not go together may be the one that was changed.
        let related = || values.keys().find(|name| group(key).is_some_and(|group| name.starts_with(&group)));
        let changed = if ours(key) { Some(key) } else { related() };
        if let Some(changed) = changed {
            let message = problem.message.trim_end_matches("; correct or remove this line").to_owned();
            return ChangeError::Invalid { key: changed.clone(), message };
        }
    }
    match values.keys().next().filter(|_| error.problems.iter().all(|p| p.file.as_deref() == Some(file))) {
        Some(key) => ChangeError::Invalid { key: key.clone(), message: error.to_string() },
        None => ChangeError::Elsewhere(error),
    }
}

/// What the console's file holds.
struct Kept {
    table: toml::Table,
    /// The whole file, when it has mistakes: only what is good in it goes on.
    broken: Option<Vec<u8>>,
}

impl Kept {
    fn read(file: &Path) -> Result<Self, WriteError> {
        let bytes = match platform::read_bounded(file, MAX_BYTES, false) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(source) => return Err(WriteError { what: "reading", source }),
        };
        let found = text::read(&bytes, file, Rank::Console);
        let whole = std::str::from_utf8(&bytes).ok().and_then(|text| text.parse().ok());
        if let Some(table) = whole.filter(|_| found.problems.is_empty()) {
            return Ok(Self { table, broken: None });
        }
        let mut table = toml::Table::new();
        for (key, (value, _)) in &found.values {
            put(&mut table, key, value.to_toml());
        }
        Ok(Self { table, broken: Some(bytes) })
    }
}

/// Takes a value out, and a table that is empty then.
fn take(table: &mut toml::Table, key: &str) {
    let Some((name, rest)) = key.split_once('.') else {
        table.remove(key);
        return;
    };
    if let Some(toml::Value::Table(inner)) = table.get_mut(name) {
        take(inner, rest);
        if inner.is_empty() {
            table.remove(name);
        }
    }
}
