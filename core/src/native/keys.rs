//! Keys of media datagrams (page, section 4.1): from the secret that TLS exports to one
//! chain of keys per direction. Only derivation; `media` seals and opens with what this
//! gives out. Nothing here is ever written to a log: no `Debug` shows a secret.

use std::fmt;

use aws_lc_rs::hmac;

/// Label of the TLS exporter for media; the context is the media id (8 bytes).
pub const EXPORTER_MEDIA: &[u8] = b"EXPORTER-punktfunk-1 media";

/// Which way a message or a datagram goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the host to the client.
    ToClient,
    /// From the client to the host.
    ToHost,
}

impl Direction {
    /// What goes the other way.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::ToClient => Self::ToHost,
            Self::ToHost => Self::ToClient,
        }
    }

    /// What the keys of this direction are derived with.
    const fn label(self) -> &'static [u8] {
        match self {
            Self::ToClient => b"pf1 h2c",
            Self::ToHost => b"pf1 c2h",
        }
    }
}

/// What media datagrams are sealed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Aead {
    /// AES-128-GCM: where the processor has instructions for it.
    Aes128Gcm = 1,
    /// ChaCha20-Poly1305: elsewhere.
    ChaCha20Poly1305 = 2,
}

impl Aead {
    /// Its number on the wire.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The one with this number, or `None` when this version knows none.
    pub const fn from_number(number: u64) -> Option<Self> {
        match number {
            1 => Some(Self::Aes128Gcm),
            2 => Some(Self::ChaCha20Poly1305),
            _ => None,
        }
    }

    /// Bytes of a key.
    pub const fn key_len(self) -> usize {
        match self {
            Self::Aes128Gcm => 16,
            Self::ChaCha20Poly1305 => 32,
        }
    }
}

/// What the TLS exporter gave for one session.
#[derive(Clone)]
pub struct Exported([u8; 32]);

impl Exported {
    /// The 32 bytes that the exporter gives for [`EXPORTER_MEDIA`] and the media id.
    pub const fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    /// The keys of both directions.
    pub fn traffic(&self, aead: Aead) -> Traffic {
        Traffic { h2c: self.schedule(Direction::ToClient, aead), c2h: self.schedule(Direction::ToHost, aead) }
    }

    /// The keys of one direction.
    pub fn schedule(&self, direction: Direction, aead: Aead) -> Schedule {
        Schedule::new(aead, expand(&self.0, direction.label()))
    }
}

/// The keys of both directions of one session.
#[derive(Clone, Debug)]
pub struct Traffic {
    /// Host to client.
    pub h2c: Schedule,
    /// Client to host.
    pub c2h: Schedule,
}

/// One key and its IV.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyMaterial {
    aead: Aead,
    key: [u8; 32],
    iv: [u8; 12],
}

impl KeyMaterial {
    fn new(aead: Aead, secret: &[u8; 32]) -> Self {
        // Of HKDF-Expand a shorter output is the beginning of a longer one.
        Self { aead, key: expand(secret, b"pf1 key"), iv: expand(secret, b"pf1 iv") }
    }

    /// What it is for.
    pub const fn aead(&self) -> Aead {
        self.aead
    }

    /// The key: 16 or 32 bytes.
    pub fn key(&self) -> &[u8] {
        self.key.get(..self.aead.key_len()).unwrap_or(&self.key)
    }

    /// The IV, as it is before the sequence goes in.
    pub const fn iv(&self) -> &[u8; 12] {
        &self.iv
    }

    /// The nonce of one sequence: the IV XOR the sequence, right-aligned.
    pub fn nonce(&self, sequence: u64) -> [u8; 12] {
        let mut nonce = self.iv;
        for (byte, part) in nonce.iter_mut().skip(4).zip(sequence.to_be_bytes()) {
            *byte ^= part;
        }
        nonce
    }
}

/// The chain of keys of one direction: the present one, the one before and the next,
/// which a receiver tries when the phase changes and a sender has ready.
#[derive(Clone)]
pub struct Schedule {
    aead: Aead,
    generation: u64,
    previous: Option<KeyMaterial>,
    current: KeyMaterial,
    next: KeyMaterial,
    /// What the key after the next is derived from.
    after: [u8; 32],
}

impl Schedule {
    fn new(aead: Aead, first: [u8; 32]) -> Self {
        let second = step(&first);
        Self {
            aead,
            generation: 0,
            previous: None,
            current: KeyMaterial::new(aead, &first),
            next: KeyMaterial::new(aead, &second),
            after: step(&second),
        }
    }

    /// How many times [`advance`](Self::advance) was called: N of the page.
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// The phase bit of the present key, 0 or 1; the keys before and after have the other.
    pub const fn phase(&self) -> u8 {
        if self.generation.is_multiple_of(2) { 0 } else { 1 }
    }

    /// The key before, until [`forget_previous`](Self::forget_previous).
    pub const fn previous(&self) -> Option<&KeyMaterial> {
        self.previous.as_ref()
    }

    /// The key in use.
    pub const fn current(&self) -> &KeyMaterial {
        &self.current
    }

    /// The key after it.
    pub const fn next(&self) -> &KeyMaterial {
        &self.next
    }

    /// Goes on to the next key; the present one becomes the one before.
    pub fn advance(&mut self) {
        let next = KeyMaterial::new(self.aead, &self.after);
        self.after = step(&self.after);
        let current = std::mem::replace(&mut self.next, next);
        self.previous = Some(std::mem::replace(&mut self.current, current));
        self.generation += 1;
    }

    /// Lets the key before go: nothing sealed with it is accepted any more.
    pub fn forget_previous(&mut self) {
        self.previous = None;
    }
}

fn step(secret: &[u8; 32]) -> [u8; 32] {
    expand(secret, b"pf1 next")
}

macro_rules! silent {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    )*};
}

silent!(Exported, KeyMaterial, Schedule);

/// HKDF-Extract of RFC 5869 with SHA-256.
pub fn extract(salt: &[u8], input: &[u8]) -> [u8; 32] {
    mac(salt, &[input])
}

/// HKDF-Expand of RFC 5869 with SHA-256 to at most 32 bytes: its first block.
pub fn expand<const N: usize>(secret: &[u8; 32], info: &[u8]) -> [u8; N] {
    const { assert!(N <= 32, "more than one block") };
    let block = mac(secret, &[info, &[1]]);
    let mut out = [0; N];
    for (byte, &value) in out.iter_mut().zip(&block) {
        *byte = value;
    }
    out
}

/// HMAC-SHA-256 of the parts one after the other.
pub fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    for part in parts {
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.sign().as_ref());
    out
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::hkdf;
    use proptest::prelude::*;

    use super::*;

    struct Length(usize);

    impl hkdf::KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }

    fn expanded(secret: &[u8; 32], info: &[u8], len: usize) -> Vec<u8> {
        let mut out = vec![0; len];
        let prk = hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, secret);
        prk.expand(&[info], Length(len)).unwrap().fill(&mut out).unwrap();
        out
    }

    #[test]
    fn the_chain_is_the_one_of_the_page() {
        let secret = [7; 32];
        for aead in [Aead::Aes128Gcm, Aead::ChaCha20Poly1305] {
            let mut schedule = Exported::new(secret).schedule(Direction::ToHost, aead);
            let mut link = expanded(&secret, b"pf1 c2h", 32);
            for generation in 0..4 {
                let bytes: [u8; 32] = link.clone().try_into().unwrap();
                assert_eq!(schedule.generation(), generation);
                assert_eq!(u64::from(schedule.phase()), generation % 2);
                assert_eq!(schedule.current().key(), expanded(&bytes, b"pf1 key", aead.key_len()));
                assert_eq!(schedule.current().iv().to_vec(), expanded(&bytes, b"pf1 iv", 12));
                link = expanded(&bytes, b"pf1 next", 32);
                let (current, next) = (schedule.current().clone(), schedule.next().clone());
                schedule.advance();
                assert_eq!(schedule.previous(), Some(&current));
                assert_eq!(schedule.current(), &next);
            }
            schedule.forget_previous();
            assert_eq!(schedule.previous(), None);
        }
    }

    #[test]
    fn no_key_is_used_twice() {
        let traffic = Exported::new([1; 32]).traffic(Aead::ChaCha20Poly1305);
        let mut seen = std::collections::HashSet::new();
        for mut schedule in [traffic.h2c, traffic.c2h] {
            for _ in 0..50 {
                assert!(seen.insert(schedule.current().key().to_vec()));
                schedule.advance();
            }
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let exported = Exported::new([1; 32]);
        let text = format!("{exported:?} {:?}", exported.traffic(Aead::Aes128Gcm));
        assert_eq!(text, "Exported(..) Traffic { h2c: Schedule(..), c2h: Schedule(..) }");
    }

    proptest! {
        #[test]
        fn extraction_and_expansion_are_those_of_the_provider(
            salt: Vec<u8>, input: Vec<u8>, info in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            let ours: [u8; 32] = expand(&extract(&salt, &input), &info);
            let mut theirs = [0; 32];
            let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, &salt).extract(&input);
            prk.expand(&[&info], Length(32)).unwrap().fill(&mut theirs).unwrap();
            prop_assert_eq!(ours, theirs);
        }

        #[test]
        fn a_nonce_is_the_iv_and_the_sequence(secret: [u8; 32], sequence: u64) {
            let schedule = Exported::new(secret).schedule(Direction::ToClient, Aead::Aes128Gcm);
            let (nonce, iv) = (schedule.current().nonce(sequence), schedule.current().iv());
            prop_assert_eq!(&nonce[..4], &iv[..4]);
            let mixed: Vec<u8> = nonce[4..].iter().zip(&iv[4..]).map(|(a, b)| a ^ b).collect();
            prop_assert_eq!(mixed, sequence.to_be_bytes().to_vec());
        }
    }
}
