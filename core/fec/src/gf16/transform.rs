//! The additive Fourier transform of Lin, Chung and Han, on columns of shards.
//!
//! A column is a short run of bytes at the same offset of every shard, kept as rows of
//! `T` vectors. It stays in the first-level cache while all layers pass over it.
//! Position `x` stands for field element `x`; `delta` is the position of row 0.

use super::lane::Lane;

/// From values at the positions to coefficients, where the layers below `layer` (an even
/// number) were done. Rows from `end` on are zero before. What comes out is added to
/// `sums` if that is anything, and then what is left in `rows` means nothing.
///
/// # Safety
///
/// As [`fft`]; `sums` is null or as many rows elsewhere.
#[inline(always)]
pub(super) unsafe fn ifft<L: Lane, const T: usize>(
    (rows, sums): (*mut L::Vector, *mut L::Vector),
    size: usize,
    end: usize,
    (delta, mut layer): (usize, usize),
    factors: &[L::Packed],
) {
    // SAFETY: rows and factors are below what the caller vouches for.
    unsafe {
        while 4 << layer <= size {
            let dist = 1 << layer;
            for r in (0..end).step_by(4 * dist) {
                let x = r + delta;
                let at = rows.add(r * T);
                if x == 0 {
                    let f23 = L::factor(factors.get_unchecked((x + 2 * dist) >> layer));
                    inverse_first::<L, T>(at, dist, f23);
                    continue;
                }
                let group = Group::<L>::new(x, layer, factors);
                if 4 * dist == size && !sums.is_null() {
                    for i in 0..dist * T {
                        let to = [0, 1, 2, 3].map(|n| n * dist * T + i);
                        let [a, b, c, d] = to.map(|i| at.add(i));
                        let out = group.inverse([*a, *b, *c, *d]);
                        for (out, to) in out.into_iter().zip(to) {
                            *sums.add(to) = L::add(*sums.add(to), out);
                        }
                    }
                    return;
                }
                for i in 0..dist * T {
                    let [a, b, c, d] = [0, 1, 2, 3].map(|n| at.add(n * dist * T + i));
                    [*a, *b, *c, *d] = group.inverse([*a, *b, *c, *d]);
                }
            }
            layer += 2;
        }
        let dist = 1 << layer;
        if dist < size {
            let factor = L::factor(factors.get_unchecked(delta >> layer));
            for i in 0..dist * T {
                let (pa, pb) = (rows.add(i), rows.add(dist * T + i));
                let b = L::add(*pb, *pa);
                let a = if delta == 0 { *pa } else { L::add_product(*pa, b, factor) };
                if sums.is_null() {
                    (*pa, *pb) = (a, b);
                } else {
                    *sums.add(i) = L::add(*sums.add(i), a);
                    *sums.add(dist * T + i) = L::add(*sums.add(dist * T + i), b);
                }
            }
        } else if !sums.is_null() {
            add_rows::<L>(sums, rows, size * T);
        }
    }
}

/// The factors of two layers.
pub(super) struct Group<L: Lane> {
    f01: L::Factor,
    f23: L::Factor,
    f02: L::Factor,
}

impl<L: Lane> Group<L> {
    /// Those of the group of rows at position `x`, the lower layer being `layer`.
    ///
    /// # Safety
    ///
    /// The processor has what `L` needs, and the factors are there.
    #[inline(always)]
    pub(super) unsafe fn new(x: usize, layer: usize, factors: &[L::Packed]) -> Self {
        // SAFETY: passed on from the caller.
        unsafe {
            Self {
                f01: L::factor(factors.get_unchecked(x >> layer)),
                f23: L::factor(factors.get_unchecked((x + (2 << layer)) >> layer)),
                f02: L::factor(factors.get_unchecked(x >> (layer + 1))),
            }
        }
    }

    /// Two layers from values to coefficients.
    ///
    /// # Safety
    ///
    /// The processor has what `L` needs.
    #[inline(always)]
    pub(super) unsafe fn inverse(&self, [mut a, mut b, mut c, mut d]: [L::Vector; 4]) -> [L::Vector; 4] {
        // SAFETY: passed on from the caller.
        unsafe {
            b = L::add(b, a);
            a = L::add_product(a, b, self.f01);
            d = L::add(d, c);
            c = L::add_product(c, d, self.f23);
            c = L::add(c, a);
            a = L::add_product(a, c, self.f02);
            d = L::add(d, b);
            b = L::add_product(b, d, self.f02);
        }
        [a, b, c, d]
    }

    /// Two layers from coefficients to values.
    ///
    /// # Safety
    ///
    /// The processor has what `L` needs.
    #[inline(always)]
    pub(super) unsafe fn forward(&self, [mut a, mut b, mut c, mut d]: [L::Vector; 4]) -> [L::Vector; 4] {
        // SAFETY: passed on from the caller.
        unsafe {
            a = L::add_product(a, c, self.f02);
            c = L::add(c, a);
            b = L::add_product(b, d, self.f02);
            d = L::add(d, b);
            a = L::add_product(a, b, self.f01);
            b = L::add(b, a);
            c = L::add_product(c, d, self.f23);
            d = L::add(d, c);
        }
        [a, b, c, d]
    }
}

/// Two layers where two of the three factors are zero.
///
/// # Safety
///
/// As [`fft`].
#[inline(always)]
unsafe fn inverse_first<L: Lane, const T: usize>(at: *mut L::Vector, dist: usize, f23: L::Factor) {
    // SAFETY: four times `dist` rows are there (the caller's promise).
    unsafe {
        for i in 0..dist * T {
            let [pa, pb, pc, pd] = [0, 1, 2, 3].map(|n| at.add(n * dist * T + i));
            let (a, mut b, mut c, mut d) = (*pa, *pb, *pc, *pd);
            b = L::add(b, a);
            d = L::add(d, c);
            c = L::add_product(c, d, f23);
            c = L::add(c, a);
            d = L::add(d, b);
            (*pb, *pc, *pd) = (b, c, d);
        }
    }
}

/// From coefficients to the values at the positions `begin..end`; what it leaves in the
/// other rows means nothing.
///
/// # Safety
///
/// The processor has what `L` needs. `size` is a power of two; `T` vectors for each of
/// `size` rows, and a factor for each number below `delta + size`, are there.
#[inline(always)]
pub(super) unsafe fn fft<L: Lane, const T: usize>(
    rows: *mut L::Vector,
    size: usize,
    wanted: std::ops::Range<usize>,
    delta: usize,
    factors: &[L::Packed],
) {
    // SAFETY: rows and factors are below what the caller vouches for.
    unsafe {
        let mut layers = size.trailing_zeros();
        while layers >= 2 {
            let layer = layers - 2;
            let dist = 1 << layer;
            for r in (wanted.start & !(4 * dist - 1)..wanted.end).step_by(4 * dist) {
                let x = r + delta;
                let at = rows.add(r * T);
                if x == 0 {
                    let f23 = L::factor(factors.get_unchecked((x + 2 * dist) >> layer));
                    forward_first::<L, T>(at, dist, f23);
                    continue;
                }
                let group = Group::<L>::new(x, layer as usize, factors);
                for i in 0..dist * T {
                    let [a, b, c, d] = [0, 1, 2, 3].map(|n| at.add(n * dist * T + i));
                    [*a, *b, *c, *d] = group.forward([*a, *b, *c, *d]);
                }
            }
            layers -= 2;
        }
        if layers == 1 {
            for r in (wanted.start & !1..wanted.end).step_by(2) {
                let factor = L::factor(factors.get_unchecked(r + delta));
                for i in 0..T {
                    let (pa, pb) = (rows.add(r * T + i), rows.add((r + 1) * T + i));
                    let a = L::add_product(*pa, *pb, factor);
                    *pa = a;
                    *pb = L::add(*pb, a);
                }
            }
        }
    }
}

/// Two layers where two of the three factors are zero.
///
/// # Safety
///
/// As [`fft`].
#[inline(always)]
unsafe fn forward_first<L: Lane, const T: usize>(at: *mut L::Vector, dist: usize, f23: L::Factor) {
    // SAFETY: four times `dist` rows are there (the caller's promise).
    unsafe {
        for i in 0..dist * T {
            let [pa, pb, pc, pd] = [0, 1, 2, 3].map(|n| at.add(n * dist * T + i));
            let (a, mut b, mut c, mut d) = (*pa, *pb, *pc, *pd);
            c = L::add(c, a);
            d = L::add(d, b);
            b = L::add(b, a);
            c = L::add_product(c, d, f23);
            d = L::add(d, c);
            (*pb, *pc, *pd) = (b, c, d);
        }
    }
}

/// The formal derivative of the polynomial with these coefficients.
///
/// # Safety
///
/// As [`fft`].
#[inline(always)]
pub(super) unsafe fn derivative<L: Lane, const T: usize>(rows: *mut L::Vector, size: usize) {
    for i in 1..size {
        let width = 1 << i.trailing_zeros();
        // SAFETY: `width` rows before and from row `i` on are below `size`.
        unsafe { add_rows::<L>(rows.add((i - width) * T), rows.add(i * T), width * T) };
    }
}

/// Adds `count` vectors to as many others.
///
/// # Safety
///
/// They are there, and `to` is not `from`.
#[inline(always)]
pub(super) unsafe fn add_rows<L: Lane>(to: *mut L::Vector, from: *const L::Vector, count: usize) {
    for i in 0..count {
        // SAFETY: the caller's promise.
        unsafe { *to.add(i) = L::add(*to.add(i), *from.add(i)) };
    }
}
