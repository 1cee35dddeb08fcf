//! A backup: the files of the state directory in one sealed piece, keys and all.
//!
//! A head that says how it was sealed, then AES-256-GCM over compressed JSON, with a key
//! that argon2id makes from a passphrase. The head is authenticated, too. What is opened is
//! looked at whole before any of it is believed.

use std::io::{Read as _, Write as _};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};

use super::error::Problem;
use super::password::derive;

/// What a backup begins with.
const MAGIC: &[u8; 8] = b"PFBACKUP";
/// The format that is written, and the only one there was.
const FORMAT: u32 = 1;
/// Bytes of the head: magic, format, memory, passes, salt, nonce.
const HEAD: usize = 8 + 3 * 4 + SALT + NONCE_LEN;
/// Bytes of salt.
const SALT: usize = 16;
/// Memory of one guess at the passphrase, KiB: a backup lies where others may find it.
const MEMORY: u32 = 64 * 1024;
/// Passes over it.
const PASSES: u32 = 3;
/// Most that a head may ask of us, KiB and passes.
const MOST: (u32, u32) = (256 * 1024, 16);
/// All files together, bytes; sealed and in base64 they fit into a request.
pub const MAX_SIZE: usize = 5 << 20;
/// Files of a backup.
const MAX_FILES: usize = 200;
/// Shortest passphrase, characters.
pub const SHORTEST: usize = 8;

/// What is sealed.
#[derive(Debug, Serialize, Deserialize)]
struct Contents {
    /// When it was made, seconds since 1970.
    made: u64,
    /// Name of the host.
    host: String,
    files: Vec<Piece>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Piece {
    name: String,
    /// Base64.
    data: String,
}

/// Seals files with their names.
///
/// # Errors
/// The passphrase is too short, or the system gives no random numbers.
pub fn seal(
    passphrase: &str,
    host: &str,
    made: u64,
    files: Vec<(String, Vec<u8>)>,
) -> Result<Vec<u8>, Problem> {
    if passphrase.chars().count() < SHORTEST || passphrase.len() > super::password::LONGEST {
        let message = format!("choose a passphrase of at least {SHORTEST} characters");
        return Err(Problem::invalid("passphrase", message));
    }
    let failed = || Problem::internal("the backup could not be sealed; try again");
    let files = files.into_iter().map(|(name, bytes)| Piece { name, data: BASE64_STANDARD.encode(bytes) });
    let contents = Contents { made, host: host.to_owned(), files: files.collect() };
    let mut sealed = GzEncoder::new(Vec::new(), Compression::default());
    let text = serde_json::to_vec(&contents).map_err(|_| failed())?;
    let mut sealed = sealed.write_all(&text).and_then(|()| sealed.finish()).map_err(|_| failed())?;
    let mut random = [0; SALT + NONCE_LEN];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| failed())?;
    let mut head = MAGIC.to_vec();
    for number in [FORMAT, MEMORY, PASSES] {
        head.extend_from_slice(&number.to_be_bytes());
    }
    head.extend_from_slice(&random);
    let (salt, nonce) = random.split_at(SALT);
    let key = key(passphrase, salt, MEMORY, PASSES).ok_or_else(failed)?;
    // The salt is new, so the key is, and its one nonce is not used again.
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| failed())?;
    key.seal_in_place_append_tag(nonce, Aad::from(&head), &mut sealed).map_err(|_| failed())?;
    head.append(&mut sealed);
    Ok(head)
}

/// Opens what [`seal`] made.
///
/// # Errors
/// It is no backup, is damaged, was made by a newer program, or has another passphrase.
pub fn open(passphrase: &str, sealed: &[u8]) -> Result<Vec<(String, Vec<u8>)>, Problem> {
    let damaged = || Problem::invalid("data", "this is no backup of a punktfunk host, or it is damaged");
    let (head, body) = sealed.split_at_checked(HEAD).ok_or_else(damaged)?;
    let (magic, rest) = head.split_at(MAGIC.len());
    if magic != MAGIC {
        return Err(damaged());
    }
    let number =
        |at: usize| rest.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_be_bytes);
    let (format, memory, passes) = (number(0), number(4), number(8));
    if format > FORMAT {
        let message = "this backup was made by a newer punktfunk: update this host first";
        return Err(Problem::invalid("data", message));
    }
    if format != FORMAT || memory > MOST.0 || passes > MOST.1 {
        return Err(damaged());
    }
    let (salt, nonce) = rest.get(12..).unwrap_or_default().split_at_checked(SALT).ok_or_else(damaged)?;
    let key = key(passphrase, salt, memory, passes).ok_or_else(damaged)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| damaged())?;
    let mut body = body.to_vec();
    let opened = key.open_in_place(nonce, Aad::from(head), &mut body).map_err(|_| {
        let message = "this is not the passphrase of this backup, or the backup is damaged";
        Problem::invalid("passphrase", message).with_code("wrong_passphrase")
    })?;
    let mut text = Vec::new();
    // Base64 and JSON make it larger than the files.
    let most = 2 * MAX_SIZE as u64;
    GzDecoder::new(&*opened).take(most).read_to_end(&mut text).map_err(|_| damaged())?;
    let contents: Contents = serde_json::from_slice(&text).map_err(|_| damaged())?;
    if contents.files.len() > MAX_FILES {
        return Err(damaged());
    }
    let files = contents.files.into_iter().map(|piece| {
        BASE64_STANDARD.decode(piece.data).map(|bytes| (piece.name, bytes)).map_err(|_| damaged())
    });
    files.collect()
}

fn key(passphrase: &str, salt: &[u8], memory: u32, passes: u32) -> Option<LessSafeKey> {
    if passphrase.len() > super::password::LONGEST {
        return None;
    }
    let key = derive(passphrase, salt, memory, passes)?;
    UnboundKey::new(&AES_256_GCM, &key).ok().map(LessSafeKey::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn files() -> Vec<(String, Vec<u8>)> {
        vec![("a.json".to_owned(), b"{}".to_vec()), ("b".to_owned(), vec![0, 255, 7])]
    }

    #[test]
    fn what_is_sealed_is_opened_with_its_passphrase_only() {
        let sealed = seal("eight ch", "den", 7, files()).unwrap();
        assert_eq!(open("eight ch", &sealed).unwrap(), files());
        assert!(!sealed.windows(6).any(|window| window == b"a.json"));
        assert!(open("eight cg", &sealed).is_err());
        assert!(seal("seven c", "den", 7, files()).is_err());
        for at in [0, 9, 13, 20, 30, 40, HEAD, sealed.len() - 1] {
            let mut other = sealed.clone();
            other[at] ^= 1;
            // A head that asks for all memory is refused, not obeyed.
            assert!(open("eight ch", &other).is_err(), "{at}");
        }
        let mut newer = sealed;
        newer[8..12].copy_from_slice(&2_u32.to_be_bytes());
        assert!(open("eight ch", &newer).unwrap_err().to_string().contains("newer"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200), magic in any::<bool>()) {
            let bytes = if magic { [&MAGIC[..], &[0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0, 1], &bytes].concat() } else { bytes };
            prop_assert!(open("some passphrase", &bytes).is_err());
        }
    }
}
