//! The little HTTP a GameStream client needs: one GET per connection, plain or over
//! TLS with our certificate, the host pinned byte for byte.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rustls::client::WantsClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, ConfigBuilder, DigitallySignedStruct, SignatureScheme, StreamOwned,
};

use crate::identity::Identity;

/// No answer of a host is longer than this.
const MAX_ANSWER: u64 = 1 << 20;

/// `GET path` without TLS; the body.
pub fn get(address: &str, port: u16, path: &str, patience: Duration) -> Result<String> {
    exchange(connect(address, port, patience)?, address, path)
}

/// `GET path` over TLS with the identity's certificate; the body. `pinned` is the
/// host's certificate; without one any is taken, as libgamestream does.
pub fn get_tls(
    address: &str,
    port: u16,
    path: &str,
    patience: Duration,
    identity: &Identity,
    pinned: Option<&[u8]>,
) -> Result<String> {
    let config = verifying(pinned)?.with_client_auth_cert(
        vec![CertificateDer::from(identity.certificate_der().to_vec())],
        PrivateKeyDer::Pkcs8(identity.key_der().to_vec().into()),
    )?;
    let name = ServerName::try_from("punktfunk").context("a constant name")?;
    let connection = ClientConnection::new(Arc::new(config), name)?;
    exchange(StreamOwned::new(connection, connect(address, port, patience)?), address, path)
}

/// TLS as a browser has it whose user goes on past the warning: without a certificate of our
/// own, with any that the host shows, as long as it holds the key.
pub fn trusting() -> Result<ClientConfig> {
    Ok(verifying(None)?.with_no_client_auth())
}

fn verifying(pinned: Option<&[u8]>) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Pinned { certificate: pinned.map(<[u8]>::to_vec), provider: Arc::clone(&provider) };
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)))
}

fn connect(address: &str, port: u16, patience: Duration) -> Result<TcpStream> {
    let mut addresses =
        (address, port).to_socket_addrs().with_context(|| format!("{address} is not known"))?;
    let target = addresses.next().with_context(|| format!("{address} has no address"))?;
    let stream = TcpStream::connect_timeout(&target, Duration::from_secs(5))
        .with_context(|| format!("no host answers at {target}"))?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(Duration::from_secs(5)))?;
    Ok(stream)
}

fn exchange(mut stream: impl Read + Write, address: &str, path: &str) -> Result<String> {
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    stream.flush()?;
    let mut answer = Vec::new();
    // A host may close without a TLS goodbye once the answer is complete.
    let read = stream.take(MAX_ANSWER).read_to_end(&mut answer);
    if answer.is_empty() {
        read.context("the host closed the connection without an answer")?;
    }
    let answer = String::from_utf8(answer).context("the answer is not text")?;
    let Some((head, body)) = answer.split_once("\r\n\r\n") else { bail!("the answer has no head") };
    let status = head.split(' ').nth(1).unwrap_or_default();
    ensure!(status == "200", "HTTP status {status}");
    Ok(body.to_owned())
}

/// Accepts exactly one certificate (or any), but always checks that the peer holds
/// its key.
#[derive(Debug)]
struct Pinned {
    certificate: Option<Vec<u8>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match &self.certificate {
            Some(pinned) if pinned.as_slice() != end_entity.as_ref() => Err(rustls::Error::General(
                "the host shows another certificate than when it was paired".into(),
            )),
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
