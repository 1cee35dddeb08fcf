//! Encrypted RTSP: each message is one AES-GCM frame (sheet, section 5.2).

use super::MessageError;
use super::message::MAX_MESSAGE;
use crate::bytes::{Reader, Writer};
use crate::crypto::{AesGcm, CryptoError, TAG_LEN};

/// Bytes a frame adds to its message: length, sequence number, tag.
pub const OVERHEAD: usize = 8 + TAG_LEN;

const ENCRYPTED: u32 = 0x8000_0000;

/// A frame could not be sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CipherError {
    /// Wrong key or damaged bytes.
    #[error("the RTSP frame was not made with the key of this session")]
    Authentication,
    /// Every sequence number of this key is used.
    #[error("the session key is used up: launch again")]
    Exhausted,
    /// The message does not fit a frame.
    #[error("the RTSP message is too large")]
    TooLarge,
}

impl From<CryptoError> for CipherError {
    fn from(_: CryptoError) -> Self {
        Self::Authentication
    }
}

/// One frame as it came, still encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    sequence: u32,
    tag: [u8; TAG_LEN],
    ciphertext: Vec<u8>,
}

impl Frame {
    /// Reads a frame; `None` while more bytes must come.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, MessageError> {
        let mut reader = Reader::new(bytes);
        let Ok(length) = reader.u32_be() else {
            return Ok(None);
        };
        if length & ENCRYPTED == 0 {
            return Err(MessageError::Malformed);
        }
        let length = (length & !ENCRYPTED) as usize;
        if length > MAX_MESSAGE {
            return Err(MessageError::TooLarge);
        }
        let (Ok(sequence), Ok(tag), Ok(ciphertext)) =
            (reader.u32_be(), reader.array(), reader.take(length).map(<[u8]>::to_vec))
        else {
            return Ok(None);
        };
        if !reader.is_empty() {
            return Err(MessageError::Trailing);
        }
        Ok(Some(Self { sequence, tag, ciphertext }))
    }

    /// The sender's sequence number: any number; it need not start at 1.
    pub fn sequence(&self) -> u32 {
        self.sequence
    }

    fn open(&self, gcm: &AesGcm, sender: u8) -> Result<Vec<u8>, CryptoError> {
        gcm.open(nonce(self.sequence, sender), &self.tag, &self.ciphertext)
    }
}

fn nonce(sequence: u32, sender: u8) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[..4].copy_from_slice(&sequence.to_le_bytes());
    nonce[10] = sender;
    nonce[11] = b'R';
    nonce
}

/// Which of the keys opens a frame of a client, and what is inside. The keys are
/// those of the launches that wait for RTSP: nothing else names the launch.
pub fn open_with(frame: &Frame, keys: &[[u8; 16]]) -> Option<(usize, Vec<u8>)> {
    keys.iter().enumerate().find_map(|(index, key)| {
        let message = frame.open(&AesGcm::new(key).ok()?, b'C').ok()?;
        Some((index, message))
    })
}

/// One end of encrypted RTSP. Keep it as long as its key: it counts the frames it
/// sealed, and no number may come twice under one key.
#[derive(Debug)]
pub struct Cipher {
    gcm: AesGcm,
    own: u8,
    peer: u8,
    next: u32,
}

impl Cipher {
    /// The host's end.
    pub fn host(key: &[u8; 16]) -> Result<Self, CipherError> {
        Ok(Self { gcm: AesGcm::new(key)?, own: b'H', peer: b'C', next: 1 })
    }

    /// A client's end.
    pub fn client(key: &[u8; 16]) -> Result<Self, CipherError> {
        Ok(Self { gcm: AesGcm::new(key)?, own: b'C', peer: b'H', next: 1 })
    }

    /// The frame of one message.
    pub fn seal(&mut self, message: &[u8]) -> Result<Vec<u8>, CipherError> {
        let length = u32::try_from(message.len()).ok().filter(|&n| n < ENCRYPTED);
        let length = length.ok_or(CipherError::TooLarge)?;
        let sequence = self.next;
        self.next = sequence.checked_add(1).ok_or(CipherError::Exhausted)?;
        let mut data = message.to_vec();
        let tag = self.gcm.seal(nonce(sequence, self.own), &mut data)?;
        let mut out = Vec::with_capacity(OVERHEAD + data.len());
        Writer::new(&mut out).u32_be(ENCRYPTED | length).u32_be(sequence).bytes(&tag).bytes(&data);
        Ok(out)
    }

    /// The message inside a frame of the other end.
    pub fn open(&self, frame: &Frame) -> Result<Vec<u8>, CipherError> {
        Ok(frame.open(&self.gcm, self.peer)?)
    }
}
