//! Offsets and sizes of a video datagram (sheet, sections 8 and 10).

use super::{Error, FrameKind};
use crate::bytes::Reader;

/// RTP header, reserved bytes and video header.
pub(super) const HEADER: usize = 32;
/// What is added to the packet size: RTP header and reserved bytes.
pub(super) const OUTER: usize = 16;
/// IV, frame index and tag before an encrypted datagram.
pub(super) const PREFIX: usize = 32;
/// The frame header at the start of block 0.
pub(super) const FRAME_HEADER: usize = 8;
pub(super) const MAX_BLOCKS: usize = 4;
/// Most data shards the 10-bit field can count.
pub(super) const MAX_BLOCK_DATA: usize = 1023;

pub(super) const FLAG_PICTURE: u8 = 1;
pub(super) const FLAG_EOF: u8 = 2;
pub(super) const FLAG_SOF: u8 = 4;

/// Checks a packet size and gives the payload bytes of a shard.
pub(super) fn payload(packet_size: usize) -> Result<usize, Error> {
    if (64..=8192).contains(&packet_size) {
        Ok(packet_size - 16)
    } else {
        Err(Error::PacketSize(packet_size))
    }
}

/// The parity count the client derives from the header (sheet, section 9).
pub(super) const fn parity(data: usize, percentage: usize) -> usize {
    (data * percentage).div_ceil(100)
}

/// The flags of data shard `index` of `count`.
pub(super) const fn flags(index: usize, count: usize) -> u8 {
    let first = if index == 0 { FLAG_SOF } else { 0 };
    let last = if index + 1 == count { FLAG_EOF } else { 0 };
    FLAG_PICTURE | first | last
}

/// The fields of a shard that do not depend on its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub sequence: u16,
    pub timestamp: u32,
    pub frame: u32,
    pub block: usize,
    pub last_block: usize,
    pub percentage: usize,
    pub shard: usize,
    pub data: usize,
}

impl Header {
    /// Parity shards of the block.
    pub(super) const fn parity(&self) -> usize {
        parity(self.data, self.percentage)
    }

    /// Writes the fields that parity does not cover, of data and parity shards.
    pub(super) fn write(&self, shard: &mut [u8]) {
        let info = (self.percentage as u32) << 4 | (self.shard as u32) << 12 | (self.data as u32) << 22;
        shard[0] = 0x90;
        shard[1] = 0;
        shard[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        shard[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        shard[8..12].fill(0);
        shard[20..24].copy_from_slice(&self.frame.to_le_bytes());
        shard[27] = (self.block as u8) << 4 | (self.last_block as u8) << 6;
        shard[28..32].copy_from_slice(&info.to_le_bytes());
    }

    /// Reads and checks the header of a shard.
    pub(super) fn read(shard: &[u8]) -> Result<Self, Error> {
        Self::fields(shard).ok_or(Error::Malformed)
    }

    fn fields(shard: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(shard);
        let [version, _] = reader.array().ok()?;
        let sequence = reader.u16_be().ok()?;
        let timestamp = reader.u32_be().ok()?;
        reader.take(12).ok()?;
        let frame = reader.u32_le().ok()?;
        let [_, _, _, blocks] = reader.array().ok()?;
        let info = reader.u32_le().ok()? as usize;
        let header = Self {
            sequence,
            timestamp,
            frame,
            block: usize::from(blocks >> 4 & 3),
            last_block: usize::from(blocks >> 6),
            percentage: info >> 4 & 0xFF,
            shard: info >> 12 & 0x3FF,
            data: info >> 22 & 0x3FF,
        };
        let total = header.data + header.parity();
        let sane = version & 0xD0 == 0x90
            && frame != 0
            && header.data != 0
            && header.block <= header.last_block
            && header.shard < total
            && (header.percentage == 0 || total <= punktfunk_fec::gf8::MAX_SHARDS);
        sane.then_some(header)
    }
}

/// The frame header (sheet, section 8.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHeader {
    pub latency: u16,
    pub kind: FrameKind,
    pub last_payload: u16,
}

impl FrameHeader {
    pub(super) fn bytes(self) -> [u8; FRAME_HEADER] {
        let kind = match self.kind {
            FrameKind::P => 1,
            FrameKind::Idr => 2,
            FrameKind::IntraRefresh => 4,
            FrameKind::AfterInvalidation => 5,
        };
        let [l0, l1] = self.latency.to_le_bytes();
        let [p0, p1] = self.last_payload.to_le_bytes();
        [1, l0, l1, kind, p0, p1, 0, 0]
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        if reader.u8().ok()? != 1 {
            return None;
        }
        let latency = reader.u16_le().ok()?;
        let kind = match reader.u8().ok()? {
            1 => FrameKind::P,
            2 => FrameKind::Idr,
            4 => FrameKind::IntraRefresh,
            5 => FrameKind::AfterInvalidation,
            _ => return None,
        };
        Some(Self { latency, kind, last_payload: reader.u16_le().ok()? })
    }
}
