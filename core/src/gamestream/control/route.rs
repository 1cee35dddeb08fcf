//! On which ENet channel a client says what, and how it travels (sheet, section 13).

use super::ClientMessage;
use crate::enet::Delivery;
use crate::gamestream::input::Message;
use crate::gamestream::input::message::phase;

/// ENet channels of a client.
pub mod channel {
    /// Whatever has no channel of its own. The host says everything here.
    pub const GENERIC: u8 = 0;
    /// Requests that repair the picture.
    pub const URGENT: u8 = 1;
    /// Keys.
    pub const KEYBOARD: u8 = 2;
    /// The pointer.
    pub const MOUSE: u8 = 3;
    /// The pen.
    pub const PEN: u8 = 4;
    /// Fingers.
    pub const TOUCH: u8 = 5;
    /// Text.
    pub const TEXT: u8 = 6;
    /// The first gamepad; the others follow.
    pub const PADS: u8 = 0x10;
    /// Motion of the first gamepad; the others follow.
    pub const MOTION: u8 = 0x20;
}

/// Pads have 16 channels of each kind.
const PAD_MASK: u8 = 0x0F;

impl ClientMessage {
    /// Channel and delivery of the message. A pen's movement whose buttons changed
    /// must be reliable all the same, which only the client can tell.
    pub fn route(&self) -> (u8, Delivery) {
        match self {
            Self::IdrRequest | Self::InvalidateRange { .. } | Self::LongTermAck { .. } => {
                (channel::URGENT, Delivery::Reliable)
            }
            Self::FecStatus(_) => (channel::GENERIC, Delivery::Unsequenced),
            Self::Input(message) => route_input(message),
            Self::StartB | Self::Ping | Self::Other { .. } => (channel::GENERIC, Delivery::Reliable),
        }
    }
}

fn route_input(message: &Message) -> (u8, Delivery) {
    let moving = |event| match event {
        phase::MOVE | phase::HOVER => Delivery::Unreliable,
        _ => Delivery::Reliable,
    };
    let pad = |number: u8| channel::PADS + (number & PAD_MASK);
    match message {
        Message::Key { .. } => (channel::KEYBOARD, Delivery::Reliable),
        Message::Relative { .. }
        | Message::Absolute { .. }
        | Message::Button { .. }
        | Message::Scroll { .. }
        | Message::HorizontalScroll { .. } => (channel::MOUSE, Delivery::Reliable),
        Message::Pen(pen) => (channel::PEN, moving(pen.event)),
        Message::Touch(touch) => (channel::TOUCH, moving(touch.event)),
        Message::Text(_) => (channel::TEXT, Delivery::Reliable),
        Message::PadState(state) => (pad(state.pad.to_le_bytes()[0]), Delivery::Reliable),
        Message::PadArrival(arrival) => (pad(arrival.pad), Delivery::Reliable),
        Message::PadBattery(battery) => (pad(battery.pad), Delivery::Reliable),
        Message::PadTouch(touch) => (pad(touch.pad), moving(touch.event)),
        Message::PadMotion(motion) => {
            // The sample that says "at rest" is the last one for long.
            let rests = motion.sensor == crate::gamestream::input::message::sensor::GYRO
                && motion.axes.iter().all(|axis| *axis == 0.0);
            let delivery = if rests { Delivery::Reliable } else { Delivery::Unreliable };
            (channel::MOTION + (motion.pad & PAD_MASK), delivery)
        }
        Message::EnableHaptics { .. } | Message::Other { .. } => (channel::GENERIC, Delivery::Reliable),
    }
}
