//! QUIC datagrams (page, section 3): what is worth nothing when it is late. Each is one
//! message of a fixed layout; bytes after it are ignored. A parser that fails means that
//! the datagram is thrown away, nothing more.

use super::Error;
use crate::bytes::{Reader, Writer};
use crate::input::pad::{MAX_PADS, Sensor, State};
use crate::native::keys::Direction;

/// Most Opus packets in one datagram: the newest and those before it.
pub const MAX_PACKETS: usize = 8;

/// One QUIC datagram. Sound borrows its packets: nothing is allocated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Datagram<'a> {
    /// The pointer moved: the sum since the start.
    PointerMotion {
        /// Counts these from 0.
        seq: u32,
        /// 256ths of a pixel to the right since the start, wrapping.
        dx: i32,
        /// 256ths of a pixel down since the start, wrapping.
        dy: i32,
    },
    /// The pointer is at this place, 0 to 65,535 across the picture.
    PointerPosition {
        /// Counts these from 0.
        seq: u32,
        /// From the left edge.
        x: u16,
        /// From the top edge.
        y: u16,
    },
    /// Everything that is pressed or pushed on a pad.
    PadState {
        /// Counts these from 0 for each pad.
        seq: u32,
        /// 0 to 15.
        pad: u8,
        /// The state.
        state: State,
    },
    /// A pad moved.
    PadMotion {
        /// Counts these from 0 for each pad, both sensors together.
        seq: u32,
        /// 0 to 15.
        pad: u8,
        /// What measured it.
        sensor: Sensor,
        /// x, y, z in the sensor's unit, finite.
        axes: [f32; 3],
    },
    /// What the motors of a pad do until told otherwise.
    Rumble {
        /// Counts these from 0 for each pad.
        seq: u32,
        /// 0 to 15.
        pad: u8,
        /// The motors.
        motors: Motors,
    },
    /// Sound to the client.
    Sound(Sound<'a>),
    /// Sound of the client's microphone.
    Microphone(Sound<'a>),
    /// What the picture's HDR means; `None`: it has none.
    HdrMetadata(Option<HdrMetadata>),
    /// The colour of a pad's light.
    PadLight {
        /// Counts these from 0 for each pad.
        seq: u32,
        /// 0 to 15.
        pad: u8,
        /// Red, green, blue.
        colour: [u8; 3],
    },
}

/// Motors of a pad, each 0 to 65,535.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Motors {
    /// The heavy one.
    pub low: u16,
    /// The light one.
    pub high: u16,
    /// The one in the left trigger.
    pub left_trigger: u16,
    /// The one in the right trigger.
    pub right_trigger: u16,
}

/// One datagram of sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sound<'a> {
    /// The number of the newest packet, which is the first; each further one is the
    /// packet before.
    pub seq: u32,
    /// Microseconds of the sender's clock when the newest was recorded, 48 bits.
    pub timestamp: u64,
    /// The packets.
    pub packets: Packets<'a>,
}

/// Opus packets of one datagram, newest first: 1 to [`MAX_PACKETS`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Packets<'a> {
    list: [&'a [u8]; MAX_PACKETS],
    count: usize,
}

impl<'a> Packets<'a> {
    /// These packets; `None` when there is none, too many, or one of more than 65,535
    /// bytes.
    pub fn new(packets: &[&'a [u8]]) -> Option<Self> {
        let mut list = [&[][..]; MAX_PACKETS];
        if packets.is_empty() || packets.iter().any(|packet| packet.len() > usize::from(u16::MAX)) {
            return None;
        }
        list.get_mut(..packets.len())?.copy_from_slice(packets);
        Some(Self { list, count: packets.len() })
    }

    /// The packets, newest first.
    pub fn as_slice(&self) -> &[&'a [u8]] {
        self.list.get(..self.count).unwrap_or_default()
    }
}

impl std::fmt::Debug for Packets<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.as_slice()).finish()
    }
}

/// Mastering display and content light (SMPTE ST 2086, CTA-861.3), in the units of
/// HDMI: chromaticities in 50,000ths, luminances in cd/m², the least one in 10,000ths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HdrMetadata {
    /// x and y of red, green and blue.
    pub primaries: [[u16; 2]; 3],
    /// x and y of white.
    pub white: [u16; 2],
    /// Most luminance of the mastering display, cd/m².
    pub maximum: u32,
    /// Least luminance of the mastering display, 10,000ths of cd/m².
    pub minimum: u32,
    /// MaxCLL, cd/m².
    pub content: u16,
    /// MaxFALL, cd/m².
    pub frame_average: u16,
}

impl<'a> Datagram<'a> {
    /// Its number on the wire.
    pub const fn kind(&self) -> u8 {
        match self {
            Self::PointerMotion { .. } => 0x40,
            Self::PointerPosition { .. } => 0x41,
            Self::PadState { .. } => 0x42,
            Self::PadMotion { .. } => 0x43,
            Self::Rumble { .. } => 0x44,
            Self::Sound(_) => 0x45,
            Self::Microphone(_) => 0x46,
            Self::HdrMetadata(_) => 0x47,
            Self::PadLight { .. } => 0x48,
        }
    }

    /// Which way it goes.
    pub const fn way(&self) -> Direction {
        way(self.kind())
    }

    /// Reads a datagram that came this way.
    pub fn parse(direction: Direction, bytes: &'a [u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes);
        let kind = reader.u8()?;
        if !(0x40..=0x48).contains(&kind) {
            return Err(Error::Unknown { kind });
        }
        if way(kind) != direction {
            return Err(Error::Direction { kind: kind.into() });
        }
        Ok(match kind {
            0x45 => Self::Sound(sound(&mut reader)?),
            0x46 => Self::Microphone(sound(&mut reader)?),
            0x47 => Self::HdrMetadata(hdr(&mut reader)?),
            _ => counted(kind, &mut reader)?,
        })
    }

    /// Appends the datagram.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::new(out);
        writer.u8(self.kind());
        match *self {
            Self::PointerMotion { seq, dx, dy } => {
                writer.u32_be(seq).i32_be(dx).i32_be(dy);
            }
            Self::PointerPosition { seq, x, y } => {
                writer.u32_be(seq).u16_be(x).u16_be(y);
            }
            Self::PadState { seq, pad, state } => {
                writer
                    .u32_be(seq)
                    .u8(pad)
                    .u32_be(state.buttons)
                    .u8(state.left_trigger)
                    .u8(state.right_trigger);
                for axis in state.left.into_iter().chain(state.right) {
                    writer.i16_be(axis);
                }
            }
            Self::PadMotion { seq, pad, sensor, axes } => {
                writer.u32_be(seq).u8(pad).u8(if sensor == Sensor::Accelerometer { 1 } else { 2 });
                for axis in axes {
                    writer.u32_be(axis.to_bits());
                }
            }
            Self::Rumble { seq, pad, motors } => {
                writer.u32_be(seq).u8(pad).u16_be(motors.low).u16_be(motors.high);
                writer.u16_be(motors.left_trigger).u16_be(motors.right_trigger);
            }
            Self::Sound(sound) | Self::Microphone(sound) => write_sound(&mut writer, &sound),
            Self::HdrMetadata(metadata) => write_hdr(&mut writer, metadata),
            Self::PadLight { seq, pad, colour } => {
                writer.u32_be(seq).u8(pad).bytes(&colour);
            }
        }
    }
}

const fn way(kind: u8) -> Direction {
    match kind {
        0x44 | 0x45 | 0x47 | 0x48 => Direction::ToClient,
        _ => Direction::ToHost,
    }
}

/// What begins with `seq` and has one length.
fn counted(kind: u8, reader: &mut Reader<'_>) -> Result<Datagram<'static>, Error> {
    let seq = reader.u32_be()?;
    match kind {
        0x40 => Ok(Datagram::PointerMotion { seq, dx: reader.i32_be()?, dy: reader.i32_be()? }),
        0x41 => Ok(Datagram::PointerPosition { seq, x: reader.u16_be()?, y: reader.u16_be()? }),
        0x42 => Ok(Datagram::PadState {
            seq,
            pad: pad(reader)?,
            state: State {
                buttons: reader.u32_be()?,
                left_trigger: reader.u8()?,
                right_trigger: reader.u8()?,
                left: [reader.i16_be()?, reader.i16_be()?],
                right: [reader.i16_be()?, reader.i16_be()?],
            },
        }),
        0x43 => Ok(Datagram::PadMotion {
            seq,
            pad: pad(reader)?,
            sensor: match reader.u8()? {
                1 => Sensor::Accelerometer,
                2 => Sensor::Gyro,
                _ => return Err(Error::Value { tag: 6 }),
            },
            axes: [axis(reader)?, axis(reader)?, axis(reader)?],
        }),
        0x44 => Ok(Datagram::Rumble {
            seq,
            pad: pad(reader)?,
            motors: Motors {
                low: reader.u16_be()?,
                high: reader.u16_be()?,
                left_trigger: reader.u16_be()?,
                right_trigger: reader.u16_be()?,
            },
        }),
        _ => Ok(Datagram::PadLight { seq, pad: pad(reader)?, colour: reader.array()? }),
    }
}

fn pad(reader: &mut Reader<'_>) -> Result<u8, Error> {
    match reader.u8()? {
        pad if pad < MAX_PADS => Ok(pad),
        _ => Err(Error::Value { tag: 5 }),
    }
}

fn axis(reader: &mut Reader<'_>) -> Result<f32, Error> {
    let axis = f32::from_bits(reader.u32_be()?);
    if axis.is_finite() { Ok(axis) } else { Err(Error::Value { tag: 7 }) }
}

fn sound<'a>(reader: &mut Reader<'a>) -> Result<Sound<'a>, Error> {
    let seq = reader.u32_be()?;
    let [a, b, c, d, e, f] = reader.array()?;
    let timestamp = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
    let count = usize::from(reader.u8()?);
    let mut list = [&[][..]; MAX_PACKETS];
    if count == 0 {
        return Err(Error::Value { tag: 11 });
    }
    for packet in list.get_mut(..count).ok_or(Error::Value { tag: 11 })? {
        let length = reader.u16_be()?;
        *packet = reader.take(length.into())?;
    }
    Ok(Sound { seq, timestamp, packets: Packets { list, count } })
}

fn write_sound(writer: &mut Writer<'_>, sound: &Sound<'_>) {
    let [_, _, timestamp @ ..] = sound.timestamp.to_be_bytes();
    let packets = sound.packets.as_slice();
    writer.u32_be(sound.seq).bytes(&timestamp);
    writer.u8(u8::try_from(packets.len()).unwrap_or(u8::MAX));
    for packet in packets {
        writer.u16_be(u16::try_from(packet.len()).unwrap_or(u16::MAX)).bytes(packet);
    }
}

fn hdr(reader: &mut Reader<'_>) -> Result<Option<HdrMetadata>, Error> {
    let on = match reader.u8()? {
        on @ (0 | 1) => on == 1,
        _ => return Err(Error::Value { tag: 1 }),
    };
    let mut point = || Ok::<_, Error>([reader.u16_be()?, reader.u16_be()?]);
    let metadata = HdrMetadata {
        primaries: [point()?, point()?, point()?],
        white: point()?,
        maximum: reader.u32_be()?,
        minimum: reader.u32_be()?,
        content: reader.u16_be()?,
        frame_average: reader.u16_be()?,
    };
    Ok(on.then_some(metadata))
}

fn write_hdr(writer: &mut Writer<'_>, metadata: Option<HdrMetadata>) {
    writer.u8(metadata.is_some().into());
    let metadata = metadata.unwrap_or_default();
    for [x, y] in metadata.primaries.into_iter().chain([metadata.white]) {
        writer.u16_be(x).u16_be(y);
    }
    writer.u32_be(metadata.maximum).u32_be(metadata.minimum);
    writer.u16_be(metadata.content).u16_be(metadata.frame_average);
}
