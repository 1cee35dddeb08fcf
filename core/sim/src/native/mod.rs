//! The two ends of a punktfunk/1 session after its handshake: the media plane as `core`
//! speaks it, in virtual time.
//!
//! [`HostSide`] is what `punktfunk-host` does between encoder and sockets, [`ClientSide`]
//! what a client does between sockets and decoder. The encoder is a [`Source`] of frame
//! sizes, the decoder checks their content. The tests of this crate and `ci/loss-harness`
//! play them.

mod client;
mod host;
pub mod matrix;
mod outcome;
mod source;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use punktfunk_core::time::Time;

pub use client::{ClientSide, Shown};
pub use host::{HostSide, Sent};
pub use outcome::Outcome;
pub use punktfunk_core::native::flow::parity::Protection;
pub use source::{Pool, Sizes, Source};

use crate::{Rig, Weather};

/// The host's address.
pub const HOST: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 9777);
/// The client's, until it is seen elsewhere.
pub const CLIENT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)), 50_000);
/// Welcome's media id.
pub const MEDIA_ID: [u8; 8] = *b"a stream";
/// What TLS would have exported.
pub const SECRET: [u8; 32] = *b"a secret that is not one at all.";

/// A host and a client on a network.
pub type Session = Rig<HostSide, ClientSide>;

/// Where counters begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// What both clocks show.
    pub now: Time,
    /// Number of the first frame.
    pub frame: u32,
    /// Sequence of the first datagram, of both directions.
    pub sequence: u64,
}

impl Default for Start {
    /// As a session starts: at zero, a second after the clock.
    fn default() -> Self {
        Self { now: Time(1_000_000), frame: 0, sequence: 0 }
    }
}

/// What the handshake settled, and what the test wants.
#[derive(Clone, Debug)]
pub struct Setup {
    /// What the encoder makes.
    pub sizes: Sizes,
    /// Bits a second that were agreed, for video with parity.
    pub agreed: u64,
    /// True when the encoder does what the machine says of the bitrate.
    pub follows_rate: bool,
    /// Whether the encoder can do without a lost frame; otherwise it makes a key frame.
    pub invalidates: bool,
    /// From host to client.
    pub there: Weather,
    /// From client to host.
    pub back: Weather,
    /// How much parity.
    pub protection: Protection,
    /// Whether the client asks for what parity did not restore.
    pub repair: bool,
    /// Bytes of a datagram at the start.
    pub payload: usize,
    /// Bytes of a datagram that the client can receive.
    pub most_payload: usize,
    /// The network card cuts batches into datagrams of so many bytes, whatever it is told,
    /// until segmentation is no longer left to it.
    pub wrong_segments: Option<usize>,
    /// Where counters begin.
    pub start: Start,
    /// False to count only, for runs that are long.
    pub keeps: bool,
    /// What chance is drawn from.
    pub seed: u64,
}

impl Default for Setup {
    /// 20 Mbit/s at 60 frames a second over a cable, of 30 Mbit/s agreed.
    fn default() -> Self {
        Self {
            sizes: Sizes::default(),
            agreed: 30_000_000,
            follows_rate: false,
            invalidates: true,
            there: Weather::FAIR,
            back: Weather::FAIR,
            protection: Protection::Adaptive,
            repair: true,
            payload: 1_200,
            most_payload: 1_472,
            wrong_segments: None,
            start: Start::default(),
            keeps: true,
            seed: 1,
        }
    }
}

/// The two ends by themselves.
pub fn sides(setup: &Setup) -> (HostSide, ClientSide) {
    (HostSide::new(setup), ClientSide::new(setup))
}

/// The two ends on their network, at the beginning.
pub fn session(setup: &Setup) -> Session {
    let (host, client) = sides(setup);
    let mut rig = Rig::new(host, client, setup.there, setup.seed).starting_at(setup.start.now);
    rig.back.set_weather(setup.back);
    rig
}
