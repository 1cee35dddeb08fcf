//! One number for everything that happened.

/// A running hash of words and bytes. Not for secrets: it tells two runs apart, quickly
/// enough to be fed every byte that crosses a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace(u64);

/// Odd, with its bits well spread (the fractional part of the golden ratio).
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

impl Trace {
    /// The hash of nothing.
    pub const fn new() -> Self {
        Self(SPREAD)
    }

    /// Takes a number in.
    pub const fn word(&mut self, word: u64) {
        // A product of 128 bits folded: each bit of both reaches every bit of the hash.
        let product = (self.0 ^ word) as u128 * (SPREAD ^ word.rotate_left(32) | 1) as u128;
        self.0 = (product as u64) ^ (product >> 64) as u64 ^ self.0.rotate_left(23);
    }

    /// Takes bytes in, and how many they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.word(bytes.len() as u64);
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            self.word(word.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)));
        }
        self.word(words.remainder().iter().fold(1, |value, byte| value << 8 | u64::from(*byte)));
    }

    /// The hash of all that was taken in.
    pub const fn value(&self) -> u64 {
        self.0
    }
}

impl Default for Trace {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn of(bytes: &[u8]) -> u64 {
        let mut trace = Trace::new();
        trace.bytes(bytes);
        trace.value()
    }

    #[test]
    fn every_bit_length_and_order_counts() {
        let base: Vec<u8> = (0..100).collect();
        let mut seen = HashSet::from([of(&base)]);
        for len in 1..100 {
            assert!(seen.insert(of(&base[..len])), "{len} bytes");
            assert!(seen.insert(of(&vec![7; len])), "{len} times the same");
        }
        for bit in 0..800 {
            let mut other = base.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(seen.insert(of(&other)), "bit {bit}");
        }
        let mut swapped = base.clone();
        swapped.swap(3, 90);
        assert!(seen.insert(of(&swapped)));
        assert_eq!(of(&base), of(&base.clone()));
    }
}
