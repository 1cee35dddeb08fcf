//! The endpoint of either side: one socket for all planes.

use std::fmt;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use punktfunk_net::{Datagrams, Route, Sent, Transport, UdpOptions, UdpTransport, normalised};
use quinn::{Connection, ConnectionError, TokioRuntime, VarInt};
use rustls::pki_types::CertificateDer;

use crate::config;
use crate::error::{ConnectError, Error, HandshakeError};
use crate::gate::{Gate, Ticket};
use crate::identity::{Identity, identity_of};
use crate::inbox::Inbox;
use crate::receive::{MediaSink, Receiver};
use crate::socket::Socket;
use crate::tls::Expected;

/// A handshake has so long (section 10).
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Connections of any kind, those that are just ending included: beyond, nobody new is
/// listened to. 64 strangers and more paired ones than a machine could stream to.
const MOST_CONNECTIONS: usize = 512;

/// A socket with QUIC and media on it. Clones are the same endpoint; with the last one
/// the receiving thread ends.
#[derive(Clone, Debug)]
pub struct Endpoint(Arc<Inner>);

struct Inner {
    quinn: quinn::Endpoint,
    attached: Mutex<Attached>,
    sink: Arc<dyn MediaSink>,
    identity: Identity,
    gate: Arc<Gate>,
    counters: Counters,
}

/// The socket in use and the thread that receives from it.
#[derive(Debug)]
struct Attached {
    transport: Arc<UdpTransport>,
    inbox: Arc<Inbox>,
    receiver: Receiver,
}

#[derive(Debug, Default)]
struct Counters {
    retried: AtomicU64,
    refused: AtomicU64,
    ignored: AtomicU64,
}

/// Counters since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Connections that hold a [`Ticket`] now.
    pub half_open: usize,
    /// Connections now, those that are just ending included.
    pub connections: usize,
    /// Attempts that were asked to prove their address first.
    pub retried: u64,
    /// Attempts refused because the limits were reached.
    pub refused: u64,
    /// Attempts not answered at all because there were connections enough.
    pub ignored: u64,
    /// QUIC datagrams dropped because quinn did not keep up.
    pub dropped: u64,
    /// Datagrams that belong to no plane.
    pub stray: u64,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").field("attached", &self.attached).finish_non_exhaustive()
    }
}

impl Endpoint {
    /// The host's side on a bound socket, usually that of
    /// [`bind_udp`](punktfunk_net::bind_udp). Call it inside a tokio runtime.
    ///
    /// # Errors
    /// [`Error`]: the socket cannot be set up, TLS does not take the identity.
    pub fn host(socket: UdpSocket, identity: &Identity, sink: Arc<dyn MediaSink>) -> Result<Self, Error> {
        Self::new(socket, identity, sink, Some(config::server(identity)?))
    }

    /// A client's side; the socket has a port that the system chose. Call it inside a
    /// tokio runtime.
    ///
    /// # Errors
    /// As [`host`](Self::host).
    pub fn client(socket: UdpSocket, identity: &Identity, sink: Arc<dyn MediaSink>) -> Result<Self, Error> {
        Self::new(socket, identity, sink, None)
    }

    fn new(
        socket: UdpSocket,
        identity: &Identity,
        sink: Arc<dyn MediaSink>,
        server: Option<quinn::ServerConfig>,
    ) -> Result<Self, Error> {
        let attached = Attached::new(socket, sink.clone())?;
        let runtime = Arc::new(TokioRuntime);
        let endpoint = config::endpoint(identity);
        let quinn = quinn::Endpoint::new_with_abstract_socket(endpoint, server, attached.socket(), runtime)
            .map_err(Error::Start)?;
        Ok(Self(Arc::new(Inner {
            quinn,
            attached: Mutex::new(attached),
            sink,
            identity: identity.clone(),
            gate: Arc::default(),
            counters: Counters::default(),
        })))
    }

    /// The next client at the door, within the limits of section 10. `None` once the
    /// endpoint is closed. Do the handshake in a task of its own.
    pub async fn accept(&self) -> Option<Arrival> {
        let inner = &self.0;
        loop {
            let incoming = inner.quinn.accept().await?;
            let from = normalised(incoming.remote_address());
            let local = incoming.local_ip().map(|ip| ip.to_canonical());
            if inner.quinn.open_connections() >= MOST_CONNECTIONS {
                inner.counters.ignored.fetch_add(1, Ordering::Relaxed);
                incoming.ignore();
                continue;
            }
            if inner.gate.pressed() && !incoming.remote_address_validated() {
                inner.counters.retried.fetch_add(1, Ordering::Relaxed);
                // It can be asked: its address was not proven yet.
                let _ = incoming.retry();
                continue;
            }
            let Some(ticket) = inner.gate.admit(from.ip()) else {
                inner.counters.refused.fetch_add(1, Ordering::Relaxed);
                incoming.refuse();
                continue;
            };
            match incoming.accept() {
                Ok(connecting) => return Some(Arrival { connecting, ticket, from, local }),
                Err(error) => tracing::debug!(%from, %error, "not a QUIC handshake"),
            }
        }
    }

    /// Connects to a host. With `expected`, the SPKI hash of the host paired with, any
    /// other host is refused before it learns anything. Gives up after 5 s.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn connect(
        &self,
        to: SocketAddr,
        expected: Option<[u8; 32]>,
    ) -> Result<Connection, ConnectError> {
        let expected = expected.map(|hash| Arc::new(Expected::new(hash)));
        let config = config::client(&self.0.identity, expected.clone()).map_err(ConnectError::Tls)?;
        // The name is for servers that have several; ours goes by its key.
        let connecting =
            self.0.quinn.connect_with(config, to, "punktfunk").map_err(|_| ConnectError::Address(to))?;
        match tokio::time::timeout(HANDSHAKE, connecting).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(_)) if expected.is_some_and(|expected| expected.met_another()) => {
                Err(ConnectError::OtherIdentity)
            }
            Ok(Err(ConnectionError::ConnectionClosed(close)))
                if u64::from(close.error_code) == CONNECTION_REFUSED =>
            {
                Err(ConnectError::Refused)
            }
            Ok(Err(ConnectionError::TimedOut)) | Err(_) => Err(ConnectError::Unreachable(to)),
            Ok(Err(error)) => Err(ConnectError::Failed(error)),
        }
    }

    /// Sends media datagrams at once, waiting a bounded time for room. From any thread.
    ///
    /// # Errors
    /// As [`Transport::send`].
    pub fn send_media(&self, datagrams: Datagrams<'_>, route: Route) -> Result<Sent, punktfunk_net::Error> {
        self.transport().send(datagrams, route)
    }

    /// The socket, for a [`PacedSender`](punktfunk_net::PacedSender). It stays that of
    /// this moment: [`rebind`](Self::rebind) makes another.
    pub fn transport(&self) -> Arc<UdpTransport> {
        self.attached().transport.clone()
    }

    /// The address bound to; `[::]` is IPv4 as well.
    pub fn local_addr(&self) -> SocketAddr {
        self.attached().transport.local_addr()
    }

    /// Makes the receiving thread call [`MediaSink::settle`].
    pub fn wake(&self) {
        self.attached().transport.wake();
    }

    /// Goes on with another socket, as after a change of networks. Connections stay;
    /// what is still on its way to the old socket is lost.
    ///
    /// # Errors
    /// [`Error`]; the old socket stays in use.
    pub fn rebind(&self, socket: UdpSocket) -> Result<(), Error> {
        let attached = Attached::new(socket, self.0.sink.clone())?;
        self.0.quinn.rebind_abstract(attached.socket()).map_err(Error::Start)?;
        let old = std::mem::replace(&mut *self.attached(), attached);
        // Ends the thread, outside the lock: its sink may be sending.
        drop(old);
        Ok(())
    }

    /// Closes all connections with a code of section 8 and takes no more.
    pub fn close(&self, code: u32, text: &str) {
        self.0.quinn.close(VarInt::from_u32(code), text.as_bytes());
    }

    /// Waits until the peers were told of the closing, or a few round trips.
    pub async fn wait_idle(&self) {
        self.0.quinn.wait_idle().await;
    }

    /// The counters.
    pub fn stats(&self) -> Stats {
        let inner = &self.0;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let attached = self.attached();
        Stats {
            half_open: inner.gate.inside(),
            connections: inner.quinn.open_connections(),
            retried: read(&inner.counters.retried),
            refused: read(&inner.counters.refused),
            ignored: read(&inner.counters.ignored),
            dropped: attached.inbox.dropped(),
            stray: attached.receiver.stray(),
        }
    }

    fn attached(&self) -> MutexGuard<'_, Attached> {
        self.0.attached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// CONNECTION_REFUSED of RFC 9000, section 20.1.
const CONNECTION_REFUSED: u64 = 2;

impl Attached {
    fn new(socket: UdpSocket, sink: Arc<dyn MediaSink>) -> Result<Self, Error> {
        let (transport, gro) = transport(socket)?;
        let inbox = Arc::new(Inbox::default());
        let receiver = Receiver::spawn(transport.clone(), inbox.clone(), sink, gro).map_err(Error::Start)?;
        Ok(Self { transport, inbox, receiver })
    }

    fn socket(&self) -> Arc<Socket> {
        Arc::new(Socket { transport: self.transport.clone(), inbox: self.inbox.clone() })
    }
}

/// The transport, and whether the kernel glues datagrams together on it.
fn transport(socket: UdpSocket) -> Result<(Arc<UdpTransport>, bool), Error> {
    let options = UdpOptions { gro: true, whole: true, ..UdpOptions::default() };
    let again = socket.try_clone().map_err(Error::Start)?;
    match UdpTransport::new(socket, &options) {
        Ok(transport) => Ok((Arc::new(transport), true)),
        Err(error) => {
            tracing::debug!(%error, "datagrams are received one by one");
            let options = UdpOptions { gro: false, ..options };
            Ok((Arc::new(UdpTransport::new(again, &options)?), false))
        }
    }
}

/// A client whose handshake is still to come.
#[derive(Debug)]
pub struct Arrival {
    connecting: quinn::Connecting,
    ticket: Ticket,
    from: SocketAddr,
    local: Option<IpAddr>,
}

/// A client that proved to hold a key. Nothing says yet that it is trusted.
#[derive(Debug)]
pub struct Accepted {
    /// The connection.
    pub connection: Connection,
    /// SHA-256 of its public key.
    pub identity: [u8; 32],
    /// Its place among the strangers: drop it when the identity is a paired one, keep it
    /// as long as the connection otherwise.
    pub ticket: Ticket,
    /// Where it came from.
    pub from: SocketAddr,
    /// Which address of ours it knows.
    pub local: Option<IpAddr>,
}

impl Arrival {
    /// Where it comes from.
    pub fn from(&self) -> SocketAddr {
        self.from
    }

    /// Does the handshake.
    ///
    /// # Errors
    /// [`HandshakeError`]; also after 5 s.
    pub async fn handshake(self) -> Result<Accepted, HandshakeError> {
        let Self { connecting, ticket, from, local } = self;
        let connection =
            tokio::time::timeout(HANDSHAKE, connecting).await.map_err(|_| HandshakeError::TimedOut)??;
        let identity = peer_identity(&connection)?;
        Ok(Accepted { connection, identity, ticket, from, local })
    }
}

/// Who is at the other end: the SHA-256 of the public key that it proved to hold.
///
/// # Errors
/// [`IdentityError::Certificate`](crate::IdentityError::Certificate) if it showed no
/// certificate, which an established connection of ours cannot have.
pub fn peer_identity(connection: &Connection) -> Result<[u8; 32], crate::IdentityError> {
    let shown =
        connection.peer_identity().and_then(|any| any.downcast::<Vec<CertificateDer<'static>>>().ok());
    let shown = shown.as_deref().and_then(|chain| chain.first());
    shown.map_or(Err(crate::IdentityError::Certificate), |certificate| identity_of(certificate))
}

/// Where the other end is at present; IPv4 as IPv4.
pub fn peer_address(connection: &Connection) -> SocketAddr {
    normalised(connection.remote_address())
}

/// A secret that only the two ends of this connection know (TLS exporter, RFC 8446).
///
/// # Errors
/// [`Error::Export`].
pub fn export(connection: &Connection, label: impl AsRef<[u8]>, context: &[u8]) -> Result<[u8; 32], Error> {
    let mut secret = [0; 32];
    connection.export_keying_material(&mut secret, label.as_ref(), context).map_err(|_| Error::Export)?;
    Ok(secret)
}
