//! What the reassembly gives and says: whole frames, what is missing of others, and counts.

use super::Flags;
use crate::time::Time;

/// A whole frame.
#[derive(Debug)]
pub struct Frame {
    /// Its number.
    pub number: u32,
    /// The configuration it was made in.
    pub epoch: u8,
    /// Of a key frame, a recovery point, a new picture.
    pub flags: Flags,
    /// When the picture was taken, µs of the host's clock; 48 bits.
    pub timestamp: u64,
    /// The longest time from the picture until one of its datagrams was made, in 10 µs.
    pub age: u16,
    /// When the first shard arrived, and when the last one that was needed did.
    pub first: Time,
    /// See `first`.
    pub whole: Time,
    /// Data shards.
    pub shards: u32,
    /// How many of them parity stood in for.
    pub recovered: u32,
    pub(super) buffer: Vec<u8>,
    pub(super) len: usize,
}

impl Frame {
    /// The access unit.
    pub fn data(&self) -> &[u8] {
        self.buffer.get(..self.len).unwrap_or_default()
    }

    /// The access unit, to keep.
    pub fn into_data(mut self) -> Vec<u8> {
        self.buffer.truncate(self.len);
        self.buffer
    }
}

/// What the reassembly has to say.
#[derive(Debug)]
pub enum Event {
    /// A frame is whole.
    Frame(Frame),
    /// The frames from `first` to `last` will not come.
    Lost {
        /// The first of them.
        first: u32,
        /// The last of them.
        last: u32,
    },
}

/// What became of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It was not needed: a second one, or its frame is whole or given up.
    Surplus,
    /// It was kept.
    Kept,
    /// Its frame is whole.
    Whole,
}

/// A frame that is not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The frame.
    pub frame: u32,
    /// When its first shard arrived, or the first of a later frame.
    pub since: Time,
    /// When its latest shard arrived; `since` when none did.
    pub latest: Time,
    /// A later frame has begun to arrive: what is missing is late.
    pub overtaken: bool,
    /// How many of its shards arrived.
    pub kept: usize,
    /// How many more its known blocks need.
    pub wanted: usize,
    /// One of them needs more than are to come after the latest shard of it.
    pub short: bool,
}

/// Something that a frame lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// `count` data shards of `block` from `first` on.
    Shards {
        /// The block.
        block: u8,
        /// Index of the first.
        first: u16,
        /// How many.
        count: u16,
    },
    /// All of a block.
    Block(u8),
    /// All of the frame.
    Frame,
}

/// What was counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Whole frames.
    pub frames: u64,
    /// Frames given up.
    pub lost: u64,
    /// Data shards that parity stood in for.
    pub recovered: u64,
    /// Shards that were kept.
    pub kept: u64,
    /// Shards that were not needed.
    pub surplus: u64,
    /// Shards that were thrown away because they contradict others or are malformed.
    pub refused: u64,
}
