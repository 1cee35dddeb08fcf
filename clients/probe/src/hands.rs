//! What a player does with fingers, a pen and gamepads.

use std::sync::atomic::Ordering;

use punktfunk_core::gamestream::control::ClientMessage;
use punktfunk_core::gamestream::input::Message;
use punktfunk_core::gamestream::input::message::{
    Arrival, Battery, Motion, PadState, PadTouch, Pen, ROTATION_UNKNOWN, TILT_UNKNOWN, Touch, phase, tool,
};

use crate::Player;

impl Player {
    /// A finger at a place of the picture, both from 0.0 to 1.0; `event` is one of
    /// [`phase`]. For everything else a finger can say, see [`Player::input`].
    pub fn touch(&self, id: u32, event: u8, x: f32, y: f32) {
        let lifted = matches!(event, phase::UP | phase::CANCEL | phase::CANCEL_ALL);
        let pressure = if lifted { 0.0 } else { 0.5 };
        let touch = Touch { event, rotation: ROTATION_UNKNOWN, id, x, y, pressure, contact: [0.0; 2] };
        self.input(Message::Touch(touch));
    }

    /// A finger comes down and leaves again at the same place.
    pub fn tap(&self, x: f32, y: f32) {
        self.touch(0, phase::DOWN, x, y);
        self.touch(0, phase::UP, x, y);
    }

    /// A pen, whole. Movements are unreliable unless its buttons change.
    pub fn pen(&self, pen: Pen) {
        let before = self.pen_buttons.swap(pen.buttons, Ordering::Relaxed);
        self.link.say(ClientMessage::Input(Message::Pen(pen)), before != pen.buttons);
    }

    /// A pen that writes, without buttons and tilt, at a place of the picture.
    pub fn pen_at(&self, event: u8, x: f32, y: f32, pressure: f32) {
        self.pen(Pen {
            event,
            tool: tool::PEN,
            buttons: 0,
            x,
            y,
            pressure,
            rotation: ROTATION_UNKNOWN,
            tilt: TILT_UNKNOWN,
            contact: [0.0; 2],
        });
    }

    /// One character as text, whatever key it would take.
    pub fn text(&self, character: char) {
        self.input(Message::Text(character));
    }

    /// A gamepad is attached: as stock clients do, its first state follows.
    pub fn pad_arrive(&self, arrival: Arrival) {
        self.input(Message::PadArrival(arrival));
        self.pad_state(PadState { pad: u16::from(arrival.pad), ..PadState::default() });
    }

    /// A gamepad's whole state. Its bit in the mask of pads is set for it.
    pub fn pad_state(&self, state: PadState) {
        let own = 1_u16.checked_shl(u32::from(state.pad)).unwrap_or(0);
        let active = self.pads.fetch_or(own, Ordering::Relaxed) | own;
        self.input(Message::PadState(PadState { active, ..state }));
    }

    /// A gamepad is taken away.
    pub fn pad_leave(&self, pad: u8) {
        let own = 1_u16.checked_shl(u32::from(pad)).unwrap_or(0);
        let active = self.pads.fetch_and(!own, Ordering::Relaxed) & !own;
        self.input(Message::PadState(PadState { pad: u16::from(pad), active, ..PadState::default() }));
    }

    /// A finger on a gamepad's touchpad.
    pub fn pad_touch(&self, touch: PadTouch) {
        self.input(Message::PadTouch(touch));
    }

    /// A gamepad moves. Stock clients say so only when the host asked for it.
    pub fn pad_motion(&self, motion: Motion) {
        self.input(Message::PadMotion(motion));
    }

    /// A gamepad tells its battery.
    pub fn pad_battery(&self, battery: Battery) {
        self.input(Message::PadBattery(battery));
    }
}
