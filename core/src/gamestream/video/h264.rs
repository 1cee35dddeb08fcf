//! H.264 access units as the client expects them (sheet, section 8.2): Annex B,
//! nothing before the parameter sets or the slice, and for an IDR picture the start
//! of the slice in the first shard.

pub use super::annexb::Nal;
use super::annexb::{self, Syntax};

/// `nal_unit_type` of a slice that is no IDR slice.
pub const SLICE: u8 = 1;
/// `nal_unit_type` of an IDR slice.
pub const IDR: u8 = 5;
/// `nal_unit_type` of supplemental information.
pub const SEI: u8 = 6;
/// `nal_unit_type` of a sequence parameter set.
pub const SPS: u8 = 7;
/// `nal_unit_type` of a picture parameter set.
pub const PPS: u8 = 8;
/// `nal_unit_type` of an access unit delimiter.
pub const AUD: u8 = 9;

/// The NAL units of an Annex B byte stream. Bytes before the first start code and
/// start codes without a NAL unit are left out.
pub fn nal_units(stream: &[u8]) -> impl Iterator<Item = Nal> + '_ {
    annexb::nal_units(stream, kind)
}

fn kind(byte: u8) -> u8 {
    byte & 31
}

const SYNTAX: Syntax = Syntax {
    kind,
    is_slice: |kind| matches!(kind, SLICE..=IDR),
    is_idr: |kind| kind == IDR,
    parameter_sets: &[SPS, PPS],
};

/// Leaves nothing but parameter sets before the first slice of an access unit, in
/// place, and returns its new length in bytes. x264 puts about 700 bytes of version
/// text there, which would push the slice out of the first shard. Of an access unit
/// without a slice only the parameter sets are left.
pub fn strip_leading(unit: &mut [u8]) -> usize {
    SYNTAX.strip_leading(unit)
}

/// True when a client finds the IDR picture in the first shard at this packet size:
/// SPS, PPS and the header byte of the first slice. It looks nowhere else, and drops
/// frames until it finds one. Reads no more of the access unit than that shard holds.
pub fn fits_first_shard(unit: &[u8], packet_size: usize) -> bool {
    SYNTAX.fits_first_shard(unit, packet_size)
}
