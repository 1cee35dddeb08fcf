//! One block of a frame that is being put together, and the memory it lies in.

use punktfunk_fec::gf16::{Decoder, Shards, ShardsMut};

use super::{Error, Flags, ShardHeader};

/// Buffers that go round. What they hold is old and never read.
#[derive(Debug, Default)]
pub(super) struct Pool {
    spare: Vec<Vec<u8>>,
    /// Bytes of memory of the spare buffers.
    pub(super) bytes: usize,
}

impl Pool {
    /// Memory that a new buffer for `wanted` bytes gets: some more, for the next frame is
    /// seldom exactly as large.
    pub(super) const fn room(wanted: usize) -> usize {
        wanted + wanted / 8
    }

    /// The smallest buffer that takes `wanted` bytes, unless it is far too large.
    pub(super) fn take(&mut self, wanted: usize) -> Option<Vec<u8>> {
        let fitting = wanted..=4 * wanted + (64 << 10);
        let sizes = self.spare.iter().map(Vec::capacity).enumerate();
        let (at, size) = sizes.filter(|(_, size)| fitting.contains(size)).min_by_key(|(_, size)| *size)?;
        self.bytes -= size;
        Some(self.spare.swap_remove(at))
    }

    /// Keeps `buffer` for its next use as long as there are at most `most` bytes of them.
    pub(super) fn put(&mut self, buffer: Vec<u8>, most: usize) {
        if buffer.capacity() > 0 && self.bytes + buffer.capacity() <= most {
            self.bytes += buffer.capacity();
            self.spare.push(buffer);
        }
    }

    /// Frees a buffer until no more than `most` bytes are kept.
    pub(super) fn shrink(&mut self, most: usize) {
        while self.bytes > most {
            let Some(freed) = self.spare.pop() else { return };
            self.bytes -= freed.capacity();
        }
    }
}

/// What all shards of a block have to agree in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) k: u16,
    pub(super) m: u16,
    pub(super) base: u16,
    pub(super) tail: u16,
    pub(super) len: usize,
    pub(super) flags: Flags,
}

impl Shape {
    pub(super) fn of(header: &ShardHeader, shard: &[u8]) -> Self {
        let flags = header.flags.of(Flags::FIXED);
        Self { k: header.k, m: header.m, base: header.base, tail: header.tail, len: shard.len(), flags }
    }

    /// Bytes the block may take: its data, and as much parity as could be needed.
    pub(super) fn memory(&self) -> usize {
        (usize::from(self.k) + usize::from(self.k.min(self.m))) * self.len
    }

    /// Bytes of the block that belong to the frame.
    pub(super) fn payload(&self) -> usize {
        (usize::from(self.k) - 1) * self.len + usize::from(self.tail)
    }
}

/// What became of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placed {
    /// It was there before, or the block is done without it.
    Surplus,
    /// It is one more, and more are needed.
    Kept,
    /// The block is done; so many shards were computed.
    Done(u16),
}

/// A block: empty until its first shard.
#[derive(Debug, Default)]
pub(super) struct Block {
    pub(super) shape: Option<Shape>,
    pub(super) done: bool,
    /// Data shards in their places, then parity shards in the order they came.
    pub(super) buffer: Vec<u8>,
    /// Which shards are there, parity after data.
    have: Vec<bool>,
    /// The index of each parity shard that is there, 0 being the first parity shard.
    parity: Vec<u16>,
    data: u16,
    /// One more than the highest index that arrived.
    pub(super) reached: u16,
}

impl Block {
    /// Begins with nothing but the shape, in `buffer`, which takes [`Shape::memory`].
    pub(super) fn begin(&mut self, shape: Shape, buffer: Vec<u8>) {
        self.shape = Some(shape);
        self.done = false;
        self.buffer = buffer;
        self.have.clear();
        self.have.resize(usize::from(shape.k) + usize::from(shape.m), false);
        self.parity.clear();
        self.data = 0;
        self.reached = 0;
    }

    /// Ends the block and gives its memory out.
    pub(super) fn end(&mut self) -> Vec<u8> {
        self.shape = None;
        std::mem::take(&mut self.buffer)
    }

    /// How many more shards are needed.
    pub(super) fn wanted(&self) -> usize {
        let Some(shape) = self.shape.filter(|_| !self.done) else { return 0 };
        usize::from(shape.k) - usize::from(self.data) - self.parity.len()
    }

    /// Whether what comes after the highest that arrived is too little.
    pub(super) fn is_short(&self) -> bool {
        let Some(shape) = self.shape else { return false };
        let to_come = usize::from(shape.k) + usize::from(shape.m) - usize::from(self.reached);
        self.wanted() > to_come
    }

    /// Takes in shard `index`, which belongs here.
    pub(super) fn place(&mut self, index: u16, shard: &[u8], decoder: &mut Decoder) -> Result<Placed, Error> {
        let Some(shape) = self.shape else { return Err(Error::Conflict) };
        if self.done {
            return Ok(Placed::Surplus);
        }
        match self.have.get_mut(usize::from(index)) {
            Some(have) if !*have => *have = true,
            Some(_) => return Ok(Placed::Surplus),
            None => return Err(Error::Conflict),
        }
        let at = if let Some(parity) = index.checked_sub(shape.k) {
            self.parity.push(parity);
            shape.k as usize + self.parity.len() - 1
        } else {
            self.data += 1;
            usize::from(index)
        };
        self.reached = self.reached.max(index + 1);
        let begin = at * shape.len;
        // Data first and in order: then this is the only time the place is written.
        if self.buffer.len() <= begin {
            self.buffer.resize(begin, 0);
            self.buffer.extend_from_slice(shard);
        } else {
            if self.buffer.len() < begin + shape.len {
                self.buffer.resize(begin + shape.len, 0);
            }
            self.buffer[begin..begin + shape.len].copy_from_slice(shard);
        }
        if self.data == shape.k {
            self.done = true;
            return Ok(Placed::Done(0));
        }
        if self.wanted() > 0 {
            return Ok(Placed::Kept);
        }
        self.decode(&shape, decoder)?;
        self.done = true;
        Ok(Placed::Done(shape.k - self.data))
    }

    fn decode(&mut self, shape: &Shape, decoder: &mut Decoder) -> Result<(), Error> {
        let (k, len) = (usize::from(shape.k), shape.len);
        let end = (k + self.parity.len()) * len;
        if self.buffer.len() < end {
            self.buffer.resize(end, 0);
        }
        let (data, parity) = self.buffer.split_at_mut(k * len);
        let parity = Shards::new(parity, self.parity.len(), len, len)?;
        let data = ShardsMut::new(data, k, len, len)?;
        let have = self.have.get(..k).unwrap_or_default();
        Ok(decoder.decode_strided(data, have, parity, &self.parity, usize::from(shape.m))?)
    }

    /// Calls `each` with runs of missing data shards, first index and count, as many as
    /// are needed: below the highest that arrived, or all of them when `ended`.
    pub(super) fn missing(&self, ended: bool, mut each: impl FnMut(u16, u16)) {
        let Some(shape) = self.shape else { return };
        let mut wanted = self.wanted();
        let until = if ended { shape.k } else { shape.k.min(self.reached) };
        let mut run: Option<(u16, u16)> = None;
        for (index, have) in (0..until).zip(&self.have) {
            if *have || wanted == 0 {
                if let Some((first, count)) = run.take() {
                    each(first, count);
                }
                continue;
            }
            wanted -= 1;
            let (first, count) = run.unwrap_or((index, 0));
            run = Some((first, count + 1));
        }
        if let Some((first, count)) = run {
            each(first, count);
        }
    }
}
