//! A host on free ports, and clients that speak plain HTTP and TLS to it.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use punktfunk_core::gamestream::pairing::Identity;
use punktfunk_core::gamestream::xml::Document;
use punktfunk_host::config::{Config, Ports, Settings};
use punktfunk_host::serve::owner::{Answer, Owner, Request, socket_path};
use punktfunk_host::serve::{self, Context, Front, Options, Running, ServeError};
use punktfunk_host::store::Store;
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_RSA_SHA256, SerialNumber};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme};

use super::{Dir, Fake, free_base};

/// A running host.
pub struct TestHost {
    pub base: u16,
    pub store: Arc<Store>,
    pub sessions: Arc<Fake>,
    context: Context,
    runtime: tokio::runtime::Runtime,
    running: Mutex<Option<Running>>,
    dir: Dir,
}

impl TestHost {
    pub fn start() -> Self {
        let dir = Dir::new();
        let base = free_base();
        let store = Arc::new(Store::open(&dir.path().join("state")).unwrap());
        let config = Config {
            name: "a <test> & host".to_owned(),
            ports: Ports::new(base).unwrap(),
            ..Config::default()
        };
        let settings = Arc::new(Settings::fixed(config));
        let context = Context {
            config: settings.current(),
            settings,
            store: store.clone(),
            runtime: dir.path().to_owned(),
            gamestream: true,
        };
        let sessions = Fake::new();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let entered = runtime.enter();
        let running = serve::start(&context, sessions.clone(), Options::default()).unwrap();
        drop(entered);
        Self { base, store, sessions, context, runtime, running: Mutex::new(Some(running)), dir }
    }

    /// Tries to start a host on the same ports.
    pub fn start_another(&self) -> Result<(), ServeError> {
        let _entered = self.runtime.enter();
        serve::start(&self.context, Fake::new(), Options::default()).map(drop)
    }

    pub fn socket(&self) -> PathBuf {
        socket_path(self.dir.path(), self.base)
    }

    pub fn ask(&self, request: &Request) -> Result<Answer, String> {
        Owner::connect(&self.socket()).unwrap().ask(request).map_err(|error| error.to_string())
    }

    /// Does something as the owner.
    pub fn front<T>(&self, work: impl AsyncFnOnce(Front) -> T) -> T {
        let front = self.running.lock().unwrap().as_ref().unwrap().front().clone();
        self.runtime.block_on(work(front))
    }

    pub fn http(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.base))
    }

    pub fn https(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.base - 5))
    }

    /// The document that answers `target` over plain HTTP.
    pub fn get(&self, target: &str) -> Document {
        Document::parse(&http_get(self.http(), target)).unwrap()
    }

    /// The document that answers `target` over HTTPS.
    pub fn get_tls(&self, client: &TestClient, target: &str) -> Document {
        let mut stream = client.connect(self.https()).unwrap();
        Document::parse(&exchange(&mut stream, target).unwrap()).unwrap()
    }

    pub fn stop(self) {
        self.end();
    }

    fn end(&self) {
        if let Some(running) = self.running.lock().unwrap().take() {
            self.runtime.block_on(running.stop());
        }
    }
}

impl Drop for TestHost {
    fn drop(&mut self) {
        self.end();
    }
}

/// A connection that fails a test instead of hanging it.
pub fn tcp(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

/// The body of a good answer to a GET.
pub fn http_get(address: SocketAddr, target: &str) -> String {
    exchange(&mut tcp(address), target).unwrap()
}

/// Sends a GET, reads to the end of the connection, and returns the body.
pub fn exchange(stream: &mut (impl io::Read + io::Write), target: &str) -> io::Result<String> {
    write!(stream, "GET {target} HTTP/1.1\r\nHost: test\r\n\r\n")?;
    stream.flush()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(head.to_lowercase().contains("connection: close"), "{head}");
    Ok(body.to_owned())
}

/// A client with a certificate and the key it signs with, which may be another's.
pub struct TestClient {
    pub chain: Vec<CertificateDer<'static>>,
    pub pem: String,
    key: PrivateKeyDer<'static>,
    versions: Vec<&'static rustls::SupportedProtocolVersion>,
}

/// The certificate a stock client makes, with the dates and the key that are given.
pub fn certificate(key: &KeyPair, years: (i32, i32)) -> rcgen::Certificate {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, "NVIDIA GameStream Client");
    params.serial_number = Some(SerialNumber::from_slice(&[0]));
    params.not_before = rcgen::date_time_ymd(years.0, 1, 1);
    params.not_after = rcgen::date_time_ymd(years.1, 1, 1);
    params.self_signed(key).unwrap()
}

pub fn rsa() -> KeyPair {
    KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap()
}

impl TestClient {
    pub fn new() -> Self {
        let key = rsa();
        let certificate = certificate(&key, (2020, 2045));
        Self::of(&certificate, &key)
    }

    pub fn of(certificate: &rcgen::Certificate, key: &KeyPair) -> Self {
        let mut client = Self::with_chain(vec![certificate.der().clone()], key);
        client.pem = certificate.pem();
        client
    }

    pub fn with_chain(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> Self {
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        Self { chain, pem: String::new(), key, versions: rustls::ALL_VERSIONS.to_vec() }
    }

    /// The same, but with this version of TLS only.
    pub fn only(mut self, version: &'static rustls::SupportedProtocolVersion) -> Self {
        self.versions = vec![version];
        self
    }

    pub fn identity(&self) -> Identity {
        Identity::new(&self.pem, self.key.secret_der()).unwrap()
    }

    /// Connects and completes the handshake as far as the client can see.
    pub fn connect(
        &self,
        address: SocketAddr,
    ) -> io::Result<rustls::StreamOwned<ClientConnection, TcpStream>> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&self.versions)
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyHost));
        let config = if self.chain.is_empty() {
            builder.with_no_client_auth()
        } else {
            let key = provider.key_provider.load_private_key(self.key.clone_key()).unwrap();
            let certified = CertifiedKey::new(self.chain.clone(), key);
            builder.with_client_cert_resolver(Arc::new(Always(Arc::new(certified))))
        };
        let name = ServerName::try_from("host").unwrap();
        let mut connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
        let mut stream = tcp(address);
        while connection.is_handshaking() {
            connection.complete_io(&mut stream)?;
        }
        Ok(rustls::StreamOwned::new(connection, stream))
    }
}

/// Shows one certificate whatever the host asks for.
#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl rustls::client::ResolvesClientCert for Always {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// The tests know which host they talk to.
#[derive(Debug)]
struct AnyHost;

impl ServerCertVerifier for AnyHost {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
