//! Clipboard, primary selection and drag and drop, all within the seat. What is set on
//! one side of Xwayland is read on the other.

use std::os::fd::OwnedFd;

use smithay::input::Seat;
use smithay::reexports::wayland_server::protocol::{wl_data_source::WlDataSource, wl_surface::WlSurface};
use smithay::wayland::selection::data_device::{
    ClientDndGrabHandler, DataDeviceHandler, DataDeviceState, ServerDndGrabHandler,
};
use smithay::wayland::selection::ext_data_control;
use smithay::wayland::selection::primary_selection::{PrimarySelectionHandler, PrimarySelectionState};
use smithay::wayland::selection::wlr_data_control::{DataControlHandler, DataControlState};
use smithay::wayland::selection::{SelectionHandler, SelectionSource, SelectionTarget};

use crate::seat::State;

impl SelectionHandler for State {
    // What the compositor offers is always what an X11 client owns.
    type SelectionUserData = ();

    fn new_selection(&mut self, ty: SelectionTarget, source: Option<SelectionSource>, _seat: Seat<Self>) {
        self.offer_to_x11(ty, source);
    }

    fn send_selection(&mut self, ty: SelectionTarget, mime: String, fd: OwnedFd, _seat: Seat<Self>, (): &()) {
        self.send_from_x11(ty, mime, fd);
    }
}

impl DataDeviceHandler for State {
    fn data_device_state(&self) -> &DataDeviceState {
        &self.globals.data_device
    }
}

impl PrimarySelectionHandler for State {
    fn primary_selection_state(&self) -> &PrimarySelectionState {
        &self.globals.primary
    }
}

impl DataControlHandler for State {
    fn data_control_state(&self) -> &DataControlState {
        &self.globals.data_control
    }
}

impl ext_data_control::DataControlHandler for State {
    fn data_control_state(&self) -> &ext_data_control::DataControlState {
        &self.globals.ext_data_control
    }
}

impl ClientDndGrabHandler for State {
    fn started(&mut self, _source: Option<WlDataSource>, icon: Option<WlSurface>, _seat: Seat<Self>) {
        self.drag_icon = icon;
        self.damage();
    }

    fn dropped(&mut self, _target: Option<WlSurface>, _validated: bool, _seat: Seat<Self>) {
        self.drag_icon = None;
        self.damage();
    }
}

impl ServerDndGrabHandler for State {}
