//! The HTTP and HTTPS ports: verbs in, XML out (sheet, section 2).
//!
//! HTTP is for everybody and only knows a free, unpaired host and the pairing
//! phases. HTTPS serves paired clients; whether the certificate of the connection
//! is paired is asked for every request. Errors travel in the XML, always with HTTP
//! status 200: clients take anything else for a broken network.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use punktfunk_core::crypto::sha256;
use punktfunk_core::gamestream::http::{
    self, HostFacts, LaunchArgs, Port, Query, ServerInfo, SessionUrl, Verb, codec_mode,
};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, watch};
use tokio_rustls::TlsAcceptor;

use super::Shared;
use super::listen::{Ends, serve_all};
use crate::session::{Art, ClientId, LaunchError, LaunchRequest, Mode, Pending};
use crate::store::Client;

/// From the first byte of a request to the end of its head, and for the handshake.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of a request head. Pairing carries a whole certificate in the first line.
const MAX_HEAD: usize = 32 * 1024;
/// Pictures that every client of the field can show.
const SHOWN: [&str; 2] = ["image/png", "image/jpeg"];

/// Serves the HTTP port.
pub(super) async fn serve_http(shared: Arc<Shared>, listener: TcpListener, stop: watch::Receiver<bool>) {
    serve_all(listener, stop, |stream, ends| {
        let connection = Connection { shared: shared.clone(), ends, client: None };
        converse(stream, connection)
    })
    .await;
}

/// Serves the HTTPS port.
pub(super) async fn serve_https(
    shared: Arc<Shared>,
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    stop: watch::Receiver<bool>,
) {
    let acceptor = TlsAcceptor::from(tls);
    serve_all(listener, stop, |stream, ends| {
        let shared = shared.clone();
        let acceptor = acceptor.clone();
        secure(shared, acceptor, stream, ends)
    })
    .await;
}

async fn secure(shared: Arc<Shared>, acceptor: TlsAcceptor, stream: TcpStream, ends: Ends) {
    // Before the handshake: a client that is revoked during it is missed otherwise.
    let mut revoked = shared.changed.subscribe();
    let stream = match tokio::time::timeout(HEAD_TIMEOUT, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            tracing::debug!(peer = %ends.peer, %error, "TLS handshake failed");
            return;
        }
        Err(_) => return,
    };
    let Some(certificate) = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first()) else {
        return;
    };
    let id = ClientId(sha256(&[certificate.as_ref()]));
    let connection = Connection { shared: shared.clone(), ends, client: Some(id) };
    tokio::select! {
        () = converse(stream, connection) => {}
        () = is_revoked(&shared, &mut revoked, id) => {
            tracing::debug!(client = %id, "connection of a revoked client closed");
        }
    }
}

/// Completes when `id` was revoked.
async fn is_revoked(shared: &Shared, revoked: &mut broadcast::Receiver<ClientId>, id: ClientId) {
    loop {
        match revoked.recv().await {
            Ok(changed) if changed == id && shared.store.client(id).is_none() => return,
            Ok(_) => {}
            // Some were missed, perhaps ours.
            Err(broadcast::error::RecvError::Lagged(_)) if shared.store.client(id).is_none() => return,
            Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// One request of a connection, then its end.
async fn converse<S>(stream: S, connection: Connection)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let peer = connection.ends.peer;
    let router = Router::new().fallback(answer).with_state(Arc::new(connection));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .await;
    if let Err(error) = served {
        tracing::trace!(%peer, %error, "connection ended early");
    }
}

/// What the answers of one connection depend on.
struct Connection {
    shared: Arc<Shared>,
    ends: Ends,
    /// HTTPS: whose certificate it is, paired or not.
    client: Option<ClientId>,
}

async fn answer(State(connection): State<Arc<Connection>>, method: Method, uri: Uri) -> Response {
    if method != Method::GET {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    if let Some(art) = connection.art(&uri).await {
        return ([(header::CONTENT_TYPE, art.media_type)], art.bytes).into_response();
    }
    let document = connection.document(&uri).await;
    ([(header::CONTENT_TYPE, "application/xml; charset=utf-8")], document).into_response()
}

impl Connection {
    /// The picture that a paired client asks for, if there is one it can show (sheet,
    /// section 2.6). Every other request, and its errors, is a document.
    async fn art(&self, uri: &Uri) -> Option<Art> {
        if Verb::from_path(uri.path()) != Some(Verb::AppAsset) {
            return None;
        }
        self.shared.store.client(self.client?)?;
        let query = Query::parse(uri.query().unwrap_or_default()).ok()?;
        let app: u32 = query.value("appid")?.parse().ok()?;
        let art = self.shared.supervise(move |supervisor| supervisor.art(app)).await.flatten();
        art.filter(|art| SHOWN.contains(&art.media_type))
    }

    async fn document(&self, uri: &Uri) -> String {
        let Some(verb) = Verb::from_path(uri.path()) else {
            return http::error(404, "this host does not know that request");
        };
        let query = match Query::parse(uri.query().unwrap_or_default()) {
            Ok(query) => query,
            Err(error) => return http::error(400, &error.to_string()),
        };
        let port = if self.client.is_some() { Port::Https } else { Port::Http };
        tracing::trace!(peer = %self.ends.peer, verb = verb.name(), ?port, "request");
        // A verb that is not for this port says nothing about who is paired.
        if !verb.allowed(port) {
            return http::error(404, "this request is not answered on this port");
        }
        match self.client {
            None => self.for_everybody(verb, &query).await,
            Some(id) => match self.shared.store.client(id) {
                Some(client) => self.for_client(&client, verb, &query).await,
                None => http::unauthorized(verb),
            },
        }
    }

    async fn for_everybody(&self, verb: Verb, query: &Query) -> String {
        match verb {
            Verb::ServerInfo => ServerInfo::for_http(self.facts()).document(),
            Verb::Pair => self.shared.desk.pair(query, self.ends.peer.ip()).await,
            Verb::Unpair => {
                self.shared.desk.give_up(query, self.ends.peer.ip());
                http::unpair_answer()
            }
            _ => http::error(404, "this request is not answered on this port"),
        }
    }

    async fn for_client(&self, client: &Client, verb: Verb, query: &Query) -> String {
        match verb {
            Verb::ServerInfo => {
                let running = self.shared.supervisor.running_app(client.id);
                ServerInfo::for_paired(self.facts(), running).document()
            }
            Verb::Pair => super::desk::pair_challenge(query),
            Verb::AppList => {
                let apps = self.shared.supervisor.programs().into_iter().filter(|app| !app.hidden);
                let list: Vec<_> =
                    apps.map(|app| http::App { id: app.id, title: app.title, hdr: false }).collect();
                http::applist(&list)
            }
            Verb::Launch | Verb::Resume => self.launch(client, verb, query).await,
            Verb::Cancel => {
                let id = client.id;
                match self.shared.supervise(move |supervisor| supervisor.cancel(id)).await {
                    Some(Ok(())) => http::cancel_answer(true),
                    Some(Err(error)) => refusal(&error),
                    None => http::error(500, "the host failed; its log says why"),
                }
            }
            Verb::AppAsset => http::error(404, "there is no picture for this application"),
            Verb::Unpair => http::unpair_answer(),
        }
    }

    async fn launch(&self, client: &Client, verb: Verb, query: &Query) -> String {
        let args = match LaunchArgs::parse(verb, query) {
            Ok(args) => args,
            Err(error) => return http::error(400, &error.to_string()),
        };
        let app = match args.app {
            Some(app) => app,
            None => self.shared.supervisor.running_app(client.id).unwrap_or(0),
        };
        let mode = match args.mode {
            Some(mode) => Mode { width: mode.width, height: mode.height, fps: mode.fps },
            None => self.plain_mode(app),
        };
        let request = LaunchRequest {
            client: client.id,
            client_name: client.name.clone(),
            app,
            mode,
            key: args.key,
            key_id: args.key_id,
            encrypted_rtsp: args.encrypted_rtsp(),
            play_locally: args.play_locally,
            channels: args.surround.channels,
            peer: self.ends.peer.ip(),
        };
        tracing::info!(client = client.name, app, ?mode, verb = verb.name(), "stream asked for");
        let resume = verb == Verb::Resume;
        let (store, id) = (self.shared.store.clone(), client.id);
        let started = self
            .shared
            .supervise(move |supervisor| {
                let started = if resume { supervisor.resume(request) } else { supervisor.launch(request) };
                // Revoked while it started: there was nothing to end yet.
                if started.is_ok() && store.client(id).is_none() {
                    supervisor.revoke(id);
                }
                started
            })
            .await;
        match started {
            Some(Ok(pending)) => http::launch_answer(verb, self.session_url(&pending)),
            Some(Err(error)) => {
                tracing::warn!(client = client.name, app, %error, "stream refused");
                refusal(&error)
            }
            None => http::error(500, "the host failed; its log says why"),
        }
    }

    /// What a client gets that names no picture: what the application prefers.
    fn plain_mode(&self, app: u32) -> Mode {
        let programs = self.shared.supervisor.programs();
        let program = programs.into_iter().find(|program| program.id == app);
        program.map(|program| program.prefer).unwrap_or_default().mode()
    }

    fn session_url(&self, pending: &Pending) -> SessionUrl {
        let port = self.shared.config.ports.rtsp();
        SessionUrl { encrypted: pending.encrypted, address: SocketAddr::new(self.ends.local.ip(), port) }
    }

    fn facts(&self) -> HostFacts {
        let config = &self.shared.config;
        let modes = self.shared.supervisor.codec_modes();
        HostFacts {
            hostname: self.shared.name(),
            unique_id: self.shared.store.identity().unique_id().to_owned(),
            https_port: config.ports.https(),
            http_port: config.ports.http(),
            local_ip: self.ends.local.ip(),
            mac: None,
            codec_mode_support: modes,
            max_luma_hevc: if modes & codec_mode::ANY_HEVC != 0 { http::MAX_LUMA_HEVC } else { 0 },
            display_modes: Vec::new(),
        }
    }
}

/// Why a launch was refused, with the code the field uses for it (sheet, section 4).
fn refusal(error: &LaunchError) -> String {
    let code = match error {
        LaunchError::UnknownApp(_) => 404,
        LaunchError::Busy(_) => 400,
        LaunchError::NothingToResume => 503,
        _ => 500,
    };
    http::error(code, &error.to_string())
}
