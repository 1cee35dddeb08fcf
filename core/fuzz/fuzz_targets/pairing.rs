//! Pairing requests of several clients, and PINs of an owner.
#![no_main]

use std::sync::LazyLock;

use punktfunk_core::gamestream::pairing::{self, Host, Identity};

/// RSA keys are slow to make. Which one it is makes no difference to any parser.
static KEYS: LazyLock<(String, Vec<u8>)> = LazyLock::new(|| {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).expect("a key");
    let params = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
    (params.self_signed(&key).expect("a certificate").pem(), key.serialize_der())
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let (pem, key) = &*KEYS;
    let identity = Identity::new(pem, key).expect("an identity");
    let mut host = Host::new(identity, Box::new(|out| out.fill(0x5A)));
    pairing::exercise(&mut host, &String::from_utf8_lossy(data));
});
