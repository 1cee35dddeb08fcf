//! The owner's socket: PINs are entered, windows opened and clients revoked here, and
//! nowhere else.
//!
//! A Unix socket in the runtime directory, readable by the user of the host only;
//! whoever connects must also be that user or root by the word of the kernel. The
//! LAN ports have no such functions, so no device can pair itself.

mod client;
mod protocol;

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use punktfunk_core::native::wire::Access;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::unix::OwnedReadHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::ServeError;
use super::front::{self, Front, FrontError, Terms};
use super::native::OPEN_FOR;
use crate::store;

pub use client::{Owner, OwnerError};
pub use protocol::{Answer, AppInfo, Attempt, ClientInfo, Request, ScanInfo, SessionInfo, StreamInfo};

/// Longest request line, bytes.
const MAX_LINE: u64 = 4096;

/// The socket of the host with this port base.
pub fn socket_path(runtime: &Path, base: u16) -> PathBuf {
    runtime.join(format!("host-{base}.sock"))
}

/// The listening socket; its file is removed on drop.
pub(super) struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

impl Socket {
    /// Listens on `path`. What a crashed host left there is replaced: the caller
    /// holds the ports, so no other host can be using it.
    pub(super) fn bind(path: PathBuf) -> Result<Self, ServeError> {
        let fail = |source| ServeError::OwnerSocket { path: path.clone(), source };
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(fail(error)),
            _ => {}
        }
        let listener = UnixListener::bind(&path).map_err(fail)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).map_err(fail)?;
        Ok(Self { listener, path })
    }

    /// Answers owners until `stop`.
    pub(super) async fn serve(self, front: Front, mut stop: watch::Receiver<bool>) {
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                _ = connections.join_next(), if !connections.is_empty() => continue,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            let Ok((stream, _)) = accepted else {
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                continue;
            };
            let front = front.clone();
            connections.spawn(async move {
                if let Err(error) = serve_owner(&front, stream).await {
                    tracing::debug!(%error, "an owner's connection ended");
                }
            });
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

async fn serve_owner(front: &Front, stream: UnixStream) -> io::Result<()> {
    let uid = stream.peer_cred()?.uid();
    if uid != 0 && uid != crate::platform::current_user_id() {
        tracing::warn!(uid, "another user tried to use the owner's socket");
        return Ok(());
    }
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    loop {
        let mut line = Vec::new();
        (&mut reader).take(MAX_LINE).read_until(b'\n', &mut line).await?;
        if line.last() != Some(&b'\n') {
            return Ok(());
        }
        let answer = match serde_json::from_slice(&line) {
            Ok(request) => {
                // An owner who goes away while waiting takes the wait along.
                tokio::select! {
                    answer = answer(front, request) => answer,
                    () = gone(&mut reader) => return Ok(()),
                }
            }
            Err(error) => Answer::Error { message: format!("the request is not understood: {error}") },
        };
        let mut text = serde_json::to_vec(&answer)?;
        text.push(b'\n');
        writer.write_all(&text).await?;
    }
}

/// Completes when the other side closed; a request sent early is left in the buffer.
async fn gone(reader: &mut BufReader<OwnedReadHalf>) {
    if reader.fill_buf().await.is_ok_and(|bytes| !bytes.is_empty()) {
        std::future::pending::<()>().await;
    }
}

async fn answer(front: &Front, request: Request) -> Answer {
    obey(front, request).await.unwrap_or_else(|error| Answer::Error { message: error.to_string() })
}

async fn obey(front: &Front, request: Request) -> Result<Answer, FrontError> {
    Ok(match request {
        Request::Pending { wait } => {
            let attempts = front.attempts(wait).await;
            Answer::Pending { attempts: attempts.iter().map(Attempt::from).collect() }
        }
        Request::Pin { attempt, pin, name } => {
            let client = front.enter_pin(attempt, &pin, &name.unwrap_or_default()).await?;
            Answer::Paired { client: ClientInfo::from(&client) }
        }
        Request::OpenWindow { name, access, expires } => {
            // A name of nothing is no name.
            let name = name.filter(|name| !name.trim().is_empty());
            let opened = front.open_window(Terms { name, access: parse(&access)?, expires })?;
            let (window, pin, payload) = (opened.id, opened.pin, opened.payload);
            Answer::Window { window, pin, payload, seconds: OPEN_FOR.as_secs() }
        }
        Request::Outcome { window } => {
            Answer::Paired { client: ClientInfo::from(&front.outcome(window).await?) }
        }
        Request::Access { client, access } => {
            let (id, access) = (front.find(&client)?.client.id, parse(&access)?);
            Answer::Changed { client: ClientInfo::from(&front.set_access(id, access).await?) }
        }
        Request::Expire { client, expires } => {
            let id = front.find(&client)?.client.id;
            Answer::Changed { client: ClientInfo::from(&front.set_expiry(id, expires).await?) }
        }
        Request::Clients => {
            let devices = front.devices();
            Answer::Clients { clients: devices.iter().map(|one| ClientInfo::from(&one.client)).collect() }
        }
        Request::Revoke { client } => {
            let id = front.find(&client)?.client.id;
            Answer::Revoked { client: ClientInfo::from(&front.revoke(id).await?) }
        }
        Request::Sessions => {
            Answer::Sessions { sessions: front.sessions().iter().map(SessionInfo::from).collect() }
        }
        Request::End { session } => {
            let id = meant(&front.sessions(), &session)?;
            Answer::Ended { session: SessionInfo::from(&front.end(id).await?) }
        }
        Request::Apps => {
            let running = front.running_apps();
            Answer::Apps { apps: front.programs().iter().map(|app| AppInfo::of(app, &running)).collect() }
        }
        Request::ScanApps => Answer::Scanned { scanned: ScanInfo::from(front.scan().await?) },
    })
}

fn parse(access: &str) -> Result<Access, FrontError> {
    store::parse_access(access).map_err(|message| FrontError::Invalid { field: "access", message })
}

/// The session of this number, else of a client with this name: one may be called 7.
fn meant(all: &[front::Session], wanted: &str) -> Result<u64, FrontError> {
    let number = wanted.parse::<u64>().ok();
    let by_number = all.iter().find(|session| Some(session.seat.id) == number);
    let found = by_number.or_else(|| all.iter().find(|session| session.name() == wanted));
    found.map(|session| session.seat.id).ok_or_else(|| {
        let message = format!("nothing runs as {wanted:?}: `punktfunk-host sessions` lists what does");
        FrontError::NotFound(message)
    })
}
