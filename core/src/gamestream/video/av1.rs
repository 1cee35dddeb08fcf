//! AV1 temporal units as the client expects them (sheet, section 8.2): open bitstream
//! units with their sizes, a sequence header in each key frame.

use std::ops::Range;

use crate::bytes::Reader;

/// `obu_type` of a sequence header.
pub const SEQUENCE_HEADER: u8 = 1;
/// `obu_type` of the mark between temporal units.
pub const TEMPORAL_DELIMITER: u8 = 2;
/// `obu_type` of a header and the tiles of a frame.
pub const FRAME: u8 = 6;

/// One open bitstream unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obu {
    /// With its header.
    pub range: Range<usize>,
    /// `obu_type`, 0 to 15.
    pub kind: u8,
}

/// The units of a temporal unit in the low-overhead format. Ends at the first one
/// that has no size or goes beyond the end.
pub fn obus(unit: &[u8]) -> impl Iterator<Item = Obu> + '_ {
    let mut begin = 0;
    std::iter::from_fn(move || {
        let rest = unit.get(begin..)?;
        let (kind, length) = head(rest)?;
        let range = begin..begin + length;
        begin = range.end;
        Some(Obu { range, kind })
    })
}

/// Type and whole length of the unit that `bytes` begins with.
fn head(bytes: &[u8]) -> Option<(u8, usize)> {
    let mut reader = Reader::new(bytes);
    let first = reader.u8().ok()?;
    let (extension, sized) = (first & 4 != 0, first & 2 != 0);
    if first & 0x80 != 0 || !sized {
        return None;
    }
    let mut length = 1;
    if extension {
        reader.u8().ok()?;
        length += 1;
    }
    let mut size = 0_usize;
    // leb128: 7 bits a byte, 8 bytes at most.
    for index in 0..8 {
        let byte = reader.u8().ok()?;
        length += 1;
        size |= usize::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            let end = size.checked_add(length)?;
            return (end <= bytes.len()).then_some((first >> 3 & 15, end));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn units_are_told_apart() {
        let mut unit = vec![0x12, 0, 0x0A, 2, 7, 7, 0x32, 0x81, 1];
        unit.extend([9; 129]);
        let kinds: Vec<_> = obus(&unit).map(|obu| (obu.kind, obu.range.len())).collect();
        assert_eq!(kinds, [(TEMPORAL_DELIMITER, 2), (SEQUENCE_HEADER, 4), (FRAME, 132)]);
        unit.pop();
        assert_eq!(obus(&unit).count(), 2);
    }

    proptest! {
        #[test]
        fn any_bytes_give_units_that_lie_inside(bytes: Vec<u8>) {
            let mut end = 0;
            for obu in obus(&bytes) {
                prop_assert_eq!(obu.range.start, end);
                prop_assert!(obu.range.end > end && obu.range.end <= bytes.len());
                end = obu.range.end;
            }
        }
    }
}
