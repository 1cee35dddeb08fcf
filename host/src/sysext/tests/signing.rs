//! Signatures as minisign makes them, with keys made from a number; and whom a host trusts.

use std::fs;
use std::path::PathBuf;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use blake2::{Blake2b512, Digest as _};
use proptest::prelude::*;

use crate::sysext::{Trust, TrustError};

/// Somebody who signs.
pub struct Signer {
    id: [u8; 8],
    pair: Ed25519KeyPair,
}

impl Signer {
    pub fn new(number: u8) -> Self {
        Self { id: [number; 8], pair: Ed25519KeyPair::from_seed_unchecked(&[number; 32]).unwrap() }
    }

    /// The file with its public key.
    pub fn public(&self) -> String {
        let key = [b"Ed".as_slice(), &self.id, self.pair.public_key().as_ref()].concat();
        format!("untrusted comment: key {}\n{}\n", self.id[0], STANDARD.encode(key))
    }

    /// The file with its signature of these bytes.
    pub fn sign(&self, bytes: &[u8]) -> String {
        let signature = self.pair.sign(Blake2b512::digest(bytes).as_slice());
        let comment = "punktfunk";
        let global = self.pair.sign(&[signature.as_ref(), comment.as_bytes()].concat());
        let line = [b"ED".as_slice(), &self.id, signature.as_ref()].concat();
        format!(
            "untrusted comment: signature\n{}\ntrusted comment: {comment}\n{}\n",
            STANDARD.encode(line),
            STANDARD.encode(global)
        )
    }
}

/// An empty folder for a test.
pub fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("pf-sysext-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// A host that trusts these.
pub fn trust(name: &str, signers: &[&Signer]) -> Trust {
    let folder = folder(name);
    for (number, signer) in signers.iter().enumerate() {
        fs::write(folder.join(format!("{number}.pub")), signer.public()).unwrap();
    }
    let trust = Trust::load(std::slice::from_ref(&folder)).unwrap();
    fs::remove_dir_all(&folder).unwrap();
    trust
}

#[test]
fn either_key_vouches_and_nobody_else() {
    let (current, backup, stranger) = (Signer::new(1), Signer::new(2), Signer::new(3));
    let trust = trust("either", &[&current, &backup]);
    let list = b"a list";
    assert_eq!(trust.signer(list, current.sign(list).as_bytes()).unwrap(), "0");
    assert_eq!(trust.signer(list, backup.sign(list).as_bytes()).unwrap(), "1");
    let refused =
        |signature: String| matches!(trust.signer(list, signature.as_bytes()), Err(TrustError::Refused(_)));
    assert!(refused(stranger.sign(list)));
    assert!(refused(current.sign(b"another list")));
}

#[test]
fn a_change_of_keys_takes_two_releases_and_nothing_of_the_owner() {
    let (old, new, next) = (Signer::new(1), Signer::new(2), Signer::new(3));
    let list = b"a list";
    // The first release trusts the old key and the one behind it. A release that the second
    // signs brings the third; one that the first signs is then refused.
    let first = trust("change-1", &[&old, &new]);
    assert!(first.signer(list, new.sign(list).as_bytes()).is_ok());
    let second = trust("change-2", &[&new, &next]);
    assert!(second.signer(list, next.sign(list).as_bytes()).is_ok());
    assert!(second.signer(list, old.sign(list).as_bytes()).is_err());
}

#[test]
fn without_keys_nothing_is_trusted_and_a_damaged_key_is_told() {
    let folder = folder("damaged");
    assert!(matches!(Trust::load(std::slice::from_ref(&folder)), Err(TrustError::NoKeys(_))));
    fs::write(folder.join("a.pub"), "untrusted comment: x\nnonsense\n").unwrap();
    assert!(matches!(Trust::load(std::slice::from_ref(&folder)), Err(TrustError::Key { .. })));
    fs::write(folder.join("a.pub"), Signer::new(1).public()).unwrap();
    fs::write(folder.join("README"), "no key").unwrap();
    assert!(Trust::load(&[folder.join("missing"), folder.clone()]).is_ok());
    fs::remove_dir_all(&folder).unwrap();
}

proptest! {
    #[test]
    fn any_signature_is_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let trust = trust("any", &[&Signer::new(1)]);
        prop_assert!(trust.signer(b"a list", &bytes).is_err());
    }

    #[test]
    fn a_signature_with_another_byte_is_refused(first in any::<bool>(), at in any::<proptest::sample::Index>(), bits in 1..=255u8) {
        let trust = trust("byte", &[&Signer::new(1)]);
        let text = Signer::new(1).sign(b"a list");
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        // The comment is signed by the second of the two.
        let line = if first { 1 } else { 3 };
        let mut bytes = STANDARD.decode(&lines[line]).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= bits;
        lines[line] = STANDARD.encode(bytes);
        prop_assert!(trust.signer(b"a list", lines.join("\n").as_bytes()).is_err());
    }
}
