//! The field GF(2^16) modulo 0x1002D in coordinates of the Cantor basis.
//!
//! An element is the sum of the basis elements whose bits are set. In these
//! coordinates the polynomial that vanishes on the first 2^n elements maps element `x`
//! to element `x >> n`, so what the transforms multiply by are plain small numbers.

use std::sync::LazyLock;

/// The field polynomial without its top bit.
const POLYNOMIAL: u16 = 0x002D;

/// The Cantor basis as polynomials: each element b is c² + c of the next one, c. Where
/// it starts and which of the two roots each step takes is the code's (section 4.2).
const BASIS: [u16; 16] = [
    0x0001, 0xACCA, 0x3C0E, 0x163E, 0xC582, 0xED2E, 0x914C, 0x4012, 0x6C98, 0x10D8, 0x6A72, 0xB900, 0xFDB8,
    0xFB34, 0xFF38, 0x991E,
];

/// The number of elements other than zero; logarithms count modulo this.
pub(super) const ORDER: u32 = 65_535;

/// Multiplication by an element as four 8×8 bit matrices for `vgf2p8affineqb`: low byte
/// from low, low from high, high from low, high from high.
pub(super) type Affine = [u64; 4];

/// Multiplication by an element as sixteen products for each nibble of the other
/// factor, lowest first: their low bytes, then in the second four their high bytes.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Nibbles(pub(super) [[u8; 16]; 8]);

/// For each nibble of a constant, what it adds to the tables of the constant.
static AFFINES: [[Affine; 16]; 4] = affines();
static NIBBLES: [[Nibbles; 16]; 4] = nibbles();
/// Products of the basis elements.
const PRODUCTS: [[u16; 16]; 16] = products();
/// The coordinates of each power of the polynomial x below 16.
const POWERS: [u16; 16] = powers();

/// Multiplication by `constant` for `vgf2p8affineqb`.
#[inline]
pub(super) fn affine(constant: u16) -> Affine {
    let mut out = [0; 4];
    for (i, table) in AFFINES.iter().enumerate() {
        let part = &table[usize::from(constant >> (4 * i) & 15)];
        out.iter_mut().zip(part).for_each(|(out, part)| *out ^= part);
    }
    out
}

/// The products of `constant` with the basis elements.
#[inline]
pub(super) fn bit_products(constant: u16) -> [u16; 16] {
    let mut out = [0; 16];
    for (i, row) in PRODUCTS.iter().enumerate() {
        if constant >> i & 1 != 0 {
            out.iter_mut().zip(row).for_each(|(out, part)| *out ^= part);
        }
    }
    out
}

/// Multiplication by `constant` for look-ups.
#[inline]
pub(super) fn nibble_products(constant: u16) -> Nibbles {
    let mut out = Nibbles([[0; 16]; 8]);
    for (i, table) in NIBBLES.iter().enumerate() {
        let part = table[usize::from(constant >> (4 * i) & 15)].0.as_flattened();
        out.0.as_flattened_mut().iter_mut().zip(part).for_each(|(out, part)| *out ^= part);
    }
    out
}

/// Logarithms and powers of one generator.
pub(super) struct Logarithms {
    log: Vec<u16>,
    /// Two entries more than there are powers, for sums that are not quite reduced.
    exp: Vec<u16>,
}

/// The tables, computed when they are first needed; only decoding needs them.
pub(super) fn logarithms() -> &'static Logarithms {
    static TABLES: LazyLock<Logarithms> = LazyLock::new(Logarithms::new);
    &TABLES
}

impl Logarithms {
    fn new() -> Self {
        let (mut log, mut exp) = (vec![0; 65_536], vec![0; 65_538]);
        let mut power = 1u16;
        for (i, slot) in exp.iter_mut().enumerate() {
            let element = coordinates(power);
            *slot = element;
            if i < ORDER as usize {
                log[usize::from(element)] = i as u16;
            }
            power = times_x(power);
        }
        Self { log, exp }
    }

    /// The logarithm of `element`; that of zero means nothing.
    #[inline]
    pub(super) fn log(&self, element: u16) -> u32 {
        self.log[usize::from(element)].into()
    }

    /// The element of logarithm `sum`, which is at most three times [`ORDER`].
    #[inline]
    pub(super) fn exp(&self, sum: u32) -> u16 {
        self.exp[((sum & 0xFFFF) + (sum >> 16)) as usize]
    }

    /// The logarithms from zero on.
    pub(super) fn logs(&self) -> &[u16] {
        &self.log
    }
}

const fn times_x(a: u16) -> u16 {
    (a << 1) ^ (if a & 0x8000 == 0 { 0 } else { POLYNOMIAL })
}

/// The product of two polynomials.
const fn polynomial_product(a: u16, b: u16) -> u16 {
    let (mut a, mut b, mut out) = (a, b, 0);
    while b != 0 {
        if b & 1 != 0 {
            out ^= a;
        }
        a = times_x(a);
        b >>= 1;
    }
    out
}

/// Solves for the coordinates of the sixteen powers of x by elimination.
const fn powers() -> [u16; 16] {
    let mut left = BASIS;
    let mut right = [0u16; 16];
    let mut i = 0;
    while i < 16 {
        right[i] = 1 << i;
        i += 1;
    }
    let mut bit = 0;
    while bit < 16 {
        let mut pivot = bit;
        while left[pivot] >> bit & 1 == 0 {
            pivot += 1;
        }
        (left[bit], left[pivot]) = (left[pivot], left[bit]);
        (right[bit], right[pivot]) = (right[pivot], right[bit]);
        let mut row = 0;
        while row < 16 {
            if row != bit && left[row] >> bit & 1 != 0 {
                left[row] ^= left[bit];
                right[row] ^= right[bit];
            }
            row += 1;
        }
        bit += 1;
    }
    right
}

/// The coordinates of a polynomial.
const fn coordinates(polynomial: u16) -> u16 {
    let (mut out, mut i) = (0, 0);
    while i < 16 {
        if polynomial >> i & 1 != 0 {
            out ^= POWERS[i];
        }
        i += 1;
    }
    out
}

const fn products() -> [[u16; 16]; 16] {
    let mut table = [[0; 16]; 16];
    let mut a = 0;
    while a < 16 {
        let mut b = 0;
        while b < 16 {
            table[a][b] = coordinates(polynomial_product(BASIS[a], BASIS[b]));
            b += 1;
        }
        a += 1;
    }
    table
}

/// The product of two elements, slowly.
const fn product(a: u16, b: u16) -> u16 {
    let (mut out, mut i) = (0, 0);
    while i < 16 {
        if a >> i & 1 != 0 {
            let mut j = 0;
            while j < 16 {
                if b >> j & 1 != 0 {
                    out ^= PRODUCTS[i][j];
                }
                j += 1;
            }
        }
        i += 1;
    }
    out
}

const fn nibbles() -> [[Nibbles; 16]; 4] {
    let mut table = [[Nibbles([[0; 16]; 8]); 16]; 4];
    let mut at = 0;
    while at < 64 {
        let (place, nibble) = (at / 16, at % 16);
        let mut input = 0;
        while input < 64 {
            let out = product((nibble as u16) << (4 * place), ((input % 16) as u16) << (4 * (input / 16)));
            table[place][nibble].0[input / 16][input % 16] = out as u8;
            table[place][nibble].0[input / 16 + 4][input % 16] = (out >> 8) as u8;
            input += 1;
        }
        at += 1;
    }
    table
}

const fn affines() -> [[Affine; 16]; 4] {
    let mut table = [[[0; 4]; 16]; 4];
    let mut at = 0;
    while at < 64 {
        let (place, nibble) = (at / 16, at % 16);
        let mut input = 0;
        while input < 16 {
            let out = product((nibble as u16) << (4 * place), 1 << input);
            let mut bit = 0;
            while bit < 16 {
                // Row i of a matrix, which gives bit i, is its byte 7 - i.
                let cell = 8 * (7 - bit % 8) + input % 8;
                table[place][nibble][bit / 8 * 2 + input / 8] |= ((out >> bit & 1) as u64) << cell;
                bit += 1;
            }
            input += 1;
        }
        at += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_basis_is_that_of_cantor() {
        for pair in BASIS.windows(2) {
            assert_eq!(polynomial_product(pair[1], pair[1]) ^ pair[1], pair[0]);
        }
        for (i, &element) in BASIS.iter().enumerate() {
            assert_eq!(coordinates(element), 1 << i);
        }
    }

    #[test]
    fn the_tables_agree_with_slow_products() {
        let tables = logarithms();
        let mut a = 1u16;
        for _ in 0..500 {
            a = a.wrapping_mul(0x6F4D).wrapping_add(0x3C91).max(1);
            let (affine, nibbles) = (affine(a), nibble_products(a).0);
            let mut b = a;
            for _ in 0..50 {
                b = b.wrapping_mul(0x2E15).wrapping_add(0x1234 ^ a).max(1);
                let expected = product(a, b);
                assert_eq!(tables.exp(tables.log(a) + tables.log(b)), expected);
                let parts: [usize; 4] = std::array::from_fn(|i| usize::from(b >> (4 * i) & 15));
                let low = (0..4).fold(0, |sum, i| sum ^ nibbles[i][parts[i]]);
                let high = (0..4).fold(0, |sum, i| sum ^ nibbles[i + 4][parts[i]]);
                assert_eq!(u16::from_le_bytes([low, high]), expected);
                let bits = bit_products(a);
                let sum = (0..16).filter(|i| b >> i & 1 != 0).fold(0, |sum, i| sum ^ bits[i]);
                assert_eq!(sum, expected);
                let apply = |matrix: u64, byte: u8| {
                    let rows = matrix.to_le_bytes();
                    (0..8).fold(0u8, |out, i| out | (((rows[7 - i] & byte).count_ones() & 1) as u8) << i)
                };
                let [low, high] = b.to_le_bytes();
                let low_out = apply(affine[0], low) ^ apply(affine[1], high);
                let high_out = apply(affine[2], low) ^ apply(affine[3], high);
                assert_eq!(u16::from_le_bytes([low_out, high_out]), expected);
            }
        }
    }

    #[test]
    fn the_powers_go_through_the_whole_field() {
        let tables = logarithms();
        for element in 1..=u16::MAX {
            assert_eq!(tables.exp(tables.log(element)), element);
            assert_eq!(tables.exp(tables.log(element) + 2 * ORDER), element);
        }
    }
}
