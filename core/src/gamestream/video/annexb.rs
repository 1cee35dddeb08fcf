//! What H.264 and HEVC have in common: a byte stream of NAL units (Annex B of either
//! standard), laid out as clients expect it (sheet, section 8.2).

use std::ops::Range;

use super::wire::{FRAME_HEADER, payload};

/// One NAL unit of a byte stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nal {
    /// The NAL unit with its start code, up to the next start code.
    pub range: Range<usize>,
    /// `nal_unit_type`.
    pub kind: u8,
}

/// What a standard calls its NAL units.
pub(super) struct Syntax {
    /// `nal_unit_type` from the byte after the start code.
    pub kind: fn(u8) -> u8,
    /// A slice of any picture.
    pub is_slice: fn(u8) -> bool,
    /// A slice of a picture that clients take for an IDR picture.
    pub is_idr: fn(u8) -> bool,
    /// The parameter sets, in the order in which an IDR picture carries them.
    pub parameter_sets: &'static [u8],
}

/// Offsets of the next start code at or after `from`: of its first zero and of the
/// byte after it.
fn start_code(stream: &[u8], from: usize) -> Option<(usize, usize)> {
    let at = from + stream.get(from..)?.windows(3).position(|window| window == [0, 0, 1])?;
    let long = at > from && stream[at - 1] == 0;
    Some((if long { at - 1 } else { at }, at + 3))
}

/// The NAL units of a byte stream. Bytes before the first start code and start codes
/// without a NAL unit are left out.
pub(super) fn nal_units(stream: &[u8], kind: fn(u8) -> u8) -> impl Iterator<Item = Nal> + '_ {
    let mut next = start_code(stream, 0);
    std::iter::from_fn(move || {
        loop {
            let (begin, header) = next?;
            next = start_code(stream, header);
            let end = next.map_or(stream.len(), |(begin, _)| begin);
            if let Some(&byte) = stream.get(header).filter(|_| header < end) {
                return Some(Nal { range: begin..end, kind: kind(byte) });
            }
        }
    })
}

impl Syntax {
    /// See [`super::h264::strip_leading`].
    pub fn strip_leading(&self, unit: &mut [u8]) -> usize {
        // Only the few NAL units before the slices are looked at: searching a whole
        // picture for start codes would cost more than it is worth.
        let mut kept = 0;
        let mut from = 0;
        while let Some((begin, header)) = start_code(unit, from) {
            let Some(kind) = unit.get(header).map(|&byte| (self.kind)(byte)) else { break };
            if (self.is_slice)(kind) {
                unit.copy_within(begin.., kept);
                return kept + unit.len() - begin;
            }
            from = start_code(unit, header).map_or(unit.len(), |(next, _)| next);
            if self.parameter_sets.contains(&kind) {
                unit.copy_within(begin..from, kept);
                kept += from - begin;
            }
        }
        kept
    }

    /// See [`super::h264::fits_first_shard`].
    pub fn fits_first_shard(&self, unit: &[u8], packet_size: usize) -> bool {
        let Ok(payload) = payload(packet_size) else { return false };
        let shard = unit.get(..payload - FRAME_HEADER).unwrap_or(unit);
        let mut missing = self.parameter_sets;
        for nal in nal_units(shard, self.kind) {
            if (self.is_slice)(nal.kind) {
                return (self.is_idr)(nal.kind) && missing.is_empty();
            }
            // A set counts only after the ones before it.
            if let Some((next, rest)) = missing.split_first()
                && *next == nal.kind
            {
                missing = rest;
            }
        }
        false
    }
}
