//! What a client asks for, as plain data.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The identity of a client: SHA-256 of its certificate (DER).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(pub [u8; 32]);

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&punktfunk_core::bytes::to_hex(&self.0[..8]))
    }
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientId({self})")
    }
}

/// One stream from launch to its end. Never reused while the host runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub u64);

/// The picture a client wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Frames a second.
    pub fps: u32,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { width, height, fps } = self;
        write!(f, "{width}x{height}@{fps}")
    }
}

/// A `/launch` or `/resume` of a paired client.
#[derive(Clone)]
pub struct LaunchRequest {
    /// Who asks.
    pub client: ClientId,
    /// The name the owner gave that client.
    pub client_name: String,
    /// Which application, an id of the application list.
    pub app: u32,
    /// The picture it wants.
    pub mode: Mode,
    /// AES-128 key of this session (`rikey`).
    pub key: [u8; 16],
    /// `rikeyid`: base of the audio IV.
    pub key_id: i32,
    /// The client offers encrypted RTSP (`corever` ≥ 1), which is then used.
    pub encrypted_rtsp: bool,
    /// Also play the sound on this machine.
    pub play_locally: bool,
    /// Channels of sound that it can play: 2, 6 or 8.
    pub channels: u8,
    /// Where the request came from.
    pub peer: IpAddr,
}

/// Whom a seat is made for, whatever the protocol.
pub(super) struct Guest<'a> {
    pub client: ClientId,
    /// The name the owner gave that client.
    pub name: &'a str,
    pub mode: Mode,
    /// Channels of sound: 2, 6 or 8.
    pub channels: u8,
}

impl<'a> From<&'a LaunchRequest> for Guest<'a> {
    fn from(request: &'a LaunchRequest) -> Self {
        let LaunchRequest { client, client_name, mode, channels, .. } = request;
        Self { client: *client, name: client_name, mode: *mode, channels: *channels }
    }
}

/// A launch that waits for its RTSP handshake.
#[derive(Clone)]
pub struct Pending {
    /// The session it will become.
    pub id: SessionId,
    /// AES-128 key that opens its encrypted RTSP messages.
    pub key: [u8; 16],
    /// RTSP must be encrypted.
    pub encrypted: bool,
    /// Where the launch came from.
    pub peer: IpAddr,
    /// `X-SS-Ping-Payload`, 16 ASCII characters.
    pub ping_payload: [u8; 16],
    /// `X-SS-Connect-Data`.
    pub connect_data: u32,
}

// Both hold a key, which no log may show.

impl fmt::Debug for LaunchRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client, client_name, app, mode, peer, .. } = self;
        f.debug_struct("LaunchRequest")
            .field("client", client)
            .field("client_name", client_name)
            .field("app", app)
            .field("mode", mode)
            .field("peer", peer)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, encrypted, peer, .. } = self;
        f.debug_struct("Pending")
            .field("id", id)
            .field("encrypted", encrypted)
            .field("peer", peer)
            .finish_non_exhaustive()
    }
}

/// What runs on one seat, for the owner.
#[derive(Clone, Debug, PartialEq)]
pub struct SeatInfo {
    /// The seat's number, never used again while the host runs.
    pub id: u64,
    /// Whose it is.
    pub client: ClientId,
    /// The application.
    pub app: u32,
    /// Its title.
    pub title: String,
    /// Since it was asked for.
    pub age: Duration,
    /// The application is being started.
    pub is_starting: bool,
    /// What its client sees, while it looks.
    pub stream: Option<StreamInfo>,
}

/// What a client sees.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StreamInfo {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Pictures a second.
    pub fps: u32,
    /// `H.264`, `HEVC` or `AV1`, with what is special about it.
    pub codec: String,
    /// A picture of high dynamic range.
    pub hdr: bool,
    /// What codes it.
    pub encoder: String,
    /// At most, kbit/s.
    pub bitrate_kbps: u32,
    /// When it began, in seconds since 1970.
    pub started: u64,
    /// 2, 6 or 8; 0 for no sound.
    pub audio_channels: u8,
    /// Pictures are encrypted.
    pub encrypted: bool,
    /// Why it is like this.
    pub why: Vec<Why>,
}

/// Why something of a stream was chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Why {
    /// Of what: `display`, `size`, `codec`, `bitrate`, `audio`, `encryption`, `encoder`.
    pub stage: String,
    /// What was chosen.
    pub choice: String,
    /// Why, for people.
    pub reason: String,
}

/// Why a launch was refused. The message is shown to the user by the client.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LaunchError {
    /// No application has that id.
    #[error("this host has no application {0}")]
    UnknownApp(u32),
    /// Another application or another client's session is running.
    #[error("{0}")]
    Busy(String),
    /// Nothing is running that could be resumed.
    #[error("nothing is running that could be resumed")]
    NothingToResume,
    /// The client may not do that.
    #[error("{0}")]
    NotAllowed(String),
    /// None of what the client can take is to be had here.
    #[error("{0}")]
    Unsupported(String),
    /// The screen, the sound or the application could not be started.
    #[error("{0}")]
    Failed(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_log_shows_a_key() {
        let peer = IpAddr::from([10, 0, 0, 1]);
        let pending = Pending {
            id: SessionId(1),
            key: [0xAB; 16],
            encrypted: true,
            peer,
            ping_payload: [b'q'; 16],
            connect_data: 1,
        };
        let request = LaunchRequest {
            client: ClientId([1; 32]),
            client_name: "tv".into(),
            app: 1,
            mode: Mode { width: 1280, height: 720, fps: 60 },
            key: [0xAB; 16],
            key_id: 7,
            encrypted_rtsp: true,
            play_locally: false,
            channels: 2,
            peer,
        };
        let text = format!("{pending:?} {request:?}").to_lowercase();
        assert!(!text.contains("171") && !text.contains("abab") && !text.contains("key"), "{text}");
    }
}
