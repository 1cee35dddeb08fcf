//! Pairing (page, section 7): two sides that know nothing of each other but a PIN or the
//! secret of a QR code come to trust each other's certificates. SPAKE2, bound to both
//! certificates and to the TLS connection, then a proof of the key from each side.
//!
//! Each side is a chain of states that are used up by their step, so no step can be taken
//! twice or out of order; whatever else comes ends the attempt. The host calls
//! [`host::Pairing`] and stores a client between its proof and its own answer; the client
//! calls [`client::Pairing`] and stores the host at the very end. Windows, time-outs and
//! the charging of attempts are the caller's.

pub mod client;
mod exercise;
pub mod host;
mod password;
pub mod qr;
mod spake;

pub use exercise::{exercise, exercise_qr};
pub use password::{Password, Pin, PinError, Secret};

use std::fmt;

use super::keys::{expand, extract, mac};
use super::wire::Code;
use super::wire::control::{Mac, PairAnswer, PairStart};
use crate::crypto::{constant_time_eq, sha256};

/// Label of the TLS exporter for pairing; the context is empty, the length 32.
pub const EXPORTER_PAIRING: &[u8] = b"EXPORTER-punktfunk-1 pairing";

/// What begins every transcript.
const TITLE: &[u8] = b"punktfunk/1 pairing";

/// SHA-256 of a SubjectPublicKeyInfo: who a side is.
pub type Fingerprint = [u8; 32];

/// Fills a slice with random bytes that are fit for keys.
pub type Random<'a> = dyn FnMut(&mut [u8]) + 'a;

/// The connection that a pairing happens on, as both sides see it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Channel {
    /// Who the client is, by the certificate it presented.
    pub client: Fingerprint,
    /// Who the host is, by the certificate it presented.
    pub host: Fingerprint,
    /// What the TLS exporter gave for [`EXPORTER_PAIRING`].
    pub exporter: [u8; 32],
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Channel(..)")
    }
}

/// Why a pairing ended. There is no going on after any of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A step came twice, too early, or is none of this side's.
    #[error("the steps of pairing came out of order")]
    OutOfOrder,
    /// The other side sent no point of the group that an honest side would.
    #[error("the other side sent a damaged message")]
    Damaged,
    /// The host offers no pairing by this method at the moment.
    #[error("pairing is not open for this method")]
    Closed,
    /// The other side does not know the PIN or the secret, or somebody is between.
    #[error("the PIN or the code is not the right one")]
    Wrong,
    /// The host ended it.
    #[error("the host refused: {0}")]
    Refused(Code),
}

impl Error {
    /// What the other side is told.
    pub const fn code(self) -> Code {
        match self {
            Self::OutOfOrder | Self::Damaged => Code::BadMessage,
            Self::Closed => Code::PairingClosed,
            Self::Wrong => Code::WrongPin,
            Self::Refused(code) => code,
        }
    }
}

/// What both sides prove that they have.
struct Proofs {
    client: Mac,
    host: Mac,
}

impl Proofs {
    /// From the output of SPAKE2 and everything that was said and seen.
    fn new(channel: &Channel, start: &PairStart, answer: &PairAnswer, output: &[u8]) -> Self {
        let transcript = transcript(channel, start, answer);
        let keys = extract(&transcript, output);
        let proof = |label: &[u8]| mac(&expand::<32>(&keys, label), &[&transcript]);
        Self { client: proof(b"pf1 client"), host: proof(b"pf1 host") }
    }
}

/// SHA-256 over `length u16 ‖ bytes` of each part.
fn transcript(channel: &Channel, start: &PairStart, answer: &PairAnswer) -> [u8; 32] {
    let parts: [&[u8]; 8] = [
        TITLE,
        &channel.client,
        &channel.host,
        &channel.exporter,
        &[start.method],
        start.name.as_bytes(),
        &start.message,
        &answer.message,
    ];
    let mut bytes = Vec::with_capacity(512);
    for part in parts {
        // No part is longer than a name, 64 bytes.
        bytes.extend(u16::try_from(part.len()).unwrap_or(u16::MAX).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    sha256(&[&bytes])
}

/// Compares in constant time.
fn check(wanted: &Mac, got: &Mac) -> Result<(), Error> {
    if constant_time_eq(wanted, got) { Ok(()) } else { Err(Error::Wrong) }
}
