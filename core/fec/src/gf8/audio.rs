//! The fixed code of GameStream audio: four data and two parity shards (sheet,
//! section 12.3). Its matrix is not the Cauchy matrix of video.

use super::codec::{advance, advance_mut, tiles};
use super::kernel::Matrix;
use super::{Backend, Error, inverse, multiply};

/// Data shards of a block.
pub const DATA: usize = 4;
/// Parity shards of a block.
pub const PARITY: usize = 2;
/// Parity row by data column.
pub const MATRIX: [[u8; DATA]; PARITY] = [[0x77, 0x40, 0x38, 0x0E], [0xC7, 0xA7, 0x0D, 0x6C]];

/// Encodes and repairs audio blocks, without allocating after the first.
#[derive(Debug)]
pub struct Codec {
    encoding: Matrix,
    repair: Matrix,
}

impl Default for Codec {
    fn default() -> Self {
        Self::new(Backend::best())
    }
}

impl Codec {
    /// A codec that uses `backend`, or look-up tables when this processor does not
    /// have it.
    pub fn new(backend: Backend) -> Self {
        let mut encoding = Matrix::new(backend);
        encoding.fill(PARITY, DATA, |row, column| MATRIX[row][column]);
        Self { encoding, repair: Matrix::new(backend) }
    }

    /// Overwrites `parity` with the parity of `data`. All six are equally long.
    pub fn encode(&mut self, data: [&[u8]; DATA], parity: [&mut [u8]; PARITY]) -> Result<(), Error> {
        let len = data[0].len();
        if data.iter().any(|shard| shard.len() != len) || parity.iter().any(|shard| shard.len() != len) {
            return Err(Error::Length);
        }
        let mut from = data.map(<[u8]>::as_ptr);
        let mut to = parity.map(<[u8]>::as_mut_ptr);
        // SAFETY: every shard is `len` bytes long and the parity shards are
        // borrowed exclusively.
        unsafe { product(&self.encoding, &mut from, &mut to, len) };
        Ok(())
    }

    /// Rebuilds the missing data shards of a block (data, then parity) and says how
    /// many there were. All six are equally long.
    pub fn repair(
        &mut self,
        shards: [&mut [u8]; DATA + PARITY],
        present: [bool; DATA + PARITY],
    ) -> Result<usize, Error> {
        let len = shards[0].len();
        if shards.iter().any(|shard| shard.len() != len) {
            return Err(Error::Length);
        }
        let missing: [Option<usize>; 3] = first_three((0..DATA).filter(|&i| !present[i]));
        let rows: [Option<usize>; 3] = first_three((0..PARITY).filter(|&j| present[DATA + j]));
        let count = (0..DATA).filter(|&i| !present[i]).count();
        let parity = rows.iter().flatten().count();
        if count > parity {
            return Err(Error::TooFewShards { missing: count, parity });
        }
        // Unused places solve nothing: one lost shard uses row 0 of the solution only.
        let (i0, i1) = (missing[0].unwrap_or(0), missing[1].unwrap_or(0));
        let (j0, j1) = (rows[0].unwrap_or(0), rows[1].unwrap_or(0));
        if count == 0 {
            return Ok(0);
        }
        let solve = if count == 1 {
            [[inverse(MATRIX[j0][i0]), 0], [0, 0]]
        } else {
            inverse_of_two([[MATRIX[j0][i0], MATRIX[j0][i1]], [MATRIX[j1][i0], MATRIX[j1][i1]]])
        };
        // Inputs: the data shards in place (zero coefficients for missing ones are
        // left out), then the parity rows in use.
        let used = [j0, j1];
        let used = &used[..count];
        let pointers = shards.map(<[u8]>::as_mut_ptr);
        let mut columns = [0; DATA];
        let mut from = [std::ptr::null::<u8>(); DATA];
        let inputs = (0..DATA).filter(|&i| present[i]).chain(used.iter().map(|j| DATA + j));
        for ((column, slot), input) in columns.iter_mut().zip(&mut from).zip(inputs) {
            (*column, *slot) = (input, pointers[input]);
        }
        let mut to = [pointers[i0], pointers[i1]];
        self.repair.fill(count, DATA, |row, column| {
            let input = columns[column];
            let part = |k: usize| match input.checked_sub(DATA) {
                Some(j) => u8::from(used[k] == j),
                None => MATRIX[used[k]][input],
            };
            (0..count).fold(0, |sum, k| sum ^ multiply(solve[row][k], part(k)))
        });
        // SAFETY: every shard is `len` bytes long and borrowed exclusively; with
        // `count` missing there are 4 - count + count inputs, none of them missing.
        unsafe { product(&self.repair, &mut from, &mut to[..count], len) };
        Ok(count)
    }
}

fn first_three(indices: impl Iterator<Item = usize>) -> [Option<usize>; 3] {
    let mut out = [None; 3];
    out.iter_mut().zip(indices).for_each(|(slot, i)| *slot = Some(i));
    out
}

fn inverse_of_two([[a, b], [c, d]]: [[u8; 2]; 2]) -> [[u8; 2]; 2] {
    let scale = inverse(multiply(a, d) ^ multiply(b, c));
    [[multiply(scale, d), multiply(scale, b)], [multiply(scale, c), multiply(scale, a)]]
}

/// # Safety
///
/// `from` has a pointer for each column of `matrix` and `to` for each row; all are
/// good for `len` bytes, and nothing written overlaps anything else.
unsafe fn product(matrix: &Matrix, from: &mut [*const u8], to: &mut [*mut u8], len: usize) {
    let mut at = 0;
    for (offset, width) in tiles(len, matrix.backend().tile()) {
        advance(from, offset - at);
        advance_mut(to, offset - at);
        at = offset;
        // SAFETY: the tile lies inside the `len` bytes the caller vouches for.
        unsafe { matrix.tile(width, from, None, to) };
    }
}
