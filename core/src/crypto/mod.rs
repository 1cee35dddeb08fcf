//! The cryptography both protocols need, over one provider (aws-lc-rs).
//!
//! Thin on purpose: names and shapes that fit packets, and one error. Which key
//! and which nonce belong to which packet is decided where the packet is made.

mod aes;
mod long_iv;
mod rsa;

pub use aes::{AesCbc, AesGcm, TAG_LEN, ecb_decrypt, ecb_encrypt};
pub use long_iv::AesGcmLongIv;
pub use rsa::{Certificate, CertificateError, SigningKey, exercise_certificate};

/// Something could not be encrypted, decrypted, signed or verified: a wrong key,
/// damaged bytes, or a length that the algorithm does not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("authentication failed or the data is damaged")]
pub struct CryptoError;

impl From<aws_lc_rs::error::Unspecified> for CryptoError {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self
    }
}

/// SHA-256 of the parts one after the other.
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    for part in parts {
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}

/// True when both are equal; the time taken depends on the lengths only.
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(a, b).is_ok()
}
