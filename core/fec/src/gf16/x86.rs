//! Lanes of x86-64 processors.

use std::arch::x86_64::{
    __m128i, __m256i, __m512i, _mm_load_si128, _mm256_and_si256, _mm256_broadcastsi128_si256,
    _mm256_gf2p8affine_epi64_epi8, _mm256_loadu_si256, _mm256_set1_epi8, _mm256_set1_epi64x,
    _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_srli_epi64, _mm256_storeu_si256, _mm256_xor_si256,
    _mm512_gf2p8affine_epi64_epi8, _mm512_loadu_si512, _mm512_set1_epi64, _mm512_setzero_si512,
    _mm512_shuffle_i64x2, _mm512_storeu_si512, _mm512_xor_si512,
};

use super::field::{Affine, Nibbles, affine, nibble_products};
use super::lane::Lane;

/// `vgf2p8affineqb` on two blocks (GFNI with AVX-512F).
pub(super) enum Gfni512 {}
/// `vgf2p8affineqb` on one block (GFNI with AVX2).
pub(super) enum Gfni256 {}
/// `vpshufb` on one block (AVX2).
pub(super) enum Avx2 {}

/// The low bytes of 64 elements, and their high bytes.
#[derive(Clone, Copy)]
pub(super) struct Wide(__m512i, __m512i);

/// The low bytes of 32 elements, and their high bytes.
#[derive(Clone, Copy)]
pub(super) struct Narrow(__m256i, __m256i);

/// A factor for `vpshufb`: [`Nibbles`], each table twice.
#[derive(Clone, Copy)]
pub(super) struct Shuffles([__m256i; 8]);

/// A factor for `vgf2p8affineqb`: [`Affine`], each matrix four or eight times.
#[derive(Clone, Copy)]
pub(super) struct Matrices<V>([V; 4]);

impl Lane for Gfni512 {
    const VECTOR: usize = 128;
    const ROWS: usize = 4;
    type Vector = Wide;
    type Packed = Affine;
    type Factor = Matrices<__m512i>;

    fn packed(constant: u16) -> Affine {
        affine(constant)
    }

    #[inline(always)]
    unsafe fn factor(packed: &Affine) -> Matrices<__m512i> {
        let [ll, lh, hl, hh] = *packed;
        // SAFETY: the processor has AVX-512F (the trait's rule).
        unsafe {
            Matrices([
                _mm512_set1_epi64(ll.cast_signed()),
                _mm512_set1_epi64(lh.cast_signed()),
                _mm512_set1_epi64(hl.cast_signed()),
                _mm512_set1_epi64(hh.cast_signed()),
            ])
        }
    }

    #[inline(always)]
    unsafe fn zero() -> Wide {
        // SAFETY: the processor has AVX-512F (the trait's rule).
        unsafe { Wide(_mm512_setzero_si512(), _mm512_setzero_si512()) }
    }

    #[inline(always)]
    unsafe fn load(from: *const u8) -> Wide {
        // SAFETY: 128 bytes can be read there, with AVX-512F (the trait's rule).
        unsafe {
            let first = _mm512_loadu_si512(from.cast());
            let second = _mm512_loadu_si512(from.add(64).cast());
            let low = _mm512_shuffle_i64x2::<0b01_00_01_00>(first, second);
            Wide(low, _mm512_shuffle_i64x2::<0b11_10_11_10>(first, second))
        }
    }

    #[inline(always)]
    unsafe fn store(vector: Wide, to: *mut u8) {
        // SAFETY: 128 bytes can be written there, with AVX-512F (the trait's rule).
        unsafe {
            let first = _mm512_shuffle_i64x2::<0b01_00_01_00>(vector.0, vector.1);
            let second = _mm512_shuffle_i64x2::<0b11_10_11_10>(vector.0, vector.1);
            _mm512_storeu_si512(to.cast(), first);
            _mm512_storeu_si512(to.add(64).cast(), second);
        }
    }

    #[inline(always)]
    unsafe fn add(a: Wide, b: Wide) -> Wide {
        // SAFETY: the processor has AVX-512F (the trait's rule).
        unsafe { Wide(_mm512_xor_si512(a.0, b.0), _mm512_xor_si512(a.1, b.1)) }
    }

    #[inline(always)]
    unsafe fn add_product(sum: Wide, x: Wide, factor: Matrices<__m512i>) -> Wide {
        let [ll, lh, hl, hh] = factor.0;
        // SAFETY: the processor has AVX-512F and GFNI (the trait's rule).
        unsafe {
            let low = _mm512_xor_si512(
                _mm512_gf2p8affine_epi64_epi8::<0>(x.0, ll),
                _mm512_gf2p8affine_epi64_epi8::<0>(x.1, lh),
            );
            let high = _mm512_xor_si512(
                _mm512_gf2p8affine_epi64_epi8::<0>(x.0, hl),
                _mm512_gf2p8affine_epi64_epi8::<0>(x.1, hh),
            );
            Wide(_mm512_xor_si512(sum.0, low), _mm512_xor_si512(sum.1, high))
        }
    }
}

/// What both lanes of 256 bits have in common.
macro_rules! narrow {
    () => {
        const VECTOR: usize = 64;
        const ROWS: usize = 2;
        type Vector = Narrow;

        #[inline(always)]
        unsafe fn zero() -> Narrow {
            // SAFETY: the processor has AVX2 (the trait's rule).
            unsafe { Narrow(_mm256_setzero_si256(), _mm256_setzero_si256()) }
        }

        #[inline(always)]
        unsafe fn load(from: *const u8) -> Narrow {
            // SAFETY: 64 bytes can be read there, with AVX2 (the trait's rule).
            unsafe { Narrow(_mm256_loadu_si256(from.cast()), _mm256_loadu_si256(from.add(32).cast())) }
        }

        #[inline(always)]
        unsafe fn store(vector: Narrow, to: *mut u8) {
            // SAFETY: 64 bytes can be written there, with AVX2 (the trait's rule).
            unsafe {
                _mm256_storeu_si256(to.cast(), vector.0);
                _mm256_storeu_si256(to.add(32).cast(), vector.1);
            }
        }

        #[inline(always)]
        unsafe fn add(a: Narrow, b: Narrow) -> Narrow {
            // SAFETY: the processor has AVX2 (the trait's rule).
            unsafe { Narrow(_mm256_xor_si256(a.0, b.0), _mm256_xor_si256(a.1, b.1)) }
        }
    };
}

impl Lane for Gfni256 {
    narrow!();
    type Packed = Affine;
    type Factor = Matrices<__m256i>;

    fn packed(constant: u16) -> Affine {
        affine(constant)
    }

    #[inline(always)]
    unsafe fn factor(packed: &Affine) -> Matrices<__m256i> {
        let [ll, lh, hl, hh] = *packed;
        // SAFETY: the processor has AVX2 (the trait's rule).
        unsafe {
            Matrices([
                _mm256_set1_epi64x(ll.cast_signed()),
                _mm256_set1_epi64x(lh.cast_signed()),
                _mm256_set1_epi64x(hl.cast_signed()),
                _mm256_set1_epi64x(hh.cast_signed()),
            ])
        }
    }

    #[inline(always)]
    unsafe fn add_product(sum: Narrow, x: Narrow, factor: Matrices<__m256i>) -> Narrow {
        let [ll, lh, hl, hh] = factor.0;
        // SAFETY: the processor has AVX2 and GFNI (the trait's rule).
        unsafe {
            let low = _mm256_xor_si256(
                _mm256_gf2p8affine_epi64_epi8::<0>(x.0, ll),
                _mm256_gf2p8affine_epi64_epi8::<0>(x.1, lh),
            );
            let high = _mm256_xor_si256(
                _mm256_gf2p8affine_epi64_epi8::<0>(x.0, hl),
                _mm256_gf2p8affine_epi64_epi8::<0>(x.1, hh),
            );
            Narrow(_mm256_xor_si256(sum.0, low), _mm256_xor_si256(sum.1, high))
        }
    }
}

impl Lane for Avx2 {
    narrow!();
    type Packed = Nibbles;
    type Factor = Shuffles;

    fn packed(constant: u16) -> Nibbles {
        nibble_products(constant)
    }

    #[inline(always)]
    unsafe fn factor(packed: &Nibbles) -> Shuffles {
        let from = packed.0.as_ptr().cast::<__m128i>();
        // SAFETY: each of eight tables is 16 bytes and aligned to them; AVX2 is there.
        unsafe {
            let mut tables = [_mm256_setzero_si256(); 8];
            for (i, table) in tables.iter_mut().enumerate() {
                *table = _mm256_broadcastsi128_si256(_mm_load_si128(from.add(i)));
            }
            Shuffles(tables)
        }
    }

    #[inline(always)]
    unsafe fn add_product(mut sum: Narrow, x: Narrow, factor: Shuffles) -> Narrow {
        // SAFETY: the processor has AVX2 (the trait's rule).
        unsafe {
            let mask = _mm256_set1_epi8(15);
            let parts = [
                _mm256_and_si256(x.0, mask),
                _mm256_and_si256(_mm256_srli_epi64::<4>(x.0), mask),
                _mm256_and_si256(x.1, mask),
                _mm256_and_si256(_mm256_srli_epi64::<4>(x.1), mask),
            ];
            for (i, part) in parts.into_iter().enumerate() {
                sum.0 = _mm256_xor_si256(sum.0, _mm256_shuffle_epi8(factor.0[i], part));
                sum.1 = _mm256_xor_si256(sum.1, _mm256_shuffle_epi8(factor.0[i + 4], part));
            }
        }
        sum
    }
}
