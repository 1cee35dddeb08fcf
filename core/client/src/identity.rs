//! The client's identity: made once, kept in a folder that the caller names.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use punktfunk_quic::Identity;
use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};

use crate::error::Error;

/// The file in the folder.
const FILE: &str = "identity.pem";

/// A new identity (ECDSA P-256). Nothing is stored.
///
/// # Errors
/// [`Error::Make`].
pub fn make_identity() -> Result<Identity, Error> {
    let (certificate, key) = make()?;
    Ok(Identity::from_der(certificate.der(), &key.serialize_der())?)
}

/// The identity in `folder`, made when there is none. The file `identity.pem` holds the
/// private key: only the user may read it.
///
/// # Errors
/// [`Error::File`]; [`Error::Identity`] when the file is damaged, which is never repaired
/// in silence because it would unpair the client from every host.
pub fn load_or_make_identity(folder: &Path) -> Result<Identity, Error> {
    let path = folder.join(FILE);
    let failed = |source| Error::File { path: path.clone(), source };
    match fs::read_to_string(&path) {
        Ok(text) => return Ok(Identity::from_pem(&text)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let (certificate, key) = make()?;
    let text = format!("{}{}", certificate.pem(), key.serialize_pem());
    fs::create_dir_all(folder).map_err(failed)?;
    write_private(&path, text.as_bytes()).map_err(failed)?;
    Ok(Identity::from_pem(&text)?)
}

fn make() -> Result<(rcgen::Certificate, KeyPair), Error> {
    let failed = |error: rcgen::Error| Error::Make(error.to_string());
    let key = KeyPair::generate().map_err(failed)?;
    let mut params = CertificateParams::new(Vec::new()).map_err(failed)?;
    params.distinguished_name.push(DnType::CommonName, "punktfunk client");
    // Nobody looks at the dates, and a machine whose clock starts in 1970 must not make
    // a certificate from its future.
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2099, 12, 31);
    let certificate = params.self_signed(&key).map_err(failed)?;
    Ok((certificate, key))
}

/// Writes beside and renames, so that the file is there whole or not at all.
fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let beside = path.with_extension("new");
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn an_identity_is_made_once_and_is_private() {
        let folder = std::env::temp_dir().join(format!("punktfunk-client-{}", std::process::id()));
        let first = load_or_make_identity(&folder).expect("made");
        let again = load_or_make_identity(&folder).expect("read");
        assert_eq!(first.hash(), again.hash());
        let path = folder.join(FILE);
        assert_eq!(fs::metadata(&path).expect("file").permissions().mode() & 0o777, 0o600);
        fs::write(&path, "damaged").expect("written");
        assert!(matches!(load_or_make_identity(&folder), Err(Error::Identity(_))));
        fs::remove_dir_all(&folder).expect("removed");
        assert_ne!(make_identity().expect("made").hash(), first.hash());
    }
}
