//! Who this host is to native clients: a P-256 key in a self-signed certificate. A file
//! of its own: a GameStream client pins the RSA certificate of `identity.json`, whose
//! signatures are too dear for a port where anybody may begin a handshake.

use std::fmt;
use std::path::Path;

use punktfunk_core::bytes::to_hex;
use punktfunk_core::crypto::sha256;
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ECDSA_P256_SHA256, date_time_ymd};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use serde::{Deserialize, Serialize};

use super::{StoreError, read_versioned, write_versioned};

/// The format that is written, and the only one there was.
const FORMAT: u32 = 1;

/// Who this host is. Made once; losing it unpairs every native client.
#[derive(Clone)]
pub struct NativeIdentity {
    certificate: Vec<u8>,
    key_pkcs8: Vec<u8>,
    hash: [u8; 32],
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    certificate: String,
    key: String,
}

impl fmt::Debug for NativeIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NativeIdentity({})", to_hex(&self.hash[..8]))
    }
}

impl NativeIdentity {
    pub(super) fn load_or_make(path: &Path) -> Result<Self, StoreError> {
        if let Some(file) = read_versioned::<File>(path, FORMAT)? {
            return Self::from_file(&file)
                .map_err(|reason| StoreError::Damaged { path: path.to_owned(), reason });
        }
        let file = make()?;
        write_versioned(path, &file)?;
        Self::from_file(&file).map_err(StoreError::Identity)
    }

    fn from_file(file: &File) -> Result<Self, String> {
        let certificate = CertificateDer::from_pem_slice(file.certificate.as_bytes())
            .map_err(|_| "the certificate is not PEM".to_owned())?;
        let key = PrivatePkcs8KeyDer::from_pem_slice(file.key.as_bytes())
            .map_err(|_| "the key is not PEM".to_owned())?;
        let key_pkcs8 = key.secret_pkcs8_der().to_vec();
        let chain = vec![certificate.clone().into_owned()];
        CertifiedKey::from_der(chain, PrivateKeyDer::Pkcs8(key), &default_provider())
            .map_err(|error| format!("key and certificate cannot be used: {error}"))?;
        let hash = match x509_parser::parse_x509_certificate(&certificate) {
            Ok(([], parsed)) => sha256(&[parsed.tbs_certificate.subject_pki.raw]),
            _ => return Err("the certificate cannot be read".to_owned()),
        };
        Ok(Self { certificate: certificate.to_vec(), key_pkcs8, hash })
    }

    /// SHA-256 of the public key (SubjectPublicKeyInfo, DER): what clients know us by.
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// The certificate, DER.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// The private key as PKCS#8 DER.
    pub fn key_pkcs8(&self) -> &[u8] {
        &self.key_pkcs8
    }
}

fn make() -> Result<File, StoreError> {
    let fail = |error: rcgen::Error| StoreError::Identity(error.to_string());
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(fail)?;
    let mut params = CertificateParams::new(Vec::new()).map_err(fail)?;
    params.distinguished_name.push(DnType::CommonName, "punktfunk host");
    // Fixed dates, which nobody looks at: a clock may start in 1970.
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2099, 12, 31);
    let certificate = params.self_signed(&key).map_err(fail)?;
    Ok(File { version: FORMAT, certificate: certificate.pem(), key: key.serialize_pem() })
}
