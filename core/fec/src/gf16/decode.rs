//! Rebuilding the missing data shards of a block.
//!
//! The code is a generalised Cauchy code: with `M` the next power of two from `m` and
//! `k ≥ m`, data shard `i` is at position `p = M + i`, parity shard `j` at position `j`,
//! and parity is `Σ (p / M) / (p + j) · data_i`, `/ M` being a shift. With `k < m` the
//! two change places. So what is lost is a sum over what is known with coefficients
//! `g · h / (lost + known)`, which are products over the lost positions and the parity
//! positions used.
//!
//! For few losses that sum is the quickest way. For more, the known data is encoded
//! again, which is quick, and what that differs from the parity that was received by
//! (the syndromes) takes the place of parity; the sum has then as many terms as there
//! are losses. For very many it is the transform that Leopard decodes with.

use std::fmt;

use super::encode::{grow_factors, grow_rows};
use super::field::{Logarithms, ORDER, logarithms};
use super::kernel::{Encoding, Kernels, Output, Place, Transform, encoding_rows, positions};
use super::lane::Scalar;
use super::locator;
#[cfg(target_arch = "x86_64")]
use super::x86::{Avx2, Gfni256, Gfni512};
use super::{Backend, Error, Shards, ShardsMut, check};

/// Rebuilds missing data. Keeps its working memory: sizes seen before allocate nothing.
pub struct Decoder {
    plan: Plan,
    machine: Box<dyn Restore>,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder").finish_non_exhaustive()
    }
}

impl Decoder {
    /// A decoder for this processor that has no working memory yet.
    pub fn new() -> Self {
        Self::with(Backend::best())
    }

    /// A decoder that uses `backend`, or look-up tables when this processor does not
    /// have it.
    pub fn with(backend: Backend) -> Self {
        let machine: Box<dyn Restore> = match backend {
            #[cfg(target_arch = "x86_64")]
            Backend::Gfni512 if backend.available() => Box::new(Machine::<Gfni512>::default()),
            #[cfg(target_arch = "x86_64")]
            Backend::Gfni256 if backend.available() => Box::new(Machine::<Gfni256>::default()),
            #[cfg(target_arch = "x86_64")]
            Backend::Avx2 if backend.available() => Box::new(Machine::<Avx2>::default()),
            _ => Box::new(Machine::<Scalar>::default()),
        };
        Self { plan: Plan::default(), machine }
    }

    /// Restores the missing shards of `data`, those that are false in `have`, from the
    /// others and from `parity`: shards of the block's `m` parity shards, each with its
    /// index. More of them than are needed do no harm.
    ///
    /// # Errors
    ///
    /// All of [`Error`]; then nothing was written.
    pub fn decode(
        &mut self,
        data: ShardsMut<'_>,
        have: &[bool],
        parity: &[(u16, &[u8])],
        m: usize,
    ) -> Result<(), Error> {
        self.restore(data, have, parity.iter().copied(), m)
    }

    /// As [`Decoder::decode`] for parity shards in one buffer: `indices` holds the
    /// index of each of `parity`, in any order.
    ///
    /// # Errors
    ///
    /// As [`Decoder::decode`]; [`Error::Length`] also when `indices` is not as long as
    /// there are shards in `parity`.
    pub fn decode_strided(
        &mut self,
        data: ShardsMut<'_>,
        have: &[bool],
        parity: Shards<'_>,
        indices: &[u16],
        m: usize,
    ) -> Result<(), Error> {
        if indices.len() != parity.count() {
            return Err(Error::Length);
        }
        let shards = (0..parity.count()).filter_map(|i| parity.shard(i));
        self.restore(data, have, indices.iter().copied().zip(shards), m)
    }

    fn restore<'p>(
        &mut self,
        mut data: ShardsMut<'_>,
        have: &[bool],
        parity: impl Iterator<Item = (u16, &'p [u8])> + Clone,
        m: usize,
    ) -> Result<(), Error> {
        let (k, len) = (data.count(), data.shard_len());
        check(k, m, len)?;
        if have.len() != k || parity.clone().any(|(_, shard)| shard.len() != len) {
            return Err(Error::Length);
        }
        let missing = self.plan.lose(k, m, have);
        let there = self.plan.use_parity(parity, missing)?;
        if there < missing {
            return Err(Error::TooFewShards { missing, parity: there });
        }
        if missing != 0 {
            self.plan.place(data.place(), have, len);
            // SAFETY: the plan holds the shards of `data`, which is borrowed alone, and
            // of `parity`, each `len` bytes long.
            unsafe { self.machine.restore(&self.plan, have, logarithms()) };
        }
        Ok(())
    }
}

/// A shard, and where it is in the code.
struct Shard {
    /// Its number among those of its kind.
    index: u16,
    position: u16,
    /// The logarithm of what it is multiplied by in the Cauchy form.
    scale: u32,
    place: Place,
}

/// Which shards take part in a repair.
#[derive(Default)]
struct Plan {
    /// The smaller count, rounded up to a power of two.
    chunk: usize,
    /// True when parity comes first in the code.
    parity_first: bool,
    /// Positions that the transform takes.
    size: usize,
    /// Parity shards of the block.
    m: usize,
    /// Where the data shards begin, and the bytes from one to the next.
    start: Option<Place>,
    stride: usize,
    len: usize,
    seen: Vec<bool>,
    lost: Vec<Shard>,
    present: Vec<Shard>,
    parity: Vec<Shard>,
}

impl Plan {
    /// Begins a plan; the number of data shards that are missing.
    fn lose(&mut self, k: usize, m: usize, have: &[bool]) -> usize {
        let (data_chunk, parity_chunk) = (k.next_power_of_two(), m.next_power_of_two());
        self.parity_first = parity_chunk <= data_chunk;
        self.chunk = parity_chunk.min(data_chunk);
        self.size = (self.chunk + if self.parity_first { k } else { m }).next_power_of_two();
        self.m = m;
        self.seen.clear();
        self.seen.resize(m, false);
        have.iter().filter(|have| !**have).count()
    }

    /// Takes the first `most` of these parity shards; how many there are in all.
    fn use_parity<'p>(
        &mut self,
        parity: impl Iterator<Item = (u16, &'p [u8])>,
        most: usize,
    ) -> Result<usize, Error> {
        self.parity.clear();
        let mut count = 0;
        for (index, shard) in parity {
            match self.seen.get_mut(usize::from(index)) {
                Some(seen) if !*seen => *seen = true,
                _ => return Err(Error::ParityIndex(index)),
            }
            count += 1;
            if count <= most {
                let position = usize::from(index) + if self.parity_first { 0 } else { self.chunk };
                let scale = if self.parity_first { 0 } else { self.scale(position) };
                let place = Place(shard.as_ptr().cast_mut());
                self.parity.push(Shard { index, position: position as u16, scale, place });
            }
        }
        Ok(count)
    }

    /// Notes where the data shards are.
    fn place(&mut self, (start, stride): (*mut u8, usize), have: &[bool], len: usize) {
        (self.start, self.stride, self.len) = (Some(Place(start)), stride, len);
        self.lost.clear();
        self.present.clear();
        for (i, &have) in have.iter().enumerate() {
            let position = i + if self.parity_first { self.chunk } else { 0 };
            let scale = if self.parity_first { self.scale(position) } else { 0 };
            let place = Place(start.wrapping_add(i * stride));
            let shard = Shard { index: i as u16, position: position as u16, scale, place };
            if have { self.present.push(shard) } else { self.lost.push(shard) }
        }
    }

    /// The logarithm of the factor of a position beyond the first chunk.
    fn scale(&self, position: usize) -> u32 {
        logarithms().log((position / self.chunk) as u16)
    }

    /// The way that takes the least work, when a butterfly costs so many percent of a
    /// product of a coefficient and a shard.
    fn way(&self, butterfly: usize) -> Way {
        let (lost, k) = (self.lost.len(), self.lost.len() + self.present.len());
        let layers = |size: usize| size.trailing_zeros() as usize + 1;
        let encoding = (k.max(self.m).div_ceil(self.chunk) + 1) * self.chunk / 2 * layers(self.chunk);
        let ways = [
            (lost * k, Way::Sum),
            (encoding * butterfly / 100 + lost * lost, Way::Syndromes),
            (self.size * layers(self.size) * butterfly / 150, Way::Transform),
        ];
        ways.into_iter().min_by_key(|(cost, _)| *cost).map_or(Way::Sum, |(_, way)| way)
    }
}

/// How a block is repaired: see the top of this file.
#[derive(Clone, Copy)]
enum Way {
    Sum,
    Syndromes,
    Transform,
}

/// What a repair is done with; only the lane differs.
trait Restore: Send + Sync {
    /// # Safety
    ///
    /// The shards of the plan are there; the lost ones are borrowed alone, and as many
    /// parity shards are in the plan.
    unsafe fn restore(&mut self, plan: &Plan, have: &[bool], tables: &Logarithms);
}

/// Made only for a lane that the processor has.
struct Machine<K: Kernels> {
    rows: Vec<K::Vector>,
    factors: Vec<K::Packed>,
    /// The coefficients of a few rows of a product.
    packed: Vec<K::Packed>,
    /// What is known, in the order of `packed`, and `h` of each.
    from: Vec<Place>,
    weights: Vec<(u16, u32)>,
    known: Vec<(u16, Place, K::Packed)>,
    lost: Vec<(u16, Place, K::Packed)>,
    /// Parity that takes part, for the syndromes, and these.
    received: Vec<(u16, Place, Place)>,
    syndromes: Vec<K::Vector>,
    sums: Vec<u32>,
    spectrum: Vec<u32>,
}

impl<K: Kernels> Default for Machine<K> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            factors: Vec::new(),
            packed: Vec::new(),
            from: Vec::new(),
            weights: Vec::new(),
            known: Vec::new(),
            lost: Vec::new(),
            received: Vec::new(),
            syndromes: Vec::new(),
            sums: Vec::new(),
            spectrum: Vec::new(),
        }
    }
}

impl<K: Kernels> Restore for Machine<K> {
    unsafe fn restore(&mut self, plan: &Plan, have: &[bool], tables: &Logarithms) {
        // SAFETY: passed on from the caller.
        unsafe {
            match plan.way(K::BUTTERFLY) {
                Way::Sum => self.sum(plan, tables),
                Way::Syndromes => self.syndromes(plan, have, tables),
                Way::Transform => self.transform(plan, tables),
            }
        }
    }
}

impl<K: Kernels> Machine<K> {
    /// Each lost shard as a sum over the known ones.
    ///
    /// # Safety
    ///
    /// As [`Restore::restore`].
    unsafe fn sum(&mut self, plan: &Plan, tables: &Logarithms) {
        self.from.clear();
        self.weights.clear();
        for shard in &plan.present {
            let weight = ratio(tables, shard.position, &plan.lost, &plan.parity) + shard.scale;
            self.from.push(shard.place);
            self.weights.push((shard.position, weight % ORDER));
        }
        for shard in &plan.parity {
            let weight = ratio(tables, shard.position, &plan.lost, &plan.parity) + ORDER - shard.scale;
            self.from.push(shard.place);
            self.weights.push((shard.position, weight % ORDER));
        }
        // SAFETY: passed on from the caller.
        unsafe { self.product(plan, tables) };
    }

    /// Each lost shard as a sum over the syndromes.
    ///
    /// # Safety
    ///
    /// As [`Restore::restore`].
    unsafe fn syndromes(&mut self, plan: &Plan, have: &[bool], tables: &Logarithms) {
        let Some(start) = plan.start else { return };
        let vectors = plan.len.div_ceil(K::VECTOR);
        grow_rows::<K>(&mut self.syndromes, (plan.parity.len() * vectors).div_ceil(K::COLUMN));
        self.from.clear();
        self.weights.clear();
        self.received.clear();
        let first = self.syndromes.as_mut_ptr();
        for (i, shard) in plan.parity.iter().enumerate() {
            let weight = ratio(tables, shard.position, &plan.lost, &plan.parity) + ORDER - shard.scale;
            let to = Place(first.wrapping_add(i * vectors).cast());
            self.received.push((shard.index, shard.place, to));
            self.from.push(to);
            self.weights.push((shard.position, weight % ORDER));
        }
        let (k, m) = (have.len(), plan.m);
        grow_rows::<K>(&mut self.rows, encoding_rows(k, m));
        grow_factors::<K>(&mut self.factors, positions(k, m));
        let (data, data_stride, len) = (start.0.cast_const(), plan.stride, plan.len);
        let output = Output::Syndromes(&self.received);
        let job = Encoding { data, k, data_stride, have, m, len, output };
        // SAFETY: the processor has the lane (this type's rule); rows and factors are as
        // many as are asked for, and so is the room for syndromes; the shards are as the
        // caller vouches for.
        unsafe {
            K::encode(&job, &mut self.rows, &self.factors);
            self.product(plan, tables);
        }
    }

    /// The lost shards as sums over `from`, with `weights` as `h`.
    ///
    /// # Safety
    ///
    /// As [`Restore::restore`], and what `from` points to is there.
    unsafe fn product(&mut self, plan: &Plan, tables: &Logarithms) {
        grow_rows::<K>(&mut self.rows, self.from.len());
        // SAFETY: the processor has the lane (this type's rule); the shards are there (the
        // caller's promise).
        unsafe { K::pad(&self.from, &mut self.rows, plan.len) };
        let mut rest = plan.lost.as_slice();
        while !rest.is_empty() {
            let count = if rest.len() >= K::ROWS { K::ROWS } else { 1 << rest.len().ilog2() };
            let (now, later) = rest.split_at(count);
            let mut to = [Place(std::ptr::null_mut()); 4];
            let mut rows = [(0, 0); 4];
            for (shard, (to, row)) in now.iter().zip(to.iter_mut().zip(&mut rows)) {
                let weight = ratio(tables, shard.position, &plan.parity, &plan.lost) + ORDER - shard.scale;
                *to = shard.place;
                *row = (shard.position, weight % ORDER);
            }
            self.packed.clear();
            for &(position, weight) in &self.weights {
                self.packed.extend(rows.iter().take(count).map(|&(row, other)| {
                    K::packed(tables.exp(weight + other + ORDER - tables.log(position ^ row)))
                }));
            }
            // SAFETY: as above; `packed` has `count` factors for each of `from`.
            unsafe { K::product(&self.packed, &self.from, &self.rows, &to[..count], plan.len) };
            rest = later;
        }
    }

    /// All lost shards at once, by the transform.
    ///
    /// # Safety
    ///
    /// As [`Restore::restore`].
    unsafe fn transform(&mut self, plan: &Plan, tables: &Logarithms) {
        self.sums.clear();
        self.sums.resize(plan.size, 0);
        // Parity that is not used is as good as lost, and so is what would come after it.
        let parity = if plan.parity_first { 0..plan.chunk } else { plan.chunk..plan.size };
        self.sums[parity].fill(1);
        plan.parity.iter().for_each(|shard| self.sums[usize::from(shard.position)] = 0);
        plan.lost.iter().for_each(|shard| self.sums[usize::from(shard.position)] = 1);
        locator::evaluate(&mut self.sums, &mut self.spectrum, tables);
        self.known.clear();
        for shard in plan.present.iter().chain(&plan.parity) {
            let factor = tables.exp(self.sums[usize::from(shard.position)]);
            self.known.push((shard.position, shard.place, K::packed(factor)));
        }
        self.lost.clear();
        for shard in &plan.lost {
            let factor = tables.exp(ORDER - self.sums[usize::from(shard.position)]);
            self.lost.push((shard.position, shard.place, K::packed(factor)));
        }
        grow_rows::<K>(&mut self.rows, plan.size);
        grow_factors::<K>(&mut self.factors, plan.size);
        let job = Transform { size: plan.size, known: &self.known, lost: &self.lost, len: plan.len };
        // SAFETY: the processor has the lane (this type's rule); rows and factors are as
        // many as are asked for; the shards are as the caller vouches for.
        unsafe { K::transform(&job, &mut self.rows, &self.factors) };
    }
}

/// The logarithm of Π (at + over) / Π (at + under), the factor of `at` itself left out.
fn ratio(tables: &Logarithms, at: u16, over: &[Shard], under: &[Shard]) -> u32 {
    let sum = |shards: &[Shard]| -> u32 {
        let others = shards.iter().filter(|shard| shard.position != at);
        others.map(|shard| tables.log(shard.position ^ at)).sum()
    };
    // At most 2^12 logarithms below 2^16 each.
    (sum(over) + ORDER * under.len() as u32 - sum(under)) % ORDER
}
