//! The host's end of the media plane: frames of the encoder go out as sealed shards with
//! as much parity as the path needs, reports come in and become orders to the encoder and
//! to the socket. The session of the host owns one per client and drives it with the time;
//! the simulator does the same with a time of its own.
//!
//! [`Media::frame`] and [`Media::datagram`] are called when there is something,
//! [`Media::poll`] after each of them and when its deadline has come, until it says
//! [`Output::Wait`]. All datagrams of one batch have one length, ready for segmentation
//! offload.

use std::collections::VecDeque;
use std::time::Duration;

use super::flow::feedback::{Readings, Sample};
use super::flow::gso::Offload;
use super::flow::later::Later;
use super::flow::mend::Mending;
use super::flow::mtu::{self, PathMtu};
use super::flow::parity::{Parity, Protection};
use super::flow::rate::{Change, Limiter, Rate};
use super::flow::recovery::Call;
use super::flow::repair::Budget;
use super::flow::to_micros;
use super::keys::{Direction, Traffic};
use super::media::{self, Departures, Flags, History, Kind, Opener, Packetizer, Piece, Sealer, Side, Wish};
use super::wire::report::{Missing, Nack, Report, Reports};
use crate::time::Time;

/// Answers that wait to be sent; more of them at once are no client's.
const MOST_REPLIES: usize = 16;
/// Requests for shards that wait to be served.
const MOST_NACKS: usize = 64;
/// What stands in queues for longer than this tells of a path that is slow.
const QUEUED: Duration = Duration::from_millis(8);
/// Sequences whose sending times are remembered in order to measure round trips.
const MARKS: usize = 64;
/// Round trips looked at together.
const TRIPS: usize = 16;
/// With a shorter round trip a client asks for what is missing rather than lose it.
const REPAIRABLE: Duration = Duration::from_millis(50);
/// The encoder is told another rate when it differs by one part in so many.
const NOTABLE: u64 = 10;

/// What the handshake settled.
#[derive(Clone, Debug)]
pub struct Config {
    /// Welcome's media id.
    pub media: [u8; 8],
    /// Keys of both directions.
    pub traffic: Traffic,
    /// Bits a second for video with parity, as agreed.
    pub bitrate: u64,
    /// Number of the first frame: 0, and of a resumed session the one after the last.
    pub first_frame: u32,
    /// Bytes of a media datagram at the start.
    pub payload: usize,
    /// Most bytes of a media datagram that the client can receive (Hello).
    pub limit: usize,
    /// How much parity is wanted.
    pub protection: Protection,
}

/// An access unit, or the next part of one that is still being encoded.
#[derive(Debug)]
pub struct Unit {
    /// The bytes that follow those of the part before. [`Media::buffer`] has memory for it.
    pub data: Vec<u8>,
    /// When the picture was taken, on the clock that all calls have their time from.
    pub taken: Time,
    /// The configuration. The first frame of each is a key frame.
    pub epoch: u8,
    /// [`Flags::KEY_FRAME`], [`Flags::RECOVERY_POINT`], [`Flags::NEW_PICTURE`].
    pub flags: Flags,
    /// The frame ends with this part.
    pub last: bool,
}

/// Datagrams that were appended to the caller's buffer, end to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// What they hold.
    pub what: What,
    /// How many.
    pub datagrams: usize,
    /// Bytes of each.
    pub datagram_len: usize,
}

/// What datagrams hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The shards of this frame, or of a part of it.
    Frame(u32),
    /// Shards that are sent again, of this frame.
    Repair(u32),
    /// Answers to reports.
    Report,
    /// A probe of the path's size: sent with the "don't fragment" bit, and alone.
    Probe,
}

/// What has to happen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Output {
    /// Send what was appended.
    Send(Batch),
    /// The next frame has to be a key frame; `after` was the last one before it.
    KeyFrameWanted {
        /// The last frame that is of no use.
        after: u32,
    },
    /// These frames are lost: the next one must refer to none from `first` on, and say
    /// so by [`Flags::RECOVERY_POINT`]. An encoder that cannot makes a key frame.
    Invalidate {
        /// The first of them.
        first: u32,
        /// The last of them.
        last: u32,
    },
    /// This frame was decoded.
    Acknowledged {
        /// The frame.
        frame: u32,
    },
    /// The encoder has another rate.
    Bitrate(Bitrate),
    /// Segmentation offload must not be used any more.
    DisableGso,
    /// Datagrams have at most so many bytes from the next frame on.
    PayloadSize(usize),
    /// Nothing until then, or (`None`) until something comes.
    Wait(Option<Time>),
}

/// A rate for the encoder.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bitrate {
    /// Bits a second for the encoder: what parity and headers leave.
    pub encoder: u64,
    /// Bits a second on the wire.
    pub whole: u64,
    /// What limits it.
    pub limiter: Limiter,
    /// The numbers that led to it, when a report changed it.
    pub because: Option<Change>,
}

/// A datagram of the client was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Its sequence.
    pub sequence: u64,
    /// No later one was opened before: its sender is where the client is now (section 4).
    /// When that is another address than before, call [`Media::moved`].
    pub newest: bool,
}

/// Why something was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Of the media plane.
    #[error(transparent)]
    Media(#[from] media::Error),
    /// A new epoch, or the first frame, without a key frame.
    #[error("the first frame of epoch {0} is no key frame; ask the encoder for one")]
    NoKeyFrame(u8),
}

/// What was counted and is believed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stats {
    /// The client's newest report.
    pub last: Option<Sample>,
    /// There and back, no more than this.
    pub round_trip: Option<Duration>,
    /// Loss that parity is prepared for.
    pub loss: f64,
    /// Mean length of a burst of losses.
    pub burst: f64,
    /// Bits a second on the wire.
    pub bps: u64,
    /// Bytes of a media datagram.
    pub payload: usize,
    /// Datagrams with data, with parity, and with shards sent again.
    pub data: u64,
    /// See `data`.
    pub parity: u64,
    /// See `data`.
    pub repairs: u64,
    /// Reports that were malformed or could not be true.
    pub refused: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Media {
    sealer: Sealer,
    opener: Opener,
    packetizer: Packetizer,
    history: History,
    parity: Parity,
    rate: Rate,
    mtu: PathMtu,
    offload: Offload,
    readings: Readings,
    budget: Budget,
    epoch: Option<u8>,
    stats: Stats,
    /// Parity shards for each data shard, and bytes of a shard, as of late.
    share: f64,
    shard_len: usize,
    told: u64,
    marks: [(u64, Time); MARKS],
    mark: usize,
    trips: [Option<Duration>; TRIPS],
    trip: usize,
    mending: Mending,
    acknowledged: Option<u32>,
    change: Option<Change>,
    stop_offload: bool,
    new_size: Option<usize>,
    replies: VecDeque<(u32, u64, Time)>,
    nacks: VecDeque<Nack>,
    later: Later,
    plain: Vec<u8>,
}

impl Media {
    /// The media plane of a session that begins now.
    pub fn new(now: Time, config: Config) -> Result<Self, media::Error> {
        let Config { media, traffic, bitrate, .. } = config;
        let rate = Rate::new(bitrate);
        let mtu = PathMtu::new(config.payload, config.limit);
        // Half a second of it, three times what has to be kept with a burst on top.
        let kept = usize::try_from(bitrate / 16).unwrap_or(usize::MAX).clamp(2 << 20, 64 << 20);
        let mut new = Self {
            sealer: Sealer::new(Side::Host, media, traffic.h2c, now)?,
            opener: Opener::new(Side::Client, media, traffic.c2h)?,
            packetizer: Packetizer::new(config.first_frame, mtu.size())?,
            history: History::new(Duration::from_millis(500), kept),
            parity: Parity::new(config.protection),
            mtu,
            offload: Offload::default(),
            readings: Readings::default(),
            budget: Budget::default(),
            epoch: None,
            stats: Stats::default(),
            share: 0.1,
            shard_len: 0,
            told: 0,
            marks: [(u64::MAX, now); MARKS],
            mark: 0,
            trips: [None; TRIPS],
            trip: 0,
            mending: Mending::default(),
            acknowledged: None,
            change: None,
            stop_offload: false,
            new_size: None,
            replies: VecDeque::with_capacity(MOST_REPLIES),
            nacks: VecDeque::new(),
            later: Later::default(),
            plain: Vec::new(),
            rate,
        };
        new.shard_len = new.mtu.size() - media::datagram_len(0);
        Ok(new)
    }

    /// The same with sequences of both sides that begin there, to see them wrap.
    #[must_use]
    pub fn starting_at(mut self, sequence: u64) -> Self {
        (self.sealer, self.opener) = (self.sealer.starting_at(sequence), self.opener.starting_at(sequence));
        self
    }

    /// An empty buffer for the next [`Unit`], with memory that was used before.
    pub fn buffer(&mut self) -> Vec<u8> {
        self.history.spare()
    }

    /// When the datagrams of the next unit will leave: their age counts to then. Without it
    /// they leave at once.
    pub const fn set_departures(&mut self, departures: Departures) {
        self.packetizer.set_departures(departures);
    }

    /// The number of the frame that the next unit belongs to.
    pub const fn next_frame(&self) -> u32 {
        self.packetizer.frame()
    }

    /// Appends the datagrams of `unit` to `out`, data before parity, all of one length.
    /// After an error nothing was appended, and the frame is not sent any further: the
    /// next unit begins another one, and the client will call for what it misses.
    pub fn frame(&mut self, now: Time, unit: Unit, out: &mut Vec<u8>) -> Result<Batch, Error> {
        let begins = !self.packetizer.is_open();
        if begins && self.epoch != Some(unit.epoch) && !unit.flags.has(Flags::KEY_FRAME) {
            return Err(Error::NoKeyFrame(unit.epoch));
        }
        if begins {
            self.packetizer.set_payload(self.mtu.size())?;
        }
        let Unit { taken, epoch, flags, last, .. } = unit;
        let piece = Piece { data: &unit.data, taken, epoch, flags, last };
        let parity = &self.parity;
        let shards = |k: u16| u16::try_from(parity.shards(k.into())).unwrap_or(u16::MAX);
        let layout = match self.packetizer.packetize(now, piece, shards, &mut self.sealer, out) {
            Ok(layout) => layout,
            Err(error) => {
                self.packetizer.abandon();
                return Err(error.into());
            }
        };
        self.history.keep(now, layout, unit.data);
        self.epoch = Some(epoch);
        if flags.has(Flags::KEY_FRAME) || flags.has(Flags::RECOVERY_POINT) {
            let passage = self.passage(layout.datagrams() * layout.datagram_len());
            self.mending.sent(now, layout.frame, flags, passage);
        }
        let (data, parity, datagram_len) =
            (layout.data_shards(), layout.parity_shards(), layout.datagram_len());
        self.stats.data += data as u64;
        self.stats.parity += parity as u64;
        self.share += (parity as f64 / data.max(1) as f64 - self.share) / 16.0;
        self.shard_len = layout.shard_len;
        if datagram_len > mtu::LEAST {
            self.mtu.sent(layout.datagrams() as u64);
        }
        self.rate.sent(now);
        if last {
            self.later.frame(now);
            self.marks[self.mark % MARKS] = (self.sealer.next_sequence().wrapping_sub(1), now);
            self.mark = self.mark.wrapping_add(1);
        }
        Ok(Batch { what: What::Frame(layout.frame), datagrams: layout.datagrams(), datagram_len })
    }

    /// A datagram that carries this session's media id. After an error nothing changed.
    pub fn datagram(&mut self, now: Time, datagram: &mut [u8]) -> Result<Heard, media::Error> {
        let opened = self.opener.open(now, datagram)?;
        let heard = Heard { sequence: opened.sequence, newest: opened.newest };
        for report in Reports::new(Direction::ToHost, opened.plain) {
            match report {
                Ok(report) => self.report(now, report),
                Err(_) => self.stats.refused += 1,
            }
        }
        Ok(heard)
    }

    /// The client is at another address: what was known of the path is not true any more.
    pub fn moved(&mut self, now: Time) {
        self.trips = [None; TRIPS];
        let before = self.mtu.size();
        self.mtu.changed(now);
        if before != self.mtu.size() {
            self.new_size = Some(self.mtu.size());
        }
    }

    /// Another bitrate was agreed, in bits a second.
    pub fn agree(&mut self, bitrate: u64) {
        let change = self.rate.agree(bitrate);
        self.change = change.or(self.change);
    }

    /// How much parity is wanted from now on.
    pub fn protect(&mut self, protection: Protection) {
        self.parity = Parity::new(protection);
    }

    /// Bits a second for the encoder: what parity and headers leave of the rate.
    pub fn encoder_bitrate(&self) -> u64 {
        self.rate.encoder_bps(self.share, self.shard_len, media::datagram_len(0))
    }

    /// Whether batches may be left to the kernel to cut.
    pub const fn may_offload(&self) -> bool {
        self.offload.is_on()
    }

    /// What was counted and is believed.
    pub fn stats(&self) -> Stats {
        Stats {
            round_trip: self.round_trip(),
            loss: self.parity.loss(),
            burst: self.parity.burst(),
            bps: self.rate.bps(),
            payload: self.mtu.size(),
            ..self.stats
        }
    }

    /// The next thing that has to happen; what is to be sent is appended to `out`.
    pub fn poll(&mut self, now: Time, out: &mut Vec<u8>) -> Output {
        if let Some(output) = self.order(now) {
            return output;
        }
        if let Some(batch) = self.answer(now, out) {
            return Output::Send(batch);
        }
        while let Some(nack) = self.later.take(now) {
            self.nacks.push_back(nack);
        }
        while let Some(nack) = self.nacks.pop_front() {
            if let Some(batch) = self.repair(now, nack, out) {
                return Output::Send(batch);
            }
        }
        if self.epoch.is_some()
            && let Some(batch) = self.probe(now, out)
        {
            return Output::Send(batch);
        }
        let probe = self.epoch.is_some().then(|| self.mtu.due());
        Output::Wait(
            [self.rate.due(), probe, self.later.due(), self.mending.due()].into_iter().flatten().min(),
        )
    }

    /// What the encoder and the socket have to know.
    fn order(&mut self, now: Time) -> Option<Output> {
        match self.mending.poll(now) {
            Some(Call::KeyFrame { after }) => return Some(Output::KeyFrameWanted { after }),
            Some(Call::Invalidate { first, last }) => return Some(Output::Invalidate { first, last }),
            None => {}
        }
        if std::mem::take(&mut self.stop_offload) {
            return Some(Output::DisableGso);
        }
        if let Some(size) = self.new_size.take() {
            return Some(Output::PayloadSize(size));
        }
        if let Some(frame) = self.acknowledged.take() {
            return Some(Output::Acknowledged { frame });
        }
        let silence = self.rate.silence(now);
        self.change = silence.or(self.change);
        let because = self.change.take();
        let encoder = self.encoder_bitrate();
        if because.is_none() && encoder.abs_diff(self.told) * NOTABLE <= self.told {
            return None;
        }
        self.told = encoder;
        let (whole, limiter) = (self.rate.bps(), self.rate.limiter());
        Some(Output::Bitrate(Bitrate { encoder, whole, limiter, because }))
    }

    /// Answers to clock probes, all in one datagram.
    fn answer(&mut self, now: Time, out: &mut Vec<u8>) -> Option<Batch> {
        if self.replies.is_empty() {
            return None;
        }
        self.plain.clear();
        for (id, sent, arrived) in self.replies.drain(..) {
            Report::ClockReply { id, sent, arrived: arrived.0, left: now.0 }.encode(&mut self.plain);
        }
        let begin = out.len();
        self.sealer.append(Kind::Report, now, &self.plain, out).ok()?;
        Some(Batch { what: What::Report, datagrams: 1, datagram_len: out.len() - begin })
    }

    /// Sends again what the client misses, as far as the budget goes. What remains the
    /// client asks for again.
    fn repair(&mut self, now: Time, nack: Nack, out: &mut Vec<u8>) -> Option<Batch> {
        let bytes = self.budget.available(now, self.rate.bps());
        let most = usize::try_from(bytes).unwrap_or(usize::MAX) / self.mtu.size();
        let round_trip = self.round_trip().unwrap_or_default();
        let half = self.later.split(now, &nack, self.history.sent(nack.frame), round_trip);
        let Nack { frame, block, missing, turn, spread } = nack;
        // Nobody can miss what would not be there yet; half of the bound is surely less.
        let not_yet = Time(now.0.saturating_sub(to_micros(round_trip / 2)));
        let before = if missing == Missing::Whole { not_yet } else { now };
        let least = half.as_ref().map_or(spread, |(first, _)| *first);
        let wish = Wish { turn, least: least.into(), most, before };
        let (at, history, sealer) = ((frame, block), &mut self.history, &mut self.sealer);
        let mut after = None;
        let repair = match missing {
            Missing::Ranges(ranges) => history.repair(now, at, ranges, wish, sealer, out),
            Missing::Whole => {
                after = history.blocks(frame).filter(|&other| other > block).min();
                history.repair(now, at, [(0, u16::MAX)], wish, sealer, out)
            }
        };
        if let Some(block) = after {
            self.nacks.push_front(Nack { frame, block, missing: Missing::Whole, turn, spread });
        }
        let repair = repair.ok().filter(|repair| repair.datagrams > 0)?;
        half.into_iter().for_each(|(_, half)| self.later.push(half));
        self.stats.repairs += repair.datagrams as u64;
        self.budget.spend((repair.datagrams * repair.datagram_len) as u64);
        let (datagrams, datagram_len) = (repair.datagrams, repair.datagram_len);
        Some(Batch { what: What::Repair(frame), datagrams, datagram_len })
    }

    /// A probe for larger datagrams, when one is due.
    fn probe(&mut self, now: Time, out: &mut Vec<u8>) -> Option<Batch> {
        let round_trip = self.round_trip().unwrap_or(mtu::LEAST_WAIT);
        let (id, size) = self.mtu.poll(now, round_trip)?;
        self.plain.clear();
        // Ids of one search are few, sizes at most 9000.
        Report::PathProbe { id: id as u32, size: size as u16 }.encode(&mut self.plain);
        let overhead = self.sealer.prefix_len() + media::TAG_LEN;
        self.plain.resize(size.saturating_sub(overhead), 0);
        self.sealer.append(Kind::Padding, now, &self.plain, out).ok()?;
        Some(Batch { what: What::Probe, datagrams: 1, datagram_len: size })
    }

    fn report(&mut self, now: Time, report: Report) {
        match report {
            Report::Feedback(feedback) => self.feedback(now, Sample::from_wire(&feedback)),
            Report::Nack(nack) if self.nacks.len() < MOST_NACKS => self.nacks.push_back(nack),
            Report::KeyFrameWanted { after } => self.mending.key_frame_wanted(now, after),
            Report::Invalidate { first, last } => self.lost(now, first, last),
            Report::ClockProbe { id, sent } if self.replies.len() < MOST_REPLIES => {
                self.replies.push_back((id, sent, now));
            }
            Report::PathProbed { id, size } => {
                if self.mtu.answered(id.into(), size.into()) {
                    self.new_size = Some(self.mtu.size());
                }
            }
            Report::Sizes { malformed } => self.stop_offload |= self.offload.report(malformed.into()),
            Report::Acknowledge { frame } => self.acknowledged = Some(frame),
            _ => self.stats.refused += 1,
        }
    }

    fn feedback(&mut self, now: Time, sample: Sample) {
        let Some(sample) = self.readings.take(sample, self.sealer.next_sequence()) else {
            self.stats.refused += 1;
            return;
        };
        if let Some((_, sent)) = self.marks.iter().find(|(sequence, _)| *sequence == sample.highest) {
            self.trips[self.trip % TRIPS] = Some(now - *sent);
            self.trip = self.trip.wrapping_add(1);
        }
        let round_trip = self.round_trip();
        self.parity.set_repair(round_trip.is_some_and(|trip| trip < REPAIRABLE));
        self.parity.report(&sample);
        let change = self.rate.report(now, &sample);
        self.change = change.or(self.change);
        if self.mtu.report(now, &sample, round_trip.unwrap_or_default()) {
            self.new_size = Some(self.mtu.size());
        }
        self.stats.last = Some(sample);
    }

    /// The client lost frames. What it says may be old or nonsense: only frames that were
    /// sent count.
    fn lost(&mut self, now: Time, first: u32, last: u32) {
        let (age, count) = (self.next_frame().wrapping_sub(last), last.wrapping_sub(first));
        if age == 0 || age > 1 << 16 || count > 1 << 16 {
            self.stats.refused += 1;
            return;
        }
        self.mending.lost(now, first, last);
    }

    /// How long a frame of so many bytes takes from here to the client, and its answer back: by
    /// the pace, on a path that is known to be slow by the rate, and through its queue.
    fn passage(&self, bytes: usize) -> Duration {
        let queue = self.stats.last.map_or(Duration::ZERO, |sample| sample.delay);
        let slow = queue > QUEUED || matches!(self.rate.limiter(), Limiter::Delay | Limiter::Loss);
        let paced = self.packetizer.departures().takes(bytes);
        let passes = Duration::from_micros(bytes as u64 * 8_000_000 / self.rate.bps().max(1));
        self.round_trip().unwrap_or_default() + queue + if slow { passes.max(paced) } else { paced }
    }

    /// An upper bound of the shortest round trip of late: reports are not sent at once.
    fn round_trip(&self) -> Option<Duration> {
        self.trips.iter().flatten().min().copied()
    }
}
