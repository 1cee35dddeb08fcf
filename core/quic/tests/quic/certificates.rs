//! Certificates that are no identity, and signatures that do not match one: each is
//! refused by the side that is shown it. Names, issuers and dates are looked at by nobody.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::{deaf, identity, socket};
use punktfunk_quic::{ALPN, Endpoint, Identity, IdentityError, identity_of, peer_identity};
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rcgen::{CertificateParams, KeyPair, PKCS_ED25519, SerialNumber, date_time_ymd};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::{default_provider, sign::any_supported_type};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{DigitallySignedStruct, SignatureScheme};

/// A certificate with a key beside it that may be of somebody else.
#[derive(Debug)]
struct Shown(Arc<CertifiedKey>);

impl rustls::client::ResolvesClientCert for Shown {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

/// The other side of a liar does not matter.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
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
        default_provider().signature_verification_algorithms.supported_schemes()
    }
}

fn shown(chain: Vec<Vec<u8>>, key: &KeyPair) -> Arc<Shown> {
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let chain = chain.into_iter().map(CertificateDer::from).collect();
    Arc::new(Shown(Arc::new(CertifiedKey::new(chain, any_supported_type(&key).expect("key")))))
}

/// Whether the host takes a client that shows this.
async fn host_takes(shown: Arc<Shown>, alpn: &[u8]) -> Option<[u8; 32]> {
    let host = Endpoint::host(socket(), &identity(), deaf()).expect("host");
    let mut tls = rustls::ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody))
        .with_client_cert_resolver(shown);
    tls.alpn_protocols = vec![alpn.to_vec()];
    let config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).expect("suite")));
    let loopback: SocketAddr = "127.0.0.1:0".parse().expect("address");
    let client = quinn::Endpoint::client(loopback).expect("client");
    let connecting = client.connect_with(config, host.local_addr(), "host").expect("connecting");
    let accepting = async { host.accept().await.expect("a client").handshake().await };
    let connecting = async {
        let connected = connecting.await;
        match &connected {
            // The host decides; the client may believe for a while that it is in.
            Ok(connection) => drop(connection.closed().await),
            Err(error) => drop(error.to_string()),
        }
    };
    let taken = tokio::select! {
        accepted = accepting => accepted.ok().map(|accepted| accepted.identity),
        // One whose first packet is wrong never arrives.
        () = connecting => None,
    };
    assert!(taken.is_some() || host.stats().half_open == 0, "one that was refused takes up no room");
    taken
}

/// Whether a client takes a host that shows this.
async fn client_takes(shown: Arc<Shown>) -> Option<[u8; 32]> {
    let mut tls = rustls::ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("versions")
        .with_no_client_auth()
        .with_cert_resolver(shown);
    tls.alpn_protocols = vec![ALPN.to_vec()];
    let config = quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls).expect("suite")));
    let loopback: SocketAddr = "127.0.0.1:0".parse().expect("address");
    let host = quinn::Endpoint::server(config, loopback).expect("host");
    let client = Endpoint::client(socket(), &identity(), deaf()).expect("client");
    let address = host.local_addr().expect("address");
    let serving = tokio::spawn(async move {
        let connection = host.accept().await.expect("a client").await;
        // Kept until the client is through.
        if let Ok(connection) = connection {
            connection.closed().await;
        }
    });
    let connected = client.connect(address, None).await;
    serving.abort();
    connected.ok().map(|connection| peer_identity(&connection).expect("identity"))
}

fn certificate(key: &KeyPair, change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    change(&mut params);
    params.self_signed(key).expect("certificate").der().to_vec()
}

#[tokio::test]
async fn bad_certificates_are_refused_on_both_sides() {
    let (key, other) = (KeyPair::generate().expect("key"), KeyPair::generate().expect("key"));
    let edwards = KeyPair::generate_for(&PKCS_ED25519).expect("key");
    let good = certificate(&key, |_| {});
    let cut = good[..good.len() - 1].to_vec();
    let longer = [good.as_slice(), &[0]].concat();
    let inner = good[4..].to_vec();
    let mut nested = good.clone();
    nested[1] = 0x80;
    let huge = certificate(&key, |params| params.serial_number = Some(SerialNumber::from_slice(&[1; 9000])));
    let swapped = certificate(&other, |_| {});
    let table: [(&str, Vec<Vec<u8>>, &KeyPair); 12] = [
        ("no certificate", vec![], &key),
        ("an empty one", vec![vec![]], &key),
        ("no certificate at all", vec![b"-----BEGIN CERTIFICATE-----".to_vec()], &key),
        ("one cut short", vec![cut], &key),
        ("one with a byte behind it", vec![longer], &key),
        ("the inside of one", vec![inner], &key),
        ("one of no definite length", vec![nested], &key),
        ("one of 9 KB", vec![huge], &key),
        ("that of another key", vec![swapped.clone()], &key),
        ("that of another key, its own behind it", vec![swapped, good.clone()], &key),
        ("an elliptic one signed for with another curve", vec![good.clone()], &edwards),
        ("zeros", vec![vec![0; 600]], &key),
    ];
    for (what, chain, key) in table {
        assert_eq!(host_takes(shown(chain.clone(), key), ALPN).await, None, "the host took {what}");
        assert_eq!(client_takes(shown(chain, key)).await, None, "a client took {what}");
    }
    // The same ways of trying with the right things: it was not the trying that failed.
    let hash = identity_of(&good).expect("identity");
    assert_eq!(host_takes(shown(vec![good.clone()], &key), ALPN).await, Some(hash));
    assert_eq!(client_takes(shown(vec![good.clone()], &key)).await, Some(hash));
    assert_eq!(host_takes(shown(vec![good], &key), b"h3").await, None, "another protocol");
}

#[tokio::test]
async fn only_the_key_of_a_certificate_means_anything() {
    let key = KeyPair::generate().expect("key");
    let plain = certificate(&key, |_| {});
    let hash = identity_of(&plain).expect("identity");
    let old = certificate(&key, |params| {
        params.not_before = date_time_ymd(1990, 1, 1);
        params.not_after = date_time_ymd(1991, 1, 1);
    });
    let named = certificate(&key, |params| {
        params.distinguished_name.push(rcgen::DnType::CommonName, "somebody else");
        params.is_ca = rcgen::IsCa::ExplicitNoCa;
    });
    for (what, der) in [("old", old), ("named", named)] {
        assert_eq!(host_takes(shown(vec![der.clone()], &key), ALPN).await, Some(hash), "{what}");
        assert_eq!(client_takes(shown(vec![der], &key)).await, Some(hash), "{what}");
    }
}

#[test]
fn an_identity_is_a_certificate_and_its_key() {
    let (key, other) = (KeyPair::generate().expect("key"), KeyPair::generate().expect("key"));
    let der = certificate(&key, |_| {});
    let whole = Identity::from_der(&der, &key.serialize_der()).expect("identity");
    assert_eq!(whole.hash(), identity_of(&der).expect("identity"));
    let refused = |certificate: &[u8], key: &[u8]| Identity::from_der(certificate, key).expect_err("refused");
    assert_eq!(refused(&der, &other.serialize_der()), IdentityError::Mismatch);
    assert_eq!(refused(&der, b"no key"), IdentityError::Key);
    assert_eq!(refused(b"no certificate", &key.serialize_der()), IdentityError::Certificate);
    let pem = CertificateParams::new(Vec::new()).expect("parameters").self_signed(&key).expect("made").pem();
    let text = format!("{}{pem}", key.serialize_pem());
    assert_eq!(Identity::from_pem(&text).expect("identity").hash(), whole.hash());
    assert_eq!(Identity::from_pem(&pem).expect_err("no key"), IdentityError::Key);
    assert_eq!(Identity::from_pem("").expect_err("nothing"), IdentityError::Certificate);
    assert!(!format!("{whole:?}").contains("key"));
}
