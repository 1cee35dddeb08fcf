//! Who a side is: the SHA-256 of its certificate's public key. Certificates are
//! wrapping; of what stands in them only that key means anything.

use std::fmt;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use crate::error::IdentityError;

/// Most bytes of a certificate: one of RSA-4096 with every ornament has 3 KiB.
const MOST_BYTES: usize = 8 << 10;

/// A certificate with its private key.
#[derive(Clone)]
pub struct Identity {
    certificate: Vec<u8>,
    key: Vec<u8>,
    hash: [u8; 32],
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(")?;
        self.hash.iter().take(8).try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("..)")
    }
}

impl Identity {
    /// From a certificate in DER and its private key in PKCS#8 DER.
    ///
    /// # Errors
    /// [`IdentityError`]; also when the key is not that of the certificate.
    pub fn from_der(certificate: &[u8], key_pkcs8: &[u8]) -> Result<Self, IdentityError> {
        let hash = identity_of(certificate)?;
        let chain = vec![CertificateDer::from(certificate.to_vec())];
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key_pkcs8.to_vec()));
        match CertifiedKey::from_der(chain, key, &default_provider()) {
            Ok(_) => {}
            Err(rustls::Error::InconsistentKeys(_)) => return Err(IdentityError::Mismatch),
            Err(rustls::Error::InvalidCertificate(_)) => return Err(IdentityError::Certificate),
            Err(_) => return Err(IdentityError::Key),
        }
        Ok(Self { certificate: certificate.to_vec(), key: key_pkcs8.to_vec(), hash })
    }

    /// From PEM text that holds one certificate and one private key (PKCS#8), in any order.
    ///
    /// # Errors
    /// As [`from_der`](Self::from_der).
    pub fn from_pem(text: &str) -> Result<Self, IdentityError> {
        let certificate =
            CertificateDer::from_pem_slice(text.as_bytes()).map_err(|_| IdentityError::Certificate)?;
        let key = PrivatePkcs8KeyDer::from_pem_slice(text.as_bytes()).map_err(|_| IdentityError::Key)?;
        Self::from_der(&certificate, key.secret_pkcs8_der())
    }

    /// SHA-256 of the public key (SubjectPublicKeyInfo in DER).
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// The certificate in DER.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// The private key in PKCS#8 DER.
    pub fn key_pkcs8(&self) -> &[u8] {
        &self.key
    }
}

/// The identity that a certificate (DER) stands for.
///
/// # Errors
/// [`IdentityError::Certificate`].
pub fn identity_of(certificate: &[u8]) -> Result<[u8; 32], IdentityError> {
    Ok(sha256(public_key(certificate)?))
}

/// The SubjectPublicKeyInfo of a certificate, as it stands in it.
pub(crate) fn public_key(certificate: &[u8]) -> Result<&[u8], IdentityError> {
    if certificate.len() > MOST_BYTES {
        return Err(IdentityError::Certificate);
    }
    match X509Certificate::from_der(certificate) {
        Ok(([], certificate)) => Ok(certificate.tbs_certificate.subject_pki.raw),
        _ => Err(IdentityError::Certificate),
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref());
    hash
}
