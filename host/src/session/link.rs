//! How a stream reaches its client: all that differs between the protocols once a
//! stream is settled. Encoder, screen, sound and input are the same for both.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use punktfunk_core::gamestream::audio;
use punktfunk_core::gamestream::sdp::StreamConfig;
use punktfunk_core::time::Time;

use super::config::Config;
use super::rates::{Budget, Rates};
use super::stream::StreamSettings;
use super::supervisor::GameStream;
use super::{LaunchError, LaunchRequest, OpenControl, SessionId, Voice};
use crate::send::{self, RtpSound, StreamRoute, VideoConfig, VideoSender};

/// The way to one client.
pub(super) enum Link {
    /// Moonlight's: RTP on two ports, ENet for control.
    GameStream(GameStreamLink),
}

/// What RTSP settled.
pub(super) struct GameStreamLink {
    pub gamestream: GameStream,
    pub settled: StreamConfig,
    pub request: LaunchRequest,
    pub connect_data: u32,
    pub route: StreamRoute,
}

impl Link {
    /// Who speaks to the client.
    pub fn voice(&self) -> &Arc<dyn Voice> {
        match self {
            Self::GameStream(link) => &link.gamestream.voice,
        }
    }

    /// How the bitrate is divided.
    pub fn rates(&self, settings: &StreamSettings, config: &Config, sound_bps: u64, now: Time) -> Rates {
        match self {
            Self::GameStream(_) => {
                Rates::gamestream(Budget::new(config.bitrate_kbps, sound_bps), settings.parity, now)
            }
        }
    }

    /// Packetizer and paced sender.
    pub fn video(&self, settings: &StreamSettings, config: &Config) -> Result<send::Video, LaunchError> {
        let sender = match self {
            Self::GameStream(link) => link.video(settings, config).map(send::Video::GameStream),
        };
        sender.map_err(|error| LaunchError::Failed(format!("the video sender could not be started: {error}")))
    }

    /// What sends the sound. The error is for the log.
    pub fn sound(&self) -> Result<send::Sound, String> {
        match self {
            Self::GameStream(link) => link.sound().map(send::Sound::GameStream),
        }
    }

    /// Waits until the client can be sent something; false when `deadline` passed or the
    /// link was closed before.
    pub fn wait(&self, deadline: Instant) -> bool {
        match self {
            Self::GameStream(link) => link.route.wait_for_video(deadline),
        }
    }

    /// Ends the waiting, and listening for this client.
    pub fn close(&self) {
        match self {
            Self::GameStream(link) => {
                link.route.close();
                link.gamestream.ports.forget(&link.route);
            }
        }
    }

    /// The control connection with this connect data, or from this address when the
    /// client sends none, belongs here. With the data it is surer.
    pub fn control(&self, id: SessionId, connect_data: u32, peer: IpAddr) -> Option<(bool, OpenControl)> {
        let Self::GameStream(link) = self;
        let named = link.settled.ping_payload;
        let owned = if named { connect_data == link.connect_data } else { peer == link.request.peer };
        let open = OpenControl { id, key: link.request.key, v2: link.settled.control_v2, hdr: None };
        owned.then_some((named, open))
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GameStream(link) => {
                let StreamConfig { packet_size, encrypt_video, encrypt_audio, .. } = link.settled;
                write!(f, "GameStream, packets of {packet_size}, encrypted: ")?;
                write!(f, "video {encrypt_video}, sound {encrypt_audio}")
            }
        }
    }
}

impl GameStreamLink {
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
