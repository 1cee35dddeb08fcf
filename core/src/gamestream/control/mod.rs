//! The control stream: what client and host tell each other while they stream,
//! sealed with AES-GCM (sheet, section 14).

mod cipher;
mod repeats;
mod route;

use crate::bytes::{Reader, Truncated, Writer};
use crate::gamestream::input;
use crate::gamestream::input::message::sensor;
use crate::input::pad::{Feedback, Sensor};

pub use cipher::{Cipher, OpenError, SealError, Side, Style, exercise as exercise_cipher};
pub use repeats::Repeats;
pub use route::channel;

/// `Termination` reason of an orderly end.
pub const REASON_GRACEFUL: u32 = 0x8003_0023;
/// `Termination` reason: protected content is on the screen.
pub const REASON_PROTECTED: u32 = 0x800E_9302;
/// `Termination` reason: frames cannot be converted for the encoder.
pub const REASON_CONVERSION: u32 = 0x800E_9403;

const IDR: u16 = 0x0302;
const START_B: u16 = 0x0307;
const PING: u16 = 0x0200;
const INVALIDATE: u16 = 0x0301;
const LONG_TERM_ACK: u16 = 0x0350;
const INPUT: u16 = 0x0206;
const FEC_STATUS: u16 = 0x5502;

const TERMINATION: u16 = 0x0109;
const RUMBLE: u16 = 0x010B;
const HDR_MODE: u16 = 0x010E;
const TRIGGER_RUMBLE: u16 = 0x5500;
const MOTION_REPORTING: u16 = 0x5501;
const LED: u16 = 0x5502;
const ADAPTIVE_TRIGGERS: u16 = 0x5503;

/// How often a client may be asked for motion, Hz: stock clients keep the time between
/// two reports as milliseconds in a byte.
const MOTION_RATES: std::ops::RangeInclusive<u16> = 4..=1000;

/// Bytes of an HDR message; shorter ones are filled up with zeros.
const HDR_LEN: usize = 27;

/// A decrypted message makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// It ends inside a field.
    #[error(transparent)]
    Truncated(#[from] Truncated),
    /// Bytes follow after the length that the message names.
    #[error("{0} bytes follow after the end of the message")]
    Trailing(usize),
    /// The input message inside.
    #[error(transparent)]
    Input(#[from] input::DecodeError),
}

/// State of one frame's error correction, as the client reports it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FecStatus {
    /// The frame.
    pub frame: u32,
    /// Highest packet sequence number received.
    pub highest_seq: u16,
    /// Next packet sequence number that would continue without a gap.
    pub next_contiguous_seq: u16,
    /// Packets missing before the highest.
    pub missing_before_highest: u16,
    /// Data shards of the block.
    pub data_total: u16,
    /// Parity shards of the block.
    pub parity_total: u16,
    /// Data shards received.
    pub data_received: u16,
    /// Parity shards received.
    pub parity_received: u16,
    /// FEC percentage of the block.
    pub percentage: u8,
    /// Which block of the frame.
    pub block_index: u8,
    /// Blocks in the frame.
    pub block_count: u8,
}

impl FecStatus {
    /// Data and parity shards that did not arrive.
    pub fn missing(&self) -> u32 {
        let total = u32::from(self.data_total) + u32::from(self.parity_total);
        total.saturating_sub(u32::from(self.data_received) + u32::from(self.parity_received))
    }

    /// True when enough shards arrived to restore the block.
    pub fn is_repairable(&self) -> bool {
        u32::from(self.data_received) + u32::from(self.parity_received) >= u32::from(self.data_total)
    }
}

/// What a client says.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ClientMessage {
    /// The next frame must be an IDR frame. Also the first message of all.
    IdrRequest,
    /// The second message of all.
    StartB,
    /// Every 100 ms; wants no answer.
    Ping,
    /// Frames `first..=last` are lost.
    InvalidateRange {
        /// First lost frame.
        first: u32,
        /// Last lost frame.
        last: u32,
    },
    /// A long-term reference frame arrived.
    LongTermAck {
        /// The frame.
        frame: u32,
    },
    /// Keyboard, pointer and the like.
    Input(input::Message),
    /// A block of a frame needed repair, or could not be repaired.
    FecStatus(FecStatus),
    /// A type that means nothing here, older generations' statistics among them.
    Other {
        /// Its number.
        kind: u16,
    },
}

/// Static metadata of an HDR picture, in the units of the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HdrMetadata {
    /// x and y of red, green and blue, in 1/50000.
    pub primaries: [[u16; 2]; 3],
    /// x and y of white, in 1/50000.
    pub white: [u16; 2],
    /// Brightest luminance of the mastering display, nits.
    pub max_luminance: u16,
    /// Darkest luminance of the mastering display, 1/10000 nit.
    pub min_luminance: u16,
    /// Brightest pixel of the content, nits.
    pub max_content_light: u16,
    /// Brightest average of a frame, nits.
    pub max_frame_average_light: u16,
    /// Brightest full frame the display can show, nits.
    pub max_full_frame_luminance: u16,
}

/// What a host says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostMessage {
    /// The stream ends; the client tears down at once.
    Termination {
        /// Why, one of the `REASON_` constants.
        reason: u32,
    },
    /// Rumble until the next such message.
    Rumble {
        /// Which gamepad.
        pad: u16,
        /// Low-frequency motor, 0 to 65535.
        low: u16,
        /// High-frequency motor, 0 to 65535.
        high: u16,
    },
    /// Whether the picture is HDR.
    HdrMode {
        /// True for HDR.
        enabled: bool,
        /// All zero for SDR.
        metadata: HdrMetadata,
    },
    /// Rumble of the triggers until the next such message.
    TriggerRumble {
        /// Which gamepad.
        pad: u16,
        /// Left trigger, 0 to 65535.
        left: u16,
        /// Right trigger, 0 to 65535.
        right: u16,
    },
    /// The client should report motion of a gamepad.
    MotionReporting {
        /// Which gamepad.
        pad: u16,
        /// Reports a second, 0 for none.
        rate: u16,
        /// 1 accelerometer, 2 gyroscope.
        sensor: u8,
    },
    /// Colour of a gamepad's light.
    Led {
        /// Which gamepad.
        pad: u16,
        /// Red, green, blue.
        rgb: [u8; 3],
    },
    /// Resistance of the triggers.
    AdaptiveTriggers {
        /// Which gamepad.
        pad: u16,
        /// 4: the right side is valid, 8: the left side is.
        sides: u8,
        /// Effect numbers, left and right.
        effects: [u8; 2],
        /// Effect bytes, left and right.
        data: [[u8; 10]; 2],
    },
    /// A type that means nothing here.
    Other {
        /// Its number.
        kind: u16,
    },
}

/// Splits a message into its type and its payload.
fn open_frame(message: &[u8]) -> Result<(u16, Reader<'_>), DecodeError> {
    let mut reader = Reader::new(message);
    let kind = reader.u16_le()?;
    let len = reader.u16_le()?;
    let payload = reader.take(usize::from(len))?;
    match reader.remaining() {
        0 => Ok((kind, Reader::new(payload))),
        more => Err(DecodeError::Trailing(more)),
    }
}

/// Puts type and length before a payload. Every payload of this module is far
/// shorter than the 65,535 bytes the length can name.
fn frame(kind: u16, fill: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut out = vec![0; 4];
    fill(&mut Writer::new(&mut out));
    let len = u16::try_from(out.len() - 4).unwrap_or(u16::MAX);
    out[..2].copy_from_slice(&kind.to_le_bytes());
    out[2..4].copy_from_slice(&len.to_le_bytes());
    out
}

impl ClientMessage {
    /// Reads a decrypted message. Extra bytes in a payload are ignored: newer
    /// clients may say more.
    pub fn decode(message: &[u8]) -> Result<Self, DecodeError> {
        let (kind, mut payload) = open_frame(message)?;
        Ok(match kind {
            IDR => Self::IdrRequest,
            START_B => Self::StartB,
            PING => Self::Ping,
            INVALIDATE => {
                let first = payload.u32_le()?;
                payload.u32_le()?;
                Self::InvalidateRange { first, last: payload.u32_le()? }
            }
            LONG_TERM_ACK => Self::LongTermAck { frame: payload.u32_le()? },
            INPUT => Self::Input(input::Message::decode(payload.rest())?),
            FEC_STATUS => Self::FecStatus(decode_fec_status(&mut payload)?),
            kind => Self::Other { kind },
        })
    }

    /// The message as a client writes it, to be sealed.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::IdrRequest => frame(IDR, |w| {
                w.u16_le(0);
            }),
            Self::StartB => frame(START_B, |w| {
                w.u8(0);
            }),
            Self::Ping => frame(PING, |w| {
                w.u16_le(4).u32_le(0).u16_le(0);
            }),
            Self::InvalidateRange { first, last } => frame(INVALIDATE, |w| {
                w.u32_le(*first).u32_le(0).u32_le(*last).u32_le(0).u64_le(0);
            }),
            Self::LongTermAck { frame: number } => frame(LONG_TERM_ACK, |w| {
                w.u32_le(*number).u32_le(0);
            }),
            Self::Input(message) => frame(INPUT, |w| {
                w.bytes(&message.encode());
            }),
            Self::FecStatus(status) => frame(FEC_STATUS, |w| {
                w.u32_be(status.frame).u16_be(status.highest_seq).u16_be(status.next_contiguous_seq);
                w.u16_be(status.missing_before_highest).u16_be(status.data_total).u16_be(status.parity_total);
                w.u16_be(status.data_received).u16_be(status.parity_received);
                w.u8(status.percentage).u8(status.block_index).u8(status.block_count);
            }),
            Self::Other { kind } => frame(*kind, |_| {}),
        }
    }
}

fn decode_fec_status(payload: &mut Reader<'_>) -> Result<FecStatus, Truncated> {
    Ok(FecStatus {
        frame: payload.u32_be()?,
        highest_seq: payload.u16_be()?,
        next_contiguous_seq: payload.u16_be()?,
        missing_before_highest: payload.u16_be()?,
        data_total: payload.u16_be()?,
        parity_total: payload.u16_be()?,
        data_received: payload.u16_be()?,
        parity_received: payload.u16_be()?,
        percentage: payload.u8()?,
        block_index: payload.u8()?,
        block_count: payload.u8()?,
    })
}

impl HostMessage {
    /// Reads a decrypted message.
    pub fn decode(message: &[u8]) -> Result<Self, DecodeError> {
        let (kind, mut payload) = open_frame(message)?;
        Ok(match kind {
            TERMINATION => Self::Termination { reason: payload.u32_be()? },
            RUMBLE => {
                payload.u32_le()?;
                Self::Rumble { pad: payload.u16_le()?, low: payload.u16_le()?, high: payload.u16_le()? }
            }
            HDR_MODE => {
                let mut bytes = [0; HDR_LEN];
                let given = payload.rest();
                let len = given.len().min(HDR_LEN);
                bytes[..len].copy_from_slice(&given[..len]);
                decode_hdr(&mut Reader::new(&bytes))?
            }
            TRIGGER_RUMBLE => Self::TriggerRumble {
                pad: payload.u16_le()?,
                left: payload.u16_le()?,
                right: payload.u16_le()?,
            },
            MOTION_REPORTING => Self::MotionReporting {
                pad: payload.u16_le()?,
                rate: payload.u16_le()?,
                sensor: payload.u8()?,
            },
            LED => Self::Led { pad: payload.u16_le()?, rgb: payload.array()? },
            ADAPTIVE_TRIGGERS => Self::AdaptiveTriggers {
                pad: payload.u16_le()?,
                sides: payload.u8()?,
                effects: payload.array()?,
                data: [payload.array()?, payload.array()?],
            },
            kind => Self::Other { kind },
        })
    }

    /// The message as a host writes it, to be sealed.
    pub fn encode(&self) -> Vec<u8> {
        match *self {
            Self::Termination { reason } => frame(TERMINATION, |w| {
                w.u32_be(reason);
            }),
            Self::Rumble { pad, low, high } => frame(RUMBLE, |w| {
                w.u32_le(0).u16_le(pad).u16_le(low).u16_le(high);
            }),
            Self::HdrMode { enabled, ref metadata } => frame(HDR_MODE, |w| {
                w.u8(u8::from(enabled));
                for value in metadata.primaries.iter().chain([&metadata.white]).flatten() {
                    w.u16_le(*value);
                }
                w.u16_le(metadata.max_luminance).u16_le(metadata.min_luminance);
                w.u16_le(metadata.max_content_light).u16_le(metadata.max_frame_average_light);
                w.u16_le(metadata.max_full_frame_luminance);
            }),
            Self::TriggerRumble { pad, left, right } => frame(TRIGGER_RUMBLE, |w| {
                w.u16_le(pad).u16_le(left).u16_le(right);
            }),
            Self::MotionReporting { pad, rate, sensor } => frame(MOTION_REPORTING, |w| {
                w.u16_le(pad).u16_le(rate).u8(sensor);
            }),
            Self::Led { pad, rgb } => frame(LED, |w| {
                w.u16_le(pad).bytes(&rgb);
            }),
            Self::AdaptiveTriggers { pad, sides, effects, data: [left, right] } => {
                frame(ADAPTIVE_TRIGGERS, |w| {
                    w.u16_le(pad).u8(sides).bytes(&effects).bytes(&left).bytes(&right);
                })
            }
            Self::Other { kind } => frame(kind, |_| {}),
        }
    }
}

/// What the pad of this number shall do.
impl From<(u8, Feedback)> for HostMessage {
    fn from((pad, feedback): (u8, Feedback)) -> Self {
        let pad = u16::from(pad);
        match feedback {
            Feedback::Rumble { low, high } => Self::Rumble { pad, low, high },
            Feedback::TriggerRumble { left, right } => Self::TriggerRumble { pad, left, right },
            Feedback::MotionReporting { sensor, rate } => Self::MotionReporting {
                pad,
                rate: if rate == 0 { 0 } else { rate.clamp(*MOTION_RATES.start(), *MOTION_RATES.end()) },
                sensor: match sensor {
                    Sensor::Accelerometer => sensor::ACCELEROMETER,
                    Sensor::Gyro => sensor::GYRO,
                },
            },
            Feedback::Led(rgb) => Self::Led { pad, rgb },
            Feedback::AdaptiveTriggers { sides, effects, left, right } => {
                Self::AdaptiveTriggers { pad, sides, effects, data: [left, right] }
            }
        }
    }
}

fn decode_hdr(payload: &mut Reader<'_>) -> Result<HostMessage, Truncated> {
    let enabled = payload.u8()? != 0;
    let mut point = || Ok::<_, Truncated>([payload.u16_le()?, payload.u16_le()?]);
    let (primaries, white) = ([point()?, point()?, point()?], point()?);
    let metadata = HdrMetadata {
        primaries,
        white,
        max_luminance: payload.u16_le()?,
        min_luminance: payload.u16_le()?,
        max_content_light: payload.u16_le()?,
        max_frame_average_light: payload.u16_le()?,
        max_full_frame_luminance: payload.u16_le()?,
    };
    Ok(HostMessage::HdrMode { enabled, metadata })
}

/// Reads `message` as either side's and checks that what was understood is
/// understood again after writing: what the fuzzer and the corpus tests drive.
///
/// # Panics
///
/// When it is not, which is a defect.
pub fn exercise(message: &[u8]) {
    if let Ok(understood) = ClientMessage::decode(message) {
        assert_eq!(ClientMessage::decode(&understood.encode()), Ok(understood));
    }
    if let Ok(understood) = HostMessage::decode(message) {
        assert_eq!(HostMessage::decode(&understood.encode()), Ok(understood));
    }
}
