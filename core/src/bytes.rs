//! Bounds-checked reading and writing of packets: the only place that indexes
//! bytes which came from a peer.

/// A packet ended before the value that should follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the packet ends {missing} bytes too early (at offset {offset})")]
pub struct Truncated {
    /// Where the read began.
    pub offset: usize,
    /// How many bytes were missing.
    pub missing: usize,
}

/// Reads integers and slices from the front of a packet.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    data: &'a [u8],
    offset: usize,
}

macro_rules! read_int {
    ($($be:ident $le:ident $ty:ty),*) => {$(
        /// Reads one big-endian integer.
        pub fn $be(&mut self) -> Result<$ty, Truncated> {
            self.array().map(<$ty>::from_be_bytes)
        }

        /// Reads one little-endian integer.
        pub fn $le(&mut self) -> Result<$ty, Truncated> {
            self.array().map(<$ty>::from_le_bytes)
        }
    )*};
}

impl<'a> Reader<'a> {
    /// Reads `data` from its first byte.
    pub const fn new(data: &'a [u8]) -> Self {
        Self { data, offset: 0 }
    }

    /// How many bytes have been read.
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// How many bytes are left.
    pub const fn remaining(&self) -> usize {
        self.data.len() - self.offset
    }

    /// True when nothing is left.
    pub const fn is_empty(&self) -> bool {
        self.remaining() == 0
    }

    /// Takes the next `n` bytes.
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], Truncated> {
        match self.data.get(self.offset..).and_then(|rest| rest.get(..n)) {
            Some(slice) => {
                self.offset += n;
                Ok(slice)
            }
            None => Err(Truncated { offset: self.offset, missing: n - self.remaining() }),
        }
    }

    /// Takes everything that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        let rest = self.data.get(self.offset..).unwrap_or_default();
        self.offset = self.data.len();
        rest
    }

    /// Takes the next `N` bytes as an array.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Truncated> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N)?);
        Ok(out)
    }

    /// Reads one byte.
    pub fn u8(&mut self) -> Result<u8, Truncated> {
        self.array::<1>().map(|[byte]| byte)
    }

    read_int!(u16_be u16_le u16, u32_be u32_le u32, u64_be u64_le u64, i16_be i16_le i16, i32_be i32_le i32);

    /// Reads a little-endian IEEE single.
    pub fn f32_le(&mut self) -> Result<f32, Truncated> {
        self.array().map(f32::from_le_bytes)
    }
}

/// Appends integers and slices to a buffer.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
}

macro_rules! write_int {
    ($($be:ident $le:ident $ty:ty),*) => {$(
        /// Appends one big-endian integer.
        pub fn $be(&mut self, value: $ty) -> &mut Self {
            self.bytes(&value.to_be_bytes())
        }

        /// Appends one little-endian integer.
        pub fn $le(&mut self, value: $ty) -> &mut Self {
            self.bytes(&value.to_le_bytes())
        }
    )*};
}

impl<'a> Writer<'a> {
    /// Appends to `out`, which keeps what it already holds.
    pub const fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out }
    }

    /// Appends bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.out.extend_from_slice(bytes);
        self
    }

    /// Appends one byte.
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.bytes(&[value])
    }

    write_int!(u16_be u16_le u16, u32_be u32_le u32, u64_be u64_le u64, i16_be i16_le i16, i32_be i32_le i32);

    /// Appends a little-endian IEEE single.
    pub fn f32_le(&mut self, value: f32) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }
}

/// Lower-case hexadecimal text of `bytes`.
pub fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|b| [b >> 4, b & 15])
        .map(|nibble| char::from(DIGITS[usize::from(nibble)]))
        .collect()
}

/// The bytes that hexadecimal `text` (either case) stands for, or `None` when it
/// has an odd length or another character.
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |c: u8| char::from(c).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
        return None;
    };
    pairs.iter().map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_short_packet_is_an_error_and_consumes_nothing() {
        let mut reader = Reader::new(&[1, 2, 3]);
        assert_eq!(reader.u16_be(), Ok(0x0102));
        assert_eq!(reader.u32_le(), Err(Truncated { offset: 2, missing: 3 }));
        assert_eq!(reader.u8(), Ok(3));
        assert!(reader.is_empty());
    }

    proptest! {
        #[test]
        fn hex_round_trips(bytes: Vec<u8>) {
            prop_assert_eq!(from_hex(&to_hex(&bytes)), Some(bytes.clone()));
            prop_assert_eq!(from_hex(&to_hex(&bytes).to_uppercase()), Some(bytes));
        }

        #[test]
        fn hex_of_anything_never_panics(text: String) {
            let _ = from_hex(&text);
        }

        #[test]
        fn what_is_written_is_read_back(a: u8, b: u16, c: u32, d: i16, e: u64) {
            let mut out = Vec::new();
            Writer::new(&mut out).u8(a).u16_be(b).u32_le(c).i16_be(d).u64_le(e);
            let mut reader = Reader::new(&out);
            prop_assert_eq!(reader.u8(), Ok(a));
            prop_assert_eq!(reader.u16_be(), Ok(b));
            prop_assert_eq!(reader.u32_le(), Ok(c));
            prop_assert_eq!(reader.i16_be(), Ok(d));
            prop_assert_eq!(reader.u64_le(), Ok(e));
        }
    }
}
