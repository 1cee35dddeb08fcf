//! TLS 1.3 with a certificate on both sides. There is no chain, no name and no expiry
//! to check: whoever proves to hold the key of a certificate is that identity, and
//! whether it is trusted is asked above.
//!
//! The signature is verified with the very bytes that the identity is the hash of, and
//! not by a second parser of the certificate, so that the two can never mean different
//! keys.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime,
};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme,
};

use crate::ALPN;
use crate::identity::{Identity, identity_of, public_key};

/// TLS of the host.
pub(crate) fn server(identity: &Identity) -> Result<ServerConfig, rustls::Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let (chain, key) = pair(identity);
    let mut config = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(Arc::new(KeyHolder { provider, expected: None }))
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    // Every connection proves the keys anew: no tickets, no sessions, no early data.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    Ok(config)
}

/// TLS of a client. With `expected`, only that host will do.
pub(crate) fn client(
    identity: &Identity,
    expected: Option<Arc<Expected>>,
) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let (chain, key) = pair(identity);
    let mut config = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(KeyHolder { provider, expected }))
        .with_client_auth_cert(chain, key)?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_early_data = false;
    Ok(config)
}

/// The identity that a client wants to meet, and whether it met another.
#[derive(Debug)]
pub(crate) struct Expected {
    hash: [u8; 32],
    other: AtomicBool,
}

impl Expected {
    pub fn new(hash: [u8; 32]) -> Self {
        Self { hash, other: AtomicBool::new(false) }
    }

    /// Whether the peer was somebody else.
    pub fn met_another(&self) -> bool {
        self.other.load(Ordering::Relaxed)
    }
}

fn pair(identity: &Identity) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let key = PrivatePkcs8KeyDer::from(identity.key_pkcs8().to_vec());
    (vec![CertificateDer::from(identity.certificate().to_vec())], PrivateKeyDer::from(key))
}

/// Accepts every certificate whose holder signs the handshake with its key.
struct KeyHolder {
    provider: Arc<CryptoProvider>,
    expected: Option<Arc<Expected>>,
}

impl fmt::Debug for KeyHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHolder")
    }
}

impl KeyHolder {
    fn accept(&self, certificate: &CertificateDer<'_>) -> Result<(), rustls::Error> {
        let hash = identity_of(certificate).map_err(|_| bad(CertificateError::BadEncoding))?;
        if let Some(expected) = &self.expected
            && expected.hash != hash
        {
            expected.other.store(true, Ordering::Relaxed);
            return Err(bad(CertificateError::ApplicationVerificationFailure));
        }
        Ok(())
    }

    fn verify(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let key = public_key(certificate).map_err(|_| bad(CertificateError::BadEncoding))?;
        let algorithms = &self.provider.signature_verification_algorithms;
        let key = SubjectPublicKeyInfoDer::from(key);
        verify_tls13_signature_with_raw_key(message, &key, signature, algorithms)
    }
}

fn bad(reason: CertificateError) -> rustls::Error {
    rustls::Error::InvalidCertificate(reason)
}

/// TLS 1.2 is not offered, so nothing of it can be asked for.
fn no_tls12() -> Result<HandshakeSignatureValid, rustls::Error> {
    Err(rustls::Error::General("TLS 1.3 only".to_owned()))
}

impl ClientCertVerifier for KeyHolder {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        true
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.accept(end_entity).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        no_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verify(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl ServerCertVerifier for KeyHolder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.accept(end_entity).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        no_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verify(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
