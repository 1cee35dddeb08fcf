//! One stream from launch to goodbye.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, AtomicU16};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use punktfunk_core::gamestream::control::{ClientMessage, Style};
use punktfunk_core::gamestream::http::{LaunchArgs, SessionUrl, Surround, Verb};
use punktfunk_core::gamestream::rtsp::ClientSetup;
use punktfunk_core::gamestream::sdp::{ColorSpace, Offer, StreamConfig, encryption};
use punktfunk_core::gamestream::video::Reassembler;
use punktfunk_core::gamestream::{audio, input};

use crate::audio::Listener;
use crate::control::{self, Link, channel};
use crate::decode::Picture;
use crate::host::{Host, fill_random};
use crate::identity::Identity;
use crate::keys;
use crate::media::{Feed, Port};
use crate::options::{Loss, Options};
use crate::report::Report;
use crate::rtsp;
use crate::stats::{Board, Clock, End, Stats};
use crate::video::{self, Assembler};

/// A stock client gives up connecting after so long (sheet, section 7).
const CONNECT: Duration = Duration::from_secs(10);
/// A goodbye is over after so long, heard or not.
const GOODBYE: Duration = Duration::from_secs(3);
/// Below this bitrate stock clients ask for sound of normal quality (sheet, 12.1).
const HIGH_SOUND_KBPS: u32 = 15_000;
/// Bytes video encryption takes of each datagram.
const VIDEO_PREFIX: usize = 32;

/// A stream that is being played.
pub struct Player {
    board: Arc<Board>,
    clock: Clock,
    pub(crate) link: Link,
    /// Buttons of the pen, as said last.
    pub(crate) pen_buttons: AtomicU8,
    /// A bit for each attached gamepad.
    pub(crate) pads: AtomicU16,
    control: Option<JoinHandle<()>>,
    video: Option<Feed>,
    audio: Option<Feed>,
    decoder: Option<JoinHandle<()>>,
    resumed: bool,
}

impl Player {
    /// Launches the application, or resumes what is running, and plays it. Returns
    /// once the control connection is up; pictures follow.
    pub fn start(host: &Host, identity: &Identity, options: &Options) -> Result<Self> {
        let info = host.info(identity).context("the host did not tell about itself")?;
        ensure!(info.paired(), "this client is not paired with the host: pair it first");
        let verb = if info.running_app().is_some() { Verb::Resume } else { Verb::Launch };
        Self::start_with(host, identity, options, verb)
    }

    /// The same with the verb given, right or wrong.
    pub fn start_with(host: &Host, identity: &Identity, options: &Options, verb: Verb) -> Result<Self> {
        let (clock, board) = (Clock::start(), Arc::new(Board::default()));
        let arguments = launch_arguments(options);
        let url = host.launch(identity, verb, &arguments)?;
        let plain = options.plain_rtsp || options.legacy;
        ensure!(!(plain && url.encrypted), "the host wants encrypted RTSP of an old client");
        let (setup, config, audio) = negotiate(url, &arguments, options, clock, &board)?;
        let at = |port| SocketAddr::new(url.address.ip(), port);

        let (link, control) = control::spawn(
            at(setup.control_port),
            setup.connect_data,
            (&arguments.key, if config.control_v2 { Style::V2 } else { Style::Old }),
            clock,
            Arc::clone(&board),
        )?;
        let mut player = Self {
            board: Arc::clone(&board),
            clock,
            link: link.clone(),
            pen_buttons: AtomicU8::new(0),
            pads: AtomicU16::new(0),
            control: Some(control),
            video: None,
            audio: Some(audio),
            decoder: None,
            resumed: verb == Verb::Resume,
        };
        player.wait_for("the control connection", CONNECT, |stats| stats.connected)?;
        let units = if options.decode {
            let (units, queue) = mpsc::sync_channel(video::QUEUE);
            player.decoder = Some(video::spawn_decoder(options.codec, queue, clock, Arc::clone(&board))?);
            Some(units)
        } else {
            None
        };
        let key = config.encrypt_video.then_some(arguments.key);
        let reassembler = Reassembler::new(config.packet_size, key)?;
        let mut assembler = Assembler::new(reassembler, link, clock, Arc::clone(&board), units);
        let port = Port {
            name: "video",
            host: at(setup.video_port),
            ping_payload: setup.ping_payload,
            loss: Loss::new(options.drop_percent, options.seed),
        };
        player.video = Some(Feed::spawn(port, clock, board, move |datagram| assembler.take(datagram))?);
        Ok(player)
    }

    /// True when the application was running already.
    pub fn resumed(&self) -> bool {
        self.resumed
    }

    /// Milliseconds since the launch was asked for: the time base of the counters.
    pub fn millis(&self) -> u64 {
        self.clock.millis()
    }

    /// The counters now.
    pub fn stats(&self) -> Stats {
        self.board.stats()
    }

    /// The picture decoded last.
    pub fn last_picture(&self) -> Option<Arc<Picture>> {
        self.board.last_picture()
    }

    /// Waits until `predicate` holds; the counters then. An error when the stream
    /// ends before, or after `patience`; `what` says what was waited for.
    pub fn wait_for(
        &self,
        what: &str,
        patience: Duration,
        mut predicate: impl FnMut(&Stats) -> bool,
    ) -> Result<Stats> {
        self.board.wait(patience, |stats| stats.end.is_some() || predicate(stats));
        let stats = self.board.stats();
        if predicate(&stats) {
            return Ok(stats);
        }
        match &stats.end {
            Some(end) => bail!("the stream ended ({end:?}) before {what}"),
            None => bail!(
                "{what}: not within {patience:?} ({} frames received, {} decoded, {} lost, {} audio packets)",
                stats.frames_received,
                stats.frames_decoded,
                stats.lost_frames,
                stats.audio_packets
            ),
        }
    }

    /// Waits for the end of the stream; how it ended, or `None` after `patience`.
    pub fn wait_for_end(&self, patience: Duration) -> Option<End> {
        self.board.wait(patience, |stats| stats.end.is_some());
        self.board.stats().end
    }

    /// Lets the stream run for `time`; an error when it ends before.
    pub fn play_on(&self, time: Duration) -> Result<Stats> {
        match self.wait_for_end(time) {
            Some(end) => bail!("the stream ended: {end:?}"),
            None => Ok(self.stats()),
        }
    }

    /// Asks for an IDR frame.
    pub fn request_idr(&self) {
        self.board.update(|stats| stats.idr_requests += 1);
        self.link.send(channel::URGENT, ClientMessage::IdrRequest);
    }

    /// Says something about input, on the channel of its kind and as stock clients
    /// deliver it.
    pub fn input(&self, message: input::Message) {
        self.link.say(ClientMessage::Input(message), false);
    }

    /// A key by its Windows virtual-key code goes down or up.
    pub fn key(&self, key: u8, down: bool, modifiers: u8) {
        self.input(input::Message::Key { down, flags: 0, key, modifiers });
    }

    /// Types `text` on a US keyboard, shift included.
    pub fn type_text(&self, text: &str) -> Result<()> {
        for character in text.chars() {
            let (key, shift) =
                keys::key_of(character).with_context(|| format!("{character:?} is not on a US keyboard"))?;
            let modifiers = if shift { input::modifiers::SHIFT } else { 0 };
            if shift {
                self.key(keys::SHIFT, true, modifiers);
            }
            self.key(key, true, modifiers);
            self.key(key, false, modifiers);
            if shift {
                self.key(keys::SHIFT, false, 0);
            }
        }
        Ok(())
    }

    /// Moves the pointer to a place of the picture, both from 0.0 to 1.0.
    pub fn point(&self, x: f64, y: f64) {
        let scale = |share: f64| (share.clamp(0.0, 1.0) * 32_000.0) as i16;
        self.input(input::Message::Absolute { x: scale(x), y: scale(y), max_x: 32_000, max_y: 32_000 });
    }

    /// Presses and releases the left button.
    pub fn click(&self) {
        for down in [true, false] {
            self.input(input::Message::Button { down, button: 1 });
        }
    }

    /// Says goodbye and sums up.
    pub fn stop(mut self) -> Report {
        self.end();
        Report::new(&self.board.stats(), self.clock.millis())
    }

    fn end(&mut self) {
        if let Some(control) = self.control.take() {
            self.link.close();
            self.board.wait(GOODBYE, |stats| stats.end.is_some());
            // A panic was printed by the thread itself.
            let _ = control.join();
        }
        self.halt_media();
    }

    fn halt_media(&mut self) {
        self.video = None;
        self.audio = None;
        if let Some(decoder) = self.decoder.take() {
            let _ = decoder.join();
        }
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        self.end();
    }
}

/// What a launch with these options asks for, with keys of its own.
pub fn launch_arguments(options: &Options) -> LaunchArgs {
    let (mut key, mut key_id) = ([0; 16], [0; 4]);
    fill_random(&mut key);
    fill_random(&mut key_id);
    LaunchArgs {
        app: Some(options.app),
        mode: Some(options.mode),
        key,
        key_id: i32::from_le_bytes(key_id),
        core_version: u32::from(!(options.plain_rtsp || options.legacy)),
        play_locally: options.play_locally,
        surround: match options.channels {
            6 => Surround { channels: 6, mask: 63 },
            8 => Surround { channels: 8, mask: 1599 },
            _ => Surround::STEREO,
        },
        optimize_settings: false,
        hdr: false,
        gamepads: 0,
    }
}

/// RTSP, with the audio port being pinged from the moment it is known.
fn negotiate(
    url: SessionUrl,
    arguments: &LaunchArgs,
    options: &Options,
    clock: Clock,
    board: &Arc<Board>,
) -> Result<(ClientSetup, StreamConfig, Feed)> {
    let mut settled = None;
    let mut settle = |offer: &Offer| {
        let config = stream_config(options, offer);
        settled = Some(config.clone());
        config
    };
    let mut feed = None;
    let mut after = |setup: &ClientSetup| -> Result<()> {
        if setup.audio_port == 0 || feed.is_some() {
            return Ok(());
        }
        let key = encrypts_audio(options).then_some((arguments.key, arguments.key_id));
        let settled = stream_config(options, &setup.offer);
        let config = audio::Config { packet_ms: settled.audio_packet_ms, key };
        let layout = setup.offer.decoded_layout(settled.audio_channels, settled.audio_high_quality);
        let layout =
            layout.with_context(|| format!("no layout of {} channels is offered", options.channels))?;
        let mut listener = Listener::new(config, &layout, clock, Arc::clone(board))?;
        let port = Port {
            name: "audio",
            host: SocketAddr::new(url.address.ip(), setup.audio_port),
            ping_payload: setup.ping_payload,
            loss: Loss::new(options.drop_percent, !options.seed),
        };
        feed = Some(Feed::spawn(port, clock, Arc::clone(board), move |datagram| listener.take(datagram))?);
        Ok(())
    };
    let address = url.address.ip().to_string();
    let header = if options.bitrate_kbps < HIGH_SOUND_KBPS { "0.0.0.0" } else { &address };
    let setup = rtsp::handshake(url, &arguments.key, header, &mut settle, &mut after)?;
    let config = settled.context("the handshake settled nothing")?;
    Ok((setup, config, feed.context("the host named no audio port")?))
}

fn encrypts_audio(options: &Options) -> bool {
    options.encrypt_audio && !options.legacy
}

fn stream_config(options: &Options, offer: &Offer) -> StreamConfig {
    let has = |mask: u32, bit: u32| mask & bit != 0;
    let encrypt_video = has(offer.encryption_supported, encryption::VIDEO) && options.encrypt_video
        || has(offer.encryption_requested, encryption::VIDEO);
    let encrypt_video = encrypt_video && !options.legacy;
    let layouts = offer.layouts.iter().filter(|layout| layout.channels == options.channels).count();
    // Of stereo, the Host header tells.
    let high_surround = options.channels > 2 && options.bitrate_kbps >= HIGH_SOUND_KBPS && layouts > 1;
    StreamConfig {
        width: options.mode.width,
        height: options.mode.height,
        fps: options.mode.fps,
        packet_size: options.packet_size - if encrypt_video { VIDEO_PREFIX } else { 0 },
        bitrate_kbps: options.bitrate_kbps,
        codec: options.codec,
        slices: options.slices,
        color_space: ColorSpace::Rec709,
        full_range: false,
        ten_bit: options.ten_bit,
        chroma_444: options.chroma_444,
        reference_frames: options.reference_frames,
        min_parity: options.min_parity,
        audio_channels: options.channels,
        audio_high_quality: high_surround,
        audio_packet_ms: if high_surround { 5 } else { options.audio_packet_ms },
        control_v2: has(offer.encryption_supported, encryption::CONTROL_V2) && !options.legacy,
        encrypt_video,
        encrypt_audio: encrypts_audio(options),
        ping_payload: true,
        fec_status: true,
        qos: false,
    }
}
