//! The configuration: one TOML file, every key optional.
//!
//! [`Config::load`] reads `punktfunk.toml` and returns plain data with all defaults
//! filled in; a missing file is the default configuration. Nothing here looks at
//! the running system except for the two defaults that come from it, the host name
//! and the keyboard layout. All keys are listed in `docs/configuration.md`.

mod api;
mod apps;
mod keyboard;
mod native;
mod ports;
mod sessions;

use std::path::{Path, PathBuf};

use serde::Deserialize;

pub use api::Api;
pub use apps::{App, AppKind, Apps, DESKTOP_ID, FIRST_OWN_ID, TEST_CARD_ID, id_for_name};
pub use keyboard::{Keyboard, layout_for_locale};
pub use native::Native;
pub use ports::Ports;
pub use sessions::Sessions;

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
    /// The console and the management API.
    pub api: Api,
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

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file is there but cannot be read.
    #[error("{}: cannot be read ({source}); check its permissions or name another file with --config", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file named on the command line does not exist.
    #[error("{}: no such file; leave --config out to run with the defaults", file.display())]
    Missing {
        /// The file.
        file: PathBuf,
    },
    /// A line is not understood.
    #[error("{}:{line}: {message}; correct or remove this line", file.display())]
    Syntax {
        /// The file.
        file: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        message: String,
    },
    /// The file is well-formed but a value makes no sense.
    #[error("{}: {message}", file.display())]
    Value {
        /// The file.
        file: PathBuf,
        /// What is wrong and what to write instead.
        message: String,
    },
}

/// The file as it is written; [`Config`] is what it means.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct File {
    name: Option<String>,
    port: Option<u16>,
    native: Native,
    api: Api,
    #[serde(rename = "app")]
    apps: Vec<apps::Entry>,
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
        // An empty file has no value that could be wrong.
        Self::from_file(File::default()).unwrap_or_else(|message| unreachable!("{message}"))
    }
}

impl Config {
    /// The UDP port of punktfunk/1.
    pub fn native_port(&self) -> u16 {
        self.native.port.unwrap_or(self.ports.native())
    }

    /// Reads `file`. When the owner did not name it (`named` is false), a missing
    /// file means the defaults.
    pub fn load(file: &Path, named: bool) -> Result<Self, ConfigError> {
        match std::fs::read_to_string(file) {
            Ok(text) => Self::parse(&text, file),
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => {
                if named {
                    Err(ConfigError::Missing { file: file.to_owned() })
                } else {
                    Ok(Self::default())
                }
            }
            Err(source) => Err(ConfigError::Read { file: file.to_owned(), source }),
        }
    }

    /// Reads the text of a configuration; `file` is what errors name.
    pub fn parse(text: &str, file: &Path) -> Result<Self, ConfigError> {
        let parsed: File = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start).min(text.len());
            let line = text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
            let message = error.message().replace('\n', " ");
            ConfigError::Syntax { file: file.to_owned(), line, message }
        })?;
        Self::from_file(parsed).map_err(|message| ConfigError::Value { file: file.to_owned(), message })
    }

    fn from_file(file: File) -> Result<Self, String> {
        let name = file.name.unwrap_or_else(crate::platform::host_name);
        if name.is_empty() || name.len() > 60 || name.chars().any(char::is_control) {
            return Err("`name` must be 1 to 60 bytes of printable text".to_owned());
        }
        if file.encoder.fec_percentage > 100 {
            return Err("`encoder.fec_percentage` must be 0 to 100".to_owned());
        }
        if !(0.0..=100.0).contains(&file.test.drop_percent) || file.test.fec_percentage.unwrap_or(0) > 200 {
            return Err("`test.drop_percent` must be 0 to 100, `test.fec_percentage` 0 to 200".to_owned());
        }
        let session = &file.desktop.session;
        if session.trim().is_empty() || session.len() > 1024 || session.chars().any(char::is_control) {
            return Err("`desktop.session` must be \"auto\", \"own\" or a command".to_owned());
        }
        Ok(Self {
            name,
            ports: Ports::new(file.port.unwrap_or(Ports::DEFAULT_BASE))?,
            native: file.native.checked()?,
            api: file.api,
            sessions: file.sessions.checked()?,
            apps: Apps::new(file.apps, file.desktop.session)?,
            keyboard: Keyboard::new(file.keyboard)?,
            encoder: file.encoder,
            log: file.log.level,
            test: file.test,
        })
    }
}

#[cfg(test)]
mod tests {
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
        assert!(error.starts_with("punktfunk.toml:2: unknown field `prot`"), "{error}");
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
            assert!(matches!(parse(text), Err(ConfigError::Value { .. })), "{text}");
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
    fn a_missing_file_is_an_error_only_when_it_was_named() {
        let file = Path::new("/nonexistent/punktfunk.toml");
        assert_eq!(Config::load(file, false).unwrap(), Config::default());
        assert!(matches!(Config::load(file, true), Err(ConfigError::Missing { .. })));
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
        for key in
            ["`name`", "`port`", "`app.", "`keyboard.layout`", "`keyboard.variant`", "`keyboard.options`"]
        {
            assert!(page.contains(key), "{key} is not documented");
        }
        for key in ["`native.port`", "`native.bind`", "`native.trust_on_first_use`"] {
            assert!(page.contains(key), "{key} is not documented");
        }
        for key in ["`desktop.session`", "`encoder.software`", "`encoder.fec_percentage`", "`log.level`"] {
            assert!(page.contains(key), "{key} is not documented");
        }
    }
}
