//! What the user does with gamepads. Each has a number from 0 to 15 that the client gives
//! it.

use punktfunk_client::input::pad::{Arrival, Change, Charge, Event, Kind, Sensor, State, Touch};

use crate::abi::{self, plain, small};
use crate::error::{Failure, guard};
use crate::handle::{self, PunktfunkSession};
use crate::input::phase;

/// Pad: it did not say what it is.
pub const PUNKTFUNK_PAD_UNKNOWN: u32 = 0;
/// Pad: an Xbox pad.
pub const PUNKTFUNK_PAD_XBOX: u32 = 1;
/// Pad: a PlayStation pad.
pub const PUNKTFUNK_PAD_PLAYSTATION: u32 = 2;
/// Pad: a Nintendo pad.
pub const PUNKTFUNK_PAD_NINTENDO: u32 = 3;
/// Pad: a Steam Controller or Deck.
pub const PUNKTFUNK_PAD_STEAM: u32 = 4;

/// Capability: triggers with a range.
pub const PUNKTFUNK_PAD_CAN_ANALOG_TRIGGERS: u32 = 0x1;
/// Capability: two motors.
pub const PUNKTFUNK_PAD_CAN_RUMBLE: u32 = 0x2;
/// Capability: motors in the triggers.
pub const PUNKTFUNK_PAD_CAN_TRIGGER_RUMBLE: u32 = 0x4;
/// Capability: a touchpad.
pub const PUNKTFUNK_PAD_CAN_TOUCHPAD: u32 = 0x8;
/// Capability: an accelerometer.
pub const PUNKTFUNK_PAD_CAN_ACCELEROMETER: u32 = 0x10;
/// Capability: a gyroscope.
pub const PUNKTFUNK_PAD_CAN_GYRO: u32 = 0x20;
/// Capability: it tells its battery.
pub const PUNKTFUNK_PAD_CAN_BATTERY: u32 = 0x40;
/// Capability: a light of any colour.
pub const PUNKTFUNK_PAD_CAN_LED: u32 = 0x80;
/// Capability: a second touchpad.
pub const PUNKTFUNK_PAD_CAN_SECOND_TOUCHPAD: u32 = 0x100;

/// Button: direction pad.
pub const PUNKTFUNK_PAD_UP: u32 = 0x1;
/// Button: direction pad.
pub const PUNKTFUNK_PAD_DOWN: u32 = 0x2;
/// Button: direction pad.
pub const PUNKTFUNK_PAD_LEFT: u32 = 0x4;
/// Button: direction pad.
pub const PUNKTFUNK_PAD_RIGHT: u32 = 0x8;
/// Button: start, menu, options.
pub const PUNKTFUNK_PAD_START: u32 = 0x10;
/// Button: back, view, share.
pub const PUNKTFUNK_PAD_BACK: u32 = 0x20;
/// Button: left stick pressed.
pub const PUNKTFUNK_PAD_L3: u32 = 0x40;
/// Button: right stick pressed.
pub const PUNKTFUNK_PAD_R3: u32 = 0x80;
/// Button: left shoulder.
pub const PUNKTFUNK_PAD_LB: u32 = 0x100;
/// Button: right shoulder.
pub const PUNKTFUNK_PAD_RB: u32 = 0x200;
/// Button: the one with the maker's sign.
pub const PUNKTFUNK_PAD_GUIDE: u32 = 0x400;
/// Button: the lower face button.
pub const PUNKTFUNK_PAD_A: u32 = 0x1000;
/// Button: the right face button.
pub const PUNKTFUNK_PAD_B: u32 = 0x2000;
/// Button: the left face button.
pub const PUNKTFUNK_PAD_X: u32 = 0x4000;
/// Button: the upper face button.
pub const PUNKTFUNK_PAD_Y: u32 = 0x8000;
/// Button: paddle on the back; 2 to 4 are the next higher bits.
pub const PUNKTFUNK_PAD_PADDLE_1: u32 = 0x10000;
/// Button: the touchpad pressed.
pub const PUNKTFUNK_PAD_TOUCHPAD: u32 = 0x100000;
/// Button: share, capture, microphone.
pub const PUNKTFUNK_PAD_MISC: u32 = 0x200000;

/// Sensor: acceleration, m/s².
pub const PUNKTFUNK_SENSOR_ACCELEROMETER: u32 = 1;
/// Sensor: turning, degrees a second.
pub const PUNKTFUNK_SENSOR_GYRO: u32 = 2;

/// Battery: it did not say.
pub const PUNKTFUNK_BATTERY_UNKNOWN: u32 = 0;
/// Battery: there is none.
pub const PUNKTFUNK_BATTERY_ABSENT: u32 = 1;
/// Battery: it is being used up.
pub const PUNKTFUNK_BATTERY_DISCHARGING: u32 = 2;
/// Battery: it is being charged.
pub const PUNKTFUNK_BATTERY_CHARGING: u32 = 3;
/// Battery: it is connected and not being charged.
pub const PUNKTFUNK_BATTERY_NOT_CHARGING: u32 = 4;
/// Battery: it is full.
pub const PUNKTFUNK_BATTERY_FULL: u32 = 5;
/// How full it is, is not known.
pub const PUNKTFUNK_BATTERY_NO_PERCENT: u32 = 255;

/// Everything that is pressed or pushed on a pad, whole.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PunktfunkPadState {
    /// `sizeof(PunktfunkPadState)`.
    pub struct_size: u32,
    /// `PUNKTFUNK_PAD_...` bits of the buttons.
    pub buttons: u32,
    /// Left trigger, 0 to 255.
    pub left_trigger: u32,
    /// Right trigger, 0 to 255.
    pub right_trigger: u32,
    /// Left stick, to the right.
    pub left_x: i16,
    /// Left stick, **up**.
    pub left_y: i16,
    /// Right stick, to the right.
    pub right_x: i16,
    /// Right stick, **up**.
    pub right_y: i16,
}
plain!(PunktfunkPadState {
    struct_size,
    buttons,
    left_trigger,
    right_trigger,
    left_x,
    left_y,
    right_x,
    right_y,
});

/// A finger on a pad's touchpad.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PunktfunkPadTouch {
    /// `sizeof(PunktfunkPadTouch)`.
    pub struct_size: u32,
    /// 0, or 1 for the second touchpad.
    pub touchpad: u32,
    /// Tells fingers apart.
    pub id: u32,
    /// `PUNKTFUNK_PHASE_...`.
    pub phase: u32,
    /// From the left edge, 0 to 1.
    pub x: f32,
    /// From the top edge, 0 to 1.
    pub y: f32,
    /// 0 to 1; 0 is not known.
    pub pressure: f32,
}
plain!(PunktfunkPadTouch { struct_size, touchpad, id, phase, x, y, pressure });

fn send(session: *const PunktfunkSession, pad: u32, change: impl FnOnce() -> Result<Change, Failure>) -> u32 {
    guard(|| {
        let session = handle::at(session)?;
        let index = small(pad, "the number of the pad")?;
        Ok(session.pad(&Event { index, change: change()? })?)
    })
}

/// A pad was attached: `kind` is `PUNKTFUNK_PAD_...`, `capabilities` are
/// `PUNKTFUNK_PAD_CAN_...` bits, and `buttons` those that it has.
#[unsafe(no_mangle)]
pub extern "C" fn punktfunk_pad_arrived(
    session: *const PunktfunkSession,
    pad: u32,
    kind: u32,
    capabilities: u32,
    buttons: u32,
) -> u32 {
    send(session, pad, || {
        let kind = match kind {
            PUNKTFUNK_PAD_UNKNOWN => Kind::Unknown,
            PUNKTFUNK_PAD_XBOX => Kind::Xbox,
            PUNKTFUNK_PAD_PLAYSTATION => Kind::PlayStation,
            PUNKTFUNK_PAD_NINTENDO => Kind::Nintendo,
            PUNKTFUNK_PAD_STEAM => Kind::Steam,
            _ => return Err(Failure::value("the kind of the pad")),
        };
        let capabilities = small(capabilities, "the capabilities")?;
        Ok(Change::Arrived(Arrival { kind, capabilities, buttons }))
    })
}

/// Buttons, sticks and triggers of a pad.
///
/// # Safety
/// `state` is NULL or a struct of `struct_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn punktfunk_pad_state(
    session: *const PunktfunkSession,
    pad: u32,
    state: *const PunktfunkPadState,
) -> u32 {
    send(session, pad, || {
        // SAFETY: the caller keeps what is asked for above.
        let state = unsafe { abi::read(state)? };
        Ok(Change::State(State {
            buttons: state.buttons,
            left_trigger: small(state.left_trigger, "the left trigger")?,
            right_trigger: small(state.right_trigger, "the right trigger")?,
            left: [state.left_x, state.left_y],
            right: [state.right_x, state.right_y],
        }))
    })
}

/// A pad moved: `sensor` is `PUNKTFUNK_SENSOR_...`, whose unit `x`, `y` and `z` have; the
/// axes are those of SDL.
#[unsafe(no_mangle)]
pub extern "C" fn punktfunk_pad_motion(
    session: *const PunktfunkSession,
    pad: u32,
    sensor: u32,
    x: f32,
    y: f32,
    z: f32,
) -> u32 {
    send(session, pad, || {
        let sensor = match sensor {
            PUNKTFUNK_SENSOR_ACCELEROMETER => Sensor::Accelerometer,
            PUNKTFUNK_SENSOR_GYRO => Sensor::Gyro,
            _ => return Err(Failure::value("the sensor")),
        };
        let axes = [x, y, z];
        if !axes.iter().all(|axis| axis.is_finite()) {
            return Err(Failure::value("the motion"));
        }
        Ok(Change::Motion { sensor, axes })
    })
}

/// Something was done with a pad's touchpad.
///
/// # Safety
/// `touch` is NULL or a struct of `struct_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn punktfunk_pad_touch(
    session: *const PunktfunkSession,
    pad: u32,
    touch: *const PunktfunkPadTouch,
) -> u32 {
    send(session, pad, || {
        // SAFETY: the caller keeps what is asked for above.
        let touch = unsafe { abi::read(touch)? };
        let (x, y, pressure) = (touch.x, touch.y, touch.pressure);
        if touch.touchpad > 1 || ![x, y, pressure].iter().all(|share| (0.0..=1.0).contains(share)) {
            return Err(Failure::value("the touch"));
        }
        let touchpad = small(touch.touchpad, "the touchpad")?;
        Ok(Change::Touch(Touch { touchpad, id: touch.id, phase: phase(touch.phase)?, x, y, pressure }))
    })
}

/// What a pad's battery does: `charge` is `PUNKTFUNK_BATTERY_...`, `percent` 0 to 100 or
/// `PUNKTFUNK_BATTERY_NO_PERCENT`.
#[unsafe(no_mangle)]
pub extern "C" fn punktfunk_pad_battery(
    session: *const PunktfunkSession,
    pad: u32,
    charge: u32,
    percent: u32,
) -> u32 {
    send(session, pad, || {
        let charge = match charge {
            PUNKTFUNK_BATTERY_UNKNOWN => Charge::Unknown,
            PUNKTFUNK_BATTERY_ABSENT => Charge::Absent,
            PUNKTFUNK_BATTERY_DISCHARGING => Charge::Discharging,
            PUNKTFUNK_BATTERY_CHARGING => Charge::Charging,
            PUNKTFUNK_BATTERY_NOT_CHARGING => Charge::NotCharging,
            PUNKTFUNK_BATTERY_FULL => Charge::Full,
            _ => return Err(Failure::value("the charge")),
        };
        let percent = match percent {
            0..=100 => Some(small(percent, "the percentage")?),
            PUNKTFUNK_BATTERY_NO_PERCENT => None,
            _ => return Err(Failure::value("the percentage")),
        };
        Ok(Change::Battery { charge, percent })
    })
}

/// A pad was taken away.
#[unsafe(no_mangle)]
pub extern "C" fn punktfunk_pad_removed(session: *const PunktfunkSession, pad: u32) -> u32 {
    send(session, pad, || Ok(Change::Left))
}

#[cfg(test)]
mod tests {
    use super::*;
    use punktfunk_client::input::pad::{button, capability};

    #[test]
    fn bits_are_those_of_the_library() {
        let ours = [
            PUNKTFUNK_PAD_UP,
            PUNKTFUNK_PAD_DOWN,
            PUNKTFUNK_PAD_LEFT,
            PUNKTFUNK_PAD_RIGHT,
            PUNKTFUNK_PAD_START,
            PUNKTFUNK_PAD_BACK,
            PUNKTFUNK_PAD_L3,
            PUNKTFUNK_PAD_R3,
            PUNKTFUNK_PAD_LB,
            PUNKTFUNK_PAD_RB,
            PUNKTFUNK_PAD_GUIDE,
            PUNKTFUNK_PAD_A,
            PUNKTFUNK_PAD_B,
            PUNKTFUNK_PAD_X,
            PUNKTFUNK_PAD_Y,
            PUNKTFUNK_PAD_PADDLE_1,
            PUNKTFUNK_PAD_TOUCHPAD,
            PUNKTFUNK_PAD_MISC,
        ];
        use button::*;
        let theirs = [
            UP, DOWN, LEFT, RIGHT, START, BACK, L3, R3, LB, RB, GUIDE, A, B, X, Y, PADDLES[0], TOUCHPAD, MISC,
        ];
        assert_eq!(ours, theirs);
        let ours = [
            PUNKTFUNK_PAD_CAN_ANALOG_TRIGGERS,
            PUNKTFUNK_PAD_CAN_RUMBLE,
            PUNKTFUNK_PAD_CAN_TRIGGER_RUMBLE,
            PUNKTFUNK_PAD_CAN_TOUCHPAD,
            PUNKTFUNK_PAD_CAN_ACCELEROMETER,
            PUNKTFUNK_PAD_CAN_GYRO,
            PUNKTFUNK_PAD_CAN_BATTERY,
            PUNKTFUNK_PAD_CAN_LED,
            PUNKTFUNK_PAD_CAN_SECOND_TOUCHPAD,
        ];
        let theirs = [
            capability::ANALOG_TRIGGERS,
            capability::RUMBLE,
            capability::TRIGGER_RUMBLE,
            capability::TOUCHPAD,
            capability::ACCELEROMETER,
            capability::GYRO,
            capability::BATTERY,
            capability::LED,
            capability::SECOND_TOUCHPAD,
        ];
        assert_eq!(ours, theirs.map(u32::from));
    }
}
