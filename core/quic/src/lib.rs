//! QUIC on the port that media uses: one socket, one receiving thread that tells the
//! planes apart by the first byte, and the identities of both sides
//! (docs/protocol/punktfunk-1.md, sections 1 and 10; docs/decisions/0016).
//!
//! The host binds an [`Endpoint::host`] and accepts; a client binds an
//! [`Endpoint::client`] and connects. Media datagrams go to a [`MediaSink`] on the
//! receiving thread; QUIC's go to quinn through a socket of ours.
#![forbid(unsafe_code)]

mod config;
mod demux;
mod endpoint;
mod error;
mod gate;
mod identity;
mod inbox;
mod receive;
mod socket;
mod tls;

pub use demux::{Plane, plane};
pub use endpoint::{Accepted, Arrival, Endpoint, Stats, export, peer_address, peer_identity};
pub use error::{ConnectError, Error, HandshakeError, IdentityError};
pub use gate::Ticket;
pub use identity::{Identity, identity_of};
// What the two sides need of quinn, so that they agree on its version.
pub use quinn::{
    ApplicationClose, Connection, ConnectionError, ReadError, ReadExactError, RecvStream, SendDatagramError,
    SendStream, VarInt, WriteError,
};
pub use receive::{MediaSink, Peer};

/// The application protocol that TLS agrees on.
pub const ALPN: &[u8] = b"pf1";
/// The port unless the owner chose another.
pub const PORT: u16 = 9777;
