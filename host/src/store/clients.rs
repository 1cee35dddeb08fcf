//! The clients this host trusts, each by its exact certificate (GameStream) or its
//! public key (punktfunk/1).

use std::path::Path;
use std::time::SystemTime;

use punktfunk_core::bytes::{from_hex, to_hex};
use punktfunk_core::crypto::sha256;
use punktfunk_core::native::wire::Access;
use serde::{Deserialize, Serialize};

use super::{StoreError, read_versioned, write_versioned};
use crate::session::ClientId;

/// The format that is written. 1 knew GameStream clients only, without access, expiry
/// and when they were last here; it is read as well.
pub(super) const FORMAT: u32 = 2;

/// What a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// Moonlight and its kin.
    GameStream,
    /// punktfunk/1.
    Native,
}

/// A paired client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// SHA-256 of its certificate, or of its public key (SubjectPublicKeyInfo) for a
    /// native one.
    pub id: ClientId,
    /// The name the owner gave it; no two clients have the same.
    pub name: String,
    /// What it speaks.
    pub protocol: Protocol,
    /// Its certificate, DER; empty for a native one, of which only the key counts.
    pub certificate: Vec<u8>,
    /// When it was paired, in seconds since 1970.
    pub added: u64,
    /// What it may do; a GameStream client may do all that its protocol has.
    pub access: Access,
    /// From when on it is not trusted any more, in seconds since 1970.
    pub expires: Option<u64>,
    /// When it was here last, in seconds since 1970.
    pub seen: Option<u64>,
}

impl Client {
    pub(super) fn gamestream(certificate: &[u8], name: &str) -> Self {
        Self {
            id: ClientId(sha256(&[certificate])),
            name: name.to_owned(),
            protocol: Protocol::GameStream,
            certificate: certificate.to_vec(),
            added: now(),
            access: Access::ALL,
            expires: None,
            seen: None,
        }
    }

    pub(super) fn native(id: ClientId, name: &str, access: Access, expires: Option<u64>) -> Self {
        Self {
            id,
            name: name.to_owned(),
            protocol: Protocol::Native,
            certificate: Vec::new(),
            added: now(),
            access,
            expires,
            seen: None,
        }
    }

    /// The whole fingerprint, 64 hex digits.
    pub fn fingerprint(&self) -> String {
        to_hex(&self.id.0)
    }

    /// It was trusted once and is not any more.
    pub fn is_expired(&self) -> bool {
        self.expires.is_some_and(|end| end <= now())
    }
}

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    clients: Vec<Entry>,
}

/// Absent is what format 1 did not have.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    fingerprint: String,
    #[serde(default = "Entry::gamestream")]
    protocol: Protocol,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    certificate: String,
    added: u64,
    #[serde(default = "Entry::all")]
    access: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seen: Option<u64>,
}

impl Entry {
    fn gamestream() -> Protocol {
        Protocol::GameStream
    }

    fn all() -> u16 {
        Access::ALL.0
    }

    fn read(self) -> Result<Client, String> {
        let Self { name, fingerprint, protocol, certificate, added, access, expires, seen } = self;
        let certificate =
            from_hex(&certificate).ok_or_else(|| format!("the certificate of {name:?} is not hex"))?;
        let id = match protocol {
            Protocol::GameStream => Some(sha256(&[&certificate])),
            Protocol::Native => from_hex(&fingerprint).and_then(|hash| hash.try_into().ok()),
        };
        match id {
            Some(id) if to_hex(&id) == fingerprint => {
                let (id, access) = (ClientId(id), Access(access & Access::ALL.0));
                Ok(Client { id, name, protocol, certificate, added, access, expires, seen })
            }
            _ => Err(format!("the fingerprint of {name:?} is wrong")),
        }
    }

    fn of(client: &Client) -> Self {
        Self {
            name: client.name.clone(),
            fingerprint: client.fingerprint(),
            protocol: client.protocol,
            certificate: to_hex(&client.certificate),
            added: client.added,
            access: client.access.0,
            expires: client.expires,
            seen: client.seen,
        }
    }
}

pub(super) fn load(path: &Path) -> Result<Vec<Client>, StoreError> {
    let Some(file) = read_versioned::<File>(path, FORMAT)? else { return Ok(Vec::new()) };
    let damaged = |reason| StoreError::Damaged { path: path.to_owned(), reason };
    file.clients.into_iter().map(|entry| entry.read().map_err(damaged)).collect()
}

pub(super) fn save(path: &Path, clients: &[Client]) -> Result<(), StoreError> {
    let clients = clients.iter().map(Entry::of).collect();
    write_versioned(path, &File { version: FORMAT, clients })
}

/// `name` cleaned, or `kind` and the beginning of the fingerprint when it is empty, with
/// a number when another client than `id` has it.
pub(super) fn free_name(clients: &[Client], id: ClientId, name: &str, kind: &str) -> String {
    let clean: String = name.chars().filter(|c| !c.is_control()).take(60).collect();
    let clean = clean.trim();
    let wanted = if clean.is_empty() { format!("{kind}-{}", to_hex(&id.0[..3])) } else { clean.to_owned() };
    let taken = |name: &str| clients.iter().any(|client| client.id != id && client.name == name);
    if !taken(&wanted) {
        return wanted;
    }
    (2_usize..).map(|n| format!("{wanted} {n}")).find(|name| !taken(name)).unwrap_or(wanted)
}

/// The client the owner means: by its exact name, else by the beginning of its
/// fingerprint (at least four digits). The error says what to do.
pub fn find<'a>(clients: &'a [Client], wanted: &str) -> Result<&'a Client, String> {
    if let Some(client) = clients.iter().find(|client| client.name == wanted) {
        return Ok(client);
    }
    let prefix = wanted.to_ascii_lowercase();
    let mut found =
        clients.iter().filter(|client| prefix.len() >= 4 && client.fingerprint().starts_with(&prefix));
    match (found.next(), found.next()) {
        (Some(client), None) => Ok(client),
        (Some(_), Some(_)) => Err(format!("several clients begin with {wanted:?}: give more digits")),
        (None, _) => Err(format!("no client {wanted:?}: `punktfunk-host clients list` shows them all")),
    }
}
