//! From wire messages to events: remembers what is held, so that nothing is
//! pressed twice and everything is released at the end.

use std::collections::BTreeSet;

use super::keys::{self, evdev_key};
use super::pads::Pads;
use super::surface::{self, Fingers, PenTrack};
use super::{Message, modifiers};
use crate::input::{Event, pad};

/// evdev codes of the buttons 1 to 5.
const BUTTONS: [u16; 5] = [0x110, 0x112, 0x111, 0x113, 0x114];

/// What a message means, for whoever carries it out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Translated {
    /// For the screen.
    Input(Event),
    /// For the gamepads.
    Pad(pad::Event),
}

/// Translates the input of one client.
#[derive(Clone, Debug, Default)]
pub struct Translator {
    keys: BTreeSet<u16>,
    buttons: BTreeSet<u16>,
    fingers: Fingers,
    pen: PenTrack,
    pads: Pads,
}

impl Translator {
    /// Nothing is held.
    pub const fn new() -> Self {
        Self {
            keys: BTreeSet::new(),
            buttons: BTreeSet::new(),
            fingers: Fingers::new(),
            pen: PenTrack::new(),
            pads: Pads::new(),
        }
    }

    /// The events a message stands for, in order; none for repetitions, for keys
    /// and buttons that do not exist and for kinds that are not understood. Every
    /// share is from 0 to 1 and every float finite.
    pub fn translate(&mut self, message: &Message) -> Vec<Translated> {
        let mut pads = Vec::new();
        match message {
            Message::PadState(said) => self.pads.state(said, &mut pads),
            Message::PadArrival(said) => self.pads.arrival(said, &mut pads),
            Message::PadTouch(said) => self.pads.touch(said, &mut pads),
            Message::PadMotion(said) => self.pads.motion(said, &mut pads),
            Message::PadBattery(said) => self.pads.battery(said, &mut pads),
            other => return self.screen(other).into_iter().map(Translated::Input).collect(),
        }
        pads.into_iter().map(Translated::Pad).collect()
    }

    /// What a message means for the screen.
    fn screen(&mut self, message: &Message) -> Vec<Event> {
        let mut events = Vec::new();
        match *message {
            Message::Touch(ref said) => events.extend(surface::touch(&mut self.fingers, said)),
            Message::Pen(ref said) => events = self.pen.pen(said),
            Message::Key { down: true, key, modifiers, .. } => self.press(key, modifiers, &mut events),
            Message::Key { down: false, key, .. } => {
                if let Some(code) = evdev_key(key).filter(|code| self.keys.remove(code)) {
                    events.push(Event::Key { code, down: false });
                }
            }
            Message::Text(character) => events.push(Event::Text { character }),
            Message::Relative { dx, dy } if (dx, dy) != (0, 0) => {
                events.push(Event::PointerMotion { dx: f64::from(dx), dy: f64::from(dy) });
            }
            Message::Absolute { x, y, max_x, max_y } => {
                events.push(Event::PointerPosition { x: share(x, max_x), y: share(y, max_y) });
            }
            Message::Button { down, button } => {
                let code = usize::from(button).checked_sub(1).and_then(|at| BUTTONS.get(at)).copied();
                let changes =
                    |code: &u16| if down { self.buttons.insert(*code) } else { self.buttons.remove(code) };
                if let Some(code) = code.filter(changes) {
                    events.push(Event::PointerButton { code, down });
                }
            }
            Message::Scroll { amount } if amount != 0 => {
                events.push(Event::Scroll { horizontal: 0, vertical: i32::from(amount) });
            }
            Message::HorizontalScroll { amount } if amount != 0 => {
                events.push(Event::Scroll { horizontal: i32::from(amount), vertical: 0 });
            }
            _ => {}
        }
        events
    }

    fn press(&mut self, key: u8, named: u8, events: &mut Vec<Event>) {
        let Some(code) = evdev_key(key).filter(|code| self.keys.insert(*code)) else { return };
        // Soft keyboards name modifiers that they never press.
        let missing = |(bit, [left, right]): (u8, [u16; 2])| {
            (named & bit != 0 && !self.keys.contains(&left) && !self.keys.contains(&right)).then_some(left)
        };
        let around: Vec<u16> = if keys::is_modifier(code) {
            Vec::new()
        } else {
            [
                (modifiers::SHIFT, [keys::LEFT_SHIFT, keys::RIGHT_SHIFT]),
                (modifiers::CTRL, [keys::LEFT_CTRL, keys::RIGHT_CTRL]),
                (modifiers::ALT, [keys::LEFT_ALT, keys::RIGHT_ALT]),
            ]
            .into_iter()
            .filter_map(missing)
            .collect()
        };
        events.extend(around.iter().map(|code| Event::Key { code: *code, down: true }));
        events.push(Event::Key { code, down: true });
        events.extend(around.iter().rev().map(|code| Event::Key { code: *code, down: false }));
    }

    /// The releases of everything that is held; nothing is held afterwards. Gamepads
    /// let go and stay.
    pub fn release_all(&mut self) -> Vec<Translated> {
        let buttons = std::mem::take(&mut self.buttons);
        // Modifiers last, so that no key is seen without the ones it was pressed with.
        let (last, first): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.keys).into_iter().partition(|code| keys::is_modifier(*code));
        let buttons = buttons.into_iter().map(|code| Event::PointerButton { code, down: false });
        let keys = first.into_iter().chain(last).map(|code| Event::Key { code, down: false });
        let surfaces = [surface::cancel_fingers(&mut self.fingers), self.pen.cancel()];
        let mut pads = Vec::new();
        self.pads.release_all(&mut pads);
        let screen = surfaces.into_iter().flatten().chain(buttons).chain(keys).map(Translated::Input);
        screen.chain(pads.into_iter().map(Translated::Pad)).collect()
    }
}

/// `value` as a share of `max`, from 0 to 1.
fn share(value: i16, max: i16) -> f64 {
    (f64::from(value) / f64::from(max.max(1))).clamp(0.0, 1.0)
}
