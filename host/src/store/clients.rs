//! The clients this host trusts, each by its exact certificate.

use std::path::Path;
use std::time::SystemTime;

use punktfunk_core::bytes::{from_hex, to_hex};
use punktfunk_core::crypto::sha256;
use serde::{Deserialize, Serialize};

use super::{FORMAT, StoreError, read_versioned, write_versioned};
use crate::session::ClientId;

/// A paired client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// SHA-256 of its certificate.
    pub id: ClientId,
    /// The name the owner gave it; no two clients have the same.
    pub name: String,
    /// Its certificate, DER.
    pub certificate: Vec<u8>,
    /// When it was paired, in seconds since 1970.
    pub added: u64,
}

impl Client {
    pub(super) fn new(certificate: &[u8], name: &str) -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Self {
            id: ClientId(sha256(&[certificate])),
            name: name.to_owned(),
            certificate: certificate.to_vec(),
            added: now.map_or(0, |time| time.as_secs()),
        }
    }

    /// The whole fingerprint, 64 hex digits.
    pub fn fingerprint(&self) -> String {
        to_hex(&self.id.0)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    clients: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    fingerprint: String,
    certificate: String,
    added: u64,
}

pub(super) fn load(path: &Path) -> Result<Vec<Client>, StoreError> {
    let Some(file) = read_versioned::<File>(path)? else { return Ok(Vec::new()) };
    file.clients
        .into_iter()
        .map(|entry| {
            let damaged = |reason| StoreError::Damaged { path: path.to_owned(), reason };
            let certificate = from_hex(&entry.certificate)
                .ok_or_else(|| damaged(format!("the certificate of {:?} is not hex", entry.name)))?;
            let id = ClientId(sha256(&[&certificate]));
            if to_hex(&id.0) != entry.fingerprint {
                return Err(damaged(format!("the fingerprint of {:?} is wrong", entry.name)));
            }
            Ok(Client { id, name: entry.name, certificate, added: entry.added })
        })
        .collect()
}

pub(super) fn save(path: &Path, clients: &[Client]) -> Result<(), StoreError> {
    let clients = clients
        .iter()
        .map(|client| Entry {
            name: client.name.clone(),
            fingerprint: client.fingerprint(),
            certificate: to_hex(&client.certificate),
            added: client.added,
        })
        .collect();
    write_versioned(path, &File { version: FORMAT, clients })
}

/// `name` cleaned, or the beginning of the fingerprint when it is empty, with a
/// number when another client has it.
pub(super) fn free_name(clients: &[Client], certificate: &[u8], name: &str) -> String {
    let id = ClientId(sha256(&[certificate]));
    let clean: String = name.chars().filter(|c| !c.is_control()).take(60).collect();
    let clean = clean.trim();
    let wanted =
        if clean.is_empty() { format!("moonlight-{}", to_hex(&id.0[..3])) } else { clean.to_owned() };
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
