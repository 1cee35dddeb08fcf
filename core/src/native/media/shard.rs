//! The header of a shard (page, section 4.2).

use super::{Error, Side, TAG_LEN};
use crate::bytes::{Reader, Truncated};

/// Bytes of the header.
pub const HEADER_LEN: usize = 25;
/// Bytes of a datagram that are not shard: prefix, header and tag.
pub const OVERHEAD: usize = Side::Host.prefix_len() + HEADER_LEN + TAG_LEN;
/// Most data shards of a block.
pub const MAX_DATA: u16 = 4096;
/// Most parity shards of a block.
pub const MAX_PARITY: u16 = 4096;

/// The bits of section 4.2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags(pub u8);

impl Flags {
    /// Starts over; carries its parameter sets.
    pub const KEY_FRAME: Self = Self(1);
    /// The last block of its frame.
    pub const LAST_BLOCK: Self = Self(2);
    /// Refers to nothing that was lost or invalidated.
    pub const RECOVERY_POINT: Self = Self(4);
    /// Sent again.
    pub const REPAIR: Self = Self(8);
    /// A new picture, not a repetition.
    pub const NEW_PICTURE: Self = Self(16);
    /// What two shards of one block may not disagree in.
    pub(super) const FIXED: Self = Self(1 | 2);

    /// True when every bit of `other` is set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The bits that are in `other`, too.
    #[must_use]
    pub const fn of(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The bits that are not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// What stands before every shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShardHeader {
    /// Counts every frame of the session from 0 and wraps.
    pub frame: u32,
    /// When the picture was taken, µs of the host's clock; 48 bits count.
    pub timestamp: u64,
    /// Which configuration the frame was made in.
    pub epoch: u8,
    /// The bits of section 4.2.
    pub flags: Flags,
    /// The block within the frame, from 0.
    pub block: u8,
    /// From the picture until the datagram was made, in 10 µs; 65,535 for longer.
    pub age: u16,
    /// Data shards in the blocks before this one.
    pub base: u16,
    /// Below `k`: data shard; from `k` on: parity.
    pub index: u16,
    /// Data shards of the block, 1 to [`MAX_DATA`].
    pub k: u16,
    /// Parity shards of the block, 0 to [`MAX_PARITY`].
    pub m: u16,
    /// Bytes of the last data shard that count.
    pub tail: u16,
}

impl ShardHeader {
    /// As on the wire.
    pub fn bytes(&self) -> [u8; HEADER_LEN] {
        let mut out = [0; HEADER_LEN];
        out[..4].copy_from_slice(&self.frame.to_be_bytes());
        out[4..10].copy_from_slice(&self.timestamp.to_be_bytes()[2..]);
        out[10..13].copy_from_slice(&[self.epoch, self.flags.0, self.block]);
        let rest = [self.age, self.base, self.index, self.k, self.m, self.tail];
        for (place, value) in out[13..].as_chunks_mut::<2>().0.iter_mut().zip(rest) {
            *place = value.to_be_bytes();
        }
        out
    }

    /// Splits what was sealed into header and shard. Everything that one shard alone can
    /// tell is checked: see section 4.2.
    pub fn read(plain: &[u8]) -> Result<(Self, &[u8]), Error> {
        let mut reader = Reader::new(plain);
        let header = Self::fields(&mut reader).map_err(|_| Error::Malformed)?;
        let shard = reader.rest();
        let sane = header.k >= 1
            && header.k <= MAX_DATA
            && header.m <= MAX_PARITY
            && header.index < header.k + header.m
            && header.base.checked_add(header.k).is_some()
            && (header.block > 0 || header.base == 0)
            && !shard.is_empty()
            && shard.len().is_multiple_of(2)
            && usize::from(header.tail) <= shard.len()
            && (header.tail > 0 || header.k == 1);
        if sane { Ok((header, shard)) } else { Err(Error::Malformed) }
    }

    fn fields(reader: &mut Reader<'_>) -> Result<Self, Truncated> {
        Ok(Self {
            frame: reader.u32_be()?,
            timestamp: u64::from(reader.u16_be()?) << 32 | u64::from(reader.u32_be()?),
            epoch: reader.u8()?,
            flags: Flags(reader.u8()?),
            block: reader.u8()?,
            age: reader.u16_be()?,
            base: reader.u16_be()?,
            index: reader.u16_be()?,
            k: reader.u16_be()?,
            m: reader.u16_be()?,
            tail: reader.u16_be()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_header_has_25_bytes_in_the_order_of_the_page() {
        let header = ShardHeader {
            frame: 0x0102_0304,
            timestamp: 0x0506_0708_090a,
            epoch: 0x0b,
            flags: Flags(0x0c),
            block: 0x0d,
            age: 0x0e0f,
            base: 0x1011,
            index: 0x0213,
            k: 0x0415,
            m: 0x0617,
            tail: 2,
        };
        let expected: Vec<u8> = (1..=0x11).chain([2, 0x13, 4, 0x15, 6, 0x17, 0, 2]).collect();
        assert_eq!(header.bytes().to_vec(), expected);
        let sealed = [expected, vec![7, 8]].concat();
        assert_eq!(ShardHeader::read(&sealed), Ok((header, [7, 8].as_slice())));
    }

    #[test]
    fn what_no_shard_can_say_is_malformed() {
        let good = ShardHeader { k: 4, m: 2, index: 5, tail: 10, ..ShardHeader::default() };
        let read = |header: ShardHeader, len| {
            ShardHeader::read(&[header.bytes().as_slice(), &vec![0; len]].concat()).map(|(header, _)| header)
        };
        assert_eq!(read(good, 10), Ok(good));
        let bad = [
            ShardHeader { k: 0, index: 0, ..good },
            ShardHeader { k: MAX_DATA + 1, ..good },
            ShardHeader { m: MAX_PARITY + 1, ..good },
            ShardHeader { index: 6, ..good },
            ShardHeader { tail: 12, ..good },
            ShardHeader { tail: 0, ..good },
            ShardHeader { base: 4, ..good },
            ShardHeader { block: 1, base: 65_535, ..good },
        ];
        for header in bad {
            assert_eq!(read(header, 10), Err(Error::Malformed), "{header:?}");
        }
        assert_eq!(read(good, 11), Err(Error::Malformed));
        assert_eq!(read(ShardHeader { tail: 0, k: 1, index: 0, ..good }, 0), Err(Error::Malformed));
        assert!(read(ShardHeader { tail: 0, k: 1, index: 0, ..good }, 2).is_ok());
    }

    proptest! {
        #[test]
        fn reading_anything_never_panics(plain: Vec<u8>) {
            if let Ok((header, shard)) = ShardHeader::read(&plain) {
                prop_assert_eq!([header.bytes().as_slice(), shard].concat(), plain);
            }
        }
    }
}
