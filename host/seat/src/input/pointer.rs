//! The pointer: motion, constraints, buttons and the wheel.

use smithay::backend::input::{Axis, AxisSource, ButtonState};
use smithay::input::pointer::{AxisFrame, ButtonEvent, CursorImageStatus, MotionEvent, RelativeMotionEvent};
use smithay::reexports::wayland_server::Resource;
use smithay::reexports::wayland_server::protocol::wl_surface::WlSurface;
use smithay::utils::{Logical, Point, SERIAL_COUNTER};
use smithay::wayland::compositor::get_parent;
use smithay::wayland::pointer_constraints::{
    PointerConstraint, PointerConstraintsHandler, with_pointer_constraint,
};

use super::BTN_LEFT;
use crate::seat::State;
use crate::windows::{Policy, Under};

/// The wheel's distance for one notch, in pixels of the protocol.
const NOTCH: f64 = 15.0;

impl State {
    /// The surface at the pointer, as smithay wants it.
    fn focus_at(&self, at: Point<f64, Logical>) -> Option<(WlSurface, Point<f64, Logical>)> {
        if self.desktop.launcher.is_open() {
            return None;
        }
        match self.under(at) {
            Some(Under::Surface(surface, origin)) => Some((surface, origin)),
            _ => None,
        }
    }

    /// Sends the pointer to whatever is under it now: windows came or went.
    pub fn refresh_pointer(&mut self) {
        self.settle_constraint();
        if self.input.drag.is_none() {
            self.move_to(self.pointer.current_location(), None);
        }
    }

    fn clamp(&self, at: Point<f64, Logical>) -> Point<f64, Logical> {
        let size = self.windows.size;
        let last = |side: i32| (f64::from(side) - 1.0).max(0.0);
        Point::from((at.x.clamp(0.0, last(size.w)), at.y.clamp(0.0, last(size.h))))
    }

    /// The place on the output that these shares of its sides mean.
    pub(super) fn place(&self, x: f64, y: f64) -> Point<f64, Logical> {
        let size = self.windows.size;
        self.clamp(Point::from((x * f64::from(size.w), y * f64::from(size.h))))
    }

    pub(super) fn position(&mut self, x: f64, y: f64) {
        let at = self.place(x, y);
        let delta = self.input.absolute.map(|last| at - last).unwrap_or_default();
        self.input.absolute = Some(at);
        let target = if self.locked() { self.pointer.current_location() } else { at };
        self.move_to(target, Some(delta));
    }

    pub(super) fn motion(&mut self, delta: Point<f64, Logical>) {
        let here = self.pointer.current_location();
        let target = if self.locked() { here } else { self.clamp(here + delta) };
        if !self.locked() {
            self.input.absolute = Some(target);
        }
        self.move_to(target, Some(delta));
    }

    /// True while the client under the pointer holds it in place.
    fn locked(&self) -> bool {
        let Some(surface) = self.pointer.current_focus() else { return false };
        with_pointer_constraint(&surface, &self.pointer, |constraint| {
            constraint.is_some_and(|c| c.is_active() && matches!(&*c, PointerConstraint::Locked(_)))
        })
    }

    /// A confined pointer stays in its region.
    fn confine(&self, to: Point<f64, Logical>) -> Point<f64, Logical> {
        let Some(focus) = self.pointer.current_focus() else { return to };
        let Some(managed) = self.windows.stack.iter().find(|m| m.surface() == Some(&focus)) else {
            return to;
        };
        let origin = managed.origin();
        let confined = with_pointer_constraint(&focus, &self.pointer, |constraint| {
            let constraint = constraint.filter(|c| c.is_active())?;
            match &*constraint {
                PointerConstraint::Confined(confined) => Some(confined.region().cloned()),
                PointerConstraint::Locked(_) => None,
            }
        });
        let bounds = managed.bbox().to_f64();
        let inside = |at: Point<f64, Logical>| {
            let local = at - origin.to_f64();
            let region = confined.as_ref().and_then(|region| region.as_ref());
            region
                .map_or(bounds.contains(at - managed.position.to_f64()), |r| r.contains(local.to_i32_floor()))
        };
        if confined.is_none() || inside(to) {
            return to;
        }
        // Slide along the edge where one axis alone is possible.
        let here = self.pointer.current_location();
        let slides = [Point::from((to.x, here.y)), Point::from((here.x, to.y))];
        slides.into_iter().find(|at| inside(*at)).unwrap_or(here)
    }

    fn move_to(&mut self, to: Point<f64, Logical>, delta: Option<Point<f64, Logical>>) {
        self.drop_ended_grab();
        if delta.is_some() {
            self.cursor.show();
        }
        self.damage();
        let (pointer, time, utime) = (self.pointer.clone(), self.millis(), self.now() / 1_000);
        let to = self.confine(to);
        if self.drag_to(to) {
            let event = MotionEvent { location: to, serial: SERIAL_COUNTER.next_serial(), time };
            pointer.motion(self, None, &event);
            pointer.frame(self);
            return;
        }
        let held = self.locked();
        let focus = self.focus_at(to);
        if let Some(delta) = delta {
            let event = RelativeMotionEvent { delta, delta_unaccel: delta, utime };
            pointer.relative_motion(self, focus.clone(), &event);
        }
        if !held {
            let event = MotionEvent { location: to, serial: SERIAL_COUNTER.next_serial(), time };
            pointer.motion(self, focus.clone(), &event);
            if focus.is_none() && !pointer.is_grabbed() {
                self.cursor.set(CursorImageStatus::default_named());
            }
        }
        pointer.frame(self);
        self.point_in_launcher(to);
        self.hover(to);
        if let Some((surface, origin)) = focus {
            self.constrain_pointer(&surface, to - origin);
        }
    }

    fn hover(&mut self, at: Point<f64, Logical>) {
        let cross = match self.under(at) {
            Some(Under::Cross(window)) => Some(window),
            _ => None,
        };
        for managed in &mut self.windows.stack {
            managed.hover = cross.as_ref() == Some(&managed.window);
        }
    }

    /// True while a surface may hold the pointer: it is under it, and on a desktop its
    /// window has the keys. Else Alt + Tab would lead nowhere.
    fn may_hold(&mut self, surface: &WlSurface) -> bool {
        let here = self.focus_at(self.pointer.current_location());
        if here.is_none_or(|(here, _)| here != *surface) {
            return false;
        }
        let mut root = surface.clone();
        while let Some(parent) = get_parent(&root) {
            root = parent;
        }
        let x11 = self.windows.find(&root).is_some_and(|managed| managed.x11.is_some());
        // A window of X11 that fills the output by itself leaves the keys to another.
        let keys = self.focused.as_ref() == Some(&root) || (x11 && self.x11_has_keys());
        keys || self.windows.policy == Policy::Kiosk
    }

    /// Windows came, went or changed places: who held the pointer may have to let it go,
    /// and who may hold it again does.
    pub fn settle_constraint(&mut self) {
        let Some(surface) = self.pointer.current_focus().filter(Resource::is_alive) else { return };
        if !self.may_hold(&surface) {
            with_pointer_constraint(&surface, &self.pointer, |constraint| {
                if let Some(constraint) = constraint.filter(|constraint| constraint.is_active()) {
                    constraint.deactivate();
                }
            });
            return;
        }
        let at = self.pointer.current_location();
        if let Some((_, origin)) = self.focus_at(at) {
            self.constrain_pointer(&surface, at - origin);
        }
    }

    /// A constraint starts when the pointer is inside its region on the focused surface.
    fn constrain_pointer(&mut self, surface: &WlSurface, local: Point<f64, Logical>) {
        if self.pointer.current_focus().as_ref() != Some(surface) || !self.may_hold(surface) {
            return;
        }
        with_pointer_constraint(surface, &self.pointer, |constraint| {
            if let Some(constraint) = constraint.filter(|c| !c.is_active())
                && constraint.region().is_none_or(|region| region.contains(local.to_i32_floor()))
            {
                constraint.activate();
            }
        });
    }

    pub(super) fn button(&mut self, code: u16, down: bool) {
        if down == self.input.buttons.contains(&code) {
            return;
        }
        if down {
            self.input.buttons.insert(code);
        } else {
            self.input.buttons.remove(&code);
        }
        self.cursor.show();
        let (pointer, time) = (self.pointer.clone(), self.millis());
        if down {
            self.press_beside_menu(self.pointer.current_location());
        }
        if down && self.press_desktop(code == BTN_LEFT) {
            self.input.taken_buttons.insert(code);
            return;
        }
        // Its press was not the client's, so its release is not either.
        if self.input.taken_buttons.remove(&code) {
            return;
        }
        if down && !pointer.is_grabbed() {
            self.click(code, self.pointer.current_location());
        }
        let ended = if down { None } else { self.input.drag.take() };
        let state = if down { ButtonState::Pressed } else { ButtonState::Released };
        let event =
            ButtonEvent { serial: SERIAL_COUNTER.next_serial(), time, button: u32::from(code), state };
        pointer.button(self, &event);
        pointer.frame(self);
        if let Some(drag) = ended {
            self.end_drag(&drag);
        }
        if !down {
            self.release_cross();
        }
    }

    /// A finger or a pen came down on a surface: its window comes to the front.
    pub(super) fn press(&mut self, at: Point<f64, Logical>) {
        self.click(0, at);
    }

    /// What a held button would do on its release is not to be done.
    pub(super) fn forget_press(&mut self) {
        self.input.cross = None;
        self.input.bar_click = None;
    }

    /// A press on something: it comes to the front; title bars are ours.
    fn click(&mut self, code: u16, at: Point<f64, Logical>) {
        // A press elsewhere in between makes two clicks on a title bar no double click.
        let last = self.input.bar_click.take();
        match self.under(at) {
            Some(Under::Surface(surface, _)) => {
                let mut root = surface;
                while let Some(parent) = get_parent(&root) {
                    root = parent;
                }
                if self.windows.find(&root).is_some() {
                    self.activate(&root);
                } else {
                    self.press_layer(&root);
                }
            }
            Some(Under::Bar(window)) => {
                let Some(surface) = self.windows.surface_of(&window) else { return };
                self.activate(&surface);
                let now = self.now();
                let double = last.is_some_and(|last| now - last < 400_000_000);
                if code == BTN_LEFT && double {
                    self.toggle_maximized(&surface);
                } else if code == BTN_LEFT {
                    self.input.bar_click = Some(now);
                    self.start_move(&surface);
                }
            }
            Some(Under::Cross(window)) if code == BTN_LEFT => {
                self.input.cross = self.windows.surface_of(&window);
            }
            _ => {}
        }
    }

    fn release_cross(&mut self) {
        let Some(pressed) = self.input.cross.take() else { return };
        if let Some(Under::Cross(window)) = self.under(self.pointer.current_location())
            && self.windows.surface_of(&window).as_ref() == Some(&pressed)
            && let Some(managed) = self.windows.find(&pressed)
        {
            managed.close();
        }
    }

    pub(super) fn scroll(&mut self, horizontal: i32, vertical: i32) {
        if self.scroll_launcher(vertical) {
            return;
        }
        let mut frame = AxisFrame::new(self.millis()).source(AxisSource::Wheel);
        // Wayland's positive direction is down, the event's is up.
        for (axis, amount) in [(Axis::Horizontal, horizontal), (Axis::Vertical, vertical.saturating_neg())] {
            if amount != 0 {
                frame = frame.value(axis, f64::from(amount) / 120.0 * NOTCH).v120(axis, amount);
            }
        }
        let pointer = self.pointer.clone();
        pointer.axis(self, frame);
        pointer.frame(self);
    }
}

impl PointerConstraintsHandler for State {
    fn new_constraint(
        &mut self,
        surface: &WlSurface,
        pointer: &smithay::input::pointer::PointerHandle<Self>,
    ) {
        let at = pointer.current_location();
        if let Some((focus, origin)) = self.focus_at(at)
            && focus == *surface
        {
            self.constrain_pointer(surface, at - origin);
        }
    }

    fn cursor_position_hint(
        &mut self,
        surface: &WlSurface,
        pointer: &smithay::input::pointer::PointerHandle<Self>,
        location: Point<f64, Logical>,
    ) {
        // The pointer shall be there when the lock ends.
        let origin = self.windows.find(surface).map(|managed| managed.origin().to_f64());
        if let (true, Some(origin)) = (self.locked(), origin) {
            pointer.set_location(self.clamp(origin + location));
        }
    }
}
