//! The client's side: events, as messages and datagrams.

use std::time::Duration;

use super::{Count, REPEAT_AFTER_MS, REPEATS, share};
use crate::input::pad::{self, Change, MAX_PADS, State};
use crate::input::{Event, Pen, Touch};
use crate::native::wire::control::{self, Control};
use crate::native::wire::datagram::Datagram;
use crate::time::Time;

/// How an event goes over.
#[derive(Clone, Debug, PartialEq)]
pub enum Sent {
    /// On the control stream.
    Control(Control),
    /// As a QUIC datagram.
    Datagram(Datagram<'static>),
}

/// What was last said about a pad.
#[derive(Clone, Copy, Debug, Default)]
struct PadOut {
    states: Count,
    motions: Count,
    state: State,
    /// When to say the state again, and how often yet.
    again: Option<(Time, u8)>,
}

/// Turns the events of one connection into what is sent, and says pad states again that
/// may have been lost.
#[derive(Clone, Debug, Default)]
pub struct Outbound {
    motion: Count,
    /// Pixels since the start, with what is less than a 256th.
    sums: [f64; 2],
    position: Count,
    /// What was said last of the pointer, for the buttons.
    pointer: Option<control::Pointer>,
    pads: [PadOut; MAX_PADS as usize],
}

impl Outbound {
    /// For a connection on which nothing was said yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What to send for something done with keyboard, pointer, finger or pen.
    pub fn event(&mut self, event: &Event) -> Sent {
        Sent::Control(match *event {
            Event::PointerMotion { dx, dy } => {
                let datagram = self.moved(dx, dy);
                return self.pointed(datagram);
            }
            Event::PointerPosition { x, y } => {
                let seq = self.position.take();
                return self.pointed(Datagram::PointerPosition { seq, x: share(x), y: share(y) });
            }
            Event::Key { code, down } => Control::Key(control::Key { code, down }),
            Event::PointerButton { code, down } => {
                Control::Button(control::Button { code, down, pointer: self.pointer })
            }
            Event::Scroll { horizontal, vertical } => {
                Control::Scroll(control::Scroll { horizontal, vertical })
            }
            Event::Text { character } => Control::Text(control::Text { text: character.to_string() }),
            Event::Touch(touch) => Control::Touch(finger(&touch)),
            Event::Pen(pen) => Control::Pen(stylus(&pen)),
            Event::ReleaseAll => Control::ReleaseAll,
        })
    }

    /// What to send for something done with a pad; `None` when there is no such pad.
    pub fn pad(&mut self, now: Time, event: &pad::Event) -> Option<Sent> {
        let pad = event.index;
        let known = self.pads.get_mut(usize::from(pad))?;
        Some(Sent::Control(match event.change {
            Change::State(state) => {
                known.state = state;
                known.again = Some((now + Duration::from_millis(REPEAT_AFTER_MS), REPEATS));
                let seq = known.states.take();
                return Some(Sent::Datagram(Datagram::PadState { seq, pad, state }));
            }
            Change::Motion { sensor, axes } => {
                let seq = known.motions.take();
                return Some(Sent::Datagram(Datagram::PadMotion { seq, pad, sensor, axes }));
            }
            Change::Arrived(pad::Arrival { kind, capabilities, buttons }) => {
                Control::PadArrival(control::PadArrival { pad, kind, capabilities, buttons })
            }
            Change::Left => {
                known.again = None;
                Control::PadRemoval(control::PadRemoval { pad })
            }
            Change::Touch(touch) => Control::PadTouch(control::PadTouch {
                pad,
                touchpad: touch.touchpad.min(1),
                id: touch.id,
                phase: touch.phase,
                x: share(touch.x.into()),
                y: share(touch.y.into()),
                pressure: share(touch.pressure.into()),
            }),
            Change::Battery { charge, percent } => {
                let percent = percent.map(|percent| percent.min(100));
                Control::PadBattery(control::PadBattery { pad, charge, percent })
            }
        }))
    }

    /// When [`poll`](Self::poll) has something to say again.
    pub fn deadline(&self) -> Option<Time> {
        self.pads.iter().filter_map(|pad| pad.again.map(|(at, _)| at)).min()
    }

    /// The next state to be said again; call until it gives `None`.
    pub fn poll(&mut self, now: Time) -> Option<Datagram<'static>> {
        let (pad, due) =
            (0..).zip(&mut self.pads).find(|(_, pad)| pad.again.is_some_and(|(at, _)| at <= now))?;
        let (_, left) = due.again?;
        due.again = match left.saturating_sub(1) {
            0 => None,
            left => Some((now + Duration::from_millis(REPEAT_AFTER_MS), left)),
        };
        Some(Datagram::PadState { seq: due.states.take(), pad, state: due.state })
    }

    fn pointed(&mut self, datagram: Datagram<'static>) -> Sent {
        self.pointer = control::Pointer::of(&datagram);
        Sent::Datagram(datagram)
    }

    fn moved(&mut self, dx: f64, dy: f64) -> Datagram<'static> {
        let mut wire = [0; 2];
        for ((sum, wire), delta) in self.sums.iter_mut().zip(&mut wire).zip([dx, dy]) {
            // Nothing that is not a number may spoil the sum for ever.
            *sum += if delta.is_finite() { delta } else { 0.0 };
            let units = (*sum * 256.0).round();
            *wire = (units as i64 & 0xFFFF_FFFF) as u32;
        }
        let [dx, dy] = wire.map(u32::cast_signed);
        Datagram::PointerMotion { seq: self.motion.take(), dx, dy }
    }
}

fn finger(touch: &Touch) -> control::Touch {
    control::Touch {
        id: touch.id,
        phase: touch.phase,
        x: share(touch.x),
        y: share(touch.y),
        pressure: touch.pressure.map(share),
        contact: touch.contact.map(|axes| axes.map(share)),
        rotation: touch.rotation.map(|degrees| degrees.min(360)),
    }
}

fn stylus(pen: &Pen) -> control::Pen {
    control::Pen {
        phase: pen.phase,
        tool: pen.tool,
        buttons: pen.buttons & 7,
        x: share(pen.x),
        y: share(pen.y),
        pressure: pen.pressure.map(share),
        distance: pen.distance.map(share),
        rotation: pen.rotation.map(|degrees| degrees.min(360)),
        tilt: pen.tilt.map(|degrees| degrees.min(90)),
    }
}
