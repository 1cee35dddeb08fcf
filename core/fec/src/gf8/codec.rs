//! The Cauchy code: encoding a block and rebuilding its missing data shards.

use std::ptr;

use super::kernel::{MAX_TILE, Matrix};
use super::table::{EXP, LOG, inverse};
use super::{Backend, coefficient};

/// The most data and parity shards a block can have together.
pub const MAX_SHARDS: usize = 255;

/// A block cannot be encoded or repaired as asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// There is no data shard, or more than [`MAX_SHARDS`] in all.
    ShardCount {
        /// Data shards asked for.
        data: usize,
        /// Parity shards asked for.
        parity: usize,
    },
    /// The shards differ in length, or the buffer is too short for them.
    Length,
    /// More data shards are missing than parity shards are there.
    TooFewShards {
        /// Data shards that are missing.
        missing: usize,
        /// Parity shards that are present.
        parity: usize,
    },
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ShardCount { data, parity } => {
                write!(f, "a block of {data} + {parity} shards is not possible; use 1 to {MAX_SHARDS} in all")
            }
            Self::Length => f.write_str("make all shards of the block equally long"),
            Self::TooFewShards { missing, parity } => {
                write!(f, "{missing} data shards are missing and only {parity} parity shards arrived")
            }
        }
    }
}

impl std::error::Error for Error {}

/// Where equally long shards lie in one buffer: shard `i` is the `len` bytes from
/// `i * stride`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stripe {
    /// Bytes from one shard to the next, at least `len`.
    pub stride: usize,
    /// Bytes of a shard.
    pub len: usize,
}

impl Stripe {
    /// True when `count` shards fit into `bytes` without overlapping.
    fn fits(self, count: usize, bytes: usize) -> bool {
        let last = count.saturating_sub(1).checked_mul(self.stride);
        self.len <= self.stride
            && (count == 0
                || last.and_then(|last| last.checked_add(self.len)).is_some_and(|end| end <= bytes))
    }
}

/// Encodes and repairs blocks. Keeps its working memory, so that after the first
/// blocks nothing is allocated any more.
#[derive(Debug)]
pub struct Codec {
    encoding: Matrix,
    /// The (data, parity) counts that `encoding` is for.
    encodes: (usize, usize),
    syndrome: Matrix,
    solution: Matrix,
    scratch: Vec<u8>,
}

impl Default for Codec {
    fn default() -> Self {
        Self::new(Backend::best())
    }
}

impl Codec {
    /// A codec that uses `backend`, or look-up tables when this processor does not
    /// have it.
    pub fn new(backend: Backend) -> Self {
        Self {
            encoding: Matrix::new(backend),
            encodes: (0, 0),
            syndrome: Matrix::new(backend),
            solution: Matrix::new(backend),
            scratch: Vec::new(),
        }
    }

    /// The backend in use.
    pub const fn backend(&self) -> Backend {
        self.encoding.backend()
    }

    /// Overwrites `parity` with the parity of `data`. All shards are equally long.
    pub fn encode(&mut self, data: &[&[u8]], parity: &mut [&mut [u8]]) -> Result<(), Error> {
        check_counts(data.len(), parity.len())?;
        let len = data.first().map_or(0, |shard| shard.len());
        if data.iter().any(|shard| shard.len() != len) || parity.iter().any(|shard| shard.len() != len) {
            return Err(Error::Length);
        }
        let mut from = [ptr::null(); MAX_SHARDS];
        let mut to = [ptr::null_mut(); MAX_SHARDS];
        from.iter_mut().zip(data).for_each(|(slot, shard)| *slot = shard.as_ptr());
        to.iter_mut().zip(parity.iter_mut()).for_each(|(slot, shard)| *slot = shard.as_mut_ptr());
        // SAFETY: every shard is `len` bytes long; the parity shards are borrowed
        // exclusively, so they overlap neither each other nor the data.
        unsafe { self.encode_pointers(&mut from[..data.len()], &mut to[..parity.len()], len) };
        Ok(())
    }

    /// As [`Codec::encode`] for `counts` = (data, parity) shards that lie in one
    /// buffer each. Bytes between shards stay as they are.
    pub fn encode_stripe(
        &mut self,
        counts: (usize, usize),
        stripe: Stripe,
        data: &[u8],
        parity: &mut [u8],
    ) -> Result<(), Error> {
        check_counts(counts.0, counts.1)?;
        if !stripe.fits(counts.0, data.len()) || !stripe.fits(counts.1, parity.len()) {
            return Err(Error::Length);
        }
        let mut from = [ptr::null(); MAX_SHARDS];
        let mut to = [ptr::null_mut(); MAX_SHARDS];
        let (base, parity) = (data.as_ptr(), parity.as_mut_ptr());
        for (i, slot) in from[..counts.0].iter_mut().enumerate() {
            *slot = base.wrapping_add(i * stripe.stride);
        }
        for (i, slot) in to[..counts.1].iter_mut().enumerate() {
            *slot = parity.wrapping_add(i * stripe.stride);
        }
        // SAFETY: `fits` says that each shard lies inside its buffer and apart from
        // the next; `parity` is borrowed exclusively.
        unsafe { self.encode_pointers(&mut from[..counts.0], &mut to[..counts.1], stripe.len) };
        Ok(())
    }

    /// Rebuilds the missing data shards of a block and says how many there were.
    ///
    /// `shards` holds the data shards, then the parity shards, `data` of the
    /// former; `present` has one entry for each. Missing parity stays missing.
    pub fn repair(
        &mut self,
        shards: &mut [&mut [u8]],
        data: usize,
        present: &[bool],
    ) -> Result<usize, Error> {
        let len = shards.first().map_or(0, |shard| shard.len());
        if present.len() != shards.len() || shards.iter().any(|shard| shard.len() != len) {
            return Err(Error::Length);
        }
        let mut all = [ptr::null_mut(); MAX_SHARDS];
        all.iter_mut().zip(shards.iter_mut()).for_each(|(slot, shard)| *slot = shard.as_mut_ptr());
        // SAFETY: the shards are `len` bytes each and borrowed exclusively.
        unsafe { self.repair_pointers(&all, data, present, len) }
    }

    /// As [`Codec::repair`] for shards that lie in one buffer, `present.len()` of
    /// them.
    pub fn repair_stripe(
        &mut self,
        shards: &mut [u8],
        stripe: Stripe,
        data: usize,
        present: &[bool],
    ) -> Result<usize, Error> {
        if !stripe.fits(present.len(), shards.len()) {
            return Err(Error::Length);
        }
        let mut all = [ptr::null_mut(); MAX_SHARDS];
        let base = shards.as_mut_ptr();
        for (i, slot) in all.iter_mut().enumerate().take(present.len()) {
            *slot = base.wrapping_add(i * stripe.stride);
        }
        // SAFETY: `fits` says that each shard lies inside the buffer, which is
        // borrowed exclusively, and apart from the next.
        unsafe { self.repair_pointers(&all, data, present, stripe.len) }
    }

    /// # Safety
    ///
    /// `len` bytes can be read at each of `from` and written at each of `to`, and
    /// nothing written overlaps anything else.
    unsafe fn encode_pointers(&mut self, from: &mut [*const u8], to: &mut [*mut u8], len: usize) {
        let (data, parity) = (from.len(), to.len());
        if self.encodes != (data, parity) {
            self.encoding.fill(parity, data, |row, column| coefficient(parity, row, column));
            self.encodes = (data, parity);
        }
        let mut at = 0;
        for (offset, width) in tiles(len, self.backend().tile()) {
            advance(from, offset - at);
            advance_mut(to, offset - at);
            at = offset;
            // SAFETY: the tile lies inside the `len` bytes the caller vouches for.
            unsafe { self.encoding.tile(width, from, None, to) };
        }
    }

    /// # Safety
    ///
    /// The first `present.len()` (at most [`MAX_SHARDS`], else nothing is touched)
    /// pointers of `shards` are good for `len` bytes each, read and written, and
    /// do not overlap.
    unsafe fn repair_pointers(
        &mut self,
        shards: &[*mut u8; MAX_SHARDS],
        data: usize,
        present: &[bool],
        len: usize,
    ) -> Result<usize, Error> {
        let Some(parity) = present.len().checked_sub(data) else {
            return Err(Error::ShardCount { data, parity: 0 });
        };
        check_counts(data, parity)?;
        let plan = Plan::new(data, present)?;
        let missing = plan.missing().len();
        if missing == 0 {
            return Ok(0);
        }
        self.prepare(&plan, parity);
        let (mut from, mut start) = ([ptr::null::<u8>(); MAX_SHARDS], [ptr::null::<u8>(); MAX_SHARDS]);
        let mut to = [ptr::null_mut::<u8>(); MAX_SHARDS];
        for (slot, &i) in from.iter_mut().zip(plan.known()) {
            *slot = shards[usize::from(i)];
        }
        for (slot, &row) in start.iter_mut().zip(plan.rows()) {
            *slot = shards[data + usize::from(row)];
        }
        for (slot, &i) in to.iter_mut().zip(plan.missing()) {
            *slot = shards[usize::from(i)];
        }
        let (from, start) = (&mut from[..plan.known().len()], &mut start[..missing]);
        let to = &mut to[..missing];
        let tile = self.backend().tile();
        self.scratch.resize(missing * MAX_TILE, 0);
        let scratch = self.scratch.as_mut_ptr();
        let mut sums = [ptr::null_mut::<u8>(); MAX_SHARDS];
        let mut read = [ptr::null::<u8>(); MAX_SHARDS];
        for (row, (sum, read)) in sums.iter_mut().zip(&mut read).take(missing).enumerate() {
            *sum = scratch.wrapping_add(row * tile);
            *read = *sum;
        }
        let mut at = 0;
        for (offset, width) in tiles(len, tile) {
            advance(from, offset - at);
            advance(start, offset - at);
            advance_mut(to, offset - at);
            at = offset;
            // SAFETY: the tile lies inside the `len` bytes of each shard; the rows
            // of the scratch buffer are one tile each and lie inside it; missing,
            // known and parity shards are different ones.
            unsafe {
                self.syndrome.tile(width, from, Some(start), &sums[..missing]);
                self.solution.tile(width, &read[..missing], None, to);
            }
        }
        Ok(missing)
    }

    /// Sets up both steps of a repair: what the missing shards add to the parity,
    /// and the inverse of the square Cauchy matrix that they were added with.
    fn prepare(&mut self, plan: &Plan, parity: usize) {
        let (rows, known, missing) = (plan.rows(), plan.known(), plan.missing());
        self.syndrome.fill(rows.len(), known.len(), |row, column| {
            coefficient(parity, usize::from(rows[row]), usize::from(known[column]))
        });
        // For C[a][b] = 1 / (y_a + x_b) the inverse is u_a · v_b / (y_a + x_b), with
        // u_a = Π (y_a + x_k) / Π' (y_a + y_k) and v_b = Π (x_b + y_k) / Π' (x_b + x_k),
        // Π' leaving out the factor that is zero.
        let size = missing.len();
        let (mut x, mut y) = ([0u8; MAX_SHARDS], [0u8; MAX_SHARDS]);
        for (slot, &i) in x.iter_mut().zip(missing) {
            // Below 255, because data and parity are at most 255 together.
            *slot = u8::try_from(parity + usize::from(i)).unwrap_or(u8::MAX);
        }
        y.iter_mut().zip(rows).for_each(|(slot, &row)| *slot = row);
        let (x, y) = (&x[..size], &y[..size]);
        let (mut u, mut v) = ([0u16; MAX_SHARDS], [0u16; MAX_SHARDS]);
        for i in 0..size {
            u[i] = log_ratio(y[i], x, y);
            v[i] = log_ratio(x[i], y, x);
        }
        self.solution.fill(size, size, |b, a| {
            let log = u[a] + v[b] + u16::from(LOG[usize::from(inverse(y[a] ^ x[b]))]);
            EXP[usize::from(log % 255)]
        });
    }
}

/// The logarithm of Π (at + over) / Π (at + under), factors of zero left out.
fn log_ratio(at: u8, over: &[u8], under: &[u8]) -> u16 {
    let sum = |factors: &[u8]| -> u32 {
        factors.iter().filter(|&&f| f != at).map(|&f| u32::from(LOG[usize::from(f ^ at)])).sum()
    };
    // At most 255 factors of at most 254 each.
    ((sum(over) + 255 * 255 - sum(under)) % 255) as u16
}

/// Which shards take part in a repair.
struct Plan {
    known: [u8; MAX_SHARDS],
    known_count: usize,
    missing: [u8; MAX_SHARDS],
    rows: [u8; MAX_SHARDS],
    missing_count: usize,
}

impl Plan {
    /// `present` has at most [`MAX_SHARDS`] entries, `data` of them for data.
    fn new(data: usize, present: &[bool]) -> Result<Self, Error> {
        let mut plan = Self {
            known: [0; MAX_SHARDS],
            known_count: 0,
            missing: [0; MAX_SHARDS],
            rows: [0; MAX_SHARDS],
            missing_count: 0,
        };
        let (data, parity) = present.split_at(data);
        // The numbers come second: after the last shard none is asked for any more, and
        // with 255 shards there would be none.
        for (&there, i) in data.iter().zip(0u8..) {
            if there {
                plan.known[plan.known_count] = i;
                plan.known_count += 1;
            } else {
                plan.missing[plan.missing_count] = i;
                plan.missing_count += 1;
            }
        }
        let mut rows = 0;
        for (_, row) in parity.iter().zip(0u8..).filter(|&(&there, _)| there).take(plan.missing_count) {
            plan.rows[rows] = row;
            rows += 1;
        }
        if rows < plan.missing_count {
            return Err(Error::TooFewShards { missing: plan.missing_count, parity: rows });
        }
        Ok(plan)
    }

    fn known(&self) -> &[u8] {
        &self.known[..self.known_count]
    }

    fn missing(&self) -> &[u8] {
        &self.missing[..self.missing_count]
    }

    fn rows(&self) -> &[u8] {
        &self.rows[..self.missing_count]
    }
}

fn check_counts(data: usize, parity: usize) -> Result<(), Error> {
    let total = data.saturating_add(parity);
    if data == 0 || total > MAX_SHARDS { Err(Error::ShardCount { data, parity }) } else { Ok(()) }
}

/// The tiles that cover `len` bytes: (offset, width), offsets rising. The last one
/// overlaps the one before it when `len` is not a multiple of the tile, which is
/// fine because what is read is never what was written.
pub(super) fn tiles(len: usize, tile: usize) -> impl Iterator<Item = (usize, usize)> {
    let whole = if len < tile { 0 } else { len / tile };
    let last = match (len < tile, len % tile) {
        (_, 0) => None,
        (true, rest) => Some((0, rest)),
        (false, _) => Some((len - tile, tile)),
    };
    (0..whole).map(move |i| (i * tile, tile)).chain(last)
}

pub(super) fn advance(pointers: &mut [*const u8], by: usize) {
    pointers.iter_mut().for_each(|pointer| *pointer = pointer.wrapping_add(by));
}

pub(super) fn advance_mut(pointers: &mut [*mut u8], by: usize) {
    pointers.iter_mut().for_each(|pointer| *pointer = pointer.wrapping_add(by));
}
