//! From access unit to wire: the media ports all sessions share, and the video
//! sender of one stream.
//!
//! `ports` owns the two UDP sockets and learns from the clients' pings where each
//! stream goes; `video` packetizes and hands batches to the paced sender. Neither
//! knows sessions: a stream asks for a [`StreamRoute`] and keeps it as long as it lives.

mod ports;
mod video;

pub use ports::{MediaPorts, StreamRoute, send_audio};
pub use video::{Outgoing, Sent, VideoConfig, VideoSender};
