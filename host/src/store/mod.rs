//! What outlives a run: the identity of this host and the clients it trusts.
//!
//! One directory of JSON files, each with a format version, each replaced as a
//! whole. A file that cannot be understood stops the host with a
//! message and stays as it is: overwriting it would turn a small accident into a
//! lost identity.

mod clients;
mod identity;
mod used;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::platform;
use crate::session::ClientId;

pub use clients::{Client, find};
pub use identity::Identity;
pub use used::UsedKeys;

/// The format this program writes. Newer ones are refused.
const FORMAT: u32 = 1;

/// The state directory of one host.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    identity: Identity,
    clients: Mutex<Vec<Client>>,
    /// Held locked by the host that runs on this directory.
    lock: Mutex<Option<File>>,
}

/// Why the state cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The system refused something.
    #[error("{}: {what} failed ({source}); check the owner and the permissions of the state directory", path.display())]
    Io {
        /// What was to be done.
        what: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A newer program wrote this file.
    #[error(
        "{}: written by a newer punktfunk (format {found}, this program knows up to {FORMAT}); run the newer program, or name another state directory with --state",
        path.display()
    )]
    Newer {
        /// The file, untouched.
        path: PathBuf,
        /// Its format version.
        found: u64,
    },
    /// The file is damaged.
    #[error(
        "{}: damaged ({reason}); it was left as it is: restore it from a backup, or move it away (every client must then pair again)",
        path.display()
    )]
    Damaged {
        /// The file, untouched.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A key or a certificate could not be made.
    #[error("the identity of this host could not be made: {0}")]
    Identity(String),
    /// Another host runs on this directory.
    #[error(
        "{}: another punktfunk-host runs on this state; stop it, or choose another --port or --state",
        path.display()
    )]
    InUse {
        /// The directory.
        path: PathBuf,
    },
}

impl Store {
    /// Opens the state in `dir`. Directory and identity are made when they are
    /// missing.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        platform::make_private_dir(dir).map_err(failed(dir))?;
        let identity = Identity::load_or_make(&dir.join("identity.json"))?;
        let clients = clients::load(&dir.join("clients.json"))?;
        Ok(Self { dir: dir.to_owned(), identity, clients: Mutex::new(clients), lock: Mutex::new(None) })
    }

    /// Claims the directory for this process until the store is dropped.
    pub fn lock(&self) -> Result<(), StoreError> {
        let path = self.dir.join("lock");
        let fail = |what| {
            let path = path.clone();
            move |source| StoreError::Io { what, path, source }
        };
        let file = platform::private_options().truncate(false).open(&path).map_err(fail("opening"))?;
        match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {
                *self.lock.lock().unwrap_or_else(PoisonError::into_inner) = Some(file);
                Ok(())
            }
            Err(rustix::io::Errno::WOULDBLOCK) => Err(StoreError::InUse { path: self.dir.clone() }),
            Err(error) => Err(fail("locking")(error.into())),
        }
    }

    /// Where the state lies.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Who this host is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The paired clients, oldest first.
    pub fn clients(&self) -> Vec<Client> {
        self.list().clone()
    }

    /// The paired client with exactly this certificate.
    pub fn client(&self, id: ClientId) -> Option<Client> {
        self.list().iter().find(|client| client.id == id).cloned()
    }

    /// Trusts the client with this DER certificate from now on. One that is
    /// already paired gets the new name. A name that another client has gets a
    /// number behind it.
    pub fn pair(&self, certificate: &[u8], name: &str) -> Result<Client, StoreError> {
        let mut list = self.list();
        let client = Client::new(certificate, &clients::free_name(&list, certificate, name));
        let mut changed: Vec<Client> = list.iter().filter(|known| known.id != client.id).cloned().collect();
        changed.push(client.clone());
        clients::save(&self.dir.join("clients.json"), &changed)?;
        *list = changed;
        Ok(client)
    }

    /// Forgets a client. Returns false when it was not paired.
    pub fn revoke(&self, id: ClientId) -> Result<bool, StoreError> {
        let mut list = self.list();
        let changed: Vec<Client> = list.iter().filter(|client| client.id != id).cloned().collect();
        if changed.len() == list.len() {
            return Ok(false);
        }
        clients::save(&self.dir.join("clients.json"), &changed)?;
        *list = changed;
        Ok(true)
    }

    fn list(&self) -> MutexGuard<'_, Vec<Client>> {
        // The list is replaced as a whole, so a panic elsewhere cannot leave it half changed.
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A [`StoreError::Io`] of a step of a change.
fn failed(path: &Path) -> impl FnOnce(platform::WriteError) -> StoreError {
    move |platform::WriteError { what, source }| StoreError::Io { what, path: path.to_owned(), source }
}

/// Reads a file of the state: `None` when there is none. The version is looked at
/// before anything else, so that a newer file is recognised whatever else it holds.
fn read_versioned<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>, StoreError> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(StoreError::Io { what: "reading", path: path.to_owned(), source }),
    };
    let damaged = |reason: String| StoreError::Damaged { path: path.to_owned(), reason };
    let value: serde_json::Value =
        serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
    match value.get("version").and_then(serde_json::Value::as_u64) {
        Some(found) if found > u64::from(FORMAT) => Err(StoreError::Newer { path: path.to_owned(), found }),
        Some(1) => serde_json::from_value(value).map(Some).map_err(|error| damaged(error.to_string())),
        _ => Err(damaged("it has no format version".to_owned())),
    }
}

fn write_versioned<T: serde::Serialize>(path: &Path, value: &T) -> Result<(), StoreError> {
    let mut text = serde_json::to_vec_pretty(value).map_err(|error| StoreError::Io {
        what: "writing",
        path: path.to_owned(),
        source: error.into(),
    })?;
    text.push(b'\n');
    platform::write_whole(path, &text).map_err(failed(path))
}
