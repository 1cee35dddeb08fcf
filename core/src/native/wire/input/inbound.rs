//! The host's side: what came in, as events.

use super::{Newest, unshare};
use crate::input::pad::{self, Change, MAX_PADS};
use crate::input::{Event, Pen, Touch};
use crate::native::wire::control::{self, Control};
use crate::native::wire::datagram::Datagram;

/// Something that a client did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Input {
    /// With keyboard, pointer, finger or pen.
    Event(Event),
    /// With a pad.
    Pad(pad::Event),
}

/// Turns messages and datagrams of one connection into events, in the order in which
/// they count: what is older than what was taken already is left out.
#[derive(Clone, Debug, Default)]
pub struct Inbound {
    motion: Newest,
    /// The sums of the last motion taken.
    sums: [i32; 2],
    position: Newest,
    states: [Newest; MAX_PADS as usize],
    motions: [Newest; MAX_PADS as usize],
}

impl Inbound {
    /// For a connection that said nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends the events that a message of the control stream means: none when it is no
    /// input, several for text.
    pub fn control(&mut self, message: &Control, out: &mut Vec<Input>) {
        let event = match message {
            Control::Key(key) => Event::Key { code: key.code, down: key.down },
            Control::Button(button) => {
                // The pointer first, when the datagram that moved it is not here yet.
                if let Some(pointer) = button.pointer {
                    self.datagram(&pointer.into(), out);
                }
                Event::PointerButton { code: button.code, down: button.down }
            }
            Control::Scroll(control::Scroll { horizontal, vertical }) => {
                Event::Scroll { horizontal: *horizontal, vertical: *vertical }
            }
            Control::Touch(touch) => Event::Touch(finger(touch)),
            Control::Pen(pen) => Event::Pen(stylus(pen)),
            Control::ReleaseAll => Event::ReleaseAll,
            Control::Text(text) => {
                out.extend(text.text.chars().map(|character| Input::Event(Event::Text { character })));
                return;
            }
            _ => {
                out.extend(pad_event(message).map(Input::Pad));
                return;
            }
        };
        out.push(Input::Event(event));
    }

    /// Appends the event that a datagram means; none when it is no input or too old.
    pub fn datagram(&mut self, datagram: &Datagram<'_>, out: &mut Vec<Input>) {
        let input = match *datagram {
            Datagram::PointerMotion { seq, dx, dy } => self.motion.take(seq).then(|| {
                let [x, y] = std::mem::replace(&mut self.sums, [dx, dy]);
                let pixels = |now: i32, before: i32| f64::from(now.wrapping_sub(before)) / 256.0;
                Input::Event(Event::PointerMotion { dx: pixels(dx, x), dy: pixels(dy, y) })
            }),
            Datagram::PointerPosition { seq, x, y } => {
                let event = Event::PointerPosition { x: unshare(x), y: unshare(y) };
                self.position.take(seq).then_some(Input::Event(event))
            }
            Datagram::PadState { seq, pad: index, state } => {
                let event = pad::Event { index, change: Change::State(state) };
                take(&mut self.states, index, seq).then_some(Input::Pad(event))
            }
            Datagram::PadMotion { seq, pad: index, sensor, axes } => {
                let event = pad::Event { index, change: Change::Motion { sensor, axes } };
                take(&mut self.motions, index, seq).then_some(Input::Pad(event))
            }
            _ => None,
        };
        out.extend(input);
    }
}

fn take(newest: &mut [Newest], pad: u8, seq: u32) -> bool {
    newest.get_mut(usize::from(pad)).is_some_and(|newest| newest.take(seq))
}

fn finger(touch: &control::Touch) -> Touch {
    Touch {
        id: touch.id,
        phase: touch.phase,
        x: unshare(touch.x),
        y: unshare(touch.y),
        pressure: touch.pressure.map(unshare),
        contact: touch.contact.map(|axes| axes.map(unshare)),
        rotation: touch.rotation,
    }
}

fn stylus(pen: &control::Pen) -> Pen {
    Pen {
        phase: pen.phase,
        tool: pen.tool,
        buttons: pen.buttons,
        x: unshare(pen.x),
        y: unshare(pen.y),
        pressure: pen.pressure.map(unshare),
        distance: pen.distance.map(unshare),
        rotation: pen.rotation,
        tilt: pen.tilt,
    }
}

fn pad_event(message: &Control) -> Option<pad::Event> {
    let (index, change) = match *message {
        Control::PadArrival(control::PadArrival { pad, kind, capabilities, buttons }) => {
            (pad, Change::Arrived(pad::Arrival { kind, capabilities, buttons }))
        }
        Control::PadRemoval(control::PadRemoval { pad }) => (pad, Change::Left),
        Control::PadTouch(touch) => (
            touch.pad,
            Change::Touch(pad::Touch {
                touchpad: touch.touchpad,
                id: touch.id,
                phase: touch.phase,
                x: single(touch.x),
                y: single(touch.y),
                pressure: single(touch.pressure),
            }),
        ),
        Control::PadBattery(control::PadBattery { pad, charge, percent }) => {
            (pad, Change::Battery { charge, percent })
        }
        _ => return None,
    };
    Some(pad::Event { index, change })
}

fn single(value: u16) -> f32 {
    f32::from(value) / f32::from(u16::MAX)
}
