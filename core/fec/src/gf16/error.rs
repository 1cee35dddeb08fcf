//! What can be wrong with a block.

use super::MAX_SHARDS;

/// A block cannot be encoded or repaired as asked. Nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no data shard, or more than [`MAX_SHARDS`] of a kind.
    #[error(
        "a block of {data} + {parity} shards is not possible; use 1 to {MAX_SHARDS} data \
         and at most {MAX_SHARDS} parity shards"
    )]
    ShardCount {
        /// Data shards asked for.
        data: usize,
        /// Parity shards asked for.
        parity: usize,
    },
    /// A shard has another length than the rest, an odd one or none, or `have` does
    /// not have one entry for each data shard.
    #[error("make all shards of the block equally long, an even number of bytes, and tell of each one")]
    Length,
    /// The shards do not lie inside their buffer, or overlap in it.
    #[error("{count} shards of {len} bytes, {stride} apart, do not fit into {bytes} bytes")]
    Layout {
        /// Shards asked for.
        count: usize,
        /// Bytes of a shard.
        len: usize,
        /// Bytes from one shard to the next.
        stride: usize,
        /// Bytes of the buffer.
        bytes: usize,
    },
    /// The block has no parity shard of this index, or it was given twice.
    #[error("parity shard {0} is not one of this block, or came twice")]
    ParityIndex(u16),
    /// More data shards are missing than parity shards are there.
    #[error("{missing} data shards are missing and only {parity} parity shards arrived")]
    TooFewShards {
        /// Data shards that are missing.
        missing: usize,
        /// Parity shards that are present.
        parity: usize,
    },
}
