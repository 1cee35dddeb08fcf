//! How a stream reaches its client: all that differs between the protocols once a
//! stream is settled. Encoder, screen, sound and input are the same for both.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Instant;

use punktfunk_core::gamestream::audio;
use punktfunk_core::gamestream::sdp::StreamConfig;
use punktfunk_core::native::flow::parity::Protection;
use punktfunk_core::native::host;
use punktfunk_core::native::wire::Access;
use punktfunk_core::native::wire::control::Hello;
use punktfunk_core::time::Time;

use super::config::Config;
use super::gamestreams::GameStream;
use super::messages::{Requests, Shot};
use super::rates::{Budget, Rates};
use super::slots::Latest;
use super::stream::StreamSettings;
use super::{LaunchError, LaunchRequest, NativeLink, OpenControl, SessionId, Voice};
use crate::send::{
    self, Native, NativeConfig, NativeSound, RtpSound, StreamRoute, Video, VideoConfig, VideoSender, Wish,
};

/// The epoch that a native session begins with.
pub(super) const FIRST_EPOCH: u8 = 0;
/// Bytes of a media datagram that nearly every path carries.
const FIRST_PAYLOAD: u16 = 1200;

/// The way to one client.
pub(super) enum Link {
    /// Moonlight's: RTP on two ports, ENet for control.
    GameStream(Box<GameStreamLink>),
    /// Ours: everything on one port.
    Native(NativeSide),
}

/// A way that is not open yet.
pub(super) enum Opening {
    GameStream(Box<GameStreamLink>),
    Native(Box<(NativeLink, Hello, Access)>),
}

/// Whom the client's reports move.
pub(super) struct Ears {
    pub slot: Arc<Latest<Shot>>,
    pub requests: Arc<Requests>,
}

/// The way to a native client.
pub(super) struct NativeSide {
    voice: Arc<dyn Voice>,
    media_id: [u8; 8],
    access: AtomicU16,
    native: Arc<Native>,
}

/// What RTSP settled.
pub(super) struct GameStreamLink {
    pub gamestream: GameStream,
    pub settled: StreamConfig,
    pub request: LaunchRequest,
    pub connect_data: u32,
    pub route: StreamRoute,
}

impl Opening {
    /// Opens the way, with the sender of pictures.
    pub fn open(
        self,
        settings: &StreamSettings,
        config: &Config,
        ears: Ears,
    ) -> Result<(Link, Video), LaunchError> {
        let failed = |error: anyhow::Error| {
            LaunchError::Failed(format!("the video sender could not be started: {error}"))
        };
        match self {
            Self::GameStream(link) => match link.video(settings, config) {
                Ok(video) => Ok((Link::GameStream(link), Video::GameStream(Box::new(video)))),
                Err(error) => {
                    link.close();
                    Err(failed(error))
                }
            },
            Self::Native(native) => {
                let (link, hello, access) = *native;
                let side = NativeSide::open(link, &hello, access, config, settings, ears).map_err(failed)?;
                let video = side.native.video(FIRST_EPOCH, settings.drop_percent);
                Ok((Link::Native(side), Video::Native(video)))
            }
        }
    }
}

impl Link {
    /// Who speaks to the client.
    pub fn voice(&self) -> &Arc<dyn Voice> {
        match self {
            Self::GameStream(link) => &link.gamestream.voice,
            Self::Native(side) => &side.voice,
        }
    }

    /// How the bitrate is divided.
    pub fn rates(&self, settings: &StreamSettings, config: &Config, sound_bps: u64, now: Time) -> Rates {
        match self {
            Self::GameStream(_) => {
                Rates::gamestream(Budget::new(config.bitrate_kbps, sound_bps), settings.parity, now)
            }
            Self::Native(side) => Rates::native(side.native.encoder_bitrate(), now),
        }
    }

    /// What sends the sound. The error is for the log.
    pub fn sound(&self, id: SessionId) -> Result<send::Sound, String> {
        match self {
            Self::GameStream(link) => link.sound().map(|sound| send::Sound::GameStream(Box::new(sound))),
            Self::Native(side) => {
                let voice = Arc::clone(&side.voice);
                let say = Box::new(move |datagram: &[u8]| voice.datagram(id, datagram));
                Ok(send::Sound::Native(NativeSound::new(Arc::clone(&side.native), say)))
            }
        }
    }

    /// Waits until the client can be sent something; false when `deadline` passed or the
    /// link was closed before.
    pub fn wait(&self, deadline: Instant) -> bool {
        match self {
            Self::GameStream(link) => link.route.wait_for_video(deadline),
            Self::Native(side) => side.native.wait(deadline),
        }
    }

    /// Ends the waiting, and listening for this client.
    pub fn close(&self) {
        match self {
            Self::GameStream(link) => link.close(),
            Self::Native(side) => side.native.close(),
        }
    }

    /// The control connection with this connect data, or from this address when the
    /// client sends none, belongs here. With the data it is surer.
    pub fn control(&self, id: SessionId, connect_data: u32, peer: IpAddr) -> Option<(bool, OpenControl)> {
        let Self::GameStream(link) = self else { return None };
        let named = link.settled.ping_payload;
        let owned = if named { connect_data == link.connect_data } else { peer == link.request.peer };
        let open = OpenControl { id, key: link.request.key, v2: link.settled.control_v2, hdr: None };
        owned.then_some((named, open))
    }

    /// Pictures are encrypted on their way.
    pub fn seals_pictures(&self) -> bool {
        match self {
            Self::GameStream(link) => link.settled.encrypt_video,
            Self::Native(_) => true,
        }
    }

    /// What the client may do.
    pub fn access(&self) -> Access {
        match self {
            Self::GameStream(_) => Access::ALL,
            Self::Native(side) => Access(side.access.load(Ordering::Relaxed)),
        }
    }

    /// Its native side, if it has one.
    pub fn native(&self) -> Option<&NativeSide> {
        match self {
            Self::GameStream(_) => None,
            Self::Native(side) => Some(side),
        }
    }
}

impl NativeSide {
    fn open(
        link: NativeLink,
        hello: &Hello,
        access: Access,
        config: &Config,
        settings: &StreamSettings,
        ears: Ears,
    ) -> Result<Self, anyhow::Error> {
        let NativeLink { transport, route, voice, media, exported, aead } = link;
        let percent = settings.parity;
        let media_config = host::Config {
            media: media.0,
            traffic: exported.traffic(aead),
            bitrate: u64::from(config.bitrate_kbps) * 1000,
            first_frame: 0,
            payload: usize::from(first_payload(hello)),
            limit: usize::from(hello.payload),
            protection: if percent.base == percent.most {
                Protection::Fixed(percent.base)
            } else {
                Protection::Adaptive
            },
        };
        let on_wish = Box::new(move |wish| {
            match wish {
                Wish::KeyFrame => ears.requests.want_key_frame(),
                Wish::Lost { first, last } => ears.requests.lost(first, last),
                Wish::Acknowledged(frame) => return ears.requests.acknowledge(frame),
                Wish::Bitrate(bps) => return ears.requests.set_bitrate(bps),
            }
            ears.slot.wake();
        });
        let native = Native::start(NativeConfig { media: media_config, transport, route }, on_wish)?;
        Ok(Self { voice, media_id: media.0, access: AtomicU16::new(access.0), native })
    }

    /// Its media datagrams carry this.
    pub fn media_id(&self) -> [u8; 8] {
        self.media_id
    }

    /// What the client may do from now on.
    pub fn set_access(&self, access: Access) {
        self.access.store(access.0, Ordering::Relaxed);
    }

    /// Frames, reports and their threads.
    pub fn media(&self) -> &Arc<Native> {
        &self.native
    }
}

/// Bytes of a media datagram before the path is known: what nearly every path carries.
pub(super) fn first_payload(hello: &Hello) -> u16 {
    hello.payload.min(FIRST_PAYLOAD)
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Native(_) => f.write_str("punktfunk/1"),
            Self::GameStream(link) => {
                let StreamConfig { packet_size, encrypt_video, encrypt_audio, .. } = link.settled;
                write!(f, "GameStream, packets of {packet_size}, encrypted: ")?;
                write!(f, "video {encrypt_video}, sound {encrypt_audio}")
            }
        }
    }
}

impl GameStreamLink {
    /// Ends the waiting, and listening for this client.
    fn close(&self) {
        self.route.close();
        self.gamestream.ports.forget(&self.route);
    }

    fn video(&self, settings: &StreamSettings, config: &Config) -> Result<VideoSender, anyhow::Error> {
        let settled = &self.settled;
        if settled.qos {
            self.route.mark();
        }
        let video = VideoConfig {
            codec: config.kind.codec,
            packet_size: settled.packet_size,
            fec_percentage: settings.parity.base,
            min_parity: settled.min_parity,
            key: settled.encrypt_video.then_some(self.request.key),
            bitrate_bps: u64::from(config.bitrate_kbps) * 1000,
            fps: config.mode.fps,
            drop_percent: settings.drop_percent,
        };
        VideoSender::start(&video, &self.gamestream.ports, &self.route)
    }

    fn sound(&self) -> Result<RtpSound, String> {
        let settled = &self.settled;
        let key = settled.encrypt_audio.then_some((self.request.key, self.request.key_id));
        let config = audio::Config { packet_ms: settled.audio_packet_ms, key };
        RtpSound::new(config, &self.gamestream.ports, &self.route).map_err(|error| error.to_string())
    }
}
