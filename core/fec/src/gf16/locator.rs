//! The logarithms of the error locator at every position: Σ log(x + e) over the lost
//! positions e.
//!
//! The sum is a convolution over exclusive or, so three Walsh–Hadamard transforms over
//! the positions of the block do it. The block's positions are a few hundred as a rule,
//! of the field's 65,536.

use super::field::{Logarithms, ORDER};

/// Overwrites `sums`, of a power of two entries: 1 where a position is lost and 0 where
/// it is known becomes the logarithm of the locator, of its derivative where it is lost.
/// `spectrum` is working memory.
pub(super) fn evaluate(sums: &mut [u32], spectrum: &mut Vec<u32>, tables: &Logarithms) {
    let logs = tables.logs().get(..sums.len()).unwrap_or_default();
    spectrum.clear();
    spectrum.extend(logs.iter().map(|&log| u32::from(log)));
    if let Some(zero) = spectrum.first_mut() {
        *zero = 0;
    }
    walsh(spectrum);
    walsh(sums);
    for (sum, factor) in sums.iter_mut().zip(&*spectrum) {
        *sum = fold(fold(*sum * *factor));
    }
    walsh(sums);
    // 2^16 is 1 modulo the order, so this divides by the number of positions.
    let scale = 16 - sums.len().trailing_zeros();
    for sum in sums {
        *sum = fold(fold(*sum << scale)) % ORDER;
    }
}

/// Transforms in place, modulo [`ORDER`]: what comes out is at most that.
fn walsh(values: &mut [u32]) {
    let mut dist = 1;
    while dist < values.len() {
        for pair in values.chunks_exact_mut(2 * dist) {
            let (low, high) = pair.split_at_mut(dist);
            for (a, b) in low.iter_mut().zip(high) {
                (*a, *b) = (fold(*a + *b), fold(*a + ORDER - *b));
            }
        }
        dist *= 2;
    }
}

/// Reduces a number modulo [`ORDER`], not quite: below 2^17 it is at most that after.
fn fold(number: u32) -> u32 {
    (number & 0xFFFF) + (number >> 16)
}

#[cfg(test)]
mod tests {
    use super::super::field::logarithms;
    use super::*;

    #[test]
    fn it_is_the_sum_of_logarithms() {
        let tables = logarithms();
        for size in [1usize, 2, 8, 256, 8192] {
            let lost: Vec<usize> = (0..size).filter(|i| i * 7919 % 11 < 4).collect();
            let mut sums = vec![0; size];
            lost.iter().for_each(|&i| sums[i] = 1);
            evaluate(&mut sums, &mut Vec::new(), tables);
            for x in (0..size).step_by(1 + size / 100) {
                let others = lost.iter().filter(|&&e| e != x);
                let expected: u32 = others.map(|&e| tables.log((x ^ e) as u16)).sum();
                assert_eq!(sums[x] % ORDER, expected % ORDER, "{x} of {size}");
            }
        }
    }
}
