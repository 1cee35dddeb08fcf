//! AES-128 in the three modes GameStream uses: GCM for control, RTSP and video,
//! CBC for audio, ECB for pairing.

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{
    AES_128, DecryptingKey, DecryptionContext, EncryptingKey, EncryptionContext, PaddedBlockDecryptingKey,
    PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;

use super::CryptoError;

/// Bytes of an AES-GCM tag.
pub const TAG_LEN: usize = 16;

/// One AES-128-GCM key, no additional data. The caller guarantees that a nonce is
/// never used twice for sealing under one key.
pub struct AesGcm(LessSafeKey);

impl std::fmt::Debug for AesGcm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AesGcm(..)")
    }
}

impl AesGcm {
    /// A key schedule for `key`.
    pub fn new(key: &[u8; 16]) -> Result<Self, CryptoError> {
        Ok(Self(LessSafeKey::new(UnboundKey::new(&AES_128_GCM, key)?)))
    }

    /// Encrypts `data` where it lies and returns the tag.
    pub fn seal(&self, nonce: [u8; 12], data: &mut [u8]) -> Result<[u8; TAG_LEN], CryptoError> {
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self.0.seal_in_place_separate_tag(nonce, Aad::empty(), data)?;
        let mut out = [0; TAG_LEN];
        out.copy_from_slice(tag.as_ref());
        Ok(out)
    }

    /// Checks `tag` and decrypts `data` into a new buffer. Nothing is returned
    /// unless the tag is right.
    pub fn open(&self, nonce: [u8; 12], tag: &[u8; TAG_LEN], data: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let mut out = vec![0; data.len()];
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.0.open_separate_gather(nonce, Aad::empty(), data, tag, &mut out)?;
        Ok(out)
    }

    /// Checks `tag` and decrypts `data` into `out`, which must be as long as `data`.
    pub fn open_into(
        &self,
        nonce: [u8; 12],
        tag: &[u8],
        data: &[u8],
        out: &mut [u8],
    ) -> Result<(), CryptoError> {
        let nonce = Nonce::assume_unique_for_key(nonce);
        Ok(self.0.open_separate_gather(nonce, Aad::empty(), data, tag, out)?)
    }
}

/// AES-128-CBC with PKCS#7 padding and an IV that the caller builds per packet.
pub struct AesCbc {
    seal: PaddedBlockEncryptingKey,
    open: PaddedBlockDecryptingKey,
}

impl std::fmt::Debug for AesCbc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AesCbc(..)")
    }
}

impl AesCbc {
    /// Key schedules for `key`.
    pub fn new(key: &[u8; 16]) -> Result<Self, CryptoError> {
        Ok(Self {
            seal: PaddedBlockEncryptingKey::cbc_pkcs7(UnboundCipherKey::new(&AES_128, key)?)?,
            open: PaddedBlockDecryptingKey::cbc_pkcs7(UnboundCipherKey::new(&AES_128, key)?)?,
        })
    }

    /// Replaces `data` by its ciphertext, 1–16 bytes longer.
    pub fn encrypt(&self, iv: [u8; 16], data: &mut Vec<u8>) -> Result<(), CryptoError> {
        let context = EncryptionContext::Iv128(FixedLength::from(iv));
        self.seal.less_safe_encrypt(data, context)?;
        Ok(())
    }

    /// Decrypts `data` where it lies and returns the part before the padding.
    pub fn decrypt<'a>(&self, iv: [u8; 16], data: &'a mut [u8]) -> Result<&'a [u8], CryptoError> {
        let context = DecryptionContext::Iv128(FixedLength::from(iv));
        Ok(self.open.decrypt(data, context)?)
    }
}

/// AES-128-ECB without padding, in place; `data` must be whole 16-byte blocks.
pub fn ecb_encrypt(key: &[u8; 16], data: &mut [u8]) -> Result<(), CryptoError> {
    let key = EncryptingKey::ecb(UnboundCipherKey::new(&AES_128, key)?)?;
    key.encrypt(data)?;
    Ok(())
}

/// The reverse of [`ecb_encrypt`].
pub fn ecb_decrypt(key: &[u8; 16], data: &mut [u8]) -> Result<(), CryptoError> {
    let key = DecryptingKey::ecb(UnboundCipherKey::new(&AES_128, key)?)?;
    key.decrypt(data, DecryptionContext::None)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::{from_hex, to_hex};

    const KEY: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

    // The vectors are those of the GameStream sheet, section 18.

    #[test]
    fn gcm_seals_a_control_message_as_on_the_wire() {
        let gcm = AesGcm::new(&KEY).unwrap();
        let mut nonce = [0; 12];
        nonce[10] = b'C';
        nonce[11] = b'C';
        let mut data = from_hex("020302000000").unwrap();
        let tag = gcm.seal(nonce, &mut data).unwrap();
        assert_eq!(to_hex(&tag), "22302723537811166cb9bfead7dad457");
        assert_eq!(to_hex(&data), "5cd629f5cafe");
        assert_eq!(gcm.open(nonce, &tag, &data).unwrap(), from_hex("020302000000").unwrap());
        nonce[0] = 1;
        assert_eq!(gcm.open(nonce, &tag, &data), Err(CryptoError));
    }

    #[test]
    fn cbc_encrypts_audio_as_on_the_wire() {
        let cbc = AesCbc::new(&KEY).unwrap();
        let mut iv = [0; 16];
        iv[..4].copy_from_slice(&[0xF8, 0xA4, 0x32, 0xF2]);
        let mut data = vec![0xFC, 0xFF, 0xFE];
        cbc.encrypt(iv, &mut data).unwrap();
        assert_eq!(to_hex(&data), "77d1b7dedcb0c7255e51c16825647cda");
        assert_eq!(cbc.decrypt(iv, &mut data).unwrap(), [0xFC, 0xFF, 0xFE]);
    }

    #[test]
    fn ecb_matches_the_pairing_vector() {
        let mut key = [0; 16];
        key.copy_from_slice(&from_hex("BAD0B4F7CAE08EB7C1B5ACC763A8ED25").unwrap());
        let mut data = KEY;
        ecb_encrypt(&key, &mut data).unwrap();
        assert_eq!(to_hex(&data), "8d56172f328d219f60ce0e37f3953842");
        ecb_decrypt(&key, &mut data).unwrap();
        assert_eq!(data, KEY);
        assert_eq!(ecb_encrypt(&key, &mut [0; 15]), Err(CryptoError));
    }
}
