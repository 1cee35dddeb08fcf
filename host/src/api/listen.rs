//! Where the API is served: HTTPS for browsers and programs, a Unix socket for processes
//! of the machine's owner.
//!
//! TLS 1.2 and 1.3 with a certificate of the console's own; clients show none. At the Unix
//! socket the kernel says who is there: the user of this host, or root.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use super::caller::Peer;
use super::{Api, Wish};
use crate::serve::ServeError;
use crate::serve::listen::{Ends, listen_at, serve_all};
use crate::store::ConsoleIdentity;

/// From the first byte of a request to the end of its head, and for the handshake; also
/// how long a connection waits for its next request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of a request head.
const MAX_HEAD: usize = 64 * 1024;
/// Connections to the Unix socket at once.
const MAX_LOCAL: usize = 64;
/// Pause after a failed accept: mostly too many open files, which time cures.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The Unix socket of the host with this port base.
pub fn socket_path(runtime: &Path, base: u16) -> PathBuf {
    runtime.join(format!("api-{base}.sock"))
}

/// Binds everything and adds the tasks that serve it.
pub(super) fn start(api: &Api, wish: Wish, tasks: &mut JoinSet<()>) -> Result<(), ServeError> {
    let inside = api.inside();
    let config = &inside.context.config;
    let router = api.router();
    if wish.https && config.api.enabled {
        let acceptor = TlsAcceptor::from(Arc::new(tls(api.identity())?));
        for listener in listen_at(config.api.bind, api.port(), "console and API")? {
            tasks.spawn(serve_https(router.clone(), listener, acceptor.clone(), inside.stop.clone()));
        }
        greet(api)?;
    }
    let socket = Socket::bind(socket_path(&inside.context.runtime, config.ports.base()))?;
    tasks.spawn(socket.serve(router, inside.stop.clone()));
    Ok(())
}

fn greet(api: &Api) -> Result<(), ServeError> {
    let address = crate::serve::addresses(api.inside().context.config.api.bind)[0];
    let at = std::net::SocketAddr::new(address, api.port());
    tracing::info!("console at https://{at}/");
    tracing::info!("its certificate is self-signed; SHA-256 {}", api.identity().fingerprint());
    if let Some(secret) = api.claim().secret()? {
        tracing::info!("this host is nobody's yet. To make it yours: https://{at}/#claim={secret}");
    }
    Ok(())
}

fn tls(identity: &ConsoleIdentity) -> Result<ServerConfig, rustls::Error> {
    let certificate = CertificateDer::from(identity.certificate().to_vec());
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(identity.key_pkcs8().to_vec()));
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

async fn serve_https(
    router: Router,
    listener: TcpListener,
    acceptor: TlsAcceptor,
    stop: watch::Receiver<bool>,
) {
    serve_all(listener, stop, |stream, ends| secure(router.clone(), acceptor.clone(), stream, ends)).await;
}

async fn secure(router: Router, acceptor: TlsAcceptor, stream: TcpStream, ends: Ends) {
    match tokio::time::timeout(HEAD_TIMEOUT, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => converse(router, stream, Peer::Remote(ends.peer.ip())).await,
        Ok(Err(error)) => tracing::debug!(peer = %ends.peer, %error, "TLS handshake failed"),
        Err(_) => {}
    }
}

/// The requests of one connection.
async fn converse<S>(router: Router, stream: S, peer: Peer)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = hyper::service::service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(peer);
        router.clone().oneshot(request.map(Body::new))
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::trace!(?peer, %error, "connection ended early");
    }
}

/// The listening Unix socket; its file is removed on drop.
struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

impl Socket {
    /// Listens on `path`. What a crashed host left there is replaced: the caller holds the
    /// ports and the state, so no other host can be using it.
    fn bind(path: PathBuf) -> Result<Self, ServeError> {
        let fail = |source| ServeError::OwnerSocket { path: path.clone(), source };
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(fail(error)),
            _ => {}
        }
        let listener = UnixListener::bind(&path).map_err(fail)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).map_err(fail)?;
        Ok(Self { listener, path })
    }

    async fn serve(self, router: Router, mut stop: watch::Receiver<bool>) {
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept(), if connections.len() < MAX_LOCAL => accepted,
                _ = connections.join_next(), if !connections.is_empty() => continue,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            match accepted {
                Ok((stream, _)) => connections.spawn(serve_local(router.clone(), stream)),
                Err(_) => connections.spawn(tokio::time::sleep(ACCEPT_PAUSE)),
            };
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

async fn serve_local(router: Router, stream: UnixStream) {
    match stream.peer_cred() {
        Ok(peer) if may_enter(peer.uid(), crate::platform::current_user_id()) => {
            converse(router, stream, Peer::Local).await;
        }
        Ok(peer) => tracing::warn!(uid = peer.uid(), "another user tried to use the API's socket"),
        Err(error) => tracing::warn!(%error, "nobody knows who is at the API's socket"),
    }
}

/// Whether a user may use the socket of a host that runs as `own`.
fn may_enter(uid: u32, own: u32) -> bool {
    uid == 0 || uid == own
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_root_and_the_user_of_the_host_may_enter() {
        assert!(may_enter(0, 1000) && may_enter(1000, 1000) && may_enter(0, 0));
        assert!(!may_enter(1001, 1000) && !may_enter(65534, 0));
    }
}
