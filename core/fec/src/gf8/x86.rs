//! The vector kernels: a group of rows over one tile, sums held in registers.

use std::arch::x86_64::{
    __m128i, __m256i, __m512i, _mm_loadu_si128, _mm256_and_si256, _mm256_broadcastsi128_si256,
    _mm256_gf2p8affine_epi64_epi8, _mm256_loadu_si256, _mm256_set1_epi8, _mm256_set1_epi64x,
    _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_srli_epi64, _mm256_storeu_si256, _mm256_xor_si256,
    _mm512_gf2p8affine_epi64_epi8, _mm512_loadu_si512, _mm512_set1_epi64, _mm512_setzero_si512,
    _mm512_storeu_si512, _mm512_xor_si512,
};

use super::kernel::Backend;
use super::table::{AFFINE, NIBBLES};

/// Vectors in a tile.
const VECTORS: usize = 2;

/// Computes one tile of up to [`Backend::group`] rows.
///
/// # Safety
///
/// The processor has `backend`; every pointer is good for one tile of it, `start`
/// has as many entries as `to`, `coefficients` has one byte for each of them per
/// entry of `from`, and nothing written overlaps anything else.
pub(super) unsafe fn group(
    backend: Backend,
    coefficients: &[u8],
    from: &[*const u8],
    start: Option<&[*const u8]>,
    to: &[*mut u8],
) {
    macro_rules! by_rows {
        ($kernel:ident: $($rows:literal)*) => {
            match to.len() {
                // SAFETY: passed on from the caller; `ROWS` is the length of `to`.
                $($rows => unsafe { $kernel::<$rows>(coefficients, from, start, to) },)*
                rows => debug_assert_eq!(rows, 0, "a group is at most 8 rows"),
            }
        };
    }
    match backend {
        Backend::Avx2 => by_rows!(avx2: 1 2 3 4),
        Backend::Gfni256 => by_rows!(gfni256: 1 2 3 4),
        Backend::Gfni512 => by_rows!(gfni512: 1 2 3 4 5 6 7 8),
        Backend::Scalar => debug_assert!(false, "not a vector backend"),
    }
}

/// # Safety
///
/// As [`group`], with `ROWS` entries in `to`, on a processor with AVX2.
#[target_feature(enable = "avx2")]
unsafe fn avx2<const ROWS: usize>(
    coefficients: &[u8],
    from: &[*const u8],
    start: Option<&[*const u8]>,
    to: &[*mut u8],
) {
    // SAFETY: each access is one vector of a tile that the caller vouches for; the
    // coefficients are bytes and the table has 256 entries of 32 bytes.
    unsafe {
        let mut sums = start256::<ROWS>(start);
        let mask = _mm256_set1_epi8(15);
        for (&from, coefficients) in from.iter().zip(coefficients.chunks_exact(ROWS)) {
            let (mut low, mut high) = ([mask; VECTORS], [mask; VECTORS]);
            for v in 0..VECTORS {
                let data = _mm256_loadu_si256(from.cast::<__m256i>().add(v));
                low[v] = _mm256_and_si256(data, mask);
                high[v] = _mm256_and_si256(_mm256_srli_epi64::<4>(data), mask);
            }
            for row in 0..ROWS {
                let table = NIBBLES[usize::from(coefficients[row])].as_ptr().cast::<__m128i>();
                let lows = _mm256_broadcastsi128_si256(_mm_loadu_si128(table));
                let highs = _mm256_broadcastsi128_si256(_mm_loadu_si128(table.add(1)));
                for v in 0..VECTORS {
                    let sum = _mm256_xor_si256(sums[row][v], _mm256_shuffle_epi8(lows, low[v]));
                    sums[row][v] = _mm256_xor_si256(sum, _mm256_shuffle_epi8(highs, high[v]));
                }
            }
        }
        store256(&sums, to);
    }
}

/// # Safety
///
/// As [`group`], with `ROWS` entries in `to`, on a processor with AVX2 and GFNI.
#[target_feature(enable = "avx2,gfni")]
unsafe fn gfni256<const ROWS: usize>(
    coefficients: &[u8],
    from: &[*const u8],
    start: Option<&[*const u8]>,
    to: &[*mut u8],
) {
    // SAFETY: each access is one vector of a tile that the caller vouches for.
    unsafe {
        let mut sums = start256::<ROWS>(start);
        for (&from, coefficients) in from.iter().zip(coefficients.chunks_exact(ROWS)) {
            let mut data = [_mm256_setzero_si256(); VECTORS];
            for (v, data) in data.iter_mut().enumerate() {
                *data = _mm256_loadu_si256(from.cast::<__m256i>().add(v));
            }
            for row in 0..ROWS {
                let matrix = _mm256_set1_epi64x(AFFINE[usize::from(coefficients[row])].cast_signed());
                for v in 0..VECTORS {
                    let product = _mm256_gf2p8affine_epi64_epi8::<0>(data[v], matrix);
                    sums[row][v] = _mm256_xor_si256(sums[row][v], product);
                }
            }
        }
        store256(&sums, to);
    }
}

/// # Safety
///
/// As [`group`], with `ROWS` entries in `to`, on a processor with AVX-512F and GFNI.
#[target_feature(enable = "avx512f,gfni")]
unsafe fn gfni512<const ROWS: usize>(
    coefficients: &[u8],
    from: &[*const u8],
    start: Option<&[*const u8]>,
    to: &[*mut u8],
) {
    // SAFETY: each access is one vector of a tile that the caller vouches for.
    unsafe {
        let mut sums = [[_mm512_setzero_si512(); VECTORS]; ROWS];
        if let Some(start) = start {
            for (sums, &start) in sums.iter_mut().zip(start) {
                for (v, sum) in sums.iter_mut().enumerate() {
                    *sum = _mm512_loadu_si512(start.cast::<__m512i>().add(v));
                }
            }
        }
        for (&from, coefficients) in from.iter().zip(coefficients.chunks_exact(ROWS)) {
            let mut data = [_mm512_setzero_si512(); VECTORS];
            for (v, data) in data.iter_mut().enumerate() {
                *data = _mm512_loadu_si512(from.cast::<__m512i>().add(v));
            }
            for row in 0..ROWS {
                let matrix = _mm512_set1_epi64(AFFINE[usize::from(coefficients[row])].cast_signed());
                for v in 0..VECTORS {
                    let product = _mm512_gf2p8affine_epi64_epi8::<0>(data[v], matrix);
                    sums[row][v] = _mm512_xor_si512(sums[row][v], product);
                }
            }
        }
        for (sums, &to) in sums.iter().zip(to) {
            for (v, &sum) in sums.iter().enumerate() {
                _mm512_storeu_si512(to.cast::<__m512i>().add(v), sum);
            }
        }
    }
}

/// The sums to begin with: the tile at each of `start`, or zero.
///
/// # Safety
///
/// `VECTORS` vectors can be read at each of `start`; the processor has AVX2.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn start256<const ROWS: usize>(start: Option<&[*const u8]>) -> [[__m256i; VECTORS]; ROWS] {
    let mut sums = [[_mm256_setzero_si256(); VECTORS]; ROWS];
    if let Some(start) = start {
        for (sums, &start) in sums.iter_mut().zip(start) {
            for (v, sum) in sums.iter_mut().enumerate() {
                // SAFETY: the caller's promise.
                *sum = unsafe { _mm256_loadu_si256(start.cast::<__m256i>().add(v)) };
            }
        }
    }
    sums
}

/// # Safety
///
/// `VECTORS` vectors can be written at each of `to`; the processor has AVX2.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn store256<const ROWS: usize>(sums: &[[__m256i; VECTORS]; ROWS], to: &[*mut u8]) {
    for (sums, &to) in sums.iter().zip(to) {
        for (v, &sum) in sums.iter().enumerate() {
            // SAFETY: the caller's promise.
            unsafe { _mm256_storeu_si256(to.cast::<__m256i>().add(v), sum) };
        }
    }
}
