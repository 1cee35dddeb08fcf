//! What the client does, from the host's events to the applications.
//!
//! Each kind of device has a file of its own; this one holds what is shared.

mod drag;
mod fingers;
mod grab;
mod keyboard;
mod pen;
mod pointer;
mod touch;

use std::collections::HashSet;

use punktfunk_core::input::Event;
use smithay::reexports::wayland_server::Resource;
use smithay::reexports::wayland_server::backend::ObjectId;
use smithay::reexports::wayland_server::protocol::wl_surface::WlSurface;
use smithay::utils::{Logical, Point};

use crate::seat::State;
use drag::Drag;
use fingers::Fingers;
pub use grab::EachItsOwn;

const BTN_LEFT: u16 = 0x110;

/// What is held down, and what the pointer drags.
#[derive(Default)]
pub struct Input {
    keys: HashSet<u16>,
    /// Keys whose press a shortcut took: their release is taken as well.
    taken: HashSet<u16>,
    buttons: HashSet<u16>,
    /// Buttons whose press the desktop took: their release is taken as well.
    taken_buttons: HashSet<u16>,
    fingers: Fingers<touch::Target>,
    pen: pen::PenState,
    drag: Option<Drag>,
    /// Last absolute position, to make deltas of while the pointer is locked.
    absolute: Option<Point<f64, Logical>>,
    /// A press on a cross: it closes on release if the pointer is still there.
    cross: Option<WlSurface>,
    /// When a title bar was last clicked, for the double click.
    bar_click: Option<u64>,
}

impl State {
    /// Carries out what the client did.
    pub fn input(&mut self, event: Event) {
        match event {
            event @ (Event::Key { .. } | Event::Text { .. }) => self.type_in_order(event),
            Event::PointerMotion { dx, dy } => self.motion(Point::from((dx, dy))),
            Event::PointerPosition { x, y } => self.position(x, y),
            Event::PointerButton { code, down } => self.button(code, down),
            Event::Scroll { horizontal, vertical } => self.scroll(horizontal, vertical),
            Event::Touch(touch) => self.touch(&touch),
            Event::Pen(pen) => self.pen(&pen),
            Event::ReleaseAll => self.release_all(),
            other => tracing::warn!(?other, "an input event this version does not know"),
        }
    }

    /// The time of an event, as the protocol wants it.
    pub fn millis(&self) -> u32 {
        // Wraps after 49 days.
        (self.now() / 1_000_000) as u32
    }

    /// The objects of this interface that the client of a surface has.
    fn objects_of(&self, surface: &WlSurface, interface: &str) -> Vec<ObjectId> {
        let backend = self.display.backend_handle();
        let mut found = Vec::new();
        if let Ok(client) = backend.get_client(surface.id()) {
            // Fails only for a client that is gone.
            let _ = backend.with_all_objects_for(client, |id| {
                if id.interface().name == interface {
                    found.push(id);
                }
            });
        }
        found
    }

    /// Everything that is held goes up.
    pub fn release_all(&mut self) {
        self.cancel_touches();
        self.pen_leaves();
        self.forget_text();
        self.input.pen = pen::PenState::default();
        for code in self.input.keys.clone() {
            self.key(code, false);
        }
        for code in self.input.buttons.clone() {
            self.button(code, false);
        }
        self.cursor.hide();
        self.damage();
    }
}
