//! One input event model for every protocol and every injector.
//!
//! Protocols translate what a client sends into [`Event`]; a seat (or, later, a
//! real desktop) carries it out. Key codes and button codes are those of Linux
//! `input-event-codes.h`, so that no second table is needed below this line.

pub mod pad;

/// What a finger or a pen does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It is above the surface.
    Hover,
    /// It touched the surface.
    Down,
    /// It left the surface.
    Up,
    /// It moved on the surface.
    Move,
    /// What it did shall not count.
    Cancel,
    /// Only its buttons changed.
    Button,
    /// It is no longer above the surface.
    HoverEnd,
    /// What any of them did shall not count.
    CancelAll,
}

/// A finger on the client's screen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Touch {
    /// Tells fingers apart.
    pub id: u32,
    /// What it does.
    pub phase: Phase,
    /// From the left edge, 0.0 to 1.0.
    pub x: f64,
    /// From the top edge, 0.0 to 1.0.
    pub y: f64,
    /// 0.0 to 1.0 while it touches, when known.
    pub pressure: Option<f64>,
    /// Longer and shorter axis of the contact as shares of the screen, when known.
    pub contact: Option<[f64; 2]>,
    /// Degrees clockwise, 0 to 360, when known.
    pub rotation: Option<u16>,
}

/// What the pen is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// It writes. Also when the client did not say.
    Pen,
    /// It erases.
    Eraser,
}

/// A pen on or above the client's screen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pen {
    /// What it does.
    pub phase: Phase,
    /// Which end of it.
    pub tool: Tool,
    /// Its buttons: 1, 2 and 4.
    pub buttons: u8,
    /// From the left edge, 0.0 to 1.0.
    pub x: f64,
    /// From the top edge, 0.0 to 1.0.
    pub y: f64,
    /// 0.0 to 1.0 while it touches, when known.
    pub pressure: Option<f64>,
    /// 0.0 (near) to 1.0 (far) while it hovers, when known.
    pub distance: Option<f64>,
    /// Where its tip points to, in degrees clockwise from up, 0 to 360, when known: a
    /// pen that leans towards the user points up.
    pub rotation: Option<u16>,
    /// Degrees from upright, 0 to 90, when known.
    pub tilt: Option<u8>,
}

/// Something a client did with keyboard, pointer, finger or pen.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A key went down or up. `code` is an evdev key code (`KEY_A` is 30).
    Key {
        /// evdev key code.
        code: u16,
        /// True for a press.
        down: bool,
    },
    /// The pointer moved by so many pixels; positive is right and down.
    PointerMotion {
        /// Pixels to the right.
        dx: f64,
        /// Pixels down.
        dy: f64,
    },
    /// The pointer is at this place of the output, both from 0.0 to 1.0.
    PointerPosition {
        /// From the left edge.
        x: f64,
        /// From the top edge.
        y: f64,
    },
    /// A button went down or up. `code` is an evdev button code (`BTN_LEFT` is 0x110).
    PointerButton {
        /// evdev button code.
        code: u16,
        /// True for a press.
        down: bool,
    },
    /// The wheel turned, in 120ths of a notch; positive is up (away from the
    /// user) and right.
    Scroll {
        /// 120ths of a notch, positive is right.
        horizontal: i32,
        /// 120ths of a notch, positive is up.
        vertical: i32,
    },
    /// One character that the user entered, whatever key it took.
    Text {
        /// The character.
        character: char,
    },
    /// A finger on the screen.
    Touch(Touch),
    /// A pen.
    Pen(Pen),
    /// Everything that is held goes up: the client is gone.
    ReleaseAll,
}
