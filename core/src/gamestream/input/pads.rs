//! Gamepads: remembers which ones are there and how they were left, so that a game
//! sees each come before it moves and nothing twice.

use std::collections::BTreeMap;

use super::message::{self, sensor};
use super::surface::{Fingers, share};
use crate::input::pad::{
    Arrival, Change, Charge, Event, Kind, MAX_PADS, Sensor, State, Touch, button, capability,
};

/// What a pad is that only ever sent its state: every one has these.
const PLAIN: Arrival = Arrival {
    kind: Kind::Unknown,
    capabilities: capability::ANALOG_TRIGGERS | capability::RUMBLE,
    buttons: 0xF7FF,
};
/// Buttons that exist.
const KNOWN_BUTTONS: u32 = 0xF7FF | 0x000F_0000 | button::TOUCHPAD | button::MISC;
/// Nothing moves faster, m/s² or degrees a second.
const MAX_MOTION: f32 = 10_000.0;
/// Touchpads of a pad.
const TOUCHPADS: u8 = 2;

#[derive(Clone, Debug)]
struct Pad {
    arrival: Arrival,
    state: State,
    battery: Option<(Charge, Option<u8>)>,
    fingers: Fingers,
}

impl Pad {
    const fn new(arrival: Arrival) -> Self {
        Self { arrival, state: NEUTRAL, battery: None, fingers: Fingers::new() }
    }
}

/// Nothing is pressed.
const NEUTRAL: State = State { buttons: 0, left_trigger: 0, right_trigger: 0, left: [0; 2], right: [0; 2] };

/// The gamepads of one client, 16 at most.
#[derive(Clone, Debug, Default)]
pub(super) struct Pads(BTreeMap<u8, Pad>);

impl Pads {
    /// There is none.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// A pad says what it is. One that says something else than before is another one.
    pub fn arrival(&mut self, said: &message::Arrival, events: &mut Vec<Event>) {
        let arrival = Arrival {
            kind: kind(said.kind),
            capabilities: said.capabilities,
            buttons: said.buttons & KNOWN_BUTTONS,
        };
        if said.pad >= MAX_PADS || self.0.get(&said.pad).is_some_and(|pad| pad.arrival == arrival) {
            return;
        }
        self.remove(said.pad, events);
        self.attach(said.pad, arrival, events);
    }

    /// The state of a pad. Its own bit alone says whether it is there: messages about
    /// different pads travel on different channels and overtake each other, so that
    /// the other bits may be old.
    pub fn state(&mut self, said: &message::PadState, events: &mut Vec<Event>) {
        let Some(index) = u8::try_from(said.pad).ok().filter(|index| *index < MAX_PADS) else { return };
        if said.active & (1 << index) == 0 {
            return self.remove(index, events);
        }
        if !self.0.contains_key(&index) {
            self.attach(index, PLAIN, events);
        }
        let state = State {
            buttons: said.buttons & KNOWN_BUTTONS,
            left_trigger: said.left_trigger,
            right_trigger: said.right_trigger,
            left: said.left,
            right: said.right,
        };
        if let Some(pad) = self.0.get_mut(&index).filter(|pad| pad.state != state) {
            pad.state = state;
            events.push(Event { index, change: Change::State(state) });
        }
    }

    /// A finger on a pad's touchpad.
    pub fn touch(&mut self, said: &message::PadTouch, events: &mut Vec<Event>) {
        let Some(pad) = self.0.get_mut(&said.pad).filter(|_| said.touchpad < TOUCHPADS) else { return };
        let id = u64::from(said.touchpad) << 32 | u64::from(said.id);
        if let Some(phase) = pad.fingers.step(id, said.event) {
            let narrow = |value| share(value) as f32;
            let (x, y, pressure) = (narrow(said.x), narrow(said.y), narrow(said.pressure));
            let touch = Touch { touchpad: said.touchpad, id: said.id, phase, x, y, pressure };
            events.push(Event { index: said.pad, change: Change::Touch(touch) });
        }
    }

    /// A pad moved.
    pub fn motion(&self, said: &message::Motion, events: &mut Vec<Event>) {
        let sensor = match said.sensor {
            sensor::ACCELEROMETER => Sensor::Accelerometer,
            sensor::GYRO => Sensor::Gyro,
            _ => return,
        };
        if self.0.contains_key(&said.pad) && said.axes.iter().all(|axis| axis.is_finite()) {
            let axes = said.axes.map(|axis| axis.clamp(-MAX_MOTION, MAX_MOTION));
            events.push(Event { index: said.pad, change: Change::Motion { sensor, axes } });
        }
    }

    /// A pad's battery.
    pub fn battery(&mut self, said: &message::Battery, events: &mut Vec<Event>) {
        let Some(pad) = self.0.get_mut(&said.pad) else { return };
        let percent = (said.percent <= 100).then_some(said.percent);
        let told = (charge(said.state), percent);
        if pad.battery.replace(told) != Some(told) {
            events.push(Event { index: said.pad, change: Change::Battery { charge: told.0, percent } });
        }
    }

    fn attach(&mut self, index: u8, arrival: Arrival, events: &mut Vec<Event>) {
        self.0.insert(index, Pad::new(arrival));
        events.push(Event { index, change: Change::Arrived(arrival) });
    }

    fn remove(&mut self, index: u8, events: &mut Vec<Event>) {
        if self.0.remove(&index).is_some() {
            events.push(Event { index, change: Change::Left });
        }
    }

    /// Lets go of everything that is pressed. The pads stay.
    pub fn release_all(&mut self, events: &mut Vec<Event>) {
        for (index, pad) in &mut self.0 {
            if let Some(phase) = pad.fingers.forget() {
                let touch = Touch { touchpad: 0, id: 0, phase, x: 0.0, y: 0.0, pressure: 0.0 };
                events.push(Event { index: *index, change: Change::Touch(touch) });
            }
            if pad.state != NEUTRAL {
                pad.state = NEUTRAL;
                events.push(Event { index: *index, change: Change::State(NEUTRAL) });
            }
        }
    }
}

const fn kind(number: u8) -> Kind {
    match number {
        1 => Kind::Xbox,
        2 => Kind::PlayStation,
        3 => Kind::Nintendo,
        4 => Kind::Steam,
        _ => Kind::Unknown,
    }
}

const fn charge(number: u8) -> Charge {
    match number {
        1 => Charge::Absent,
        2 => Charge::Discharging,
        3 => Charge::Charging,
        4 => Charge::NotCharging,
        5 => Charge::Full,
        _ => Charge::Unknown,
    }
}
