//! From access unit to wire: the media ports that GameStream sessions share, and the
//! senders of one stream.
//!
//! | what | GameStream | native |
//! |---|---|---|
//! | video | `video`: RTP with parity | `native`: sealed shards |
//! | sound | `sound`: RTP with parity | `sound`: QUIC datagrams |
//! | address | `ports`: learned from pings | `native`: the newest datagram that opened |
//!
//! `ports` owns the two UDP sockets and learns from the clients' pings where each
//! stream goes; [`Video`] and [`Sound`] are what the stages before see of either
//! protocol. Nothing here knows sessions.

mod native;
mod path;
mod ports;
mod sound;
mod video;

use punktfunk_core::gamestream::video::FrameKind;
use punktfunk_net::{SenderGauge, SenderStats};

pub use native::{Native, NativeConfig, NativeVideo, OnWish, Wish};
pub use path::{PathGauge, PathTold};
pub use ports::{MediaPorts, StreamRoute};
pub use sound::{NativeSound, RtpSound, Say, Sound};
pub use video::{VideoConfig, VideoSender};

/// An access unit to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// As the client expects it (sheet, section 8.2; punktfunk-1, section 4.2).
    pub data: &'a [u8],
    /// What it refers to.
    pub kind: FrameKind,
    /// When the picture was taken, µs of the monotonic clock.
    pub timestamp_us: u64,
    /// It shows a new picture: the host's latency is told only for those.
    pub is_new: bool,
}

/// What became of an access unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// On its way.
    Queued {
        /// Datagrams.
        packets: usize,
        /// Of those, parity.
        parity: usize,
    },
    /// The sender was still busy with older ones.
    Dropped,
    /// More shards than the protocol can number.
    TooLarge,
}

/// The video sender of one stream.
pub enum Video {
    /// RTP to a client of GameStream.
    GameStream(Box<VideoSender>),
    /// Sealed shards to a native client.
    Native(NativeVideo),
}

impl Video {
    /// Sets the parity of the frames to come, percent. A native sender finds out by
    /// itself.
    pub fn set_fec_percentage(&mut self, percentage: u8) {
        match self {
            Self::GameStream(sender) => sender.set_fec_percentage(percentage),
            Self::Native(_) => {}
        }
    }

    /// Frames from the next one on belong to this epoch. GameStream has none.
    pub fn set_epoch(&mut self, epoch: u8) {
        match self {
            Self::GameStream(_) => {}
            Self::Native(sender) => sender.set_epoch(epoch),
        }
    }

    /// The number the client will know the next frame by.
    pub fn next_frame(&self) -> u32 {
        match self {
            Self::GameStream(sender) => sender.next_frame(),
            Self::Native(sender) => sender.next_frame(),
        }
    }

    /// Whether an access unit would be taken now; no other thread takes the room.
    pub fn has_room(&self) -> bool {
        match self {
            Self::GameStream(sender) => sender.has_room(),
            Self::Native(sender) => sender.has_room(),
        }
    }

    /// False once the sender thread has ended by a panic: nothing is sent any more.
    pub fn is_alive(&self) -> bool {
        match self {
            Self::GameStream(sender) => sender.is_alive(),
            Self::Native(sender) => sender.is_alive(),
        }
    }

    /// Makes datagrams of one access unit and hands them over. Never blocks. What is
    /// dropped has used no frame number: to the client nothing is missing.
    pub fn send(&mut self, unit: &Outgoing<'_>) -> Sent {
        match self {
            Self::GameStream(sender) => sender.send(unit),
            Self::Native(sender) => sender.send(unit),
        }
    }

    /// What reads the counters of the sender thread from elsewhere.
    pub fn gauge(&self) -> SenderGauge {
        match self {
            Self::GameStream(sender) => sender.gauge(),
            Self::Native(sender) => sender.gauge(),
        }
    }

    /// Another bitrate was settled, bits a second on the wire. A native sender finds out
    /// by itself.
    pub fn set_bitrate(&self, bps: u64) {
        match self {
            Self::GameStream(sender) => sender.set_bitrate(bps),
            Self::Native(_) => {}
        }
    }

    /// What the sender thread did so far.
    pub fn stats(&self) -> SenderStats {
        match self {
            Self::GameStream(sender) => sender.stats(),
            Self::Native(sender) => sender.stats(),
        }
    }
}
