//! Input on the control stream (page, section 2.3): what must arrive, in order. The
//! units are those of the wire; `wire::input` turns them into the one input model.

use super::Body;
use crate::input::pad::{Charge, Kind, Sensor};
use crate::input::{Phase, Tool};
use crate::native::keys::Direction;
use crate::native::wire::Error;
use crate::native::wire::datagram::Datagram;
use crate::native::wire::fields::{Fields, MAX_BODY, Writer, required};

/// Most bytes of [`Text`].
const MAX_TEXT: usize = 4090;
/// Most bytes of the kind of what was copied.
const MAX_MIME: usize = 128;
/// The highest number of a pad.
const LAST_PAD: u64 = 15;

/// A key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// evdev key code.
    pub code: u16,
    /// True for a press.
    pub down: bool,
}

impl Body for Key {
    fn parse(fields: &mut Fields<'_>) -> Result<Self, Error> {
        Ok(Self { code: required(1, fields.any(1)?)?, down: required(2, fields.flag(2)?)? })
    }

    fn write(&self, fields: &mut Writer<'_>) {
        fields.number(1, self.code).number(2, self.down);
    }
}

/// Text that was entered, whatever keys it took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// At most 4,090 bytes; longer text is several messages.
    pub text: String,
}

impl Body for Text {
    fn parse(fields: &mut Fields<'_>) -> Result<Self, Error> {
        Ok(Self { text: required(1, fields.text(1, MAX_TEXT)?)?.to_owned() })
    }

    fn write(&self, fields: &mut Writer<'_>) {
        fields.bytes(1, self.text.as_bytes());
    }
}

/// A button of the pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Button {
    /// evdev button code.
    pub code: u16,
    /// True for a press.
    pub down: bool,
    /// Where the pointer was; it may have got there by a datagram that is late or lost.
    pub pointer: Option<Pointer>,
}

impl Body for Button {
    fn parse(fields: &mut Fields<'_>) -> Result<Self, Error> {
        Ok(Self {
            code: required(1, fields.any(1)?)?,
            down: required(2, fields.flag(2)?)?,
            pointer: match fields.bytes(3)? {
                Some(bytes) => Pointer::parse(bytes)?,
                None => None,
            },
        })
    }

    fn write(&self, fields: &mut Writer<'_>) {
        fields.number(1, self.code).number(2, self.down);
        if let Some(pointer) = self.pointer {
            let mut bytes = Vec::with_capacity(13);
            Datagram::from(pointer).encode(&mut bytes);
            fields.bytes(3, &bytes);
        }
    }
}

/// The newest datagram about the pointer, said again on the control stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pointer {
    /// [`Datagram::PointerMotion`].
    Motion {
        /// Its number.
        seq: u32,
        /// 256ths of a pixel to the right since the start.
        dx: i32,
        /// 256ths of a pixel down since the start.
        dy: i32,
    },
    /// [`Datagram::PointerPosition`].
    Position {
        /// Its number.
        seq: u32,
        /// From the left edge.
        x: u16,
        /// From the top edge.
        y: u16,
    },
}

impl Pointer {
    /// `None` for a kind that this version does not know.
    fn parse(bytes: &[u8]) -> Result<Option<Self>, Error> {
        match Datagram::parse(Direction::ToHost, bytes) {
            Ok(datagram) => Ok(Self::of(&datagram)),
            Err(Error::Unknown { .. }) => Ok(None),
            Err(_) => Err(Error::Value { tag: 3 }),
        }
    }

    /// What `datagram` says of the pointer; `None` when it says nothing.
    pub const fn of(datagram: &Datagram<'_>) -> Option<Self> {
        match *datagram {
            Datagram::PointerMotion { seq, dx, dy } => Some(Self::Motion { seq, dx, dy }),
            Datagram::PointerPosition { seq, x, y } => Some(Self::Position { seq, x, y }),
            _ => None,
        }
    }
}

impl From<Pointer> for Datagram<'static> {
    fn from(pointer: Pointer) -> Self {
        match pointer {
            Pointer::Motion { seq, dx, dy } => Self::PointerMotion { seq, dx, dy },
            Pointer::Position { seq, x, y } => Self::PointerPosition { seq, x, y },
        }
    }
}

/// The wheel, in 120ths of a notch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scroll {
    /// Positive is right.
    pub horizontal: i32,
    /// Positive is up.
    pub vertical: i32,
}

impl Body for Scroll {
    fn parse(fields: &mut Fields<'_>) -> Result<Self, Error> {
        Ok(Self { horizontal: fields.signed(1)?.unwrap_or(0), vertical: fields.signed(2)?.unwrap_or(0) })
    }

    fn write(&self, fields: &mut Writer<'_>) {
        fields.signed(1, self.horizontal).signed(2, self.vertical);
    }
}

/// A finger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touch {
    /// Tells fingers apart.
    pub id: u32,
    /// What it does.
    pub phase: Phase,
    /// From the left edge, 0 to 65,535 across the picture.
    pub x: u16,
    /// From the top edge, 0 to 65,535.
    pub y: u16,
    /// 0 to 65,535, when known.
    pub pressure: Option<u16>,
    /// Longer and shorter axis, 65,535 is the whole picture, when known.
    pub contact: Option<[u16; 2]>,
    /// Degrees clockwise, 0 to 360, when known.
    pub rotation: Option<u16>,
}

impl Body for Touch {
    fn parse(fields: &mut Fields<'_>) -> Result<Self, Error> {
        Ok(Self {
            id: required(1, fields.any(1)?)?,
            phase: phase(fields, 2)?,
            x: required(3, fields.any(3)?)?,
            y: required(4, fields.any(4)?)?,
            pressure: fields.any(5)?,
            contact: match (fields.any(6)?, fields.any(7)?) {
                (Some(major), minor) => Some([major, minor.unwrap_or(major)]),
                (None, _) => None,
            },
            rotation: fields.number(8, 0, 360)?,
        })
    }

    fn write(&self, fields: &mut Writer<'_>) {
        fields.number(1, self.id).number(2, phase_number(self.phase)).number(3, self.x).number(4, self.y);
        fields.optional(5, self.pressure);
        fields.optional(6, self.contact.map(|[major, _]| major));
        fields.optional(7, self.contact.map(|[_, minor]| minor));
        fields.optional(8, self.rotation);
    }
}

/// A pen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pen {
    /// What it does.
    pub phase: Phase,
    /// Which end of it.
    pub tool: Tool,
    /// Its buttons: 1, 2 and 4.
    pub buttons: u8,
    /// From the left edge, 0 to 65,535 across the picture.
    pub x: u16,
    /// From the top edge, 0 to 65,535.
    pub y: u16,
    /// 0 to 65,535, when known.
    pub pressure: Option<u16>,
    /// 0 (near) to 65,535 (far), when known.
    pub distance: Option<u16>,
    /// Where the tip points to, degrees clockwise from up, 0 to 360, when known.
    pub rotation: Option<u16>,
    /// Degrees from upright, 0 to 90, when known.
    pub tilt: Option<u8>,
}

impl Body for Pen {
    fn parse(fields: &mut Fields<'_>) -> Result<Self, Error> {
        Ok(Self {
            phase: phase(fields, 1)?,
            tool: match required(2, fields.number(2, 1, 2)?)? {
                2u8 => Tool::Eraser,
                _ => Tool::Pen,
            },
            buttons: fields.number(3, 0, 7)?.unwrap_or(0),
            x: required(4, fields.any(4)?)?,
            y: required(5, fields.any(5)?)?,
            pressure: fields.any(6)?,
            distance: fields.any(7)?,
            rotation: fields.number(8, 0, 360)?,
            tilt: fields.number(9, 0, 90)?,
        })
    }

    fn write(&self, fields: &mut Writer<'_>) {
        let tool: u8 = match self.tool {
            Tool::Pen => 1,
            Tool::Eraser => 2,
        };
        fields.number(1, phase_number(self.phase)).number(2, tool).number(3, self.buttons);
        fields.number(4, self.x).number(5, self.y).optional(6, self.pressure).optional(7, self.distance);
        fields.optional(8, self.rotation).optional(9, self.tilt);
    }
}

/// A pad was attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PadArrival {
    /// 0 to 15.
    pub pad: u8,
    /// What it is; a number that this version does not know is [`Kind::Unknown`].
    pub kind: Kind,
    /// [`crate::input::pad::capability`] bits.
    pub capabilities: u16,
    /// The buttons that it has: [`crate::input::pad::button`] bits.
    pub buttons: u32,
}

impl Body for PadArrival {
    fn parse(fields: &mut Fields<'_>) -> Result<Self, Error> {
        Ok(Self {
            pad: pad(fields)?,
            kind: match fields.any::<u64>(2)?.unwrap_or(0) {
                1 => Kind::Xbox,
                2 => Kind::PlayStation,
                3 => Kind::Nintendo,
                4 => Kind::Steam,
                _ => Kind::Unknown,
            },
            capabilities: fields.any(3)?.unwrap_or(0),
            buttons: fields.any(4)?.unwrap_or(0),
        })
    }

    fn write(&self, fields: &mut Writer<'_>) {
        let kind: u8 = match self.kind {
            Kind::Unknown => 0,
            Kind::Xbox => 1,
            Kind::PlayStation => 2,
            Kind::Nintendo => 3,
            Kind::Steam => 4,
        };
        fields.number(1, self.pad).number(2, kind).number(3, self.capabilities).number(4, self.buttons);
    }
}

/// A pad was taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PadRemoval {
    /// 0 to 15.
    pub pad: u8,
}

impl Body for PadRemoval {
    fn parse(fields: &mut Fields<'_>) -> Result<Self, Error> {
        Ok(Self { pad: pad(fields)? })
    }

    fn write(&self, fields: &mut Writer<'_>) {
        fields.number(1, self.pad);
    }
}

/// A finger on a pad's touchpad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PadTouch {
    /// 0 to 15.
    pub pad: u8,
    /// 0, or 1 for the second touchpad.
    pub touchpad: u8,
    /// Tells fingers apart.
    pub id: u32,
    /// What it does.
    pub phase: Phase,
    /// From the left edge, 0 to 65,535.
    pub x: u16,
    /// From the top edge, 0 to 65,535.
    pub y: u16,
    /// 0 to 65,535; 0 is unknown.
    pub pressure: u16,
}

impl Body for PadTouch {
    fn parse(fields: &mut Fields<'_>) -> Result<Self, Error> {
        Ok(Self {
            pad: pad(fields)?,
            touchpad: fields.number(2, 0, 1)?.unwrap_or(0),
            id: required(3, fields.any(3)?)?,
            phase: phase(fields, 4)?,
            x: required(5, fields.any(5)?)?,
            y: required(6, fields.any(6)?)?,
            pressure: fields.any(7)?.unwrap_or(0),
        })
    }

    fn write(&self, fields: &mut Writer<'_>) {
        fields.number(1, self.pad).number(2, self.touchpad).number(3, self.id);
        fields.number(4, phase_number(self.phase)).number(5, self.x).number(6, self.y);
        fields.number(7, self.pressure);
    }
}

/// The battery of a pad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PadBattery {
    /// 0 to 15.
    pub pad: u8,
    /// What it does; a number that this version does not know is [`Charge::Unknown`].
    pub charge: Charge,
    /// 0 to 100, when known.
    pub percent: Option<u8>,
}

impl Body for PadBattery {
    fn parse(fields: &mut Fields<'_>) -> Result<Self, Error> {
        Ok(Self {
            pad: pad(fields)?,
            charge: match fields.any::<u64>(2)?.unwrap_or(0) {
                1 => Charge::Absent,
                2 => Charge::Discharging,
                3 => Charge::Charging,
                4 => Charge::NotCharging,
                5 => Charge::Full,
                _ => Charge::Unknown,
            },
            percent: fields.number(3, 0, 100)?,
        })
    }

    fn write(&self, fields: &mut Writer<'_>) {
        let charge: u8 = match self.charge {
            Charge::Unknown => 0,
            Charge::Absent => 1,
            Charge::Discharging => 2,
            Charge::Charging => 3,
            Charge::NotCharging => 4,
            Charge::Full => 5,
        };
        fields.number(1, self.pad).number(2, charge).optional(3, self.percent);
    }
}

/// How often the motion of a pad is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PadSensor {
    /// 0 to 15.
    pub pad: u8,
    /// Which sensor.
    pub sensor: Sensor,
    /// Hz, 0 to 1000; 0 is never.
    pub rate: u16,
}

impl Body for PadSensor {
    fn parse(fields: &mut Fields<'_>) -> Result<Self, Error> {
        Ok(Self {
            pad: pad(fields)?,
            sensor: match required(2, fields.number(2, 1, 2)?)? {
                1u8 => Sensor::Accelerometer,
                _ => Sensor::Gyro,
            },
            rate: required(3, fields.number(3, 0, 1000)?)?,
        })
    }

    fn write(&self, fields: &mut Writer<'_>) {
        let sensor: u8 = match self.sensor {
            Sensor::Accelerometer => 1,
            Sensor::Gyro => 2,
        };
        fields.number(1, self.pad).number(2, sensor).number(3, self.rate);
    }
}

/// Resistance of a pad's triggers, in the bytes of a DualSense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PadTriggers {
    /// 0 to 15.
    pub pad: u8,
    /// 4: the right side is valid, 8: the left side is.
    pub sides: u8,
    /// Effect numbers, left and right.
    pub effects: [u8; 2],
    /// Parameters of the left side.
    pub left: [u8; 10],
    /// Parameters of the right side.
    pub right: [u8; 10],
}

impl Body for PadTriggers {
    fn parse(fields: &mut Fields<'_>) -> Result<Self, Error> {
        Ok(Self {
            pad: pad(fields)?,
            sides: required(2, fields.any(2)?)?,
            effects: required(3, fields.array(3)?)?,
            left: required(4, fields.array(4)?)?,
            right: required(5, fields.array(5)?)?,
        })
    }

    fn write(&self, fields: &mut Writer<'_>) {
        fields.number(1, self.pad).number(2, self.sides).bytes(3, &self.effects);
        fields.bytes(4, &self.left).bytes(5, &self.right);
    }
}

/// What was copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clipboard {
    /// Its kind, such as `text/plain;charset=utf-8`; at most 128 bytes.
    pub mime: String,
    /// The thing itself; with the kind and four lengths it must fit in 65,536 bytes.
    pub data: Vec<u8>,
}

impl Body for Clipboard {
    fn parse(fields: &mut Fields<'_>) -> Result<Self, Error> {
        let mime = required(1, fields.text(1, MAX_MIME)?)?.to_owned();
        let data = required(2, fields.bytes(2)?)?.to_vec();
        Ok(Self { mime, data })
    }

    fn write(&self, fields: &mut Writer<'_>) {
        fields.name(1, &self.mime, MAX_MIME).bytes(2, &self.data);
    }
}

impl Clipboard {
    /// Most bytes of [`data`](Self::data) that always fit.
    pub const MOST: usize = MAX_BODY as usize - MAX_MIME - 10;
}

fn pad(fields: &mut Fields<'_>) -> Result<u8, Error> {
    required(1, fields.number(1, 0, LAST_PAD)?)
}

/// The phases in the order of their numbers.
const PHASES: [Phase; 8] = [
    Phase::Hover,
    Phase::Down,
    Phase::Up,
    Phase::Move,
    Phase::Cancel,
    Phase::Button,
    Phase::HoverEnd,
    Phase::CancelAll,
];

fn phase(fields: &mut Fields<'_>, tag: u64) -> Result<Phase, Error> {
    let number: usize = required(tag, fields.any(tag)?)?;
    PHASES.get(number).copied().ok_or(Error::Value { tag })
}

fn phase_number(phase: Phase) -> u64 {
    (0..).zip(PHASES).find(|(_, known)| *known == phase).map_or(0, |(number, _)| number)
}
