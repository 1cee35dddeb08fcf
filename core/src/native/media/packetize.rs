//! The host's side: what the encoder gives becomes sealed datagrams of one size with
//! parity, end to end (page, section 4.2).

use std::time::Duration;

use punktfunk_fec::gf16::{Encoder, Shards, ShardsMut};

use super::shard::OVERHEAD;
use super::{Error, Flags, HEADER_LEN, Kind, MAX_DATA, MAX_PARITY, Sealer, ShardHeader, Side, TAG_LEN};
use crate::time::Time;

/// Where the shard begins in a datagram.
pub(super) const SHARD: usize = Side::Host.prefix_len() + HEADER_LEN;

/// Bytes of the datagram of a shard of `shard_len` bytes.
pub const fn datagram_len(shard_len: usize) -> usize {
    shard_len + OVERHEAD
}

/// An access unit, or the next part of one that is still being encoded.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'a> {
    /// The bytes that follow those of the piece before.
    pub data: &'a [u8],
    /// When the picture was taken, on the host's clock. The same for all of a frame.
    pub taken: Time,
    /// The configuration. The same for all of a frame.
    pub epoch: u8,
    /// [`Flags::KEY_FRAME`], [`Flags::RECOVERY_POINT`] and [`Flags::NEW_PICTURE`], the same for
    /// all of a frame; the others are set here.
    pub flags: Flags,
    /// The frame ends with this piece.
    pub last: bool,
}

/// When the datagrams of a piece leave, as their sender paces them: the age of each counts
/// to that moment. The default leaves at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Departures {
    /// Bytes on the wire that leave before the first, beyond those that may leave at once;
    /// negative while there is room.
    pub excess: i64,
    /// Bytes on the wire a second; 0: everything leaves at once.
    pub rate: u64,
    /// Bytes on the wire of each datagram beyond its payload.
    pub overhead: usize,
}

impl Departures {
    /// How long after its making the last of so many datagrams of `len` bytes leaves.
    fn after(&self, datagrams: usize, len: usize) -> Duration {
        self.takes(datagrams * (len + self.overhead))
    }

    /// How long it takes until so many bytes on the wire have left.
    pub fn takes(&self, bytes: usize) -> Duration {
        if self.rate == 0 {
            return Duration::ZERO;
        }
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let waits = self.excess.saturating_add(bytes).max(0).unsigned_abs();
        Duration::from_micros(waits.saturating_mul(1_000_000) / self.rate)
    }
}

/// How a piece was cut. Together with its bytes it is all that sending again needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The number of the frame.
    pub frame: u32,
    /// When the picture was taken.
    pub taken: Time,
    /// The configuration.
    pub epoch: u8,
    /// The flags of the piece, [`Flags::LAST_BLOCK`] not among them.
    pub flags: Flags,
    /// The piece ends its frame.
    pub last: bool,
    /// Bytes of the piece.
    pub bytes: usize,
    /// Bytes of each shard.
    pub shard_len: usize,
    /// The first block of the piece.
    pub first_block: u8,
    /// Blocks of the piece.
    pub blocks: u16,
    /// Data shards of the frame before the piece.
    pub base: u16,
    /// Data shards of each block but the last, and of the last.
    pub k: [u16; 2],
    /// Parity shards of each block but the last, and of the last.
    pub m: [u16; 2],
}

/// One block of a [`Layout`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BlockLayout {
    pub(super) block: u8,
    pub(super) base: u16,
    pub(super) k: u16,
    pub(super) m: u16,
    pub(super) tail: u16,
    pub(super) flags: Flags,
    /// Where its payload begins in the piece.
    pub(super) begin: usize,
    /// And where it ends.
    pub(super) end: usize,
}

impl Layout {
    /// Bytes of each datagram.
    pub const fn datagram_len(&self) -> usize {
        datagram_len(self.shard_len)
    }

    /// Data shards of the piece.
    pub fn data_shards(&self) -> usize {
        self.sum(self.k)
    }

    /// Parity shards of the piece.
    pub fn parity_shards(&self) -> usize {
        self.sum(self.m)
    }

    /// Datagrams of the piece.
    pub fn datagrams(&self) -> usize {
        self.data_shards() + self.parity_shards()
    }

    fn sum(&self, [each, last]: [u16; 2]) -> usize {
        usize::from(self.blocks.saturating_sub(1)) * usize::from(each) + usize::from(last)
    }

    /// The `at`th block of the piece.
    pub(super) fn block(&self, at: u16) -> Option<BlockLayout> {
        let left = self.blocks.checked_sub(at + 1)?;
        let (k, m) = if left == 0 { (self.k[1], self.m[1]) } else { (self.k[0], self.m[0]) };
        let before = usize::from(at) * usize::from(self.k[0]);
        let begin = before * self.shard_len;
        let end = (begin + usize::from(k) * self.shard_len).min(self.bytes);
        // Shards are at most 65,535 bytes, blocks at most 256.
        let tail = (end - begin).saturating_sub((usize::from(k) - 1) * self.shard_len) as u16;
        let ends = if left == 0 && self.last { Flags::LAST_BLOCK } else { Flags::default() };
        let (block, base) = (self.first_block.checked_add(at as u8)?, self.base + before as u16);
        Some(BlockLayout { block, base, k, m, tail, flags: self.flags.with(ends), begin, end })
    }

    /// How old the picture is at `leaves`, in the unit of the wire.
    fn age(&self, leaves: Time) -> u16 {
        u16::try_from((leaves - self.taken).as_micros() / 10).unwrap_or(u16::MAX)
    }

    /// The header of shard `index` of `block`, which leaves at `now`.
    pub(super) fn header(&self, block: &BlockLayout, index: u16, now: Time) -> ShardHeader {
        ShardHeader {
            frame: self.frame,
            timestamp: self.taken.0,
            epoch: self.epoch,
            flags: block.flags,
            block: block.block,
            age: self.age(now),
            base: block.base,
            index,
            k: block.k,
            m: block.m,
            tail: block.tail,
        }
    }
}

/// Turns pieces into datagrams. Numbers the frames and their blocks; keeps nothing else.
pub struct Packetizer {
    /// Most bytes of a shard.
    most: usize,
    frame: u32,
    /// Blocks and data shards that the frame in progress has had.
    block: u16,
    base: u16,
    departures: Departures,
    encoder: Encoder,
}

impl std::fmt::Debug for Packetizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Packetizer").field("frame", &self.frame).finish_non_exhaustive()
    }
}

impl Packetizer {
    /// A stream whose first frame is number `frame`: 0 of a new session. Datagrams have at
    /// most `payload` bytes.
    pub fn new(frame: u32, payload: usize) -> Result<Self, Error> {
        let mut new = Self {
            most: 0,
            frame,
            block: 0,
            base: 0,
            departures: Departures::default(),
            encoder: Encoder::new(),
        };
        new.set_payload(payload)?;
        Ok(new)
    }

    /// Sets the most bytes of the datagrams to come.
    pub fn set_payload(&mut self, payload: usize) -> Result<(), Error> {
        let most = payload.min(usize::from(u16::MAX)).saturating_sub(OVERHEAD) & !1;
        if most == 0 {
            return Err(Error::Payload(payload));
        }
        self.most = most;
        Ok(())
    }

    /// Sets when the datagrams of the pieces to come leave.
    pub const fn set_departures(&mut self, departures: Departures) {
        self.departures = departures;
    }

    /// When the datagrams of the newest piece leave.
    pub const fn departures(&self) -> Departures {
        self.departures
    }

    /// The number of the frame that the next piece belongs to.
    pub const fn frame(&self) -> u32 {
        self.frame
    }

    /// True when a frame was begun and not ended.
    pub const fn is_open(&self) -> bool {
        self.block > 0
    }

    /// Ends the frame in progress without its last block, if there is one: the client will
    /// report it lost. The next piece begins another frame.
    pub const fn abandon(&mut self) {
        if self.is_open() {
            self.end_frame();
        }
    }

    /// Appends the sealed datagrams of `piece` to `out`, block after block, data before
    /// parity, all of [`Layout::datagram_len`] bytes. `parity` is asked how many parity
    /// shards a block of so many data shards gets. After an error `out` is as before, and
    /// a frame that was in progress has to be [abandoned](Self::abandon).
    pub fn packetize(
        &mut self,
        now: Time,
        piece: Piece<'_>,
        mut parity: impl FnMut(u16) -> u16,
        sealer: &mut Sealer,
        out: &mut Vec<u8>,
    ) -> Result<Layout, Error> {
        let layout = self.cut(&piece, &mut parity)?;
        let begin = out.len();
        out.reserve(layout.datagrams() * layout.datagram_len());
        for block in (0..layout.blocks).map_while(|at| layout.block(at)) {
            if let Err(error) = self.block(now, &layout, &block, piece.data, sealer, out) {
                out.truncate(begin);
                return Err(error);
            }
        }
        self.block += layout.blocks;
        self.base += layout.data_shards() as u16;
        if piece.last {
            self.end_frame();
        }
        Ok(layout)
    }

    const fn end_frame(&mut self) {
        self.frame = self.frame.wrapping_add(1);
        self.block = 0;
        self.base = 0;
    }

    /// As few shards as possible, all as short as they then can be, in as few blocks as
    /// possible of the same size.
    fn cut(&self, piece: &Piece<'_>, parity: &mut impl FnMut(u16) -> u16) -> Result<Layout, Error> {
        let bytes = piece.data.len();
        let fewest = bytes.div_ceil(self.most).max(1);
        let shard_len = bytes.div_ceil(fewest).next_multiple_of(2).max(2);
        let shards = bytes.div_ceil(shard_len).max(1);
        let blocks = shards.div_ceil(usize::from(MAX_DATA));
        let each = shards.div_ceil(blocks);
        let blocks = shards.div_ceil(each);
        let fits = usize::from(self.base) + shards <= usize::from(u16::MAX)
            && usize::from(self.block) + blocks <= 256;
        if !fits {
            return Err(Error::FrameTooLarge);
        }
        let k = [each as u16, (shards - (blocks - 1) * each) as u16];
        let last = parity(k[1]).min(MAX_PARITY);
        let first = if blocks > 1 { parity(k[0]).min(MAX_PARITY) } else { last };
        Ok(Layout {
            frame: self.frame,
            taken: piece.taken,
            epoch: piece.epoch,
            flags: piece.flags.without(Flags::LAST_BLOCK.with(Flags::REPAIR)),
            last: piece.last,
            bytes,
            shard_len,
            first_block: self.block as u8,
            blocks: blocks as u16,
            base: self.base,
            k,
            m: [first, last],
        })
    }

    fn block(
        &mut self,
        now: Time,
        layout: &Layout,
        block: &BlockLayout,
        data: &[u8],
        sealer: &mut Sealer,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let (size, len) = (layout.datagram_len(), layout.shard_len);
        let (k, m) = (usize::from(block.k), usize::from(block.m));
        let begin = out.len();
        let mut header = layout.header(block, 0, now);
        let blocks = usize::from(block.block - layout.first_block);
        let before = usize::from(block.base - layout.base) + blocks * usize::from(layout.m[0]);
        let departures = self.departures;
        let mut at = |index: u16| {
            let leaves = now + departures.after(before + usize::from(index) + 1, size);
            (header.index, header.age) = (index, layout.age(leaves));
            header
        };
        let mut rest = data.get(block.begin..block.end).unwrap_or_default();
        for index in 0..block.k {
            let header = at(index);
            let (shard, after) = rest.split_at(len.min(rest.len()));
            datagram(&header, shard, len, out);
            rest = after;
        }
        if m > 0 {
            out.resize(begin + (k + m) * size, 0);
            let (front, back) = out[begin..].split_at_mut(k * size);
            let (front, parity) = (&front[SHARD..], &mut back[SHARD..]);
            let data = Shards::new(front, k, len, size)?;
            self.encoder.encode(data, ShardsMut::new(parity, m, len, size)?)?;
            for (place, index) in back.chunks_exact_mut(size).zip(block.k..) {
                place[SHARD - HEADER_LEN..SHARD].copy_from_slice(&at(index).bytes());
            }
        }
        for datagram in out[begin..].chunks_exact_mut(size) {
            sealer.seal(Kind::Shard, now, datagram)?;
        }
        Ok(())
    }
}

/// Appends a datagram that is yet to be sealed; `shard` is filled up to `len` bytes.
pub(super) fn datagram(header: &ShardHeader, shard: &[u8], len: usize, out: &mut Vec<u8>) {
    let mut front = [0; SHARD];
    front[SHARD - HEADER_LEN..].copy_from_slice(&header.bytes());
    out.extend_from_slice(&front);
    out.extend_from_slice(shard);
    out.resize(out.len() + len - shard.len() + TAG_LEN, 0);
}
