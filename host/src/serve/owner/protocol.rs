//! What is said on the owner's socket: one JSON object a line, a request and its
//! answer in turn.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::serve::front;
use crate::session::{Program, Scanned};
use crate::store::{Protocol, access_text};

/// What the owner asks of a running host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// The clients that wait for a PIN. With `wait`, answered when there is one.
    Pending {
        /// Wait until a client asks.
        wait: bool,
    },
    /// The PIN that a waiting client shows. Answered when pairing ended.
    Pin {
        /// Which attempt.
        attempt: u64,
        /// Four digits.
        pin: String,
        /// What to call the client.
        name: Option<String>,
    },
    /// Let one native client pair. Answered when it may.
    OpenWindow {
        /// What to call it; what it calls itself when left out.
        name: Option<String>,
        /// What it may do: words as of [`crate::store::parse_access`].
        access: String,
        /// Until when it is trusted, in seconds since 1970.
        expires: Option<u64>,
    },
    /// Which client paired through a window. Answered when the window is closed, and
    /// closes it when nobody waits for the answer any more.
    Outcome {
        /// Which window.
        window: u64,
    },
    /// The paired clients.
    Clients,
    /// Let one do this from now on.
    Access {
        /// Its name or the beginning of its fingerprint.
        client: String,
        /// Words as of [`crate::store::parse_access`].
        access: String,
    },
    /// Trust one until then.
    Expire {
        /// Its name or the beginning of its fingerprint.
        client: String,
        /// In seconds since 1970; for ever when left out.
        expires: Option<u64>,
    },
    /// Unpair one.
    Revoke {
        /// Its name or the beginning of its fingerprint.
        client: String,
    },
    /// The applications.
    Apps,
    /// Look anew at what is installed.
    ScanApps,
    /// Who plays what.
    Sessions,
    /// End an application and whatever shows it.
    End {
        /// Its number of the list, or the name of its client.
        session: String,
    },
}

/// What the host answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Answer {
    /// To [`Request::Pending`].
    Pending {
        /// Oldest first.
        attempts: Vec<Attempt>,
    },
    /// To [`Request::OpenWindow`]: a client may pair now.
    Window {
        /// Names the window in [`Request::Outcome`].
        window: u64,
        /// Six digits, to be typed into the client.
        pin: String,
        /// The same as a QR code carries, and more: where this host is and who it is.
        payload: String,
        /// How long the window is open.
        seconds: u64,
    },
    /// To [`Request::Access`] and [`Request::Expire`].
    Changed {
        /// As it is now.
        client: ClientInfo,
    },
    /// To [`Request::Pin`] and [`Request::Outcome`]: the client is paired.
    Paired {
        /// The new client.
        client: ClientInfo,
    },
    /// To [`Request::Clients`].
    Clients {
        /// Oldest first.
        clients: Vec<ClientInfo>,
    },
    /// To [`Request::Revoke`]: it is unpaired, its sessions and connections are ended.
    Revoked {
        /// The former client.
        client: ClientInfo,
    },
    /// To [`Request::Apps`].
    Apps {
        /// In the order clients show them.
        apps: Vec<AppInfo>,
    },
    /// To [`Request::ScanApps`].
    Scanned {
        /// What was found.
        scanned: ScanInfo,
    },
    /// To [`Request::Sessions`].
    Sessions {
        /// Oldest first.
        sessions: Vec<SessionInfo>,
    },
    /// To [`Request::End`]: nothing of it runs any more.
    Ended {
        /// What it was.
        session: SessionInfo,
    },
    /// To any request that could not be carried out.
    Error {
        /// Why, and what to do.
        message: String,
    },
}

/// A client that waits for its PIN.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Names the attempt in [`Request::Pin`].
    pub attempt: u64,
    /// The address it asks from.
    pub address: String,
    /// The beginning of the fingerprint of its certificate.
    pub fingerprint: String,
    /// Seconds it has waited.
    pub waiting: u64,
}

impl From<&front::Attempt> for Attempt {
    fn from(attempt: &front::Attempt) -> Self {
        Self {
            attempt: attempt.id,
            address: attempt.address.to_string(),
            fingerprint: attempt.fingerprint.clone(),
            waiting: attempt.waiting.as_secs(),
        }
    }
}

/// A paired client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientInfo {
    /// The name the owner gave it.
    pub name: String,
    /// SHA-256 of its certificate (GameStream) or public key (native), 64 hex digits.
    pub fingerprint: String,
    /// What it speaks.
    pub protocol: Protocol,
    /// When it was paired, in seconds since 1970.
    pub added: u64,
    /// What it may do: words as of [`crate::store::parse_access`].
    pub access: String,
    /// Until when it is trusted, in seconds since 1970; none: until it is revoked.
    pub expires: Option<u64>,
    /// When it was here last, in seconds since 1970.
    pub seen: Option<u64>,
}

impl From<&crate::store::Client> for ClientInfo {
    fn from(client: &crate::store::Client) -> Self {
        Self {
            name: client.name.clone(),
            fingerprint: client.fingerprint(),
            protocol: client.protocol,
            added: client.added,
            access: access_text(client.access),
            expires: client.expires,
            seen: client.seen,
        }
    }
}

/// An application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppInfo {
    /// The id clients use.
    pub id: u32,
    /// Its title.
    pub name: String,
    /// It runs now.
    pub running: bool,
    /// Where it was found, in one word; a host of before says nothing.
    #[serde(default)]
    pub source: String,
    /// No client sees it.
    #[serde(default)]
    pub hidden: bool,
}

impl AppInfo {
    /// One of the list, while these run.
    pub fn of(program: &Program, running: &[u32]) -> Self {
        Self {
            id: program.id,
            name: program.title.clone(),
            running: running.contains(&program.id),
            source: program.source.to_owned(),
            hidden: program.hidden,
        }
    }
}

/// What looking at what is installed found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanInfo {
    /// How many applications, by source.
    pub by_source: BTreeMap<String, usize>,
    /// What could not be read.
    pub problems: Vec<String>,
}

impl From<Scanned> for ScanInfo {
    fn from(scanned: Scanned) -> Self {
        let by_source = scanned.by_source.into_iter().map(|(source, count)| (source.to_owned(), count));
        Self { by_source: by_source.collect(), problems: scanned.problems }
    }
}

/// An application that runs for a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionInfo {
    /// Names it in [`Request::End`]; never used again while the host runs.
    pub id: u64,
    /// The name the owner gave its client.
    pub client: String,
    /// Title of the application.
    pub app: String,
    /// Seconds since it was asked for.
    pub age: u64,
    /// What its client sees; none while it is away.
    pub stream: Option<StreamInfo>,
}

/// What a client sees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamInfo {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Pictures a second.
    pub fps: u32,
    /// `H.264`, `HEVC` or `AV1`.
    pub codec: String,
    /// Seconds since it began.
    pub age: u64,
}

impl From<&front::Session> for SessionInfo {
    fn from(session: &front::Session) -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let stream = session.seat.stream.as_ref().map(|stream| StreamInfo {
            width: stream.width,
            height: stream.height,
            fps: stream.fps,
            codec: stream.codec.clone(),
            age: now.saturating_sub(stream.started),
        });
        let (client, app) = (session.name(), session.seat.title.clone());
        Self { id: session.seat.id, client, app, age: session.seat.age.as_secs(), stream }
    }
}
