//! Reed–Solomon over GF(2^16) in the Leopard form: the parity of punktfunk/1
//! (docs/protocol/punktfunk-1.md, section 4.2), byte for byte what the crate
//! reed-solomon-simd 3 computes.
//!
//! The packetizer encodes with [`Encoder`], the reassembler repairs with [`Decoder`].
//! Shards lie [strided](Shards) in a batch of datagrams and are worked on where they
//! lie. Both keep their working memory: sizes seen before allocate nothing.

mod codec;
mod error;
mod shards;

pub use codec::{Decoder, Encoder};
pub use error::Error;
pub use shards::{Shards, ShardsMut};

/// The most data shards of a block, and the most parity shards.
pub const MAX_SHARDS: usize = 4096;
