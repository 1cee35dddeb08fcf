//! The client's end of the media plane: sealed shards come in and become frames in their
//! order; what is missing is asked for, given up, and called back by a picture that does
//! not need it; the host hears every 50 ms how it goes. `punktfunk-client` owns one per
//! session and drives it with the time; the simulator does the same with a time of its own.
//!
//! [`Media::datagram`] is called for each media datagram of the host, [`Media::poll`]
//! after each and when its deadline has come, until it says [`Output::Wait`].

use std::time::Duration;

use super::flow::clock::{Clock, Stages};
use super::flow::feedback::Collector;
use super::flow::gso::Lengths;
use super::flow::pace::Pace;
use super::flow::recovery::{Call, Recovery};
use super::flow::repair::{Attempt, Path, Turn};
use super::flow::todo::Todo;
use super::keys::{Direction, Traffic};
use super::media::{Counters, Error, Event, Flags, Frame, Kind, Limits, Missing, Opener, Order};
use super::media::{Pushed, Reassembler, Sealer, ShardHeader, Side};
use super::wire::report::{self, Nack, Report, Reports};
use crate::time::Time;

/// Frames whose efforts are remembered: as many as the reassembly holds.
const FRAMES: usize = 64;
/// Bytes of a datagram with reports at most, without what seals it.
const REPORT_LEN: usize = 1100;
/// Ranges in one request; what is beyond them is asked for later.
const RANGES: usize = 200;
/// Reports that wait to be sent; what is said again anyway may be lost here, too.
const PENDING: usize = 32;
/// A round trip as long as nothing is known of it, and an interval.
const UNKNOWN: Duration = Duration::from_millis(20);
/// A path that lost something so long ago is watched for frames that do not come at all.
const LOSSY: Duration = Duration::from_secs(10);
/// The longest silence within a frame that is not taken for its end.
const MOST_QUIET: Duration = Duration::from_millis(20);

/// What the handshake settled, and what the client wants.
#[derive(Clone, Debug)]
pub struct Config {
    /// Welcome's media id.
    pub media: [u8; 8],
    /// Keys of both directions.
    pub traffic: Traffic,
    /// Number of the first frame: 0 of a new session, `None` of a resumed one.
    pub first_frame: Option<u32>,
    /// How long a frame that is not whole is worth waiting for.
    pub patience: Duration,
    /// What may be held for frames in progress.
    pub limits: Limits,
}

/// Patience that suits most: shorter than what the eye takes for a halt, longer than
/// most round trips.
pub const PATIENCE: Duration = Duration::from_millis(100);

/// What has to happen.
#[derive(Debug)]
pub enum Output {
    /// Send the datagram that was appended: so many bytes.
    Send(usize),
    /// Decode this frame: it refers to nothing that is missing. Give it back through
    /// [`Media::recycle`], and its decoding to [`Media::decoded`].
    Frame(Frame),
    /// These frames will not come. The picture stands until the next [`Output::Frame`].
    Lost {
        /// The first of them.
        first: u32,
        /// The last of them.
        last: u32,
    },
    /// This frame came, but refers to what is missing: it was thrown away.
    Undecodable {
        /// Its number.
        frame: u32,
    },
    /// Nothing until then, or (`None`) until something comes.
    Wait(Option<Time>),
}

/// What was counted and is believed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Of the reassembly.
    pub frames: Counters,
    /// Frames that came and could not be decoded.
    pub undecodable: u64,
    /// Requests for shards, however often they were said, and calls for a picture that can be decoded.
    pub nacks: u64,
    /// See `nacks`.
    pub calls: u64,
    /// The shortest round trip of late.
    pub round_trip: Option<Duration>,
    /// How far the host's clock is ahead, microseconds.
    pub offset: Option<i64>,
    /// Datagrams that did not open, or not to anything.
    pub refused: u64,
    /// Datagrams that opened, as told to the host, and their bytes.
    pub received: u64,
    /// See `received`.
    pub bytes: u64,
    /// Datagrams that will not come.
    pub lost: u64,
    /// Shards of data and of parity that came, those sent again not among them.
    pub data: u64,
    /// See `data`.
    pub parity: u64,
    /// What stood in queues lately: the least delay above the least one of all.
    pub delay: Duration,
}

/// What is known of one frame on its way.
#[derive(Clone, Copy, Debug, Default)]
struct Effort {
    frame: u32,
    /// All flags that its shards had.
    flags: Flags,
    attempt: Option<Attempt>,
    /// The latest turn in which something was asked for.
    asked: Option<u8>,
}

/// See the module.
#[derive(Debug)]
pub struct Media {
    sealer: Sealer,
    opener: Opener,
    reassembler: Reassembler,
    collector: Collector,
    lengths: Lengths,
    clock: Clock,
    recovery: Recovery,
    patience: Duration,
    pace: Pace,
    /// Silences as long as this were within a frame.
    quiet: Duration,
    /// Until when the path is taken for one that loses.
    lossy: Option<Time>,
    efforts: [Effort; FRAMES],
    /// The latest frame of which something came.
    newest: Option<u32>,
    /// When the frames in progress have to be looked at.
    check: Option<Time>,
    /// Of the last frame given out.
    epoch: Option<u8>,
    decoded: Option<u32>,
    pending: Vec<Report>,
    plain: Vec<u8>,
    stats: Stats,
}

impl Media {
    /// The media plane of a session that begins now.
    pub fn new(now: Time, config: Config) -> Result<Self, Error> {
        let Config { media, traffic, first_frame, patience, limits } = config;
        Ok(Self {
            sealer: Sealer::new(Side::Client, media, traffic.c2h, now)?,
            opener: Opener::new(Side::Host, media, traffic.h2c)?,
            reassembler: Reassembler::new(Order::Numbered, limits, first_frame),
            collector: Collector::default(),
            lengths: Lengths::default(),
            clock: Clock::default(),
            recovery: Recovery::starting(now, first_frame.unwrap_or(0)),
            patience,
            pace: Pace::default(),
            quiet: Duration::ZERO,
            lossy: None,
            efforts: [Effort::default(); FRAMES],
            newest: None,
            check: None,
            epoch: None,
            decoded: None,
            pending: Vec::with_capacity(PENDING),
            plain: Vec::new(),
            stats: Stats::default(),
        })
    }

    /// The same with sequences of both sides that begin there, to see them wrap.
    #[must_use]
    pub fn starting_at(mut self, sequence: u64) -> Self {
        (self.sealer, self.opener) = (self.sealer.starting_at(sequence), self.opener.starting_at(sequence));
        self
    }

    /// A media datagram of the host, opened where it lies. After an error nothing of it
    /// counts but, for lengths that nobody sends, that it came.
    pub fn datagram(&mut self, now: Time, datagram: &mut [u8]) -> Result<(), Error> {
        let len = datagram.len();
        let is_shard = datagram.first().is_some_and(|tag| tag & 0b1101_1111 == 0x80);
        let opened = match self.opener.open(now, datagram) {
            Ok(opened) => opened,
            Err(error) => {
                self.stats.refused += 1;
                // One that came twice has a length of ours.
                if is_shard && matches!(error, Error::Sealed | Error::Malformed) {
                    self.lengths.refused(len);
                }
                return Err(error);
            }
        };
        self.collector.received(now, opened.sequence, len);
        match opened.kind {
            Kind::Shard => {
                self.lengths.opened(len);
                self.shard(now, opened.plain)
            }
            Kind::Padding | Kind::Report => {
                for report in Reports::new(Direction::ToClient, opened.plain) {
                    self.report(now, report.map_err(|_| Error::Malformed)?, len);
                }
                Ok(())
            }
        }
    }

    /// Frame `number` was decoded, which took that long; `backlog` more wait for it.
    pub fn decoded(&mut self, number: u32, took: Duration, backlog: usize) {
        self.collector.decoded(took, backlog as u64);
        self.decoded = Some(number);
    }

    /// A frame cannot be decoded although it is whole: a fault of the decoder, or of the
    /// stream. A key frame is called for.
    pub fn undecodable(&mut self, now: Time, number: u32) {
        self.recovery.lost(now, number, number, true);
    }

    /// Takes the memory of a frame back, for the next one.
    pub fn recycle(&mut self, frame: Frame) {
        self.reassembler.recycle(frame);
    }

    /// Where the time of a frame went that was decoded now. `None` as long as the host's
    /// clock is not known.
    pub fn stages(&self, frame: &Frame, decoded: Time) -> Option<Stages> {
        let sent = frame.timestamp.saturating_add(u64::from(frame.age) * 10);
        Stages::of(&self.clock, frame.timestamp, sent, frame.whole, decoded)
    }

    /// The host's clock as it is known.
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What was counted and is believed.
    pub fn stats(&self) -> Stats {
        Stats {
            frames: self.reassembler.counters(),
            round_trip: self.clock.round_trip(),
            offset: self.clock.offset(),
            ..self.stats
        }
    }

    /// The next thing that has to happen; a datagram to send is appended to `out`.
    pub fn poll(&mut self, now: Time, out: &mut Vec<u8>) -> Output {
        loop {
            if let Some(event) = self.reassembler.poll() {
                return match event {
                    Event::Frame(frame) => self.release(now, frame),
                    Event::Lost { first, last } => self.lost(now, first, last),
                };
            }
            if self.check.is_none_or(|check| now < check) {
                break;
            }
            self.look(now);
        }
        self.say(now);
        if let Some(len) = self.send(now, out) {
            return Output::Send(len);
        }
        let dues = [self.check, self.recovery.due(), self.collector.due(), Some(self.clock.due())];
        Output::Wait(dues.into_iter().flatten().min())
    }

    fn path(&self) -> Path {
        Path {
            round_trip: self.clock.round_trip().unwrap_or(UNKNOWN),
            queue: self.stats.delay,
            reorder: self.collector.reorder(),
            patience: self.patience,
            interval: self.pace.interval().unwrap_or(UNKNOWN),
        }
    }

    fn shard(&mut self, now: Time, plain: &[u8]) -> Result<(), Error> {
        let (header, _) = ShardHeader::read(plain)?;
        if !header.flags.has(Flags::REPAIR) {
            let is_parity = header.index >= header.k;
            self.stats.parity += u64::from(is_parity);
            self.stats.data += u64::from(!is_parity);
            if header.age < u16::MAX {
                self.collector.shard(now, header.timestamp.wrapping_add(u64::from(header.age) * 10));
            }
        }
        let again = header.flags.has(Flags::REPAIR);
        self.pace.arrived(now, header.frame, header.timestamp, again);
        let before = self.reassembler.counters().recovered;
        let pushed = self.reassembler.push(now, plain)?;
        self.collector.recovered(self.reassembler.counters().recovered - before);
        if pushed == Pushed::Surplus {
            return Ok(());
        }
        let effort = &mut self.efforts[header.frame as usize % FRAMES];
        if effort.frame != header.frame || effort.flags == Flags::default() && effort.attempt.is_none() {
            *effort = Effort { frame: header.frame, ..Effort::default() };
        }
        // A mark of our own that something came: a frame may have no flag at all.
        effort.flags = effort.flags.with(header.flags).with(SEEN);
        if let Some(attempt) = effort.attempt.as_mut() {
            if again {
                attempt.answered(now);
            } else if let Some(silence) = attempt.in_vain(now) {
                self.quiet = self.quiet.max((silence * 5 / 4).min(MOST_QUIET));
            }
        }
        let mends = self.recovery.is_broken() && self.mends(header.epoch, header.flags);
        if mends {
            let path = self.path();
            self.recovery.begins(now, &path);
        }
        if self.newest.is_none_or(|newest| is_after(header.frame, newest)) {
            self.newest = Some(header.frame);
            self.check = Some(now);
        }
        // With its last shard, or an answer, more may be known of what is missing.
        if again || header.index + 1 == header.k + header.m {
            self.check = Some(now);
        }
        if pushed == Pushed::Whole {
            self.collector.frame();
            if mends {
                // Nothing before it is of use any more.
                self.reassembler.give_up(header.frame.wrapping_sub(1));
            }
        }
        Ok(())
    }

    fn report(&mut self, now: Time, report: Report, len: usize) {
        match report {
            Report::ClockReply { id, arrived, left, .. } => {
                self.clock.reply(now, id.into(), arrived, left);
            }
            Report::PathProbe { id, size } if usize::from(size) == len => {
                self.queue(Report::PathProbed { id, size });
            }
            _ => self.stats.refused += 1,
        }
    }

    /// Whether a frame with these flags can be decoded without those that are missing.
    fn mends(&self, epoch: u8, flags: Flags) -> bool {
        flags.has(Flags::KEY_FRAME) || flags.has(Flags::RECOVERY_POINT) && self.epoch == Some(epoch)
    }

    /// A frame is whole, and it is its turn.
    fn release(&mut self, now: Time, frame: Frame) -> Output {
        let number = frame.number;
        let mends = self.mends(frame.epoch, frame.flags);
        if self.epoch != Some(frame.epoch) && !mends && !self.recovery.is_broken() {
            // The key frame that an epoch begins with is missing.
            self.recovery.lost(now, number, number, true);
        }
        if self.recovery.is_broken() && !mends {
            self.stats.undecodable += 1;
            self.reassembler.recycle(frame);
            return Output::Undecodable { frame: number };
        }
        self.recovery.mended();
        self.epoch = Some(frame.epoch);
        Output::Frame(frame)
    }

    /// Frames were given up.
    fn lost(&mut self, now: Time, first: u32, last: u32) -> Output {
        let count = u64::from(last.wrapping_sub(first)) + 1;
        self.collector.frames_lost(count);
        let (mut key, mut mending) = (false, false);
        for effort in &mut self.efforts {
            if effort.flags.has(SEEN) && effort.frame.wrapping_sub(first) <= last.wrapping_sub(first) {
                key |= effort.flags.has(Flags::KEY_FRAME);
                mending |= effort.flags.has(Flags::KEY_FRAME) || effort.flags.has(Flags::RECOVERY_POINT);
                *effort = Effort::default();
            }
        }
        let was_broken = self.recovery.is_broken();
        self.recovery.lost(now, first, last, key);
        if was_broken && (mending || self.epoch.is_none()) {
            self.recovery.failed(now);
        }
        Output::Lost { first, last }
    }

    /// Looks at the frames in progress: what to ask for, what to give up, when to look
    /// again.
    fn look(&mut self, now: Time) {
        let (path, broken) = (self.path(), self.recovery.is_broken());
        let (mut give_up, mut oldest) = (None, true);
        let mut todo = Todo::default();
        for gap in self.reassembler.gaps() {
            let effort = &mut self.efforts[gap.frame as usize % FRAMES];
            if effort.frame != gap.frame {
                *effort = Effort { frame: gap.frame, ..Effort::default() };
            }
            let begun = gap.kept > 0;
            let attempt = effort.attempt.get_or_insert(Attempt::new(now, begun));
            if begun {
                attempt.shard(gap.latest);
            }
            if gap.overtaken {
                attempt.overtaken(now);
            }
            if gap.short {
                attempt.short(now);
            }
            // What can neither be decoded nor mend is not worth any effort.
            let helps = Flags::KEY_FRAME.with(Flags::RECOVERY_POINT);
            if broken && effort.flags.of(helps) != Flags::default() {
                attempt.awaited();
            }
            let useless = broken && gap.overtaken && begun && effort.flags.of(helps) == Flags::default();
            let ends_open = !effort.flags.has(Flags::LAST_BLOCK);
            let gone = useless || todo.takes(gap.frame, attempt.verdict(now, &path, self.quiet, ends_open));
            // Only in order: what is older may still come and be of use.
            if gone && oldest {
                give_up = Some(gap.frame);
            }
            oldest &= gone;
        }
        self.expect(now, &path, &mut todo);
        for (frame, turn) in todo.asked.into_iter().take(todo.count) {
            self.ask(frame, turn);
        }
        self.check = todo.next.map(|next| next.max(now + Duration::from_micros(100)));
        if let Some(frame) = give_up {
            self.reassembler.give_up(frame);
            self.check = Some(now);
        }
    }

    /// On a path that loses: asks for the frame that should have begun to arrive. When the
    /// host has not made it, nothing comes of that.
    fn expect(&mut self, now: Time, path: &Path, todo: &mut Todo) {
        let lossy = self.lossy.is_some_and(|until| now < until);
        let Some((frame, due, late)) = self.pace.next().filter(|_| lossy) else { return };
        if now >= due + path.interval || self.newest.is_some_and(|newest| !is_after(frame, newest)) {
            return;
        }
        if now < late {
            return todo.wait(late);
        }
        let effort = &mut self.efforts[frame as usize % FRAMES];
        if effort.frame != frame || effort.attempt.is_none() {
            *effort = Effort { frame, attempt: Some(Attempt::expected(due)), ..Effort::default() };
        }
        if let Some(attempt) = &mut effort.attempt {
            todo.takes(frame, attempt.verdict(now, path, self.quiet, true));
        }
    }

    /// Asks for what `frame` lacks.
    fn ask(&mut self, frame: u32, Turn { turn, spread }: Turn) {
        let effort = self.efforts[frame as usize % FRAMES];
        let ended = effort.frame == frame && effort.flags.has(Flags::LAST_BLOCK);
        let mut nacks: Vec<Nack> = Vec::new();
        let nack = |block, missing| Nack { frame, block, missing, turn: Some(turn), spread };
        if self.newest.is_none_or(|newest| is_after(frame, newest)) {
            nacks.push(nack(0, report::Missing::Whole));
        }
        self.reassembler.missing(frame, true, |missing| {
            let (block, range) = match missing {
                Missing::Frame => (0, None),
                // The last of them, of a frame whose end is not known: what follows, too.
                Missing::Block(block) if !ended => (block, None),
                Missing::Block(block) => (block, Some((0, u16::MAX))),
                Missing::Shards { block, first, count } => (block, Some((first, count))),
            };
            match (nacks.last_mut(), range) {
                (Some(Nack { block: last, missing: report::Missing::Ranges(ranges), .. }), Some(range))
                    if *last == block =>
                {
                    if ranges.len() < RANGES {
                        ranges.push(range);
                    }
                }
                (Some(Nack { missing: report::Missing::Whole, .. }), _) => {}
                (_, Some(range)) => {
                    nacks.push(nack(block, report::Missing::Ranges(vec![range])));
                }
                (_, None) => nacks.push(nack(block, report::Missing::Whole)),
            }
        });
        let effort = &mut self.efforts[frame as usize % FRAMES];
        if !nacks.is_empty() && effort.asked != Some(turn) {
            effort.asked = Some(turn);
            self.stats.nacks += 1;
        }
        for nack in nacks {
            self.queue(Report::Nack(nack));
        }
    }

    /// Queues what is due.
    fn say(&mut self, now: Time) {
        let path = self.path();
        if let Some(call) = self.recovery.poll(now, &path) {
            self.stats.calls += 1;
            self.queue(match call {
                Call::Invalidate { first, last } => Report::Invalidate { first, last },
                Call::KeyFrame { after } => Report::KeyFrameWanted { after },
            });
        }
        if self.clock.due() <= now {
            // Ids of probes whose replies are awaited are few.
            let id = self.clock.probe(now) as u32;
            self.queue(Report::ClockProbe { id, sent: now.0 });
        }
        if self.collector.due().is_some_and(|due| due <= now) {
            let sample = self.collector.take(now);
            self.stats.received = self.stats.received.saturating_add(sample.received);
            self.stats.bytes = self.stats.bytes.saturating_add(sample.bytes);
            self.stats.lost = self.stats.lost.saturating_add(sample.lost);
            self.stats.delay = sample.delay;
            if sample.lost > 0 {
                self.lossy = Some(now + LOSSY);
            }
            self.quiet -= self.quiet / 64;
            self.queue(Report::Feedback(sample.to_wire()));
            if let Some(malformed) = self.lengths.take() {
                self.queue(Report::Sizes { malformed: u32::try_from(malformed).unwrap_or(u32::MAX) });
            }
            if let Some(frame) = self.decoded.take() {
                self.queue(Report::Acknowledge { frame });
            }
        }
    }

    fn queue(&mut self, report: Report) {
        if self.pending.len() < PENDING {
            self.pending.push(report);
        }
    }

    /// Seals what is queued, as much as goes into one datagram.
    fn send(&mut self, now: Time, out: &mut Vec<u8>) -> Option<usize> {
        if self.pending.is_empty() {
            return None;
        }
        self.plain.clear();
        let mut taken = 0;
        for report in &self.pending {
            let before = self.plain.len();
            report.encode(&mut self.plain);
            if self.plain.len() > REPORT_LEN && taken > 0 {
                self.plain.truncate(before);
                break;
            }
            taken += 1;
        }
        self.pending.drain(..taken);
        let begin = out.len();
        self.sealer.append(Kind::Report, now, &self.plain, out).ok()?;
        Some(out.len() - begin)
    }
}

/// No flag of the wire: something of the frame came.
const SEEN: Flags = Flags(0x80);

/// Whether frame `a` comes after `b`, by numbers that wrap.
fn is_after(a: u32, b: u32) -> bool {
    let distance = a.wrapping_sub(b);
    distance > 0 && distance < 1 << 31
}
