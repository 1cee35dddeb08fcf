//! Windows that the pointer moves or resizes.

use smithay::input::pointer::{CursorIcon, CursorImageStatus};
use smithay::reexports::wayland_protocols::xdg::shell::server::xdg_toplevel::{self, ResizeEdge};
use smithay::reexports::wayland_server::protocol::wl_surface::WlSurface;
use smithay::utils::{Logical, Point, Rectangle, SERIAL_COUNTER, Size};

use crate::seat::State;
use crate::windows::Policy;

/// No window is made smaller than this by dragging.
const SMALLEST: i32 = 120;
/// A window that is dragged.
pub(super) struct Drag {
    surface: WlSurface,
    edges: Option<ResizeEdge>,
    from: Point<f64, Logical>,
    rect: Rectangle<i32, Logical>,
}

impl State {
    /// The pointer starts to move a window.
    pub fn start_move(&mut self, surface: &WlSurface) {
        self.start_drag(surface, None);
    }

    /// The pointer starts to pull at the edges of a window.
    pub fn start_resize(&mut self, surface: &WlSurface, edges: ResizeEdge) {
        self.start_drag(surface, Some(edges));
    }

    fn start_drag(&mut self, surface: &WlSurface, edges: Option<ResizeEdge>) {
        if self.windows.policy != Policy::Desktop {
            return;
        }
        let Some(managed) = self.windows.find(surface) else { return };
        if managed.fullscreen || managed.maximized {
            return;
        }
        let rect = managed.rect();
        if self.input.buttons.is_empty() && !self.finger_to_pointer(surface) {
            return;
        }
        let from = self.pointer.current_location();
        self.input.drag = Some(Drag { surface: surface.clone(), edges, from, rect });
        let (pointer, time) = (self.pointer.clone(), self.millis());
        pointer.unset_grab(self, SERIAL_COUNTER.next_serial(), time);
        let icon = if edges.is_some() { CursorIcon::NwseResize } else { CursorIcon::Default };
        self.cursor.set(CursorImageStatus::Named(icon));
    }

    /// The window that is dragged is gone.
    pub fn drop_drag(&mut self, surface: &WlSurface) {
        if self.input.drag.as_ref().is_some_and(|drag| drag.surface == *surface) {
            self.input.drag = None;
        }
    }

    /// Moves or resizes what is dragged. False when nothing is.
    pub(super) fn drag_to(&mut self, to: Point<f64, Logical>) -> bool {
        let Some(drag) = &self.input.drag else { return false };
        let moved: Point<i32, Logical> = (to - drag.from).to_i32_round();
        let (rect, edges) = (drag.rect, drag.edges);
        let (output, policy) = (self.windows.size, self.windows.policy);
        let surface = drag.surface.clone();
        let Some(managed) = self.windows.find(&surface) else { return false };
        let Some(edges) = edges else {
            let bar = if managed.has_bar(policy) { crate::backdrop::BAR } else { 0 };
            let at = rect.loc + moved;
            // A corner always stays within reach.
            managed.position = Point::from((
                at.x.clamp(48 - rect.size.w, output.w - 48),
                at.y.clamp(bar, output.h.max(bar + 1) - 1),
            ));
            return true;
        };
        let size = resized(rect.size, moved, edges);
        managed.pull_x11(rect, size, edges);
        if let Some(toplevel) = managed.window.toplevel() {
            toplevel.with_pending_state(|state| {
                state.size = Some(size);
                state.states.set(xdg_toplevel::State::Resizing);
            });
            toplevel.send_pending_configure();
        }
        true
    }

    /// The dragged window committed a new size: the edges that are not pulled stay.
    pub fn settle_resize(&mut self, surface: &WlSurface) {
        let Some(drag) = self.input.drag.as_ref().filter(|drag| drag.surface == *surface) else { return };
        let Some(edges) = drag.edges else { return };
        let (left, top) = pulls(edges);
        let end = drag.rect.loc + drag.rect.size.to_point();
        let Some(managed) = self.windows.find(surface) else { return };
        let size = managed.geometry().size;
        if left {
            managed.position.x = end.x - size.w;
        }
        if top {
            managed.position.y = end.y - size.h;
        }
    }

    pub(super) fn end_drag(&mut self, drag: &Drag) {
        if drag.edges.is_some()
            && let Some(managed) = self.windows.find(&drag.surface)
            && let Some(toplevel) = managed.window.toplevel()
        {
            toplevel.with_pending_state(|state| state.states.unset(xdg_toplevel::State::Resizing));
            toplevel.send_pending_configure();
        }
        self.refresh_pointer();
    }
}

/// Whether the left and the top edge move.
fn pulls(edges: ResizeEdge) -> (bool, bool) {
    use ResizeEdge as E;
    (
        matches!(edges, E::Left | E::TopLeft | E::BottomLeft),
        matches!(edges, E::Top | E::TopLeft | E::TopRight),
    )
}

fn resized(size: Size<i32, Logical>, moved: Point<i32, Logical>, edges: ResizeEdge) -> Size<i32, Logical> {
    use ResizeEdge as E;
    let (left, top) = pulls(edges);
    let right = matches!(edges, E::Right | E::TopRight | E::BottomRight);
    let bottom = matches!(edges, E::Bottom | E::BottomLeft | E::BottomRight);
    let w = size.w
        + if left {
            -moved.x
        } else if right {
            moved.x
        } else {
            0
        };
    let h = size.h
        + if top {
            -moved.y
        } else if bottom {
            moved.y
        } else {
            0
        };
    Size::from((w.max(SMALLEST), h.max(SMALLEST / 2)))
}
