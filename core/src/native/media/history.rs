//! What the host keeps for a while, so that what a client misses can be sent again
//! (page, section 5).

use std::collections::VecDeque;
use std::time::Duration;

use super::packetize::datagram;
use super::{Error, Flags, Kind, Layout, Sealer};
use crate::time::Time;

/// How often one shard is sent again at most.
const MOST_REPAIRS: u8 = 12;
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

/// A piece that was sent.
#[derive(Debug)]
struct Entry {
    at: Time,
    layout: Layout,
    data: Vec<u8>,
    /// How often each data shard was sent again; empty as long as none was.
    repairs: Vec<u8>,
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
    counts: Vec<Vec<u8>>,
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
        let repairs = self.counts.pop().unwrap_or_default();
        self.entries.push_back(Entry { at: now, layout, data, repairs });
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

    /// The blocks of `frame` that are kept.
    pub fn blocks(&self, frame: u32) -> impl Iterator<Item = u8> + '_ {
        self.entries
            .iter()
            .filter(move |entry| entry.layout.frame == frame)
            .flat_map(|entry| (0..entry.layout.blocks).filter_map(|at| Some(entry.layout.block(at)?.block)))
    }

    /// Appends to `out` those data shards of a block that `missing` names as (first index,
    /// count), sealed anew, at most `most` and none more than twelve times. (0, 65,535)
    /// is the whole block. What was sent again before was lost twice: it is sent twice, one
    /// set after the other, because the same burst may still go on.
    pub fn repair(
        &mut self,
        now: Time,
        (frame, block): (u32, u8),
        missing: impl IntoIterator<Item = (u16, u16), IntoIter: Clone>,
        most: usize,
        sealer: &mut Sealer,
        out: &mut Vec<u8>,
    ) -> Result<Repair, Error> {
        self.forget(now);
        let mut found = self.entries.iter_mut().filter(|entry| entry.layout.frame == frame);
        let Some((entry, layout)) = found.find_map(|entry| {
            let at = u16::from(block).checked_sub(u16::from(entry.layout.first_block))?;
            let layout = entry.layout.block(at)?;
            Some((entry, layout))
        }) else {
            return Ok(Repair::default());
        };
        entry.repairs.resize(entry.layout.data_shards(), 0);
        let (len, size) = (entry.layout.shard_len, entry.layout.datagram_len());
        let first = layout.begin / len;
        let data = entry.data.get(layout.begin..layout.end).unwrap_or_default();
        let mut repair = Repair { datagrams: 0, datagram_len: size };
        let mut header = entry.layout.header(&layout, 0, now);
        header.flags = header.flags.with(Flags::REPAIR);
        let (missing, mut again) = (missing.into_iter(), false);
        for pass in 0..2 {
            if pass == 1 && !again {
                break;
            }
            for (from, count) in missing.clone() {
                for index in from..from.saturating_add(count).min(layout.k) {
                    let Some(count) = entry.repairs.get_mut(first + usize::from(index)) else { continue };
                    if *count >= MOST_REPAIRS || repair.datagrams >= most {
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
                    again |= *count > 0;
                    *count += 1;
                    repair.datagrams += 1;
                }
            }
        }
        Ok(repair)
    }

    fn drop_oldest(&mut self) -> bool {
        let Some(mut entry) = self.entries.pop_front() else { return false };
        self.bytes -= entry.data.len();
        entry.repairs.clear();
        self.counts.push(entry.repairs);
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
