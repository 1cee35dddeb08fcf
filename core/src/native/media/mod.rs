//! The media plane of punktfunk/1 (page, section 4): from access unit to sealed datagrams
//! and back.
//!
//! The host packetizes ([`Packetizer`]) what its encoder gives, keeps it for a while in
//! case the client asks again ([`History`]), and seals ([`Sealer`]). The client opens
//! ([`Opener`]), reads the shard ([`ShardHeader`]) and puts frames together
//! ([`Reassembler`]). What to send again, to give up or to ask for is decided above, by
//! the machines in `native::host` and `native::client`.

mod block;
mod exercise;
mod frame;
mod history;
mod open;
mod packetize;
mod reassemble;
mod seal;
mod shard;

pub use exercise::{exercise_open, exercise_reassemble};
pub use frame::{Counters, Event, Frame, Gap, Missing, Pushed};
pub use history::{History, Repair, Wish};
pub use open::{Opened, Opener, media_id};
pub use packetize::{Departures, Layout, Packetizer, Piece, datagram_len};
pub use reassemble::{Limits, Order, Reassembler};
pub use seal::{Kind, Sealer, Side, TAG_LEN};
pub use shard::{Flags, HEADER_LEN, MAX_DATA, MAX_PARITY, ShardHeader};

/// A media datagram that cannot be made, or that changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The first byte or the length is none of a media datagram (section 4).
    #[error("the datagram is malformed; drop it")]
    Malformed,
    /// The media id is of another session.
    #[error("the datagram belongs to another session")]
    Foreign,
    /// Opened before, or too old to tell.
    #[error("the datagram was opened before or is too old")]
    Replayed,
    /// Wrong key or damaged.
    #[error("the datagram does not open; drop it")]
    Sealed,
    /// The sequence has reached its end: 2^64 datagrams.
    #[error("no sequence is left; start a new session")]
    Exhausted,
    /// A shard that contradicts its block or frame (section 4.2).
    #[error("the shard contradicts what arrived before it; drop it")]
    Conflict,
    /// More than the reassembly may hold (section 10).
    #[error("the shard does not fit into the memory of the reassembly")]
    TooLarge,
    /// Nobody takes the finished frames.
    #[error("finished frames wait; take them before more arrives")]
    Backlog,
    /// A datagram too small for a shard.
    #[error("datagrams of {0} bytes hold no shard; negotiate 1200 to 9000")]
    Payload(usize),
    /// More shards or blocks than the header can number. Nothing was sent of this piece.
    #[error("the access unit is too large for one frame; encode it smaller")]
    FrameTooLarge,
    /// Parity that the code does not have (section 4.2).
    #[error(transparent)]
    Parity(#[from] punktfunk_fec::gf16::Error),
    /// A key could not be made, or sealing failed.
    #[error(transparent)]
    Crypto(#[from] crate::crypto::CryptoError),
}
