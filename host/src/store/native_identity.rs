//! Who this host is to native clients: a P-256 key in a self-signed certificate. A file
//! of its own: a GameStream client pins the RSA certificate of `identity.json`, whose
//! signatures are too dear for a port where anybody may begin a handshake.

use std::fmt;
use std::path::Path;

use punktfunk_core::bytes::to_hex;
use punktfunk_core::crypto::sha256;
use rcgen::{CertificateParams, DnType};

use super::StoreError;
use super::credential::Credential;

/// Who this host is. Made once; losing it unpairs every native client.
#[derive(Clone)]
pub struct NativeIdentity {
    credential: Credential,
    hash: [u8; 32],
}

impl fmt::Debug for NativeIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NativeIdentity({})", to_hex(&self.hash[..8]))
    }
}

impl NativeIdentity {
    pub(super) fn load_or_make(path: &Path) -> Result<Self, StoreError> {
        let credential = Credential::load_or_make(path, describe)?;
        let hash = match x509_parser::parse_x509_certificate(&credential.certificate) {
            Ok(([], parsed)) => sha256(&[parsed.tbs_certificate.subject_pki.raw]),
            _ => {
                let reason = "the certificate cannot be read".to_owned();
                return Err(StoreError::Damaged { path: path.to_owned(), reason });
            }
        };
        Ok(Self { credential, hash })
    }

    /// SHA-256 of the public key (SubjectPublicKeyInfo, DER): what clients know us by.
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// The certificate, DER.
    pub fn certificate(&self) -> &[u8] {
        &self.credential.certificate
    }

    /// The private key as PKCS#8 DER.
    pub fn key_pkcs8(&self) -> &[u8] {
        &self.credential.key_pkcs8
    }
}

fn describe() -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, "punktfunk host");
    Ok(params)
}
