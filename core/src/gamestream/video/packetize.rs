//! The host's side: an access unit becomes equally long datagrams with parity.

use punktfunk_fec::gf8::{Codec, MAX_SHARDS, Stripe};

use super::wire::{
    FRAME_HEADER, FrameHeader, HEADER, Header, MAX_BLOCK_DATA, MAX_BLOCKS, OUTER, PREFIX, flags, parity,
    payload,
};
use super::{Error, FrameKind};
use crate::crypto::AesGcm;

/// The largest minimum of parity shards that is honoured.
const MAX_MIN_PARITY: usize = 64;

/// What the session settled about its video datagrams.
#[derive(Clone, Debug)]
pub struct Config {
    /// `P`, bytes (`x-nv-video[0].packetSize`).
    pub packet_size: usize,
    /// Parity for each hundred data shards, 0 for none.
    pub fec_percentage: u8,
    /// Least parity shards of a block while the percentage is not 0; at most 64.
    pub min_parity: usize,
    /// The session key when video is encrypted.
    pub key: Option<[u8; 16]>,
}

/// One access unit to send.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// What the frame means to a waiting client.
    pub kind: FrameKind,
    /// Capture time in units of 1/90000 s; 0, which clients misread, is sent as 1.
    pub timestamp_90k: u32,
    /// Capture to packet, in 0.1 ms; 0 when unknown.
    pub latency_tenths_ms: u16,
    /// The access unit, laid out as section 8.2 of the sheet says.
    pub data: &'a [u8],
}

/// What [`Packetizer::packetize`] appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The number of the frame, from 1.
    pub frame_index: u32,
    /// Bytes of each datagram.
    pub datagram_len: usize,
    /// Datagrams appended: data and parity.
    pub datagrams: usize,
    /// How many of them are data.
    pub data_shards: usize,
    /// How many of them are parity.
    pub parity_shards: usize,
    /// FEC blocks, 1 to 4.
    pub blocks: usize,
    /// The percentage the frame was given: the configured one, or less when the
    /// frame is too large for four blocks of it.
    pub fec_percentage: u8,
}

#[derive(Clone, Copy, Debug, Default)]
struct Block {
    data: usize,
    parity: usize,
    percentage: usize,
}

/// Turns access units into datagrams. Numbers frames and shards.
#[derive(Debug)]
pub struct Packetizer {
    payload: usize,
    fec_percentage: u8,
    min_parity: usize,
    cipher: Option<AesGcm>,
    codec: Codec,
    frame_index: u32,
    shards: u32,
    sealed: u64,
}

impl Packetizer {
    /// A stream whose first frame will be number 1.
    pub fn new(config: Config) -> Result<Self, Error> {
        Ok(Self {
            payload: payload(config.packet_size)?,
            fec_percentage: config.fec_percentage,
            min_parity: config.min_parity.min(MAX_MIN_PARITY),
            cipher: config.key.as_ref().map(AesGcm::new).transpose()?,
            codec: Codec::default(),
            frame_index: 1,
            shards: 0,
            sealed: 0,
        })
    }

    /// Sets the percentage for the frames to come.
    pub const fn set_fec_percentage(&mut self, percentage: u8) {
        self.fec_percentage = percentage;
    }

    /// The number the next frame will have.
    pub const fn next_frame_index(&self) -> u32 {
        self.frame_index
    }

    /// Bytes of every datagram.
    pub const fn datagram_len(&self) -> usize {
        self.payload + HEADER + if self.cipher.is_some() { PREFIX } else { 0 }
    }

    /// Appends the datagrams of `frame` to `out`, block after block, data before
    /// parity. After an error `out` is as before and no frame number was used.
    pub fn packetize(&mut self, frame: Frame<'_>, out: &mut Vec<u8>) -> Result<Layout, Error> {
        if frame.data.is_empty() {
            return Err(Error::EmptyFrame);
        }
        let bytes = FRAME_HEADER + frame.data.len();
        let total = bytes.div_ceil(self.payload);
        if total > MAX_BLOCKS * MAX_BLOCK_DATA {
            return Err(Error::FrameTooLarge { shards: total });
        }
        let (percentage, blocks, count) = self.split(total);
        let blocks = &blocks[..count];
        let datagrams: usize = blocks.iter().map(|block| block.data + block.parity).sum();
        let (begin, size) = (out.len(), self.datagram_len());
        out.resize(begin + datagrams * size, 0);
        if let Err(error) = self.fill(&frame, blocks, &mut out[begin..]) {
            out.truncate(begin);
            return Err(error);
        }
        let layout = Layout {
            frame_index: self.frame_index,
            datagram_len: size,
            datagrams,
            data_shards: total,
            parity_shards: datagrams - total,
            blocks: count,
            // Came from a u8 and only went down.
            fec_percentage: percentage as u8,
        };
        self.frame_index = self.frame_index.wrapping_add(1).max(1);
        // Datagrams of one frame are at most 4092 + parity.
        self.shards = self.shards.wrapping_add(datagrams as u32);
        Ok(layout)
    }

    /// The percentage and the blocks for `total` data shards (sheet, section 9).
    fn split(&self, total: usize) -> (usize, [Block; MAX_BLOCKS], usize) {
        let mut percentage = usize::from(self.fec_percentage);
        while percentage > 0 && total > MAX_BLOCKS * self.most_data(percentage) {
            percentage -= 1;
        }
        let count = total.div_ceil(self.most_data(percentage)).min(MAX_BLOCKS);
        let each = total.div_ceil(count);
        let mut blocks = [Block::default(); MAX_BLOCKS];
        let mut left = total;
        for block in &mut blocks[..count] {
            let data = each.min(left);
            left -= data;
            *block = self.block(data, percentage);
        }
        (percentage, blocks, count)
    }

    /// The most data shards of one block at `percentage`.
    fn most_data(&self, percentage: usize) -> usize {
        let mut data = 25_500 / (100 + percentage);
        while data > 1 && percentage > 0 {
            let block = self.block(data, percentage);
            if block.data + block.parity <= MAX_SHARDS {
                break;
            }
            data -= 1;
        }
        data
    }

    /// A block with the parity count that the client will compute from its
    /// percentage.
    fn block(&self, data: usize, percentage: usize) -> Block {
        let count = parity(data, percentage);
        if percentage == 0 || count >= self.min_parity {
            return Block { data, parity: count, percentage };
        }
        // Rounded down the percentage may give one parity shard too few.
        let down = 100 * self.min_parity / data;
        let percentage = if parity(data, down) < self.min_parity { down + 1 } else { down }.min(255);
        Block { data, parity: parity(data, percentage), percentage }
    }

    /// Writes all datagrams of the frame into `out`, which is zero.
    fn fill(&mut self, frame: &Frame<'_>, blocks: &[Block], out: &mut [u8]) -> Result<(), Error> {
        let size = self.datagram_len();
        let prefix = size - self.payload - HEADER;
        let used = (FRAME_HEADER + frame.data.len()) % self.payload;
        let last = if used == 0 { self.payload } else { used };
        let head = FrameHeader {
            latency: frame.latency_tenths_ms,
            kind: frame.kind,
            // A payload is at most 8176 bytes.
            last_payload: last as u16,
        };
        let (mut rest, mut data, mut shards) = (out, frame.data, self.shards);
        for (index, block) in blocks.iter().enumerate() {
            let (now, later) = rest.split_at_mut((block.data + block.parity) * size);
            for (i, datagram) in now.chunks_exact_mut(size).take(block.data).enumerate() {
                let shard = &mut datagram[prefix..];
                let number = shards.wrapping_add(i as u32) << 8;
                shard[16..20].copy_from_slice(&number.to_le_bytes());
                shard[24] = flags(i, block.data);
                shard[26] = 0x10;
                let mut payload = &mut shard[HEADER..];
                if index == 0 && i == 0 {
                    let (start, room) = payload.split_at_mut(FRAME_HEADER);
                    start.copy_from_slice(&head.bytes());
                    payload = room;
                }
                let (part, after) = data.split_at(payload.len().min(data.len()));
                payload[..part.len()].copy_from_slice(part);
                data = after;
            }
            self.protect(block, size, prefix, now)?;
            for (i, datagram) in now.chunks_exact_mut(size).enumerate() {
                let header = Header {
                    // The low 16 bits number the shards of the session.
                    sequence: shards as u16,
                    timestamp: frame.timestamp_90k.max(1),
                    frame: self.frame_index,
                    block: index,
                    last_block: blocks.len() - 1,
                    percentage: block.percentage,
                    shard: i,
                    data: block.data,
                };
                header.write(&mut datagram[prefix..]);
                self.seal(datagram)?;
                shards = shards.wrapping_add(1);
            }
            rest = later;
        }
        Ok(())
    }

    /// Computes the parity shards of a block over whole datagrams.
    fn protect(
        &mut self,
        block: &Block,
        size: usize,
        prefix: usize,
        datagrams: &mut [u8],
    ) -> Result<(), Error> {
        if block.parity == 0 {
            return Ok(());
        }
        let stripe = Stripe { stride: size, len: size - prefix };
        let (front, back) = datagrams.split_at_mut(block.data * size);
        let counts = (block.data, block.parity);
        Ok(self.codec.encode_stripe(counts, stripe, &front[prefix..], &mut back[prefix..])?)
    }

    /// Encrypts one datagram where it lies, when the session is encrypted (sheet,
    /// section 10).
    fn seal(&mut self, datagram: &mut [u8]) -> Result<(), Error> {
        let Some(cipher) = &self.cipher else {
            return Ok(());
        };
        let mut nonce = [0; 12];
        nonce[..8].copy_from_slice(&self.sealed.to_le_bytes());
        nonce[11] = b'V';
        self.sealed += 1;
        let (prefix, shard) = datagram.split_at_mut(PREFIX);
        let tag = cipher.seal(nonce, shard)?;
        prefix[..12].copy_from_slice(&nonce);
        prefix[12..16].copy_from_slice(&self.frame_index.to_le_bytes());
        prefix[16..].copy_from_slice(&tag);
        Ok(())
    }
}

// The datagram is P + 16 bytes: the header, then P - 16 bytes of payload.
const _: () = assert!(HEADER == OUTER + 16);
