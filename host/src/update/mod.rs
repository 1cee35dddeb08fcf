//! Whether there is something newer than what runs, told in a file, and bringing it where the
//! whole system is one image ([`image`]). System extensions have a room of their own.
//!
//! Written by `punktfunk-host update`, which root runs; read by the host, whose console shows
//! it. The host updates nothing itself.

pub mod image;

use std::path::Path;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::platform::{WriteError, read_bounded, write_public};

/// The file: root's, and there until the machine restarts.
pub const FILE: &str = "/run/punktfunk-update.json";
/// Longest file that is read, bytes.
const MAX_FILE: u64 = 64 * 1024;

/// How things stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Where updates come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// What is newer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available: Option<Available>,
    /// In one word.
    pub state: UpdateState,
    /// In one sentence.
    #[serde(default)]
    pub detail: String,
}

/// Something newer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Available {
    /// Its version.
    pub version: String,
    /// What changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
}

/// How things stand, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum UpdateState {
    /// Nothing is newer.
    None,
    /// Something is.
    Available,
    /// It is there and waits for a restart of the machine.
    Staged,
    /// It did not work.
    Failed,
    /// Whoever installed the host updates it.
    Unmanaged,
}

impl Told {
    /// Nothing more than a word and a sentence.
    pub fn plain(state: UpdateState, detail: impl Into<String>) -> Self {
        Self { channel: None, available: None, state, detail: detail.into() }
    }

    /// The same with a release that could be had.
    #[must_use]
    pub fn with(self, version: impl Into<String>) -> Self {
        Self { available: Some(Available { version: version.into(), notes: None }), ..self }
    }

    /// Says so to whoever looks.
    pub fn write(&self, file: &Path) -> Result<(), WriteError> {
        let text = serde_json::to_vec(self).unwrap_or_default();
        write_public(file, &text)
    }

    /// What was said last; nothing when nobody has said anything.
    ///
    /// # Errors
    /// What is there is not understood.
    pub fn read(file: &Path) -> Result<Option<Self>, String> {
        match read_bounded(file, MAX_FILE, false) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| error.to_string()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn file(name: &str) -> std::path::PathBuf {
        std::env::temp_dir().join(format!("pf-update-{name}-{}", std::process::id()))
    }

    #[test]
    fn what_root_says_everybody_reads() {
        let file = file("said");
        let _ = std::fs::remove_file(&file);
        assert_eq!(Told::read(&file), Ok(None));
        let told = Told::plain(UpdateState::Staged, "It waits.").with("9.1");
        told.write(&file).unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o644);
        assert_eq!(Told::read(&file), Ok(Some(told)));
        std::fs::remove_file(&file).unwrap();
    }

    #[test]
    fn rubbish_is_refused() {
        let file = file("rubbish");
        let long = format!("{{\"state\":\"none\",\"detail\":\"{}\"}}", "x".repeat(70_000));
        for text in ["", "{", "{\"state\":\"odd\"}", "[]", long.as_str()] {
            std::fs::write(&file, text).unwrap();
            assert!(Told::read(&file).is_err(), "{text:.40}");
        }
        std::fs::remove_file(&file).unwrap();
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in r#"\{"(state|detail|available)":[ -~]{0,40}\}"#) {
            let _ = serde_json::from_str::<Told>(&text);
        }
    }
}
