//! Who may vouch for releases: two keys of minisign, the one in use and the one that takes
//! its place. Both are shipped from the first day, so that a change of keys needs nothing
//! of the owner.

use std::path::{Path, PathBuf};

use minisign_verify::{PublicKey, Signature};

use crate::platform::read_bounded;

/// Most keys that are looked at: two of the release, and what an owner adds.
const MAX_KEYS: usize = 8;
/// Most bytes of a key.
const MAX_KEY: u64 = 1024;

/// Most bytes of a signature.
pub(super) const MAX_SIGNATURE: u64 = 4096;

/// Why nobody vouches for a release.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// There is nobody to trust.
    #[error("no key is trusted: put the release's public keys (*.pub) into {}", .0.display())]
    NoKeys(PathBuf),
    /// A key cannot be used.
    #[error("{}: {why}; take it away or put the right one there", path.display())]
    Key {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The signature itself is damaged.
    #[error("the signature of the list of releases cannot be read ({0}); nothing was changed")]
    Unreadable(String),
    /// It is by somebody else, or of something else.
    #[error("the list of releases is signed by none of the trusted keys ({0}); nothing was changed")]
    Refused(String),
}

/// The keys that are trusted.
#[derive(Debug)]
pub struct Trust {
    keys: Vec<(String, PublicKey)>,
}

impl Trust {
    /// Reads the keys in these folders; one that is not there has none.
    pub fn load(folders: &[PathBuf]) -> Result<Self, TrustError> {
        let mut keys = Vec::new();
        for folder in folders {
            for file in files(folder) {
                keys.push(key(&file)?);
            }
        }
        keys.truncate(MAX_KEYS);
        if keys.is_empty() {
            return Err(TrustError::NoKeys(folders.last().cloned().unwrap_or_default()));
        }
        Ok(Self { keys })
    }

    /// The name of the key that signed these bytes.
    pub fn signer(&self, bytes: &[u8], signature: &[u8]) -> Result<&str, TrustError> {
        let unreadable = |why: &str| TrustError::Unreadable(why.to_owned());
        if signature.len() as u64 > MAX_SIGNATURE {
            return Err(unreadable("it is too long"));
        }
        let text = std::str::from_utf8(signature).map_err(|_| unreadable("it is no text"))?;
        let signature = Signature::decode(text).map_err(|error| unreadable(&error.to_string()))?;
        // Not the older kind of signature, which signs the bytes and not their hash.
        let signed = |key: &PublicKey| key.verify(bytes, &signature, false).is_ok();
        let found = self.keys.iter().find(|(_, key)| signed(key)).map(|(name, _)| name.as_str());
        found.ok_or_else(|| {
            let names: Vec<_> = self.keys.iter().map(|(name, _)| name.as_str()).collect();
            TrustError::Refused(names.join(", "))
        })
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "pub"))
        .take(MAX_KEYS)
        .collect();
    files.sort();
    files
}

fn key(path: &Path) -> Result<(String, PublicKey), TrustError> {
    let wrong = |why: String| TrustError::Key { path: path.to_owned(), why };
    let bytes = read_bounded(path, MAX_KEY, true).map_err(|error| wrong(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| wrong("it is no text".to_owned()))?;
    let key = PublicKey::decode(text.trim_end()).map_err(|error| wrong(error.to_string()))?;
    Ok((path.file_stem().unwrap_or_default().to_string_lossy().into_owned(), key))
}
