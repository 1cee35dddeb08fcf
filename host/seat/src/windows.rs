//! The windows, back to front, and where the two policies put them.

use smithay::backend::renderer::element::memory::MemoryRenderBuffer;
use smithay::desktop::utils::under_from_surface_tree;
use smithay::desktop::{Window, WindowSurfaceType};
use smithay::reexports::wayland_server::protocol::wl_surface::WlSurface;
use smithay::utils::{Logical, Point, Rectangle, Size};
use smithay::wayland::compositor::with_states;
use smithay::wayland::shell::xdg::XdgToplevelSurfaceData;

use crate::backdrop::{BAR, on_cross, title_bar};
use crate::paint::Fonts;
use crate::xwayland::XWindow;

/// How windows are arranged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// One application fills the output; its dialogs lie centred above it.
    Kiosk,
    /// Windows float.
    Desktop,
}

/// A title bar that is drawn again only when something on it changes.
#[derive(Default)]
struct Bar {
    drawn: Option<(i32, String, bool, bool)>,
    buffer: Option<MemoryRenderBuffer>,
}

/// One window and where it is.
pub struct Managed {
    /// The toplevel.
    pub window: Window,
    /// Where its geometry (without shadows and our title bar) begins.
    pub position: Point<i32, Logical>,
    /// It has shown its first picture.
    pub mapped: bool,
    /// We draw its title bar.
    pub decorated: bool,
    /// It fills the output.
    pub fullscreen: bool,
    /// It fills what a title bar leaves.
    pub maximized: bool,
    /// Where to put it back after either.
    pub restore: Option<Rectangle<i32, Logical>>,
    /// The pointer is on its cross.
    pub hover: bool,
    /// What a window of X11 has beyond that.
    pub x11: Option<XWindow>,
    bar: Bar,
}

/// What is at a place.
pub enum Under {
    /// A surface, and where it begins.
    Surface(WlSurface, Point<f64, Logical>),
    /// A title bar of ours.
    Bar(Window),
    /// The cross on it.
    Cross(Window),
}

impl Managed {
    /// A window that has shown nothing yet.
    pub fn new(window: Window) -> Self {
        Self {
            window,
            position: Point::default(),
            mapped: false,
            decorated: false,
            fullscreen: false,
            maximized: false,
            restore: None,
            hover: false,
            x11: None,
            bar: Bar::default(),
        }
    }

    /// Its surface.
    pub fn surface(&self) -> Option<&WlSurface> {
        match &self.x11 {
            Some(x11) => x11.picture.as_ref(),
            None => self.window.toplevel().map(|toplevel| toplevel.wl_surface()),
        }
    }

    /// Its geometry, relative to where its surface begins.
    pub fn geometry(&self) -> Rectangle<i32, Logical> {
        match &self.x11 {
            Some(x11) => Rectangle::from_size(x11.size),
            None => self.window.geometry(),
        }
    }

    /// All that it covers, relative to where its surface begins.
    pub fn bbox(&self) -> Rectangle<i32, Logical> {
        if self.x11.is_some() { self.geometry() } else { self.window.bbox() }
    }

    /// True for what the keys go to of its own accord.
    pub fn takes_keys(&self) -> bool {
        self.x11.as_ref().is_none_or(XWindow::takes_keys)
    }

    /// True for what may come to the front: menus of X11 place themselves.
    pub fn is_managed(&self) -> bool {
        self.x11.as_ref().is_none_or(|x11| !x11.is_free())
    }

    /// Asks its client to close it.
    pub fn close(&self) {
        if let Some(toplevel) = self.window.toplevel() {
            toplevel.send_close();
        }
        if let Some(x11) = &self.x11
            && let Err(error) = x11.surface.close()
        {
            tracing::debug!(%error, "an X11 window could not be asked to close");
        }
    }

    /// True when a title bar of ours is above it.
    pub fn has_bar(&self, policy: Policy) -> bool {
        self.decorated && !self.fullscreen && policy == Policy::Desktop
    }

    /// Position and size of its geometry.
    pub fn rect(&self) -> Rectangle<i32, Logical> {
        Rectangle::new(self.position, self.geometry().size)
    }

    /// Where its surface begins, shadows included.
    pub fn origin(&self) -> Point<i32, Logical> {
        self.position - self.geometry().loc
    }

    /// The title bar, drawn anew if need be.
    pub fn bar(&mut self, fonts: &Fonts, active: bool) -> Option<&MemoryRenderBuffer> {
        let width = self.geometry().size.w;
        let now = (width, self.title(), active, self.hover);
        if self.bar.drawn.as_ref() != Some(&now) {
            self.bar.buffer = Some(title_bar(fonts, now.0, &now.1, now.2, now.3));
            self.bar.drawn = Some(now);
        }
        self.bar.buffer.as_ref()
    }

    /// The title its client gave it.
    pub fn title(&self) -> String {
        if let Some(x11) = &self.x11 {
            let title = x11.surface.title();
            return if title.is_empty() { x11.surface.class() } else { title };
        }
        let Some(surface) = self.surface() else { return String::new() };
        with_states(surface, |states| {
            let data = states.data_map.get::<XdgToplevelSurfaceData>()?;
            let data = data.lock().ok()?;
            data.title.clone().or_else(|| data.app_id.clone())
        })
        .unwrap_or_default()
    }

    /// The name its client gave its application; may be empty.
    pub fn app_id(&self) -> String {
        if let Some(x11) = &self.x11 {
            return x11.surface.class();
        }
        let Some(surface) = self.surface() else { return String::new() };
        with_states(surface, |states| {
            let data = states.data_map.get::<XdgToplevelSurfaceData>()?;
            data.lock().ok()?.app_id.clone()
        })
        .unwrap_or_default()
    }

    fn under(&self, at: Point<f64, Logical>, policy: Policy) -> Option<Under> {
        let origin = self.origin();
        let local = at - origin.to_f64();
        let found = match (&self.x11, self.surface()) {
            (Some(_), Some(surface)) => {
                under_from_surface_tree(surface, local, (0, 0), WindowSurfaceType::ALL)
            }
            (Some(_), None) => None,
            (None, _) => self.window.surface_under(local, WindowSurfaceType::ALL),
        };
        if let Some((surface, offset)) = found {
            return Some(Under::Surface(surface, (origin + offset).to_f64()));
        }
        let rect = self.rect();
        let bar = Rectangle::new(rect.loc - Point::from((0, BAR)), Size::from((rect.size.w, BAR)));
        if !self.has_bar(policy) || !bar.to_f64().contains(at) {
            return None;
        }
        let cross = on_cross(at.x - f64::from(bar.loc.x), bar.size.w);
        Some(if cross { Under::Cross(self.window.clone()) } else { Under::Bar(self.window.clone()) })
    }
}

/// Every window, back to front.
pub struct Windows {
    /// The stack.
    pub stack: Vec<Managed>,
    /// How they are arranged.
    pub policy: Policy,
    /// Size of the output.
    pub size: Size<i32, Logical>,
    /// What panels leave of it.
    pub usable: Rectangle<i32, Logical>,
    /// Counts windows placed, for the cascade.
    placed: i32,
}

impl Windows {
    /// No windows.
    pub fn new(size: Size<i32, Logical>) -> Self {
        let usable = Rectangle::from_size(size);
        Self { stack: Vec::new(), policy: Policy::Kiosk, size, usable, placed: 0 }
    }

    /// The window whose toplevel this surface is.
    pub fn find(&mut self, surface: &WlSurface) -> Option<&mut Managed> {
        self.stack.iter_mut().find(|managed| managed.surface() == Some(surface))
    }

    /// What is at a place, from the front.
    pub fn under(&self, at: Point<f64, Logical>) -> Option<Under> {
        self.stack.iter().rev().filter(|m| m.mapped).find_map(|managed| managed.under(at, self.policy))
    }

    /// The frontmost window that shows something and takes keys.
    pub fn front(&self) -> Option<&Managed> {
        let shown = || self.stack.iter().rev().filter(|managed| managed.mapped);
        // Games of old fill the output with a window that nobody manages, and read keys.
        shown().find(|managed| managed.takes_keys()).or_else(|| self.top()).or_else(|| shown().next())
    }

    /// The frontmost window that shows something and is managed.
    pub fn top(&self) -> Option<&Managed> {
        self.stack.iter().rev().find(|managed| managed.mapped && managed.is_managed())
    }

    /// What a window may fill: the output, or what panels leave of it.
    pub fn room(&self, fullscreen: bool) -> Rectangle<i32, Logical> {
        if fullscreen { Rectangle::from_size(self.size) } else { self.usable }
    }

    /// The place nearest to `wish` where a window of this size, below a title bar of
    /// height `bar`, can still be got hold of.
    pub fn within_reach(
        &self,
        wish: Point<i32, Logical>,
        size: Size<i32, Logical>,
        bar: i32,
    ) -> Point<i32, Logical> {
        let (room, end) = (self.usable, self.usable.loc + self.usable.size.to_point());
        let left = room.loc.x.saturating_add(64).saturating_sub(size.w);
        Point::from((
            wish.x.min(end.x - 64).max(left),
            wish.y.min(end.y - 32).max(room.loc.y.saturating_add(bar)),
        ))
    }

    /// The surface of this window.
    pub fn surface_of(&self, window: &Window) -> Option<WlSurface> {
        self.stack.iter().find(|managed| managed.window == *window)?.surface().cloned()
    }

    /// Takes a window of X11 out.
    pub fn forget_x11(&mut self, surface: &smithay::xwayland::X11Surface) -> Option<Managed> {
        let id = surface.window_id();
        let is = |managed: &Managed| managed.x11.as_ref().is_some_and(|x11| x11.surface.window_id() == id);
        let index = self.stack.iter().position(is)?;
        Some(self.stack.remove(index))
    }

    /// Puts a window directly below another.
    pub fn lower_below(&mut self, surface: &WlSurface, other: &WlSurface) {
        let place = |stack: &[Managed], of: &WlSurface| stack.iter().position(|m| m.surface() == Some(of));
        let Some(from) = place(&self.stack, surface) else { return };
        let managed = self.stack.remove(from);
        let to = place(&self.stack, other).unwrap_or(self.stack.len());
        self.stack.insert(to, managed);
    }

    /// Brings a window to the front, its dialogs above it.
    pub fn raise(&mut self, surface: &WlSurface) {
        let raised = self.find(surface).and_then(|managed| Some(managed.x11.as_ref()?.surface.window_id()));
        let belongs = |managed: &Managed| {
            let free = managed.x11.as_ref().is_some_and(XWindow::is_free);
            let parent = managed.x11.as_ref().and_then(|x11| x11.surface.is_transient_for());
            let belongs = managed.window.toplevel().and_then(|t| t.parent()).as_ref() == Some(surface)
                || (parent.is_some() && parent == raised);
            // Menus of X11 place themselves, above all.
            match (free, belongs) {
                (true, _) => 3,
                (false, true) => 2,
                (false, false) => u8::from(managed.surface() == Some(surface)),
            }
        };
        // A stable sort keeps the order of the others.
        self.stack.sort_by_key(belongs);
    }

    /// The rectangle for a window that just got its first picture.
    pub fn place(
        &mut self,
        size: Size<i32, Logical>,
        parent: Option<&WlSurface>,
        decorated: bool,
    ) -> Point<i32, Logical> {
        let bar = if decorated && self.policy == Policy::Desktop { BAR } else { 0 };
        let above = parent.and_then(|parent| self.find(parent)).map(|managed| managed.rect());
        let output = self.usable;
        let within = above.unwrap_or(output);
        let mut shift = 0;
        if self.policy == Policy::Desktop && above.is_none() {
            shift = (self.placed % 6) * 32;
            self.placed += 1;
        }
        place(size, within, output, bar, shift)
    }
}

/// Centres `size` in `within`, moved by `shift`, kept inside the output as far as it fits.
fn place(
    size: Size<i32, Logical>,
    within: Rectangle<i32, Logical>,
    output: Rectangle<i32, Logical>,
    bar: i32,
    shift: i32,
) -> Point<i32, Logical> {
    let x = within.loc.x + (within.size.w - size.w) / 2 + shift;
    let y = within.loc.y + (within.size.h - size.h + bar) / 2 + shift;
    let (left, top) = (output.loc.x, output.loc.y);
    let (right, bottom) = (left + output.size.w - size.w, top + output.size.h - size.h);
    Point::from((x.min(right).max(left), y.min(bottom).max(top + bar)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_window_that_fits_lies_inside(
            (left, top) in (0..60i32, 0..60i32),
            (ow, oh) in (200..4000i32, 200..4000i32), (w, h) in (1..4000i32, 1..4000i32), shift in 0..200i32,
        ) {
            let output = Rectangle::new(Point::from((left, top)), Size::from((ow, oh)));
            let at = place(Size::from((w, h)), output, output, BAR, shift);
            prop_assert!(at.x >= left && at.y >= top + BAR);
            prop_assert!(w > ow || at.x + w <= left + ow);
            prop_assert!(h + BAR > oh || at.y + h <= top + oh);
        }
    }
}
