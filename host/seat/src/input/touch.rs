//! Fingers. Each belongs to what was under it when it came down.
//!
//! On a client that listens to touch it is a touch point. On everything else, our own
//! title bars and menus and clients that know no touch, the first finger is the
//! pointer with its left button held; further ones do nothing there.

use punktfunk_core::input::{Phase, Touch};
use smithay::backend::input::TouchSlot;
use smithay::input::touch::{DownEvent, MotionEvent, OrientationEvent, ShapeEvent, UpEvent};
use smithay::reexports::wayland_server::Resource;
use smithay::reexports::wayland_server::protocol::{wl_surface::WlSurface, wl_touch::WlTouch};
use smithay::utils::{Logical, Point, SERIAL_COUNTER, Size};

use super::BTN_LEFT;
use crate::seat::State;
use crate::windows::Under;

/// Shape and orientation came with this version of `wl_touch`.
const SHAPES: u32 = 6;

/// What a finger touches.
#[derive(Debug)]
pub(super) enum Target {
    /// A surface, as a touch point; the last place, and whether its client knows shapes.
    Surface { surface: WlSurface, at: Point<f64, Logical>, shapes: bool },
    /// It holds the left button of the pointer.
    Pointer,
    /// Nothing that could be told of it.
    Nothing,
}

fn touch_slot(slot: usize) -> TouchSlot {
    // At most 16.
    u32::try_from(slot).ok().into()
}

/// Lengths of the axes of an ellipse in pixels, from shares of the output's sides.
/// `rotation` is that of the longer axis, degrees clockwise from up.
fn ellipse(contact: [f64; 2], rotation: f64, size: Size<i32, Logical>) -> (f64, f64) {
    let (sin, cos) = rotation.to_radians().sin_cos();
    let (w, h) = (f64::from(size.w), f64::from(size.h));
    (contact[0] * (w * sin).hypot(h * cos), contact[1] * (w * cos).hypot(h * sin))
}

/// From 0 to 360 to what `wl_touch` wants, -180 to 180.
fn orientation(degrees: u16) -> f64 {
    let degrees = f64::from(degrees % 360);
    if degrees > 180.0 { degrees - 360.0 } else { degrees }
}

impl State {
    /// Carries out what a finger did.
    pub(super) fn touch(&mut self, touch: &Touch) {
        match touch.phase {
            Phase::Down => self.touch_down(touch),
            Phase::Move => self.touch_move(touch),
            Phase::Up => {
                // It may have moved since.
                self.touch_move(touch);
                if let Some(slot) = self.input.fingers.slot(touch.id) {
                    self.touch_up(slot);
                }
            }
            Phase::Cancel => {
                if let Some(slot) = self.input.fingers.slot(touch.id) {
                    self.touch_cancel(slot);
                }
            }
            Phase::CancelAll => self.cancel_touches(),
            // A finger above the screen touches nothing.
            Phase::Hover | Phase::HoverEnd | Phase::Button => {}
        }
    }

    fn touch_down(&mut self, touch: &Touch) {
        let Some(slot) = self.input.fingers.free(touch.id) else {
            // Down already: its release is lost or late. Or one finger too many.
            self.touch_move(touch);
            return;
        };
        let at = self.place(touch.x, touch.y);
        self.press_beside_menu(at);
        let target = match self.under(at) {
            // The launcher is ours, whatever lies below it.
            Some(Under::Surface(surface, origin)) if !self.desktop.launcher.is_open() => {
                self.wl_touch_version(&surface).map(|version| (surface, origin, version >= SHAPES))
            }
            _ => None,
        };
        let target = match target {
            Some((surface, origin, shapes)) => {
                self.press(at);
                let (handle, time) = (self.touch.clone(), self.millis());
                let serial = SERIAL_COUNTER.next_serial();
                let event = DownEvent { slot: touch_slot(slot), location: at, serial, time };
                handle.down(self, Some((surface.clone(), origin)), &event);
                if shapes {
                    self.touch_shape(slot, touch);
                }
                handle.frame(self);
                Target::Surface { surface, at, shapes }
            }
            None if self.input.buttons.contains(&BTN_LEFT) => Target::Nothing,
            None => {
                // A finger elsewhere is no movement in between.
                self.input.absolute = None;
                self.position(touch.x, touch.y);
                self.button(BTN_LEFT, true);
                Target::Pointer
            }
        };
        self.input.fingers.put(slot, touch.id, target);
        self.cursor.hide();
        self.damage();
    }

    fn touch_move(&mut self, touch: &Touch) {
        let Some(slot) = self.input.fingers.slot(touch.id) else { return };
        let to = self.place(touch.x, touch.y);
        let moved = match self.input.fingers.target_mut(slot) {
            Some(Target::Surface { at, shapes, .. }) => {
                (std::mem::replace(at, to) != to || touch.contact.is_some(), *shapes)
            }
            Some(Target::Pointer) => {
                self.position(touch.x, touch.y);
                self.cursor.hide();
                return;
            }
            _ => return,
        };
        if let (true, shapes) = moved {
            let (handle, time) = (self.touch.clone(), self.millis());
            handle.motion(self, None, &MotionEvent { slot: touch_slot(slot), location: to, time });
            if shapes {
                self.touch_shape(slot, touch);
            }
            handle.frame(self);
        }
    }

    fn touch_shape(&mut self, slot: usize, touch: &Touch) {
        let handle = self.touch.clone();
        if let Some(contact) = touch.contact {
            let (major, minor) =
                ellipse(contact, f64::from(touch.rotation.unwrap_or_default()), self.windows.size);
            handle.shape(self, &ShapeEvent { slot: touch_slot(slot), major, minor });
        }
        if let Some(rotation) = touch.rotation {
            let event = OrientationEvent { slot: touch_slot(slot), orientation: orientation(rotation) };
            handle.orientation(self, &event);
        }
    }

    fn touch_up(&mut self, slot: usize) {
        match self.input.fingers.take(slot) {
            Some(Target::Surface { .. }) => {
                let (handle, time) = (self.touch.clone(), self.millis());
                let serial = SERIAL_COUNTER.next_serial();
                handle.up(self, &UpEvent { slot: touch_slot(slot), serial, time });
                handle.frame(self);
            }
            Some(Target::Pointer) => {
                self.button(BTN_LEFT, false);
                self.cursor.hide();
            }
            _ => {}
        }
    }

    /// One finger shall not count. The protocol cancels all that touch a client at once:
    /// while others do, this one goes up instead.
    fn touch_cancel(&mut self, slot: usize) {
        let client = match self.input.fingers.target(slot) {
            Some(Target::Surface { surface, .. }) => surface.id(),
            Some(Target::Pointer) => {
                self.forget_press();
                self.touch_up(slot);
                return;
            }
            _ => {
                self.input.fingers.take(slot);
                return;
            }
        };
        if self.touching(&client).len() > 1 {
            self.touch_up(slot);
        } else {
            self.cancel_slots(&[slot]);
        }
    }

    /// No finger shall count any more.
    pub(super) fn cancel_touches(&mut self) {
        for slot in self.input.fingers.slots(|target| matches!(target, Target::Pointer)) {
            self.forget_press();
            self.touch_up(slot);
        }
        let touching = self.input.fingers.slots(|target| matches!(target, Target::Surface { .. }));
        self.cancel_slots(&touching);
        for slot in self.input.fingers.slots(|_| true) {
            self.input.fingers.take(slot);
        }
    }

    /// The slots of the fingers that touch this client.
    fn touching(&self, client: &smithay::reexports::wayland_server::backend::ObjectId) -> Vec<usize> {
        self.input.fingers.slots(|target| match target {
            Target::Surface { surface, .. } => surface.id().same_client_as(client),
            _ => false,
        })
    }

    fn cancel_slots(&mut self, slots: &[usize]) {
        if slots.is_empty() {
            return;
        }
        let (handle, time) = (self.touch.clone(), self.millis());
        for slot in slots {
            if let Some(Target::Surface { at, .. }) = self.input.fingers.take(*slot) {
                // smithay cancels only what has had an event since the last frame.
                handle.motion(self, None, &MotionEvent { slot: touch_slot(*slot), location: at, time });
            }
        }
        handle.cancel(self);
    }

    /// A client asks, while a finger is on it, that its window follows the pointer: that
    /// finger becomes the pointer. False when none is.
    pub(super) fn finger_to_pointer(&mut self, surface: &WlSurface) -> bool {
        let slots = self.touching(&surface.id());
        let Some(first) = slots.first().copied() else { return false };
        let Some(Target::Surface { at, .. }) = self.input.fingers.target(first) else { return false };
        let at = *at;
        let Some(id) = self.input.fingers.id(first) else { return false };
        self.cancel_slots(&slots);
        self.input.fingers.put(first, id, Target::Pointer);
        self.pointer.set_location(at);
        // Its release ends the drag. The press was the finger's.
        self.input.buttons.insert(BTN_LEFT);
        true
    }

    /// The version of `wl_touch` that the client of this surface listens to.
    fn wl_touch_version(&self, surface: &WlSurface) -> Option<u32> {
        self.objects_of(surface, "wl_touch")
            .into_iter()
            .filter_map(|id| WlTouch::from_id(&self.display, id).ok())
            .map(|touch| touch.version())
            .min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orientations_are_within_half_a_turn() {
        assert_eq!(
            [0, 90, 180, 181, 270, 360, 65535].map(orientation),
            [0.0, 90.0, 180.0, -179.0, -90.0, 0.0, 15.0]
        );
    }

    #[test]
    fn an_ellipse_is_measured_along_its_axes() {
        let size = Size::from((1000, 500));
        assert_eq!(ellipse([0.1, 0.05], 0.0, size), (50.0, 50.0));
        let (major, minor) = ellipse([0.1, 0.05], 90.0, size);
        assert!((major - 100.0).abs() < 1e-9 && (minor - 25.0).abs() < 1e-9, "{major} {minor}");
    }
}
