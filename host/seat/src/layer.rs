//! What lies above and below the windows: panels, notifications, wallpapers. And the
//! list of windows that panels show.

use smithay::backend::renderer::utils::with_renderer_surface_state;
use smithay::desktop::{LayerSurface, WindowSurfaceType, layer_map_for_output};
use smithay::reexports::wayland_server::Resource;
use smithay::reexports::wayland_server::protocol::{wl_output::WlOutput, wl_surface::WlSurface};
use smithay::utils::{Logical, Point, Rectangle};
use smithay::wayland::compositor::with_states;
use smithay::wayland::foreign_toplevel_list::{
    ForeignToplevelHandle, ForeignToplevelListHandler, ForeignToplevelListState,
};
use smithay::wayland::shell::wlr_layer::{
    KeyboardInteractivity, Layer, LayerSurface as Role, LayerSurfaceData, WlrLayerShellHandler,
    WlrLayerShellState,
};
use smithay::wayland::shell::xdg::PopupSurface;

use crate::seat::State;
use crate::windows::Under;

/// Windows as panels know them.
#[derive(Default)]
pub struct Listed {
    windows: Vec<(WlSurface, ForeignToplevelHandle)>,
    /// Something about the windows changed.
    pub stale: bool,
}

impl WlrLayerShellHandler for State {
    fn shell_state(&mut self) -> &mut WlrLayerShellState {
        &mut self.globals.layer_shell
    }

    fn new_layer_surface(
        &mut self,
        surface: Role,
        _output: Option<WlOutput>,
        _layer: Layer,
        namespace: String,
    ) {
        let layer = LayerSurface::new(surface, namespace);
        if let Err(error) = layer_map_for_output(&self.output).map_layer(&layer) {
            tracing::debug!(%error, "a panel could not be placed");
        }
    }

    fn new_popup(&mut self, _parent: Role, popup: PopupSurface) {
        let positioner = popup.with_pending_state(|state| state.positioner);
        self.constrain(&popup, positioner);
    }

    fn layer_destroyed(&mut self, surface: Role) {
        let mut map = layer_map_for_output(&self.output);
        let layer = map.layers().find(|layer| layer.layer_surface() == &surface).cloned();
        if let Some(layer) = layer {
            map.unmap_layer(&layer);
        }
        drop(map);
        self.layers_changed();
        self.refocus();
    }
}

impl ForeignToplevelListHandler for State {
    fn foreign_toplevel_list_state(&mut self) -> &mut ForeignToplevelListState {
        &mut self.globals.toplevel_list
    }
}

impl State {
    /// What is at a place, from the front.
    pub fn under(&self, at: Point<f64, Logical>) -> Option<Under> {
        let [above, below] = self.layer_order();
        let window = || self.windows.under(at);
        self.layer_under(&above, at).or_else(window).or_else(|| self.layer_under(&below, at))
    }

    fn layer_under(&self, layers: &[LayerSurface], at: Point<f64, Logical>) -> Option<Under> {
        layers.iter().find_map(|layer| {
            let origin = self.layer_origin(layer)?;
            let (surface, offset) = layer.surface_under(at - origin.to_f64(), WindowSurfaceType::ALL)?;
            Some(Under::Surface(surface, (origin + offset).to_f64()))
        })
    }

    /// Where a layer surface begins.
    pub fn layer_origin(&self, layer: &LayerSurface) -> Option<Point<i32, Logical>> {
        layer_map_for_output(&self.output).layer_geometry(layer).map(|geometry| geometry.loc)
    }

    /// The layer surfaces above all windows and those below, each front to back. A window
    /// that fills the output covers panels.
    pub fn layer_order(&self) -> [Vec<LayerSurface>; 2] {
        let covered = self.windows.front().is_some_and(|managed| managed.fullscreen);
        let map = layer_map_for_output(&self.output);
        let on = |layer| map.layers_on(layer).rev().filter(|layer| shows(layer.wl_surface())).cloned();
        let mut above: Vec<_> = on(Layer::Overlay).collect();
        let mut below = Vec::new();
        if covered { &mut below } else { &mut above }.extend(on(Layer::Top));
        below.extend(on(Layer::Bottom).chain(on(Layer::Background)));
        [above, below]
    }

    /// Every layer surface, for callbacks.
    pub fn layer_roots(&self) -> Vec<WlSurface> {
        layer_map_for_output(&self.output).layers().map(|layer| layer.wl_surface().clone()).collect()
    }

    /// A layer surface committed.
    pub fn commit_layer(&mut self, surface: &WlSurface) {
        let map = layer_map_for_output(&self.output);
        let Some(layer) = map.layer_for_surface(surface, WindowSurfaceType::TOPLEVEL).cloned() else {
            return;
        };
        drop(map);
        layer_map_for_output(&self.output).arrange();
        let configured = with_states(surface, |states| {
            let data = states.data_map.get::<LayerSurfaceData>();
            data.and_then(|data| data.lock().ok().map(|data| data.initial_configure_sent)).unwrap_or(true)
        });
        if !configured {
            layer.layer_surface().send_configure();
        }
        self.layers_changed();
        // It may have appeared, or want the keys now, or no more.
        let wants = self.exclusive_layer();
        if wants.is_some() || (self.focused.as_ref() == Some(surface) && !takes_keys(&layer)) {
            if wants != self.focused {
                self.refocus();
            }
        } else {
            self.refresh_pointer_if_stale(surface);
        }
    }

    /// What panels leave to the windows may be another area now.
    pub fn layers_changed(&mut self) {
        let zone = layer_map_for_output(&self.output).non_exclusive_zone();
        // A panel may claim more than there is.
        let whole = Rectangle::from_size(self.windows.size);
        let zone = zone.intersection(whole).filter(|zone| zone.size.w >= 64 && zone.size.h >= 64);
        let zone = zone.unwrap_or(whole);
        if self.windows.usable != zone {
            self.windows.usable = zone;
            self.arrange();
        }
        self.damage();
    }

    /// The output has another size.
    pub fn arrange_layers(&mut self) {
        layer_map_for_output(&self.output).arrange();
        self.layers_changed();
    }

    /// The layer surface above the windows that takes all keys.
    pub fn exclusive_layer(&self) -> Option<WlSurface> {
        let map = layer_map_for_output(&self.output);
        let layers = [Layer::Overlay, Layer::Top].map(|layer| map.layers_on(layer).rev());
        let exclusive = |layer: &&LayerSurface| {
            layer.cached_state().keyboard_interactivity == KeyboardInteractivity::Exclusive
                && shows(layer.wl_surface())
        };
        layers.into_iter().flatten().find(exclusive).map(|layer| layer.wl_surface().clone())
    }

    /// A press on this root surface: a layer surface gets the keys if it wants them.
    pub fn press_layer(&mut self, root: &WlSurface) {
        let map = layer_map_for_output(&self.output);
        let layer =
            map.layer_for_surface(root, WindowSurfaceType::TOPLEVEL).filter(|layer| takes_keys(layer));
        let layer = layer.map(|layer| layer.wl_surface().clone());
        drop(map);
        if layer.is_some() {
            self.focus(layer);
        }
    }

    /// Where the root of a popup begins, when it is a layer surface.
    pub fn layer_root_origin(&self, root: &WlSurface) -> Option<Point<i32, Logical>> {
        let map = layer_map_for_output(&self.output);
        let layer = map.layer_for_surface(root, WindowSurfaceType::TOPLEVEL)?;
        Some(map.layer_geometry(layer)?.loc)
    }

    /// A panel that appears under a pointer at rest is told so.
    fn refresh_pointer_if_stale(&mut self, surface: &WlSurface) {
        let at = self.pointer.current_location();
        let here = match self.under(at) {
            Some(Under::Surface(found, _)) => found == *surface,
            _ => false,
        };
        if here && self.pointer.current_focus().as_ref() != Some(surface) && !self.pointer.is_grabbed() {
            self.refresh_pointer();
        }
    }

    /// Tells panels which windows there are.
    pub fn list_windows(&mut self) {
        if !std::mem::take(&mut self.listed.stale) {
            return;
        }
        let known = &mut self.listed.windows;
        let list = &mut self.globals.toplevel_list;
        let stack = &self.windows.stack;
        // Menus of X11 are no windows to switch to.
        let shown = || stack.iter().filter(|managed| managed.mapped && managed.is_managed());
        let mapped = |surface: &WlSurface| shown().any(|managed| managed.surface() == Some(surface));
        known.retain(|(surface, handle)| {
            let stays = surface.is_alive() && mapped(surface);
            if !stays {
                list.remove_toplevel(handle);
            }
            stays
        });
        for managed in shown() {
            let Some(surface) = managed.surface() else { continue };
            let (title, app) = (managed.title(), managed.app_id());
            match known.iter().find(|(known, _)| known == surface) {
                Some((_, handle)) if handle.title() == title && handle.app_id() == app => {}
                Some((_, handle)) => {
                    handle.send_title(&title);
                    handle.send_app_id(&app);
                    handle.send_done();
                }
                None => known.push((surface.clone(), list.new_toplevel::<Self>(title, app))),
            }
        }
    }
}

fn shows(surface: &WlSurface) -> bool {
    with_renderer_surface_state(surface, |state| state.buffer().is_some()).unwrap_or(false)
}

fn takes_keys(layer: &LayerSurface) -> bool {
    layer.can_receive_keyboard_focus() && shows(layer.wl_surface())
}
