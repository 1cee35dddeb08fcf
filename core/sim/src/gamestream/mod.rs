//! The two ends of a GameStream session, without its handshake: video, sound and
//! control as `core` speaks them, in virtual time.
//!
//! [`HostSide`] is what `punktfunk-host` does between encoder and sockets, [`ClientSide`]
//! what a Moonlight does between sockets and decoder (sheet, sections 7 to 14). The
//! encoder is a list of frame sizes and the decoder checks their content.

mod client;
mod host;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

pub use client::{ClientSide, Shown};
pub use host::HostSide;

/// The session key of both ends.
pub const KEY: [u8; 16] = *b"a key for a test";
/// What RTSP would have told the client to say in its ENet connect.
pub const CONNECT_DATA: u32 = 0xC0DE_CAFE;

/// The host's ports.
pub const VIDEO: SocketAddr = address(1, 47_998);
/// The host's ports.
pub const CONTROL: SocketAddr = address(1, 47_999);
/// The host's ports.
pub const AUDIO: SocketAddr = address(1, 48_000);

const fn address(host: u8, port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, host)), port)
}

/// What the session settled.
#[derive(Clone, Copy, Debug)]
pub struct Settled {
    /// `packetSize`, bytes.
    pub packet_size: usize,
    /// Parity for each hundred data shards.
    pub fec_percentage: u8,
    /// More of it while the client reports losses, as the host does.
    pub follows_network: bool,
    /// Least parity shards of a block.
    pub min_parity: usize,
    /// Everything encrypted, or nothing but control.
    pub encrypted: bool,
    /// Bytes of an ordinary frame.
    pub frame_bytes: usize,
    /// Bytes of a key frame.
    pub key_frame_bytes: usize,
    /// From one frame to the next.
    pub interval: Duration,
}

impl Default for Settled {
    /// 20 Mbit/s at 60 fps: some 42 kB a frame.
    fn default() -> Self {
        Self {
            packet_size: 1392,
            fec_percentage: 20,
            follows_network: false,
            min_parity: 2,
            encrypted: false,
            frame_bytes: 42_000,
            key_frame_bytes: 120_000,
            interval: Duration::from_micros(16_667),
        }
    }
}

/// The content of frame `index`: every byte follows from the number, so that a client
/// that got one wrong notices. Begins like an Annex B stream.
pub fn access_unit(index: u32, len: usize) -> Vec<u8> {
    let mut bytes = vec![0, 0, 0, 1];
    let mut state = index.wrapping_mul(0x9E37_79B9) | 1;
    while bytes.len() < len.max(8) {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len.max(8));
    bytes
}
