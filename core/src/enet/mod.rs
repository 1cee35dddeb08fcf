//! ENet 1.3, the transport of the GameStream control stream, as two machines
//! without I/O: [`Host`] accepts peers on one socket, [`Client`] is one peer.
//!
//! Both are driven the same way: every datagram goes to `handle`, then `poll` is
//! called until it answers [`Output::Deadline`]. The facts are those of the sheet,
//! section 13. Nothing a peer sends grows memory beyond [`Config`]: peers,
//! unfinished handshakes, waiting messages and message sizes are all limited, and a
//! datagram that is no ENet leaves no trace.
//!
//! ENet itself authenticates nobody, so it must not be believed about where a peer
//! is: a datagram from another address than the last one is not processed, but
//! reported as [`Event::Moved`] with a message of it. The owner checks whether
//! that message is genuine and then calls [`Host::accept_move`]; what the datagram
//! held is sent again by its sender.

mod channel;
mod client;
mod exercise;
mod host;
mod link;
mod outgoing;
mod wire;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use crate::time::Time;

pub use client::Client;
pub use exercise::exercise;
pub use host::Host;
pub use wire::Malformed;

/// One connection. Never reused, unlike the peer ids on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerId(pub u64);

/// How a message travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Sent until it is acknowledged, delivered in the order of its channel.
    Reliable,
    /// Sent once, delivered unless a later one was.
    Unreliable,
    /// Sent once, delivered whenever it arrives.
    Unsequenced,
}

/// Limits and times. The defaults suit a GameStream host.
#[derive(Clone, Debug)]
pub struct Config {
    /// Peers at a time.
    pub max_peers: usize,
    /// Peers at a time that have not answered the handshake; the oldest gives way.
    pub max_half_open: usize,
    /// Channels granted to a peer, 1 to 255.
    pub channels: u8,
    /// Longest datagram sent, bytes (576 to 4096).
    pub mtu: u16,
    /// Longest message, bytes.
    pub max_message: usize,
    /// What may wait for a predecessor or a fragment, bytes per peer.
    pub max_waiting: usize,
    /// What may wait to be sent or acknowledged, bytes per peer.
    pub max_queued: usize,
    /// A peer that acknowledges nothing for so long is gone.
    pub timeout: Duration,
    /// How long a handshake may take.
    pub handshake_timeout: Duration,
    /// Where peer ids and connect ids begin: take it from a random source.
    pub seed: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_peers: 16,
            max_half_open: 8,
            channels: 64,
            mtu: 900,
            max_message: 64 * 1024,
            max_waiting: 512 * 1024,
            max_queued: 1024 * 1024,
            timeout: Duration::from_secs(10),
            handshake_timeout: Duration::from_secs(5),
            seed: 0,
        }
    }
}

/// What happened to a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The handshake is complete.
    Connected {
        /// Who.
        peer: PeerId,
        /// What the client said with it (`X-SS-Connect-Data`); 0 at the client.
        data: u32,
        /// Where it is.
        addr: SocketAddr,
    },
    /// A message arrived.
    Message {
        /// From whom.
        peer: PeerId,
        /// On which channel.
        channel: u8,
        /// All of it.
        bytes: Vec<u8>,
    },
    /// A datagram with the peer's ids came from another address and was dropped.
    /// `payload` is its first message: accept the move only if that is genuine.
    Moved {
        /// Who.
        peer: PeerId,
        /// The new address.
        addr: SocketAddr,
        /// The first message of the datagram.
        payload: Vec<u8>,
    },
    /// The connection is over.
    Disconnected {
        /// Who.
        peer: PeerId,
        /// True when the peer said so first; false on a time-out and after
        /// `disconnect`.
        by_peer: bool,
    },
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send a datagram.
    Transmit {
        /// To this address.
        to: SocketAddr,
        /// All of it.
        bytes: Vec<u8>,
    },
    /// Something the owner should know.
    Event(Event),
    /// Nothing until a datagram comes or this moment; `None`: until a datagram.
    Deadline(Option<Time>),
}

/// Why a datagram was dropped. Nothing of it had an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Dropped {
    /// It is not ENet.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// No connection has these ids.
    #[error("no connection has these ids")]
    Unknown,
    /// It came from another address than the peer's.
    #[error("the peer is known at another address")]
    Elsewhere,
    /// A connection attempt that is already being answered.
    #[error("this connection attempt is already being answered")]
    Repeated,
    /// A connection attempt with values out of range.
    #[error("the connection attempt is out of range")]
    BadHandshake,
    /// There is no room for another peer.
    #[error("there is no room for another peer")]
    Full,
}

/// Why a message was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The connection does not exist, is not complete yet or ends.
    #[error("there is no such connection")]
    NotConnected,
    /// The connection has fewer channels.
    #[error("the connection has only {granted} channels")]
    NoChannel {
        /// Channels 0 up to this one, exclusive.
        granted: u8,
    },
    /// The message is longer than the limit, or than a datagram if not reliable.
    #[error("the message is longer than {limit} bytes")]
    TooLong {
        /// The limit, bytes.
        limit: usize,
    },
    /// Too much waits for acknowledgement.
    #[error("too much waits for acknowledgement")]
    Full,
}

/// A stream of numbers that differ from run to run of the program: ids, no secrets.
#[derive(Clone, Debug)]
struct Ids(u64);

impl Ids {
    /// The next number (the SplitMix64 sequence).
    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

/// Takes the first element if it is wanted.
fn pop_front_if<T>(queue: &mut VecDeque<T>, wanted: impl FnOnce(&T) -> bool) -> Option<T> {
    if queue.front().is_some_and(wanted) { queue.pop_front() } else { None }
}
