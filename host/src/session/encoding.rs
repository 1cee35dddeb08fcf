//! The encode thread: newest frame in, access unit out, packets to the sender.
//!
//! The seat's clock drives it. When nothing changes the last picture is repeated,
//! at least ten times a second, because clients take a silent wire for a broken one.
//! What the client says about losses is attended to before each picture.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use punktfunk_core::gamestream::video::{Cadence, FrameKind, Limit};
use punktfunk_core::time::Time;

use super::link::Link;
use super::mender::Mender;
use super::messages::{Ended, NewPicture, Requests, Shot};
use super::pace::Pace;
use super::rates::Rates;
use super::reasons::Reasons;
use super::slots::{Latest, Supersede as _, Woken};
use super::stats::{Stats, count, monotonic_us, read, record};
use super::{Mode, SessionId};
use crate::encode::{AccessUnit, EncodeError, Encoder, Picture, Recovery};
use crate::send::{Outgoing, Sent, Video};

/// The longest silence on the wire (architecture, section 2: ≥ 10 fps).
const REPEAT_AFTER: Duration = Duration::from_millis(85);

/// How long a stream waits until its client can be reached before it looks whether it was ended meanwhile.
const PING_POLL: Duration = Duration::from_millis(200);

/// The encode thread's ends of what it shares with others.
pub(super) struct Ends {
    pub slot: Arc<Latest<Shot>>,
    pub requests: Arc<Requests>,
    pub link: Arc<Link>,
    pub reasons: Arc<Reasons>,
    pub sound_packets: Arc<AtomicU64>,
    pub ended: Sender<Ended>,
}

/// What the encode thread works with.
pub(super) struct Encoding {
    id: SessionId,
    /// Width and height in pixels.
    size: (u32, u32),
    /// Between two pictures.
    interval: Duration,
    slot: Arc<Latest<Shot>>,
    requests: Arc<Requests>,
    link: Arc<Link>,
    reasons: Arc<Reasons>,
    sound_packets: Arc<AtomicU64>,
    mender: Mender,
    encoder: Box<dyn Encoder>,
    /// It takes another bitrate without a key frame.
    is_live: bool,
    /// The encoder has a picture that it can repeat.
    has_picture: bool,
    rates: Rates,
    cadence: Cadence,
    /// A request for a key frame came right after one; the next picture answers it.
    postponed: bool,
    pace: Pace,
    /// Frames the seat gave up to now, and up to the last line of the log.
    given: (u64, u64),
    output: Output,
    ended: Sender<Ended>,
}

/// The last key frame: its number and when it was coded.
#[derive(Clone, Copy)]
struct KeyFrame {
    number: u32,
    at: Time,
}

impl KeyFrame {
    /// A request heard this soon after it was probably made before the client saw it, or
    /// it was lost at once: it waits for the next picture, so that a burst of requests
    /// costs one key frame more and none is ever forgotten.
    fn is_fresh(self, now: Time, interval: Duration) -> bool {
        now - self.at < interval
    }

    /// Frames up to `last` were lost before this one, which refers to none of them.
    fn heals(self, last: u32) -> bool {
        // Numbers wrap.
        0 < self.number.wrapping_sub(last) && self.number.wrapping_sub(last) < 1 << 31
    }
}

/// Where access units go: what follows the encoder.
pub(super) struct Output {
    sender: Video,
    stats: Arc<Stats>,
    key_frame: Option<KeyFrame>,
    /// An access unit was thrown away: the next one must not refer to it.
    broken: bool,
    /// That was told.
    told: bool,
}

impl Encoding {
    pub fn new(
        id: SessionId,
        mode: Mode,
        ends: Ends,
        (mender, encoder): (Mender, Box<dyn Encoder>),
        rates: Rates,
        output: Output,
    ) -> Self {
        let Ends { slot, requests, link, reasons, sound_packets, ended } = ends;
        Self {
            id,
            size: (mode.width, mode.height),
            interval: Duration::from_secs(1) / mode.fps.max(1),
            slot,
            requests,
            link,
            reasons,
            sound_packets,
            mender,
            is_live: encoder.describe().backend.is_live(),
            encoder,
            has_picture: false,
            rates,
            cadence: Cadence::new(mode.fps),
            postponed: false,
            pace: Pace::new(mode.fps),
            given: (0, 0),
            output,
            ended,
        }
    }

    /// Runs until the slot is closed or the encoder gives up.
    pub fn run(mut self) {
        // A panic here is the end of this stream, not of the others.
        let why = match catch_unwind(AssertUnwindSafe(|| self.stream())) {
            Ok(Ok(())) => return,
            Ok(Err(why)) => why,
            Err(_) => "the thread of the encoder panicked; standard error says why".to_owned(),
        };
        // Without a supervisor there is nobody left to tell.
        drop(self.ended.send(Ended::Stream { id: self.id, why }));
    }

    fn stream(&mut self) -> Result<(), String> {
        // Frames sent before the address is known would be lost, the first IDR with
        // them; so the slot keeps the newest picture until then.
        while !self.link.wait(Instant::now() + PING_POLL) {
            if self.slot.is_closed() {
                return Ok(());
            }
        }
        self.output.broken = true;
        let mut next_line = Instant::now() + Duration::from_secs(1);
        let mut repeat_at = Instant::now() + REPEAT_AFTER;
        // A picture that came before its turn, and when it is shown if no other comes.
        let mut early: Option<(Shot, Instant)> = None;
        loop {
            if let Some(change) = self.requests.change() {
                self.change(change);
                early = None;
            }
            let deadline = early.as_ref().map_or(repeat_at, |(_, until)| *until);
            match self.slot.wait(deadline) {
                Woken::Closed => return Ok(()),
                // A frame of the size before: the one that follows has ours.
                Woken::Value(shot) if shot.size() != self.size => continue,
                Woken::Value(mut shot) => {
                    self.given.0 += 1;
                    if let Some((older, _)) = early.take() {
                        shot.supersede(older);
                    }
                    let due = self.cadence.due();
                    if Time(shot.frame.timestamp_us()) < due {
                        let until = Instant::now() + (due - now()) + self.interval;
                        early = Some((shot, until.min(repeat_at)));
                        continue;
                    }
                    if !self.output.has_room()? {
                        early = Some((shot, Instant::now() + self.interval / 2));
                        continue;
                    }
                    self.picture(&shot)?;
                }
                Woken::Request | Woken::Deadline => match early.take() {
                    Some((shot, _)) if !self.output.has_room()? => {
                        early = Some((shot, Instant::now() + self.interval / 2));
                        continue;
                    }
                    Some((shot, _)) => {
                        self.picture(&shot)?;
                    }
                    None if self.has_picture => self.repeat()?,
                    None => {}
                },
            }
            let now = Instant::now();
            repeat_at = now + REPEAT_AFTER;
            if now >= next_line {
                let late = now - next_line;
                next_line = now + Duration::from_secs(1);
                self.log_line(Duration::from_secs(1) + late);
            }
        }
    }

    /// Goes on with another picture: its first frame is a key frame.
    fn change(&mut self, change: NewPicture) {
        let NewPicture { mode, mender, encoder, epoch } = change;
        tracing::info!(session = self.id.0, %mode, epoch, encoder = ?encoder.describe(), "the picture changes");
        self.size = (mode.width, mode.height);
        self.interval = Duration::from_secs(1) / mode.fps.max(1);
        (self.mender, self.encoder) = (mender, encoder);
        self.is_live = self.encoder.describe().backend.is_live();
        self.has_picture = false;
        self.postponed = false;
        self.cadence = Cadence::new(mode.fps);
        self.pace = Pace::new(mode.fps);
        self.output.sender.set_epoch(epoch);
        // It was opened before this moment's bitrate was known.
        if let Err(error) = self.follow() {
            tracing::warn!(session = self.id.0, %error, "the new encoder keeps its first bitrate");
        }
    }

    /// What happened in the last `time`.
    fn log_line(&mut self, time: Duration) {
        let stats = &self.output.stats;
        stats.audio.store(read(&self.sound_packets), Ordering::Relaxed);
        tracing::debug!(session = self.id.0, %stats, sender = ?self.output.sender.stats(), "stream");
        let given = self.given.0 + self.slot.replaced();
        let rate = ((given - self.given.1) as f64 / time.as_secs_f64()).round() as u32;
        self.given.1 = given;
        if self.pace.second(rate) {
            let wanted = Duration::from_secs(1).as_micros() / self.interval.as_micros().max(1);
            tracing::info!(
                session = self.id.0,
                "the screen limits: {rate} of {wanted} fps; the application or this machine draws no faster"
            );
        }
    }

    /// Codes a picture, by another encoder when this one cannot.
    fn picture(&mut self, shot: &Shot) -> Result<(), String> {
        // The first one is whole for the encoder, whatever the screen says.
        let mut full = shot.frame.full() || !self.has_picture;
        while let Err(error) = self.code(shot, full) {
            self.mend(&error)?;
            full = true;
        }
        self.has_picture = true;
        Ok(())
    }

    fn repeat(&mut self) -> Result<(), String> {
        if let Err(error) = self.code_again() {
            self.mend(&error)?;
            // The new encoder has seen nothing yet, and a still screen sends nothing.
            self.has_picture = false;
            drop(self.ended.send(Ended::Picture { id: self.id }));
        }
        Ok(())
    }

    fn mend(&mut self, error: &EncodeError) -> Result<(), String> {
        let failed = self.encoder.describe().backend;
        tracing::error!(session = self.id.0, %error, encoder = failed.name(), "the encoder failed");
        let mended = self.mender.mend(now(), failed, self.bitrate());
        self.encoder = mended.map_err(|none| format!("the encoder failed ({error}), and {none}"))?;
        let described = self.encoder.describe();
        self.reasons.encoder(&described, None);
        let backend = described.backend;
        self.is_live = backend.is_live();
        tracing::warn!(session = self.id.0, encoder = backend.name(), "the stream goes on");
        Ok(())
    }

    fn code(&mut self, shot: &Shot, full: bool) -> Result<(), EncodeError> {
        let frame = &shot.frame;
        let captured_us = frame.timestamp_us();
        let started_us = monotonic_us();
        let stats = Arc::clone(&self.output.stats);
        count(&stats.captured, 1);
        record(&stats.capture, shot.arrived_us.saturating_sub(captured_us));
        record(&stats.wait, started_us.saturating_sub(shot.arrived_us));
        let picture = Picture {
            bytes: frame.bytes(),
            stride: frame.stride(),
            width: frame.width(),
            height: frame.height(),
            damage: frame.damage(),
            full,
        };
        let idr = self.attend()?;
        let unit = self.encoder.encode(&picture, idr)?;
        let encoded_us = monotonic_us();
        record(&stats.encode, encoded_us.saturating_sub(started_us));
        self.output.send(unit, captured_us, encoded_us, true);
        self.cadence.taken(Time(captured_us));
        let cost = Duration::from_micros(monotonic_us().saturating_sub(started_us));
        match self.cadence.cost(cost) {
            Some(limit) => self.limited(limit),
            None => Ok(()),
        }
    }

    fn code_again(&mut self) -> Result<(), EncodeError> {
        let now_us = monotonic_us();
        let idr = self.attend()?;
        let unit = self.encoder.repeat(idr)?;
        count(&self.output.stats.repeated, 1);
        self.output.send(unit, now_us, monotonic_us(), false);
        Ok(())
    }

    /// Takes what the client said. True when the next picture must be an IDR picture.
    fn attend(&mut self) -> Result<bool, EncodeError> {
        let (asked, now) = (self.requests.take(), now());
        let mut idr = std::mem::take(&mut self.output.broken);
        for status in &asked.reports {
            self.rates.report(now, status);
        }
        if let Some(frame) = asked.acknowledged {
            self.encoder.acknowledge(frame);
        }
        let key_frame = self.output.key_frame;
        if asked.key_frame || std::mem::take(&mut self.postponed) {
            if key_frame.is_some_and(|key| key.is_fresh(now, self.interval)) {
                self.postponed = true;
            } else {
                self.rates.lost(now);
                idr = true;
            }
        }
        if let Some((first, last)) = asked.lost
            && !key_frame.is_some_and(|key| key.heals(last))
        {
            self.rates.lost(now);
            idr |= self.encoder.invalidate(first, last) == Recovery::KeyFrame;
        }
        if let Some(bps) = asked.bitrate_bps {
            self.rates.carries(bps);
        }
        if self.rates.follow(now, &mut self.output.sender, !self.is_live) {
            self.follow()?;
        }
        Ok(idr)
    }

    /// Tells the encoder what it may spend now.
    fn follow(&mut self) -> Result<(), EncodeError> {
        self.encoder.set_bitrate(self.bitrate())
    }

    fn bitrate(&self) -> u64 {
        // Of every n-th picture, each may be n times as large.
        self.rates.bitrate() * u64::from(self.cadence.every())
    }

    fn limited(&mut self, limit: Limit) -> Result<(), EncodeError> {
        let Limit { possible, wanted, every } = limit;
        if every == 1 {
            tracing::info!(session = self.id.0, "the encoder keeps up again: every picture is taken");
        } else {
            tracing::warn!(
                session = self.id.0,
                "the encoder limits: {possible} of {wanted} fps; one picture of {every} is taken"
            );
        }
        self.follow()
    }
}

impl Output {
    pub fn new(sender: Video, stats: Arc<Stats>) -> Self {
        Self { sender, stats, key_frame: None, broken: false, told: false }
    }

    /// Whether the sender takes another access unit. Coding a picture only to throw it
    /// away would cost a key frame besides.
    /// An error when none will ever be taken again.
    fn has_room(&mut self) -> Result<bool, String> {
        let has_room = self.sender.has_room();
        if !has_room && !self.sender.is_alive() {
            return Err("the sender thread panicked; standard error says why".into());
        }
        if !has_room {
            self.tell();
        }
        Ok(has_room)
    }

    fn tell(&mut self) {
        if !std::mem::replace(&mut self.told, true) {
            tracing::warn!("the sender limits: pictures wait until older ones are on their way");
        }
    }

    fn send(&mut self, unit: AccessUnit<'_>, timestamp_us: u64, encoded_us: u64, is_new: bool) {
        let stats = Arc::clone(&self.stats);
        count(&stats.encoded, 1);
        count(&stats.bytes, unit.data.len() as u64);
        count(&stats.idr, u64::from(unit.idr()));
        let number = self.sender.next_frame();
        let outgoing = Outgoing { data: unit.data, kind: unit.kind, timestamp_us, is_new };
        match self.sender.send(&outgoing) {
            Sent::Queued { packets, parity } => {
                count(&stats.packets, packets as u64);
                count(&stats.parity, parity as u64);
                if unit.kind == FrameKind::Idr {
                    self.key_frame = Some(KeyFrame { number, at: Time(encoded_us) });
                }
            }
            // What follows refers to what was dropped: start afresh.
            Sent::Dropped | Sent::TooLarge => {
                count(&stats.dropped, 1);
                self.broken = true;
                self.tell();
            }
        }
        let done_us = monotonic_us();
        record(&stats.packetize, done_us.saturating_sub(encoded_us));
        if is_new {
            record(&stats.total, done_us.saturating_sub(timestamp_us));
        }
    }
}

fn now() -> Time {
    Time(monotonic_us())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_frame_answers_what_was_asked_and_lost_before_it() {
        let interval = Duration::from_millis(16);
        let tenth = KeyFrame { number: 10, at: Time::from_millis(100) };
        assert!(tenth.is_fresh(Time::from_millis(115), interval));
        assert!(!tenth.is_fresh(Time::from_millis(116), interval));
        assert!(tenth.heals(9) && !tenth.heals(10) && !tenth.heals(12));
        let wrapped = KeyFrame { number: 1, at: Time(0) };
        assert!(wrapped.heals(0) && wrapped.heals(u32::MAX) && !wrapped.heals(2));
    }
}
