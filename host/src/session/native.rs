//! What a native client (punktfunk/1) asks of the sessions and what it is answered, as
//! plain data. The shell reads messages and writes them; what becomes of them is settled
//! behind [`super::Supervisor`].

use std::fmt;
use std::sync::Arc;

use punktfunk_core::native::keys::{Aead, Exported};
use punktfunk_core::native::wire::control::{Hello, SoundLayout};
use punktfunk_core::native::wire::{self, Access, Codec, MediaId};
use punktfunk_net::{Route, Transport};

use super::{ClientId, SessionId, Voice};

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
    pub media: MediaId,
    /// What TLS exported for that id.
    pub exported: Exported,
    /// What media is sealed with, chosen by the shell.
    pub aead: Aead,
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
    /// What it wants. What runs for the client already is gone on with when it is what
    /// `resume` names, or without that the same `app`, or when neither is named.
    pub hello: Hello,
    /// How it is reached.
    pub link: NativeLink,
}

// It holds a key, which no log may show.
impl fmt::Debug for NativeRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client, client_name, access, hello, .. } = self;
        f.debug_struct("NativeRequest")
            .field("client", client)
            .field("client_name", client_name)
            .field("access", access)
            .field("hello", hello)
            .finish_non_exhaustive()
    }
}

/// What a client is welcomed with. Media flows from [`super::Supervisor::play`] on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NativeStarted {
    /// The session, for every other call.
    pub id: SessionId,
    /// What the client may resume by: it stays the same as long as the application runs,
    /// also over a restart of the host.
    pub session: wire::SessionId,
    /// The first epoch.
    pub epoch: u8,
    /// The picture.
    pub mode: wire::Mode,
    /// The codec.
    pub codec: Codec,
    /// Video with parity, kbit/s; at most what was asked for.
    pub bitrate_kbps: u32,
    /// How the sound is coded; `None`: there is none.
    pub sound: Option<SoundLayout>,
    /// Bytes of a media datagram at the start.
    pub payload: u16,
    /// The microphone is heard.
    pub mic: bool,
    /// How many pads are taken.
    pub pads: u8,
    /// The application that runs.
    pub app: u32,
    /// It ran before.
    pub resumed: bool,
}
