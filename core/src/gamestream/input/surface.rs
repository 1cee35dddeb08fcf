//! Fingers and pens: remembers what touches and what hovers, so that every stroke
//! has a beginning and an end, whatever a client says.

use std::collections::BTreeMap;

use super::message::{self, TILT_UNKNOWN, phase, tool};
use crate::input::{Event, Pen, Phase, Tool, Touch};

/// Fingers remembered at a time; no client has more.
const MAX_FINGERS: usize = 32;

/// The fingers on one surface, and whether each touches or hovers.
#[derive(Clone, Debug, Default)]
pub(super) struct Fingers(BTreeMap<u64, bool>);

impl Fingers {
    /// No finger is there.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// What the event of a finger amounts to; nothing when it changes nothing or
    /// belongs to a finger that never came.
    pub fn step(&mut self, id: u64, event: u8) -> Option<Phase> {
        let touches = self.0.get(&id).copied();
        match (event, touches) {
            (phase::HOVER, Some(true)) => self.put(id, false, Phase::Up),
            (phase::HOVER, _) => self.put(id, false, Phase::Hover),
            (phase::DOWN | phase::MOVE, Some(true)) => Some(Phase::Move),
            (phase::DOWN, _) => self.put(id, true, Phase::Down),
            (phase::UP, Some(true)) => self.remove(id, Phase::Up),
            (phase::CANCEL, Some(_)) => self.remove(id, Phase::Cancel),
            (phase::HOVER_END, Some(false)) => self.remove(id, Phase::HoverEnd),
            (phase::CANCEL_ALL, _) => self.forget(),
            _ => None,
        }
    }

    fn put(&mut self, id: u64, touches: bool, phase: Phase) -> Option<Phase> {
        if self.0.len() >= MAX_FINGERS && !self.0.contains_key(&id) {
            // One that hovers can be spared; ten that touch cannot.
            let spare = self.0.iter().find(|(_, touches)| !**touches).map(|(id, _)| *id)?;
            self.0.remove(&spare);
        }
        self.0.insert(id, touches);
        Some(phase)
    }

    fn remove(&mut self, id: u64, phase: Phase) -> Option<Phase> {
        self.0.remove(&id).map(|_| phase)
    }

    /// All fingers are gone; `CancelAll` when there was one.
    pub fn forget(&mut self) -> Option<Phase> {
        let any = !self.0.is_empty();
        self.0.clear();
        any.then_some(Phase::CancelAll)
    }
}

/// What a finger's message means, when it means something.
pub(super) fn touch(fingers: &mut Fingers, said: &message::Touch) -> Option<Event> {
    let phase = fingers.step(u64::from(said.id), said.event)?;
    let [major, minor] = said.contact.map(share);
    let minor = if minor > 0.0 { minor } else { major };
    Some(Event::Touch(Touch {
        id: said.id,
        phase,
        x: share(said.x),
        y: share(said.y),
        pressure: matches!(phase, Phase::Down | Phase::Move).then(|| given(said.pressure)).flatten(),
        contact: (major > 0.0).then_some([major, minor]),
        rotation: rotation(said.rotation),
    }))
}

/// `CancelAll` for the fingers that are left.
pub(super) fn cancel_fingers(fingers: &mut Fingers) -> Option<Event> {
    let phase = fingers.forget()?;
    Some(Event::Touch(Touch { id: 0, phase, x: 0.0, y: 0.0, pressure: None, contact: None, rotation: None }))
}

/// The one pen that a client has.
#[derive(Clone, Debug, Default)]
pub(super) struct PenTrack {
    /// How it was seen last, while it is near.
    last: Option<Pen>,
    down: bool,
}

impl PenTrack {
    /// No pen is near.
    pub const fn new() -> Self {
        Self { last: None, down: false }
    }

    /// What the pen's message means, in order.
    pub fn pen(&mut self, said: &message::Pen) -> Vec<Event> {
        let mut events = Vec::new();
        let held = if said.tool == tool::ERASER { Tool::Eraser } else { Tool::Pen };
        match said.event {
            phase::HOVER => {
                self.change_tool(held, &mut events);
                self.lift(&mut events);
                self.show(read(said, held, Phase::Hover), &mut events);
            }
            phase::DOWN => self.draw(said, held, &mut events),
            phase::MOVE if self.down => self.draw(said, held, &mut events),
            phase::UP => self.lift(&mut events),
            phase::BUTTON => self.press(held, said.buttons & BUTTONS, &mut events),
            phase::CANCEL => self.leave(Phase::Cancel, &mut events),
            phase::CANCEL_ALL => self.leave(Phase::CancelAll, &mut events),
            phase::HOVER_END => self.go(&mut events),
            _ => {}
        }
        events
    }

    /// It touches, or goes on touching.
    fn draw(&mut self, said: &message::Pen, held: Tool, events: &mut Vec<Event>) {
        self.change_tool(held, events);
        let phase = if self.down { Phase::Move } else { Phase::Down };
        self.down = true;
        self.show(read(said, held, phase), events);
    }

    fn show(&mut self, pen: Pen, events: &mut Vec<Event>) {
        self.last = Some(pen);
        events.push(Event::Pen(pen));
    }

    /// It leaves the surface and stays near.
    fn lift(&mut self, events: &mut Vec<Event>) {
        if let Some(last) = self.last.filter(|_| self.down) {
            self.down = false;
            self.show(Pen { phase: Phase::Up, pressure: None, ..last }, events);
        }
    }

    /// It leaves the surface and is gone.
    fn go(&mut self, events: &mut Vec<Event>) {
        self.lift(events);
        self.leave(Phase::HoverEnd, events);
    }

    fn leave(&mut self, phase: Phase, events: &mut Vec<Event>) {
        self.down = false;
        if let Some(last) = self.last.take() {
            events.push(Event::Pen(Pen { phase, pressure: None, distance: None, ..last }));
        }
    }

    /// The other end of a pen is another pen: the first one goes.
    fn change_tool(&mut self, held: Tool, events: &mut Vec<Event>) {
        if self.last.is_some_and(|last| last.tool != held) {
            self.go(events);
        }
    }

    fn press(&mut self, held: Tool, buttons: u8, events: &mut Vec<Event>) {
        if let Some(last) = self.last.filter(|last| last.tool == held && last.buttons != buttons) {
            self.show(Pen { phase: Phase::Button, buttons, ..last }, events);
        }
    }

    /// `CancelAll` when a pen is near; none is afterwards.
    pub fn cancel(&mut self) -> Option<Event> {
        let mut events = Vec::new();
        self.leave(Phase::CancelAll, &mut events);
        events.pop()
    }
}

/// Bits of a pen's buttons.
const BUTTONS: u8 = 7;

fn read(said: &message::Pen, held: Tool, phase: Phase) -> Pen {
    let hovers = phase == Phase::Hover;
    let strength = given(said.pressure);
    Pen {
        phase,
        tool: held,
        buttons: said.buttons & BUTTONS,
        x: share(said.x),
        y: share(said.y),
        pressure: if hovers { None } else { strength },
        distance: if hovers { strength } else { None },
        rotation: rotation(said.rotation),
        tilt: (said.tilt != TILT_UNKNOWN && said.tilt <= 90).then_some(said.tilt),
    }
}

/// A share from 0 to 1; 0 for what is no number.
pub(super) fn share(value: f32) -> f64 {
    if value.is_finite() { f64::from(value).clamp(0.0, 1.0) } else { 0.0 }
}

/// The same, where 0 says nothing.
fn given(value: f32) -> Option<f64> {
    Some(share(value)).filter(|share| *share > 0.0)
}

fn rotation(degrees: u16) -> Option<u16> {
    (degrees <= 360).then_some(degrees)
}
