//! Input messages of the client, and their translation to [`crate::input::Event`]
//! (sheet, section 15).

mod keys;
pub mod message;
mod pads;
mod surface;
mod translator;
mod wire;

use crate::bytes::{Reader, Truncated};
use crate::input::Event;
use crate::input::pad::{Change, MAX_PADS};

pub use keys::evdev_key;
pub use translator::{Translated, Translator};

/// Bits of [`Message::Key`]'s `modifiers`.
pub mod modifiers {
    /// A shift key.
    pub const SHIFT: u8 = 1;
    /// A control key.
    pub const CTRL: u8 = 2;
    /// An alt key.
    pub const ALT: u8 = 4;
    /// A logo key.
    pub const META: u8 = 8;
}

/// An input message makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// It ends inside a field.
    #[error(transparent)]
    Truncated(#[from] Truncated),
    /// Its size field and its length disagree.
    #[error("the input message is {actual} bytes long but says {said}")]
    Size {
        /// What the size field says.
        said: u32,
        /// The bytes after the size field.
        actual: usize,
    },
    /// Its text is not exactly one character of UTF-8.
    #[error("the text is not one character of UTF-8")]
    Text,
    /// A place or a motion is infinite or not a number.
    #[error("a coordinate of the input message is no finite number")]
    NotFinite,
}

/// One input message, in the units of the wire.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Message {
    /// The client can rumble. Sent once at the start.
    EnableHaptics {
        /// What it says; 1.
        value: u16,
    },
    /// A key of the keyboard.
    Key {
        /// True for a press.
        down: bool,
        /// 1: the code depends on the client's layout.
        flags: u8,
        /// Windows virtual-key code.
        key: u8,
        /// Modifiers held at that moment, see [`modifiers`].
        modifiers: u8,
    },
    /// One character that was entered.
    Text(char),
    /// The pointer moved by so many pixels, right and down.
    Relative {
        /// To the right.
        dx: i16,
        /// Down.
        dy: i16,
    },
    /// The pointer is at a place of a reference plane.
    Absolute {
        /// From the left.
        x: i16,
        /// From the top.
        y: i16,
        /// Largest x of the plane (its width − 1).
        max_x: i16,
        /// Largest y of the plane (its height − 1).
        max_y: i16,
    },
    /// A button of the pointer: 1 left, 2 middle, 3 right, 4 and 5 on the side.
    Button {
        /// True for a press.
        down: bool,
        /// Its number.
        button: u8,
    },
    /// The wheel, in 120ths of a notch, positive is up.
    Scroll {
        /// How far.
        amount: i16,
    },
    /// The wheel sideways, in 120ths of a notch, positive is right.
    HorizontalScroll {
        /// How far.
        amount: i16,
    },
    /// A finger on the client's screen.
    Touch(message::Touch),
    /// A pen on the client's screen.
    Pen(message::Pen),
    /// Everything that is pressed on a gamepad.
    PadState(message::PadState),
    /// A gamepad was attached.
    PadArrival(message::Arrival),
    /// A finger on a gamepad's touchpad.
    PadTouch(message::PadTouch),
    /// A gamepad was moved.
    PadMotion(message::Motion),
    /// A gamepad's battery.
    PadBattery(message::Battery),
    /// A kind that means nothing here.
    Other {
        /// Its number.
        kind: u32,
    },
}

/// Reads `script`, payloads after a byte with their length, and translates them:
/// what the fuzzer and the corpus tests drive.
///
/// # Panics
///
/// When a message reads differently after writing, an event says what cannot be, or
/// more is released at the end than was pressed: all are defects.
pub fn exercise(script: &[u8]) {
    let mut translator = Translator::new();
    let mut events = Vec::new();
    let mut reader = Reader::new(script);
    while let Ok(payload) = reader.u8().and_then(|len| reader.take(usize::from(len))) {
        if let Ok(message) = Message::decode(payload) {
            assert_eq!(Message::decode(&message.encode()).as_ref(), Ok(&message));
            events.extend(translator.translate(&message));
        }
    }
    let released = translator.release_all();
    assert!(released.len() <= events.len() && translator.release_all().is_empty());
    assert!(events.iter().chain(&released).all(is_sane), "{events:?}");
}

/// True when every number of an event is within its limits.
fn is_sane(event: &Translated) -> bool {
    let unit = 0.0..=1.0;
    match event {
        Translated::Input(Event::Touch(touch)) => {
            let known = touch.pressure.into_iter().chain(touch.contact.into_iter().flatten());
            [touch.x, touch.y].into_iter().chain(known).all(|share| unit.contains(&share))
        }
        Translated::Input(Event::Pen(pen)) => {
            let known = pen.pressure.into_iter().chain(pen.distance);
            [pen.x, pen.y].into_iter().chain(known).all(|share| unit.contains(&share))
                && pen.tilt.is_none_or(|tilt| tilt <= 90)
        }
        Translated::Pad(pad) => {
            pad.index < MAX_PADS
                && match pad.change {
                    Change::Touch(touch) => {
                        [touch.x, touch.y, touch.pressure].iter().all(|value| (0.0..=1.0).contains(value))
                    }
                    Change::Motion { axes, .. } => axes.iter().all(|axis| axis.is_finite()),
                    Change::Battery { percent, .. } => percent.is_none_or(|percent| percent <= 100),
                    _ => true,
                }
        }
        Translated::Input(_) => true,
    }
}
