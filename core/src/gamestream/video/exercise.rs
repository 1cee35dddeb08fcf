//! The video receiver and the readers of bitstreams under foreign bytes: what the fuzzer
//! and the corpus tests drive.

use super::wire::{OUTER, PREFIX};
use super::{Counters, Error, Reassembler, av1, h264, hevc, replay};
use crate::bytes::Reader;
use crate::crypto::AesGcm;

const KEY: [u8; 16] = [7; 16];
const PACKET_SIZE: usize = 64;

/// Feeds `records`, as [`replay`] has them, to a reassembler without a key; then to one
/// with a key, each datagram as it is and sealed by somebody who has the key.
///
/// # Panics
///
/// When a key is accepted that nobody gave, which is a defect.
pub fn exercise(records: &[u8]) -> Result<Counters, Error> {
    let plain = replay(PACKET_SIZE, records)?;
    let gcm = AesGcm::new(&KEY)?;
    let mut reassembler = Reassembler::new(PACKET_SIZE, Some(KEY))?;
    let mut reader = Reader::new(records);
    let (mut sealed, mut oversized) = (Vec::new(), false);
    while let Ok(len) = reader.u16_le() {
        let len = usize::from(len).min(reader.remaining());
        let datagram = reader.take(len).unwrap_or_default();
        oversized |= len > PACKET_SIZE + OUTER;
        let before = reassembler.counters();
        let _ = reassembler.push(datagram);
        let after = reassembler.counters();
        assert_eq!((before.frames, before.lost), (after.frames, after.lost), "a stranger was believed");
        let mut shard = datagram.to_vec();
        let tag = gcm.seal([0; 12], &mut shard)?;
        sealed.clear();
        sealed.resize(PREFIX - tag.len(), 0);
        sealed.extend_from_slice(&tag);
        sealed.extend_from_slice(&shard);
        let _ = reassembler.push(&sealed);
        while reassembler.poll().is_some() {}
    }
    let opened = reassembler.counters();
    // Too long a shard is cut without encryption, and dropped with it.
    assert!(oversized || (opened.frames, opened.lost) == (plain.frames, plain.lost), "other pictures");
    Ok(plain)
}

/// Reads `stream` as an access unit of each codec.
///
/// # Panics
///
/// When a unit lies outside the stream, or stripping makes it longer: both are defects.
pub fn exercise_bitstream(stream: &[u8]) {
    assert!(h264::nal_units(stream).count() <= stream.len());
    assert!(hevc::nal_units(stream).count() <= stream.len());
    assert!(av1::obus(stream).count() <= stream.len());
    for strip in [h264::strip_leading, hevc::strip_leading] {
        let mut unit = stream.to_vec();
        let len = strip(&mut unit);
        assert!(len <= stream.len());
        unit.truncate(len);
        assert_eq!(strip(&mut unit), len, "stripping twice strips more");
    }
    for packet_size in [0, 64, 1024, usize::MAX] {
        let _ = h264::fits_first_shard(stream, packet_size);
        let _ = hevc::fits_first_shard(stream, packet_size);
    }
}
