//! Numbers of clients, before anybody counts with them.
//!
//! Clients say where things are and how large, each as any 32-bit number. smithay adds
//! them up as they are, and a sum that does not fit is a panic or nonsense. So requests
//! come through here first, and what no output could ever show is made smaller.

use smithay::reexports::wayland_protocols::wp::viewporter::server::{
    wp_viewport::{self, WpViewport},
    wp_viewporter::WpViewporter,
};
use smithay::reexports::wayland_protocols::xdg::shell::server::{
    xdg_popup::XdgPopup,
    xdg_positioner::{self, XdgPositioner},
    xdg_surface::{self, XdgSurface},
    xdg_toplevel::XdgToplevel,
    xdg_wm_base::XdgWmBase,
};
use smithay::reexports::wayland_protocols_wlr::layer_shell::v1::server::{
    zwlr_layer_shell_v1::ZwlrLayerShellV1,
    zwlr_layer_surface_v1::{self, ZwlrLayerSurfaceV1},
};
use smithay::reexports::wayland_server::backend::ClientId;
use smithay::reexports::wayland_server::protocol::{
    wl_callback::WlCallback,
    wl_compositor::WlCompositor,
    wl_region::{self, WlRegion},
    wl_subcompositor::WlSubcompositor,
    wl_subsurface::{self, WlSubsurface},
    wl_surface::{self, WlSurface},
};
use smithay::reexports::wayland_server::{
    Client, DataInit, Dispatch, DisplayHandle, Resource, delegate_dispatch, delegate_global_dispatch,
};
use smithay::wayland::compositor::{CompositorState, RegionUserData, SubsurfaceUserData, SurfaceUserData};
use smithay::wayland::shell::wlr_layer::{
    WlrLayerShellGlobalData, WlrLayerShellState, WlrLayerSurfaceUserData,
};
use smithay::wayland::shell::xdg::{
    XdgPositionerUserData, XdgShellState, XdgShellSurfaceUserData, XdgSurfaceUserData, XdgWmBaseUserData,
};
use smithay::wayland::viewporter::{ViewportState, ViewporterState};

use crate::seat::State;

/// No place or side is further than this. As many as a client may have surfaces, 4,096,
/// one upon the other, still fit 32 bits.
pub const FAR: i32 = 1 << 16;
/// No damage is wider; it still fits 32 bits at the largest scale.
const WIDE: i32 = 1 << 23;
/// No region is wider; clients say the largest number for "all of it".
const ENDLESS: i32 = 1 << 28;
/// No scale of a buffer.
const MAX_SCALE: i32 = 64;

fn far(value: i32) -> i32 {
    value.clamp(-FAR, FAR)
}

/// A rectangle within `most` of the origin, and no larger than that.
fn within(most: i32, x: &mut i32, y: &mut i32, width: &mut i32, height: &mut i32) {
    (*x, *y) = ((*x).clamp(-most, most), (*y).clamp(-most, most));
    // What is below nothing is for smithay to refuse.
    (*width, *height) = ((*width).min(most), (*height).min(most));
}

fn surface(object: &WlSurface, mut request: wl_surface::Request) -> Option<wl_surface::Request> {
    use wl_surface::Request as R;
    match &mut request {
        R::Attach { x, y, .. } | R::Offset { x, y } => (*x, *y) = (far(*x), far(*y)),
        R::Damage { x, y, width, height } | R::DamageBuffer { x, y, width, height } => {
            within(WIDE, x, y, width, height);
            (*width, *height) = ((*width).max(0), (*height).max(0));
        }
        R::SetBufferScale { scale } if *scale > MAX_SCALE => {
            let what = format!("a scale of {scale}: the largest is {MAX_SCALE}");
            object.post_error(wl_surface::Error::InvalidScale, what);
            return None;
        }
        _ => {}
    }
    Some(request)
}

fn subsurface(_: &WlSubsurface, mut request: wl_subsurface::Request) -> Option<wl_subsurface::Request> {
    if let wl_subsurface::Request::SetPosition { x, y } = &mut request {
        (*x, *y) = (far(*x), far(*y));
    }
    Some(request)
}

fn region(_: &WlRegion, mut request: wl_region::Request) -> Option<wl_region::Request> {
    use wl_region::Request as R;
    if let R::Add { x, y, width, height } | R::Subtract { x, y, width, height } = &mut request {
        within(ENDLESS, x, y, width, height);
        (*width, *height) = ((*width).max(0), (*height).max(0));
    }
    Some(request)
}

fn positioner(_: &XdgPositioner, mut request: xdg_positioner::Request) -> Option<xdg_positioner::Request> {
    use xdg_positioner::Request as R;
    match &mut request {
        R::SetSize { width, height } => (*width, *height) = ((*width).min(FAR), (*height).min(FAR)),
        R::SetAnchorRect { x, y, width, height } => within(FAR, x, y, width, height),
        R::SetOffset { x, y } => (*x, *y) = (far(*x), far(*y)),
        R::SetParentSize { parent_width, parent_height } => {
            (*parent_width, *parent_height) = (far(*parent_width), far(*parent_height));
        }
        _ => {}
    }
    Some(request)
}

fn geometry(_: &XdgSurface, mut request: xdg_surface::Request) -> Option<xdg_surface::Request> {
    if let xdg_surface::Request::SetWindowGeometry { x, y, width, height } = &mut request {
        within(FAR, x, y, width, height);
    }
    Some(request)
}

fn viewport(_: &WpViewport, mut request: wp_viewport::Request) -> Option<wp_viewport::Request> {
    if let wp_viewport::Request::SetDestination { width, height } = &mut request {
        (*width, *height) = ((*width).min(FAR), (*height).min(FAR));
    }
    Some(request)
}

fn panel(
    _: &ZwlrLayerSurfaceV1,
    mut request: zwlr_layer_surface_v1::Request,
) -> Option<zwlr_layer_surface_v1::Request> {
    use zwlr_layer_surface_v1::Request as R;
    match &mut request {
        R::SetSize { width, height } => {
            let most = FAR.unsigned_abs();
            (*width, *height) = ((*width).min(most), (*height).min(most));
        }
        R::SetExclusiveZone { zone } => *zone = far(*zone),
        R::SetMargin { top, right, bottom, left } => {
            (*top, *right, *bottom, *left) = (far(*top), far(*right), far(*bottom), far(*left));
        }
        _ => {}
    }
    Some(request)
}

/// Requests to this interface go through a function first.
macro_rules! bounded {
    ($interface:ty, $data:ty => $handler:ty, $bound:ident) => {
        impl Dispatch<$interface, $data> for State {
            fn request(
                state: &mut Self,
                client: &Client,
                object: &$interface,
                request: <$interface as Resource>::Request,
                data: &$data,
                display: &DisplayHandle,
                init: &mut DataInit<'_, Self>,
            ) {
                if let Some(request) = $bound(object, request) {
                    <$handler as Dispatch<$interface, $data, Self>>::request(
                        state, client, object, request, data, display, init,
                    );
                }
            }

            fn destroyed(state: &mut Self, client: ClientId, object: &$interface, data: &$data) {
                <$handler as Dispatch<$interface, $data, Self>>::destroyed(state, client, object, data);
            }
        }
    };
}

bounded!(WlSurface, SurfaceUserData => CompositorState, surface);
bounded!(WlSubsurface, SubsurfaceUserData => CompositorState, subsurface);
bounded!(WlRegion, RegionUserData => CompositorState, region);
bounded!(XdgPositioner, XdgPositionerUserData => XdgShellState, positioner);
bounded!(XdgSurface, XdgSurfaceUserData => XdgShellState, geometry);
bounded!(WpViewport, ViewportState => ViewportState, viewport);
bounded!(ZwlrLayerSurfaceV1, WlrLayerSurfaceUserData => WlrLayerShellState, panel);

// The rest of these protocols holds no numbers to count with.
delegate_global_dispatch!(State: [WlCompositor: ()] => CompositorState);
delegate_global_dispatch!(State: [WlSubcompositor: ()] => CompositorState);
delegate_dispatch!(State: [WlCompositor: ()] => CompositorState);
delegate_dispatch!(State: [WlSubcompositor: ()] => CompositorState);
delegate_dispatch!(State: [WlCallback: ()] => CompositorState);
delegate_global_dispatch!(State: [XdgWmBase: ()] => XdgShellState);
delegate_dispatch!(State: [XdgWmBase: XdgWmBaseUserData] => XdgShellState);
delegate_dispatch!(State: [XdgPopup: XdgShellSurfaceUserData] => XdgShellState);
delegate_dispatch!(State: [XdgToplevel: XdgShellSurfaceUserData] => XdgShellState);
delegate_global_dispatch!(State: [WpViewporter: ()] => ViewporterState);
delegate_dispatch!(State: [WpViewporter: ()] => ViewporterState);
delegate_global_dispatch!(State: [ZwlrLayerShellV1: WlrLayerShellGlobalData] => WlrLayerShellState);
delegate_dispatch!(State: [ZwlrLayerShellV1: ()] => WlrLayerShellState);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sums_of_what_is_left_fit(
            (mut x, mut y, mut width, mut height) in any::<(i32, i32, i32, i32)>(),
        ) {
            within(FAR, &mut x, &mut y, &mut width, &mut height);
            prop_assert!(x.abs() <= FAR && y.abs() <= FAR && width <= FAR && height <= FAR);
            prop_assert!((x + width.max(0)).checked_mul(4096).is_some());
            within(WIDE, &mut x, &mut y, &mut width, &mut height);
            prop_assert!(x.checked_mul(MAX_SCALE).is_some() && width.max(0).checked_mul(MAX_SCALE).is_some());
        }
    }

    #[test]
    fn what_is_sensible_stays() {
        let (mut x, mut y, mut width, mut height) = (-30, 7, 16_384, 0);
        within(FAR, &mut x, &mut y, &mut width, &mut height);
        assert_eq!((x, y, width, height), (-30, 7, 16_384, 0));
    }
}
