//! The RTSP port: one request a connection, in the clear or as one encrypted frame
//! (sheet, section 5).
//!
//! An encrypted request belongs to the launch whose key opens it. A plain one, of an
//! old client, names its launch by the `Session` header from the second SETUP on; what
//! comes before names nothing and belongs to the newest launch from its address that
//! is not encrypted. So two old clients behind one address must not begin at the same
//! moment; all others may. The handshake itself is [`HostSession`] of `core`; it lives
//! from the first request to PLAY.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use punktfunk_core::gamestream::http::codec_mode;
use punktfunk_core::gamestream::rtsp::{
    Assembled, Cipher, Event, Facts, HostSession, Request, assemble, open_with,
};
use punktfunk_core::gamestream::sdp::{Offer, encryption};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, watch};

use super::Shared;
use super::listen::{Ends, serve_all};
use crate::config::Ports;
use crate::session::{Pending, SessionId};

/// For one whole request; the client sends it at once.
const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// For the answer to leave; the client reads at once.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// Handshakes kept; more launches than these do not wait at one time.
const MAX_HANDSHAKES: usize = 64;
/// Longer than a launch waits, and than a client retries.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(60);

/// One launch on its way to PLAY.
pub(super) struct Handshake {
    session: HostSession,
    cipher: Cipher,
}

/// A handshake and the launch it is for.
pub(super) struct Entry {
    pending: Pending,
    handshake: Arc<Mutex<Handshake>>,
    since: Instant,
}

/// What the port keeps between connections.
pub(super) type Handshakes = std::sync::Mutex<BTreeMap<SessionId, Entry>>;

/// Serves the RTSP port.
pub(super) async fn serve(shared: Arc<Shared>, listener: TcpListener, stop: watch::Receiver<bool>) {
    serve_all(listener, stop, |stream, ends| {
        let shared = shared.clone();
        async move {
            let peer = ends.peer;
            match converse(&shared, stream, ends).await {
                Ok(()) => {}
                Err(error) => tracing::debug!(%peer, %error, "RTSP request not answered"),
            }
        }
    })
    .await;
}

async fn converse(shared: &Shared, mut stream: TcpStream, ends: Ends) -> io::Result<()> {
    let assembled = tokio::time::timeout(READ_TIMEOUT, read(&mut stream)).await;
    let Some(assembled) = assembled.map_err(|_| io::ErrorKind::TimedOut)?? else { return Ok(()) };
    let known = candidates(shared);
    let (pending, request) = match assembled {
        Assembled::Plain(request) => (plain(known, ends.peer.ip(), &request), request),
        Assembled::Encrypted(frame) => {
            let keys: Vec<[u8; 16]> = known.iter().map(|pending| pending.key).collect();
            let opened = open_with(&frame, &keys)
                .and_then(|(index, text)| Some((known.into_iter().nth(index)?, text)));
            let Some((pending, text)) = opened else { return Err(refused("no launch has its key")) };
            match Request::parse(&text) {
                Ok(Some(request)) => (Some(pending), request),
                Ok(None) => return Err(refused("the request is cut short")),
                Err(error) => return Err(refused(&error.to_string())),
            }
        }
        Assembled::Incomplete => return Ok(()),
    };
    let Some(pending) = pending else { return Err(refused("no launch waits for this address")) };
    let handshake = handshake(shared, &pending)?;
    // One request at a time: the steps of a handshake are in order.
    let mut handshake = handshake.lock().await;
    let answer = advance(shared, &pending, &mut handshake, &request).await?;
    let sent = async {
        stream.write_all(&answer).await?;
        stream.shutdown().await
    };
    tokio::time::timeout(WRITE_TIMEOUT, sent).await.map_err(|_| io::ErrorKind::TimedOut)?
}

/// Reads until a whole request is there; `None` when nothing came at all, which
/// clients do to see whether the port is open.
async fn read(stream: &mut TcpStream) -> io::Result<Option<Assembled>> {
    let mut bytes = Vec::with_capacity(4096);
    loop {
        // `assemble` bounds the length: it refuses what grows beyond its limit.
        if stream.read_buf(&mut bytes).await? == 0 {
            return if bytes.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        }
        match assemble(&bytes) {
            Ok(Assembled::Incomplete) => {}
            Ok(whole) => return Ok(Some(whole)),
            Err(error) => return Err(refused(&error.to_string())),
        }
    }
}

/// The launches a request can belong to, newest first: those that wait, and those
/// whose handshake is under way.
fn candidates(shared: &Shared) -> Vec<Pending> {
    let mut known = shared.supervisor.pending();
    let mut under_way = shared.handshakes.lock().unwrap_or_else(PoisonError::into_inner);
    // A client that went away in the middle takes nobody's place.
    under_way.retain(|_, entry| entry.since.elapsed() < HANDSHAKE_TIMEOUT);
    for entry in under_way.values().rev() {
        if known.iter().all(|pending| pending.id != entry.pending.id) {
            known.push(entry.pending.clone());
        }
    }
    known
}

/// The launch of a plain request: it must not reach one that is encrypted, nor one
/// from another address.
fn plain(known: Vec<Pending>, peer: IpAddr, request: &Request) -> Option<Pending> {
    let peer = peer.to_canonical();
    let session =
        request.header("Session").map(|session| session.split(';').next().unwrap_or_default().trim());
    known.into_iter().find(|pending| {
        let named = session.is_none_or(|session| session == name_of(pending));
        named && !pending.encrypted && pending.peer.to_canonical() == peer
    })
}

/// What the `Session` header of a launch says.
fn name_of(pending: &Pending) -> String {
    format!("PUNKTFUNK{:08X}", pending.id.0)
}

/// The handshake of a launch; a launch with new keys starts anew.
fn handshake(shared: &Shared, pending: &Pending) -> io::Result<Arc<Mutex<Handshake>>> {
    let mut all = shared.handshakes.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(entry) = all.get(&pending.id)
        && entry.pending.key == pending.key
        && entry.pending.connect_data == pending.connect_data
    {
        return Ok(entry.handshake.clone());
    }
    while all.len() >= MAX_HANDSHAKES {
        all.pop_first();
    }
    let cipher = Cipher::host(&pending.key).map_err(io::Error::other)?;
    let session = HostSession::new(facts(shared.config.ports, shared.supervisor.codec_modes(), pending));
    let handshake = Arc::new(Mutex::new(Handshake { session, cipher }));
    all.insert(
        pending.id,
        Entry { pending: pending.clone(), handshake: handshake.clone(), since: Instant::now() },
    );
    Ok(handshake)
}

/// Takes one request and returns the bytes of its answer.
async fn advance(
    shared: &Shared,
    pending: &Pending,
    handshake: &mut Handshake,
    request: &Request,
) -> io::Result<Vec<u8>> {
    let id = pending.id;
    let outcome = handshake.session.handle(request);
    tracing::debug!(session = id.0, method = ?request.method, status = outcome.response.status, "RTSP");
    let carried_out = match outcome.event {
        None => Ok(()),
        Some(Event::Announced(config)) => {
            tracing::debug!(session = id.0, ?config, "stream settled");
            shared
                .supervise(move |supervisor| supervisor.announce(id, *config))
                .await
                .unwrap_or_else(panicked)
        }
        Some(Event::Play) => {
            shared.supervise(move |supervisor| supervisor.play(id)).await.unwrap_or_else(panicked)
        }
    };
    let response = match carried_out {
        Ok(()) => outcome.response,
        Err(error) => {
            tracing::error!(session = id.0, %error, "the stream could not be started");
            handshake.session.fail(request)
        }
    };
    if handshake.session.is_over() {
        shared.handshakes.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }
    let bytes = response.to_bytes();
    if pending.encrypted { handshake.cipher.seal(&bytes).map_err(io::Error::other) } else { Ok(bytes) }
}

fn panicked<T>() -> Result<T, crate::session::LaunchError> {
    Err(crate::session::LaunchError::Failed("the host failed; its log says why".to_owned()))
}

fn facts(ports: Ports, codec_modes: u32, pending: &Pending) -> Facts {
    Facts {
        offer: offer(codec_modes),
        session: name_of(pending),
        audio_port: ports.audio(),
        video_port: ports.video(),
        control_port: ports.control(),
        ping_payload: pending.ping_payload,
        connect_data: pending.connect_data,
    }
}

/// What this host can do: the codecs that were tried, stereo and surround, everything encrypted on
/// request. No software encoder leaves lost frames out of its references, so
/// invalidation is not offered.
fn offer(codec_modes: u32) -> Offer {
    Offer {
        touch: true,
        gamepad_extras: true,
        encryption_supported: encryption::CONTROL_V2 | encryption::VIDEO | encryption::AUDIO,
        encryption_requested: 0,
        invalidation: false,
        hevc: codec_modes & codec_mode::ANY_HEVC != 0,
        av1: codec_modes & codec_mode::ANY_AV1 != 0,
        layouts: Offer::all_layouts(),
    }
}

fn refused(why: &str) -> io::Error {
    io::Error::other(why.to_owned())
}
