//! A P-256 key in a self-signed certificate, and the file that keeps both: what this host
//! shows of itself to browsers, and to native clients. Whom it is shown to, and what its
//! certificate says, those know who use it.

use std::path::Path;

use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, date_time_ymd};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use serde::{Deserialize, Serialize};

use super::{StoreError, read_versioned, write_versioned};

/// The format that is written, and the only one there was.
const FORMAT: u32 = 1;

/// Certificate and private key, which belong together.
#[derive(Clone)]
pub(super) struct Credential {
    /// DER.
    pub certificate: Vec<u8>,
    /// PKCS#8 DER.
    pub key_pkcs8: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    certificate: String,
    key: String,
}

impl Credential {
    /// Reads it; it is made when the file is missing. `describe` says what the certificate is
    /// about.
    pub fn load_or_make(
        path: &Path,
        describe: impl FnOnce() -> Result<CertificateParams, rcgen::Error>,
    ) -> Result<Self, StoreError> {
        let damaged = |reason| StoreError::Damaged { path: path.to_owned(), reason };
        if let Some(file) = read_versioned::<File>(path, FORMAT)? {
            return Self::from_file(&file).map_err(damaged);
        }
        let made = describe().and_then(make);
        let file = made.map_err(|error| StoreError::Identity(error.to_string()))?;
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
        Ok(Self { certificate: certificate.to_vec(), key_pkcs8 })
    }
}

fn make(mut params: CertificateParams) -> Result<File, rcgen::Error> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    // Fixed dates: a clock may start in 1970, and who trusts it trusts these very bytes.
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2099, 12, 31);
    let certificate = params.self_signed(&key)?;
    Ok(File { version: FORMAT, certificate: certificate.pem(), key: key.serialize_pem() })
}
