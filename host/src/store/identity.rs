//! Who this host is: an RSA-2048 certificate that clients pin byte for byte, and
//! an id they key their settings by.

use std::fmt;
use std::path::Path;

use punktfunk_core::crypto::Certificate;
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_RSA_SHA256, SerialNumber, date_time_ymd};
use serde::{Deserialize, Serialize};

use super::{StoreError, read_versioned, write_versioned};

/// The format that is written, and the only one there was.
const FORMAT: u32 = 1;

/// Who this host is. Made once; losing it unpairs every client.
#[derive(Clone)]
pub struct Identity {
    unique_id: String,
    certificate_pem: String,
    key_pem: String,
    certificate: Certificate,
    key_pkcs8: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    unique_id: String,
    certificate: String,
    key: String,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("unique_id", &self.unique_id).finish_non_exhaustive()
    }
}

impl Identity {
    pub(super) fn load_or_make(path: &Path) -> Result<Self, StoreError> {
        let damaged = |reason| StoreError::Damaged { path: path.to_owned(), reason };
        if let Some(file) = read_versioned::<File>(path, FORMAT)? {
            return Self::from_file(file).map_err(damaged);
        }
        let file = make()?;
        write_versioned(path, &file)?;
        Self::from_file(file).map_err(StoreError::Identity)
    }

    fn from_file(file: File) -> Result<Self, String> {
        let certificate =
            Certificate::from_pem(file.certificate.as_bytes()).map_err(|error| error.to_string())?;
        let (_, block) = x509_parser::pem::parse_x509_pem(file.key.as_bytes())
            .map_err(|_| "the key is not PEM".to_owned())?;
        let key = punktfunk_core::crypto::SigningKey::from_pkcs8(&block.contents)
            .map_err(|_| "the key is not an RSA key".to_owned())?;
        let signature = key.sign(b"punktfunk").map_err(|error| error.to_string())?;
        certificate
            .verify(b"punktfunk", &signature)
            .map_err(|_| "the key does not belong to the certificate".to_owned())?;
        Ok(Self {
            unique_id: file.unique_id,
            certificate_pem: file.certificate,
            key_pem: file.key,
            certificate,
            key_pkcs8: block.contents,
        })
    }

    /// A UUID, the key under which clients keep this host.
    pub fn unique_id(&self) -> &str {
        &self.unique_id
    }

    /// The certificate as the PEM text that pairing delivers.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The private key as PEM (PKCS#8).
    pub fn key_pem(&self) -> &str {
        &self.key_pem
    }

    /// The private key as PKCS#8 DER.
    pub fn key_pkcs8(&self) -> &[u8] {
        &self.key_pkcs8
    }
}

fn make() -> Result<File, StoreError> {
    let fail = |error: rcgen::Error| StoreError::Identity(error.to_string());
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256).map_err(fail)?;
    let mut params = CertificateParams::new(Vec::new()).map_err(fail)?;
    params.distinguished_name.push(DnType::CommonName, "punktfunk GameStream host");
    // Fixed dates: clients pin the bytes and ignore them, and a machine whose clock
    // starts in 1970 must not make a certificate from its future.
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2099, 12, 31);
    let mut serial = random::<16>()?;
    serial[0] &= 0x7F;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    let certificate = params.self_signed(&key).map_err(fail)?;
    Ok(File {
        version: FORMAT,
        unique_id: uuid(random()?),
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    })
}

fn random<const N: usize>() -> Result<[u8; N], StoreError> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_| StoreError::Identity("the system gives no random numbers".to_owned()))?;
    Ok(bytes)
}

/// A version 4 UUID (RFC 9562) of these random bits.
fn uuid(mut bits: [u8; 16]) -> String {
    bits[6] = bits[6] & 0x0F | 0x40;
    bits[8] = bits[8] & 0x3F | 0x80;
    let hex = punktfunk_core::bytes::to_hex(&bits);
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-").to_uppercase()
}
