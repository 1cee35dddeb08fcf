//! The ways in: HTTPS with the console's own certificate, and the Unix socket.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use punktfunk_host::api::{Wish, socket_path};
use punktfunk_host::library::Library;
use punktfunk_host::serve::{self, Context, Options};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};

use crate::stage::{PATIENCE, Stage};
use crate::support::Fake;

/// Trusts one certificate.
#[derive(Debug)]
struct Pinned(Vec<u8>, Arc<CryptoProvider>);

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if end_entity.as_ref() == self.0 {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(rustls::Error::General("another certificate".to_owned()))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.1.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.1.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.1.signature_verification_algorithms.supported_schemes()
    }
}

/// All that comes back. Somebody who does not speak TLS where it is spoken is cut off while
/// writing, and hears nothing.
fn exchange(stream: &mut (impl Read + Write), path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let _ = stream.write_all(request.as_bytes()).and_then(|()| stream.flush());
    let mut answer = String::new();
    // TLS ends without a goodbye when the host closes first.
    let _ = stream.read_to_string(&mut answer);
    answer
}

fn over_tls(
    certificate: Vec<u8>,
    address: (&str, u16),
    version: &'static rustls::SupportedProtocolVersion,
) -> String {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let pinned = Pinned(certificate, provider.clone());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(pinned))
        .with_no_client_auth();
    let connection = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    exchange(&mut StreamOwned::new(connection, stream), "/api/v1/host/public")
}

/// Runs what blocks beside the host.
async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn https_is_served_on_both_families_and_both_versions() {
    let stage = Stage::listening();
    let base = stage.base;
    for address in ["127.0.0.1", "::1"] {
        if address == "::1" && std::net::TcpListener::bind("[::1]:0").is_err() {
            continue;
        }
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let certificate = stage.api.identity().certificate().to_vec();
            let answer = beside(move || over_tls(certificate, (address, base + 1), version)).await;
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
            assert!(answer.contains("\"claimed\":false"), "{answer}");
        }
    }
    let plain = beside(move || {
        let mut stream = TcpStream::connect(("127.0.0.1", base + 1)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        exchange(&mut stream, "/")
    })
    .await;
    assert!(!plain.contains("HTTP/1.1 200"), "nothing is served without TLS");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_unix_socket_is_for_the_user_of_the_host() {
    let stage = Stage::listening();
    let path = socket_path(stage.dir.path(), stage.base);
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let socket = path.clone();
    let answer = beside(move || {
        let mut stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        exchange(&mut stream, "/api/v1/me")
    })
    .await;
    assert!(answer.contains("\"kind\":\"local\"") && answer.contains("\"scope\":\"owner\""), "{answer}");
    stage.stop().await;
    assert!(!path.exists(), "the file goes with the host");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_console_only_the_socket_is_served() {
    let stage = Stage::with(|_| {}, Some(false));
    assert!(TcpStream::connect(("127.0.0.1", stage.base + 1)).is_err());
    assert!(socket_path(stage.dir.path(), stage.base).exists());
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_in_use_is_a_clear_error() {
    let stage = Stage::listening();
    let taken = stage.base + 1;
    let inside = stage.api.inside();
    let mut config = (*inside.context.config).clone();
    config.ports = punktfunk_host::config::Ports::new(crate::support::free_base()).unwrap();
    config.api.port = Some(taken);
    let context = Context { config: Arc::new(config), ..inside.context.clone() };
    let library = Library::open(&context.config, inside.context.store.dir()).unwrap();
    let console = punktfunk_host::api::hook(Wish { https: true, library });
    let options = Options { console: Some(console), ..Options::default() };
    let Err(error) = serve::start(&context, Fake::new(), options) else { panic!("two listen on one port") };
    let text = error.to_string();
    assert!(text.contains(&taken.to_string()) && text.contains("console"), "{text}");
    stage.stop().await;
}
