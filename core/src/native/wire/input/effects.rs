//! What a host has pads do, both sides.

use std::time::Duration;

use super::{Count, Newest, REPEAT_AFTER_MS, REPEATS};
use crate::input::pad::{Feedback, MAX_PADS};
use crate::native::wire::control::{Control, PadSensor, PadTriggers};
use crate::native::wire::datagram::{Datagram, Motors};
use crate::time::Time;

/// How an effect goes over: the same ways as input.
pub type EffectOut = super::Sent;

/// What was last said to a pad.
#[derive(Clone, Copy, Debug, Default)]
struct PadEffects {
    rumble: Count,
    motors: Motors,
    again: Option<(Time, u8)>,
    light: Count,
}

/// The host's side: turns effects into what is sent, and says rumble again, so that one
/// that was to end does.
#[derive(Clone, Debug, Default)]
pub struct Effects {
    pads: [PadEffects; MAX_PADS as usize],
}

impl Effects {
    /// For a connection on which nothing was said yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What to send for an effect; `None` when there is no such pad.
    pub fn effect(&mut self, now: Time, pad: u8, effect: &Feedback) -> Option<EffectOut> {
        let known = self.pads.get_mut(usize::from(pad))?;
        match *effect {
            Feedback::Rumble { low, high } => {
                known.motors = Motors { low, high, ..known.motors };
                Some(EffectOut::Datagram(known.rumble(now, pad, REPEATS)))
            }
            Feedback::TriggerRumble { left, right } => {
                known.motors = Motors { left_trigger: left, right_trigger: right, ..known.motors };
                Some(EffectOut::Datagram(known.rumble(now, pad, REPEATS)))
            }
            Feedback::Led(colour) => {
                Some(EffectOut::Datagram(Datagram::PadLight { seq: known.light.take(), pad, colour }))
            }
            Feedback::MotionReporting { sensor, rate } => {
                Some(EffectOut::Control(Control::PadSensor(PadSensor { pad, sensor, rate: rate.min(1000) })))
            }
            Feedback::AdaptiveTriggers { sides, effects, left, right } => {
                Some(EffectOut::Control(Control::PadTriggers(PadTriggers {
                    pad,
                    sides,
                    effects,
                    left,
                    right,
                })))
            }
        }
    }

    /// When [`poll`](Self::poll) has something to say again.
    pub fn deadline(&self) -> Option<Time> {
        self.pads.iter().filter_map(|pad| pad.again.map(|(at, _)| at)).min()
    }

    /// The next rumble to be said again; call until it gives `None`.
    pub fn poll(&mut self, now: Time) -> Option<Datagram<'static>> {
        let (pad, due) =
            (0..).zip(&mut self.pads).find(|(_, pad)| pad.again.is_some_and(|(at, _)| at <= now))?;
        let (_, left) = due.again?;
        Some(due.rumble(now, pad, left.saturating_sub(1)))
    }
}

impl PadEffects {
    fn rumble(&mut self, now: Time, pad: u8, repeats: u8) -> Datagram<'static> {
        let at = now + Duration::from_millis(REPEAT_AFTER_MS);
        self.again = (repeats > 0).then_some((at, repeats));
        Datagram::Rumble { seq: self.rumble.take(), pad, motors: self.motors }
    }
}

/// The client's side: turns what came into effects.
#[derive(Clone, Debug, Default)]
pub struct InboundEffects {
    rumble: [Newest; MAX_PADS as usize],
    motors: [Motors; MAX_PADS as usize],
    light: [Newest; MAX_PADS as usize],
}

impl InboundEffects {
    /// For a connection that said nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends the pad and the effect that a message means; nothing when it is none.
    pub fn control(&mut self, message: &Control, out: &mut Vec<(u8, Feedback)>) {
        match *message {
            Control::PadSensor(PadSensor { pad, sensor, rate }) => {
                out.push((pad, Feedback::MotionReporting { sensor, rate }));
            }
            Control::PadTriggers(PadTriggers { pad, sides, effects, left, right }) => {
                out.push((pad, Feedback::AdaptiveTriggers { sides, effects, left, right }));
            }
            _ => {}
        }
    }

    /// Appends the pad and each effect that is new in a datagram: none when it is too
    /// old or said only what was known.
    pub fn datagram(&mut self, datagram: &Datagram<'_>, out: &mut Vec<(u8, Feedback)>) {
        match *datagram {
            Datagram::Rumble { seq, pad, motors } => {
                let at = usize::from(pad);
                let (Some(newest), Some(known)) = (self.rumble.get_mut(at), self.motors.get_mut(at)) else {
                    return;
                };
                if !newest.take(seq) {
                    return;
                }
                let before = std::mem::replace(known, motors);
                if (before.low, before.high) != (motors.low, motors.high) {
                    out.push((pad, Feedback::Rumble { low: motors.low, high: motors.high }));
                }
                let triggers = |m: Motors| (m.left_trigger, m.right_trigger);
                if triggers(before) != triggers(motors) {
                    let (left, right) = triggers(motors);
                    out.push((pad, Feedback::TriggerRumble { left, right }));
                }
            }
            Datagram::PadLight { seq, pad, colour } => {
                let newest = self.light.get_mut(usize::from(pad));
                let newer = newest.is_some_and(|newest| newest.take(seq));
                out.extend(newer.then_some((pad, Feedback::Led(colour))));
            }
            _ => {}
        }
    }
}
