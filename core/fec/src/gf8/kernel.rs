//! The matrix product that encoding and repair are made of, tile by tile.
//!
//! A tile is a short run of bytes at the same offset of every shard. Working tile
//! by tile keeps the inputs of one tile in the first-level cache while all rows
//! read them, and several rows at once keeps the sums in registers.

use super::table::PRODUCT;

/// How the field arithmetic is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backend {
    /// Table look-ups; any processor.
    Scalar,
    /// Nibble look-ups with AVX2 `vpshufb`.
    Avx2,
    /// `vgf2p8affineqb` on 32 bytes at a time (GFNI with AVX2).
    Gfni256,
    /// `vgf2p8affineqb` on 64 bytes at a time (GFNI with AVX-512).
    Gfni512,
}

impl Backend {
    /// Every backend, slowest first.
    pub const ALL: [Self; 4] = [Self::Scalar, Self::Avx2, Self::Gfni256, Self::Gfni512];

    /// True when this processor can run it.
    pub fn available(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::is_x86_feature_detected as has;
            match self {
                Self::Scalar => true,
                Self::Avx2 => has!("avx2"),
                Self::Gfni256 => has!("avx2") && has!("gfni"),
                Self::Gfni512 => has!("avx512f") && has!("gfni"),
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            self == Self::Scalar
        }
    }

    /// The quickest one this processor can run.
    pub fn best() -> Self {
        Self::ALL.into_iter().rev().find(|backend| backend.available()).unwrap_or(Self::Scalar)
    }

    /// Bytes of one tile.
    pub(super) const fn tile(self) -> usize {
        match self {
            Self::Scalar => 256,
            Self::Avx2 | Self::Gfni256 => 64,
            Self::Gfni512 => 128,
        }
    }

    /// Rows computed at once.
    pub(super) const fn group(self) -> usize {
        match self {
            Self::Gfni512 => 8,
            _ => 4,
        }
    }
}

/// The largest tile of any backend.
pub(super) const MAX_TILE: usize = 256;

/// A matrix of coefficients in the order the kernels read it: groups of
/// [`Backend::group`] rows, in each group column by column.
#[derive(Debug)]
pub(super) struct Matrix {
    coefficients: Vec<u8>,
    rows: usize,
    columns: usize,
    backend: Backend,
}

impl Matrix {
    /// An empty matrix for `backend`, which must be available here.
    pub(super) fn new(backend: Backend) -> Self {
        let backend = if backend.available() { backend } else { Backend::Scalar };
        Self { coefficients: Vec::new(), rows: 0, columns: 0, backend }
    }

    pub(super) const fn backend(&self) -> Backend {
        self.backend
    }

    /// Sets every coefficient; `at` is given the row and the column.
    pub(super) fn fill(&mut self, rows: usize, columns: usize, at: impl Fn(usize, usize) -> u8) {
        self.rows = rows;
        self.columns = columns;
        self.coefficients.clear();
        for first in (0..rows).step_by(self.backend.group()) {
            let group = first..rows.min(first + self.backend.group());
            for column in 0..columns {
                self.coefficients.extend(group.clone().map(|row| at(row, column)));
            }
        }
    }

    /// Computes `width` bytes of every row: `to[r] = start[r] + Σ c[r][i] · from[i]`,
    /// with `start` as zero where there is none. `width` is the tile of the backend
    /// or, when less, is done with table look-ups.
    ///
    /// # Safety
    ///
    /// `from` holds a pointer for each column, `start` (if any) and `to` for each
    /// row; `width` bytes can be read or written there, and nothing written
    /// overlaps anything else.
    pub(super) unsafe fn tile(
        &self,
        width: usize,
        from: &[*const u8],
        start: Option<&[*const u8]>,
        to: &[*mut u8],
    ) {
        debug_assert!(from.len() == self.columns && to.len() == self.rows);
        let mut first = 0;
        let mut coefficients = self.coefficients.as_slice();
        while first < self.rows {
            let count = (self.rows - first).min(self.backend.group());
            let (now, later) = coefficients.split_at(count * self.columns);
            let start = start.map(|start| &start[first..first + count]);
            let to = &to[first..first + count];
            // SAFETY: the caller vouches for the pointers; the backend was found
            // available when the matrix was made, and `width` is its tile.
            unsafe {
                match self.backend {
                    #[cfg(target_arch = "x86_64")]
                    backend if width == backend.tile() && backend != Backend::Scalar => {
                        super::x86::group(backend, now, from, start, to);
                    }
                    _ => scalar(width, now, from, start, to),
                }
            }
            coefficients = later;
            first += count;
        }
    }
}

/// One group of rows with table look-ups.
///
/// # Safety
///
/// As [`Matrix::tile`].
unsafe fn scalar(
    width: usize,
    coefficients: &[u8],
    from: &[*const u8],
    start: Option<&[*const u8]>,
    to: &[*mut u8],
) {
    let rows = to.len();
    for (row, &to) in to.iter().enumerate() {
        // SAFETY: `width` bytes may be written at `to` (the caller's promise).
        let to = unsafe { std::slice::from_raw_parts_mut(to, width) };
        match start {
            // SAFETY: `width` bytes may be read there and `to` lies elsewhere.
            Some(start) => to.copy_from_slice(unsafe { std::slice::from_raw_parts(start[row], width) }),
            None => to.fill(0),
        }
        for (column, &from) in from.iter().enumerate() {
            // SAFETY: `width` bytes may be read at `from` and `to` lies elsewhere.
            let from = unsafe { std::slice::from_raw_parts(from, width) };
            let products = &PRODUCT[usize::from(coefficients[column * rows + row])];
            for (to, from) in to.iter_mut().zip(from) {
                *to ^= products[usize::from(*from)];
            }
        }
    }
}
