//! Sessions: what runs for which client, from `/launch` to the last packet.
//!
//! The shells in `serve` talk to a [`Supervisor`] and to nothing else of this
//! module; it starts the seat and the media stages and is told of their end. Who
//! calls what: `serve::nvhttp` launches, resumes and cancels, `serve::rtsp` finds
//! the pending launch and announces the stream, `serve::control` opens the control
//! channel and delivers what it hears. `serve::native` starts sessions in one step and
//! delivers what comes in on the native port.

mod begin;
mod catalogue;
mod config;
mod encoding;
mod endings;
mod figures;
mod gamestreams;
mod hands;
mod heard;
mod keys;
mod link;
mod mender;
mod messages;
mod native;
mod natives;
mod oversight;
mod pace;
mod plan;
mod rates;
mod reasons;
mod running;
pub mod slots;
mod sound;
pub mod stats;
mod stream;
mod supervisor;
mod table;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use punktfunk_core::gamestream::control::{FecStatus, HdrMetadata};
use punktfunk_core::gamestream::http::codec_mode;
use punktfunk_core::gamestream::sdp::StreamConfig;
use punktfunk_core::input::{self, pad};
use punktfunk_core::native::wire::Access;
use punktfunk_core::native::wire::control::{Reconfigure, Reconfigured};
use punktfunk_core::native::wire::datagram::Sound;
use punktfunk_net::Route;

pub use catalogue::{Art, Catalogue, Occasion, Prefer, Program, Scanned, SeatKey};
pub use figures::{Figures, Latency, Played, PlayedApp, PlayedBy, Stages};
pub use gamestreams::GameStream;
pub use keys::KeyLedger;
pub use mender::Fault;
pub use native::{NativeLink, NativeRequest, NativeStarted};
pub use running::SeatSettings;
pub use stream::StreamSettings;
pub use supervisor::{Sessions, Settings};
pub use table::Rules;

pub use plan::{ClientId, LaunchError, LaunchRequest, Mode, Pending, SeatInfo, SessionId, StreamInfo, Why};

/// What the shells may ask of the sessions. Starting and stopping programs takes
/// seconds: call those from a blocking task. They keep nobody waiting who asks about
/// another seat. What says "never blocks" may be called from anywhere.
pub trait Supervisor: Send + Sync {
    /// Starts an application on a seat of its own; RTSP should follow.
    fn launch(&self, request: LaunchRequest) -> Result<Pending, LaunchError>;

    /// Attaches a client, with new keys, to what is running.
    fn resume(&self, request: LaunchRequest) -> Result<Pending, LaunchError>;

    /// Ends the application that `client` sees running, and its session.
    fn cancel(&self, client: ClientId) -> Result<(), LaunchError>;

    /// Ends whatever `client` has running: it was revoked.
    fn revoke(&self, client: ClientId);

    /// The application that `client` may resume or quit. Never blocks.
    fn running_app(&self, client: ClientId) -> Option<u32>;

    /// The kinds of picture that can be had, as `codec_mode` bits. Never blocks.
    fn codec_modes(&self) -> u32 {
        codec_mode::H264
    }

    /// Every application that runs, oldest first. Never blocks.
    fn running_apps(&self) -> Vec<u32>;

    /// What runs for whom, oldest first. Never blocks.
    fn seats(&self) -> Vec<SeatInfo> {
        Vec::new()
    }

    /// The numbers of what is watched now, by seat. Never blocks for long.
    fn figures(&self) -> Vec<(u64, Figures)> {
        Vec::new()
    }

    /// Shows a text on the screen of this seat for some seconds. Never blocks.
    fn message(&self, _seat: u64, _text: &str) -> Result<(), LaunchError> {
        Err(LaunchError::NothingToResume)
    }

    /// Lets the stream on this seat have so many kbit/s at most; its client is told.
    fn set_bitrate(&self, _seat: u64, _kbps: u32) -> Result<(), LaunchError> {
        Err(LaunchError::NothingToResume)
    }

    /// Tells `watcher` of changes from now on. The first one counts.
    fn watch(&self, _watcher: Arc<dyn Watcher>) {}

    /// Ends the application on this seat, and its session: the owner wants it.
    fn end(&self, _seat: u64) {}

    /// What can be started, hidden ones too, in the owner's order. Never blocks for long.
    fn programs(&self) -> Vec<Program> {
        Vec::new()
    }

    /// The picture of an application. Reads a file.
    fn art(&self, _app: u32) -> Option<Art> {
        None
    }

    /// Looks anew at what is installed. Reads many files.
    fn scan(&self) -> Scanned {
        Scanned::default()
    }

    /// Starts an application for `client`, which will find it running: the owner wants it.
    /// Gives the seat's number.
    fn start(&self, _client: ClientId, _name: &str, app: u32) -> Result<u64, LaunchError> {
        Err(LaunchError::UnknownApp(app))
    }

    /// Launches that wait for RTSP, newest first. Expired ones are not listed. Never
    /// blocks.
    fn pending(&self) -> Vec<Pending>;

    /// The client settled its stream: every socket and stage must be ready when
    /// this returns.
    fn announce(&self, id: SessionId, config: StreamConfig) -> Result<(), LaunchError>;

    /// The client waits for pictures.
    fn play(&self, id: SessionId) -> Result<(), LaunchError>;

    /// Which session a control connection belongs to. Found by the connect data, or
    /// by the address for a client that sends none. Never blocks.
    fn open_control(&self, connect_data: u32, peer: SocketAddr) -> Option<OpenControl>;

    /// Something was heard on the control channel of a session. Never blocks. What the
    /// client may not do is thrown away.
    fn control(&self, id: SessionId, event: ControlEvent);

    /// Starts or resumes the session of a native client, up to the point where
    /// [`Supervisor::play`] lets media flow. A session that the client has already is
    /// ended with [`Reason::Replaced`].
    fn start_native(&self, _request: NativeRequest) -> Result<NativeStarted, LaunchError> {
        Err(LaunchError::Failed("this host has no native sessions".into()))
    }

    /// Changes the picture of a native session while it runs, which takes some tens of
    /// milliseconds. What cannot be had is answered with what stays and a text; the error
    /// means that there is no such session.
    fn reconfigure(&self, _id: SessionId, _wish: &Reconfigure) -> Result<Reconfigured, LaunchError> {
        Err(LaunchError::NothingToResume)
    }

    /// A media datagram came in from `from` (punktfunk-1, section 4): whose it is, its
    /// media id says. Never blocks for long.
    fn media(&self, _datagram: &[u8], _from: Route) {}

    /// The client of a session said something into its microphone. Never blocks.
    fn microphone(&self, _id: SessionId, _sound: &Sound<'_>) {}

    /// What the client of a session may do from now on. Without [`Access::VIEW`] the
    /// session ends with [`Reason::Revoked`]. Never blocks.
    fn set_access(&self, _id: SessionId, _access: Access) {}
}

/// Hears what happens to the sessions. Called from any thread but those of a stream.
pub trait Watcher: Send + Sync {
    /// [`Supervisor::seats`] says something else now. Must not block.
    fn changed(&self);

    /// A stream ended. May take as long as writing a file takes.
    fn ended(&self, _played: Played) {}
}

/// The session of a control connection.
#[derive(Clone, Copy)]
pub struct OpenControl {
    /// The session.
    pub id: SessionId,
    /// Its AES-128 key.
    pub key: [u8; 16],
    /// Messages use the v2 encryption; the old style otherwise (sheet, section 14).
    pub v2: bool,
    /// What the HDR picture is like, which the client hears first; none for SDR.
    pub hdr: Option<HdrMetadata>,
}

/// Speaks to the clients of sessions. No call may block; what is said to a session
/// without a connection is lost.
pub trait Voice: Send + Sync {
    /// Tells the client of a session what a game has its pad do.
    fn feedback(&self, id: SessionId, pad: u8, feedback: pad::Feedback);

    /// Tells the client of a session why its stream ends and closes its connection.
    /// [`ControlEvent::Closed`] does not follow.
    fn end(&self, id: SessionId, reason: Reason);

    /// Tells the client of a native session what its picture is from now on, though it
    /// did not ask.
    fn reconfigured(&self, _id: SessionId, _now: Reconfigured) {}

    /// Sends a QUIC datagram to the client of a native session: sound.
    fn datagram(&self, _id: SessionId, _datagram: &[u8]) {}
}

/// Why a stream ends, as its client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The client or the owner wanted it.
    Quit,
    /// The application ended.
    AppEnded,
    /// What ran on this machine and was shown has ended.
    SessionEnded,
    /// It was resumed by another connection.
    Replaced,
    /// The client may not be here any more.
    Revoked,
    /// The host stops.
    HostStopping,
    /// The screen is gone, and nobody asked for that.
    ScreenLost,
    /// The picture cannot be coded any more.
    Broken,
}

/// What the control channel hears from a client.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ControlEvent {
    /// The client cannot decode until it gets an IDR frame.
    KeyFrameWanted,
    /// Frames `first..=last` are lost: nothing may refer to them.
    InvalidateRange {
        /// First lost frame.
        first: u32,
        /// Last lost frame.
        last: u32,
    },
    /// A long-term reference frame arrived whole: it may be referred to.
    LongTermAck {
        /// The frame.
        frame: u32,
    },
    /// Keyboard, pointer, finger or pen.
    Input(input::Event),
    /// A gamepad.
    Pad(pad::Event),
    /// How long a message to the client and its answer take.
    RoundTrip(Duration),
    /// How close one damaged frame was to being lost, or that it was.
    FecStatus(FecStatus),
    /// The connection ended: by the client, or because nothing was heard.
    Closed {
        /// True when the client said goodbye, false on a time-out.
        by_client: bool,
    },
}
