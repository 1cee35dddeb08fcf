//! The probe's own certificate and the hosts it is paired with, in one folder.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use punktfunk_core::crypto::Certificate;
use punktfunk_core::gamestream::pairing;

/// What stock clients send as `uniqueid`; it identifies nobody (sheet, section 2).
pub const UNIQUE_ID: &str = "0123456789ABCDEF";

/// A client identity: what Moonlight calls its key folder.
pub struct Identity {
    folder: PathBuf,
    key_der: Vec<u8>,
    pair: pairing::Identity,
}

impl Identity {
    /// Opens the identity in `folder`, making one when there is none.
    pub fn open(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        let (cert_path, key_path) = (folder.join("client.pem"), folder.join("client.key"));
        if !cert_path.exists() {
            let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256)?;
            let mut params = rcgen::CertificateParams::new(Vec::new())?;
            params.distinguished_name.push(rcgen::DnType::CommonName, "NVIDIA GameStream Client");
            let mut options = fs::File::options();
            options.create(true).write(true).truncate(true).mode(0o600);
            options.open(&key_path)?.write_all(key.serialized_der())?;
            fs::write(&cert_path, params.self_signed(&key)?.pem())?;
        }
        let damaged = || format!("the identity in {} is damaged: delete that folder", folder.display());
        let pem = fs::read_to_string(&cert_path).with_context(damaged)?;
        let key_der = fs::read(&key_path).with_context(damaged)?;
        let pair = pairing::Identity::new(&pem, &key_der).with_context(damaged)?;
        Ok(Self { folder: folder.to_owned(), key_der, pair })
    }

    /// What pairing needs of it.
    pub fn pairing(&self) -> &pairing::Identity {
        &self.pair
    }

    /// The certificate, DER.
    pub fn certificate_der(&self) -> &[u8] {
        self.pair.certificate().der()
    }

    /// The private key, PKCS#8 DER.
    pub fn key_der(&self) -> &[u8] {
        &self.key_der
    }

    fn host_path(&self, address: &str, port: u16) -> PathBuf {
        self.folder.join(format!("host-{}-{port}.der", address.replace([':', '/', '%'], "_")))
    }

    /// The certificate this host showed when we paired.
    pub fn host_certificate(&self, address: &str, port: u16) -> Option<Certificate> {
        Certificate::from_der(&fs::read(self.host_path(address, port)).ok()?).ok()
    }

    /// Remembers a host we paired with.
    pub fn remember_host(&self, address: &str, port: u16, certificate: &Certificate) -> Result<()> {
        Ok(fs::write(self.host_path(address, port), certificate.der())?)
    }

    /// Forgets a host.
    pub fn forget_host(&self, address: &str, port: u16) -> Result<()> {
        match fs::remove_file(self.host_path(address, port)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_made_once_and_hosts_are_remembered() {
        let folder = std::env::temp_dir().join(format!("probe-identity-{}", std::process::id()));
        let first = Identity::open(&folder).unwrap();
        let again = Identity::open(&folder).unwrap();
        assert_eq!(first.certificate_der(), again.certificate_der());
        assert!(again.host_certificate("::1", 9).is_none());
        again.remember_host("::1", 9, first.pairing().certificate()).unwrap();
        assert_eq!(first.host_certificate("::1", 9).as_ref(), Some(first.pairing().certificate()));
        first.forget_host("::1", 9).unwrap();
        first.forget_host("::1", 9).unwrap();
        assert!(again.host_certificate("::1", 9).is_none());
        fs::remove_dir_all(&folder).unwrap();
    }
}
