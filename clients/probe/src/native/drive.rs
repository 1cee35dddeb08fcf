//! The threads of a player: one takes the events of the session, one decodes pictures,
//! one hears. A slow picture delays no sound, and no sound a picture.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result};
use punktfunk_client::messages::Welcome;
use punktfunk_client::{Codec, Event, Family, Frame, Session, Sound, Time, now};
use punktfunk_core::gamestream::sdp;

use super::stats::{End, Stats, Timing, Word};
use crate::audio::Ear;
use crate::decode;
use crate::stats::{Board, Clock, Seen};

/// How soon a thread sees that it shall end.
const TICK: Duration = Duration::from_millis(50);
/// Frames that may wait for the decoder; more of them are late whatever happens.
const FRAMES: usize = 16;
/// Packets of sound that may wait: 5 ms each.
const PACKETS: usize = 200;
/// Frames of an epoch that wait for its Reconfigured: the control stream may be later.
const HELD: usize = 16;
/// Epochs that are remembered.
const EPOCHS: usize = 4;

/// What the threads share.
#[derive(Clone)]
pub(super) struct Common {
    pub session: Arc<Session>,
    pub board: Arc<Board<Stats>>,
    pub clock: Clock,
    pub history: usize,
    pub stop: Arc<AtomicBool>,
    /// Frames that wait for the decoder.
    pub backlog: Arc<AtomicUsize>,
}

/// The threads. They end when [`Common::stop`] says so or the session ends.
pub(super) struct Threads(Vec<JoinHandle<()>>);

/// A frame on its way to the decoder.
struct Unit {
    frame: Frame,
    codec: Codec,
}

/// What the thread of events keeps.
struct Pump {
    common: Common,
    decoder: Option<SyncSender<Unit>>,
    ear: Option<SyncSender<Sound>>,
    codecs: VecDeque<(u8, Codec)>,
    held: VecDeque<Frame>,
    last: Option<u32>,
    heard: Option<u32>,
    /// Nothing can be decoded before a frame that needs none before it.
    waiting: bool,
}

impl Threads {
    pub fn start(common: &Common, welcome: &Welcome, decode: bool) -> Result<Self> {
        let mut threads = Vec::new();
        let mut spawn = |name: &str, run: Box<dyn FnOnce() + Send>| -> Result<()> {
            let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run);
            threads.push(thread.with_context(|| format!("no thread for {name}"))?);
            Ok(())
        };
        let mut pump = Pump {
            common: common.clone(),
            decoder: None,
            ear: None,
            codecs: VecDeque::from([(welcome.epoch, welcome.codec)]),
            held: VecDeque::new(),
            last: None,
            heard: None,
            waiting: false,
        };
        if decode {
            let (units, queue) = sync_channel(FRAMES);
            pump.decoder = Some(units);
            let decoder = Decoder::new(common.clone(), welcome.codec)?;
            spawn("probe-decode", Box::new(move || decoder.run(queue)))?;
        }
        if let Some(layout) = &welcome.sound {
            let (packets, queue) = sync_channel(PACKETS);
            pump.ear = Some(packets);
            let ear = Ear::new(layout.streams, layout.coupled, &layout.mapping)?;
            let board = common.board.clone();
            spawn("probe-sound", Box::new(move || listen(ear, &queue, &board)))?;
        }
        spawn("probe-events", Box::new(move || pump.run()))?;
        Ok(Self(threads))
    }

    /// Waits for them.
    pub fn join(self) {
        for thread in self.0 {
            // A panic was printed by the thread itself.
            let _ = thread.join();
        }
    }
}

impl Pump {
    fn run(mut self) {
        while !self.common.stop.load(Ordering::Acquire) {
            let Some(event) = self.common.session.next(TICK) else { continue };
            if let Event::Ended { code, text } = event {
                self.common.board.update(|stats| {
                    stats.end.get_or_insert(End::Ended { code, text });
                });
                return;
            }
            self.take(event);
        }
    }

    fn take(&mut self, event: Event) {
        let word = match event {
            Event::Frame(frame) => return self.frame(frame),
            Event::FramesLost { first, last } => {
                let count = u64::from(last.wrapping_sub(first)) + 1;
                return self.common.board.update(|stats| stats.lost_frames += count);
            }
            Event::Sound(sound) => return self.sound(sound),
            Event::Reconfigured(now) => {
                self.epoch(now.epoch, now.codec);
                Word::Reconfigured(now)
            }
            Event::Resumed(welcome) => {
                // What was counted per connection begins anew.
                (self.last, self.heard) = (None, None);
                self.epoch(welcome.epoch, welcome.codec);
                self.common.board.update(|stats| stats.resumptions += 1);
                Word::Resumed(welcome)
            }
            Event::Interrupted { text } => {
                self.common.board.update(|stats| stats.interruptions += 1);
                Word::Interrupted(text)
            }
            Event::Effect { pad, effect } => Word::Effect(pad, effect),
            Event::Hdr(metadata) => Word::Hdr(metadata),
            Event::Access(access) => Word::Access(access),
            Event::Clipboard(clipboard) => Word::Clipboard(clipboard),
            Event::Apps(apps) => Word::Apps(apps),
            Event::Refused { code, text } => Word::Refused(code, text),
            // The end is taken elsewhere; what is newer than this player says nothing to it.
            _ => return,
        };
        let at_ms = self.common.clock.millis();
        self.common.board.update(|stats| stats.heard(at_ms, word));
    }

    /// An epoch is coded so; frames of it may have been waiting.
    fn epoch(&mut self, epoch: u8, codec: Codec) {
        self.codecs.retain(|(known, _)| *known != epoch);
        self.codecs.push_back((epoch, codec));
        if self.codecs.len() > EPOCHS {
            self.codecs.pop_front();
        }
        for frame in std::mem::take(&mut self.held) {
            self.decode(frame);
        }
    }

    fn frame(&mut self, frame: Frame) {
        let now_ms = self.common.clock.millis();
        let in_order = self.last.is_none_or(|last| frame.number.wrapping_sub(last).cast_signed() > 0);
        self.last = Some(frame.number);
        self.common.board.update(|stats| {
            stats.frames_received += 1;
            stats.video_bytes += frame.data().len() as u64;
            stats.key_frames += u64::from(frame.key);
            stats.recovery_points += u64::from(frame.recovery && !frame.key);
            stats.repetitions += u64::from(!frame.new_picture);
            stats.recovered_frames += u64::from(frame.recovered > 0);
            stats.recovered_shards += u64::from(frame.recovered);
            stats.order_errors += u64::from(!in_order);
            stats.epoch = frame.epoch;
            stats.first_frame_ms.get_or_insert(now_ms);
        });
        self.decode(frame);
    }

    fn decode(&mut self, frame: Frame) {
        let Some(decoder) = &self.decoder else { return self.only_note(&frame) };
        let Some((_, codec)) = self.codecs.iter().rfind(|(epoch, _)| *epoch == frame.epoch) else {
            if self.held.len() < HELD {
                self.held.push_back(frame);
            } else {
                self.skip();
            }
            return;
        };
        if self.waiting && !frame.key && !frame.recovery {
            return self.common.board.update(|stats| stats.skipped_frames += 1);
        }
        self.waiting = false;
        self.common.backlog.fetch_add(1, Ordering::Relaxed);
        match decoder.try_send(Unit { frame, codec: *codec }) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                self.common.backlog.fetch_sub(1, Ordering::Relaxed);
                self.skip();
            }
            // It said why.
            Err(TrySendError::Disconnected(_)) => self.common.stop.store(true, Ordering::Release),
        }
    }

    /// A frame was thrown away: what refers to it cannot be decoded.
    fn skip(&mut self) {
        self.waiting = true;
        self.common.board.update(|stats| {
            stats.skipped_frames += 1;
            stats.key_frame_requests += 1;
        });
        self.common.session.want_key_frame();
    }

    /// Nobody decodes: the frame is done with as soon as it is here.
    fn only_note(&self, frame: &Frame) {
        self.common.session.decoded(frame.number, Duration::ZERO, 0);
        let (at, bytes, key) = (now(), frame.data().len(), frame.key);
        let at_ms = self.common.clock.millis();
        let seen = Seen { frame: frame.number, code: None, at_ms, idr: key, bytes };
        let history = self.common.history;
        self.common.board.update(|stats| stats.picture(timing(frame, at, at), seen, history));
    }

    fn sound(&mut self, sound: Sound) {
        let now_ms = self.common.clock.millis();
        let lost = self.heard.map_or(0, |heard| sound.seq.wrapping_sub(heard).saturating_sub(1));
        self.heard = Some(sound.seq);
        self.common.board.update(|stats| {
            stats.audio_packets += 1;
            stats.audio_lost += u64::from(lost);
            stats.first_audio_ms.get_or_insert(now_ms);
        });
        if let Some(ear) = &self.ear {
            // More than a second waits already: then measuring is late, not the stream.
            let _ = ear.try_send(sound);
        }
    }
}

fn timing(frame: &Frame, taken: Time, decoded: Time) -> Timing {
    Timing {
        frame: frame.number,
        captured: frame.captured,
        sent: frame.sent,
        first: frame.first,
        received: frame.whole,
        taken,
        decoded,
    }
}

fn listen(mut ear: Ear, packets: &Receiver<Sound>, board: &Board<Stats>) {
    for sound in packets {
        ear.hear(&sound.packet);
        if let Some(look) = ear.look() {
            board.update(|stats| stats.sound(look));
        }
    }
}

/// The thread that decodes.
struct Decoder {
    common: Common,
    video: decode::Video,
    codec: Codec,
    /// Frames that went in and did not come out yet.
    inside: VecDeque<(Timing, Seen)>,
}

impl Decoder {
    fn new(common: Common, codec: Codec) -> Result<Self> {
        Ok(Self { common, video: open(codec)?, codec, inside: VecDeque::new() })
    }

    fn run(mut self, units: Receiver<Unit>) {
        let mut epoch = None;
        for Unit { frame, codec } in units {
            let other = epoch.replace(frame.epoch).is_some_and(|epoch| epoch != frame.epoch);
            if (other || codec != self.codec) && !self.reopen(codec) {
                return;
            }
            self.decode(&frame);
        }
    }

    /// A new epoch begins with all that a new decoder needs.
    fn reopen(&mut self, codec: Codec) -> bool {
        self.inside.clear();
        match open(codec) {
            Ok(video) => {
                (self.video, self.codec) = (video, codec);
                true
            }
            Err(error) => {
                let why = format!("decoder: {error:#}");
                self.common.board.update(|stats| {
                    stats.end.get_or_insert(End::Failed(why));
                });
                false
            }
        }
    }

    fn decode(&mut self, frame: &Frame) {
        let taken = now();
        let seen = Seen {
            frame: frame.number,
            code: None,
            at_ms: self.common.clock.at_millis(frame.whole, taken),
            idr: frame.key,
            bytes: frame.data().len(),
        };
        self.inside.push_back((timing(frame, taken, taken), seen));
        let result = self.video.decode(frame.data());
        let decoded = now();
        let backlog = self.common.backlog.fetch_sub(1, Ordering::Relaxed).saturating_sub(1);
        match result {
            Ok(pictures) => {
                self.common.session.decoded(frame.number, decoded - taken, backlog);
                for picture in pictures {
                    let Some((timing, seen)) = self.inside.pop_front() else { break };
                    self.note(Timing { decoded, ..timing }, seen, picture);
                }
            }
            Err(error) => {
                self.inside.pop_back();
                tracing::warn!(frame = frame.number, %error, "frame not decoded");
                self.common.board.update(|stats| {
                    stats.decode_errors += 1;
                    stats.key_frame_requests += 1;
                });
                self.common.session.want_key_frame();
            }
        }
    }

    fn note(&self, timing: Timing, seen: Seen, picture: decode::Picture) {
        let seen = Seen { code: picture.code(), ..seen };
        let size = (picture.width, picture.height);
        let (now_ms, history) = (self.common.clock.millis(), self.common.history);
        self.common.board.picture(Arc::new(picture), |stats| {
            stats.frames_decoded += 1;
            stats.size = size;
            stats.first_picture_ms.get_or_insert(now_ms);
            stats.picture(timing, seen, history);
        });
    }
}

fn open(codec: Codec) -> Result<decode::Video> {
    decode::Video::open(match codec.family() {
        Family::H264 => sdp::Codec::H264,
        Family::Hevc => sdp::Codec::Hevc,
        Family::Av1 => sdp::Codec::Av1,
    })
}
