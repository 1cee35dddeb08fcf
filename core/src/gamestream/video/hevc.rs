//! HEVC access units as the client expects them (sheet, section 8.2): like those of
//! H.264, with the VPS before all else.

use super::annexb::{self, Nal, Syntax};

/// `nal_unit_type` of a slice that refers to other pictures and may be referred to.
pub const SLICE: u8 = 1;
/// `nal_unit_type`s of pictures at which decoding can begin.
pub const IRAP: std::ops::RangeInclusive<u8> = 16..=21;
/// `nal_unit_type` of a video parameter set.
pub const VPS: u8 = 32;
/// `nal_unit_type` of a sequence parameter set.
pub const SPS: u8 = 33;
/// `nal_unit_type` of a picture parameter set.
pub const PPS: u8 = 34;
/// `nal_unit_type` of supplemental information before a picture.
pub const SEI: u8 = 39;

/// `nal_unit_type`s of slices end before this one.
const FIRST_NON_SLICE: u8 = 32;

const SYNTAX: Syntax = Syntax {
    kind,
    is_slice: |kind| kind < FIRST_NON_SLICE,
    is_idr: |kind| IRAP.contains(&kind),
    parameter_sets: &[VPS, SPS, PPS],
};

fn kind(byte: u8) -> u8 {
    byte >> 1 & 63
}

/// The NAL units of an Annex B byte stream.
pub fn nal_units(stream: &[u8]) -> impl Iterator<Item = Nal> + '_ {
    annexb::nal_units(stream, kind)
}

/// Leaves nothing but parameter sets before the first slice, in place; the new length
/// in bytes. x265's version text is longer than a whole shard.
pub fn strip_leading(unit: &mut [u8]) -> usize {
    SYNTAX.strip_leading(unit)
}

/// True when a client finds the IDR picture in the first shard at this packet size:
/// VPS, SPS, PPS and the header of the first slice.
pub fn fits_first_shard(unit: &[u8], packet_size: usize) -> bool {
    SYNTAX.fits_first_shard(unit, packet_size)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nal(kind: u8, length: usize) -> Vec<u8> {
        [&[0, 0, 0, 1, kind << 1, 1][..], &vec![0x5A; length]].concat()
    }

    #[test]
    fn only_parameter_sets_stay_before_the_slice() {
        let mut unit =
            [nal(35, 1), nal(VPS, 20), nal(SPS, 30), nal(PPS, 4), nal(SEI, 2000), nal(19, 50)].concat();
        assert!(!fits_first_shard(&unit, 1392));
        let length = strip_leading(&mut unit);
        let kinds: Vec<_> = nal_units(&unit[..length]).map(|nal| nal.kind).collect();
        assert_eq!(kinds, [VPS, SPS, PPS, 19]);
        assert!(fits_first_shard(&unit[..length], 512));
        let mut inter = [nal(SEI, 9), nal(SLICE, 50)].concat();
        let length = strip_leading(&mut inter);
        assert_eq!(inter[..length], nal(SLICE, 50));
        assert!(!fits_first_shard(&inter[..length], 512));
    }

    #[test]
    fn a_set_that_is_missing_or_late_hides_the_picture() {
        assert!(!fits_first_shard(&[nal(SPS, 9), nal(PPS, 4), nal(19, 9)].concat(), 1024));
        assert!(!fits_first_shard(&[nal(SPS, 9), nal(VPS, 9), nal(PPS, 4), nal(19, 9)].concat(), 1024));
        assert!(fits_first_shard(&[nal(VPS, 9), nal(SPS, 9), nal(PPS, 4), nal(21, 9)].concat(), 1024));
    }
}
