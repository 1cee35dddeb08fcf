//! Who this host is to browsers: a P-256 key in a self-signed certificate of its own.
//! Clients that stream know other certificates; this one may be replaced without
//! unpairing any of them.

use std::fmt;
use std::path::Path;

use punktfunk_core::bytes::to_hex;
use punktfunk_core::crypto::sha256;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose};

use super::StoreError;
use super::credential::Credential;

/// The file in the state directory.
const FILE: &str = "console-identity.json";

/// Certificate and key of the console's HTTPS.
#[derive(Clone)]
pub struct ConsoleIdentity(Credential);

impl fmt::Debug for ConsoleIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConsoleIdentity({})", self.fingerprint())
    }
}

impl ConsoleIdentity {
    /// Reads it from the state directory; it is made when it is missing. `names` are those
    /// the host is reached by.
    pub(super) fn load_or_make(dir: &Path, names: &[String]) -> Result<Self, StoreError> {
        Credential::load_or_make(&dir.join(FILE), || describe(names)).map(Self)
    }

    /// The certificate, DER.
    pub fn certificate(&self) -> &[u8] {
        &self.0.certificate
    }

    /// The private key as PKCS#8 DER.
    pub fn key_pkcs8(&self) -> &[u8] {
        &self.0.key_pkcs8
    }

    /// SHA-256 of the certificate, 64 hex digits: what a browser shows as its fingerprint.
    pub fn fingerprint(&self) -> String {
        to_hex(&sha256(&[self.certificate()]))
    }
}

fn describe(names: &[String]) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(names.to_vec())?;
    params.distinguished_name.push(DnType::CommonName, "punktfunk console");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}
