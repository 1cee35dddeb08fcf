//! The owner's socket: PINs are entered, windows opened and clients revoked here, and
//! nowhere else.
//!
//! A Unix socket in the runtime directory, readable by the user of the host only;
//! whoever connects must also be that user or root by the word of the kernel. The
//! LAN ports have no such functions, so no device can pair itself.

mod client;
mod protocol;

use std::io;
use std::net::{IpAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use punktfunk_core::native::pairing::qr::{Address, Invitation};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::unix::OwnedReadHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::native::{OPEN_FOR, Terms, WindowId};
use super::{ServeError, Shared};
use crate::config::Config;
use crate::session::ClientId;
use crate::store::{self, Protocol, StoreError};

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
    pub(super) async fn serve(self, shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
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
            let shared = shared.clone();
            connections.spawn(async move {
                if let Err(error) = serve_owner(&shared, stream).await {
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

async fn serve_owner(shared: &Arc<Shared>, stream: UnixStream) -> io::Result<()> {
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
                    answer = answer(shared, request) => answer,
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

async fn answer(shared: &Arc<Shared>, request: Request) -> Answer {
    match request {
        Request::Pending { wait } => Answer::Pending { attempts: shared.desk.waiting(wait).await },
        Request::Pin { attempt, pin, name } => {
            let name = name.unwrap_or_default();
            match shared.desk.enter_pin(attempt, &pin, &name).await {
                Ok(client) => Answer::Paired { client: ClientInfo::from(&client) },
                Err(message) => Answer::Error { message },
            }
        }
        Request::OpenWindow { name, access, expires } => {
            answered(open_window(shared, name, &access, expires))
        }
        Request::Outcome { window } => match shared.windows.outcome(WindowId(window)).await {
            Ok(client) => Answer::Paired { client: ClientInfo::from(&client) },
            Err(message) => Answer::Error { message },
        },
        Request::Access { client, access } => answered(set_access(shared, client, &access).await),
        Request::Expire { client, expires } => answered(set_expiry(shared, client, expires).await),
        Request::Clients => {
            Answer::Clients { clients: shared.store.clients().iter().map(ClientInfo::from).collect() }
        }
        Request::Revoke { client } => match revoke(shared, client).await {
            Ok(client) => Answer::Revoked { client: ClientInfo::from(&client) },
            Err(message) => Answer::Error { message },
        },
        Request::Sessions => Answer::Sessions { sessions: sessions(shared) },
        Request::End { session } => match end(shared, &session).await {
            Ok(session) => Answer::Ended { session },
            Err(message) => Answer::Error { message },
        },
        Request::Apps => {
            let running = shared.supervisor.running_apps();
            let programs = shared.supervisor.programs();
            let info = |app| AppInfo::of(app, &running);
            Answer::Apps { apps: programs.iter().map(info).collect() }
        }
        Request::ScanApps => {
            let scanned = shared.supervise(|supervisor| supervisor.scan()).await;
            scanned.map_or_else(
                || Answer::Error { message: "the host failed; its log says why".to_owned() },
                |scanned| Answer::Scanned { scanned: ScanInfo::from(scanned) },
            )
        }
    }
}

fn answered(result: Result<Answer, String>) -> Answer {
    result.unwrap_or_else(|message| Answer::Error { message })
}

fn open_window(
    shared: &Shared,
    name: Option<String>,
    access: &str,
    expires: Option<u64>,
) -> Result<Answer, String> {
    let terms = Terms { name, access: store::parse_access(access)?, expires };
    let opened = shared.windows.open(terms);
    let invitation = Invitation {
        addresses: addresses(&shared.config),
        fingerprint: shared.store.native_identity().hash(),
        secret: opened.secret,
        name: shared.config.name.clone(),
    };
    Ok(Answer::Window {
        window: opened.id.0,
        pin: opened.pin.to_string(),
        payload: invitation.to_string(),
        seconds: OPEN_FOR.as_secs(),
    })
}

/// Where this host can be reached: at the address it listens on, else at those of the
/// routes out, asked for by connecting a UDP socket, which sends nothing (RFC 5737 and
/// 3849 addresses).
fn addresses(config: &Config) -> Vec<Address> {
    let toward = |bind: &str, to: &str| {
        let socket = UdpSocket::bind(bind).ok()?;
        socket.connect(to).ok()?;
        let address = socket.local_addr().ok()?.ip();
        (!address.is_unspecified()).then_some(address)
    };
    let mut found: Vec<IpAddr> = match config.native.bind {
        Some(address) if !address.is_unspecified() => vec![address],
        _ => [toward("0.0.0.0:0", "192.0.2.1:9"), toward("[::]:0", "[2001:db8::1]:9")]
            .into_iter()
            .flatten()
            .collect(),
    };
    if found.is_empty() {
        found.push(IpAddr::from([127, 0, 0, 1]));
    }
    found
        .into_iter()
        .map(|address| Address { host: address.to_string(), port: config.native_port() })
        .collect()
}

async fn set_access(shared: &Arc<Shared>, wanted: String, access: &str) -> Result<Answer, String> {
    let access = store::parse_access(access)?;
    if store::find(&shared.store.clients(), &wanted)?.protocol == Protocol::GameStream {
        return Err(format!(
            "{wanted:?} speaks GameStream, which knows all or nothing: revoke it, or let it expire"
        ));
    }
    change(shared, wanted, move |store, id| store.set_access(id, access)).await
}

async fn set_expiry(shared: &Arc<Shared>, wanted: String, expires: Option<u64>) -> Result<Answer, String> {
    change(shared, wanted, move |store, id| store.set_expiry(id, expires)).await
}

/// Changes a client and tells its connections.
async fn change<F>(shared: &Arc<Shared>, wanted: String, edit: F) -> Result<Answer, String>
where
    F: FnOnce(&store::Store, ClientId) -> Result<Option<store::Client>, StoreError> + Send + 'static,
{
    let id = store::find(&shared.store.clients(), &wanted)?.id;
    let store = shared.store.clone();
    let changed = tokio::task::spawn_blocking(move || edit(&store, id))
        .await
        .map_err(|error| error.to_string())?
        .map_err(|error| error.to_string())?
        .ok_or_else(|| format!("{wanted:?} was just revoked"))?;
    let _ = shared.changed.send(id);
    tracing::info!(
        client = changed.name,
        access = store::access_text(changed.access),
        expires = changed.expires,
        "client changed"
    );
    Ok(Answer::Changed { client: ClientInfo::from(&changed) })
}

/// Who plays what, oldest first.
fn sessions(shared: &Shared) -> Vec<SessionInfo> {
    let clients = shared.store.clients();
    let info = |seat: crate::session::SeatInfo| {
        let client = clients.iter().find(|client| client.id == seat.client);
        SessionInfo {
            id: seat.id,
            client: client.map_or_else(|| seat.client.to_string(), |client| client.name.clone()),
            app: seat.title,
            age: seat.age.as_secs(),
            stream: seat.stream.map(|stream| StreamInfo {
                width: stream.mode.width,
                height: stream.mode.height,
                fps: stream.mode.fps,
                codec: stream.codec.to_owned(),
                age: stream.age.as_secs(),
            }),
        }
    };
    shared.supervisor.seats().into_iter().map(info).collect()
}

async fn end(shared: &Arc<Shared>, wanted: &str) -> Result<SessionInfo, String> {
    let all = sessions(shared);
    let number = wanted.parse::<u64>().ok();
    let by_number = all.iter().find(|session| Some(session.id) == number);
    // A client may be called 7.
    let found = by_number.or_else(|| all.iter().find(|session| session.client == wanted));
    let found = found
        .cloned()
        .ok_or_else(|| format!("nothing runs as {wanted:?}: `punktfunk-host sessions` lists what does"))?;
    let id = found.id;
    shared.supervise(move |supervisor| supervisor.end(id)).await;
    tracing::info!(client = found.client, app = found.app, "ended by the owner");
    Ok(found)
}

async fn revoke(shared: &Arc<Shared>, wanted: String) -> Result<store::Client, String> {
    let client = store::find(&shared.store.clients(), &wanted)?.clone();
    let id = client.id;
    let for_store = shared.clone();
    tokio::task::spawn_blocking(move || for_store.store.revoke(id))
        .await
        .map_err(|error| error.to_string())?
        .map_err(|error| error.to_string())?;
    // Connections first: they are closed at once, while ending programs may take a while.
    let _ = shared.changed.send(id);
    shared.supervise(move |supervisor| supervisor.revoke(id)).await;
    tracing::info!(client = %id, name = client.name, "client revoked");
    Ok(client)
}
