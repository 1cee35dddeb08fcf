//! One stream: the encode thread between the frame slot and the sender, the sound
//! beside it, and what control has to say to them.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::Instant;

use punktfunk_core::gamestream::control::FecStatus;
use punktfunk_core::gamestream::http::codec_mode;
use punktfunk_core::gamestream::sdp::{Codec, StreamConfig};
use punktfunk_core::gamestream::video::Policy;
use punktfunk_seat_ipc::host::Frame;

use super::budget::Budget;
use super::encoding::{Encoding, Ends, Output, Rates};
use super::mender::{Fault, Mender};
use super::messages::{Ended, Requests, Wanted};
use super::slots::{Latest, Supersede};
use super::sound::Sound;
use super::stats::{Stats, count, read};
use super::{LaunchError, Mode, OpenControl, SessionId, StreamInfo};
use crate::encode;
use crate::send::{MediaPorts, StreamRoute, VideoConfig, VideoSender};

/// Rate control buffer, in frames of the average size. A key frame may then take
/// three times the wire of an ordinary frame: sharp enough to read, gone in 50 ms.
const BUFFER_FRAMES: f32 = 3.0;

/// How streams are made.
#[derive(Clone, Debug)]
pub struct StreamSettings {
    /// Parity, in percent of the data shards: while all is well, and at the most.
    pub parity: Policy,
    /// Which encoder of H.264, or the best that works.
    pub encoder: Option<encode::Backend>,
    /// The kinds of picture that can be had, `codec_mode` bits. May grow while the
    /// host runs.
    pub codec_modes: Arc<AtomicU32>,
    /// Throws away so many of 100 video datagrams, for tests.
    pub drop_percent: f64,
    /// Makes encoders fail, for tests.
    pub fault: Fault,
}

impl Supersede for Frame {
    fn supersede(&mut self, older: Self) {
        self.absorb(&older);
    }
}

pub(super) struct Stream {
    wanted: Wanted,
    slot: Arc<Latest<Frame>>,
    requests: Arc<Requests>,
    stats: Arc<Stats>,
    started: Instant,
    encode: Option<JoinHandle<()>>,
    sound: Option<Sound>,
}

impl Stream {
    /// Opens the encoder and the sender and starts the threads. When this returns
    /// every socket and stage is ready.
    pub fn start(
        settings: &StreamSettings,
        wanted: Wanted,
        ports: &MediaPorts,
        remote: Option<PathBuf>,
        ended: Sender<Ended>,
    ) -> Result<Self, LaunchError> {
        let config = &wanted.config;
        supported(config, settings.codec_modes.load(Ordering::Relaxed))?;
        if config.qos {
            wanted.route.mark();
        }
        let sound = Sound::start(&wanted, ports, remote, &ended);
        let budget = Budget::new(config, sound.bitrate());
        let bitrate = budget.video(settings.parity.base);
        let stats = Arc::new(Stats::default());
        let wish = encode::Config {
            codec: config.codec,
            ten_bit: config.ten_bit,
            chroma_444: config.chroma_444,
            width: config.width,
            height: config.height,
            fps: config.fps,
            bitrate_bps: bitrate,
            slices: config.slices,
            color_space: config.color_space,
            full_range: config.full_range,
            buffer_frames: BUFFER_FRAMES,
            backend: settings.encoder,
        };
        let mut mender = Mender::new(wish, settings.fault);
        let encoder = mender
            .open()
            .map_err(|error| LaunchError::Failed(format!("no encoder could be opened: {error}")))?;
        tracing::info!(
            session = wanted.id.0,
            client = %wanted.request.client_name,
            mode = %format_args!("{}x{}@{}", config.width, config.height, config.fps),
            encoder = ?encoder.describe(),
            kbps = bitrate / 1000,
            packet = config.packet_size,
            encrypted_video = config.encrypt_video,
            encrypted_audio = config.encrypt_audio,
            "streaming"
        );
        let sender = sender(settings, &wanted, ports)?;
        let slot = Arc::new(Latest::default());
        let requests = Arc::new(Requests::default());
        let ends = Ends {
            slot: Arc::clone(&slot),
            requests: Arc::clone(&requests),
            sound_packets: sound.packets(),
            ended,
        };
        let rates = Rates { budget, policy: settings.parity };
        let output = Output::new(sender, Arc::clone(&stats));
        let encoding = Encoding::new(&wanted, ends, (mender, encoder), rates, output);
        let encode = std::thread::Builder::new()
            .name("punktfunk-encode".into())
            .spawn(move || encoding.run())
            .map_err(|error| {
                LaunchError::Failed(format!("the encode thread could not be started: {error}"))
            })?;
        Ok(Self {
            wanted,
            slot,
            requests,
            stats,
            started: Instant::now(),
            encode: Some(encode),
            sound: Some(sound),
        })
    }

    pub fn id(&self) -> SessionId {
        self.wanted.id
    }

    pub fn control(&self) -> OpenControl {
        let v2 = self.wanted.config.control_v2;
        OpenControl { id: self.id(), key: self.wanted.request.key, v2, hdr: None }
    }

    pub fn route(&self) -> &StreamRoute {
        &self.wanted.route
    }

    pub fn slot(&self) -> Arc<Latest<Frame>> {
        Arc::clone(&self.slot)
    }

    pub fn mode(&self) -> Mode {
        let config = &self.wanted.config;
        Mode { width: config.width, height: config.height, fps: config.fps }
    }

    pub fn info(&self) -> StreamInfo {
        let (mode, codec) = (self.mode(), codec_name(self.wanted.config.codec));
        StreamInfo { mode, codec, age: self.started.elapsed() }
    }

    /// True when a control connection with this connect data, or from this address
    /// when the client sends none, belongs here.
    pub fn owns_control(&self, connect_data: u32, peer: IpAddr) -> bool {
        if self.wanted.config.ping_payload {
            connect_data == self.wanted.connect_data
        } else {
            peer == self.wanted.request.peer
        }
    }

    /// True when the client names itself by the connect data, not by its address.
    pub fn is_named(&self) -> bool {
        self.wanted.config.ping_payload
    }

    /// The next access unit shall be an IDR frame, at once.
    pub fn want_key_frame(&self) {
        self.requests.want_key_frame();
        self.slot.wake();
    }

    /// The client lost frames `first..=last`: nothing may refer to them.
    pub fn lost(&self, first: u32, last: u32) {
        self.requests.lost(first, last);
        self.slot.wake();
    }

    /// The client has a long-term reference frame.
    pub fn acknowledge(&self, frame: u32) {
        self.requests.acknowledge(frame);
    }

    /// The client told how close a damaged block was to being lost.
    pub fn report(&self, status: FecStatus) {
        let repaired = status.is_repairable();
        count(if repaired { &self.stats.client_repaired } else { &self.stats.client_lost }, 1);
        self.requests.report(status);
    }

    /// Ends every stage and logs the summary.
    pub fn stop(mut self, why: &str) {
        if let Some(sound) = &self.sound {
            self.stats.audio.store(read(&sound.packets()), Ordering::Relaxed);
        }
        self.end();
        let seconds = self.started.elapsed().as_secs_f64();
        let fps = read(&self.stats.encoded) as f64 / seconds.max(f64::EPSILON);
        tracing::info!(
            session = self.wanted.id.0,
            why,
            seconds = %format_args!("{seconds:.1}"),
            fps = %format_args!("{fps:.1}"),
            captured_unread = self.slot.replaced(),
            stats = %self.stats,
            "stream ended"
        );
    }

    fn end(&mut self) {
        self.slot.close();
        self.wanted.route.close();
        self.sound = None;
        if let Some(encode) = self.encode.take()
            && encode.join().is_err()
        {
            tracing::error!("the encode thread panicked");
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.end();
    }
}

/// Packetizer and paced sender, as the client settled them.
fn sender(
    settings: &StreamSettings,
    wanted: &Wanted,
    ports: &MediaPorts,
) -> Result<VideoSender, LaunchError> {
    let config = &wanted.config;
    let video = VideoConfig {
        codec: config.codec,
        packet_size: config.packet_size,
        fec_percentage: settings.parity.base,
        min_parity: config.min_parity,
        key: config.encrypt_video.then_some(wanted.request.key),
        bitrate_bps: u64::from(config.bitrate_kbps) * 1000,
        fps: config.fps,
        drop_percent: settings.drop_percent,
    };
    VideoSender::start(&video, ports, &wanted.route)
        .map_err(|error| LaunchError::Failed(format!("the video sender could not be started: {error}")))
}

const fn codec_name(codec: Codec) -> &'static str {
    match codec {
        Codec::H264 => "H.264",
        Codec::Hevc => "HEVC",
        Codec::Av1 => "AV1",
    }
}

/// Refuses what this host does not announce.
fn supported(config: &StreamConfig, codec_modes: u32) -> Result<(), LaunchError> {
    let refuse = |what: &str| Err(LaunchError::Failed(format!("this host does not offer {what}")));
    let bit = codec_mode::bit(config.codec, config.ten_bit, config.chroma_444);
    if bit.is_none_or(|bit| codec_modes & bit == 0) {
        let name = codec_name(config.codec);
        let depth = if config.ten_bit { " with 10 bits" } else { "" };
        let chroma = if config.chroma_444 { " in 4:4:4" } else { "" };
        return refuse(&format!("{name}{depth}{chroma}: choose another codec in the client"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(change: impl FnOnce(&mut StreamConfig)) -> StreamConfig {
        let mut config = StreamConfig::from_announce(b"a=x-ss-general.encryptionEnabled:1 \r\n").unwrap();
        change(&mut config);
        config
    }

    #[test]
    fn what_is_not_announced_is_refused_with_its_name() {
        let h264 = codec_mode::H264;
        assert!(supported(&settled(|_| ()), h264).is_ok());
        let hevc = settled(|c| (c.codec, c.ten_bit) = (Codec::Hevc, true));
        assert!(supported(&hevc, h264 | codec_mode::HEVC).unwrap_err().to_string().contains("HEVC with 10"));
        assert!(supported(&hevc, codec_mode::HEVC_MAIN10).is_ok());
        assert!(supported(&settled(|c| c.ten_bit = true), u32::MAX).is_err());
        assert!(supported(&settled(|c| c.chroma_444 = true), h264).is_err());
        assert!(supported(&settled(|c| c.control_v2 = false), h264).is_ok(), "old clients are served");
    }
}
