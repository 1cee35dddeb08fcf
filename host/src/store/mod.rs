//! What outlives a run: the identity of this host and the clients it trusts.
//!
//! One directory of JSON files, each with a format version, each replaced as a
//! whole. A file that cannot be understood stops the host with a
//! message and stays as it is: overwriting it would turn a small accident into a
//! lost identity. A format is raised when an older program would misread the file; a
//! program reads the last two formats before its own and refuses newer ones.

mod access;
mod clients;
mod console;
mod credential;
mod identity;
mod native_identity;
pub mod pending;
mod statistics;
mod used;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use punktfunk_core::crypto::sha256;
use punktfunk_core::native::wire::Access;

use statistics::Statistics;

use crate::platform;
use crate::session::{ClientId, Played};

pub use access::{PLAY, access_text, parse_access};
pub use clients::{Client, Protocol, find};
pub use console::ConsoleIdentity;
pub use identity::Identity;
pub use native_identity::NativeIdentity;
pub use used::UsedKeys;

/// How many formats before the newest are read, too.
const OLDER: u32 = 2;
/// How long a client is not noted again as seen, seconds: each note is a write.
const SEEN_AGAIN: u64 = 60;

/// The state directory of one host.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    identity: Identity,
    native_identity: NativeIdentity,
    clients: Mutex<Vec<Client>>,
    statistics: Statistics,
    /// Held locked by the host that runs on this directory.
    lock: Mutex<Option<File>>,
}

/// What came of [`Store::rename`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Renamed {
    /// It is called that now.
    Done(Client),
    /// Another client is.
    Taken,
    /// It is not paired.
    Unknown,
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
        "{}: written by a newer punktfunk (format {found}, this program knows up to {known}); run the newer program, or name another state directory with --state",
        path.display()
    )]
    Newer {
        /// The file, untouched.
        path: PathBuf,
        /// Its format version.
        found: u64,
        /// The newest that this program knows.
        known: u32,
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
        let native_identity = NativeIdentity::load_or_make(&dir.join("native-identity.json"))?;
        let clients = Mutex::new(clients::load(&dir.join("clients.json"))?);
        let statistics = Statistics::new(dir);
        let (dir, lock) = (dir.to_owned(), Mutex::new(None));
        Ok(Self { dir, identity, native_identity, clients, statistics, lock })
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

    /// Who this host is to native clients.
    pub fn native_identity(&self) -> &NativeIdentity {
        &self.native_identity
    }

    /// Who this host is to browsers; made when it is missing, for these names.
    pub fn console_identity(&self, names: &[String]) -> Result<ConsoleIdentity, StoreError> {
        ConsoleIdentity::load_or_make(&self.dir, names)
    }

    /// The paired clients, oldest first.
    pub fn clients(&self) -> Vec<Client> {
        self.list().clone()
    }

    /// The paired client with exactly this certificate or key, unless it expired.
    pub fn client(&self, id: ClientId) -> Option<Client> {
        self.list().iter().find(|client| client.id == id && !client.is_expired()).cloned()
    }

    /// When the next client expires, in seconds since 1970.
    pub fn next_expiry(&self) -> Option<u64> {
        self.list().iter().filter(|client| !client.is_expired()).filter_map(|client| client.expires).min()
    }

    /// Trusts the GameStream client with this DER certificate from now on. One that is
    /// already paired gets the new name. A name that another client has gets a
    /// number behind it.
    pub fn pair(&self, certificate: &[u8], name: &str) -> Result<Client, StoreError> {
        self.admit(|list| {
            let id = ClientId(sha256(&[certificate]));
            Client::gamestream(certificate, &clients::free_name(list, id, name, "moonlight"))
        })
    }

    /// Trusts the native client with this identity from now on, as [`pair`](Self::pair)
    /// does. `expires` is in seconds since 1970.
    pub fn pair_native(
        &self,
        id: ClientId,
        name: &str,
        access: Access,
        expires: Option<u64>,
    ) -> Result<Client, StoreError> {
        self.admit(|list| Client::native(id, &clients::free_name(list, id, name, "client"), access, expires))
    }

    /// Lets a client do this from now on. `None` when it is not paired.
    pub fn set_access(&self, id: ClientId, access: Access) -> Result<Option<Client>, StoreError> {
        self.change(id, |client| client.access = access)
    }

    /// Trusts a client until then (seconds since 1970), or until it is revoked. `None`
    /// when it is not paired.
    pub fn set_expiry(&self, id: ClientId, expires: Option<u64>) -> Result<Option<Client>, StoreError> {
        self.change(id, |client| client.expires = expires)
    }

    /// Calls a client something else, unless another has that name.
    pub fn rename(&self, id: ClientId, name: &str) -> Result<Renamed, StoreError> {
        let mut list = self.list();
        let mut changed = list.clone();
        let Some(client) = changed.iter_mut().find(|client| client.id == id) else {
            return Ok(Renamed::Unknown);
        };
        if list.iter().any(|client| client.id != id && client.name == name) {
            return Ok(Renamed::Taken);
        }
        client.name = name.to_owned();
        let client = client.clone();
        self.replace(&mut list, changed).map(|()| Renamed::Done(client))
    }

    /// Notes that a client is here, once a minute at most.
    pub fn note_seen(&self, id: ClientId) -> Result<(), StoreError> {
        let now = clients::now();
        let fresh = |client: &Client| client.seen.is_some_and(|seen| seen.abs_diff(now) < SEEN_AGAIN);
        if self.list().iter().any(|client| client.id == id && fresh(client)) {
            return Ok(());
        }
        self.change(id, |client| client.seen = Some(now)).map(drop)
    }

    /// The streams of late that are over, oldest first.
    pub fn played(&self) -> Vec<Played> {
        self.statistics.list()
    }

    /// Keeps the numbers of a stream that is over; of the last 200.
    pub fn note_played(&self, played: Played) -> Result<(), StoreError> {
        self.statistics.note(played)
    }

    /// Forgets a client. Returns false when it was not paired.
    pub fn revoke(&self, id: ClientId) -> Result<bool, StoreError> {
        let mut list = self.list();
        let changed: Vec<Client> = list.iter().filter(|client| client.id != id).cloned().collect();
        if changed.len() == list.len() {
            return Ok(false);
        }
        self.replace(&mut list, changed).map(|()| true)
    }

    fn admit(&self, make: impl FnOnce(&[Client]) -> Client) -> Result<Client, StoreError> {
        let mut list = self.list();
        let client = make(&list);
        let mut changed: Vec<Client> = list.iter().filter(|known| known.id != client.id).cloned().collect();
        changed.push(client.clone());
        self.replace(&mut list, changed).map(|()| client)
    }

    fn change(&self, id: ClientId, edit: impl FnOnce(&mut Client)) -> Result<Option<Client>, StoreError> {
        let mut list = self.list();
        let mut changed = list.clone();
        let Some(client) = changed.iter_mut().find(|client| client.id == id) else { return Ok(None) };
        edit(client);
        let client = client.clone();
        self.replace(&mut list, changed).map(|()| Some(client))
    }

    /// On disk first: what is not there is not trusted.
    fn replace(&self, list: &mut Vec<Client>, changed: Vec<Client>) -> Result<(), StoreError> {
        clients::save(&self.dir.join("clients.json"), &changed)?;
        *list = changed;
        Ok(())
    }

    fn list(&self) -> MutexGuard<'_, Vec<Client>> {
        // The list is replaced as a whole, so a panic elsewhere cannot leave it half changed.
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The paired clients of a state directory, which is only read: for those who look while
/// a host may run, or none was started yet.
pub fn paired(dir: &Path) -> Result<Vec<Client>, StoreError> {
    clients::load(&dir.join("clients.json"))
}

/// The certificates of a state directory, which is only read: names of files and DER.
/// Those that were not made yet are missing.
pub fn certificates(dir: &Path) -> Result<Vec<(&'static str, Vec<u8>)>, StoreError> {
    /// What these files have in common.
    #[derive(serde::Deserialize)]
    struct Holder {
        certificate: String,
    }
    let mut found = Vec::new();
    for name in ["identity.json", "native-identity.json", "console-identity.json"] {
        let path = dir.join(name);
        // Every format so far has it in the same place.
        let Some(holder) = read_versioned::<Holder>(&path, OLDER + 1)? else { continue };
        match x509_parser::pem::parse_x509_pem(holder.certificate.as_bytes()) {
            Ok((_, block)) => found.push((name, block.contents)),
            Err(_) => {
                return Err(StoreError::Damaged { path, reason: "the certificate is not PEM".to_owned() });
            }
        }
    }
    Ok(found)
}

/// A [`StoreError::Io`] of a step of a change.
fn failed(path: &Path) -> impl FnOnce(platform::WriteError) -> StoreError {
    move |platform::WriteError { what, source }| StoreError::Io { what, path: path.to_owned(), source }
}

/// Reads a file of the state: `None` when there is none. The version is looked at
/// before anything else, so that a newer file is recognised whatever else it holds.
/// `known` is the newest format.
///
/// # Errors
/// The file cannot be read, is damaged, or was written by a newer program.
pub fn read_versioned<T: serde::de::DeserializeOwned>(
    path: &Path,
    known: u32,
) -> Result<Option<T>, StoreError> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(StoreError::Io { what: "reading", path: path.to_owned(), source }),
    };
    let damaged = |reason: String| StoreError::Damaged { path: path.to_owned(), reason };
    let value: serde_json::Value =
        serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
    match value.get("version").and_then(serde_json::Value::as_u64) {
        Some(found) if found > u64::from(known) => {
            Err(StoreError::Newer { path: path.to_owned(), found, known })
        }
        Some(found) if found >= u64::from(known.saturating_sub(OLDER).max(1)) => {
            serde_json::from_value(value).map(Some).map_err(|error| damaged(error.to_string()))
        }
        Some(found) => Err(damaged(format!("its format {found} is older than any this program reads"))),
        None => Err(damaged("it has no format version".to_owned())),
    }
}

/// Replaces a file of the state as a whole; `value` has a field `version`.
///
/// # Errors
/// The system refused; the old file is whole.
pub fn write_versioned<T: serde::Serialize>(path: &Path, value: &T) -> Result<(), StoreError> {
    let mut text = serde_json::to_vec_pretty(value).map_err(|error| StoreError::Io {
        what: "writing",
        path: path.to_owned(),
        source: error.into(),
    })?;
    text.push(b'\n');
    platform::write_whole(path, &text).map_err(failed(path))
}
