//! Columns on their way between shards and rows of vectors, the last block of a shard
//! included.

use super::lane::Lane;

/// Bytes of the widest column.
const WIDEST: usize = 256;

/// Makes `count` vectors zero.
///
/// # Safety
///
/// The processor has what `L` needs, and they are there.
#[inline(always)]
pub(super) unsafe fn zero<L: Lane>(rows: *mut L::Vector, count: usize) {
    for i in 0..count {
        // SAFETY: the caller's promise.
        unsafe { *rows.add(i) = L::zero() };
    }
}

/// A column, padded to blocks.
#[repr(C, align(64))]
struct Padded([u8; WIDEST]);

/// Reads `width` bytes of a shard, at most `T` vectors, into a row. The last block of
/// the shard may be cut short: its low bytes come first, then as many high bytes.
///
/// # Safety
///
/// They can be read at `from`, the row can be written, and the processor has what `L`
/// needs.
#[inline(always)]
pub(super) unsafe fn gather<L: Lane, const T: usize>(from: *const u8, width: usize, row: *mut L::Vector) {
    const { assert!(T * L::VECTOR <= WIDEST) };
    if width == T * L::VECTOR {
        for t in 0..T {
            // SAFETY: the whole vectors are there.
            unsafe { *row.add(t) = L::load(from.add(t * L::VECTOR)) };
        }
        return;
    }
    let mut padded = Padded([0; WIDEST]);
    let (whole, half) = (width / 64 * 64, width % 64 / 2);
    // SAFETY: `width` bytes can be read, and fit with one block begun.
    unsafe {
        let to = padded.0.as_mut_ptr();
        from.copy_to_nonoverlapping(to, whole);
        from.add(whole).copy_to_nonoverlapping(to.add(whole), half);
        from.add(whole + half).copy_to_nonoverlapping(to.add(whole + 32), half);
        for t in 0..T {
            *row.add(t) = L::load(padded.0.as_ptr().add(t * L::VECTOR));
        }
    }
}

/// The opposite of [`gather`].
///
/// # Safety
///
/// `width` bytes can be written at `to`, the row can be read, and the processor has what
/// `L` needs.
#[inline(always)]
pub(super) unsafe fn scatter<L: Lane, const T: usize>(row: *const L::Vector, width: usize, to: *mut u8) {
    const { assert!(T * L::VECTOR <= WIDEST) };
    if width == T * L::VECTOR {
        for t in 0..T {
            // SAFETY: the whole vectors fit into the shard.
            unsafe { L::store(*row.add(t), to.add(t * L::VECTOR)) };
        }
        return;
    }
    let mut padded = Padded([0; WIDEST]);
    let (whole, half) = (width / 64 * 64, width % 64 / 2);
    // SAFETY: `width` bytes can be written, and were there with one block begun.
    unsafe {
        let from = padded.0.as_mut_ptr();
        for t in 0..T {
            L::store(*row.add(t), from.add(t * L::VECTOR));
        }
        to.copy_from_nonoverlapping(from, whole);
        to.add(whole).copy_from_nonoverlapping(from.add(whole), half);
        to.add(whole + half).copy_from_nonoverlapping(from.add(whole + 32), half);
    }
}
