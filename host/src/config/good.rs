//! What the files of settings said when the host last started well, in the state
//! directory: it stands in for a file that somebody broke since.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::platform::{self, WriteError};

/// The file in the state directory.
const NAME: &str = "settings.good.toml";
/// Its format; others are not read.
const FORMAT: u32 = 1;
/// More than every file of settings at its longest, quoted.
const MAX_BYTES: u64 = 4 << 20;
const HEADER: &str = "# Written by punktfunk-host after each good start; do not edit.\n\
                      # It uses these texts while the file they are from has a mistake.\n";

/// The texts of the last good start.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Good {
    format: u32,
    #[serde(default)]
    file: Vec<GoodFile>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct GoodFile {
    path: PathBuf,
    text: String,
}

impl Good {
    /// Those kept in `dir`; none when they cannot be read.
    pub fn read(dir: Option<&Path>) -> Self {
        let Some(path) = dir.map(|dir| dir.join(NAME)) else { return Self::default() };
        let Ok(bytes) = platform::read_bounded(&path, MAX_BYTES, false) else { return Self::default() };
        let read = std::str::from_utf8(&bytes).ok().and_then(|text| toml::from_str::<Self>(text).ok());
        read.filter(|good| good.format == FORMAT).unwrap_or_default()
    }

    /// What `path` said.
    pub fn text(&self, path: &Path) -> Option<&[u8]> {
        self.file.iter().find(|file| file.path == path).map(|file| file.text.as_bytes())
    }

    /// Keeps these texts in `dir`, if they are others than before.
    pub fn write(dir: &Path, texts: &[(PathBuf, Vec<u8>)]) -> Result<(), WriteError> {
        let file = texts.iter().filter_map(|(path, bytes)| {
            let text = String::from_utf8(bytes.clone()).ok()?;
            // A path that is no text cannot be kept, and no last text of it either.
            path.to_str().map(|_| GoodFile { path: path.clone(), text })
        });
        let good = Self { format: FORMAT, file: file.collect() };
        if Self::read(Some(dir)) == good {
            return Ok(());
        }
        let text = toml::to_string(&good).map_err(|error| WriteError {
            what: "writing",
            source: std::io::Error::other(error.to_string()),
        })?;
        platform::write_whole(&dir.join(NAME), format!("{HEADER}{text}").as_bytes())
    }
}
