//! Reed–Solomon over GF(2^16) in the Leopard form: the parity of punktfunk/1
//! (docs/protocol/punktfunk-1.md, section 4.2), byte for byte what the crate
//! reed-solomon-simd 3 computes.
//!
//! The packetizer encodes with [`Encoder`], the reassembler repairs with [`Decoder`].
//! Shards lie [strided](Shards) in a batch of datagrams and are worked on where they
//! lie. Both keep their working memory: sizes seen before allocate nothing.

mod column;
mod decode;
mod encode;
mod error;
mod exercise;
mod field;
mod kernel;
mod lane;
mod locator;
mod shards;
mod transform;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use crate::gf8::Backend;
pub use decode::Decoder;
pub use encode::Encoder;
pub use error::Error;
pub use exercise::exercise;
pub use shards::{Shards, ShardsMut};

/// The most data shards of a block, and the most parity shards.
pub const MAX_SHARDS: usize = 4096;

/// What is wrong with a block of these counts and this length, if anything is.
fn check(data: usize, parity: usize, len: usize) -> Result<(), Error> {
    if data == 0 || data > MAX_SHARDS || parity > MAX_SHARDS {
        return Err(Error::ShardCount { data, parity });
    }
    if len == 0 || !len.is_multiple_of(2) { Err(Error::Length) } else { Ok(()) }
}
