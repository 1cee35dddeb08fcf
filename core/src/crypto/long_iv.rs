//! AES-128-GCM with an IV of 16 bytes, which only the control stream of old clients
//! uses (sheet, section 14).
//!
//! The provider takes nonces of 12 bytes alone, where the first counter block is
//! the nonce and a one. For every other length NIST SP 800-38D (section 7.1) derives
//! it with GHASH, which is what this module adds; AES itself stays the provider's.
//! The multiplication has no branch and no table that depends on secrets. It is slow,
//! for messages of some hundred bytes.

use aws_lc_rs::cipher::{AES_128, EncryptingKey, UnboundCipherKey};

use super::{CryptoError, TAG_LEN, constant_time_eq};

const BLOCK: usize = 16;
/// The field's polynomial in GCM's order of bits.
const POLYNOMIAL: u128 = 0xE1 << 120;

/// One AES-128-GCM key for IVs of 16 bytes, no additional data.
///
/// What one IV has sealed is safe only while nothing else is sealed with it. The old
/// control stream breaks that by design: its IVs repeat every 256 messages and in
/// both directions. Who listens can then compare messages and learn to forge them.
pub struct AesGcmLongIv {
    key: EncryptingKey,
    /// GHASH's key: the encryption of zeros.
    hash_key: u128,
}

impl std::fmt::Debug for AesGcmLongIv {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AesGcmLongIv(..)")
    }
}

impl AesGcmLongIv {
    /// A key schedule for `key`.
    pub fn new(key: &[u8; 16]) -> Result<Self, CryptoError> {
        let key = EncryptingKey::ecb(UnboundCipherKey::new(&AES_128, key)?)?;
        let mut zeros = [0; BLOCK];
        key.encrypt(&mut zeros)?;
        Ok(Self { key, hash_key: u128::from_be_bytes(zeros) })
    }

    /// Encrypts `data` where it lies and returns the tag.
    pub fn seal(&self, iv: &[u8; 16], data: &mut [u8]) -> Result<[u8; TAG_LEN], CryptoError> {
        let first = self.first_counter(iv);
        self.apply_keystream(first, data)?;
        self.tag(first, data)
    }

    /// Checks `tag` and decrypts `data` into a new buffer. Nothing is returned unless
    /// the tag is right.
    pub fn open(&self, iv: &[u8; 16], tag: &[u8; TAG_LEN], data: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let first = self.first_counter(iv);
        if !constant_time_eq(&self.tag(first, data)?, tag) {
            return Err(CryptoError);
        }
        let mut out = data.to_vec();
        self.apply_keystream(first, &mut out)?;
        Ok(out)
    }

    /// The counter block before the first of the data (J0).
    fn first_counter(&self, iv: &[u8; 16]) -> u128 {
        self.hash(iv)
    }

    fn encrypt_block(&self, block: u128) -> Result<[u8; BLOCK], CryptoError> {
        let mut bytes = block.to_be_bytes();
        self.key.encrypt(&mut bytes)?;
        Ok(bytes)
    }

    fn apply_keystream(&self, first: u128, data: &mut [u8]) -> Result<(), CryptoError> {
        let mut counter = first;
        for chunk in data.chunks_mut(BLOCK) {
            counter = next_counter(counter);
            let stream = self.encrypt_block(counter)?;
            chunk.iter_mut().zip(stream).for_each(|(byte, key)| *byte ^= key);
        }
        Ok(())
    }

    fn tag(&self, first: u128, ciphertext: &[u8]) -> Result<[u8; TAG_LEN], CryptoError> {
        let mask = u128::from_be_bytes(self.encrypt_block(first)?);
        Ok((self.hash(ciphertext) ^ mask).to_be_bytes())
    }

    /// GHASH of `data`, filled up with zeros, and its length in bits.
    fn hash(&self, data: &[u8]) -> u128 {
        let mut sum = 0;
        for chunk in data.chunks(BLOCK) {
            let mut block = [0; BLOCK];
            block[..chunk.len()].copy_from_slice(chunk);
            sum = multiply(sum ^ u128::from_be_bytes(block), self.hash_key);
        }
        multiply(sum ^ (data.len() as u128 * 8), self.hash_key)
    }
}

/// The low 32 bits count, and wrap.
const fn next_counter(block: u128) -> u128 {
    let low = (block as u32).wrapping_add(1);
    (block & !0xFFFF_FFFF) | low as u128
}

/// Product of two elements of GCM's field.
fn multiply(a: u128, b: u128) -> u128 {
    let (mut product, mut shifted) = (0, b);
    for bit in (0..128).rev() {
        product ^= shifted & mask(a >> bit);
        shifted = (shifted >> 1) ^ (POLYNOMIAL & mask(shifted));
    }
    product
}

/// All ones when the lowest bit is one, else all zeros.
const fn mask(value: u128) -> u128 {
    (value & 1).wrapping_neg()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::AesGcm;
    use super::*;
    use crate::bytes::{from_hex, to_hex};

    const KEY: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

    #[test]
    fn an_old_control_message_is_sealed_as_on_the_wire() {
        // Sheet, section 18.
        let gcm = AesGcmLongIv::new(&KEY).unwrap();
        let mut iv = [0; 16];
        iv[0] = 5;
        let mut data = from_hex("020302000000").unwrap();
        let tag = gcm.seal(&iv, &mut data).unwrap();
        assert_eq!(to_hex(&tag), "4efac1fd7c54061860318aaec87c59b5");
        assert_eq!(to_hex(&data), "fc2b7e8c62dd");
        assert_eq!(gcm.open(&iv, &tag, &data), Ok(from_hex("020302000000").unwrap()));
        for byte in 0..16 {
            let (mut wrong_iv, mut wrong_tag) = (iv, tag);
            wrong_iv[byte] ^= 1;
            wrong_tag[byte] ^= 0x80;
            assert_eq!(gcm.open(&wrong_iv, &tag, &data), Err(CryptoError));
            assert_eq!(gcm.open(&iv, &wrong_tag, &data), Err(CryptoError));
        }
        assert_eq!(gcm.open(&iv, &tag, &data[..5]), Err(CryptoError));
    }

    #[test]
    fn the_hash_is_that_of_the_standard() {
        // Test case 2 of the GCM proposal to NIST: key and plaintext are zero.
        let gcm = AesGcmLongIv::new(&[0; 16]).unwrap();
        assert_eq!(format!("{:032x}", gcm.hash_key), "66e94bd4ef8a2c3b884cfa59ca342b2e");
        let ciphertext = from_hex("0388dace60b6a392f328c2b971b2fe78").unwrap();
        assert_eq!(format!("{:032x}", gcm.hash(&ciphertext)), "f38cbb1ad69223dcc3457ae5b6b0f885");
    }

    proptest! {
        /// From the first counter on, the provider's GCM is the same for every length.
        #[test]
        fn what_follows_the_counter_block_agrees_with_the_provider(
            key: [u8; 16], nonce: [u8; 12], data in proptest::collection::vec(any::<u8>(), 0..100),
        ) {
            let ours = AesGcmLongIv::new(&key).unwrap();
            let mut first = [0; 16];
            first[..12].copy_from_slice(&nonce);
            first[15] = 1;
            let first = u128::from_be_bytes(first);
            let (mut sealed, mut expected) = (data.clone(), data.clone());
            ours.apply_keystream(first, &mut sealed).unwrap();
            let tag = AesGcm::new(&key).unwrap().seal(nonce, &mut expected).unwrap();
            prop_assert_eq!(&sealed, &expected);
            prop_assert_eq!(ours.tag(first, &sealed).unwrap(), tag);
        }
    }
}
