//! The text of a pairing QR code.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    punktfunk_core::native::pairing::exercise_qr(data);
});
