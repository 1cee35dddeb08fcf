//! A pen, as a tablet tool. What knows no tablets gets the pointer instead: motion, and
//! the left button while the pen touches.

use punktfunk_core::input::{Pen, Phase, Tool};
use smithay::backend::input::{ButtonState, TabletToolCapabilities, TabletToolDescriptor, TabletToolType};
use smithay::reexports::wayland_server::protocol::wl_surface::WlSurface;
use smithay::utils::{Logical, Point, SERIAL_COUNTER};
use smithay::wayland::tablet_manager::{TabletDescriptor, TabletHandle, TabletSeatTrait, TabletToolHandle};

use super::BTN_LEFT;
use crate::seat::State;
use crate::windows::Under;

/// `BTN_STYLUS`, `BTN_STYLUS2`, `BTN_STYLUS3`: the pen's buttons 1, 2 and 4.
const STYLUS: [u32; 3] = [0x14b, 0x14c, 0x149];
/// What they are on a pointer: right, middle, side.
const POINTER: [u16; 3] = [0x111, 0x112, 0x113];
/// What a client that reports no pressure presses with.
const SOME_PRESSURE: f64 = 0.5;

/// A surface and where it begins.
type Place = (WlSurface, Point<f64, Logical>);

/// A pen that is near.
pub(super) struct Near {
    tool: Tool,
    /// The tool and what it is over; `None` while it is a pointer.
    tablet: Option<(TabletToolHandle, TabletHandle, Place)>,
    touches: bool,
    buttons: u8,
}

/// What is known of the client's pen.
#[derive(Default)]
pub(super) struct PenState {
    near: Option<Near>,
    /// The client tells when the pen is above the screen, so it tells when it leaves.
    hovers: bool,
}

/// How far the top of the pen leans to the right and towards the user, in degrees.
/// `rotation` is where its tip points to, clockwise from up: leaning towards the user it
/// points up.
fn tilts(rotation: u16, tilt: u8) -> (f64, f64) {
    let (sin, cos) = f64::from(rotation).to_radians().sin_cos();
    let (across, upright) = f64::from(tilt.min(90)).to_radians().sin_cos();
    ((-sin * across).atan2(upright).to_degrees(), (cos * across).atan2(upright).to_degrees())
}

impl State {
    /// Carries out what the pen did.
    pub(super) fn pen(&mut self, pen: &Pen) {
        match pen.phase {
            Phase::Hover | Phase::Down | Phase::Move | Phase::Up => self.pen_at(pen),
            Phase::Button => self.pen_buttons(pen.buttons),
            Phase::HoverEnd | Phase::Cancel | Phase::CancelAll => {
                if self.input.pen.near.as_ref().is_some_and(|near| near.touches && near.tablet.is_none()) {
                    self.forget_press();
                }
                self.pen_leaves();
            }
        }
        self.damage();
    }

    fn pen_at(&mut self, pen: &Pen) {
        if pen.phase == Phase::Hover {
            self.input.pen.hovers = true;
        }
        if self.input.pen.near.as_ref().is_some_and(|near| near.tool != pen.tool) {
            self.pen_leaves();
        }
        let touched = self.input.pen.near.as_ref().is_some_and(|near| near.touches);
        if matches!(pen.phase, Phase::Up | Phase::Move) && !touched {
            // Its press was not for us.
            return;
        }
        let at = self.place(pen.x, pen.y);
        if !touched {
            self.pen_over(pen, at);
        }
        let Some(near) = &self.input.pen.near else { return };
        let time = self.millis();
        match near.tablet.clone() {
            Some((tool, tablet, place)) => {
                self.cursor.hide();
                let tip = matches!(pen.phase, Phase::Down | Phase::Move);
                axes(&tool, pen, tip, touched);
                tool.motion(at, Some(place), &tablet, SERIAL_COUNTER.next_serial(), time);
                self.pen_buttons(pen.buttons);
                match pen.phase {
                    Phase::Down if !touched => {
                        self.press_beside_menu(at);
                        self.press(at);
                        tool.tip_down(SERIAL_COUNTER.next_serial(), time);
                    }
                    Phase::Up => tool.tip_up(time),
                    _ => {}
                }
            }
            None => {
                self.position(pen.x, pen.y);
                self.pen_buttons(pen.buttons);
                match pen.phase {
                    Phase::Down => self.button(BTN_LEFT, true),
                    Phase::Up => self.button(BTN_LEFT, false),
                    _ => {}
                }
            }
        }
        let Some(near) = &mut self.input.pen.near else { return };
        match pen.phase {
            Phase::Down => near.touches = true,
            Phase::Up => {
                near.touches = false;
                if !self.input.pen.hovers {
                    // Nobody would tell that it is gone.
                    self.pen_leaves();
                }
            }
            _ => {}
        }
    }

    /// The pen, not touching, came near or moved: what is it over now?
    fn pen_over(&mut self, pen: &Pen, at: Point<f64, Logical>) {
        let place = match self.under(at) {
            Some(Under::Surface(surface, origin))
                if !self.desktop.launcher.is_open()
                    && !self.objects_of(&surface, "zwp_tablet_seat_v2").is_empty() =>
            {
                Some((surface, origin))
            }
            _ => None,
        };
        let old = self.input.pen.near.as_ref().map(|near| near.tablet.as_ref().map(|(.., place)| place));
        let over = old.flatten().map(|(surface, _)| surface.clone());
        if old.is_some() && over.as_ref() != place.as_ref().map(|(surface, _)| surface) {
            self.pen_leaves();
        }
        let tablet = place.map(|place| {
            let (tool, tablet) = self.pen_tool(pen.tool);
            if over.as_ref() != Some(&place.0) {
                // The axes follow: nobody can be told of them before.
                let serial = SERIAL_COUNTER.next_serial();
                tool.proximity_in(at, place.clone(), &tablet, serial, self.millis());
            }
            (tool, tablet, place)
        });
        match &mut self.input.pen.near {
            Some(near) => near.tablet = tablet,
            near => *near = Some(Near { tool: pen.tool, tablet, touches: false, buttons: 0 }),
        }
    }

    /// The tool and its tablet. They are made when first used: without them nobody is
    /// told of a tablet that the client does not have.
    fn pen_tool(&mut self, tool: Tool) -> (TabletToolHandle, TabletHandle) {
        let seat = self.seat.tablet_seat();
        let display = self.display.clone();
        let descriptor = TabletDescriptor { name: "punktfunk pen".to_owned(), usb_id: None, syspath: None };
        let tablet = seat.add_tablet::<Self>(&display, &descriptor);
        let (tool_type, hardware_serial) = match tool {
            Tool::Pen => (TabletToolType::Pen, 1),
            Tool::Eraser => (TabletToolType::Eraser, 2),
        };
        let descriptor = TabletToolDescriptor {
            tool_type,
            hardware_serial,
            hardware_id_wacom: 0,
            capabilities: TabletToolCapabilities::PRESSURE
                | TabletToolCapabilities::DISTANCE
                | TabletToolCapabilities::TILT,
        };
        (seat.add_tool::<Self>(self, &display, &descriptor), tablet)
    }

    fn pen_buttons(&mut self, buttons: u8) {
        let Some(near) = &mut self.input.pen.near else { return };
        let changed = std::mem::replace(&mut near.buttons, buttons) ^ buttons;
        let tool = near.tablet.as_ref().map(|(tool, ..)| tool.clone());
        let time = self.millis();
        for (index, (stylus, pointer)) in STYLUS.into_iter().zip(POINTER).enumerate() {
            let bit = 1 << index;
            let down = buttons & bit != 0;
            match &tool {
                _ if changed & bit == 0 => {}
                Some(tool) => {
                    let state = if down { ButtonState::Pressed } else { ButtonState::Released };
                    tool.button(stylus, state, SERIAL_COUNTER.next_serial(), time);
                }
                None => self.button(pointer, down),
            }
        }
    }

    /// The pen is gone: nothing of it is held any more.
    pub(super) fn pen_leaves(&mut self) {
        self.pen_buttons(0);
        let Some(near) = self.input.pen.near.take() else { return };
        let time = self.millis();
        match near.tablet {
            Some((tool, ..)) => {
                if near.touches {
                    tool.tip_up(time);
                }
                tool.proximity_out(time);
            }
            None if near.touches => self.button(BTN_LEFT, false),
            None => {}
        }
    }
}

/// Tells the tool its axes; they go out with its next motion.
fn axes(tool: &TabletToolHandle, pen: &Pen, tip: bool, touched: bool) {
    match (tip, pen.pressure) {
        (true, Some(pressure)) => tool.pressure(pressure.clamp(0.0, 1.0)),
        (true, None) if !touched => tool.pressure(SOME_PRESSURE),
        (true, None) => {}
        (false, _) => tool.pressure(0.0),
    }
    match pen.distance {
        Some(distance) if !tip => tool.distance(distance.clamp(0.0, 1.0)),
        _ => tool.distance(0.0),
    }
    match (pen.rotation, pen.tilt) {
        (Some(rotation), Some(tilt)) => tool.tilt(tilts(rotation, tilt)),
        (None, Some(0)) => tool.tilt((0.0, 0.0)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lean_is_split_into_right_and_down() {
        let near = |(x, y): (f64, f64), (wx, wy): (f64, f64)| {
            assert!((x - wx).abs() < 1e-6 && (y - wy).abs() < 1e-6, "{x} {y} instead of {wx} {wy}");
        };
        near(tilts(0, 30), (0.0, 30.0));
        near(tilts(90, 30), (-30.0, 0.0));
        near(tilts(180, 45), (0.0, -45.0));
        near(tilts(270, 60), (60.0, 0.0));
        near(tilts(17, 0), (0.0, 0.0));
        let (x, y) = tilts(315, 45);
        near((x, x), (y, 35.264_389_682_754_654));
    }
}
