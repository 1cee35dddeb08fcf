//! The work itself, generic over the lane: encoding, the matrix product for few losses,
//! and the transform for many.

use std::ops::Range;
use std::ptr::null_mut;

use super::column::{gather, scatter, zero};
use super::lane::{Lane, Scalar};
use super::transform::{Group, add_rows, derivative, fft, ifft};
#[cfg(target_arch = "x86_64")]
use super::x86::{Avx2, Gfni256, Gfni512};

/// Where a shard lies. Read or written only in the call that was given it; working
/// memory keeps its room, not what it points to.
#[derive(Clone, Copy)]
pub(super) struct Place(pub(super) *mut u8);

// SAFETY: what is there is looked at only by the call that borrows the shard.
unsafe impl Send for Place {}
// SAFETY: as above; shared, it is a number.
unsafe impl Sync for Place {}

/// A block to encode, or to compute the syndromes of.
pub(super) struct Encoding<'a> {
    /// Where the data shards begin, how many there are, and the bytes from one to the
    /// next.
    pub(super) data: *const u8,
    pub(super) k: usize,
    pub(super) data_stride: usize,
    /// False for each data shard that counts as zero; empty when none does.
    pub(super) have: &'a [bool],
    /// Parity shards of the block.
    pub(super) m: usize,
    /// Bytes of each shard.
    pub(super) len: usize,
    pub(super) output: Output<'a>,
}

/// What becomes of the parity.
pub(super) enum Output<'a> {
    /// All of it is written, from here on with so many bytes from one to the next.
    Parity(*mut u8, usize),
    /// The sums with parity that was received are written: index, where that is, and
    /// where its sum goes.
    Syndromes(&'a [(u16, Place, Place)]),
}

impl Output<'_> {
    /// The number of parity shards up to the last that is wanted.
    fn wanted(&self, m: usize) -> usize {
        match self {
            Self::Parity(..) => m,
            Self::Syndromes(all) => all.iter().map(|(index, ..)| usize::from(*index) + 1).max().unwrap_or(0),
        }
    }
}

/// A block to repair by the transform: what is known, and what is lost, each with its
/// position in the code and its factor.
pub(super) struct Transform<'a, P> {
    pub(super) size: usize,
    pub(super) known: &'a [(u16, Place, P)],
    pub(super) lost: &'a [(u16, Place, P)],
    pub(super) len: usize,
}

/// The kernels as functions that have the lane's instructions switched on.
///
/// # Safety
///
/// The processor has what the lane needs; pointers are good for `len` bytes each, and
/// nothing written overlaps anything else.
pub(super) trait Kernels: Lane + 'static {
    /// Vectors of a column.
    const COLUMN: usize;
    /// What a butterfly of the transform costs, in percent of a product with one shard.
    const BUTTERFLY: usize;
    /// `rows` has [`encoding_rows`] times [`Kernels::COLUMN`] vectors, `factors` the
    /// factor of each number below [`positions`].
    unsafe fn encode(job: &Encoding<'_>, rows: &mut [Self::Vector], factors: &[Self::Packed]);
    /// `to[r] = Σ packed[i][r] · from[i]`, with as many `to` as [`Lane::ROWS`] or a
    /// smaller power of two. `padded` holds the last part of each of `from` when `len`
    /// is no multiple of the vector ([`pad`]).
    unsafe fn product(
        packed: &[Self::Packed],
        from: &[Place],
        padded: &[Self::Vector],
        to: &[Place],
        len: usize,
    );
    /// Reads what is left of each of `from` after whole vectors into `padded`.
    unsafe fn pad(from: &[Place], padded: &mut [Self::Vector], len: usize);
    /// `rows` has `size` times [`Kernels::COLUMN`] vectors, `factors` the factor of each
    /// number below `size`.
    unsafe fn transform(
        job: &Transform<'_, Self::Packed>,
        rows: &mut [Self::Vector],
        factors: &[Self::Packed],
    );
}

/// Rows of working memory that encoding takes.
pub(super) fn encoding_rows(k: usize, m: usize) -> usize {
    2 * k.next_power_of_two().min(m.next_power_of_two())
}

/// A number that positions of the block are below while it is encoded.
pub(super) fn positions(k: usize, m: usize) -> usize {
    let chunk = k.next_power_of_two().min(m.next_power_of_two());
    chunk + k.max(m).next_multiple_of(chunk)
}

macro_rules! kernels {
    ($lane:ty, column: $column:literal, tile: $tile:literal, butterfly: $cost:literal $(, features: $features:literal)?) => {
        impl Kernels for $lane {
            const COLUMN: usize = $column;
            const BUTTERFLY: usize = $cost;

            unsafe fn encode(job: &Encoding<'_>, rows: &mut [Self::Vector], factors: &[Self::Packed]) {
                $(#[target_feature(enable = $features)])?
                unsafe fn run(
                    job: &Encoding<'_>,
                    rows: &mut [<$lane as Lane>::Vector],
                    factors: &[<$lane as Lane>::Packed],
                ) {
                    // SAFETY: passed on from the caller.
                    unsafe { encode::<$lane, $column>(job, rows.as_mut_ptr(), factors) };
                }
                // SAFETY: passed on from the caller.
                unsafe { run(job, rows, factors) };
            }

            unsafe fn product(
                packed: &[Self::Packed],
                from: &[Place],
                padded: &[Self::Vector],
                to: &[Place],
                len: usize,
            ) {
                $(#[target_feature(enable = $features)])?
                unsafe fn run<const R: usize>(
                    packed: &[<$lane as Lane>::Packed],
                    from: &[Place],
                    padded: &[<$lane as Lane>::Vector],
                    to: &[Place],
                    len: usize,
                ) {
                    // SAFETY: passed on from the caller.
                    unsafe { product::<$lane, R, $tile>(packed, from, padded, to, len) };
                }
                // SAFETY: passed on from the caller; `R` is the length of `to`.
                unsafe {
                    match to.len() {
                        1 => run::<1>(packed, from, padded, to, len),
                        2 => run::<2>(packed, from, padded, to, len),
                        4 => run::<4>(packed, from, padded, to, len),
                        rows => debug_assert_eq!(rows, 0, "a group is 1, 2 or 4 rows"),
                    }
                }
            }

            unsafe fn pad(from: &[Place], padded: &mut [Self::Vector], len: usize) {
                $(#[target_feature(enable = $features)])?
                unsafe fn run(from: &[Place], padded: &mut [<$lane as Lane>::Vector], len: usize) {
                    let rest = len % <$lane as Lane>::VECTOR;
                    if rest == 0 {
                        return;
                    }
                    for (from, to) in from.iter().zip(padded) {
                        // SAFETY: passed on from the caller.
                        unsafe { gather::<$lane, 1>(from.0.add(len - rest), rest, to) };
                    }
                }
                // SAFETY: passed on from the caller.
                unsafe { run(from, padded, len) };
            }

            unsafe fn transform(
                job: &Transform<'_, Self::Packed>,
                rows: &mut [Self::Vector],
                factors: &[Self::Packed],
            ) {
                $(#[target_feature(enable = $features)])?
                unsafe fn run(
                    job: &Transform<'_, <$lane as Lane>::Packed>,
                    rows: &mut [<$lane as Lane>::Vector],
                    factors: &[<$lane as Lane>::Packed],
                ) {
                    // SAFETY: passed on from the caller.
                    unsafe { transform::<$lane, $column>(job, rows.as_mut_ptr(), factors) };
                }
                // SAFETY: passed on from the caller.
                unsafe { run(job, rows, factors) };
            }
        }
    };
}

kernels!(Scalar, column: 4, tile: 1, butterfly: 60);
#[cfg(target_arch = "x86_64")]
kernels!(Avx2, column: 4, tile: 1, butterfly: 75, features: "avx2");
#[cfg(target_arch = "x86_64")]
kernels!(Gfni256, column: 4, tile: 2, butterfly: 105, features: "avx2,gfni");
#[cfg(target_arch = "x86_64")]
kernels!(Gfni512, column: 2, tile: 2, butterfly: 125, features: "avx512f,gfni");

/// # Safety
///
/// As [`Kernels::encode`].
#[inline(always)]
unsafe fn encode<L: Lane, const T: usize>(job: &Encoding<'_>, rows: *mut L::Vector, factors: &[L::Packed]) {
    let wide = T * L::VECTOR;
    let mut offset = 0;
    // SAFETY: columns lie inside the `len` bytes that the caller vouches for.
    unsafe {
        while job.len - offset > L::VECTOR * T / 2 {
            encode_column::<L, T>(job, offset, wide.min(job.len - offset), rows, factors);
            offset = job.len.min(offset + wide);
        }
        while offset < job.len {
            let width = L::VECTOR.min(job.len - offset);
            encode_column::<L, 1>(job, offset, width, rows, factors);
            offset += width;
        }
    }
}

/// # Safety
///
/// As [`Kernels::encode`], and the column of `width` bytes from `offset` lies inside
/// the shards.
#[inline(always)]
unsafe fn encode_column<L: Lane, const T: usize>(
    job: &Encoding<'_>,
    offset: usize,
    width: usize,
    rows: *mut L::Vector,
    factors: &[L::Packed],
) {
    let size = job.k.next_power_of_two().min(job.m.next_power_of_two());
    let wanted = job.output.wanted(job.m);
    // SAFETY: there are `2 · size` rows; shards and factors as the caller vouches for.
    unsafe {
        let (whole, part) = (rows, rows.add(size * T));
        if size >= job.m {
            for first in (0..job.k).step_by(size) {
                let count = size.min(job.k - first);
                let to = if first == 0 { whole } else { part };
                let sums = if first == 0 { null_mut() } else { whole };
                let layer =
                    read::<L, T>(job, first..first + count, size, first + size, (offset, width), to, factors);
                ifft::<L, T>((to, sums), size, count, (first + size, layer), factors);
            }
            fft::<L, T>(whole, size, 0..wanted, 0, factors);
            write::<L, T>(job, 0..wanted, (offset, width), whole);
        } else {
            let layer = read::<L, T>(job, 0..job.k, size, 0, (offset, width), whole, factors);
            ifft::<L, T>((whole, null_mut()), size, job.k, (0, layer), factors);
            for first in (0..wanted).step_by(size) {
                let count = size.min(wanted - first);
                whole.copy_to_nonoverlapping(part, size * T);
                fft::<L, T>(part, size, 0..count, first + size, factors);
                write::<L, T>(job, first..first + count, (offset, width), part);
            }
        }
    }
}

/// Reads a column of some data shards into `size` rows, those that are left being zero,
/// and does the first layers of the transform of them, where row 0 has position `delta`.
/// The number of layers that were done.
///
/// # Safety
///
/// As [`encode_column`].
#[inline(always)]
unsafe fn read<L: Lane, const T: usize>(
    job: &Encoding<'_>,
    shards: Range<usize>,
    size: usize,
    delta: usize,
    column: (usize, usize),
    rows: *mut L::Vector,
    factors: &[L::Packed],
) -> usize {
    let count = shards.len();
    // SAFETY: passed on from the caller.
    unsafe {
        if size < 4 {
            for row in 0..size {
                read_row::<L, T>(job, row < count, shards.start + row, column, rows.add(row * T));
            }
            return 0;
        }
        for r in (0..count).step_by(4) {
            let mut four = [[L::zero(); T]; 4];
            for (i, row) in four.iter_mut().enumerate() {
                read_row::<L, T>(job, r + i < count, shards.start + r + i, column, row.as_mut_ptr());
            }
            let group = Group::<L>::new(r + delta, 0, factors);
            let at = rows.add(r * T);
            let [a, b, c, d] = four;
            for t in 0..T {
                let out = group.inverse([a[t], b[t], c[t], d[t]]);
                for (i, out) in out.into_iter().enumerate() {
                    *at.add(i * T + t) = out;
                }
            }
        }
        let done = count.next_multiple_of(4);
        zero::<L>(rows.add(done * T), (size - done) * T);
        2
    }
}

/// Reads a column of a data shard, or zero when there is none.
///
/// # Safety
///
/// As [`encode_column`].
#[inline(always)]
unsafe fn read_row<L: Lane, const T: usize>(
    job: &Encoding<'_>,
    there: bool,
    shard: usize,
    (offset, width): (usize, usize),
    row: *mut L::Vector,
) {
    // SAFETY: passed on from the caller.
    unsafe {
        if there && (job.have.is_empty() || *job.have.get_unchecked(shard)) {
            gather::<L, T>(job.data.add(shard * job.data_stride + offset), width, row);
        } else {
            zero::<L>(row, T);
        }
    }
}

/// Writes rows that are a column of some parity shards to where they are wanted.
///
/// # Safety
///
/// As [`encode_column`].
#[inline(always)]
unsafe fn write<L: Lane, const T: usize>(
    job: &Encoding<'_>,
    shards: Range<usize>,
    (offset, width): (usize, usize),
    rows: *const L::Vector,
) {
    // SAFETY: passed on from the caller.
    unsafe {
        match job.output {
            Output::Parity(start, stride) => {
                for (row, shard) in shards.enumerate() {
                    scatter::<L, T>(rows.add(row * T), width, start.add(shard * stride + offset));
                }
            }
            Output::Syndromes(all) => {
                for &(index, received, to) in all {
                    if shards.contains(&usize::from(index)) {
                        let row = rows.add((usize::from(index) - shards.start) * T);
                        let mut sum = [L::zero(); T];
                        gather::<L, T>(received.0.add(offset), width, sum.as_mut_ptr());
                        add_rows::<L>(sum.as_mut_ptr(), row, T);
                        scatter::<L, T>(sum.as_ptr(), width, to.0.add(offset));
                    }
                }
            }
        }
    }
}

/// # Safety
///
/// As [`Kernels::product`].
#[inline(always)]
unsafe fn product<L: Lane, const R: usize, const T: usize>(
    packed: &[L::Packed],
    from: &[Place],
    padded: &[L::Vector],
    to: &[Place],
    len: usize,
) {
    let packed = packed.as_ptr();
    let mut offset = 0;
    // SAFETY: tiles lie inside the `len` bytes that the caller vouches for.
    unsafe {
        while len - offset >= T * L::VECTOR {
            tile::<L, R, T>(packed, from, to, offset);
            offset += T * L::VECTOR;
        }
        while len - offset >= L::VECTOR {
            tile::<L, R, 1>(packed, from, to, offset);
            offset += L::VECTOR;
        }
        if offset < len {
            let mut sums = [[L::zero(); 1]; R];
            for (i, &x) in padded.iter().take(from.len()).enumerate() {
                add_products::<L, R, 1>(&mut sums, [x], packed.add(i * R));
            }
            for (sums, to) in sums.iter().zip(to) {
                scatter::<L, 1>(sums.as_ptr(), len - offset, to.0.add(offset));
            }
        }
    }
}

/// `R` rows of a product, `T` vectors wide.
///
/// # Safety
///
/// As [`Kernels::product`], and the tile lies inside the shards.
#[inline(always)]
unsafe fn tile<L: Lane, const R: usize, const T: usize>(
    packed: *const L::Packed,
    from: &[Place],
    to: &[Place],
    offset: usize,
) {
    // SAFETY: passed on from the caller.
    unsafe {
        let mut sums = [[L::zero(); T]; R];
        for (i, place) in from.iter().enumerate() {
            let mut x = [L::zero(); T];
            for (t, x) in x.iter_mut().enumerate() {
                *x = L::load(place.0.add(offset + t * L::VECTOR));
            }
            add_products::<L, R, T>(&mut sums, x, packed.add(i * R));
        }
        for (sums, to) in sums.iter().zip(to) {
            for (t, &sum) in sums.iter().enumerate() {
                L::store(sum, to.0.add(offset + t * L::VECTOR));
            }
        }
    }
}

/// Adds the products of a tile with `R` factors to as many sums.
///
/// # Safety
///
/// The processor has what `L` needs, and the factors are there.
#[inline(always)]
unsafe fn add_products<L: Lane, const R: usize, const T: usize>(
    sums: &mut [[L::Vector; T]; R],
    x: [L::Vector; T],
    packed: *const L::Packed,
) {
    for (r, sums) in sums.iter_mut().enumerate() {
        // SAFETY: passed on from the caller.
        unsafe {
            let factor = L::factor(&*packed.add(r));
            for (sum, x) in sums.iter_mut().zip(x) {
                *sum = L::add_product(*sum, x, factor);
            }
        }
    }
}

/// # Safety
///
/// As [`Kernels::transform`].
#[inline(always)]
unsafe fn transform<L: Lane, const T: usize>(
    job: &Transform<'_, L::Packed>,
    rows: *mut L::Vector,
    factors: &[L::Packed],
) {
    let wide = T * L::VECTOR;
    let mut offset = 0;
    // SAFETY: columns lie inside the `len` bytes that the caller vouches for.
    unsafe {
        while job.len - offset > L::VECTOR * T / 2 {
            transform_column::<L, T>(job, offset, wide.min(job.len - offset), rows, factors);
            offset = job.len.min(offset + wide);
        }
        while offset < job.len {
            let width = L::VECTOR.min(job.len - offset);
            transform_column::<L, 1>(job, offset, width, rows, factors);
            offset += width;
        }
    }
}

/// The known values of a polynomial times the locator, which is zero at what is lost:
/// of that product the derivative is, where something is lost, the value times the
/// derivative of the locator.
///
/// # Safety
///
/// As [`Kernels::transform`], and the column lies inside the shards.
#[inline(always)]
unsafe fn transform_column<L: Lane, const T: usize>(
    job: &Transform<'_, L::Packed>,
    offset: usize,
    width: usize,
    rows: *mut L::Vector,
    factors: &[L::Packed],
) {
    let (mut end, mut first, mut last) = (0, job.size, 0);
    // SAFETY: positions are below `size`; the rest is as the caller vouches for.
    unsafe {
        zero::<L>(rows, job.size * T);
        for &(position, from, ref packed) in job.known {
            let row = rows.add(usize::from(position) * T);
            gather::<L, T>(from.0.add(offset), width, row);
            let factor = L::factor(packed);
            for t in 0..T {
                *row.add(t) = L::add_product(L::zero(), *row.add(t), factor);
            }
            end = end.max(usize::from(position) + 1);
        }
        for &(position, ..) in job.lost {
            (first, last) = (first.min(usize::from(position)), last.max(usize::from(position)));
        }
        ifft::<L, T>((rows, null_mut()), job.size, end, (0, 0), factors);
        derivative::<L, T>(rows, job.size);
        fft::<L, T>(rows, job.size, first..last + 1, 0, factors);
        for &(position, to, ref packed) in job.lost {
            let row = rows.add(usize::from(position) * T);
            let factor = L::factor(packed);
            for t in 0..T {
                *row.add(t) = L::add_product(L::zero(), *row.add(t), factor);
            }
            scatter::<L, T>(row, width, to.0.add(offset));
        }
    }
}
