//! Where settings come from, the lowest first: `/usr/lib`, `/etc`, the user's own file,
//! the file of the console in the state directory, flags. Each file may set any key; the
//! highest that sets one wins.
//!
//! A file with a mistake is not used at all. What it said when the host last started
//! well stands in for it, else it is left out; only a file named by `--config` must be right.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::good::Good;
use super::problem::{ConfigError, Problem};
use super::text::{self, MAX_BYTES, Rank, Text};
use super::value::Value;
use super::{Config, FILE_NAME, Wrong, schema};
use crate::platform::{self, Places, Scope};

/// The file of the console in the state directory.
pub const STATE_FILE: &str = "settings.toml";

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = SettingSource)]
pub enum Source {
    /// Nobody set it.
    Default,
    /// The file of the package or the image, below `/usr/lib`.
    Vendor,
    /// The machine's file, in `/etc`.
    Etc,
    /// The user's own file.
    User,
    /// The file of the console, in the state directory.
    State,
    /// The command line or the environment.
    Flag,
}

/// The directories that hold a `punktfunk.toml`.
#[derive(Clone, Debug)]
pub struct Roots {
    /// Of the package or the image.
    pub vendor: PathBuf,
    /// Of the machine.
    pub etc: PathBuf,
    /// Of the user, for a host that is a user's own.
    pub user: Option<PathBuf>,
}

impl Roots {
    /// Those of whoever runs this process.
    pub fn of(places: &Places) -> Self {
        Self {
            vendor: "/usr/lib/punktfunk".into(),
            etc: "/etc/punktfunk".into(),
            user: (places.scope == Scope::User).then(|| places.config.clone()),
        }
    }
}

/// All places of one host's settings.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    files: Vec<LayerFile>,
    state: Option<PathBuf>,
    flags: Vec<Flag>,
}

#[derive(Clone, Debug)]
struct LayerFile {
    source: Source,
    path: PathBuf,
    /// The owner named it on the command line.
    named: bool,
}

#[derive(Clone, Debug)]
struct Flag {
    key: &'static str,
    value: Value,
    name: &'static str,
}

/// A value, and where it was set.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Set {
    pub value: Value,
    pub source: Source,
    /// The file, or the name of the flag.
    pub origin: PathBuf,
    pub line: Option<usize>,
}

/// What all layers come to.
#[derive(Clone, Debug)]
pub(super) struct Loaded {
    pub config: Config,
    pub set: BTreeMap<&'static str, Set>,
    /// The files in use and what they say.
    pub texts: Vec<(PathBuf, Vec<u8>)>,
}

/// One file while it is decided whether it is used.
struct Layer {
    file: LayerFile,
    bytes: Option<Vec<u8>>,
    text: Text,
    use_: Use,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Current,
    LastGood,
    Nothing,
}

impl Layers {
    /// The files below `roots`. `named`, the file of the command line, replaces those of
    /// the machine and of the user.
    pub fn new(roots: &Roots, named: Option<&Path>) -> Self {
        let at = |source, dir: &Path| LayerFile { source, path: dir.join(FILE_NAME), named: false };
        let mut files = vec![at(Source::Vendor, &roots.vendor)];
        match named {
            Some(path) => {
                let source = if roots.user.is_some() { Source::User } else { Source::Etc };
                files.push(LayerFile { source, path: path.to_owned(), named: true });
            }
            None => {
                files.push(at(Source::Etc, &roots.etc));
                files.extend(roots.user.iter().map(|dir| at(Source::User, dir)));
            }
        }
        Self { files, ..Self::default() }
    }

    /// With the console's file in this state directory, and with what was good last there.
    pub fn with_state(self, dir: &Path) -> Self {
        Self { state: Some(dir.to_owned()), ..self }
    }

    /// With a value that wins over all files; `name` is the flag or variable it came from.
    /// Refused when it is out of bounds.
    pub fn with_flag(mut self, key: &str, value: Value, name: &'static str) -> Result<Self, ConfigError> {
        let wrong = |message| {
            let problem = Problem { file: None, line: None, key: Some(key.to_owned()), message };
            ConfigError { problems: vec![problem] }
        };
        let setting =
            schema::find(key).ok_or_else(|| wrong(format!("{name}: there is no setting `{key}`")))?;
        let value = setting.check(value).map_err(|message| wrong(format!("{name}: {message}")))?;
        self.flags.push(Flag { key: setting.key, value, name });
        Ok(self)
    }

    /// The port base, as far as it can be known without the state directory, which
    /// depends on it.
    pub fn port_base(&self) -> u16 {
        let of_files = self.files.iter().rev().filter_map(|file| {
            let bytes = bytes_of(file).ok().flatten()?;
            let found = text::read(&bytes, &file.path, Rank::Owner);
            found.values.get("port").map(|(value, _)| value.clone())
        });
        let of_flags =
            self.flags.iter().rev().filter(|flag| flag.key == "port").map(|flag| flag.value.clone());
        match of_flags.chain(of_files).next() {
            Some(Value::Integer(port)) => u16::try_from(port).unwrap_or(super::Ports::DEFAULT_BASE),
            _ => super::Ports::DEFAULT_BASE,
        }
    }

    /// The console's file.
    pub fn state_file(&self) -> Option<PathBuf> {
        self.state.as_ref().map(|dir| dir.join(STATE_FILE))
    }

    pub(super) fn state_dir(&self) -> Option<&Path> {
        self.state.as_deref()
    }

    /// All that is wrong with the files there are, and these files.
    pub fn check(&self) -> (Vec<PathBuf>, Vec<Problem>) {
        let layers = self.layers(None);
        let files = layers.iter().filter(|layer| layer.bytes.is_some()).map(|layer| layer.file.path.clone());
        let mut problems: Vec<_> = layers.iter().flat_map(|layer| layer.text.problems.clone()).collect();
        if let Err((problem, _)) = self.build(&layers) {
            problems.push(problem);
        }
        (files.collect(), problems)
    }

    /// What all layers come to. An error only for what must be right.
    pub(super) fn load(&self) -> Result<Loaded, ConfigError> {
        self.load_with(None)
    }

    /// As [`load`](Self::load), with the console's file as it would be. An error for any
    /// mistake that is this file's.
    pub(super) fn load_with(&self, state: Option<&[u8]>) -> Result<Loaded, ConfigError> {
        let mut layers = self.layers(state);
        let mut problems: Vec<Problem> =
            layers.iter().flat_map(|layer| layer.text.problems.clone()).collect();
        let good = if problems.is_empty() { Good::default() } else { Good::read(self.state.as_deref()) };
        for layer in layers.iter_mut().filter(|layer| !layer.text.problems.is_empty()) {
            layer.step_down(&good, &mut problems);
        }
        let must = |layer: &Layer| layer.file.named || state.is_some() && layer.file.source == Source::State;
        loop {
            if layers.iter().any(|layer| must(layer) && layer.use_ != Use::Current) {
                return Err(ConfigError { problems });
            }
            match self.build(&layers) {
                Ok((config, set)) => {
                    let texts = layers.into_iter().filter_map(|layer| {
                        layer
                            .bytes
                            .filter(|_| layer.use_ != Use::Nothing)
                            .map(|bytes| (layer.file.path, bytes))
                    });
                    return Ok(Loaded { config: Config { problems, ..config }, set, texts: texts.collect() });
                }
                Err((problem, at)) => {
                    problems.push(problem);
                    let Some(layer) = layers.get_mut(at) else { return Err(ConfigError { problems }) };
                    let good = Good::read(self.state.as_deref());
                    layer.step_down(&good, &mut problems);
                }
            }
        }
    }

    fn layers(&self, state: Option<&[u8]>) -> Vec<Layer> {
        let mut layers: Vec<_> = self.files.iter().map(|file| Layer::of(file.clone(), None)).collect();
        if let Some(path) = self.state_file() {
            layers.push(Layer::of(LayerFile { source: Source::State, path, named: false }, state));
        }
        layers
    }

    /// The configuration; else what is wrong and the layer to blame.
    #[expect(clippy::type_complexity, reason = "both halves are taken apart at once")]
    fn build(&self, layers: &[Layer]) -> Result<(Config, BTreeMap<&'static str, Set>), (Problem, usize)> {
        let mut set = BTreeMap::new();
        let mut apps = (layers.len(), Vec::new());
        for (n, layer) in layers.iter().enumerate() {
            for (key, (value, line)) in &layer.text.values {
                let (source, origin) = (layer.file.source, layer.file.path.clone());
                set.insert(*key, Set { value: value.clone(), source, origin, line: Some(*line) });
            }
            if let Some(entries) = &layer.text.apps {
                apps = (n, entries.clone());
            }
        }
        for Flag { key, value, name } in &self.flags {
            let set_by = Set { value: value.clone(), source: Source::Flag, origin: name.into(), line: None };
            set.insert(*key, set_by);
        }
        let values = set.iter().map(|(key, set)| (*key, set.value.clone()));
        match Config::from_values(values, apps.1) {
            Ok(config) => Ok((config, set)),
            Err(wrong) => Err(blame(layers, &set, apps.0, wrong)),
        }
    }
}

/// Where a mistake stands that only shows when all is put together.
fn blame(layers: &[Layer], set: &BTreeMap<&'static str, Set>, apps: usize, wrong: Wrong) -> (Problem, usize) {
    let by_key = set.get(wrong.key).filter(|set| set.source != Source::Flag);
    let at = match by_key {
        Some(set) => layers.iter().position(|layer| layer.file.path == set.origin),
        None if wrong.key == "app" => Some(apps),
        None => layers.iter().rposition(|layer| layer.use_ != Use::Nothing && layer.bytes.is_some()),
    };
    let at = at.unwrap_or(layers.len());
    let file = layers.get(at).map(|layer| layer.file.path.clone());
    let line = by_key.and_then(|set| set.line).or(wrong.line);
    let message = format!("{}; correct or remove this line", wrong.message);
    (Problem { file, line, key: Some(wrong.key.to_owned()), message }, at)
}

impl Layer {
    fn of(file: LayerFile, instead: Option<&[u8]>) -> Self {
        let rank = file.rank();
        let read = match instead {
            Some(bytes) => Ok(Some(bytes.to_vec())),
            None => bytes_of(&file),
        };
        let (bytes, text) = match read {
            Ok(Some(bytes)) => {
                let text = text::read(&bytes, &file.path, rank);
                (Some(bytes), text)
            }
            Ok(None) => (None, Text::default()),
            Err(problem) => (None, Text { problems: vec![problem], ..Text::default() }),
        };
        Self { file, bytes, text, use_: Use::Current }
    }

    /// Uses what the file said when it was good, or, when that is not known or no better, nothing.
    fn step_down(&mut self, good: &Good, problems: &mut Vec<Problem>) {
        let path = &self.file.path;
        let last = good.text(path).filter(|_| self.use_ == Use::Current);
        let last = last.map(|bytes| (bytes.to_vec(), text::read(bytes, path, self.file.rank())));
        let message = match last.filter(|(_, text)| text.problems.is_empty()) {
            Some((bytes, text)) => {
                (self.bytes, self.text, self.use_) = (Some(bytes), text, Use::LastGood);
                "until it is corrected, what it said when the host last started well is used instead"
            }
            None => {
                (self.text, self.use_) = (Text::default(), Use::Nothing);
                "until it is corrected, nothing in this file is used"
            }
        };
        problems.push(Problem::of_file(path, message.to_owned()));
    }
}

impl LayerFile {
    fn rank(&self) -> Rank {
        if self.source == Source::State { Rank::Console } else { Rank::Owner }
    }
}

/// What a file holds; `None` when it is not there and need not be.
fn bytes_of(file: &LayerFile) -> Result<Option<Vec<u8>>, Problem> {
    // Who writes to the state directory must not lead root to other files.
    let follow = file.source != Source::State;
    match platform::read_bounded(&file.path, MAX_BYTES, follow) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !file.named => Ok(None),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let message = "no such file; leave --config out to run without it".to_owned();
            Err(Problem::of_file(&file.path, message))
        }
        Err(error) => {
            let what =
                format!("cannot be read ({error}); check its permissions, or name another with --config");
            Err(Problem::of_file(&file.path, what))
        }
    }
}
