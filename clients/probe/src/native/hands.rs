//! What a player does with keyboard, pointer, fingers, a pen and gamepads.

use anyhow::{Context as _, Result};
use punktfunk_client::input::pad::{self, Arrival, Change, State};
use punktfunk_client::input::{Event, Pen, Phase, Tool, Touch};
use punktfunk_core::gamestream::input::evdev_key;

use super::Player;
use crate::keys;

/// `BTN_LEFT`.
pub const LEFT_BUTTON: u16 = 0x110;
/// `KEY_LEFTSHIFT`.
const SHIFT: u16 = 42;

impl Player {
    /// Something was done with keyboard, pointer, finger or pen.
    ///
    /// # Errors
    /// The session has ended, or the host takes nothing in.
    pub fn input(&self, event: &Event) -> Result<()> {
        Ok(self.common.session.input(event)?)
    }

    /// A key by its evdev code goes down or up.
    ///
    /// # Errors
    /// As [`input`](Self::input).
    pub fn key(&self, code: u16, down: bool) -> Result<()> {
        self.input(&Event::Key { code, down })
    }

    /// Types `text` on a US keyboard, shift included.
    ///
    /// # Errors
    /// As [`input`](Self::input); a character is not on that keyboard.
    pub fn type_text(&self, text: &str) -> Result<()> {
        for character in text.chars() {
            let found = keys::key_of(character).and_then(|(key, shift)| Some((evdev_key(key)?, shift)));
            let (code, shift) = found.with_context(|| format!("{character:?} is not on a US keyboard"))?;
            if shift {
                self.key(SHIFT, true)?;
            }
            self.key(code, true)?;
            self.key(code, false)?;
            if shift {
                self.key(SHIFT, false)?;
            }
        }
        Ok(())
    }

    /// Enters `text` as text, whatever keys it would take.
    ///
    /// # Errors
    /// As [`input`](Self::input).
    pub fn text(&self, text: &str) -> Result<()> {
        Ok(self.common.session.text(text)?)
    }

    /// Moves the pointer to a place of the picture, both from 0.0 to 1.0.
    ///
    /// # Errors
    /// As [`input`](Self::input).
    pub fn point(&self, x: f64, y: f64) -> Result<()> {
        self.input(&Event::PointerPosition { x, y })
    }

    /// Moves the pointer by so many pixels.
    ///
    /// # Errors
    /// As [`input`](Self::input).
    pub fn motion(&self, dx: f64, dy: f64) -> Result<()> {
        self.input(&Event::PointerMotion { dx, dy })
    }

    /// A button by its evdev code goes down or up.
    ///
    /// # Errors
    /// As [`input`](Self::input).
    pub fn button(&self, code: u16, down: bool) -> Result<()> {
        self.input(&Event::PointerButton { code, down })
    }

    /// Presses and releases the left button.
    ///
    /// # Errors
    /// As [`input`](Self::input).
    pub fn click(&self) -> Result<()> {
        self.button(LEFT_BUTTON, true)?;
        self.button(LEFT_BUTTON, false)
    }

    /// Turns the wheel, in 120ths of a notch; positive is right and up.
    ///
    /// # Errors
    /// As [`input`](Self::input).
    pub fn scroll(&self, horizontal: i32, vertical: i32) -> Result<()> {
        self.input(&Event::Scroll { horizontal, vertical })
    }

    /// A finger at a place of the picture, both from 0.0 to 1.0.
    ///
    /// # Errors
    /// As [`input`](Self::input).
    pub fn touch(&self, id: u32, phase: Phase, x: f64, y: f64) -> Result<()> {
        let pressure = matches!(phase, Phase::Down | Phase::Move).then_some(0.5);
        self.input(&Event::Touch(Touch { id, phase, x, y, pressure, contact: None, rotation: None }))
    }

    /// A finger comes down and leaves again at the same place.
    ///
    /// # Errors
    /// As [`input`](Self::input).
    pub fn tap(&self, x: f64, y: f64) -> Result<()> {
        self.touch(0, Phase::Down, x, y)?;
        self.touch(0, Phase::Up, x, y)
    }

    /// A pen that writes, without buttons and tilt, at a place of the picture.
    ///
    /// # Errors
    /// As [`input`](Self::input).
    pub fn pen_at(&self, phase: Phase, x: f64, y: f64, pressure: f64) -> Result<()> {
        let (tool, pressure) = (Tool::Pen, Some(pressure));
        let (distance, rotation, tilt) = (None, None, None);
        self.input(&Event::Pen(Pen { phase, tool, buttons: 0, x, y, pressure, distance, rotation, tilt }))
    }

    /// Everything that is held goes up.
    ///
    /// # Errors
    /// As [`input`](Self::input).
    pub fn release_all(&self) -> Result<()> {
        self.input(&Event::ReleaseAll)
    }

    /// Something happens to a gamepad.
    ///
    /// # Errors
    /// As [`input`](Self::input); there is no pad with that number.
    pub fn pad(&self, index: u8, change: Change) -> Result<()> {
        Ok(self.common.session.pad(&pad::Event { index, change })?)
    }

    /// A gamepad is attached.
    ///
    /// # Errors
    /// As [`pad`](Self::pad).
    pub fn pad_arrive(&self, index: u8, arrival: Arrival) -> Result<()> {
        self.pad(index, Change::Arrived(arrival))
    }

    /// A gamepad's whole state.
    ///
    /// # Errors
    /// As [`pad`](Self::pad).
    pub fn pad_state(&self, index: u8, state: State) -> Result<()> {
        self.pad(index, Change::State(state))
    }

    /// A gamepad is taken away.
    ///
    /// # Errors
    /// As [`pad`](Self::pad).
    pub fn pad_leave(&self, index: u8) -> Result<()> {
        self.pad(index, Change::Left)
    }

    /// A packet of the microphone: Opus, 48 kHz, 10 ms.
    ///
    /// # Errors
    /// As [`input`](Self::input); the packet is empty or endless.
    pub fn speak(&self, packet: &[u8]) -> Result<()> {
        Ok(self.common.session.mic(packet)?)
    }

    /// Something was copied here.
    ///
    /// # Errors
    /// As [`input`](Self::input); it is longer than 65,000 bytes.
    pub fn copy(&self, mime: &str, data: &[u8]) -> Result<()> {
        Ok(self.common.session.clipboard(mime, data)?)
    }
}
