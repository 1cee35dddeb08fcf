//! Who this client is, and the hosts it is paired with, in one folder: `identity.pem`
//! and `hosts.json`. The latter is written beside and renamed, so that it is there whole
//! or as it was.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use punktfunk_client::messages::Apps;
use punktfunk_client::{Client, SessionId, load_or_make_identity};
use punktfunk_core::bytes::{from_hex, to_hex};
use serde::{Deserialize, Serialize};

const FILE: &str = "hosts.json";
/// Hosts that announce themselves are listened for so long when a name means nothing.
const LISTEN: Duration = Duration::from_secs(2);

/// A host that this client is paired with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// What it called itself when we paired, or what the user called it.
    pub name: String,
    /// Where it was.
    pub address: SocketAddr,
    /// SHA-256 of its public key.
    pub fingerprint: [u8; 32],
}

/// The folder.
#[derive(Clone, Debug)]
pub struct Home {
    folder: PathBuf,
    client: Client,
}

/// A host as it stands in the file.
#[derive(Deserialize, Serialize)]
struct Entry {
    name: String,
    address: SocketAddr,
    fingerprint: String,
}

#[derive(Default, Deserialize, Serialize)]
struct Book {
    hosts: Vec<Entry>,
}

impl Host {
    /// The application of that title (any case) or number.
    ///
    /// # Errors
    /// The host does not answer, or has no such application: the error lists those it has.
    pub fn find_app(&self, client: &Client, name: &str) -> Result<u32> {
        let Apps { apps, .. } = client.apps(self.address, self.fingerprint)?;
        let number = name.parse::<u32>().ok();
        let wanted = apps.iter().find(|app| app.title.eq_ignore_ascii_case(name) || Some(app.id) == number);
        let titles = || apps.iter().map(|app| app.title.as_str()).collect::<Vec<_>>().join(", ");
        let wanted = wanted.map(|app| app.id);
        wanted.with_context(|| format!("the host has no application {name:?}; it has: {}", titles()))
    }

    /// The first 16 digits of its fingerprint, as announced (section 11).
    pub fn short_fingerprint(&self) -> String {
        to_hex(&self.fingerprint).chars().take(16).collect()
    }
}

impl Home {
    /// Opens `folder`, making an identity when there is none. Hosts' owners see `name`.
    ///
    /// # Errors
    /// The folder cannot be written to, or the identity is damaged.
    pub fn open(folder: &Path, name: &str) -> Result<Self> {
        let identity = load_or_make_identity(folder)?;
        Ok(Self { folder: folder.to_owned(), client: Client::new(identity, name) })
    }

    /// The client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The paired hosts.
    ///
    /// # Errors
    /// The file is damaged or cannot be read. It is never repaired in silence.
    pub fn hosts(&self) -> Result<Vec<Host>> {
        let path = self.folder.join(FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error).with_context(|| path.display().to_string()),
        };
        let damaged = || format!("{} is damaged: delete it and pair again", path.display());
        let book: Book = serde_json::from_str(&text).with_context(damaged)?;
        book.hosts.into_iter().map(|entry| entry.read().with_context(damaged)).collect()
    }

    /// Pairs with the host at `address` by the six digits it shows, and remembers it.
    ///
    /// # Errors
    /// Pairing failed, see [`Client::pair_pin`]; or it cannot be remembered.
    pub fn pair_pin(&self, address: SocketAddr, pin: &str, name: &str) -> Result<Host> {
        let paired = self.client.pair_pin(address, pin)?;
        self.keep(Host { name: name.to_owned(), address: paired.address, fingerprint: paired.host })
    }

    /// Pairs by the text of a host's QR code, and remembers it.
    ///
    /// # Errors
    /// As [`pair_pin`](Self::pair_pin).
    pub fn pair_qr(&self, text: &str) -> Result<Host> {
        let text = text.trim();
        let name = punktfunk_core::native::pairing::qr::Invitation::parse(text)?.name;
        let paired = self.client.pair_secret(text)?;
        let name = if name.is_empty() { paired.address.ip().to_string() } else { name };
        self.keep(Host { name, address: paired.address, fingerprint: paired.host })
    }

    /// Remembers a host, in place of what was known of the same one.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn remember(&self, host: &Host) -> Result<()> {
        let mut hosts = self.hosts()?;
        hosts.retain(|known| known.fingerprint != host.fingerprint);
        hosts.push(host.clone());
        self.write(&hosts)
    }

    /// Forgets a host; false when it was not known.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn forget(&self, host: &Host) -> Result<bool> {
        let mut hosts = self.hosts()?;
        let before = hosts.len();
        hosts.retain(|known| known.fingerprint != host.fingerprint);
        self.write(&hosts)?;
        match fs::remove_file(self.session_file(host)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        Ok(hosts.len() < before)
    }

    /// The paired host that `text` means: its name, its address, with or without port, or
    /// a name that leads to its address. Without a text the only one there is.
    ///
    /// # Errors
    /// No paired host is meant; the error says what to do.
    pub fn find(&self, text: Option<&str>) -> Result<Host> {
        let hosts = self.hosts()?;
        let names = hosts.iter().map(|host| format!("{} ({})", host.name, host.address));
        let names = names.collect::<Vec<_>>().join(", ");
        let Some(text) = text else {
            let [only] = hosts.as_slice() else {
                ensure!(
                    !hosts.is_empty(),
                    "no host is paired: `punktfunk-probe pair --host NAME --pin NNNNNN`"
                );
                bail!("several hosts are paired, choose with --host: {names}");
            };
            return Ok(only.clone());
        };
        if let Some(host) = hosts.iter().find(|host| host.name.eq_ignore_ascii_case(text)) {
            return Ok(host.clone());
        }
        let address = match Client::resolve(text) {
            Ok(address) => address,
            Err(error) => bail!("{error}; paired hosts: {}", none_as_word(&names)),
        };
        let at = |wanted: SocketAddr| hosts.iter().rfind(|host| host.address == wanted);
        let host = at(address).cloned();
        host.with_context(|| {
            format!("{text} is not paired: `punktfunk-probe pair --host {text} --pin NNNNNN` with the PIN it shows")
        })
    }

    /// The last session with `host` that was noted.
    ///
    /// # Errors
    /// There was none.
    pub fn last_session(&self, host: &Host) -> Result<SessionId> {
        let text = fs::read_to_string(self.session_file(host)).unwrap_or_default();
        let bytes = from_hex(text.trim()).and_then(|bytes| bytes.try_into().ok());
        bytes
            .map(SessionId)
            .with_context(|| format!("no session with {} is remembered: leave --resume out", host.name))
    }

    /// Remembers the session with `host`.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn note_session(&self, host: &Host, session: SessionId) -> Result<()> {
        self.replace(&self.session_file(host), &session.to_string())
    }

    fn session_file(&self, host: &Host) -> PathBuf {
        self.folder.join(format!("session-{}", host.short_fingerprint()))
    }

    fn keep(&self, host: Host) -> Result<Host> {
        self.remember(&host).context("the host is paired but cannot be remembered")?;
        Ok(host)
    }

    fn write(&self, hosts: &[Host]) -> Result<()> {
        let entries = hosts.iter().map(Entry::of).collect();
        self.replace(&self.folder.join(FILE), &serde_json::to_string_pretty(&Book { hosts: entries })?)
    }

    /// Writes beside and renames.
    fn replace(&self, path: &Path, text: &str) -> Result<()> {
        let beside = path.with_extension("new");
        let write = || {
            let mut file = fs::File::create(&beside)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&beside, path)?;
            fs::File::open(&self.folder)?.sync_all()
        };
        write().with_context(|| format!("{} cannot be written", path.display()))
    }
}

/// Where a host is that need not be paired yet: an address, a name of the network's, or
/// the name under which it announces itself.
///
/// # Errors
/// Nothing is known by that name.
pub fn locate(text: &str) -> Result<SocketAddr> {
    let unknown = match Client::resolve(text) {
        Ok(address) => return Ok(address),
        Err(error) => error,
    };
    let found = Client::discover(LISTEN).unwrap_or_default();
    let host = found.iter().find(|host| host.name.eq_ignore_ascii_case(text));
    match host.and_then(|host| host.addresses.first()) {
        Some(address) => Ok(*address),
        None => Err(unknown).context("`punktfunk-probe discover` lists the hosts that announce themselves"),
    }
}

fn none_as_word(names: &str) -> &str {
    if names.is_empty() { "none" } else { names }
}

impl Entry {
    fn of(host: &Host) -> Self {
        Self { name: host.name.clone(), address: host.address, fingerprint: to_hex(&host.fingerprint) }
    }

    fn read(self) -> Option<Host> {
        let fingerprint = from_hex(&self.fingerprint)?.try_into().ok()?;
        Some(Host { name: self.name, address: self.address, fingerprint })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str, last: u8) -> Host {
        let address = format!("192.0.2.{last}:9777").parse().expect("address");
        Host { name: name.to_owned(), address, fingerprint: [last; 32] }
    }

    #[test]
    fn hosts_are_remembered_found_and_forgotten() {
        let folder = std::env::temp_dir().join(format!("probe-home-{}", std::process::id()));
        let home = Home::open(&folder, "probe").expect("home");
        let error = home.find(None).expect_err("none");
        assert!(error.to_string().contains("pair --host"), "{error}");
        let (den, attic) = (host("den", 1), host("attic", 2));
        home.remember(&den).expect("kept");
        assert_eq!(home.find(None).expect("the only one"), den);
        home.remember(&attic).expect("kept");
        home.remember(&den).expect("kept again");
        let home = Home::open(&folder, "probe").expect("home");
        assert_eq!(home.hosts().expect("list"), [attic.clone(), den.clone()]);
        let error = home.find(None).expect_err("two").to_string();
        assert!(error.contains("den (192.0.2.1:9777)"), "{error}");
        for text in ["Den", "192.0.2.1", "192.0.2.1:9777"] {
            assert_eq!(home.find(Some(text)).expect(text), den);
        }
        let error = home.find(Some("192.0.2.1:9778")).expect_err("another port").to_string();
        assert!(error.contains("is not paired"), "{error}");
        assert!(home.forget(&den).expect("forgotten"));
        assert!(!home.forget(&den).expect("not known any more"));
        assert_eq!(home.hosts().expect("list"), [attic]);
        assert!(home.last_session(&den).is_err());
        home.note_session(&den, SessionId([7; 16])).expect("noted");
        assert_eq!(home.last_session(&den).expect("the last one"), SessionId([7; 16]));
        fs::write(folder.join(FILE), "{").expect("written");
        assert!(home.hosts().expect_err("damaged").to_string().contains("pair again"));
        fs::remove_dir_all(&folder).expect("removed");
    }
}
