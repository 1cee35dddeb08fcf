//! One stream: the encode thread between the frame slot and the sender, the sound
//! beside it, and what control has to say to them.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use punktfunk_core::bytes::to_hex;
use punktfunk_core::gamestream::control::FecStatus;
use punktfunk_core::gamestream::video::Policy;
use punktfunk_core::native::wire::{Access, datagram};
use punktfunk_core::time::Time;

use super::config::Config;
use super::encoding::{Encoding, Ends, Output};
use super::figures::{Figures, Meter, Played, PlayedApp, PlayedBy};
use super::link::{Ears, FIRST_EPOCH, Link, NativeSide, Opening};
use super::mender::{Fault, Mender};
use super::messages::{Ended, NewPicture, OnPanic, Requests, Shot};
use super::reasons::Reasons;
use super::slots::Latest;
use super::sound::{self, Sound};
use super::stats::{Stats, count, monotonic_us, read};
use super::{ClientId, LaunchError, Mode, OpenControl, Reason, SessionId, StreamInfo, Voice};
use crate::audio::Microphone;
use crate::encode;

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

/// What a stream is made from.
pub(super) struct Wanted {
    pub id: SessionId,
    pub client: ClientId,
    /// The name the owner gave the client.
    pub client_name: String,
    /// The application: its number and title.
    pub app: (u32, String),
    pub config: Config,
    pub link: Opening,
    pub sound: sound::Wanted,
    /// The client's microphone on the seat.
    pub microphone: Option<Microphone>,
}

pub(super) struct Stream {
    id: SessionId,
    config: Config,
    /// Of a native stream: counts its pictures.
    epoch: u8,
    link: Arc<Link>,
    slot: Arc<Latest<Shot>>,
    requests: Arc<Requests>,
    stats: Arc<Stats>,
    meter: Arc<Meter>,
    reasons: Arc<Reasons>,
    by: PlayedBy,
    app: PlayedApp,
    started: Instant,
    encode: Option<JoinHandle<()>>,
    sound: Option<Sound>,
    microphone: Option<Microphone>,
}

impl Stream {
    /// Opens the encoder and the sender and starts the threads. When this returns
    /// every socket and stage is ready.
    pub fn start(
        settings: &StreamSettings,
        wanted: Wanted,
        ended: Sender<Ended>,
    ) -> Result<Self, LaunchError> {
        let Wanted { id, client, client_name, app, config, link, sound, microphone } = wanted;
        let (slot, requests, stats) = (Arc::default(), Arc::default(), Arc::<Stats>::default());
        let ears = Ears { slot: Arc::clone(&slot), requests: Arc::clone(&requests) };
        let reasons = Arc::<Reasons>::default();
        reasons.plan(&config, &link, settings.codec_modes.load(Ordering::Relaxed));
        let (link, sender) = link.open(settings, &config, ears)?;
        let path = link.native().map(|native| native.media().path());
        let protocol = if path.is_some() { "native" } else { "gamestream" };
        // From here on the link is closed however this ends.
        let mut stream = Self {
            id,
            config,
            epoch: FIRST_EPOCH,
            link: Arc::new(link),
            slot,
            requests,
            meter: Arc::new(Meter::new(Arc::clone(&stats), sender.gauge(), path)),
            stats,
            reasons,
            by: PlayedBy { id: to_hex(&client.0), name: client_name, protocol: protocol.to_owned() },
            app: PlayedApp { id: app.0.to_string(), title: app.1 },
            started: Instant::now(),
            encode: None,
            sound: None,
            microphone,
        };
        let (config, link) = (&stream.config, &stream.link);
        config.kind.supported(settings.codec_modes.load(Ordering::Relaxed))?;
        let why = "the thread of the sound panicked; standard error says why".to_owned();
        let guard = OnPanic::tell(&ended, Ended::Stream { id, why });
        let sound = Sound::start(id, config.sound, sound, link, guard);
        let rates = link.rates(settings, config, sound.bitrate(), Time(monotonic_us()));
        let mut mender = Mender::new(config.wish(rates.bitrate(), settings.encoder), settings.fault);
        let encoder = mender
            .open()
            .map_err(|error| LaunchError::Failed(format!("no encoder could be opened: {error}")))?;
        stream.reasons.encoder(&encoder.describe(), settings.encoder);
        tracing::info!(
            session = id.0,
            client = %stream.by.name,
            mode = %config.mode,
            encoder = ?encoder.describe(),
            kbps = rates.bitrate() / 1000,
            %link,
            "streaming"
        );
        let ends = Ends {
            slot: Arc::clone(&stream.slot),
            requests: Arc::clone(&stream.requests),
            link: Arc::clone(link),
            reasons: Arc::clone(&stream.reasons),
            sound_packets: sound.packets(),
            ended,
        };
        let output = Output::new(sender, Arc::clone(&stream.stats));
        let encoding = Encoding::new(id, config.mode, ends, (mender, encoder), rates, output);
        let thread = std::thread::Builder::new().name("punktfunk-encode".into());
        stream.sound = Some(sound);
        stream.encode = Some(thread.spawn(move || encoding.run()).map_err(|error| {
            LaunchError::Failed(format!("the encode thread could not be started: {error}"))
        })?);
        Ok(stream)
    }

    pub fn id(&self) -> SessionId {
        self.id
    }

    /// Whom the client hears.
    pub fn voice(&self) -> Arc<dyn Voice> {
        Arc::clone(self.link.voice())
    }

    /// Tells the client that this ends.
    pub fn say_goodbye(&self, reason: Reason) {
        self.link.voice().end(self.id, reason);
    }

    /// The control connection with this connect data, or from this address, belongs
    /// here; with the data it is surer.
    pub fn control(&self, connect_data: u32, peer: IpAddr) -> Option<(bool, OpenControl)> {
        self.link.control(self.id, connect_data, peer)
    }

    pub fn slot(&self) -> Arc<Latest<Shot>> {
        Arc::clone(&self.slot)
    }

    pub fn mode(&self) -> Mode {
        self.config.mode
    }

    pub fn info(&self) -> StreamInfo {
        let Mode { width, height, fps } = self.mode();
        let began = SystemTime::now().checked_sub(self.started.elapsed()).unwrap_or(UNIX_EPOCH);
        StreamInfo {
            width,
            height,
            fps,
            codec: self.config.kind.to_string(),
            hdr: false,
            encoder: self.reasons.choice("encoder"),
            bitrate_kbps: self.config.bitrate_kbps,
            started: since_1970(began),
            audio_channels: self.config.sound.channels,
            encrypted: self.link.seals_pictures(),
            why: self.reasons.list(),
        }
    }

    /// What reads its counters.
    pub fn meter(&self) -> Arc<Meter> {
        Arc::clone(&self.meter)
    }

    /// What it looked like, from its beginning until now.
    fn played(&self, figures: Figures) -> Played {
        let stream = self.info();
        let (device, app) = (self.by.clone(), self.app.clone());
        Played { started: stream.started, ended: since_1970(SystemTime::now()), device, app, stream, figures }
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    pub fn epoch(&self) -> u8 {
        self.epoch
    }

    /// Its native side, if it has one.
    pub fn native(&self) -> Option<&NativeSide> {
        self.link.native()
    }

    /// The client said something.
    pub fn hear(&self, said: &datagram::Sound<'_>) {
        if let Some(microphone) = self.microphone.as_ref().filter(|_| self.allows(Access::MICROPHONE)) {
            microphone.hear(said.seq, said.packets.as_slice());
        }
    }

    /// The client may do that.
    pub fn allows(&self, what: Access) -> bool {
        self.link.access().contains(what)
    }

    /// Goes on with another bitrate, and with another picture when there is one.
    pub fn change(&mut self, config: Config, picture: Option<NewPicture>) {
        if config.bitrate_kbps != self.config.bitrate_kbps {
            let bps = u64::from(config.bitrate_kbps) * 1000;
            match self.native() {
                Some(native) => native.media().agree(bps),
                None => self.requests.set_bitrate(bps),
            }
        }
        self.explain(&config, picture.as_ref());
        if let Some(picture) = picture {
            self.epoch = picture.epoch;
            self.requests.set_change(picture);
        }
        self.config = config;
        self.slot.wake();
    }

    /// Notes what changes, and that it was asked for while it ran.
    fn explain(&self, new: &Config, picture: Option<&NewPicture>) {
        let asked = "it was asked for while it ran";
        let old = &self.config;
        if new.mode != old.mode {
            self.reasons.settle("size", new.mode.to_string(), asked);
        }
        if new.kind != old.kind {
            self.reasons.settle("codec", new.kind.to_string(), asked);
        }
        if new.bitrate_kbps != old.bitrate_kbps {
            self.reasons.settle("bitrate", format!("{} kbit/s", new.bitrate_kbps), asked);
        }
        if let Some(picture) = picture {
            self.reasons.encoder(&picture.encoder.describe(), None);
        }
    }

    /// The control channel takes so long there and back.
    pub fn round_trip(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.stats.round_trip_us.store(micros.max(1), Ordering::Relaxed);
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
        count(&self.stats.client_missing, status.missing().into());
        self.requests.report(status);
    }

    /// Ends every stage and logs the summary, which it gives back.
    pub fn stop(mut self, why: &str) -> Played {
        if let Some(sound) = &self.sound {
            self.stats.audio.store(read(&sound.packets()), Ordering::Relaxed);
        }
        self.end();
        let seconds = self.started.elapsed().as_secs_f64();
        let fps = read(&self.stats.encoded) as f64 / seconds.max(f64::EPSILON);
        tracing::info!(
            session = self.id.0,
            why,
            seconds = %format_args!("{seconds:.1}"),
            fps = %format_args!("{fps:.1}"),
            captured_unread = self.slot.replaced(),
            stats = %self.stats,
            "stream ended"
        );
        self.played(self.meter.whole())
    }

    fn end(&mut self) {
        self.slot.close();
        self.link.close();
        self.sound = None;
        if let Some(encode) = self.encode.take()
            && encode.join().is_err()
        {
            tracing::error!("the encode thread panicked");
        }
    }
}

fn since_1970(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.end();
    }
}
