//! What input messages of touch screens, pens and gamepads carry, in the units of
//! the wire (sheet, section 15).

/// Numbers of [`Touch::event`], [`Pen::event`] and [`PadTouch::event`].
pub mod phase {
    /// Above the surface; the pressure is a distance, 1 the farthest.
    pub const HOVER: u8 = 0;
    /// Touched.
    pub const DOWN: u8 = 1;
    /// Lifted.
    pub const UP: u8 = 2;
    /// Moved while touching.
    pub const MOVE: u8 = 3;
    /// Shall not count; only the pointer matters.
    pub const CANCEL: u8 = 4;
    /// Only tool and buttons matter.
    pub const BUTTON: u8 = 5;
    /// No longer above the surface.
    pub const HOVER_END: u8 = 6;
    /// None of the pointers shall count; nothing else matters.
    pub const CANCEL_ALL: u8 = 7;

    /// True when the place in the message counts.
    pub(in super::super) const fn has_place(event: u8) -> bool {
        matches!(event, HOVER | DOWN | MOVE)
    }
}

/// Numbers of [`Pen::tool`].
pub mod tool {
    /// It did not say.
    pub const UNKNOWN: u8 = 0;
    /// It writes.
    pub const PEN: u8 = 1;
    /// It erases.
    pub const ERASER: u8 = 2;
}

/// Numbers of [`Motion::sensor`], also in the host's wish for motion.
pub mod sensor {
    /// m/s².
    pub const ACCELEROMETER: u8 = 1;
    /// Degrees a second.
    pub const GYRO: u8 = 2;
}

/// [`Touch::rotation`] and [`Pen::rotation`]: not known.
pub const ROTATION_UNKNOWN: u16 = 0xFFFF;
/// [`Pen::tilt`]: not known.
pub const TILT_UNKNOWN: u8 = 255;
/// [`Battery::percent`]: not known.
pub const PERCENT_UNKNOWN: u8 = 255;

/// A finger on the client's screen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Touch {
    /// One of [`phase`].
    pub event: u8,
    /// Degrees, or [`ROTATION_UNKNOWN`].
    pub rotation: u16,
    /// Which finger.
    pub id: u32,
    /// From the left, 0 to 1.
    pub x: f32,
    /// From the top, 0 to 1.
    pub y: f32,
    /// 0 to 1, a distance when hovering; 0 is unknown.
    pub pressure: f32,
    /// Longer and shorter axis of the contact, 0 to 1; 0 is unknown.
    pub contact: [f32; 2],
}

/// A pen on the client's screen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pen {
    /// One of [`phase`].
    pub event: u8,
    /// One of [`tool`].
    pub tool: u8,
    /// Bits 1, 2 and 4.
    pub buttons: u8,
    /// From the left, 0 to 1.
    pub x: f32,
    /// From the top, 0 to 1.
    pub y: f32,
    /// 0 to 1, a distance when hovering; 0 is unknown.
    pub pressure: f32,
    /// Degrees, or [`ROTATION_UNKNOWN`].
    pub rotation: u16,
    /// Degrees from upright, 0 to 90, or [`TILT_UNKNOWN`].
    pub tilt: u8,
    /// Longer and shorter axis of the contact, 0 to 1; 0 is unknown.
    pub contact: [f32; 2],
}

/// The whole state of a gamepad.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PadState {
    /// Which pad, 0 to 15.
    pub pad: u16,
    /// A bit for each pad that is attached.
    pub active: u16,
    /// Bits of [`crate::input::pad::button`].
    pub buttons: u32,
    /// 0 to 255.
    pub left_trigger: u8,
    /// 0 to 255.
    pub right_trigger: u8,
    /// Left stick, x to the right and y up.
    pub left: [i16; 2],
    /// Right stick, x to the right and y up.
    pub right: [i16; 2],
}

/// A gamepad was attached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arrival {
    /// Which pad, 0 to 15.
    pub pad: u8,
    /// 0 unknown, 1 Xbox, 2 PlayStation, 3 Nintendo, 4 Steam.
    pub kind: u8,
    /// Bits of [`crate::input::pad::capability`].
    pub capabilities: u16,
    /// Bits of [`crate::input::pad::button`]: those it has.
    pub buttons: u32,
}

/// A finger on a gamepad's touchpad.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PadTouch {
    /// Which pad, 0 to 15.
    pub pad: u8,
    /// One of [`phase`].
    pub event: u8,
    /// 0, or 1 for the second touchpad.
    pub touchpad: u8,
    /// Which finger.
    pub id: u32,
    /// From the left, 0 to 1.
    pub x: f32,
    /// From the top, 0 to 1.
    pub y: f32,
    /// 0 to 1; 0 is unknown.
    pub pressure: f32,
}

/// A gamepad was moved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Motion {
    /// Which pad, 0 to 15.
    pub pad: u8,
    /// One of [`sensor`].
    pub sensor: u8,
    /// x, y and z as SDL has them.
    pub axes: [f32; 3],
}

/// A gamepad's battery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Battery {
    /// Which pad, 0 to 15.
    pub pad: u8,
    /// 0 unknown, 1 absent, 2 discharging, 3 charging, 4 not charging, 5 full.
    pub state: u8,
    /// 0 to 100, or [`PERCENT_UNKNOWN`].
    pub percent: u8,
}
