//! What X11 windows ask of their manager, and the clipboard between X11 and Wayland.

use std::os::fd::OwnedFd;

use smithay::reexports::wayland_protocols::xdg::shell::server::xdg_toplevel::ResizeEdge as Edge;
use smithay::reexports::wayland_server::protocol::wl_surface::WlSurface;
use smithay::utils::{Logical, Point, Rectangle, Size};
use smithay::wayland::selection::data_device::{
    clear_data_device_selection, current_data_device_selection_userdata,
    request_data_device_client_selection, set_data_device_selection,
};
use smithay::wayland::selection::primary_selection::{
    clear_primary_selection, current_primary_selection_userdata, request_primary_client_selection,
    set_primary_selection,
};
use smithay::wayland::selection::{SelectionSource, SelectionTarget};
use smithay::wayland::xwayland_keyboard_grab::XWaylandKeyboardGrabHandler;
use smithay::wayland::xwayland_shell::{XWaylandShellHandler, XWaylandShellState};
use smithay::xwayland::xwm::{Reorder, ResizeEdge, WmWindowProperty, XwmId};
use smithay::xwayland::{X11Surface, X11Wm, XwmHandler};

use crate::seat::State;
use crate::windows::{Managed, Policy};

impl XWaylandShellHandler for State {
    fn xwayland_shell_state(&mut self) -> &mut XWaylandShellState {
        &mut self.xwayland.shell
    }

    fn surface_associated(&mut self, _xwm: XwmId, _wl_surface: WlSurface, _surface: X11Surface) {
        self.wake();
    }
}

impl XWaylandKeyboardGrabHandler for State {
    fn keyboard_focus_for_xsurface(&self, surface: &WlSurface) -> Option<WlSurface> {
        // On a desktop a menu that hangs must not take the keys of all other windows.
        let kiosk = self.windows.policy == Policy::Kiosk;
        let own = self.windows.stack.iter().any(|managed| managed.surface() == Some(surface));
        (kiosk && own).then(|| surface.clone())
    }
}

impl XwmHandler for State {
    fn xwm_state(&mut self, _xwm: XwmId) -> &mut X11Wm {
        let xwayland = &mut self.xwayland;
        match &mut xwayland.stage {
            super::Stage::Running { wm, .. } => wm,
            // Asked only by sources that a window manager put into the loop, and the
            // latest one is kept.
            _ => xwayland.dead.as_mut().expect("events of a window manager that never was"),
        }
    }

    fn new_window(&mut self, _xwm: XwmId, _window: X11Surface) {}

    fn new_override_redirect_window(&mut self, _xwm: XwmId, _window: X11Surface) {}

    fn map_window_request(&mut self, _xwm: XwmId, window: X11Surface) {
        self.admit_x11(window);
    }

    fn mapped_override_redirect_window(&mut self, _xwm: XwmId, window: X11Surface) {
        self.windows.forget_x11(&window);
        let position = window.geometry().loc;
        let mut managed = Managed::of_x11(window, super::side::Facts::default());
        managed.position = position;
        self.windows.stack.push(managed);
        self.associate_windows();
    }

    fn unmapped_window(&mut self, _xwm: XwmId, window: X11Surface) {
        self.dismiss_x11(&window);
    }

    fn destroyed_window(&mut self, _xwm: XwmId, window: X11Surface) {
        self.dismiss_x11(&window);
    }

    fn configure_request(
        &mut self,
        _xwm: XwmId,
        window: X11Surface,
        x: Option<i32>,
        y: Option<i32>,
        w: Option<u32>,
        h: Option<u32>,
        _reorder: Option<Reorder>,
    ) {
        let side = |wanted: Option<u32>, has: i32| {
            wanted.map_or(has, |wanted| i32::try_from(wanted).unwrap_or(i32::MAX))
        };
        let desktop = self.windows.policy == Policy::Desktop;
        let Some(managed) = self.windows.find_x11(window.window_id()) else {
            // Not mapped yet: whatever it likes.
            let mut rect = window.geometry();
            rect.loc.x = x.unwrap_or(rect.loc.x);
            rect.loc.y = y.unwrap_or(rect.loc.y);
            rect.size = Size::from((side(w, rect.size.w).max(1), side(h, rect.size.h).max(1)));
            if let Err(error) = window.configure(rect) {
                tracing::debug!(%error, "an X11 window could not be configured");
            }
            return;
        };
        if !managed.fullscreen && !managed.maximized {
            let has = managed.geometry().size;
            managed.resize_x11(Size::from((side(w, has.w), side(h, has.h))));
            let dialog = managed.x11.as_ref().is_some_and(super::XWindow::is_dialog);
            if desktop || dialog {
                let bar = if desktop && managed.decorated { crate::backdrop::BAR } else { 0 };
                let wish = managed.position;
                let wish = Point::from((x.unwrap_or(wish.x), y.map_or(wish.y, |y| y.max(bar))));
                managed.position = wish;
            }
            self.settle_x11(window.window_id());
        }
        self.tell_x11();
        self.damage();
    }

    fn configure_notify(
        &mut self,
        _xwm: XwmId,
        window: X11Surface,
        geometry: Rectangle<i32, Logical>,
        _above: Option<u32>,
    ) {
        if let Some(managed) = self.windows.find_x11(window.window_id())
            && let Some(x11) = managed.x11.as_mut().filter(|x11| x11.is_free())
        {
            x11.size = geometry.size;
            managed.position = geometry.loc;
            self.damage();
        }
    }

    fn property_notify(&mut self, _xwm: XwmId, window: X11Surface, property: WmWindowProperty) {
        let protocols = property == WmWindowProperty::Protocols;
        let facts = self.xwayland.side().filter(|_| protocols).map(|side| side.facts(window.window_id()));
        let Some(managed) = self.windows.find_x11(window.window_id()) else { return };
        let Some(x11) = &mut managed.x11 else { return };
        if let Some(facts) = facts {
            x11.facts.take_focus = facts.take_focus;
        }
        managed.decorated = x11.wants_bar();
        self.listed.stale = true;
        self.damage();
    }

    fn maximize_request(&mut self, _xwm: XwmId, window: X11Surface) {
        self.fill_x11(window.window_id(), true, false);
    }

    fn unmaximize_request(&mut self, _xwm: XwmId, window: X11Surface) {
        self.unfill_x11(window.window_id());
    }

    fn fullscreen_request(&mut self, _xwm: XwmId, window: X11Surface) {
        self.fill_x11(window.window_id(), false, true);
        // Also when nothing changed: a game that asked waits for it.
        if let Err(error) = window.set_fullscreen(true) {
            tracing::debug!(%error, "an X11 window was not told that it fills the output");
        }
        self.tell_x11();
    }

    fn unfullscreen_request(&mut self, _xwm: XwmId, window: X11Surface) {
        self.unfill_x11(window.window_id());
        if let Err(error) = window.set_fullscreen(false) {
            tracing::debug!(%error, "an X11 window was not told that it fills the output no more");
        }
        self.tell_x11();
    }

    fn minimize_request(&mut self, _xwm: XwmId, window: X11Surface) {
        let surface = self.windows.find_x11(window.window_id()).and_then(|m| m.surface().cloned());
        if let Some(surface) = surface {
            self.minimize(&surface);
        }
    }

    fn resize_request(&mut self, _xwm: XwmId, window: X11Surface, _button: u32, edge: ResizeEdge) {
        let surface = self.windows.find_x11(window.window_id()).and_then(|m| m.surface().cloned());
        if let Some(surface) = surface {
            self.start_resize(&surface, edges(edge));
        }
    }

    fn move_request(&mut self, _xwm: XwmId, window: X11Surface, _button: u32) {
        let surface = self.windows.find_x11(window.window_id()).and_then(|m| m.surface().cloned());
        if let Some(surface) = surface {
            self.start_move(&surface);
        }
    }

    fn allow_selection_access(&mut self, _xwm: XwmId, _selection: SelectionTarget) -> bool {
        // As for Wayland clients: who reads the clipboard is looked at. On a desktop those
        // may read it unseen, too.
        self.windows.policy == Policy::Desktop || self.x11_has_keys()
    }

    fn send_selection(&mut self, _xwm: XwmId, selection: SelectionTarget, mime: String, fd: OwnedFd) {
        let sent = match selection {
            SelectionTarget::Clipboard => {
                request_data_device_client_selection(&self.seat, mime, fd).map_err(|error| error.to_string())
            }
            SelectionTarget::Primary => {
                request_primary_client_selection(&self.seat, mime, fd).map_err(|error| error.to_string())
            }
        };
        if let Err(error) = sent {
            tracing::debug!(error, "an X11 window could not read a selection");
        }
    }

    fn new_selection(&mut self, _xwm: XwmId, selection: SelectionTarget, mimes: Vec<String>) {
        match selection {
            SelectionTarget::Clipboard => set_data_device_selection(&self.display, &self.seat, mimes, ()),
            SelectionTarget::Primary => set_primary_selection(&self.display, &self.seat, mimes, ()),
        }
    }

    fn cleared_selection(&mut self, _xwm: XwmId, selection: SelectionTarget) {
        // Only what came from X11 is the X server's to clear.
        match selection {
            SelectionTarget::Clipboard if current_data_device_selection_userdata(&self.seat).is_some() => {
                clear_data_device_selection(&self.display, &self.seat);
            }
            SelectionTarget::Primary if current_primary_selection_userdata(&self.seat).is_some() => {
                clear_primary_selection(&self.display, &self.seat);
            }
            _ => {}
        }
    }

    fn disconnected(&mut self, _xwm: XwmId) {
        self.xwayland_died();
    }
}

impl State {
    /// A Wayland client owns a selection now, or nobody does.
    pub fn offer_to_x11(&mut self, selection: SelectionTarget, source: Option<SelectionSource>) {
        let mimes = source.map(|source| source.mime_types());
        if let Some(wm) = self.xwayland.wm()
            && let Err(error) = wm.new_selection(selection, mimes)
        {
            tracing::debug!(%error, "X11 was not told of a selection");
        }
    }

    /// A Wayland client reads what an X11 client owns.
    pub fn send_from_x11(&mut self, selection: SelectionTarget, mime: String, fd: OwnedFd) {
        let handle = self.handle.clone();
        if let Some(wm) = self.xwayland.wm()
            && let Err(error) = wm.send_selection(selection, mime, fd, handle)
        {
            tracing::debug!(%error, "a selection of X11 could not be read");
        }
    }
}

fn edges(edge: ResizeEdge) -> Edge {
    match edge {
        ResizeEdge::Top => Edge::Top,
        ResizeEdge::Bottom => Edge::Bottom,
        ResizeEdge::Left => Edge::Left,
        ResizeEdge::TopLeft => Edge::TopLeft,
        ResizeEdge::BottomLeft => Edge::BottomLeft,
        ResizeEdge::Right => Edge::Right,
        ResizeEdge::TopRight => Edge::TopRight,
        ResizeEdge::BottomRight => Edge::BottomRight,
    }
}

smithay::delegate_xwayland_shell!(State);
smithay::delegate_xwayland_keyboard_grab!(State);
