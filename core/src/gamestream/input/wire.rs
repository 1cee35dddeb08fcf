//! Input messages as bytes (sheet, section 15).
//!
//! No float that is not a number leaves this module: where zero means "unknown" it
//! becomes zero, where something must be known the message is an error.

use super::message::{Arrival, Battery, Motion, PadState, PadTouch, Pen, Touch, phase};
use super::{DecodeError, Message};
use crate::bytes::{Reader, Writer};

const KEY_DOWN: u32 = 0x03;
const KEY_UP: u32 = 0x04;
const ABSOLUTE: u32 = 0x05;
const RELATIVE: u32 = 0x07;
const BUTTON_DOWN: u32 = 0x08;
const BUTTON_UP: u32 = 0x09;
const SCROLL: u32 = 0x0A;
const PAD_STATE: u32 = 0x0C;
const HAPTICS: u32 = 0x0D;
const TEXT: u32 = 0x17;
const HORIZONTAL_SCROLL: u32 = 0x5500_0001;
const TOUCH: u32 = 0x5500_0002;
const PEN: u32 = 0x5500_0003;
const PAD_ARRIVAL: u32 = 0x5500_0004;
const PAD_TOUCH: u32 = 0x5500_0005;
const PAD_MOTION: u32 = 0x5500_0006;
const PAD_BATTERY: u32 = 0x5500_0007;

/// Clients set this on every key.
const KEY_FLAG: u16 = 0x8000;
/// Fixed fields of a pad's state, which nobody reads: before the pad, before the
/// buttons, after the sticks, at the end.
const PAD_FIXED: [u16; 4] = [0x1A, 0x14, 0x9C, 0x55];

impl Message {
    /// Reads the payload of a control message of type 0x0206. Bytes after the
    /// known fields of a kind are ignored.
    pub fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let said = reader.u32_be()?;
        let actual = reader.remaining();
        if usize::try_from(said) != Ok(actual) {
            return Err(DecodeError::Size { said, actual });
        }
        let kind = reader.u32_le()?;
        Ok(match kind {
            HAPTICS => Self::EnableHaptics { value: reader.u16_le()? },
            KEY_DOWN | KEY_UP => {
                let flags = reader.u8()?;
                let [key, _] = reader.u16_le()?.to_le_bytes();
                Self::Key { down: kind == KEY_DOWN, flags, key, modifiers: reader.u8()? }
            }
            TEXT => Self::Text(one_character(reader.rest())?),
            RELATIVE => Self::Relative { dx: reader.i16_be()?, dy: reader.i16_be()? },
            ABSOLUTE => {
                let (x, y) = (reader.i16_be()?, reader.i16_be()?);
                reader.u16_be()?;
                Self::Absolute { x, y, max_x: reader.i16_be()?, max_y: reader.i16_be()? }
            }
            BUTTON_DOWN | BUTTON_UP => Self::Button { down: kind == BUTTON_DOWN, button: reader.u8()? },
            SCROLL => Self::Scroll { amount: reader.i16_be()? },
            HORIZONTAL_SCROLL => Self::HorizontalScroll { amount: reader.i16_be()? },
            TOUCH => Self::Touch(touch(&mut reader)?),
            PEN => Self::Pen(pen(&mut reader)?),
            PAD_STATE => Self::PadState(pad_state(&mut reader)?),
            PAD_ARRIVAL => Self::PadArrival(Arrival {
                pad: reader.u8()?,
                kind: reader.u8()?,
                capabilities: reader.u16_le()?,
                buttons: reader.u32_le()?,
            }),
            PAD_TOUCH => Self::PadTouch(pad_touch(&mut reader)?),
            PAD_MOTION => Self::PadMotion(pad_motion(&mut reader)?),
            PAD_BATTERY => {
                Self::PadBattery(Battery { pad: reader.u8()?, state: reader.u8()?, percent: reader.u8()? })
            }
            kind => Self::Other { kind },
        })
    }

    /// The payload as a client writes it.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![0; 4];
        let w = &mut Writer::new(&mut out);
        match self {
            Self::EnableHaptics { value } => w.u32_le(HAPTICS).u16_le(*value),
            Self::Key { down, flags, key, modifiers } => {
                w.u32_le(if *down { KEY_DOWN } else { KEY_UP }).u8(*flags);
                w.u16_le(KEY_FLAG | u16::from(*key)).u8(*modifiers).u16_le(0)
            }
            Self::Text(character) => w.u32_le(TEXT).bytes(character.encode_utf8(&mut [0; 4]).as_bytes()),
            Self::Relative { dx, dy } => w.u32_le(RELATIVE).i16_be(*dx).i16_be(*dy),
            Self::Absolute { x, y, max_x, max_y } => {
                w.u32_le(ABSOLUTE).i16_be(*x).i16_be(*y).u16_be(0).i16_be(*max_x).i16_be(*max_y)
            }
            Self::Button { down, button } => {
                w.u32_le(if *down { BUTTON_DOWN } else { BUTTON_UP }).u8(*button)
            }
            Self::Scroll { amount } => w.u32_le(SCROLL).i16_be(*amount).i16_be(*amount).u16_be(0),
            Self::HorizontalScroll { amount } => w.u32_le(HORIZONTAL_SCROLL).i16_be(*amount),
            Self::Touch(touch) => {
                w.u32_le(TOUCH).u8(touch.event).u8(0).u16_le(touch.rotation).u32_le(touch.id);
                floats(w, &[touch.x, touch.y, touch.pressure, touch.contact[0], touch.contact[1]])
            }
            Self::Pen(pen) => {
                w.u32_le(PEN).u8(pen.event).u8(pen.tool).u8(pen.buttons).u8(0);
                floats(w, &[pen.x, pen.y, pen.pressure]).u16_le(pen.rotation).u8(pen.tilt).u8(0);
                floats(w, &pen.contact)
            }
            Self::PadState(state) => write_pad_state(w, state),
            Self::PadArrival(arrival) => {
                w.u32_le(PAD_ARRIVAL).u8(arrival.pad).u8(arrival.kind);
                w.u16_le(arrival.capabilities).u32_le(arrival.buttons)
            }
            Self::PadTouch(touch) => {
                w.u32_le(PAD_TOUCH).u8(touch.pad).u8(touch.event).u8(0).u8(touch.touchpad);
                floats(w.u32_le(touch.id), &[touch.x, touch.y, touch.pressure])
            }
            Self::PadMotion(motion) => {
                floats(w.u32_le(PAD_MOTION).u8(motion.pad).u8(motion.sensor).u16_le(0), &motion.axes)
            }
            Self::PadBattery(battery) => {
                w.u32_le(PAD_BATTERY).u8(battery.pad).u8(battery.state).u8(battery.percent).u8(0)
            }
            Self::Other { kind } => w.u32_le(*kind),
        };
        let size = u32::try_from(out.len() - 4).unwrap_or(u32::MAX);
        out[..4].copy_from_slice(&size.to_be_bytes());
        out
    }
}

fn floats<'a, 'b>(w: &'a mut Writer<'b>, values: &[f32]) -> &'a mut Writer<'b> {
    for value in values {
        w.f32_le(*value);
    }
    w
}

/// A value where zero means that it is unknown, or that does not count.
fn optional(reader: &mut Reader<'_>) -> Result<f32, DecodeError> {
    let value = reader.f32_le()?;
    Ok(if value.is_finite() { value } else { 0.0 })
}

/// A value that must be known.
fn known(reader: &mut Reader<'_>) -> Result<f32, DecodeError> {
    let value = reader.f32_le()?;
    if value.is_finite() { Ok(value) } else { Err(DecodeError::NotFinite) }
}

/// A coordinate of an event; some say nothing about a place.
fn coordinate(reader: &mut Reader<'_>, event: u8) -> Result<f32, DecodeError> {
    if phase::has_place(event) { known(reader) } else { optional(reader) }
}

fn touch(reader: &mut Reader<'_>) -> Result<Touch, DecodeError> {
    let event = reader.u8()?;
    reader.u8()?;
    Ok(Touch {
        event,
        rotation: reader.u16_le()?,
        id: reader.u32_le()?,
        x: coordinate(reader, event)?,
        y: coordinate(reader, event)?,
        pressure: optional(reader)?,
        contact: [optional(reader)?, optional(reader)?],
    })
}

fn pen(reader: &mut Reader<'_>) -> Result<Pen, DecodeError> {
    let (event, tool, buttons) = (reader.u8()?, reader.u8()?, reader.u8()?);
    reader.u8()?;
    let (x, y) = (coordinate(reader, event)?, coordinate(reader, event)?);
    let (pressure, rotation, tilt) = (optional(reader)?, reader.u16_le()?, reader.u8()?);
    reader.u8()?;
    let contact = [optional(reader)?, optional(reader)?];
    Ok(Pen { event, tool, buttons, x, y, pressure, rotation, tilt, contact })
}

fn pad_state(reader: &mut Reader<'_>) -> Result<PadState, DecodeError> {
    reader.u16_le()?;
    let (pad, active) = (reader.u16_le()?, reader.u16_le()?);
    reader.u16_le()?;
    let low = reader.u16_le()?;
    let (left_trigger, right_trigger) = (reader.u8()?, reader.u8()?);
    let left = [reader.i16_le()?, reader.i16_le()?];
    let right = [reader.i16_le()?, reader.i16_le()?];
    reader.u16_le()?;
    let buttons = u32::from(low) | u32::from(reader.u16_le()?) << 16;
    Ok(PadState { pad, active, buttons, left_trigger, right_trigger, left, right })
}

fn write_pad_state<'a, 'b>(w: &'a mut Writer<'b>, state: &PadState) -> &'a mut Writer<'b> {
    let [first, second, third, last] = PAD_FIXED;
    let [b0, b1, b2, b3] = state.buttons.to_le_bytes();
    w.u32_le(PAD_STATE).u16_le(first).u16_le(state.pad).u16_le(state.active).u16_le(second);
    w.bytes(&[b0, b1, state.left_trigger, state.right_trigger]);
    for axis in state.left.iter().chain(&state.right) {
        w.i16_le(*axis);
    }
    w.u16_le(third).bytes(&[b2, b3]).u16_le(last)
}

fn pad_touch(reader: &mut Reader<'_>) -> Result<PadTouch, DecodeError> {
    let (pad, event) = (reader.u8()?, reader.u8()?);
    reader.u8()?;
    Ok(PadTouch {
        pad,
        event,
        touchpad: reader.u8()?,
        id: reader.u32_le()?,
        x: coordinate(reader, event)?,
        y: coordinate(reader, event)?,
        pressure: optional(reader)?,
    })
}

fn pad_motion(reader: &mut Reader<'_>) -> Result<Motion, DecodeError> {
    let (pad, sensor) = (reader.u8()?, reader.u8()?);
    reader.u16_le()?;
    Ok(Motion { pad, sensor, axes: [known(reader)?, known(reader)?, known(reader)?] })
}

fn one_character(bytes: &[u8]) -> Result<char, DecodeError> {
    let text = str::from_utf8(bytes).map_err(|_| DecodeError::Text)?;
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (Some(character), None) => Ok(character),
        _ => Err(DecodeError::Text),
    }
}
