//! What smithay does with fingers by default sends all of them to the surface that
//! the first one touched. Here each keeps its own; the first is remembered, as a
//! client may begin to drag something with it.

use smithay::input::touch::{
    DownEvent, GrabStartData, MotionEvent, OrientationEvent, ShapeEvent, TouchGrab, TouchInnerHandle, UpEvent,
};
use smithay::reexports::wayland_server::protocol::wl_surface::WlSurface;
use smithay::utils::{Logical, Point, Serial};

use crate::seat::State;

type Focus = Option<(WlSurface, Point<f64, Logical>)>;

/// Fingers that touch, or none yet.
pub struct EachItsOwn {
    start: GrabStartData<State>,
    touching: usize,
}

impl EachItsOwn {
    /// No finger touches.
    pub fn idle() -> Self {
        let start = GrabStartData { focus: None, slot: None.into(), location: Point::default() };
        Self { start, touching: 0 }
    }
}

impl TouchGrab<State> for EachItsOwn {
    fn down(
        &mut self,
        data: &mut State,
        handle: &mut TouchInnerHandle<'_, State>,
        focus: Focus,
        event: &DownEvent,
        seq: Serial,
    ) {
        handle.down(data, focus.clone(), event, seq);
        self.touching += 1;
        if self.touching == 1 {
            let start = GrabStartData { focus, slot: event.slot, location: event.location };
            handle.set_grab(self, data, event.serial, Self { start, touching: 1 });
        }
    }

    fn up(
        &mut self,
        data: &mut State,
        handle: &mut TouchInnerHandle<'_, State>,
        event: &UpEvent,
        seq: Serial,
    ) {
        handle.up(data, event, seq);
        self.touching = self.touching.saturating_sub(1);
        if self.touching == 0 {
            handle.unset_grab(self, data);
        }
    }

    fn motion(
        &mut self,
        data: &mut State,
        handle: &mut TouchInnerHandle<'_, State>,
        focus: Focus,
        event: &MotionEvent,
        seq: Serial,
    ) {
        handle.motion(data, focus, event, seq);
    }

    fn frame(&mut self, data: &mut State, handle: &mut TouchInnerHandle<'_, State>, seq: Serial) {
        handle.frame(data, seq);
    }

    fn cancel(&mut self, data: &mut State, handle: &mut TouchInnerHandle<'_, State>, seq: Serial) {
        handle.cancel(data, seq);
        // Fingers on other clients that go on need no grab for it.
        handle.unset_grab(self, data);
    }

    fn shape(
        &mut self,
        data: &mut State,
        handle: &mut TouchInnerHandle<'_, State>,
        event: &ShapeEvent,
        seq: Serial,
    ) {
        handle.shape(data, event, seq);
    }

    fn orientation(
        &mut self,
        data: &mut State,
        handle: &mut TouchInnerHandle<'_, State>,
        event: &OrientationEvent,
        seq: Serial,
    ) {
        handle.orientation(data, event, seq);
    }

    fn start_data(&self) -> &GrabStartData<State> {
        &self.start
    }

    fn unset(&mut self, _data: &mut State) {}
}
