//! Session keys that were used, as hashes: no key may be used twice, also after a
//! restart, when every counter begins anew.
//!
//! The file is a row of SHA-256 hashes. One is added at its end and synced before
//! the key is used; what a crash cut short there belongs to a key that was not.

use std::collections::HashSet;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use punktfunk_core::crypto::sha256;

use super::{StoreError, failed};
use crate::platform;
use crate::session::KeyLedger;

/// The file in the state directory.
const NAME: &str = "used-keys";
/// How many keys are remembered: 2 MiB, two years of a hundred launches and resumes a
/// day, each with a new one. Only a paired client can send an older one again (a launch
/// cannot be replayed, TLS sees to that), and then opens nothing but its own streams.
const REMEMBERED: usize = 65_536;
/// Bytes of a hash.
const HASH: usize = 32;

/// The keys that were used; see the module.
#[derive(Debug)]
pub struct UsedKeys {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    /// In the order of the file.
    hashes: Vec<[u8; HASH]>,
    known: HashSet<[u8; HASH]>,
    /// The last write failed: the end of the file is unknown.
    torn: bool,
}

impl UsedKeys {
    /// Reads the keys remembered in the state directory `dir`.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(NAME);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(source) => return Err(StoreError::Io { what: "reading", path, source }),
        };
        let (all, cut) = bytes.as_chunks::<HASH>();
        let newest = &all[all.len().saturating_sub(REMEMBERED)..];
        if !cut.is_empty() || newest.len() < all.len() {
            platform::write_whole(&path, newest.as_flattened()).map_err(failed(&path))?;
        }
        let state = State {
            file: append(&path)?,
            hashes: newest.to_vec(),
            known: newest.iter().copied().collect(),
            torn: false,
        };
        Ok(Self { path, state: Mutex::new(state) })
    }

    fn remember(&self, state: &mut State, hash: [u8; HASH]) -> Result<(), StoreError> {
        let is_long = state.hashes.len() >= 2 * REMEMBERED;
        if is_long || state.torn {
            let from = state.hashes.len().saturating_sub(REMEMBERED);
            state.hashes.drain(..from);
            state.known = state.hashes.iter().copied().collect();
            let whole = [state.hashes.as_flattened(), &hash].concat();
            platform::write_whole(&self.path, &whole).map_err(failed(&self.path))?;
            state.file = append(&self.path)?;
            state.torn = false;
        } else {
            let written = state.file.write_all(&hash).and_then(|()| state.file.sync_data());
            if let Err(source) = written {
                state.torn = true;
                return Err(StoreError::Io { what: "writing", path: self.path.clone(), source });
            }
        }
        state.hashes.push(hash);
        state.known.insert(hash);
        Ok(())
    }
}

impl KeyLedger for UsedKeys {
    fn claim(&self, key: &[u8; 16]) -> Result<bool, String> {
        let hash = sha256(&[key]);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.known.contains(&hash) {
            return Ok(false);
        }
        self.remember(&mut state, hash).map(|()| true).map_err(|error| error.to_string())
    }
}

fn append(path: &Path) -> Result<File, StoreError> {
    let file = platform::private_options().append(true).open(path);
    file.map_err(|source| StoreError::Io { what: "opening", path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("pfh-used-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        dir
    }

    fn key(n: usize) -> [u8; 16] {
        (n as u128).to_le_bytes()
    }

    #[test]
    fn a_key_is_taken_once_also_after_a_restart() {
        let dir = scratch("once");
        let keys = UsedKeys::open(&dir).unwrap();
        assert_eq!(keys.claim(&key(1)), Ok(true));
        assert_eq!(keys.claim(&key(1)), Ok(false));
        drop(keys);
        let keys = UsedKeys::open(&dir).unwrap();
        assert_eq!(keys.claim(&key(1)), Ok(false));
        assert_eq!(keys.claim(&key(2)), Ok(true));
        let text = std::fs::read(dir.join(NAME)).unwrap();
        assert_eq!(text, [sha256(&[&key(1)]), sha256(&[&key(2)])].concat(), "hashes, no keys");
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_write_that_was_cut_short_loses_nothing_before_it() {
        let dir = scratch("cut");
        let whole: Vec<u8> = (0..3).flat_map(|n| sha256(&[&key(n)])).collect();
        for cut in 0..whole.len() {
            std::fs::write(dir.join(NAME), &whole[..cut]).unwrap();
            let keys = UsedKeys::open(&dir).unwrap();
            for n in 0..3 {
                assert_eq!(keys.claim(&key(n)), Ok(n >= cut / HASH), "key {n} of {cut} bytes");
            }
            drop(keys);
            assert_eq!(std::fs::read(dir.join(NAME)).unwrap(), whole);
        }
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn the_file_is_bounded_and_the_newest_are_kept() {
        let dir = scratch("bound");
        let old: Vec<u8> = (0..2 * REMEMBERED + 5).flat_map(|n| sha256(&[&key(n)])).collect();
        std::fs::write(dir.join(NAME), &old).unwrap();
        let keys = UsedKeys::open(&dir).unwrap();
        let len = || std::fs::metadata(dir.join(NAME)).unwrap().len();
        assert_eq!(len(), (REMEMBERED * HASH) as u64);
        assert_eq!(keys.claim(&key(2 * REMEMBERED + 4)), Ok(false), "the newest");
        assert_eq!(keys.claim(&key(0)), Ok(true), "the oldest is forgotten");
        // At run time too: the file is rewritten when it is twice as long.
        let mut state = keys.state.lock().unwrap();
        state.hashes = (0..2 * REMEMBERED).map(|n| sha256(&[&key(n)])).collect();
        keys.remember(&mut state, sha256(&[b"new"])).unwrap();
        assert_eq!(len(), ((REMEMBERED + 1) * HASH) as u64);
        assert!(!state.known.contains(&sha256(&[&key(0)])));
        assert!(state.known.contains(&sha256(&[&key(REMEMBERED)])));
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_file_that_cannot_be_written_refuses_the_key() {
        let dir = scratch("refuse");
        let keys = UsedKeys::open(&dir).unwrap();
        // Readable only: what is written to it fails.
        keys.state.lock().unwrap().file = File::open(dir.join(NAME)).unwrap();
        assert!(keys.claim(&key(1)).is_err());
        assert_eq!(keys.claim(&key(1)), Ok(true), "it was never used, and the file is written anew");
        assert_eq!(UsedKeys::open(&dir).unwrap().claim(&key(1)), Ok(false));
        std::fs::remove_dir_all(dir).unwrap();
    }
}
