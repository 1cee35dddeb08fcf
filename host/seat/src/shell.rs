//! Toplevels and popups: how the policies answer what their clients ask.

use smithay::desktop::{PopupKind, PopupManager, Window, find_popup_root_surface, get_popup_toplevel_coords};
use smithay::reexports::wayland_protocols::xdg::decoration::zv1::server::zxdg_toplevel_decoration_v1::Mode as Decoration;
use smithay::reexports::wayland_protocols::xdg::shell::server::xdg_toplevel::{self, ResizeEdge};
use smithay::reexports::wayland_server::protocol::{
    wl_output::WlOutput, wl_seat::WlSeat, wl_surface::WlSurface,
};
use smithay::utils::{Point, Rectangle, SERIAL_COUNTER, Serial, Size};
use smithay::wayland::seat::WaylandFocus;
use smithay::wayland::shell::kde::decoration::{KdeDecorationHandler, KdeDecorationState};
use smithay::wayland::shell::xdg::decoration::XdgDecorationHandler;
use smithay::wayland::shell::xdg::{
    PopupSurface, PositionerState, ToplevelSurface, XdgShellHandler, XdgShellState,
};
use smithay::wayland::xdg_activation::{
    XdgActivationHandler, XdgActivationState, XdgActivationToken, XdgActivationTokenData,
};

use crate::backdrop::BAR;
use crate::seat::State;
use crate::windows::{Managed, Policy};

impl XdgShellHandler for State {
    fn xdg_shell_state(&mut self) -> &mut XdgShellState {
        &mut self.globals.xdg_shell
    }

    fn new_toplevel(&mut self, surface: ToplevelSurface) {
        let managed = Managed::new(Window::new_wayland_window(surface));
        self.close_when_ending(&managed);
        self.windows.stack.push(managed);
    }

    fn toplevel_destroyed(&mut self, surface: ToplevelSurface) {
        self.windows.stack.retain(|managed| managed.surface() != Some(surface.wl_surface()));
        self.drop_drag(surface.wl_surface());
        self.listed.stale = true;
        self.refocus();
        self.damage();
    }

    fn title_changed(&mut self, _surface: ToplevelSurface) {
        self.listed.stale = true;
        self.damage();
    }

    fn app_id_changed(&mut self, _surface: ToplevelSurface) {
        self.listed.stale = true;
    }

    fn new_popup(&mut self, surface: PopupSurface, positioner: PositionerState) {
        self.constrain(&surface, positioner);
        if let Err(error) = self.popups.track_popup(PopupKind::Xdg(surface)) {
            tracing::debug!(%error, "a popup without a parent");
        }
    }

    fn reposition_request(&mut self, surface: PopupSurface, positioner: PositionerState, token: u32) {
        self.constrain(&surface, positioner);
        surface.send_repositioned(token);
    }

    fn popup_destroyed(&mut self, _surface: PopupSurface) {
        self.drop_ended_grab();
        self.refresh_pointer();
        self.damage();
    }

    fn grab(&mut self, surface: PopupSurface, seat: WlSeat, serial: Serial) {
        self.grab_popup(PopupKind::Xdg(surface), &seat, serial);
    }

    fn move_request(&mut self, surface: ToplevelSurface, _seat: WlSeat, _serial: Serial) {
        self.start_move(surface.wl_surface());
    }

    fn resize_request(
        &mut self,
        surface: ToplevelSurface,
        _seat: WlSeat,
        _serial: Serial,
        edges: ResizeEdge,
    ) {
        self.start_resize(surface.wl_surface(), edges);
    }

    fn maximize_request(&mut self, surface: ToplevelSurface) {
        self.fill(&surface, true, false);
    }

    fn unmaximize_request(&mut self, surface: ToplevelSurface) {
        self.unfill(&surface);
    }

    fn fullscreen_request(&mut self, surface: ToplevelSurface, _output: Option<WlOutput>) {
        self.fill(&surface, false, true);
    }

    fn unfullscreen_request(&mut self, surface: ToplevelSurface) {
        self.unfill(&surface);
    }

    fn minimize_request(&mut self, surface: ToplevelSurface) {
        self.minimize(surface.wl_surface());
    }
}

impl State {
    /// There is nowhere to minimise to: the window goes behind the others.
    pub fn minimize(&mut self, surface: &WlSurface) {
        if self.windows.policy == Policy::Desktop
            && let Some(index) = self.windows.stack.iter().position(|m| m.surface() == Some(surface))
        {
            let managed = self.windows.stack.remove(index);
            self.windows.stack.insert(0, managed);
            self.refocus();
        }
    }

    /// The first answer to a new toplevel: how large it should be.
    pub fn first_configure(&mut self, toplevel: &ToplevelSurface) {
        let (policy, size) = (self.windows.policy, self.windows.size);
        let room = self.windows.usable.size;
        let dialog = toplevel.parent().is_some();
        let managed = self.windows.find(toplevel.wl_surface());
        let fullscreen = managed.is_some_and(|managed| managed.fullscreen);
        toplevel.with_pending_state(|state| {
            state.bounds = Some(Size::from((room.w, room.h - BAR)));
            if policy == Policy::Kiosk && !dialog {
                state.size = Some(size);
                state.states.set(xdg_toplevel::State::Maximized);
                if fullscreen {
                    state.states.set(xdg_toplevel::State::Fullscreen);
                }
            }
        });
        toplevel.send_configure();
    }

    /// A toplevel shows its first picture.
    pub fn map(&mut self, surface: &WlSurface) {
        let Some(managed) = self.windows.find(surface) else { return };
        managed.mapped = true;
        self.listed.stale = true;
        let (size, decorated) = (managed.window.geometry().size, managed.decorated);
        let filled = managed.fullscreen || managed.maximized;
        let parent = managed.window.toplevel().and_then(|toplevel| toplevel.parent());
        let whole = self.windows.policy == Policy::Kiosk && parent.is_none();
        if !filled {
            let mut at = self.windows.place(size, parent.as_ref(), decorated);
            if whole && size.w >= self.windows.size.w {
                at = (0, 0).into();
            }
            if let Some(managed) = self.windows.find(surface) {
                managed.position = at;
            }
        }
        self.activate(surface);
        self.session_mapped();
    }

    /// A toplevel shows nothing any more.
    pub fn unmap(&mut self, surface: &WlSurface) {
        if let Some(managed) = self.windows.find(surface) {
            managed.mapped = false;
        }
        self.listed.stale = true;
        self.drop_drag(surface);
        self.refocus();
    }

    /// A toplevel committed: in Kiosk it stays centred, or at the corner if it fills the
    /// output; a window resized from its left or top edge keeps the opposite one.
    pub fn settle(&mut self, surface: &WlSurface) {
        self.settle_resize(surface);
        if self.windows.policy != Policy::Kiosk {
            return;
        }
        let output = self.windows.size;
        if let Some(managed) = self.windows.find(surface)
            && managed.window.toplevel().is_some_and(|toplevel| toplevel.parent().is_none())
        {
            let size = managed.window.geometry().size;
            let (x, y) = ((output.w - size.w).max(0) / 2, (output.h - size.h).max(0) / 2);
            managed.position = (x, y).into();
        }
    }

    /// Gives a window the keyboard and brings it to the front.
    pub fn activate(&mut self, surface: &WlSurface) {
        if self.windows.find(surface).is_some_and(|managed| !managed.is_managed()) {
            return;
        }
        self.windows.raise(surface);
        // A dialog above it wants the keys first.
        let target =
            self.windows.top().and_then(Managed::surface).cloned().unwrap_or_else(|| surface.clone());
        self.focus(Some(target));
    }

    /// Gives the keyboard to the frontmost window, or to nobody.
    pub fn refocus(&mut self) {
        let front = self.windows.front().and_then(Managed::surface).cloned();
        self.focus(front);
        self.refresh_pointer();
    }

    /// Gives the keyboard to this surface, or to nobody; the stack stays as it is.
    pub fn focus(&mut self, surface: Option<WlSurface>) {
        let surface = self.exclusive_layer().or(surface);
        self.focus_beside_menu(surface.as_ref());
        for managed in &self.windows.stack {
            let active = surface.is_some() && managed.surface() == surface.as_ref();
            if managed.window.set_activated(active)
                && let Some(toplevel) = managed.window.toplevel()
                && toplevel.is_initial_configure_sent()
            {
                toplevel.send_pending_configure();
            }
        }
        let keyboard = self.keyboard.clone();
        self.focus_x11(surface.as_ref());
        if keyboard.current_focus() != surface {
            keyboard.set_focus(self, surface.clone(), SERIAL_COUNTER.next_serial());
            self.focused = surface;
        }
        self.settle_constraint();
        self.damage();
    }

    /// Makes a window fill the output, or what a title bar leaves of it.
    pub fn fill(&mut self, toplevel: &ToplevelSurface, maximized: bool, fullscreen: bool) {
        let policy = self.windows.policy;
        let room = self.windows.room(fullscreen);
        let Some(managed) = self.windows.find(toplevel.wl_surface()) else { return };
        if managed.mapped && managed.restore.is_none() {
            managed.restore = Some(managed.rect());
        }
        managed.maximized = maximized;
        managed.fullscreen = fullscreen;
        let bar = if managed.has_bar(policy) { BAR } else { 0 };
        managed.position = room.loc + Point::from((0, bar));
        toplevel.with_pending_state(|state| {
            state.size = Some(Size::from((room.size.w, room.size.h - bar)));
            if fullscreen {
                state.states.set(xdg_toplevel::State::Fullscreen);
            } else {
                state.states.unset(xdg_toplevel::State::Fullscreen);
                state.states.set(xdg_toplevel::State::Maximized);
            }
        });
        if toplevel.is_initial_configure_sent() {
            toplevel.send_configure();
        }
        self.damage();
    }

    /// Takes a window back to the size it had before [`fill`](Self::fill).
    pub fn unfill(&mut self, toplevel: &ToplevelSurface) {
        let (policy, output) = (self.windows.policy, self.windows.size);
        let Some(managed) = self.windows.find(toplevel.wl_surface()) else { return };
        managed.maximized = false;
        managed.fullscreen = false;
        let restore = managed.restore.take();
        if let (Policy::Desktop, Some(rect)) = (policy, restore) {
            managed.position = rect.loc;
        }
        toplevel.with_pending_state(|state| {
            state.states.unset(xdg_toplevel::State::Fullscreen);
            if policy == Policy::Kiosk {
                state.size = Some(output);
            } else {
                state.states.unset(xdg_toplevel::State::Maximized);
                state.size = restore.map(|rect| rect.size);
            }
        });
        if toplevel.is_initial_configure_sent() {
            toplevel.send_configure();
        }
        self.damage();
    }

    /// Makes a window as large as possible, or takes it back.
    pub fn toggle_maximized(&mut self, surface: &WlSurface) {
        let Some(managed) = self.windows.find(surface) else { return };
        let (maximized, toplevel) = (managed.maximized, managed.window.toplevel().cloned());
        let window = managed.x11.as_ref().map(|x11| x11.surface.window_id());
        match (toplevel, window) {
            (Some(toplevel), _) if maximized => self.unfill(&toplevel),
            (Some(toplevel), _) => self.fill(&toplevel, true, false),
            (None, Some(window)) if maximized => self.unfill_x11(window),
            (None, Some(window)) => self.fill_x11(window, true, false),
            (None, None) => {}
        }
    }

    /// Every window learns the size of the output anew.
    pub fn arrange(&mut self) {
        let x11: Vec<_> = self.windows.stack.iter().filter_map(|m| m.x11.as_ref()).collect();
        for window in x11.iter().map(|x11| x11.surface.window_id()).collect::<Vec<_>>() {
            self.settle_x11(window);
        }
        let (policy, output, usable) = (self.windows.policy, self.windows.size, self.windows.usable);
        for managed in &mut self.windows.stack {
            let Some(toplevel) = managed.window.toplevel() else { continue };
            let whole = managed.fullscreen
                || managed.maximized
                || (policy == Policy::Kiosk && toplevel.parent().is_none());
            let bar = if managed.has_bar(policy) { BAR } else { 0 };
            let room = if managed.fullscreen { Rectangle::from_size(output) } else { usable };
            toplevel.with_pending_state(|state| {
                state.bounds = Some(Size::from((usable.size.w, usable.size.h - BAR)));
                if whole {
                    state.size = Some(Size::from((room.size.w, room.size.h - bar)));
                }
            });
            if whole {
                managed.position = room.loc + Point::from((0, bar));
            } else {
                let (right, bottom) = (room.loc.x + room.size.w, room.loc.y + room.size.h);
                managed.position.x = managed.position.x.min(right - 64).max(room.loc.x);
                managed.position.y = managed.position.y.min(bottom - 32).max(room.loc.y + bar);
            }
            if toplevel.is_initial_configure_sent() {
                toplevel.send_pending_configure();
            }
        }
    }

    /// Keeps a popup inside the output.
    pub fn constrain(&mut self, popup: &PopupSurface, positioner: PositionerState) {
        let kind = PopupKind::Xdg(popup.clone());
        let output = Rectangle::from_size(self.windows.size);
        let root = find_popup_root_surface(&kind).ok();
        let layer = root.as_ref().and_then(|root| self.layer_root_origin(root));
        let origin = layer.or_else(|| Some(self.windows.find(&root?)?.position));
        let geometry = match origin {
            Some(origin) => {
                let mut target = output;
                target.loc -= origin + get_popup_toplevel_coords(&kind);
                positioner.get_unconstrained_geometry(target)
            }
            None => positioner.get_geometry(),
        };
        popup.with_pending_state(|state| {
            state.geometry = geometry;
            state.positioner = positioner;
        });
    }

    /// The output is another: menus that said they would follow are placed anew.
    pub fn constrain_again(&mut self) {
        let windows = self.windows.stack.iter().filter_map(Managed::surface).cloned();
        let roots: Vec<_> = windows.chain(self.layer_roots()).collect();
        for (popup, _) in roots.iter().flat_map(PopupManager::popups_for_surface) {
            let PopupKind::Xdg(popup) = popup else { continue };
            let positioner = popup.with_pending_state(|state| state.positioner);
            if positioner.reactive {
                self.constrain(&popup, positioner);
                if let Err(error) = popup.send_configure() {
                    tracing::debug!(%error, "a menu could not be placed anew");
                }
            }
        }
    }

    fn decorate(&mut self, toplevel: &ToplevelSurface, by_us: bool) {
        toplevel.with_pending_state(|state| {
            state.decoration_mode = Some(if by_us { Decoration::ServerSide } else { Decoration::ClientSide });
        });
        if let Some(managed) = self.windows.find(toplevel.wl_surface()) {
            managed.decorated = by_us;
        }
        if toplevel.is_initial_configure_sent() {
            toplevel.send_pending_configure();
        }
        self.damage();
    }
}

impl XdgDecorationHandler for State {
    fn new_decoration(&mut self, toplevel: ToplevelSurface) {
        self.decorate(&toplevel, true);
    }

    fn request_mode(&mut self, toplevel: ToplevelSurface, mode: Decoration) {
        // In Kiosk nothing has a title bar, whatever it asks for.
        let by_us = mode != Decoration::ClientSide || self.windows.policy == Policy::Kiosk;
        self.decorate(&toplevel, by_us);
    }

    fn unset_mode(&mut self, toplevel: ToplevelSurface) {
        self.decorate(&toplevel, true);
    }
}

impl KdeDecorationHandler for State {
    fn kde_decoration_state(&self) -> &KdeDecorationState {
        &self.globals.kde_decoration
    }
}

impl XdgActivationHandler for State {
    fn activation_state(&mut self) -> &mut XdgActivationState {
        &mut self.globals.activation
    }

    fn request_activation(
        &mut self,
        _token: XdgActivationToken,
        data: XdgActivationTokenData,
        surface: WlSurface,
    ) {
        // A token must be fresh: an old one would steal the keys much later.
        let fresh = data.timestamp.elapsed().as_secs() < 10;
        if fresh && self.windows.find(&surface).is_some_and(|managed| managed.mapped) {
            self.activate(&surface);
        }
        let root = surface.wl_surface().map(|surface| surface.into_owned());
        tracing::debug!(?root, fresh, "a client asked for attention");
    }
}
