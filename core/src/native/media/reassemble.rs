//! The client's side: opened shards become whole frames (page, sections 4.2 and 10).
//!
//! A frame is whole as soon as every block of it has as many shards as it has data shards:
//! no parity is waited for, and no shard that parity stands in for. What never becomes
//! whole is given up by whoever waits for it, or when there is no more room.

use std::collections::VecDeque;

use punktfunk_fec::gf16::Decoder;

use super::block::{Block, Placed, Pool, Shape};
use super::frame::{Counters, Event, Frame, Gap, Missing, Pushed};
use super::{Error, Flags, ShardHeader};
use crate::time::Time;

/// Frames that may be in progress.
const FRAMES: u32 = 64;

/// When frames are given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// By their numbers: a frame waits until those before it are whole or given up.
    Numbered,
    /// As soon as they are whole.
    Completed,
}

/// What the reassembly may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of memory for frames in progress, finished frames that nobody took, and
    /// buffers that wait for their next use.
    pub bytes: usize,
}

impl Default for Limits {
    /// 32 MiB (section 10).
    fn default() -> Self {
        Self { bytes: 32 << 20 }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Not whole.
    #[default]
    Waiting,
    /// Whole, waiting for its turn.
    Whole,
    /// Given out, or given up.
    Over,
    Lost,
}

/// One frame in progress.
#[derive(Debug, Default)]
struct Slot {
    state: State,
    blocks: Vec<Block>,
    /// One more than the highest block that is known, and how many there are if known.
    known: usize,
    count: Option<usize>,
    done: usize,
    /// Of the first shard.
    header: ShardHeader,
    kept: usize,
    age: u16,
    recovered: u32,
    since: Time,
    latest: Time,
    /// Bytes of memory that the blocks may take.
    memory: usize,
}

impl Slot {
    /// Makes it that of a frame of which nothing arrived.
    fn begin(&mut self, now: Time) {
        let blocks = std::mem::take(&mut self.blocks);
        *self = Self { blocks, since: now, latest: now, ..Self::default() };
    }

    /// Whether a block of this shape can be block `at`: sections of the frame follow each
    /// other without gaps, and only the last one is flagged so.
    fn admits(&self, header: &ShardHeader, shape: &Shape) -> bool {
        let at = usize::from(header.block);
        let last = shape.flags.has(Flags::LAST_BLOCK);
        let key = |flags: Flags| flags.of(Flags::KEY_FRAME);
        if self.kept > 0 && (self.header.epoch != header.epoch || key(self.header.flags) != key(header.flags))
        {
            return false;
        }
        let count = if last { Some(at + 1) } else { self.count };
        if count.is_some_and(|count| at >= count || self.known > count) || (last && self.count.is_some()) {
            return false;
        }
        let shape_of = |at: usize| self.blocks.get(at).filter(|_| at < self.known)?.shape;
        let before = at.checked_sub(1).and_then(shape_of);
        let follows = |a: Shape, base: u16| a.base.checked_add(a.k) == Some(base);
        before.is_none_or(|before| follows(before, shape.base))
            && shape_of(at + 1).is_none_or(|after| follows(*shape, after.base))
    }

    fn gap(&self, frame: u32, overtaken: bool) -> Gap {
        let known = self.blocks.iter().take(self.known);
        let wanted = known.clone().map(Block::wanted).sum();
        let short = known.clone().any(Block::is_short);
        Gap { frame, since: self.since, latest: self.latest, overtaken, kept: self.kept, wanted, short }
    }
}

/// Puts frames together. In steady state it allocates nothing, provided that finished
/// frames come back through [`recycle`](Self::recycle).
pub struct Reassembler {
    order: Order,
    limits: Limits,
    decoder: Decoder,
    pool: Pool,
    slots: Vec<Slot>,
    /// The lowest frame that is not over, and one more than the highest that is known.
    head: u32,
    end: u32,
    /// No frame is known yet, or nothing was said about one: an earlier one may come.
    unknown: bool,
    settled: bool,
    ready: VecDeque<Event>,
    /// Bytes of memory that frames in progress may take, and finished ones do.
    memory: usize,
    counters: Counters,
}

impl std::fmt::Debug for Reassembler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reassembler")
            .field("head", &self.head)
            .field("end", &self.end)
            .field("counters", &self.counters)
            .finish_non_exhaustive()
    }
}

impl Reassembler {
    /// `first` is the number of the first frame: 0 of a new session, `None` when a session
    /// was resumed; then it is the first one that arrives.
    pub fn new(order: Order, limits: Limits, first: Option<u32>) -> Self {
        Self {
            order,
            limits,
            decoder: Decoder::new(),
            pool: Pool::default(),
            slots: (0..FRAMES).map(|_| Slot::default()).collect(),
            head: first.unwrap_or(0),
            end: first.unwrap_or(0),
            unknown: first.is_none(),
            settled: first.is_some(),
            ready: VecDeque::with_capacity(2 * FRAMES as usize),
            memory: 0,
            counters: Counters::default(),
        }
    }

    /// What was counted so far.
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// Bytes of memory held, or set aside: never more than [`Limits::bytes`].
    pub const fn memory(&self) -> usize {
        self.memory + self.pool.bytes
    }

    /// Takes in what was sealed in a datagram of the kind shard.
    pub fn push(&mut self, now: Time, plain: &[u8]) -> Result<Pushed, Error> {
        let pushed = self.shard(now, plain);
        match &pushed {
            Ok(Pushed::Surplus) => self.counters.surplus += 1,
            Ok(_) => self.counters.kept += 1,
            Err(_) => self.counters.refused += 1,
        }
        pushed
    }

    /// The next thing to say.
    pub fn poll(&mut self) -> Option<Event> {
        let event = self.ready.pop_front()?;
        if let Event::Frame(frame) = &event {
            self.memory -= frame.buffer.capacity();
        }
        Some(event)
    }

    /// Takes the memory of a frame back.
    pub fn recycle(&mut self, frame: Frame) {
        self.put(frame.buffer);
    }

    /// The frames that are known and not whole, oldest first.
    pub fn gaps(&self) -> impl Iterator<Item = Gap> + '_ {
        self.pending().filter_map(|frame| {
            let slot = self.slot(frame).filter(|slot| slot.state == State::Waiting)?;
            Some(slot.gap(frame, frame.wrapping_add(1) != self.end))
        })
    }

    /// Calls `each` with what `frame` lacks and needs, in order. With `all`, or when later
    /// frames or blocks have arrived, that is everything up to the end as far as it is known;
    /// otherwise only what is missing before the latest that came.
    pub fn missing(&self, frame: u32, all: bool, mut each: impl FnMut(Missing)) {
        if frame.wrapping_sub(self.head) >= self.end.wrapping_sub(self.head) {
            return;
        }
        let Some(slot) = self.slot(frame).filter(|slot| slot.state == State::Waiting) else { return };
        if slot.kept == 0 {
            return each(Missing::Frame);
        }
        let late = all || frame.wrapping_add(1) != self.end;
        for (at, block) in slot.blocks.iter().take(slot.known).enumerate() {
            // A block number came in eight bits.
            let number = at as u8;
            if block.shape.is_none() {
                each(Missing::Block(number));
            } else {
                block.missing(late || at + 1 < slot.known, |first, count| {
                    each(Missing::Shards { block: number, first, count });
                });
            }
        }
        if let (None, true, Ok(next)) = (slot.count, late, u8::try_from(slot.known)) {
            each(Missing::Block(next));
        }
    }

    /// Gives up every frame up to `through` that is not whole.
    pub fn give_up(&mut self, through: u32) {
        for frame in self.pending() {
            if through.wrapping_sub(frame) < 1 << 31 {
                self.lose(frame);
            }
        }
        self.advance();
    }

    fn pending(&self) -> impl Iterator<Item = u32> + use<> {
        let head = self.head;
        (0..self.end.wrapping_sub(head)).map(move |distance| head.wrapping_add(distance))
    }

    fn slot(&self, frame: u32) -> Option<&Slot> {
        self.slots.get((frame % FRAMES) as usize)
    }

    fn slot_mut(&mut self, frame: u32) -> Option<&mut Slot> {
        self.slots.get_mut((frame % FRAMES) as usize)
    }

    fn shard(&mut self, now: Time, plain: &[u8]) -> Result<Pushed, Error> {
        let (header, shard) = ShardHeader::read(plain)?;
        let shape = Shape::of(&header, shard);
        if shape.memory() > self.limits.bytes {
            return Err(Error::TooLarge);
        }
        if self.ready.len() >= FRAMES as usize {
            return Err(Error::Backlog);
        }
        if !self.reach(now, header.frame) {
            return Ok(Pushed::Surplus);
        }
        if !self.open_block(&header, &shape)? {
            return Ok(Pushed::Surplus);
        }
        let Some(slot) = self.slots.get_mut((header.frame % FRAMES) as usize) else {
            return Err(Error::Conflict);
        };
        let Some(block) = slot.blocks.get_mut(usize::from(header.block)) else { return Err(Error::Conflict) };
        let placed = match block.place(header.index, shard, &mut self.decoder) {
            Ok(placed) => placed,
            Err(error) => {
                // What cannot be repaired with enough shards cannot be at all.
                self.lose(header.frame);
                self.advance();
                return Err(error);
            }
        };
        if placed == Placed::Surplus {
            return Ok(Pushed::Surplus);
        }
        if slot.kept == 0 {
            slot.header = header;
            slot.since = now;
        }
        slot.kept += 1;
        slot.latest = now;
        if !header.flags.has(Flags::REPAIR) {
            slot.age = slot.age.max(header.age);
        }
        if let Placed::Done(recovered) = placed {
            slot.recovered += u32::from(recovered);
            slot.done += 1;
            self.counters.recovered += u64::from(recovered);
            if slot.count == Some(slot.done) {
                self.finish(now, header.frame);
                return Ok(Pushed::Whole);
            }
        }
        Ok(Pushed::Kept)
    }

    /// Makes `frame` one of those in progress; false when it is over.
    fn reach(&mut self, now: Time, frame: u32) -> bool {
        if self.unknown {
            (self.head, self.end, self.unknown) = (frame, frame, false);
        }
        let before = self.head.wrapping_sub(frame);
        if before > 0 && before < 1 << 31 {
            if self.settled || self.end.wrapping_sub(frame) > FRAMES {
                return false;
            }
            // Nothing was said yet: the stream began earlier than it seemed to.
            self.head = frame;
            for distance in 0..before {
                if let Some(slot) = self.slot_mut(frame.wrapping_add(distance)) {
                    slot.begin(now);
                }
            }
        }
        if frame.wrapping_sub(self.head) >= FRAMES {
            self.make_room(frame);
        }
        while frame.wrapping_sub(self.head) >= self.end.wrapping_sub(self.head) {
            let newest = self.end;
            if let Some(slot) = self.slot_mut(newest) {
                slot.begin(now);
            }
            self.end = newest.wrapping_add(1);
        }
        true
    }

    /// Ends frames until `frame` is one of the [`FRAMES`] from the head on.
    fn make_room(&mut self, frame: u32) {
        let head = frame.wrapping_sub(FRAMES - 1);
        for old in self.pending() {
            if head.wrapping_sub(old).wrapping_sub(1) < 1 << 31 {
                self.lose(old);
            }
        }
        self.advance();
        // The frames in between that nothing is known of.
        let skipped = head.wrapping_sub(self.head);
        if skipped > 0 && skipped < 1 << 31 {
            self.tell_lost(self.head, head.wrapping_sub(1));
            (self.head, self.end) = (head, head);
        }
    }

    /// Finds or makes the block; false when the frame or the block is done without.
    fn open_block(&mut self, header: &ShardHeader, shape: &Shape) -> Result<bool, Error> {
        let at = usize::from(header.block);
        let Some(slot) = self.slot(header.frame) else { return Ok(false) };
        if slot.state != State::Waiting {
            return Ok(false);
        }
        let known = slot.blocks.get(at).filter(|_| at < slot.known).and_then(|block| block.shape);
        if let Some(known) = known {
            let same = known == *shape && slot.header.epoch == header.epoch;
            return if same { Ok(true) } else { Err(Error::Conflict) };
        }
        if !slot.admits(header, shape) {
            return Err(Error::Conflict);
        }
        let buffer = self.buffer(shape.memory(), header.frame)?;
        let Some(slot) = self.slots.get_mut((header.frame % FRAMES) as usize) else { return Ok(false) };
        if slot.blocks.len() <= at {
            slot.blocks.resize_with(at + 1, Block::default);
        }
        slot.known = slot.known.max(at + 1);
        if shape.flags.has(Flags::LAST_BLOCK) {
            slot.count = Some(at + 1);
        }
        slot.memory += buffer.capacity();
        self.memory += buffer.capacity();
        if let Some(block) = slot.blocks.get_mut(at) {
            block.begin(*shape, buffer);
        }
        Ok(true)
    }

    /// A buffer that takes `wanted` bytes. Where that is too much, the oldest frames but
    /// `frame` are given up.
    fn buffer(&mut self, wanted: usize, frame: u32) -> Result<Vec<u8>, Error> {
        if let Some(buffer) = self.pool.take(wanted) {
            return Ok(buffer);
        }
        let room = Pool::room(wanted);
        for oldest in self.pending() {
            if self.fits(room) {
                break;
            }
            if oldest != frame {
                self.lose(oldest);
            }
        }
        self.advance();
        if self.fits(room) {
            return Ok(Vec::with_capacity(room));
        }
        Err(if self.ready.is_empty() { Error::TooLarge } else { Error::Backlog })
    }

    /// Whether so many bytes more may be taken; spare ones make room.
    fn fits(&mut self, more: usize) -> bool {
        let left = self.limits.bytes.checked_sub(self.memory + more);
        self.pool.shrink(left.unwrap_or(0));
        left.is_some()
    }

    /// All blocks of `frame` are done.
    fn finish(&mut self, now: Time, frame: u32) {
        if let Some(slot) = self.slot_mut(frame) {
            slot.state = State::Whole;
            slot.latest = now;
        }
        if self.order == Order::Completed {
            self.give_out(frame);
        }
        self.advance();
    }

    /// Queues a whole frame.
    fn give_out(&mut self, frame: u32) {
        let Some((buffer, len, shards)) = self.assemble(frame) else {
            // Its blocks fit, but not beside the whole of it.
            if let Some(slot) = self.slot_mut(frame) {
                slot.state = State::Waiting;
            }
            self.lose(frame);
            if self.order == Order::Numbered {
                self.tell_lost(frame, frame);
            }
            return;
        };
        let Some(slot) = self.slots.get_mut((frame % FRAMES) as usize) else { return };
        slot.state = State::Over;
        self.counters.frames += 1;
        self.settled = true;
        self.ready.push_back(Event::Frame(Frame {
            number: frame,
            epoch: slot.header.epoch,
            flags: slot.header.flags.without(Flags::LAST_BLOCK.with(Flags::REPAIR)),
            timestamp: slot.header.timestamp,
            age: slot.age,
            first: slot.since,
            whole: slot.latest,
            shards,
            recovered: slot.recovered,
            buffer,
            len,
        }));
    }

    /// The payloads of all blocks of a frame end to end, their length and the number of data
    /// shards. A single block is handed out as it lies.
    fn assemble(&mut self, frame: u32) -> Option<(Vec<u8>, usize, u32)> {
        let slot = self.slots.get_mut((frame % FRAMES) as usize)?;
        let shapes = slot.blocks.iter().take(slot.known).filter_map(|block| block.shape);
        let (len, shards) =
            shapes.fold((0, 0), |(len, shards), shape| (len + shape.payload(), shards + u32::from(shape.k)));
        let buffer = if slot.known == 1 {
            slot.blocks.first_mut()?.end()
        } else {
            let mut whole = match self.pool.take(len) {
                Some(buffer) => buffer,
                None => {
                    let room = Pool::room(len);
                    let left = self.limits.bytes.checked_sub(self.memory + room)?;
                    self.pool.shrink(left);
                    Vec::with_capacity(room)
                }
            };
            whole.clear();
            for block in slot.blocks.iter_mut().take(slot.known) {
                let payload = block.shape.map_or(0, |shape| shape.payload());
                whole.extend_from_slice(block.buffer.get(..payload)?);
            }
            whole
        };
        // All memory of the blocks leaves the slot; what the frame does not take is spare.
        self.memory -= std::mem::take(&mut slot.memory);
        self.memory += buffer.capacity();
        for block in slot.blocks.iter_mut().take(slot.known) {
            self.pool.put(block.end(), self.limits.bytes.saturating_sub(self.memory));
        }
        Some((buffer, len, shards))
    }

    /// Marks `frame` as lost unless it is whole, and takes its memory back.
    fn lose(&mut self, frame: u32) {
        let Some(slot) = self.slots.get_mut((frame % FRAMES) as usize) else { return };
        if slot.state != State::Waiting {
            return;
        }
        slot.state = State::Lost;
        self.memory -= std::mem::take(&mut slot.memory);
        for block in slot.blocks.iter_mut().take(slot.known) {
            let buffer = block.end();
            self.pool.put(buffer, self.limits.bytes.saturating_sub(self.memory));
        }
        if self.order == Order::Completed {
            self.tell_lost(frame, frame);
        }
    }

    /// Moves the head over what is whole or lost.
    fn advance(&mut self) {
        while self.head != self.end {
            let frame = self.head;
            match self.slot(frame).map(|slot| slot.state) {
                Some(State::Waiting) | None => return,
                Some(State::Whole) => self.give_out(frame),
                Some(State::Lost) if self.order == Order::Numbered => self.tell_lost(frame, frame),
                Some(State::Lost | State::Over) => {}
            }
            self.head = frame.wrapping_add(1);
        }
    }

    /// Queues that frames are lost, with those before them when they follow each other.
    fn tell_lost(&mut self, first: u32, last: u32) {
        self.counters.lost += u64::from(last.wrapping_sub(first)) + 1;
        self.settled = true;
        match self.ready.back_mut() {
            Some(Event::Lost { last: before, .. }) if before.wrapping_add(1) == first => *before = last,
            _ => self.ready.push_back(Event::Lost { first, last }),
        }
    }

    fn put(&mut self, buffer: Vec<u8>) {
        self.pool.put(buffer, self.limits.bytes.saturating_sub(self.memory));
    }
}
