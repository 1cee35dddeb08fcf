//! Reports: the sealed part of media datagrams of kinds 1 and 2 (page, section 4.3), a
//! list of messages like those of the control stream. What breaks the rules ends the
//! list; the session goes on. Type 0 ends it, too: what follows is padding.

use super::fields::{self, Fields, Writer, required};
use super::{Error, varint};
use crate::native::keys::Direction;

/// Ranges of a [`Nack`] at most.
pub const MAX_RANGES: usize = 1024;

/// One report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// How the last 50 ms went.
    Feedback(Feedback),
    /// Shards that are missing.
    Nack(Nack),
    /// Nothing but a key frame helps.
    KeyFrameWanted {
        /// The last frame that was decoded.
        after: u32,
    },
    /// Frames that are lost, first and last.
    Invalidate {
        /// First lost frame.
        first: u32,
        /// Last lost frame.
        last: u32,
    },
    /// What does your clock say?
    ClockProbe {
        /// Tells probes apart.
        id: u32,
        /// Microseconds of the client's clock.
        sent: u64,
    },
    /// It said this.
    ClockReply {
        /// As probed.
        id: u32,
        /// As probed.
        sent: u64,
        /// Microseconds of the host's clock when the probe came.
        arrived: u64,
        /// Microseconds of the host's clock when this left.
        left: u64,
    },
    /// Does a datagram of this size arrive?
    PathProbe {
        /// Tells probes apart.
        id: u32,
        /// Bytes of this datagram.
        size: u16,
    },
    /// It did.
    PathProbed {
        /// As probed.
        id: u32,
        /// Bytes that arrived.
        size: u16,
    },
    /// Datagrams of wrong sizes since the report before.
    Sizes {
        /// How many.
        malformed: u32,
    },
    /// A frame was decoded.
    Acknowledge {
        /// Which.
        frame: u32,
    },
}

/// How the time since the feedback before went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Feedback {
    /// The highest sequence that was opened.
    pub highest: u64,
    /// Datagrams received since the report before.
    pub received: u32,
    /// Datagrams lost since the report before.
    pub lost: u32,
    /// Runs of 1, 2, 3–4, 5–8, 9–16 and more lost datagrams.
    pub bursts: [u16; 6],
    /// Data shards that parity or repair brought back.
    pub recovered: u32,
    /// Whole frames.
    pub frames: u32,
    /// Frames given up.
    pub frames_lost: u32,
    /// Microseconds above the least one-way delay seen.
    pub delay_us: u32,
    /// Microseconds that decoding takes, mean.
    pub decode_us: u32,
    /// Frames that wait to be decoded.
    pub backlog: u32,
    /// Bytes of the largest datagram received.
    pub largest: u16,
    /// Number of this report, from 0.
    pub number: u32,
    /// Microseconds since the report before.
    pub interval_us: u32,
    /// Bytes received since the report before.
    pub bytes: u64,
}

/// What is missing of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Nothing of this block arrived, nor of those after it in its frame.
    Whole,
    /// First index and how many from there; at most [`MAX_RANGES`].
    Ranges(Vec<(u16, u16)>),
}

/// Shards that are missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nack {
    /// Of this frame.
    pub frame: u32,
    /// Of this block of it.
    pub block: u8,
    /// Which.
    pub missing: Missing,
    /// How often this frame was asked for before; one that is said again with the same
    /// number asks for nothing more.
    pub turn: Option<u8>,
    /// Datagrams that the answer has at least: what is missing is sent by turns until then.
    pub spread: u8,
}

impl Report {
    /// Its number on the wire.
    pub const fn kind(&self) -> u64 {
        match self {
            Self::Feedback(_) => 0x60,
            Self::Nack(_) => 0x61,
            Self::KeyFrameWanted { .. } => 0x62,
            Self::Invalidate { .. } => 0x63,
            Self::ClockProbe { .. } => 0x64,
            Self::ClockReply { .. } => 0x65,
            Self::PathProbe { .. } => 0x66,
            Self::PathProbed { .. } => 0x67,
            Self::Sizes { .. } => 0x68,
            Self::Acknowledge { .. } => 0x69,
        }
    }

    /// Which way it goes.
    pub const fn way(&self) -> Direction {
        way(self.kind())
    }

    /// Appends the report, with type and length.
    pub fn encode(&self, out: &mut Vec<u8>) {
        fields::prefixed(self.kind(), out, |out| self.write(&mut Writer::new(out)));
    }

    fn write(&self, fields: &mut Writer<'_>) {
        match self {
            Self::Feedback(feedback) => feedback.write(fields),
            Self::Nack(nack) => nack.write(fields),
            Self::KeyFrameWanted { after: frame } | Self::Acknowledge { frame } => {
                fields.number(1, *frame);
            }
            Self::Invalidate { first, last } => {
                fields.number(1, *first).number(2, *last);
            }
            Self::ClockProbe { id, sent } => {
                fields.number(1, *id).number(2, *sent);
            }
            Self::ClockReply { id, sent, arrived, left } => {
                fields.number(1, *id).number(2, *sent).number(3, *arrived).number(4, *left);
            }
            Self::PathProbe { id, size } | Self::PathProbed { id, size } => {
                fields.number(1, *id).number(2, *size);
            }
            Self::Sizes { malformed } => {
                fields.number(1, *malformed);
            }
        }
    }

    /// Reads one body; `None` when this version does not know the type.
    fn parse(kind: u64, body: &[u8]) -> Result<Option<Self>, Error> {
        let mut fields = Fields::new(body);
        let f = &mut fields;
        let report = match kind {
            0x60 => Self::Feedback(Feedback::parse(f)?),
            0x61 => Self::Nack(Nack::parse(f)?),
            0x62 => Self::KeyFrameWanted { after: required(1, f.any(1)?)? },
            0x63 => Self::Invalidate { first: required(1, f.any(1)?)?, last: required(2, f.any(2)?)? },
            0x64 => Self::ClockProbe { id: required(1, f.any(1)?)?, sent: required(2, f.any(2)?)? },
            0x65 => Self::ClockReply {
                id: required(1, f.any(1)?)?,
                sent: required(2, f.any(2)?)?,
                arrived: required(3, f.any(3)?)?,
                left: required(4, f.any(4)?)?,
            },
            0x66 => Self::PathProbe { id: required(1, f.any(1)?)?, size: required(2, f.any(2)?)? },
            0x67 => Self::PathProbed { id: required(1, f.any(1)?)?, size: required(2, f.any(2)?)? },
            0x68 => Self::Sizes { malformed: required(1, f.any(1)?)? },
            0x69 => Self::Acknowledge { frame: required(1, f.any(1)?)? },
            _ => return Ok(None),
        };
        fields.finish()?;
        Ok(Some(report))
    }
}

impl Feedback {
    fn parse(fields: &mut Fields<'_>) -> Result<Self, Error> {
        Ok(Self {
            highest: required(1, fields.any(1)?)?,
            received: required(2, fields.any(2)?)?,
            lost: required(3, fields.any(3)?)?,
            bursts: match fields.array::<12>(4)? {
                Some(bytes) => bursts(&bytes),
                None => [0; 6],
            },
            recovered: fields.any(5)?.unwrap_or(0),
            frames: fields.any(6)?.unwrap_or(0),
            frames_lost: fields.any(7)?.unwrap_or(0),
            delay_us: fields.any(8)?.unwrap_or(0),
            decode_us: fields.any(9)?.unwrap_or(0),
            backlog: fields.any(10)?.unwrap_or(0),
            largest: fields.any(11)?.unwrap_or(0),
            number: required(12, fields.any(12)?)?,
            interval_us: required(13, fields.any(13)?)?,
            bytes: fields.any(14)?.unwrap_or(0),
        })
    }

    fn write(&self, fields: &mut Writer<'_>) {
        let mut bursts = [0; 12];
        for (bytes, count) in bursts.as_chunks_mut::<2>().0.iter_mut().zip(self.bursts) {
            *bytes = count.to_be_bytes();
        }
        fields.number(1, self.highest).number(2, self.received).number(3, self.lost).bytes(4, &bursts);
        fields.number(5, self.recovered).number(6, self.frames).number(7, self.frames_lost);
        fields.number(8, self.delay_us).number(9, self.decode_us).number(10, self.backlog);
        fields.number(11, self.largest).number(12, self.number).number(13, self.interval_us);
        fields.number(14, self.bytes);
    }
}

fn bursts(bytes: &[u8; 12]) -> [u16; 6] {
    let mut bursts = [0; 6];
    for (count, pair) in bursts.iter_mut().zip(bytes.as_chunks::<2>().0) {
        *count = u16::from_be_bytes(*pair);
    }
    bursts
}

impl Nack {
    fn parse(fields: &mut Fields<'_>) -> Result<Self, Error> {
        let frame = required(1, fields.any(1)?)?;
        let block = required(2, fields.any(2)?)?;
        let ranges = fields.bytes(3)?;
        let whole = fields.flag(4)?.unwrap_or(false);
        let missing = match ranges {
            Some(_) if whole => return Err(Error::Value { tag: 4 }),
            Some(bytes) => Missing::Ranges(parse_ranges(bytes)?),
            None if whole => Missing::Whole,
            None => return Err(Error::Missing { tag: 3 }),
        };
        let (turn, spread) = (fields.any(5)?, fields.any(6)?.unwrap_or(0));
        Ok(Self { frame, block, missing, turn, spread })
    }

    fn write(&self, fields: &mut Writer<'_>) {
        fields.number(1, self.frame).number(2, self.block);
        match &self.missing {
            Missing::Whole => {
                fields.number(4, true);
            }
            Missing::Ranges(ranges) => {
                fields.appended(3, |out| {
                    for (first, count) in ranges.iter().take(MAX_RANGES) {
                        out.extend(first.to_be_bytes());
                        out.extend(count.to_be_bytes());
                    }
                });
            }
        }
        fields.optional(5, self.turn);
        fields.optional(6, (self.spread > 0).then_some(self.spread));
    }
}

/// Ranges that hold something and end within the code, in any order.
fn parse_ranges(bytes: &[u8]) -> Result<Vec<(u16, u16)>, Error> {
    let (pairs, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() || pairs.is_empty() || pairs.len() > MAX_RANGES {
        return Err(Error::Value { tag: 3 });
    }
    let range = |&[a, b, c, d]: &[u8; 4]| {
        let (first, count) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        let fits = count > 0 && first.checked_add(count).is_some();
        fits.then_some((first, count)).ok_or(Error::Value { tag: 3 })
    };
    pairs.iter().map(range).collect()
}

const fn way(kind: u64) -> Direction {
    match kind {
        0x65 | 0x66 => Direction::ToClient,
        _ => Direction::ToHost,
    }
}

/// The reports of one sealed part that came this way, up to the end, the padding or the
/// first that breaks the rules.
#[derive(Clone, Debug)]
pub struct Reports<'a> {
    way: Direction,
    rest: &'a [u8],
}

impl<'a> Reports<'a> {
    /// Reads what was opened.
    pub const fn new(way: Direction, opened: &'a [u8]) -> Self {
        Self { way, rest: opened }
    }

    fn step(&mut self) -> Result<Option<Report>, Error> {
        loop {
            let Some((kind, first)) = varint::decode(self.rest) else {
                return if self.rest.is_empty() { Ok(None) } else { Err(Error::Truncated) };
            };
            if kind == 0 {
                return Ok(None);
            }
            let rest = self.rest.get(first..).unwrap_or_default();
            let (length, second) = varint::decode(rest).ok_or(Error::Truncated)?;
            let rest = rest.get(second..).unwrap_or_default();
            let length = usize::try_from(length).map_err(|_| Error::Truncated)?;
            let (body, rest) = rest.split_at_checked(length).ok_or(Error::Truncated)?;
            self.rest = rest;
            if let Some(report) = Report::parse(kind, body)? {
                return if way(kind) == self.way { Ok(Some(report)) } else { Err(Error::Direction { kind }) };
            }
        }
    }
}

impl Iterator for Reports<'_> {
    type Item = Result<Report, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step();
        if !matches!(step, Ok(Some(_))) {
            self.rest = &[];
        }
        step.transpose()
    }
}
