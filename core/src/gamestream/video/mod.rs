//! Video datagrams, host to client (sheet, sections 8 to 10).
//!
//! [`Packetizer`] turns access units into datagrams with parity, [`Reassembler`]
//! turns them back; [`h264`], [`hevc`] and [`av1`] lay an access unit out as the
//! client expects. [`Parity`] decides how much error correction the frames get,
//! [`Cadence`] which of them are coded when the machine cannot keep up.

mod annexb;
pub mod av1;
mod cadence;
mod exercise;
pub mod h264;
pub mod hevc;
mod packetize;
mod parity;
mod reassemble;
mod wire;

pub use cadence::{Cadence, Limit};
pub use exercise::{exercise, exercise_bitstream};
pub use packetize::{Config, Frame, Layout, Packetizer};
pub use parity::{Parity, Policy};
pub use reassemble::{Counters, Event, Lost, Reassembler, Received, replay};

/// What a frame means for a client that waits for a way back into the stream
/// (sheet, section 8.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FrameKind {
    /// Refers to the frame before it.
    P,
    /// Starts over; carries its parameter sets.
    Idr,
    /// Refreshed a part of the picture; the refresh is complete.
    IntraRefresh,
    /// Refers only to frames older than the invalidated ones.
    AfterInvalidation,
}

/// Something cannot be sent or was not sent by a sane host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The negotiated packet size makes no sense.
    #[error("packet size {0} is not possible; negotiate 64 to 8192 bytes")]
    PacketSize(usize),
    /// A frame without bytes.
    #[error("the access unit is empty; send nothing for it")]
    EmptyFrame,
    /// More shards than four blocks can number. The frame index was not used up.
    #[error("the access unit needs {shards} shards and 4092 is the most; encode it smaller")]
    FrameTooLarge {
        /// Data shards it would need.
        shards: usize,
    },
    /// A datagram that is too short or contradicts itself or its block.
    #[error("the datagram is malformed; drop it")]
    Malformed,
    /// Encryption failed or a tag is wrong.
    #[error(transparent)]
    Crypto(#[from] crate::crypto::CryptoError),
    /// The parity of a block could not be computed.
    #[error("parity: {0}")]
    Fec(#[from] punktfunk_fec::gf8::Error),
}
