//! The certificate of a client, as PEM and as DER.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    punktfunk_core::crypto::exercise_certificate(data);
});
