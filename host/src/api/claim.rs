//! Whose host this is. Nobody's at first: whoever reads the claim secret on the machine
//! itself sets the owner's password with it, once. Afterwards the password counts.
//!
//! The file is looked at again whenever it changed, so that `punktfunk-host claim --reset`
//! works beside a running host.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use punktfunk_core::crypto::sha256;
use serde::{Deserialize, Serialize};

use super::error::Problem;
use super::password::Password;
use crate::store::{StoreError, read_versioned, write_versioned};

/// The format that is written, and the only one there was.
const FORMAT: u32 = 1;
/// The file in the state directory.
pub const FILE: &str = "claim.json";

/// Letters of a secret: none that looks like another. 32 of them, five bits each.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// Letters of a secret: 125 bits.
const LETTERS: usize = 25;
/// Letters between two dashes.
const GROUP: usize = 5;

/// Whose host this is.
#[derive(Debug)]
pub struct Claim {
    path: PathBuf,
    known: Mutex<Option<(Stamp, File)>>,
}

/// Tells one version of the file from the next.
type Stamp = (u64, i64, i64, u64);

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    /// To claim with; none when it is claimed.
    secret: Option<String>,
    /// The owner's; none until it is claimed.
    password: Option<Password>,
}

impl Claim {
    /// That of the host with this state directory. Nothing is read or made.
    pub fn of(state: &Path) -> Self {
        Self { path: state.join(FILE), known: Mutex::new(None) }
    }

    /// Makes a secret, unless there is one or the host is claimed.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn make(&self) -> Result<(), StoreError> {
        let mut known = self.lock();
        if self.stamp()?.is_none() {
            self.write(&mut known, File { version: FORMAT, secret: Some(new_secret()?), password: None })?;
        }
        Ok(())
    }

    /// Makes a new secret and forgets the password: the host is nobody's again.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn reset(&self) -> Result<String, StoreError> {
        let secret = new_secret()?;
        let file = File { version: FORMAT, secret: Some(secret.clone()), password: None };
        self.write(&mut self.lock(), file)?;
        Ok(secret)
    }

    /// What claims this host; `None` when it is claimed.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn secret(&self) -> Result<Option<String>, StoreError> {
        Ok(self.read(&mut self.lock())?.secret)
    }

    /// Whether there is an owner with a password.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn is_claimed(&self) -> Result<bool, StoreError> {
        Ok(self.read(&mut self.lock())?.password.is_some())
    }

    /// Tells one password from the next.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn generation(&self) -> Result<u64, Problem> {
        let file = self.read(&mut self.lock())?;
        let mut hasher = DefaultHasher::new();
        file.password.hash(&mut hasher);
        Ok(hasher.finish())
    }

    /// Sets the owner's password for whoever knows the secret, which is burnt. Takes some
    /// tens of milliseconds and 19 MiB.
    ///
    /// # Errors
    /// It is claimed already, the secret is another, or the password is too short.
    pub fn claim(&self, secret: &str, password: &str) -> Result<(), Problem> {
        let mut known = self.lock();
        let Some(right) = self.read(&mut known)?.secret else {
            return Err(Problem::conflict(
                "this host is claimed: log in, or run `punktfunk-host claim --reset` on it",
            )
            .with_code("already_claimed"));
        };
        if !same_secret(secret, &right) {
            return Err(Problem::forbidden(
                "wrong_secret",
                "this is not the claim secret: run `punktfunk-host claim` on the host, it shows it",
            )
            .with_field("secret"));
        }
        let password = Password::new(password).map_err(|problem| problem.with_field("password"))?;
        self.write(&mut known, File { version: FORMAT, secret: None, password: Some(password) })?;
        Ok(())
    }

    /// Whether this is the owner's password. Takes some tens of milliseconds.
    ///
    /// # Errors
    /// Nobody claimed the host yet.
    pub fn verify(&self, password: &str) -> Result<bool, Problem> {
        let known = self.read(&mut self.lock())?.password;
        let known = known.ok_or_else(|| {
            Problem::conflict("this host is nobody's yet: claim it with the secret that it shows")
                .with_code("not_claimed")
        })?;
        Ok(known.verify(password))
    }

    /// Replaces the password. Takes some tens of milliseconds.
    ///
    /// # Errors
    /// The new one is too short.
    pub fn change(&self, new: &str) -> Result<(), Problem> {
        let password = Password::new(new).map_err(|problem| problem.with_field("new"))?;
        let mut known = self.lock();
        let file = File { version: FORMAT, secret: None, password: Some(password) };
        Ok(self.write(&mut known, file)?)
    }

    fn lock(&self) -> MutexGuard<'_, Option<(Stamp, File)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stamp(&self) -> Result<Option<Stamp>, StoreError> {
        match self.path.metadata() {
            Ok(found) => Ok(Some((found.ino(), found.mtime(), found.mtime_nsec(), found.len()))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StoreError::Io { what: "reading", path: self.path.clone(), source }),
        }
    }

    fn read(&self, known: &mut Option<(Stamp, File)>) -> Result<File, StoreError> {
        let stamp = self.stamp()?;
        if let (Some((of, file)), Some(stamp)) = (&*known, stamp)
            && *of == stamp
        {
            return Ok(file.clone());
        }
        let missing = || StoreError::Damaged {
            path: self.path.clone(),
            reason: "it is gone; `punktfunk-host claim --reset` makes it anew".to_owned(),
        };
        let file: File = read_versioned(&self.path, FORMAT)?.ok_or_else(missing)?;
        *known = stamp.map(|stamp| (stamp, file.clone()));
        Ok(file)
    }

    fn write(&self, known: &mut Option<(Stamp, File)>, file: File) -> Result<(), StoreError> {
        write_versioned(&self.path, &file)?;
        *known = self.stamp()?.map(|stamp| (stamp, file));
        Ok(())
    }
}

fn new_secret() -> Result<String, StoreError> {
    let mut bytes = [0; LETTERS];
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_| StoreError::Identity("the system gives no random numbers".to_owned()))?;
    let letters = bytes.map(|byte| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]));
    let groups: Vec<String> = letters.chunks(GROUP).map(|group| group.iter().collect()).collect();
    Ok(groups.join("-"))
}

/// Compares without telling how much was right. Dashes, blanks and case do not count:
/// people type this.
fn same_secret(given: &str, right: &str) -> bool {
    let plain = |text: &str| {
        let letters: String = text.chars().filter(char::is_ascii_alphanumeric).take(LETTERS * 4).collect();
        sha256(&[letters.to_ascii_lowercase().as_bytes()])
    };
    verify_slices_are_equal(&plain(given), &plain(right)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Dir(PathBuf);

    impl Dir {
        fn new(name: &str) -> Self {
            let dir = std::env::temp_dir().join(format!("pf-claim-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&dir).unwrap();
            Self(dir)
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_secret_has_five_groups_and_at_least_eighty_bits() {
        let secret = new_secret().unwrap();
        assert_eq!(secret.split('-').map(str::len).collect::<Vec<_>>(), [5; 5], "{secret}");
        assert!(secret.bytes().all(|byte| byte == b'-' || ALPHABET.contains(&byte)));
        assert_ne!(secret, new_secret().unwrap());
        assert!(same_secret(&format!(" {} ", secret.to_uppercase().replace('-', " ")), &secret));
        assert!(!same_secret("", &secret) && !same_secret(&secret[1..], &secret));
    }

    #[test]
    fn a_host_is_claimed_once_and_again_after_a_reset() {
        let dir = Dir::new("once");
        let claim = Claim::of(&dir.0);
        claim.make().unwrap();
        let secret = claim.secret().unwrap().unwrap();
        Claim::of(&dir.0).make().unwrap();
        assert_eq!(Claim::of(&dir.0).secret().unwrap().unwrap(), secret, "the same until it is used");
        let before = claim.generation().unwrap();
        assert!(claim.verify("long enough").is_err(), "nobody's password is right");
        assert!(claim.claim("wrong", "long enough").is_err());
        assert!(claim.claim(&secret, "too short").is_err());
        claim.claim(&secret, "long enough").unwrap();
        assert_ne!(claim.generation().unwrap(), before);
        assert_eq!(claim.secret().unwrap(), None);
        assert!(claim.claim(&secret, "another one").is_err(), "the secret is burnt");
        assert!(claim.verify("long enough").unwrap() && !claim.verify("long enougi").unwrap());

        // Another process resets it; this one notices.
        let new = Claim::of(&dir.0).reset().unwrap();
        assert_ne!(new, secret);
        assert!(!claim.is_claimed().unwrap());
        assert_eq!(claim.secret().unwrap(), Some(new));
    }
}
