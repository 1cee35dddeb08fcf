//! Replays the fuzz corpora of the text planes, so that what a fuzzer once found
//! stays found without one.

use std::path::Path;

use punktfunk_core::crypto::exercise_certificate;
use punktfunk_core::gamestream::pairing::{self, Host, Identity};
use punktfunk_core::gamestream::sdp::{self, StreamConfig};
use punktfunk_core::gamestream::xml::Document;
use punktfunk_core::gamestream::{http, rtsp};

/// Gives every input to `read`, which says whether it was accepted; both must occur
/// unless the reader takes everything.
fn replay(name: &str, read: impl Fn(&[u8]) -> bool) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let mut accepted = [0, 0];
    for entry in std::fs::read_dir(&folder).unwrap() {
        let data = std::fs::read(entry.unwrap().path()).unwrap();
        accepted[usize::from(read(&data))] += 1;
        // Every cut of an input must be survived too.
        for end in 0..data.len() {
            read(&data[..end]);
        }
    }
    assert!(accepted[1] > 0, "{name}: no input is accepted");
    assert!(accepted[0] > 0 || name == "sdp_describe", "{name}: no input is refused");
}

#[test]
fn every_corpus_is_survived() {
    let text = |data: &[u8]| String::from_utf8_lossy(data).into_owned();
    replay("xml", |data| {
        http::exercise_answer(&text(data));
        Document::parse(&text(data)).is_ok()
    });
    replay("http_query", |data| http::exercise(&text(data)));
    replay("rtsp", |data| rtsp::exercise(data).is_ok());
    replay("rtsp_cipher", |data| rtsp::exercise_cipher(data).is_ok());
    replay("sdp_announce", |data| StreamConfig::from_announce(data).is_ok());
    replay("sdp_describe", |data| {
        sdp::exercise(&text(data));
        true
    });
    replay("certificate", exercise_certificate);
}

#[test]
fn every_script_of_pairing_is_survived() {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    let pem = rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap().pem();
    let key = key.serialize_der();
    let host = || Host::new(Identity::new(&pem, &key).unwrap(), Box::new(|out| out.fill(0x5A)));
    let text = |data: &[u8]| String::from_utf8_lossy(data).into_owned();
    // Proving an identity is slow: one host hears every cut of all scripts.
    let hears_all = std::cell::RefCell::new(host());
    replay("pairing", |data| pairing::exercise(&mut hears_all.borrow_mut(), &text(data)));
}
