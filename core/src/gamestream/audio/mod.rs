//! Audio datagrams, host to client (sheet, section 12): Opus packets in RTP, two
//! parity packets after each aligned group of four, AES-CBC when the client wants
//! encryption.

mod packetize;
mod receive;

pub use packetize::Packetizer;
pub use receive::{Counters, Event, Receiver, exercise, replay};

use crate::crypto::{AesCbc, CryptoError};

const RTP: usize = 12;
const FEC_HEADER: usize = 12;
const TYPE_DATA: u8 = 97;
const TYPE_FEC: u8 = 127;
/// Data packets of an FEC block.
const GROUP: usize = 4;
/// The most payload bytes, so that parity datagrams stay within 1400 bytes.
const MAX_PAYLOAD: usize = 1376;

/// What the session settled about its audio datagrams.
#[derive(Clone, Debug)]
pub struct Config {
    /// Milliseconds of sound in a packet, 5 or 10.
    pub packet_ms: u32,
    /// `rikey` and `rikeyid` when audio is encrypted.
    pub key: Option<([u8; 16], i32)>,
}

/// An audio packet cannot be sent or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The Opus packet is too long for a datagram, or empty.
    #[error("an Opus packet of {0} bytes cannot be sent; lower the bitrate (1 to 1375 bytes)")]
    PacketLength(usize),
    /// Not an audio datagram.
    #[error("the datagram is malformed; drop it")]
    Malformed,
    /// Encryption or decryption failed.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

/// The CBC key and where its IVs begin (sheet, section 12.4).
#[derive(Debug)]
struct Cipher {
    cbc: AesCbc,
    key_id: u32,
}

impl Cipher {
    fn new((key, key_id): ([u8; 16], i32)) -> Result<Self, CryptoError> {
        Ok(Self { cbc: AesCbc::new(&key)?, key_id: key_id.cast_unsigned() })
    }

    fn iv(&self, sequence: u16) -> [u8; 16] {
        let mut iv = [0; 16];
        iv[..4].copy_from_slice(&self.key_id.wrapping_add(u32::from(sequence)).to_be_bytes());
        iv
    }
}
