//! Encoding a block.

use std::fmt;

use super::field::{ORDER, logarithms};
use super::kernel::{Encoding, Kernels, Output, Place, encoding_rows, positions};
use super::lane::Scalar;
#[cfg(target_arch = "x86_64")]
use super::x86::{Avx2, Gfni256, Gfni512};
use super::{Backend, Error, Shards, ShardsMut, check};

/// Computes parity. Keeps its working memory: sizes seen before allocate nothing.
pub struct Encoder(Box<dyn Encode>);

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder").finish_non_exhaustive()
    }
}

impl Encoder {
    /// An encoder for this processor that has no working memory yet.
    pub fn new() -> Self {
        Self::with(Backend::best())
    }

    /// An encoder that uses `backend`, or look-up tables when this processor does not
    /// have it.
    pub fn with(backend: Backend) -> Self {
        if !backend.available() {
            return Self(Box::new(Machine::<Scalar>::default()));
        }
        match backend {
            #[cfg(target_arch = "x86_64")]
            Backend::Gfni512 => Self(Box::new(Machine::<Gfni512>::default())),
            #[cfg(target_arch = "x86_64")]
            Backend::Gfni256 => Self(Box::new(Machine::<Gfni256>::default())),
            #[cfg(target_arch = "x86_64")]
            Backend::Avx2 => Self(Box::new(Machine::<Avx2>::default())),
            _ => Self(Box::new(Machine::<Scalar>::default())),
        }
    }

    /// Overwrites `parity` with the parity of `data`; how many shards each has is the
    /// `(k, m)` of the block. No parity shard at all is fine and does nothing.
    ///
    /// # Errors
    ///
    /// [`Error::ShardCount`] and [`Error::Length`]; then nothing was written.
    pub fn encode(&mut self, data: Shards<'_>, mut parity: ShardsMut<'_>) -> Result<(), Error> {
        let (k, m, len) = (data.count(), parity.count(), data.shard_len());
        check(k, m, len)?;
        if m == 0 {
            return Ok(());
        }
        if parity.shard_len() != len {
            return Err(Error::Length);
        }
        let ((data, data_stride), (start, stride)) = (data.place(), parity.place());
        let output = Output::Parity(start, stride);
        // SAFETY: both views vouch for their shards, and `parity` is borrowed alone.
        unsafe { self.0.encode(&Encoding { data, k, data_stride, have: &[], m, len, output }) };
        Ok(())
    }
}

trait Encode: Send + Sync {
    /// # Safety
    ///
    /// The shards are there, at least one of each kind and at most
    /// [`MAX_SHARDS`](super::MAX_SHARDS), and parity is borrowed alone.
    unsafe fn encode(&mut self, job: &Encoding<'_>);
}

/// Made only for a lane that the processor has.
struct Machine<K: Kernels> {
    rows: Vec<K::Vector>,
    factors: Vec<K::Packed>,
    /// The coefficients of blocks with two parity shards, whatever their data.
    pairs: Vec<K::Packed>,
    from: Vec<Place>,
}

impl<K: Kernels> Default for Machine<K> {
    fn default() -> Self {
        Self { rows: Vec::new(), factors: Vec::new(), pairs: Vec::new(), from: Vec::new() }
    }
}

impl<K: Kernels> Encode for Machine<K> {
    unsafe fn encode(&mut self, job: &Encoding<'_>) {
        if let Output::Parity(start, stride) = job.output
            && job.m == 2
            && job.k >= 2
            && K::BUTTERFLY > 100
        {
            let to = [Place(start), Place(start.wrapping_add(stride))];
            // SAFETY: passed on from the caller.
            return unsafe { self.encode_pair(job, &to) };
        }
        grow_rows::<K>(&mut self.rows, encoding_rows(job.k, job.m));
        grow_factors::<K>(&mut self.factors, positions(job.k, job.m));
        // SAFETY: the processor has the lane (this type's rule); rows and factors are
        // as many as are asked for; the shards are as the caller vouches for.
        unsafe { K::encode(job, &mut self.rows, &self.factors) };
    }
}

impl<K: Kernels> Machine<K> {
    /// Two parity shards as sums over the data, which is less work than a transform that
    /// small: see `decode` for the coefficients.
    ///
    /// # Safety
    ///
    /// As [`Encode::encode`]; `to` is where parity goes.
    unsafe fn encode_pair(&mut self, job: &Encoding<'_>, to: &[Place; 2]) {
        let tables = logarithms();
        let first = self.pairs.len() / 2;
        self.pairs.extend((2 * first..2 * job.k).map(|i| {
            let (position, row) = (2 + i / 2, i % 2);
            let log = tables.log((position / 2) as u16) + ORDER - tables.log((position ^ row) as u16);
            K::packed(tables.exp(log))
        }));
        self.from.clear();
        let places = (0..job.k).map(|i| Place(job.data.wrapping_add(i * job.data_stride).cast_mut()));
        self.from.extend(places);
        grow_rows::<K>(&mut self.rows, job.k);
        // SAFETY: the processor has the lane (this type's rule); there is a row and a pair
        // of coefficients for each shard; these are as the caller vouches for.
        unsafe {
            K::pad(&self.from, &mut self.rows, job.len);
            K::product(&self.pairs, &self.from, &self.rows, to, job.len);
        }
    }
}

/// Makes room for at least `count` rows of a column.
pub(super) fn grow_rows<K: Kernels>(rows: &mut Vec<K::Vector>, count: usize) {
    if rows.len() < count * K::COLUMN {
        // SAFETY: a vector is plain numbers (the lane's rule).
        rows.resize(count * K::COLUMN, unsafe { std::mem::zeroed() });
    }
}

/// Computes the factors of the numbers below `count` that are not there yet. `count` is
/// at most 2^14.
pub(super) fn grow_factors<K: Kernels>(factors: &mut Vec<K::Packed>, count: usize) {
    let first = factors.len();
    factors.reserve_exact(count.saturating_sub(first));
    factors.extend((first..count).map(|number| K::packed(number as u16)));
}
