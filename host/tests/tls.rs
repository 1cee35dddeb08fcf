//! Who gets through the HTTPS port: the exact paired certificate with its key.

#[expect(dead_code, reason = "each test file uses a part")]
mod support;

use punktfunk_core::gamestream::xml::Document;
use rcgen::{CertificateParams, Issuer, KeyPair};
use rustls::pki_types::CertificateDer;
use support::net::{TestClient, TestHost, certificate, exchange, rsa};

/// What becomes of a request.
#[derive(Debug, PartialEq)]
enum Fate {
    /// Answered as for a paired client.
    Served,
    /// Told that it is not paired.
    Unpaired,
    /// No answer: the handshake failed.
    Refused,
}

fn fate(host: &TestHost, client: &TestClient) -> Fate {
    let Ok(mut stream) = client.connect(host.https()) else { return Fate::Refused };
    // With TLS 1.3 the client learns of the refusal only when it reads.
    let Ok(text) = exchange(&mut stream, "/serverinfo?uniqueid=1") else { return Fate::Refused };
    let document = Document::parse(&text).unwrap();
    match document.status_code() {
        200 => {
            assert_eq!(document.text("PairStatus"), Some("1"));
            Fate::Served
        }
        401 => {
            assert_eq!(document.text("uniqueid"), None, "an unpaired client learns nothing: {text}");
            Fate::Unpaired
        }
        other => panic!("status {other}: {text}"),
    }
}

fn flipped(der: &CertificateDer<'static>, at: usize) -> CertificateDer<'static> {
    let mut bytes = der.to_vec();
    bytes[at] ^= 1;
    CertificateDer::from(bytes)
}

fn chain(chain: &[&CertificateDer<'static>], key: &KeyPair) -> TestClient {
    TestClient::with_chain(chain.iter().map(|der| (*der).clone()).collect(), key)
}

fn check(host: &TestHost, expected: &Fate, table: Vec<(&str, TestClient)>) {
    for (what, client) in table {
        assert_eq!(fate(host, &client), *expected, "{what}");
    }
}

#[test]
fn the_paired_certificate_is_served_whatever_its_dates() {
    let host = TestHost::start();
    let (key, old_key) = (rsa(), rsa());
    let paired = certificate(&key, (2020, 2045));
    let expired = certificate(&old_key, (2001, 2002));
    host.store.pair(paired.der(), "tv").unwrap();
    host.store.pair(expired.der(), "old tv").unwrap();
    let client = || chain(&[paired.der()], &key);
    let table = vec![
        ("the paired one", client()),
        ("over TLS 1.2", client().only(&rustls::version::TLS12)),
        ("over TLS 1.3", client().only(&rustls::version::TLS13)),
        ("one that expired", chain(&[expired.der()], &old_key)),
    ];
    check(&host, &Fate::Served, table);
}

#[test]
fn who_does_not_hold_the_key_is_refused() {
    let host = TestHost::start();
    let (key, other_key, elliptic_key) = (rsa(), rsa(), KeyPair::generate().unwrap());
    let paired = certificate(&key, (2020, 2045));
    let der = paired.der();
    host.store.pair(der, "tv").unwrap();
    let thief = || chain(&[der], &other_key);
    let own = CertificateDer::from(host.store.identity().certificate().der().to_vec());
    let cut = CertificateDer::from(der[..der.len() - 1].to_vec());
    let garbage = CertificateDer::from(vec![0x30, 0x03, 1, 2, 3]);
    let table = vec![
        ("no certificate", chain(&[], &key)),
        ("the paired one without its key, TLS 1.2", thief().only(&rustls::version::TLS12)),
        ("the paired one without its key, TLS 1.3", thief().only(&rustls::version::TLS13)),
        ("the paired one with a key of another kind", chain(&[der], &elliptic_key)),
        ("the host's own without its key", chain(&[&own], &key)),
        ("one that is cut short", chain(&[&cut], &key)),
        ("one that is no certificate", chain(&[&garbage], &key)),
        ("an empty one", chain(&[&CertificateDer::from(Vec::new())], &key)),
    ];
    check(&host, &Fate::Refused, table);
}

#[test]
fn a_certificate_that_only_resembles_the_paired_one_is_unpaired() {
    let host = TestHost::start();
    let (key, other_key, elliptic_key) = (rsa(), rsa(), KeyPair::generate().unwrap());
    let edwards_key = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let paired = certificate(&key, (2020, 2045));
    let der = paired.der();
    host.store.pair(der, "tv").unwrap();
    let other = certificate(&other_key, (2020, 2045));
    let renewed = certificate(&key, (2020, 2046));
    let elliptic = certificate(&elliptic_key, (2020, 2045));
    let edwards = certificate(&edwards_key, (2020, 2045));
    let params = || CertificateParams::new(Vec::new()).unwrap();
    let child = params().signed_by(&other_key, &Issuer::from_params(&params(), &key)).unwrap();
    let table = vec![
        ("another with the same name", chain(&[other.der()], &other_key)),
        ("another with the same key and name", chain(&[renewed.der()], &key)),
        ("the paired one with a changed signature", chain(&[&flipped(der, der.len() - 1)], &key)),
        ("one signed by the paired one", chain(&[child.der(), der], &other_key)),
        ("another in front of the paired one", chain(&[other.der(), der], &other_key)),
        ("an elliptic one", chain(&[elliptic.der()], &elliptic_key)),
        ("an Ed25519 one", chain(&[edwards.der()], &edwards_key)),
    ];
    check(&host, &Fate::Unpaired, table);
}

#[test]
fn an_unpaired_client_is_told_401_whatever_it_asks() {
    let host = TestHost::start();
    let client = TestClient::new();
    for verb in ["serverinfo", "applist", "appasset", "launch", "resume", "cancel", "pair"] {
        let document = host.get_tls(&client, &format!("/{verb}?uniqueid=1&phrase=pairchallenge"));
        assert_eq!(document.status_code(), 401, "{verb}");
    }
    assert_eq!(host.sessions.calls(), Vec::<String>::new());
}
