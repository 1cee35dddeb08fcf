//! The additive Fourier transform of Lin, Chung and Han, on columns of shards.
//!
//! A column is a short run of bytes at the same offset of every shard, kept as rows of
//! `T` vectors. It stays in the first-level cache while all layers pass over it.
//! Position `x` stands for field element `x`; `delta` is the position of row 0.

use super::lane::Lane;

/// From values at the positions to coefficients. Rows from `end` on are zero before.
///
/// # Safety
///
/// As [`fft`].
#[inline(always)]
pub(super) unsafe fn ifft<L: Lane, const T: usize>(
    rows: *mut L::Vector,
    size: usize,
    end: usize,
    delta: usize,
    factors: &[L::Packed],
) {
    // SAFETY: rows and factors are below what the caller vouches for.
    unsafe {
        let mut layer = 0;
        while 4 << layer <= size {
            let dist = 1 << layer;
            for r in (0..end).step_by(4 * dist) {
                let x = r + delta;
                let at = rows.add(r * T);
                let f23 = L::factor(factors.get_unchecked((x + 2 * dist) >> layer));
                if x == 0 {
                    inverse_first::<L, T>(at, dist, f23);
                    continue;
                }
                let f01 = L::factor(factors.get_unchecked(x >> layer));
                let f02 = L::factor(factors.get_unchecked(x >> (layer + 1)));
                for i in 0..dist * T {
                    let [pa, pb, pc, pd] = [0, 1, 2, 3].map(|n| at.add(n * dist * T + i));
                    let (mut a, mut b, mut c, mut d) = (*pa, *pb, *pc, *pd);
                    b = L::add(b, a);
                    a = L::add_product(a, b, f01);
                    d = L::add(d, c);
                    c = L::add_product(c, d, f23);
                    c = L::add(c, a);
                    a = L::add_product(a, c, f02);
                    d = L::add(d, b);
                    b = L::add_product(b, d, f02);
                    (*pa, *pb, *pc, *pd) = (a, b, c, d);
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
                *pb = b;
                if delta != 0 {
                    *pa = L::add_product(*pa, b, factor);
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
                let f23 = L::factor(factors.get_unchecked((x + 2 * dist) >> layer));
                if x == 0 {
                    forward_first::<L, T>(at, dist, f23);
                    continue;
                }
                let f01 = L::factor(factors.get_unchecked(x >> layer));
                let f02 = L::factor(factors.get_unchecked(x >> (layer + 1)));
                for i in 0..dist * T {
                    let [pa, pb, pc, pd] = [0, 1, 2, 3].map(|n| at.add(n * dist * T + i));
                    let (mut a, mut b, mut c, mut d) = (*pa, *pb, *pc, *pd);
                    a = L::add_product(a, c, f02);
                    c = L::add(c, a);
                    b = L::add_product(b, d, f02);
                    d = L::add(d, b);
                    a = L::add_product(a, b, f01);
                    b = L::add(b, a);
                    c = L::add_product(c, d, f23);
                    d = L::add(d, c);
                    (*pa, *pb, *pc, *pd) = (a, b, c, d);
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
