//! What a native client (punktfunk/1) asks of the sessions and what it is answered,
//! as plain data. The shell reads messages and writes them; what becomes of them is
//! settled behind [`super::Supervisor`].

use std::fmt;
use std::sync::Arc;

use punktfunk_net::{Route, Transport};

use super::{ClientId, SessionId, Voice};

/// What a client may do: the bits of punktfunk-1, section 7.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access(pub u16);

impl Access {
    /// Everything.
    pub const ALL: Self = Self(0x1ff);
    /// See and hear.
    pub const VIEW: Self = Self(1);
    /// Pointer, fingers and pen.
    pub const POINTER: Self = Self(2);
    /// Keyboard and text.
    pub const KEYBOARD: Self = Self(4);
    /// Gamepads.
    pub const PADS: Self = Self(8);
    /// Its microphone is heard.
    pub const MICROPHONE: Self = Self(32);
    /// Start and quit applications.
    pub const LAUNCH: Self = Self(64);

    /// All of `other` is allowed.
    pub const fn allows(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// The 16 bytes that name what a client may come back to (`session` of Welcome). They
/// stay the same as long as the application runs, also over a restart of the host.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ResumeId(pub [u8; 16]);

impl fmt::Debug for ResumeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResumeId({})", punktfunk_core::bytes::to_hex(&self.0[..4]))
    }
}

/// What a stream is made of: sections 2.1 and 2.2 of punktfunk-1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NativeConfig {
    /// Pixels, even.
    pub width: u32,
    /// Pixels, even.
    pub height: u32,
    /// Pictures in 1000 seconds.
    pub refresh_mhz: u32,
    /// 1 H.264, 2 HEVC, 3 AV1; 16 more for ten bits, 32 more for 4:4:4.
    pub codec: u8,
    /// Video with parity, kbit/s.
    pub bitrate_kbps: u32,
    /// Channels of sound: 2, 6, 8, or 0 for none.
    pub channels: u8,
}

/// The way to the client's connection.
#[derive(Clone)]
pub struct NativeLink {
    /// The port that QUIC and media share.
    pub transport: Arc<dyn Transport>,
    /// The client's address, as the QUIC connection knows it.
    pub route: Route,
    /// Speaks on the QUIC connection. Dropped with the session.
    pub voice: Arc<dyn Voice>,
    /// Random, drawn by the shell, unique among the sessions of this host.
    pub media_id: [u8; 8],
    /// `TLS exporter("EXPORTER-punktfunk-1 media", media id, 32 bytes)`.
    pub secret: [u8; 32],
    /// 1 AES-128-GCM, 2 ChaCha20-Poly1305.
    pub aead: u8,
    /// Most bytes of a media datagram that the client can receive.
    pub payload: u16,
}

/// A Hello of a paired client.
#[derive(Clone)]
pub struct NativeRequest {
    /// Who asks.
    pub client: ClientId,
    /// The name the owner gave that client.
    pub client_name: String,
    /// What it may do.
    pub access: Access,
    /// The application; `None` is the first of the list. What runs for the client
    /// already is gone on with when it is the same, or when none is named.
    pub app: Option<u32>,
    /// Start it when it does not run; else only go on with what runs.
    pub launch: bool,
    /// Go on with exactly this.
    pub resume: Option<ResumeId>,
    /// Kinds of picture the client can show, most wanted first; `config.codec` is not
    /// looked at.
    pub codecs: Vec<u8>,
    /// The rest of what it wants.
    pub config: NativeConfig,
    /// It would like to be heard.
    pub microphone: bool,
    /// Also play the sound on this machine.
    pub play_locally: bool,
    /// How it is reached.
    pub link: NativeLink,
}

// It holds a key, which no log may show.
impl fmt::Debug for NativeRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client, client_name, access, app, resume, codecs, config, .. } = self;
        f.debug_struct("NativeRequest")
            .field("client", client)
            .field("client_name", client_name)
            .field("access", access)
            .field("app", app)
            .field("resume", resume)
            .field("codecs", codecs)
            .field("config", config)
            .finish_non_exhaustive()
    }
}

/// What a client is welcomed with. Media flows from [`super::Supervisor::play`] on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NativeStarted {
    /// The session, for every other call.
    pub id: SessionId,
    /// What the client may resume by.
    pub resume: ResumeId,
    /// The first epoch.
    pub epoch: u8,
    /// As chosen; `bitrate_kbps` is at most what was asked for.
    pub config: NativeConfig,
    /// Bytes of a media datagram at the start.
    pub payload: u16,
    /// The microphone is heard.
    pub microphone: bool,
    /// The application that runs.
    pub app: u32,
    /// It ran before.
    pub resumed: bool,
    /// How the sound is coded; `None` without sound.
    pub sound: Option<SoundLayout>,
}

/// The Opus multistream of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoundLayout {
    /// Opus streams in a packet.
    pub streams: u8,
    /// Of those, stereo ones.
    pub coupled: u8,
    /// Which decoded channel each output channel is (RFC 7845, section 5.1.1).
    pub mapping: Vec<u8>,
    /// Microseconds of sound in a packet.
    pub frame_us: u32,
}

/// A Reconfigure: what is absent stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Pixels.
    pub width: Option<u32>,
    /// Pixels.
    pub height: Option<u32>,
    /// Pictures in 1000 seconds.
    pub refresh_mhz: Option<u32>,
    /// As [`NativeConfig::codec`].
    pub codec: Option<u8>,
    /// kbit/s.
    pub bitrate_kbps: Option<u32>,
}

/// What holds after a [`Change`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reconfigured {
    /// The epoch in force; a new one when the picture is another.
    pub epoch: u8,
    /// As chosen.
    pub config: NativeConfig,
    /// Why the wish could not be met, for people; then nothing changed.
    pub refused: Option<String>,
}
