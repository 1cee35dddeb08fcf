//! RSA-2048 signatures and the two things pairing needs of an X.509 certificate:
//! its raw signature value and its public key.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey,
};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{CryptoError, sha256};

/// A certificate could not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// The text holds no PEM block of the kind CERTIFICATE.
    #[error("the text is not a PEM certificate")]
    NotPem,
    /// The block is not an X.509 certificate.
    #[error("the certificate is damaged")]
    NotX509,
}

/// An X.509 certificate, as DER, together with what pairing reads from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    signature: Vec<u8>,
    public_key: Vec<u8>,
    spki: Vec<u8>,
}

impl Certificate {
    /// Reads one DER certificate; bytes after it are an error.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        let (rest, parsed) = X509Certificate::from_der(der).map_err(|_| CertificateError::NotX509)?;
        if !rest.is_empty() {
            return Err(CertificateError::NotX509);
        }
        Ok(Self {
            der: der.to_vec(),
            signature: parsed.signature_value.data.to_vec(),
            public_key: parsed.public_key().subject_public_key.data.to_vec(),
            spki: parsed.public_key().raw.to_vec(),
        })
    }

    /// Reads the first certificate of a PEM text.
    pub fn from_pem(pem: &[u8]) -> Result<Self, CertificateError> {
        let (_, block) = x509_parser::pem::parse_x509_pem(pem).map_err(|_| CertificateError::NotPem)?;
        if block.label != "CERTIFICATE" {
            return Err(CertificateError::NotPem);
        }
        Self::from_der(&block.contents)
    }

    /// The whole certificate, DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The signature value (content of the BIT STRING; 256 bytes for RSA-2048).
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// The subject public key info, DER.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// SHA-256 of the whole certificate: the identity of a GameStream client.
    pub fn fingerprint(&self) -> [u8; 32] {
        sha256(&[&self.der])
    }

    /// Checks an RSA PKCS#1 v1.5 SHA-256 signature by this certificate's key.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.public_key)
            .verify(message, signature)
            .map_err(CryptoError::from)
    }
}

/// Reads `bytes` as a PEM and as a DER certificate and asks it all that pairing asks a
/// certificate: what the fuzzer and the corpus tests drive. True when it is one.
///
/// # Panics
///
/// When a certificate is another one after reading it again, or believes a signature that
/// nobody made: both are defects.
pub fn exercise_certificate(bytes: &[u8]) -> bool {
    let read = [Certificate::from_pem(bytes), Certificate::from_der(bytes)];
    let mut any = false;
    for certificate in read.into_iter().flatten() {
        assert_eq!(Certificate::from_der(certificate.der()).as_ref(), Ok(&certificate));
        assert!(certificate.verify(b"secret", certificate.signature()).is_err());
        assert!(certificate.verify(b"secret", bytes).is_err());
        any = true;
    }
    any
}

/// An RSA private key that signs pairing secrets.
#[derive(Debug)]
pub struct SigningKey(RsaKeyPair);

impl SigningKey {
    /// Reads a PKCS#8 DER private key.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, CryptoError> {
        RsaKeyPair::from_pkcs8(der).map(Self).map_err(|_| CryptoError)
    }

    /// RSA PKCS#1 v1.5 SHA-256 signature over `message`.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let mut out = vec![0; self.0.public_modulus_len()];
        self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut out)?;
        Ok(out)
    }

    /// The public half, PKCS#1 DER.
    pub fn public_key(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_verifies_with_the_certificate_of_its_key_only() {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
        let params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        let cert = params.self_signed(&key).unwrap();
        let certificate = Certificate::from_pem(cert.pem().as_bytes()).unwrap();
        assert_eq!(certificate.der(), cert.der().as_ref());
        assert_eq!(certificate.signature().len(), 256);
        let signing = SigningKey::from_pkcs8(key.serialized_der()).unwrap();
        let signature = signing.sign(b"secret").unwrap();
        assert_eq!(certificate.verify(b"secret", &signature), Ok(()));
        assert_eq!(certificate.verify(b"secreT", &signature), Err(CryptoError));
        assert_eq!(Certificate::from_der(&[1, 2]), Err(CertificateError::NotX509));
        assert_eq!(Certificate::from_pem(b"hello"), Err(CertificateError::NotPem));
    }
}
