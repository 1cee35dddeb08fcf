//! What the host keeps for a while, so that what a client misses can be sent again
//! (page, section 5).

use std::collections::VecDeque;
use std::time::Duration;

use super::packetize::{BlockLayout, datagram};
use super::{Error, Flags, Kind, Layout, Sealer};
use crate::time::Time;

/// How often one shard is sent again at most.
const MOST_REPAIRS: u8 = 64;
/// Buffers that wait for their next use.
const SPARE: usize = 4;

/// What [`History::repair`] appended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repair {
    /// Datagrams appended; 0 when there is nothing (left) to send again.
    pub datagrams: usize,
    /// Bytes of each.
    pub datagram_len: usize,
}

/// How a request for shards is to be answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// The client's count of its requests for the frame: what was answered under this
    /// number, or a later one, is not answered once more. `None` is always answered.
    pub turn: Option<u8>,
    /// Datagrams of the answer at least: what is missing is sent by turns until then,
    /// because a burst may go on that took it before.
    pub least: usize,
    /// Datagrams of the answer at most.
    pub most: usize,
    /// What was sent later than this cannot have been missed yet.
    pub before: Time,
}

/// A piece that was sent.
#[derive(Debug)]
struct Entry {
    at: Time,
    layout: Layout,
    data: Vec<u8>,
    /// How often each data shard was sent again; empty as long as none was.
    repairs: Vec<u8>,
    /// One more than the latest turn that was answered, of each block; empty like `repairs`.
    turns: Vec<u16>,
}

/// The pieces of the last while, as plain access units: nothing is copied to keep them, and
/// a shard sent again is sealed under a sequence of its own.
#[derive(Debug)]
pub struct History {
    span: Duration,
    most_bytes: usize,
    entries: VecDeque<Entry>,
    bytes: usize,
    spare: Vec<Vec<u8>>,
    counts: Vec<(Vec<u8>, Vec<u16>)>,
}

impl History {
    /// Keeps pieces for `span` (250 ms at least, section 5), but never more than `most_bytes`.
    pub const fn new(span: Duration, most_bytes: usize) -> Self {
        Self { span, most_bytes, entries: VecDeque::new(), bytes: 0, spare: Vec::new(), counts: Vec::new() }
    }

    /// Keeps the bytes of the piece that [`Packetizer::packetize`](super::Packetizer::packetize)
    /// cut as `layout`, and forgets what is too old or too much.
    pub fn keep(&mut self, now: Time, layout: Layout, data: Vec<u8>) {
        self.forget(now);
        while self.bytes + data.len() > self.most_bytes && self.drop_oldest() {}
        if data.len() > self.most_bytes {
            return self.reuse(data);
        }
        self.bytes += data.len();
        let (repairs, turns) = self.counts.pop().unwrap_or_default();
        self.entries.push_back(Entry { at: now, layout, data, repairs, turns });
    }

    /// An empty buffer with the memory of a forgotten piece, if there is one: for the next
    /// access unit.
    pub fn spare(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_default()
    }

    /// Forgets what is older than the span.
    pub fn forget(&mut self, now: Time) {
        while self.entries.front().is_some_and(|entry| now - entry.at > self.span) {
            self.drop_oldest();
        }
    }

    /// Bytes kept.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// When the last piece of `frame` was sent.
    pub fn sent(&self, frame: u32) -> Option<Time> {
        self.entries.iter().rev().find(|entry| entry.layout.frame == frame).map(|entry| entry.at)
    }

    /// The blocks of `frame` that are kept.
    pub fn blocks(&self, frame: u32) -> impl Iterator<Item = u8> + '_ {
        self.entries
            .iter()
            .filter(move |entry| entry.layout.frame == frame)
            .flat_map(|entry| (0..entry.layout.blocks).filter_map(|at| Some(entry.layout.block(at)?.block)))
    }

    /// Appends to `out` those data shards of a block that `missing` names as (first index,
    /// count), sealed anew, as `wish` has it and none more than 64 times. (0, 65,535) is the
    /// whole block. Where one of each is less than was wished for they are sent again, one
    /// set after the other.
    pub fn repair(
        &mut self,
        now: Time,
        (frame, block): (u32, u8),
        missing: impl IntoIterator<Item = (u16, u16), IntoIter: Clone>,
        wish: Wish,
        sealer: &mut Sealer,
        out: &mut Vec<u8>,
    ) -> Result<Repair, Error> {
        self.forget(now);
        let mut found = self.entries.iter_mut().filter(|entry| entry.layout.frame == frame);
        let Some((entry, layout, at)) = found.find_map(|entry| {
            let at = u16::from(block).checked_sub(u16::from(entry.layout.first_block))?;
            let layout = entry.layout.block(at)?;
            Some((entry, layout, at))
        }) else {
            return Ok(Repair::default());
        };
        if !entry.takes(at, &wish) {
            return Ok(Repair::default());
        }
        entry.send(now, &layout, missing.into_iter(), wish, sealer, out)
    }

    fn drop_oldest(&mut self) -> bool {
        let Some(mut entry) = self.entries.pop_front() else { return false };
        self.bytes -= entry.data.len();
        entry.repairs.clear();
        entry.turns.clear();
        self.counts.push((entry.repairs, entry.turns));
        self.reuse(entry.data);
        true
    }

    fn reuse(&mut self, mut data: Vec<u8>) {
        if self.spare.len() < SPARE {
            data.clear();
            self.spare.push(data);
        }
    }
}

impl Entry {
    /// Whether block `at` of the piece has not been sent again in this turn.
    fn takes(&mut self, at: u16, wish: &Wish) -> bool {
        self.turns.resize(self.layout.blocks.into(), 0);
        let Some(turn) = wish.turn else { return true };
        let Some(next) = self.turns.get_mut(usize::from(at)) else { return false };
        let later = u16::from(turn) >= *next && self.at <= wish.before;
        if later {
            *next = u16::from(turn) + 1;
        }
        later
    }

    fn send(
        &mut self,
        now: Time,
        block: &BlockLayout,
        missing: impl Iterator<Item = (u16, u16)> + Clone,
        wish: Wish,
        sealer: &mut Sealer,
        out: &mut Vec<u8>,
    ) -> Result<Repair, Error> {
        self.repairs.resize(self.layout.data_shards(), 0);
        let (len, size) = (self.layout.shard_len, self.layout.datagram_len());
        let first = block.begin / len;
        let data = self.data.get(block.begin..block.end).unwrap_or_default();
        let mut repair = Repair { datagrams: 0, datagram_len: size };
        let mut header = self.layout.header(block, 0, now);
        header.flags = header.flags.with(Flags::REPAIR);
        loop {
            let before = repair.datagrams;
            for (from, count) in missing.clone() {
                for index in from..from.saturating_add(count).min(block.k) {
                    let Some(count) = self.repairs.get_mut(first + usize::from(index)) else { continue };
                    if *count >= MOST_REPAIRS || repair.datagrams >= wish.most {
                        continue;
                    }
                    let begin = usize::from(index) * len;
                    let shard = data.get(begin..(begin + len).min(data.len())).unwrap_or_default();
                    let at = out.len();
                    header.index = index;
                    datagram(&header, shard, len, out);
                    if let Err(error) = sealer.seal(Kind::Shard, now, &mut out[at..]) {
                        out.truncate(at);
                        return Err(error);
                    }
                    *count += 1;
                    repair.datagrams += 1;
                }
            }
            if repair.datagrams == before || repair.datagrams >= wish.least {
                return Ok(repair);
            }
        }
    }
}
