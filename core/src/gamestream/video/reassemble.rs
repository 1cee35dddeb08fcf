//! The client's side: datagrams become access units again.
//!
//! One block of one frame is held at a time. Blocks come in order (sheet, section
//! 9), so a shard of a later block or frame means that the earlier one is lost.

use std::collections::VecDeque;

use punktfunk_fec::gf8::{Codec, Stripe};

use super::wire::{FRAME_HEADER, FrameHeader, HEADER, Header, PREFIX, flags, payload};
use super::{Error, FrameKind};
use crate::bytes::Reader;
use crate::crypto::AesGcm;

/// Events that may wait; older ones are dropped when nobody polls.
const MAX_EVENTS: usize = 64;

/// A complete access unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The number of the frame.
    pub index: u32,
    /// What the frame means to a waiting client.
    pub kind: FrameKind,
    /// Capture time, 1/90000 s.
    pub timestamp_90k: u32,
    /// Host latency in 0.1 ms, 0 when unknown.
    pub latency_tenths_ms: u16,
    /// The access unit without padding.
    pub data: Vec<u8>,
    /// Data shards the frame was made of.
    pub data_shards: usize,
    /// Parity shards the host sent with it.
    pub parity_shards: usize,
    /// Data shards that were rebuilt from parity.
    pub repaired: usize,
}

/// Frames that will not come any more, first and last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The first lost frame.
    pub first: u32,
    /// The last lost frame.
    pub last: u32,
}

/// What the stream has to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A frame is complete.
    Frame(Received),
    /// Frames were lost.
    Lost(Lost),
}

/// What has been counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Datagrams pushed.
    pub datagrams: u64,
    /// Datagrams that were not a shard, or failed to decrypt.
    pub rejected: u64,
    /// Shards of frames or blocks that were already done with.
    pub late: u64,
    /// Shards that had arrived before.
    pub duplicates: u64,
    /// Frames delivered.
    pub frames: u64,
    /// Frames lost.
    pub lost: u64,
    /// Data shards rebuilt from parity.
    pub repaired: u64,
}

/// Turns datagrams into access units. Memory is bounded by one block and one frame.
#[derive(Debug)]
pub struct Reassembler {
    shard_len: usize,
    cipher: Option<AesGcm>,
    codec: Codec,
    plain: Vec<u8>,
    block: Vec<u8>,
    present: Vec<bool>,
    /// How many data, and how many shards of the block in all, are there.
    arrived: (usize, usize),
    /// The first shard of the block under way; none between blocks.
    shape: Option<Header>,
    frame: Option<Assembly>,
    /// The lowest frame number that is still of use.
    next: u32,
    events: VecDeque<Event>,
    spare: Vec<u8>,
    counters: Counters,
}

#[derive(Debug)]
struct Assembly {
    index: u32,
    timestamp: u32,
    last_block: usize,
    block: usize,
    head: Option<FrameHeader>,
    data: Vec<u8>,
    data_shards: usize,
    parity_shards: usize,
    repaired: usize,
}

impl Reassembler {
    /// A stream with the negotiated `packet_size` and, when video is encrypted,
    /// the session key.
    pub fn new(packet_size: usize, key: Option<[u8; 16]>) -> Result<Self, Error> {
        Ok(Self {
            shard_len: payload(packet_size)? + HEADER,
            cipher: key.as_ref().map(AesGcm::new).transpose()?,
            codec: Codec::default(),
            plain: Vec::new(),
            block: Vec::new(),
            present: Vec::new(),
            arrived: (0, 0),
            shape: None,
            frame: None,
            next: 1,
            events: VecDeque::new(),
            spare: Vec::new(),
            counters: Counters::default(),
        })
    }

    /// What has been counted.
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// The next event.
    pub fn poll(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Gives the buffer of a delivered frame back for reuse.
    pub fn recycle(&mut self, data: Vec<u8>) {
        if data.capacity() > self.spare.capacity() {
            self.spare = data;
        }
    }

    /// Takes one datagram. An error means that it was dropped.
    pub fn push(&mut self, datagram: &[u8]) -> Result<(), Error> {
        self.counters.datagrams += 1;
        let result = if self.cipher.is_some() { self.open(datagram) } else { self.accept(datagram) };
        if result.is_err() {
            self.counters.rejected += 1;
        }
        result
    }

    fn open(&mut self, datagram: &[u8]) -> Result<(), Error> {
        let (Some(cipher), Some((prefix, sealed))) = (&self.cipher, datagram.split_first_chunk::<PREFIX>())
        else {
            return Err(Error::Malformed);
        };
        let [f0, f1, f2, f3] = [prefix[12], prefix[13], prefix[14], prefix[15]];
        let frame = u32::from_le_bytes([f0, f1, f2, f3]);
        if frame != 0 && frame < self.next {
            self.counters.late += 1;
            return Ok(());
        }
        if sealed.len() > self.shard_len {
            return Err(Error::Malformed);
        }
        let mut nonce = [0; 12];
        nonce.copy_from_slice(&prefix[..12]);
        let mut plain = std::mem::take(&mut self.plain);
        plain.resize(sealed.len(), 0);
        let opened = cipher.open_into(nonce, &prefix[16..], sealed, &mut plain).map_err(Error::from);
        let result = opened.and_then(|()| self.accept(&plain));
        self.plain = plain;
        result
    }

    /// Takes one shard.
    fn accept(&mut self, shard: &[u8]) -> Result<(), Error> {
        let header = Header::read(shard)?;
        // Only the last data shard may be shorter; a longer one is cut.
        let shard = &shard[..shard.len().min(self.shard_len)];
        if shard.len() < self.shard_len && header.shard + 1 != header.data {
            return Err(Error::Malformed);
        }
        if header.frame < self.next {
            self.counters.late += 1;
            return Ok(());
        }
        if !self.enter(&header)? {
            return Ok(());
        }
        if self.present[header.shard] {
            self.counters.duplicates += 1;
            return Ok(());
        }
        let place = &mut self.block[header.shard * self.shard_len..][..self.shard_len];
        place[..shard.len()].copy_from_slice(shard);
        place[shard.len()..].fill(0);
        self.present[header.shard] = true;
        self.arrived.0 += usize::from(header.shard < header.data);
        self.arrived.1 += 1;
        if self.arrived.1 >= header.data {
            self.finish_block(&header);
        }
        Ok(())
    }

    /// Makes the frame and block of `header` the current ones. False when the shard
    /// is of no use any more.
    fn enter(&mut self, header: &Header) -> Result<bool, Error> {
        if header.frame > self.frame.as_ref().map_or(self.next, |frame| frame.index) {
            // Everything before it is lost, the frame under way included.
            self.lose(header.frame - 1);
        }
        let frame = self.frame.get_or_insert_with(|| Assembly {
            index: header.frame,
            timestamp: header.timestamp,
            last_block: header.last_block,
            block: 0,
            head: None,
            data: std::mem::take(&mut self.spare),
            data_shards: 0,
            parity_shards: 0,
            repaired: 0,
        });
        if header.last_block != frame.last_block || header.timestamp != frame.timestamp {
            return Err(Error::Malformed);
        }
        if header.block < frame.block {
            self.counters.late += 1;
            return Ok(false);
        }
        if header.block > frame.block {
            self.lose(header.frame);
            self.counters.late += 1;
            return Ok(false);
        }
        match self.shape {
            Some(shape) if (shape.data, shape.percentage) != (header.data, header.percentage) => {
                Err(Error::Malformed)
            }
            Some(_) => Ok(true),
            None => {
                let total = header.data + header.parity();
                self.shape = Some(*header);
                self.arrived = (0, 0);
                self.present.clear();
                self.present.resize(total, false);
                self.block.resize(total * self.shard_len, 0);
                Ok(true)
            }
        }
    }

    /// Gives up on all frames up to `last`.
    fn lose(&mut self, last: u32) {
        if let Some(mut frame) = self.frame.take() {
            frame.data.clear();
            self.recycle(frame.data);
        }
        self.shape = None;
        if last >= self.next {
            self.counters.lost += u64::from(last - self.next) + 1;
            self.tell(Event::Lost(Lost { first: self.next, last }));
            self.next = last.saturating_add(1);
        }
    }

    fn tell(&mut self, event: Event) {
        if self.events.len() == MAX_EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    /// Repairs the block, appends it to its frame and delivers the frame when it
    /// was the last one.
    fn finish_block(&mut self, header: &Header) {
        let missing = header.data - self.arrived.0;
        let (data, parity, shard_len) = (header.data, header.parity(), self.shard_len);
        self.shape = None;
        let shards = &mut self.block[..(data + parity) * shard_len];
        if missing > 0 {
            let stripe = Stripe { stride: shard_len, len: shard_len };
            if self.codec.repair_stripe(shards, stripe, data, &self.present).is_err() {
                return self.lose(header.frame);
            }
        }
        if !consistent(shards, shard_len, data) {
            return self.lose(header.frame);
        }
        let Some(frame) = &mut self.frame else {
            return;
        };
        if frame.block == 0 {
            frame.head = shards.get(HEADER..).and_then(FrameHeader::read);
            frame.data.clear();
        }
        for (i, shard) in shards.chunks_exact(shard_len).take(data).enumerate() {
            let skip = if frame.block == 0 && i == 0 { FRAME_HEADER } else { 0 };
            frame.data.extend_from_slice(&shard[HEADER + skip..]);
        }
        frame.data_shards += data;
        frame.parity_shards += parity;
        frame.repaired += missing;
        self.counters.repaired += missing as u64;
        if frame.head.is_none() {
            return self.lose(header.frame);
        }
        if frame.block < frame.last_block {
            frame.block += 1;
            return;
        }
        self.deliver();
    }

    /// Cuts the padding off the finished frame and hands it out.
    fn deliver(&mut self) {
        let Some(mut frame) = self.frame.take() else {
            return;
        };
        let payload = self.shard_len - HEADER;
        let last = frame.head.map_or(0, |head| usize::from(head.last_payload));
        let padding = payload.checked_sub(last).filter(|_| last > 0);
        let len = padding.and_then(|padding| frame.data.len().checked_sub(padding)).filter(|&len| len > 0);
        let (Some(head), Some(len)) = (frame.head, len) else {
            let index = frame.index;
            self.frame = Some(frame);
            return self.lose(index);
        };
        frame.data.truncate(len);
        self.next = frame.index.saturating_add(1);
        self.counters.frames += 1;
        self.tell(Event::Frame(Received {
            index: frame.index,
            kind: head.kind,
            timestamp_90k: frame.timestamp,
            latency_tenths_ms: head.latency,
            data: frame.data,
            data_shards: frame.data_shards,
            parity_shards: frame.parity_shards,
            repaired: frame.repaired,
        }));
    }
}

/// Feeds `records`, each a little-endian 16-bit length and that many bytes, to a
/// fresh reassembler for `packet_size` without encryption. Recorded streams and the
/// fuzzer come in here.
pub fn replay(packet_size: usize, records: &[u8]) -> Result<Counters, Error> {
    let mut reassembler = Reassembler::new(packet_size, None)?;
    let mut reader = Reader::new(records);
    while let Ok(len) = reader.u16_le() {
        let len = usize::from(len).min(reader.remaining());
        let datagram = reader.take(len).unwrap_or_default();
        // A rejected datagram is counted.
        let _ = reassembler.push(datagram);
        while reassembler.poll().is_some() {}
    }
    Ok(reassembler.counters())
}

/// True when the fields that a client trusts in rebuilt shards (sheet, section 9)
/// fit together: flags by position, packet numbers without a gap.
fn consistent(shards: &[u8], shard_len: usize, data: usize) -> bool {
    let number = |shard: &[u8]| u32::from_le_bytes([shard[16], shard[17], shard[18], shard[19]]) >> 8;
    let first = number(shards);
    shards.chunks_exact(shard_len).take(data).enumerate().all(|(i, shard)| {
        shard[24] == flags(i, data) && number(shard) == first.wrapping_add(i as u32) & 0x00FF_FFFF
    })
}
