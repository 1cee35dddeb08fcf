//! The field GF(2^8) modulo 0x11D, as tables that the compiler computes.

/// The field polynomial without its top bit.
const POLYNOMIAL: u8 = 0x1D;

const fn double(x: u8) -> u8 {
    (x << 1) ^ (if x & 0x80 == 0 { 0 } else { POLYNOMIAL })
}

/// Powers of the generator 2, twice over so that a sum of two logarithms needs no
/// reduction.
pub(super) static EXP: [u8; 512] = exp_table();
/// Logarithms to the base 2; the entry for 0 means nothing.
pub(super) static LOG: [u8; 256] = log_table();
/// Every product.
pub(super) static PRODUCT: [[u8; 256]; 256] = product_table();
/// For each constant the products with the low nibbles, then with the high ones:
/// what `pshufb` looks up.
pub(super) static NIBBLES: [[u8; 32]; 256] = nibble_table();
/// For each constant the 8×8 bit matrix that `vgf2p8affineqb` applies.
pub(super) static AFFINE: [u64; 256] = affine_table();

const fn exp_table() -> [u8; 512] {
    let mut table = [0; 512];
    let mut x = 1;
    let mut i = 0;
    while i < 512 {
        table[i] = x;
        x = double(x);
        i += 1;
    }
    table
}

const fn log_table() -> [u8; 256] {
    let exp = exp_table();
    let mut table = [0; 256];
    let mut i = 0;
    while i < 255 {
        table[exp[i] as usize] = i as u8;
        i += 1;
    }
    table
}

const fn slow_product(a: u8, b: u8) -> u8 {
    let (mut a, mut b, mut out) = (a, b, 0);
    while b != 0 {
        if b & 1 != 0 {
            out ^= a;
        }
        a = double(a);
        b >>= 1;
    }
    out
}

const fn product_table() -> [[u8; 256]; 256] {
    let (exp, log) = (exp_table(), log_table());
    let mut table = [[0; 256]; 256];
    let mut a = 1;
    while a < 256 {
        let mut b = 1;
        while b < 256 {
            table[a][b] = exp[log[a] as usize + log[b] as usize];
            b += 1;
        }
        a += 1;
    }
    table
}

const fn nibble_table() -> [[u8; 32]; 256] {
    let mut table = [[0; 32]; 256];
    let mut c = 0;
    while c < 256 {
        let mut n = 0;
        while n < 16 {
            table[c][n] = slow_product(c as u8, n as u8);
            table[c][16 + n] = slow_product(c as u8, (n as u8) << 4);
            n += 1;
        }
        c += 1;
    }
    table
}

const fn affine_table() -> [u64; 256] {
    let mut table = [0; 256];
    let mut c = 0;
    while c < 256 {
        // Output bit i is the parity of (byte 7 - i of the matrix AND the input).
        let mut matrix = [0u8; 8];
        let mut column = c as u8;
        let mut bit = 0;
        while bit < 8 {
            let mut i = 0;
            while i < 8 {
                matrix[7 - i] |= ((column >> i) & 1) << bit;
                i += 1;
            }
            column = double(column);
            bit += 1;
        }
        table[c] = u64::from_le_bytes(matrix);
        c += 1;
    }
    table
}

/// The product of two elements.
pub fn multiply(a: u8, b: u8) -> u8 {
    PRODUCT[usize::from(a)][usize::from(b)]
}

/// The inverse of an element; 0, which has none, gives 0.
pub fn inverse(a: u8) -> u8 {
    if a == 0 { 0 } else { EXP[255 - usize::from(LOG[usize::from(a)])] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_agree_with_long_multiplication() {
        for a in 0..=255 {
            for b in 0..=255 {
                let expected = slow_product(a, b);
                let nibbles = &NIBBLES[usize::from(a)];
                let low = nibbles[usize::from(b & 15)];
                let high = nibbles[16 + usize::from(b >> 4)];
                assert_eq!(multiply(a, b), expected);
                assert_eq!(low ^ high, expected);
                let matrix = AFFINE[usize::from(a)].to_le_bytes();
                let affine =
                    (0..8).fold(0u8, |out, i| out | (((matrix[7 - i] & b).count_ones() & 1) as u8) << i);
                assert_eq!(affine, expected);
            }
        }
    }

    #[test]
    fn inverses_are_those_of_the_sheet() {
        // Section 18.
        let known = [(2, 0x8E), (3, 0xF4), (4, 0x47), (5, 0xA7), (6, 0x7A), (7, 0xBA)];
        for (value, expected) in known {
            assert_eq!(inverse(value), expected);
        }
        for value in 1..=255 {
            assert_eq!(multiply(value, inverse(value)), 1);
        }
        assert_eq!(inverse(0), 0);
    }
}
