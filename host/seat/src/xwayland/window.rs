//! What a window of X11 has beyond others, and how it is kept in step with the X server.

use smithay::desktop::Window;
use smithay::reexports::wayland_protocols::xdg::shell::server::xdg_toplevel::ResizeEdge;
use smithay::reexports::wayland_server::Resource;
use smithay::reexports::wayland_server::protocol::wl_surface::WlSurface;
use smithay::reexports::x11rb::properties::WmSizeHintsSpecification;
use smithay::utils::{Logical, Point, Rectangle, Size};
use smithay::xwayland::X11Surface;

use super::rank::{Rank, is_dialog, is_passing};
use super::side::{Facts, Focus};
use crate::backdrop::BAR;
use crate::seat::State;
use crate::windows::{Managed, Policy, Windows};

/// Sides of a window that the X server can still handle.
const LONGEST: i32 = 16_384;
/// A game that misses the output by no more than this meant the whole of it.
const NEARLY: i32 = 8;

/// The X11 side of a window.
pub struct XWindow {
    /// The window as smithay's window manager sees it.
    pub surface: X11Surface,
    /// What it is drawn from, once Xwayland has said so.
    pub picture: Option<WlSurface>,
    /// The size it has or is about to have.
    pub size: Size<i32, Logical>,
    /// What it says of itself.
    pub facts: Facts,
    /// The number by which `picture` was named.
    id: Option<u32>,
    /// What the X server was told last.
    told: Option<Rectangle<i32, Logical>>,
}

impl XWindow {
    /// A window that the X server just mapped or is about to.
    pub fn new(surface: X11Surface, facts: Facts) -> Self {
        let size = surface.geometry().size;
        Self { surface, picture: None, size, facts, id: None, told: None }
    }

    /// True for menus and the like, which place themselves and never take the keys.
    pub fn is_free(&self) -> bool {
        self.surface.is_override_redirect()
    }

    /// True when it wants the keys at all.
    pub fn takes_keys(&self) -> bool {
        let asks = self.surface.hints().and_then(|hints| hints.input).unwrap_or(true);
        !self.is_free() && (asks || self.facts.take_focus)
    }

    /// True when it belongs above another window.
    pub fn is_dialog(&self) -> bool {
        self.surface.is_transient_for().is_some() || is_dialog(self.surface.window_type())
    }

    /// True when a title bar of ours suits it.
    pub fn wants_bar(&self) -> bool {
        use smithay::xwayland::xwm::WmWindowType as T;
        !self.is_free()
            && !self.surface.is_decorated()
            && !is_passing(self.surface.window_type())
            && self.surface.window_type() != Some(T::Splash)
    }

    /// The number of its surface in the protocol, which is all that Xwayland before 23.1
    /// tells. It may be that of a surface it had once; then another one follows.
    #[expect(deprecated, reason = "Debian 12 has no newer Xwayland")]
    fn numbered(&self) -> Option<u32> {
        self.surface.wl_surface_id()
    }

    fn rank(&self) -> Rank {
        Rank {
            managed: !self.is_free(),
            sized: self.size.w > 1 || self.size.h > 1,
            lasting: !is_passing(self.surface.window_type()),
            takes_keys: self.takes_keys(),
            listed: !self.facts.unlisted,
        }
    }

    /// Takes a size within what the window and the X server allow.
    fn resize(&mut self, size: Size<i32, Logical>) {
        let least = self.surface.min_size().unwrap_or_default();
        let most = self.surface.max_size().filter(|most| most.w > 0 && most.h > 0);
        let most = most.unwrap_or_else(|| Size::from((LONGEST, LONGEST)));
        let fit = |side: i32, least: i32, most: i32| side.min(most).max(least).clamp(1, LONGEST);
        self.size = Size::from((fit(size.w, least.w, most.w), fit(size.h, least.h, most.h)));
    }
}

impl Managed {
    /// A window of X11, which has shown nothing yet.
    pub fn of_x11(surface: X11Surface, facts: Facts) -> Self {
        let mut managed = Self::new(Window::new_x11_window(surface.clone()));
        let xwindow = XWindow::new(surface, facts);
        managed.decorated = xwindow.wants_bar();
        managed.x11 = Some(xwindow);
        managed
    }
}

impl Windows {
    /// The window with this number, or with this frame around it.
    pub fn find_x11(&mut self, window: u32) -> Option<&mut Managed> {
        self.stack.iter_mut().find(|managed| {
            let x11 = managed.x11.as_ref().map(|x11| &x11.surface);
            x11.is_some_and(|x11| x11.window_id() == window || x11.mapped_window_id() == Some(window))
        })
    }

    /// Where a window of X11 goes that is mapped now; `wish` is where its user put it.
    fn place_x11(
        &mut self,
        x11: &XWindow,
        decorated: bool,
        wish: Option<Point<i32, Logical>>,
    ) -> Point<i32, Logical> {
        let bar = if decorated && self.policy == Policy::Desktop { BAR } else { 0 };
        if let (Policy::Desktop, Some(wish)) = (self.policy, wish) {
            return self.within_reach(wish, x11.size, bar);
        }
        let parent = x11.surface.is_transient_for();
        let parent = parent.and_then(|parent| self.find_x11(parent)?.surface().cloned());
        let parent = parent.or_else(|| self.front().filter(|_| x11.is_dialog())?.surface().cloned());
        self.place(x11.size, parent.as_ref(), decorated)
    }
}

impl State {
    /// A window asked to be mapped: it gets a place, and the size it wants.
    pub fn admit_x11(&mut self, surface: X11Surface) {
        self.windows.forget_x11(&surface);
        let facts = self.xwayland.side().map(|side| side.facts(surface.window_id())).unwrap_or_default();
        let mut managed = Managed::of_x11(surface.clone(), facts);
        let Some(x11) = &managed.x11 else { return };
        let hints = surface.size_hints().and_then(|hints| hints.position);
        let wish = hints.filter(|(who, ..)| matches!(who, WmSizeHintsSpecification::UserSpecified));
        let wish = wish.map(|_| surface.geometry().loc);
        managed.position = self.windows.place_x11(x11, managed.decorated, wish);
        self.close_when_ending(&managed);
        self.windows.stack.push(managed);
        if facts.fullscreen {
            self.fill_x11(surface.window_id(), false, true);
        } else if facts.maximized {
            self.fill_x11(surface.window_id(), true, false);
        }
        self.settle_x11(surface.window_id());
        self.tell_x11();
        if let Err(error) = surface.set_mapped(true) {
            tracing::debug!(%error, "an X11 window could not be mapped");
        }
    }

    /// Gives windows their surfaces, as far as Xwayland has said which.
    pub fn associate_windows(&mut self) {
        let Some(client) = self.xwayland.client().cloned() else { return };
        let display = self.display.clone();
        let mut found = Vec::new();
        let mut taken: Vec<_> = self.windows.stack.iter().filter_map(|m| m.surface().cloned()).collect();
        for managed in &mut self.windows.stack {
            let Some(x11) = &mut managed.x11 else { continue };
            let named = x11.surface.wl_surface();
            let id = if named.is_some() { None } else { x11.numbered() };
            if x11.picture.is_some() && (named == x11.picture || (named.is_none() && id == x11.id)) {
                continue;
            }
            let object = |id| client.object_from_protocol_id::<WlSurface>(&display, id).ok();
            let picture = named.or_else(|| id.and_then(object));
            let picture = picture.filter(|picture| picture.is_alive() && !taken.contains(picture));
            if let Some(picture) = picture {
                (x11.picture, x11.id) = (Some(picture.clone()), id);
                taken.push(picture.clone());
                found.push(picture);
            }
        }
        for surface in found {
            self.commit_x11(&surface);
        }
    }

    /// A surface of Xwayland has new content, or got a window.
    pub fn commit_x11(&mut self, surface: &WlSurface) {
        use smithay::backend::renderer::utils::with_renderer_surface_state;
        let Some(managed) = self.windows.find(surface).filter(|managed| managed.x11.is_some()) else {
            return;
        };
        let shows = with_renderer_surface_state(surface, |state| state.buffer().is_some()).unwrap_or(false);
        if shows && !managed.mapped {
            managed.mapped = true;
            self.show_x11(surface);
        }
    }

    /// A window shows its first picture: who gets the keys?
    fn show_x11(&mut self, surface: &WlSurface) {
        self.listed.stale = true;
        self.damage();
        let policy = self.windows.policy;
        let Some(managed) = self.windows.find(surface) else { return };
        let Some(x11) = &managed.x11 else { return };
        if x11.is_free() {
            self.refresh_pointer();
            return;
        }
        let (rank, dialog) = (x11.rank(), x11.is_dialog());
        let front = self
            .windows
            .stack
            .iter()
            .rev()
            .find(|managed| managed.mapped && managed.surface() != Some(surface) && managed.is_managed());
        let front = front
            .map(|front| (front.surface().cloned(), front.x11.as_ref().map_or(Rank::BEST, XWindow::rank)));
        let wins = match policy {
            Policy::Desktop => rank.takes_keys,
            Policy::Kiosk => dialog || rank.takes_over(front.as_ref().map(|(_, rank)| *rank)),
        };
        match front {
            Some((Some(front), _)) if !wins && policy == Policy::Kiosk => {
                // Below what plays; it stays there until that goes.
                self.windows.lower_below(surface, &front);
                self.refocus();
            }
            _ if wins => {
                self.activate(surface);
                self.refresh_pointer();
            }
            _ => self.refocus(),
        }
        self.settle_backdrop();
    }

    /// The first window of a game takes the title off the backdrop, the last puts it back.
    fn settle_backdrop(&mut self) {
        let covered = self.windows.front().is_some();
        if self.windows.policy == Policy::Kiosk && covered != self.xwayland.covered {
            self.xwayland.covered = covered;
            self.paint_backdrop();
        }
    }

    /// A surface is gone: its window shows nothing.
    pub fn lose_picture(&mut self, surface: &WlSurface) {
        let Some(managed) = self.windows.find(surface) else { return };
        let Some(x11) = &mut managed.x11 else { return };
        x11.picture = None;
        managed.mapped = false;
        self.listed.stale = true;
        self.drop_drag(surface);
        self.refocus();
    }

    /// A window of X11 is unmapped or gone.
    pub fn dismiss_x11(&mut self, surface: &X11Surface) {
        let Some(managed) = self.windows.forget_x11(surface) else { return };
        self.listed.stale = true;
        if let Some(picture) = managed.surface() {
            self.drop_drag(picture);
        }
        self.refocus();
        self.settle_backdrop();
    }

    /// The same as [`fill`](Self::fill) for a window of X11.
    pub fn fill_x11(&mut self, window: u32, maximized: bool, fullscreen: bool) {
        let (policy, room) = (self.windows.policy, self.windows.room(fullscreen));
        let Some(managed) = self.windows.find_x11(window) else { return };
        if managed.restore.is_none() {
            managed.restore = Some(managed.rect());
        }
        managed.maximized = maximized;
        managed.fullscreen = fullscreen;
        managed.fit(policy, room);
        managed.tell_states();
        self.damage();
    }

    /// The same as [`unfill`](Self::unfill) for a window of X11.
    pub fn unfill_x11(&mut self, window: u32) {
        let Some(managed) = self.windows.find_x11(window) else { return };
        managed.maximized = false;
        managed.fullscreen = false;
        if let (Some(rect), Some(x11)) = (managed.restore.take(), &mut managed.x11) {
            managed.position = rect.loc;
            x11.size = rect.size;
        }
        managed.tell_states();
        self.settle_x11(window);
        self.damage();
    }

    /// In Kiosk a window stays centred; one that all but fills the output fills it. On a
    /// desktop it stays within reach.
    pub fn settle_x11(&mut self, window: u32) {
        let (policy, output) = (self.windows.policy, self.windows.size);
        let (usable, whole) = (self.windows.usable, self.windows.room(true));
        let Some(managed) = self.windows.find_x11(window) else { return };
        if managed.fullscreen || managed.maximized {
            return managed.fit(policy, if managed.fullscreen { whole } else { usable });
        }
        let bar = if managed.has_bar(policy) { BAR } else { 0 };
        let (wish, size) = (managed.position, managed.geometry().size);
        let Some(x11) = managed.x11.as_mut().filter(|x11| !x11.is_free()) else { return };
        if policy == Policy::Desktop {
            let at = self.windows.within_reach(wish, size, bar);
            if let Some(managed) = self.windows.find_x11(window) {
                managed.position = at;
            }
            return;
        }
        if x11.is_dialog() {
            return;
        }
        let nearly = |side: i32, output: i32| (side - output).abs() <= NEARLY;
        if nearly(x11.size.w, output.w) && nearly(x11.size.h, output.h) {
            x11.size = output;
        }
        let (x, y) = ((output.w - x11.size.w).max(0) / 2, (output.h - x11.size.h).max(0) / 2);
        managed.position = (x, y).into();
    }

    /// Tells the X server what changed here: places, sizes, the order of windows.
    pub fn tell_x11(&mut self) {
        let mut order = Vec::new();
        for managed in &mut self.windows.stack {
            let Some(x11) = managed.x11.as_mut().filter(|x11| !x11.is_free()) else { continue };
            let rect = Rectangle::new(managed.position, x11.size);
            if x11.told != Some(rect) {
                x11.told = Some(rect);
                if let Err(error) = x11.surface.configure(rect) {
                    tracing::debug!(%error, "an X11 window could not be configured");
                }
            }
            if managed.mapped {
                order.push(x11.surface.clone());
            }
        }
        let ids: Vec<u32> = order.iter().map(X11Surface::window_id).collect();
        if ids != self.xwayland.stacking {
            if let Some(wm) = self.xwayland.wm()
                && let Err(error) = wm.update_stacking_order_downwards(order.iter())
            {
                tracing::debug!(%error, "the X server was not told the order of windows");
            }
            self.xwayland.stacking = ids;
        }
    }

    /// The keys go to this surface: the X server has a focus of its own, which follows.
    pub fn focus_x11(&mut self, surface: Option<&WlSurface>) {
        let x11 = surface.and_then(|surface| self.windows.find(surface)?.x11.as_ref());
        let focus = x11
            .filter(|x11| x11.takes_keys())
            .map(|x11| Focus { window: x11.surface.window_id(), take_focus: x11.facts.take_focus });
        if let Some(side) = self.xwayland.side() {
            side.focus(focus);
        }
    }

    /// True while the keys go to a window of X11.
    pub fn x11_has_keys(&mut self) -> bool {
        let Some(focused) = self.focused.clone() else { return false };
        self.windows.find(&focused).is_some_and(|managed| managed.x11.is_some())
    }
}

impl Managed {
    /// Makes a window of X11 fill this room, or what a title bar leaves of it.
    fn fit(&mut self, policy: Policy, room: Rectangle<i32, Logical>) {
        let bar = if self.has_bar(policy) { BAR } else { 0 };
        self.position = room.loc + Point::from((0, bar));
        if let Some(x11) = &mut self.x11 {
            x11.size = Size::from((room.size.w, (room.size.h - bar).max(1)));
        }
    }

    fn tell_states(&self) {
        let Some(x11) = &self.x11 else { return };
        let told = x11.surface.set_fullscreen(self.fullscreen);
        if let Err(error) = told.and_then(|()| x11.surface.set_maximized(self.maximized)) {
            tracing::debug!(%error, "an X11 window was not told its state");
        }
    }

    /// A window of X11 wants another size, or is dragged to it.
    pub fn resize_x11(&mut self, size: Size<i32, Logical>) {
        if let Some(x11) = &mut self.x11 {
            x11.resize(size);
        }
    }

    /// The pointer pulls at the edges of a window of X11, which was at `from` when it began.
    pub fn pull_x11(&mut self, from: Rectangle<i32, Logical>, size: Size<i32, Logical>, edges: ResizeEdge) {
        use ResizeEdge as E;
        self.resize_x11(size);
        let Some(x11) = &self.x11 else { return };
        let end = from.loc + from.size.to_point();
        if matches!(edges, E::Left | E::TopLeft | E::BottomLeft) {
            self.position.x = end.x - x11.size.w;
        }
        if matches!(edges, E::Top | E::TopLeft | E::TopRight) {
            self.position.y = end.y - x11.size.h;
        }
    }
}
