//! Who this host is to browsers: a P-256 key in a self-signed certificate of its own.
//! Clients that stream know other certificates; this one may be replaced without
//! unpairing any of them.

use std::fmt;
use std::path::Path;

use punktfunk_core::bytes::to_hex;
use punktfunk_core::crypto::sha256;
use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, PKCS_ECDSA_P256_SHA256, date_time_ymd,
};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use serde::{Deserialize, Serialize};

use super::{StoreError, read_versioned, write_versioned};

/// The format that is written, and the only one there was.
const FORMAT: u32 = 1;
/// The file in the state directory.
const FILE: &str = "console-identity.json";

/// Certificate and key of the console's HTTPS.
#[derive(Clone)]
pub struct ConsoleIdentity {
    certificate: Vec<u8>,
    key_pkcs8: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    certificate: String,
    key: String,
}

impl fmt::Debug for ConsoleIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConsoleIdentity({})", self.fingerprint())
    }
}

impl ConsoleIdentity {
    /// Reads it from the state directory; it is made when it is missing. `names` are those
    /// the host is reached by.
    pub(super) fn load_or_make(dir: &Path, names: &[String]) -> Result<Self, StoreError> {
        let path = dir.join(FILE);
        if let Some(file) = read_versioned::<File>(&path, FORMAT)? {
            return Self::from_file(&file).map_err(|reason| StoreError::Damaged { path, reason });
        }
        let file = make(names)?;
        write_versioned(&path, &file)?;
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
        Ok(Self { certificate: certificate.to_vec(), key_pkcs8 })
    }

    /// The certificate, DER.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// The private key as PKCS#8 DER.
    pub fn key_pkcs8(&self) -> &[u8] {
        &self.key_pkcs8
    }

    /// SHA-256 of the certificate, 64 hex digits: what a browser shows as its fingerprint.
    pub fn fingerprint(&self) -> String {
        to_hex(&sha256(&[&self.certificate]))
    }
}

fn make(names: &[String]) -> Result<File, StoreError> {
    let fail = |error: rcgen::Error| StoreError::Identity(error.to_string());
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(fail)?;
    let mut params = CertificateParams::new(names.to_vec()).map_err(fail)?;
    params.distinguished_name.push(DnType::CommonName, "punktfunk console");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // Fixed dates: a clock may start in 1970, and who trusts it trusts these very bytes.
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2099, 12, 31);
    let certificate = params.self_signed(&key).map_err(fail)?;
    Ok(File { version: FORMAT, certificate: certificate.pem(), key: key.serialize_pem() })
}
