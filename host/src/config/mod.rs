//! The settings: what there is, where it is set, and what it comes to.
//!
//! [`table`] says what every setting is; the reference, the JSON Schema and the form of
//! the console follow from it. [`Layers`] reads the files, [`Settings`] is the handle on
//! the settings of a running host, and [`Config`] is plain data with all defaults filled
//! in. Nothing here looks at the running system except for the defaults that come from
//! it, the host name and the keyboard layout.

mod api;
mod apps;
mod good;
mod keyboard;
mod layers;
mod library;
mod native;
mod ports;
mod problem;
pub mod published;
pub mod schema;
mod sessions;
mod settings;
mod shown;
pub mod table;
mod text;
mod value;

use std::path::Path;

use serde::Deserialize;

pub use api::Api;
pub use apps::{App, AppKind, Apps, DESKTOP_ID, FIRST_OWN_ID, TEST_CARD_ID, id_for_name};
pub use keyboard::{Keyboard, layout_for_locale};
pub use layers::{Layers, Roots, STATE_FILE, Source};
pub use library::Library;
pub use native::Native;
pub use ports::Ports;
pub use problem::{ConfigError, Problem};
pub use sessions::{Compositor, Sessions};
pub use settings::{ChangeError, Settings};
pub use shown::{Group, Listing, Shape, Shown};
pub use text::MAX_BYTES as MAX_FILE_BYTES;
pub use value::Value;

/// The file name of the configuration in its directory.
pub const FILE_NAME: &str = "punktfunk.toml";

/// Everything the owner can settle, defaults filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The name clients show for this host.
    pub name: String,
    /// The ports this host listens on.
    pub ports: Ports,
    /// The native protocol.
    pub native: Native,
    /// GameStream.
    pub gamestream: GameStream,
    /// The console and the management API.
    pub api: Api,
    /// Where games are looked for.
    pub library: Library,
    /// What can be started.
    pub apps: Apps,
    /// How many sessions there are, and whose.
    pub sessions: Sessions,
    /// The keyboard a seat has.
    pub keyboard: Keyboard,
    /// How pictures are coded and protected.
    pub encoder: Encoder,
    /// Filter of the log, in the syntax of `RUST_LOG`.
    pub log: String,
    /// Faults made on purpose.
    pub test: Test,
    /// What is wrong with the files, which are not used as they are; for people.
    pub problems: Vec<Problem>,
}

/// GameStream, as the owner wants it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GameStream {
    /// Clients such as Moonlight are served.
    pub enabled: bool,
}

/// Faults made on purpose, for tests of clients and of this host.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Test {
    /// Throw away so many of 100 video datagrams.
    pub drop_percent: f64,
    /// Always this much parity, whatever is lost.
    pub fec_percentage: Option<u8>,
    /// Each encoder of a stream fails after so many pictures.
    pub fail_encoder_after: Option<u32>,
    /// So many of them, one when nothing is said.
    pub fail_encoder_times: Option<u32>,
    /// The encoder's thread panics after so many pictures.
    pub panic_encoder_after: Option<u32>,
    /// No pictures at all, for measurements of everything behind the encoder.
    pub encoder: Option<TestEncoder>,
}

/// What stands in for an encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TestEncoder {
    /// Access units of the right size that show nothing.
    Synthetic,
}

/// How pictures are coded and protected.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Encoder {
    /// Which software encoder makes H.264.
    pub software: SoftwareEncoder,
    /// Parity shards for each 100 data shards, 0 to 100.
    pub fec_percentage: u8,
}

impl Default for Encoder {
    fn default() -> Self {
        Self { software: SoftwareEncoder::Auto, fec_percentage: 20 }
    }
}

/// Which software encoder makes H.264.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SoftwareEncoder {
    /// libx264 when FFmpeg has it, else OpenH264.
    #[default]
    Auto,
    /// libx264 through FFmpeg.
    X264,
    /// The OpenH264 encoder.
    OpenH264,
}

/// What is wrong with values that are good each by itself.
struct Wrong {
    key: &'static str,
    /// Of the entry, for `app`.
    line: Option<usize>,
    message: String,
}

impl Wrong {
    fn new(key: &'static str, message: String) -> Self {
        Self { key, line: None, message }
    }
}

/// The file as it is written; [`Config`] is what it means.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct File {
    name: Option<String>,
    port: Option<u16>,
    native: Native,
    gamestream: GameStream,
    api: Api,
    library: Library,
    sessions: Sessions,
    desktop: Desktop,
    keyboard: keyboard::Entry,
    encoder: Encoder,
    log: Log,
    test: Test,
}

/// What the application `Desktop` shows.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Desktop {
    session: String,
}

impl Default for Desktop {
    fn default() -> Self {
        Self { session: "auto".to_owned() }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Log {
    level: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".to_owned() }
    }
}

impl Default for Config {
    fn default() -> Self {
        // Nothing that is set could be wrong.
        Self::from_file(File::default(), Vec::new()).unwrap_or_else(|wrong| unreachable!("{}", wrong.message))
    }
}

impl Config {
    /// The UDP port of punktfunk/1.
    pub fn native_port(&self) -> u16 {
        self.native.port.unwrap_or(self.ports.native())
    }

    /// The TCP port of the console and the management API.
    pub fn api_port(&self) -> u16 {
        self.api.port.unwrap_or(self.ports.api())
    }

    /// True when the setting `key` may have this text.
    pub fn takes(key: &str, text: &str) -> bool {
        schema::find(key).is_some_and(|setting| setting.check(text.into()).is_ok())
    }

    /// Reads the text of one file by itself; `file` is what errors name.
    pub fn parse(text: &str, file: &Path) -> Result<Self, ConfigError> {
        Self::parse_bytes(text.as_bytes(), file)
    }

    /// As [`parse`](Self::parse), for what may be no text.
    pub fn parse_bytes(bytes: &[u8], file: &Path) -> Result<Self, ConfigError> {
        let found = text::read(bytes, file, text::Rank::Owner);
        if !found.problems.is_empty() {
            return Err(ConfigError { problems: found.problems });
        }
        let values = found.values.iter().map(|(key, (value, _))| (*key, value.clone()));
        Self::from_values(values, found.apps.unwrap_or_default()).map_err(|wrong| {
            let line = found.values.get(wrong.key).map(|(_, line)| *line).or(wrong.line);
            let message = format!("{}; correct or remove this line", wrong.message);
            let key = Some(wrong.key.to_owned());
            ConfigError { problems: vec![Problem { file: Some(file.to_owned()), line, key, message }] }
        })
    }

    /// What values mean that are good each by itself.
    fn from_values(
        values: impl Iterator<Item = (&'static str, Value)>,
        apps: Vec<apps::Entry>,
    ) -> Result<Self, Wrong> {
        let mut file = toml::Table::new();
        for (key, value) in values {
            put(&mut file, key, value.to_toml());
        }
        let file: File = file.try_into().map_err(|error| {
            // The schema refuses what these types cannot hold.
            Wrong::new("", toml::de::Error::message(&error).to_owned())
        })?;
        Self::from_file(file, apps)
    }

    fn from_file(file: File, apps: Vec<apps::Entry>) -> Result<Self, Wrong> {
        let ports = Ports::new(file.port.unwrap_or(Ports::DEFAULT_BASE))
            .map_err(|message| Wrong::new("port", message))?;
        if let Some(port) = file.api.port
            && let Some(what) = ports.tcp_use(port)
        {
            let message = format!("`api.port` must be another than {port}, where this host serves {what}");
            return Err(Wrong::new("api.port", message));
        }
        let apps = Apps::new(apps, file.desktop.session).map_err(|(line, message)| Wrong {
            key: "app",
            line,
            message,
        })?;
        Ok(Self {
            name: file.name.unwrap_or_else(crate::platform::host_name),
            ports,
            native: file.native,
            gamestream: file.gamestream,
            api: file.api,
            library: file.library,
            sessions: file.sessions,
            apps,
            keyboard: Keyboard::new(file.keyboard).map_err(|(key, message)| Wrong::new(key, message))?,
            encoder: file.encoder,
            log: file.log.level,
            test: file.test,
            problems: Vec::new(),
        })
    }
}

/// Puts a value into its place: `native.port` into the table `native`. What is no table
/// there makes room for one.
fn put(table: &mut toml::Table, key: &str, value: toml::Value) {
    let Some((name, rest)) = key.split_once('.') else {
        table.insert(key.to_owned(), value);
        return;
    };
    let inner = table.entry(name).or_insert_with(|| toml::Value::Table(toml::Table::new()));
    if !inner.is_table() {
        *inner = toml::Value::Table(toml::Table::new());
    }
    if let toml::Value::Table(inner) = inner {
        put(inner, rest, value);
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod parsing {
    use super::*;

    fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::parse(text, Path::new("punktfunk.toml"))
    }

    #[test]
    fn an_empty_file_is_the_default() {
        let config = parse("").unwrap();
        assert_eq!(config, Config::default());
        assert_eq!(config.ports.base(), 47989);
        assert_eq!(config.encoder.fec_percentage, 20);
        assert_eq!(config.apps.iter().map(|app| app.id).collect::<Vec<_>>(), [DESKTOP_ID, TEST_CARD_ID]);
    }

    #[test]
    fn an_error_names_file_line_and_remedy() {
        let error = parse("name = \"x\"\nprot = 5\n").unwrap_err().to_string();
        assert!(error.starts_with("punktfunk.toml:2: there is no setting `prot`"), "{error}");
        assert!(error.ends_with("correct or remove this line"), "{error}");
        let error = parse("name = \"x\"\n\nport = \"high\"\n").unwrap_err().to_string();
        assert!(error.starts_with("punktfunk.toml:3: "), "{error}");
        let error = parse("[encoder]\nsoftware = \"best\"").unwrap_err().to_string();
        assert!(error.starts_with("punktfunk.toml:2: "), "{error}");
    }

    #[test]
    fn values_out_of_range_are_refused() {
        for text in [
            "name = ''",
            "port = 3",
            "port = 65530",
            "[encoder]\nfec_percentage = 101",
            "[desktop]\nsession = ''",
            "[test]\ndrop_percent = 101",
            "[native]\nport = 80",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_native_port_follows_the_base_unless_it_is_named() {
        assert_eq!(parse("").unwrap().native_port(), 9777);
        assert_eq!(parse("port = 48089").unwrap().native_port(), 9877);
        let named = parse("port = 48089\n[native]\nport = 5000\nbind = '::1'").unwrap();
        assert_eq!(named.native_port(), 5000);
        assert_eq!(named.native.bind, Some("::1".parse().unwrap()));
        assert!(!named.native.trust_on_first_use, "never without the owner's word");
    }

    #[test]
    fn no_picture_is_a_test_setting_only() {
        let config = parse("[test]\nencoder = \"synthetic\"").unwrap();
        assert_eq!(config.test.encoder, Some(TestEncoder::Synthetic));
        assert_ne!(config.test, Test::default());
        assert!(parse("[encoder]\nsoftware = \"synthetic\"").is_err());
    }

    #[test]
    fn values_that_do_not_go_together_are_refused_with_their_line() {
        let error = parse("name = 'x'\n[keyboard]\nvariant = 'nodeadkeys'").unwrap_err().to_string();
        assert!(error.starts_with("punktfunk.toml:3: `keyboard.variant` needs"), "{error}");
        let error = parse("[api]\nport = 48010").unwrap_err().to_string();
        assert!(error.starts_with("punktfunk.toml:2: `api.port` must be another"), "{error}");
        assert_eq!(parse("port = 50000").unwrap().api_port(), 50001);
    }

    #[test]
    fn every_example_of_the_documentation_is_valid() {
        let page = include_str!("../../../docs/configuration.md");
        let mut examples = 0;
        for block in page.split("```toml\n").skip(1) {
            let text = block.split("```").next().unwrap();
            parse(text).unwrap_or_else(|error| panic!("{error} in\n{text}"));
            examples += 1;
        }
        assert!(examples >= 2);
    }
}
