//! Reed–Solomon over GF(2^8) with the polynomial 0x11D (interface sheet, sections
//! 9 and 12.3).
//!
//! With `k` data and `m` parity shards, parity row `j` is
//! `Σ inverse((m + i) xor j) · data_i`, byte by byte. [`Codec`] computes and
//! repairs such blocks; [`audio`] does the same for the fixed 4+2 matrix.
//!
//! The arithmetic is one matrix product, done by the quickest [`Backend`] the
//! processor has. All of them give the same bytes.

pub mod audio;
mod codec;
mod exercise;
mod kernel;
mod table;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use codec::{Codec, Error, MAX_SHARDS, Stripe};
pub use exercise::exercise;
pub use kernel::Backend;
pub use table::{inverse, multiply};

/// The coefficient of data shard `column` in parity shard `row` when a block has
/// `parity` parity shards (sheet, section 9). Zero where the code has none.
pub fn coefficient(parity: usize, row: usize, column: usize) -> u8 {
    u8::try_from((parity + column) ^ row).map_or(0, inverse)
}
