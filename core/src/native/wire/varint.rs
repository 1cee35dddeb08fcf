//! Numbers of variable length as QUIC writes them (RFC 9000, section 16): the two
//! highest bits of the first byte say whether 1, 2, 4 or 8 bytes hold it.

/// The largest number that can be written.
pub const MAX: u64 = (1 << 62) - 1;

/// How many bytes the shortest form of `value` has: 1, 2, 4 or 8.
pub const fn len(value: u64) -> usize {
    match value {
        0..=0x3F => 1,
        0x40..=0x3FFF => 2,
        0x4000..=0x3FFF_FFFF => 4,
        _ => 8,
    }
}

/// Appends `value` in its shortest form; above [`MAX`] it appends [`MAX`].
pub fn encode(value: u64, out: &mut Vec<u8>) {
    let value = if value > MAX { MAX } else { value };
    let (len, form) = match len(value) {
        1 => (1, 0),
        2 => (2, 1 << 14),
        4 => (4, 2 << 30),
        _ => (8, 3 << 62),
    };
    let bytes = (value | form).to_be_bytes();
    out.extend(bytes.into_iter().skip(8 - len));
}

/// Reads a number from the front of `bytes` and says how many bytes it had; any form is
/// accepted. `None` while it is not whole.
pub fn decode(bytes: &[u8]) -> Option<(u64, usize)> {
    let first = *bytes.first()?;
    let len = 1 << (first >> 6);
    let rest = bytes.get(1..len)?;
    let value = rest.iter().fold(u64::from(first & 0x3F), |value, &byte| value << 8 | u64::from(byte));
    Some((value, len))
}

/// A signed number as an unsigned one, small ones staying small: 0, −1, 1, −2, …
pub const fn zigzag(value: i64) -> u64 {
    (value.wrapping_shl(1) ^ (value >> 63)).cast_unsigned()
}

/// The reverse of [`zigzag`].
pub const fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::bytes::{from_hex, to_hex};

    /// The examples of RFC 9000, appendix A.1.
    #[test]
    fn numbers_are_those_of_the_rfc() {
        for (hex, value) in [
            ("c2197c5eff14e88c", 151_288_809_941_952_652),
            ("9d7f3e7d", 494_878_333),
            ("7bbd", 15_293),
            ("25", 37),
        ] {
            let bytes = from_hex(hex).unwrap();
            assert_eq!(decode(&bytes), Some((value, bytes.len())));
            let mut out = Vec::new();
            encode(value, &mut out);
            assert_eq!(to_hex(&out), hex);
        }
        assert_eq!(decode(&from_hex("4025").unwrap()), Some((37, 2)), "a longer form is read");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(value: u64, shift in 0u32..64, tail: Vec<u8>) {
            let value = value >> shift;
            let mut out = Vec::new();
            encode(value, &mut out);
            let length = out.len();
            prop_assert_eq!(length, len(value));
            for cut in 0..length {
                prop_assert_eq!(decode(&out[..cut]), None);
            }
            out.extend(tail);
            prop_assert_eq!(decode(&out), Some((value.min(MAX), length)));
        }

        #[test]
        fn signed_numbers_round_trip(value: i64) {
            prop_assert_eq!(unzigzag(zigzag(value)), value);
            prop_assert!(value.unsigned_abs() >= 1 << 62 || zigzag(value) <= 2 * value.unsigned_abs());
        }
    }
}
