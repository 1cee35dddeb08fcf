//! What the kernels need of a processor: some elements at a time, added and multiplied.

use super::field::bit_products;

/// Elements side by side. A block of a shard is 64 bytes, the low bytes of 32 elements
/// and then their high bytes; a vector holds one block or two.
///
/// # Safety
///
/// Every function asks for what the processor must have, and for pointers that are good
/// for one vector. They are inlined into functions that have it switched on.
pub(super) trait Lane {
    /// Bytes of a vector.
    const VECTOR: usize;
    /// Rows of a matrix product that fit into the registers at once: 1, 2 or 4.
    const ROWS: usize;
    /// Plain numbers: any bytes are one.
    type Vector: Copy + Send + Sync + 'static;
    /// Multiplication by a constant, as it is kept in memory.
    type Packed: Copy + Send + Sync + 'static;
    /// The same in registers.
    type Factor: Copy;

    fn packed(constant: u16) -> Self::Packed;
    unsafe fn factor(packed: &Self::Packed) -> Self::Factor;
    unsafe fn zero() -> Self::Vector;
    /// Reads whole blocks as they lie in a shard.
    unsafe fn load(from: *const u8) -> Self::Vector;
    unsafe fn store(vector: Self::Vector, to: *mut u8);
    unsafe fn add(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `sum + x · factor`
    unsafe fn add_product(sum: Self::Vector, x: Self::Vector, factor: Self::Factor) -> Self::Vector;
}

/// Bit by bit; any processor.
pub(super) enum Scalar {}

/// One block of a shard.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Block([u8; 64]);

impl Lane for Scalar {
    const VECTOR: usize = 64;
    const ROWS: usize = 1;
    type Vector = Block;
    type Packed = [u16; 16];
    type Factor = [u16; 16];

    fn packed(constant: u16) -> [u16; 16] {
        bit_products(constant)
    }

    #[inline(always)]
    unsafe fn factor(packed: &[u16; 16]) -> [u16; 16] {
        *packed
    }

    #[inline(always)]
    unsafe fn zero() -> Block {
        Block([0; 64])
    }

    #[inline(always)]
    unsafe fn load(from: *const u8) -> Block {
        // SAFETY: 64 bytes can be read there (the trait's rule).
        Block(unsafe { from.cast::<[u8; 64]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn store(vector: Block, to: *mut u8) {
        // SAFETY: 64 bytes can be written there (the trait's rule).
        unsafe { to.cast::<[u8; 64]>().write_unaligned(vector.0) };
    }

    #[inline(always)]
    unsafe fn add(mut a: Block, b: Block) -> Block {
        a.0.iter_mut().zip(b.0).for_each(|(a, b)| *a ^= b);
        a
    }

    #[inline(always)]
    unsafe fn add_product(mut sum: Block, x: Block, factor: [u16; 16]) -> Block {
        let (lows, highs) = sum.0.split_at_mut(32);
        for (bit, product) in factor.into_iter().enumerate() {
            let [low, high] = product.to_le_bytes();
            let mask = 1 << (bit % 8);
            let from = &x.0[bit / 8 * 32..][..32];
            // The compiler does these for 16 elements at a time.
            for (i, &byte) in from.iter().enumerate() {
                let all = if byte & mask != 0 { 0xFF } else { 0 };
                lows[i] ^= low & all;
                highs[i] ^= high & all;
            }
        }
        sum
    }
}
