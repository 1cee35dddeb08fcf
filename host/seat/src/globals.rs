//! The one table of what a client may bind, and the handlers that need no code of
//! ours. Screen copying, virtual input and output management are never offered.

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use smithay::input::{Seat, SeatHandler, SeatState};
use smithay::reexports::wayland_server::backend::{ClientData, ClientId, DisconnectReason};
use smithay::reexports::wayland_server::protocol::{wl_shm, wl_surface::WlSurface};
use smithay::reexports::wayland_server::{Client, DisplayHandle};
use smithay::wayland::alpha_modifier::AlphaModifierState;
use smithay::wayland::commit_timing::CommitTimingManagerState;
use smithay::wayland::compositor::{CompositorClientState, CompositorState};
use smithay::wayland::content_type::ContentTypeState;
use smithay::wayland::cursor_shape::CursorShapeManagerState;
use smithay::wayland::fifo::FifoManagerState;
use smithay::wayland::foreign_toplevel_list::ForeignToplevelListState;
use smithay::wayland::fractional_scale::{
    FractionalScaleHandler, FractionalScaleManagerState, with_fractional_scale,
};
use smithay::wayland::idle_inhibit::{IdleInhibitHandler, IdleInhibitManagerState};
use smithay::wayland::keyboard_shortcuts_inhibit::{
    KeyboardShortcutsInhibitHandler, KeyboardShortcutsInhibitState, KeyboardShortcutsInhibitor,
};
use smithay::wayland::output::{OutputHandler, OutputManagerState};
use smithay::wayland::pointer_constraints::PointerConstraintsState;
use smithay::wayland::pointer_gestures::PointerGesturesState;
use smithay::wayland::presentation::PresentationState;
use smithay::wayland::relative_pointer::RelativePointerManagerState;
use smithay::wayland::security_context::{
    SecurityContext, SecurityContextHandler, SecurityContextListenerSource, SecurityContextState,
};
use smithay::wayland::selection::data_device::DataDeviceState;
use smithay::wayland::selection::ext_data_control;
use smithay::wayland::selection::primary_selection::PrimarySelectionState;
use smithay::wayland::selection::wlr_data_control::DataControlState;
use smithay::wayland::shell::kde::decoration::KdeDecorationState;
use smithay::wayland::shell::wlr_layer::WlrLayerShellState;
use smithay::wayland::shell::xdg::XdgShellState;
use smithay::wayland::shell::xdg::decoration::XdgDecorationState;
use smithay::wayland::shell::xdg::dialog::{XdgDialogHandler, XdgDialogState};
use smithay::wayland::shm::ShmState;
use smithay::wayland::single_pixel_buffer::SinglePixelBufferState;
use smithay::wayland::tablet_manager::{TabletManagerState, TabletSeatHandler};
use smithay::wayland::viewporter::ViewporterState;
use smithay::wayland::xdg_activation::XdgActivationState;
use smithay::wayland::xdg_foreign::{XdgForeignHandler, XdgForeignState};
use smithay::wayland::xdg_toplevel_icon::{XdgToplevelIconHandler, XdgToplevelIconManager};
use smithay::xwayland::XWaylandClientData;

use crate::limits::{Place, Usage};
use crate::seat::State;
use crate::windows::Policy;

/// `CLOCK_MONOTONIC`, for presentation times.
const CLOCK: u32 = 1;

/// The state of every global.
pub struct Globals {
    pub compositor: CompositorState,
    pub shm: ShmState,
    pub xdg_shell: XdgShellState,
    pub seats: SeatState<State>,
    pub data_device: DataDeviceState,
    pub primary: PrimarySelectionState,
    pub data_control: DataControlState,
    pub ext_data_control: ext_data_control::DataControlState,
    pub layer_shell: WlrLayerShellState,
    pub toplevel_list: ForeignToplevelListState,
    pub kde_decoration: KdeDecorationState,
    pub activation: XdgActivationState,
    pub foreign: XdgForeignState,
    pub shortcuts: KeyboardShortcutsInhibitState,
    /// How many clients there are.
    pub clients: Arc<AtomicUsize>,
}

impl Globals {
    /// Offers everything. `wl_output` and `wl_seat` come with the output and the seat.
    pub fn new(display: &DisplayHandle) -> Self {
        use smithay::reexports::wayland_protocols_misc::server_decoration::server::org_kde_kwin_server_decoration_manager::Mode as Kde;
        offer(display);
        let primary = PrimarySelectionState::new::<State>(display);
        let data_control = DataControlState::new::<State, _>(display, Some(&primary), trusted);
        let ext_data_control =
            ext_data_control::DataControlState::new::<State, _>(display, Some(&primary), trusted);
        // A sandbox inside a sandbox would be one that the outer one knows nothing of.
        SecurityContextState::new::<State, _>(display, |client| !sandboxed(client));
        Self {
            compositor: CompositorState::new_v6::<State>(display),
            shm: ShmState::new::<State>(display, [wl_shm::Format::Abgr8888, wl_shm::Format::Xbgr8888]),
            xdg_shell: XdgShellState::new::<State>(display),
            seats: SeatState::new(),
            data_device: DataDeviceState::new::<State>(display),
            primary,
            data_control,
            ext_data_control,
            layer_shell: WlrLayerShellState::new_with_filter::<State, _>(display, trusted),
            toplevel_list: ForeignToplevelListState::new_with_filter::<State>(display, trusted),
            kde_decoration: KdeDecorationState::new::<State>(display, Kde::Server),
            activation: XdgActivationState::new::<State>(display),
            foreign: XdgForeignState::new::<State>(display),
            shortcuts: KeyboardShortcutsInhibitState::new::<State>(display),
            clients: Arc::default(),
        }
    }
}

/// Globals that need no state of ours: a global lives as long as the display.
fn offer(display: &DisplayHandle) {
    OutputManagerState::new_with_xdg_output::<State>(display);
    ViewporterState::new::<State>(display);
    PresentationState::new::<State>(display, CLOCK);
    FifoManagerState::new::<State>(display);
    CommitTimingManagerState::new::<State>(display);
    PointerConstraintsState::new::<State>(display);
    RelativePointerManagerState::new::<State>(display);
    PointerGesturesState::new::<State>(display);
    XdgDecorationState::new::<State>(display);
    CursorShapeManagerState::new::<State>(display);
    FractionalScaleManagerState::new::<State>(display);
    SinglePixelBufferState::new::<State>(display);
    IdleInhibitManagerState::new::<State>(display);
    ContentTypeState::new::<State>(display);
    AlphaModifierState::new::<State>(display);
    TabletManagerState::new::<State>(display);
    crate::text::offer(display);
    XdgDialogState::new::<State>(display);
    XdgToplevelIconManager::new::<State>(display);
}

/// What is known of each client.
#[derive(Default)]
pub struct ClientState {
    /// smithay's part.
    pub compositor: CompositorClientState,
    /// What it takes of the seat.
    pub usage: Usage,
    /// It runs in a sandbox, which told us so.
    sandboxed: bool,
    /// It came while the seat showed a desktop.
    desktop: bool,
    _place: Option<Place>,
}

impl ClientData for ClientState {
    fn initialized(&self, _id: ClientId) {}
    fn disconnected(&self, _id: ClientId, reason: DisconnectReason) {
        tracing::debug!(?reason, "a client left");
    }
}

impl State {
    /// Takes a new client in, unless there are too many.
    pub fn accept(&mut self, stream: UnixStream, sandboxed: bool) {
        let Some(place) = Place::take(&self.globals.clients) else {
            tracing::warn!("too many clients: one was turned away");
            return;
        };
        let desktop = self.windows.policy == Policy::Desktop;
        let data = ClientState { sandboxed, desktop, _place: Some(place), ..ClientState::default() };
        if let Err(error) = self.display.insert_client(stream, Arc::new(data)) {
            tracing::warn!(%error, "a client could not be accepted");
        }
    }
}

/// What is known of a client.
pub fn client_state(client: &Client) -> Option<&ClientState> {
    client.get_data::<ClientState>()
}

fn sandboxed(client: &Client) -> bool {
    client_state(client).is_none_or(|state| state.sandboxed)
}

/// Part of the desktop: it may draw panels, read the clipboard and see other windows.
fn trusted(client: &Client) -> bool {
    client_state(client).is_some_and(|state| state.desktop && !state.sandboxed)
}

/// The compositor state of a client; every client is ours, or is Xwayland.
pub fn compositor_state(client: &Client) -> Option<&CompositorClientState> {
    let xwayland = client.get_data::<XWaylandClientData>().map(|data| &data.compositor_state);
    client_state(client).map(|data| &data.compositor).or(xwayland)
}

impl SecurityContextHandler for State {
    fn context_created(&mut self, source: SecurityContextListenerSource, context: SecurityContext) {
        let engine = context.sandbox_engine.unwrap_or_default();
        tracing::info!(engine, app = context.app_id, "a sandbox has a socket of its own");
        let inserted = self.handle.insert_source(source, |stream, (), state| state.accept(stream, true));
        if let Err(error) = inserted {
            tracing::warn!(%error, "the socket of a sandbox could not be watched");
        }
    }
}

impl OutputHandler for State {}
impl TabletSeatHandler for State {}
impl XdgDialogHandler for State {}
impl XdgToplevelIconHandler for State {}

impl IdleInhibitHandler for State {
    // A virtual output never goes to sleep.
    fn inhibit(&mut self, _surface: WlSurface) {}
    fn uninhibit(&mut self, _surface: WlSurface) {}
}

impl KeyboardShortcutsInhibitHandler for State {
    fn keyboard_shortcuts_inhibit_state(&mut self) -> &mut KeyboardShortcutsInhibitState {
        &mut self.globals.shortcuts
    }

    // Whoever asks, for example a viewer of another machine, gets our shortcuts too.
    fn new_inhibitor(&mut self, inhibitor: KeyboardShortcutsInhibitor) {
        inhibitor.activate();
    }
}

impl FractionalScaleHandler for State {
    fn new_fractional_scale(&mut self, surface: WlSurface) {
        smithay::wayland::compositor::with_states(&surface, |states| {
            with_fractional_scale(states, |scale| scale.set_preferred_scale(1.0));
        });
    }
}

impl XdgForeignHandler for State {
    fn xdg_foreign_state(&mut self) -> &mut XdgForeignState {
        &mut self.globals.foreign
    }
}

impl SeatHandler for State {
    type KeyboardFocus = WlSurface;
    type PointerFocus = WlSurface;
    type TouchFocus = WlSurface;

    fn seat_state(&mut self) -> &mut SeatState<Self> {
        &mut self.globals.seats
    }

    fn focus_changed(&mut self, seat: &Seat<Self>, focused: Option<&WlSurface>) {
        use smithay::reexports::wayland_server::Resource;
        let client = focused.and_then(|surface| self.display.get_client(surface.id()).ok());
        smithay::wayland::selection::data_device::set_data_device_focus(&self.display, seat, client.clone());
        smithay::wayland::selection::primary_selection::set_primary_focus(&self.display, seat, client);
    }

    fn cursor_image(&mut self, _seat: &Seat<Self>, image: smithay::input::pointer::CursorImageStatus) {
        self.cursor.set(image);
        self.damage();
    }
}

smithay::delegate_seat!(State);
smithay::delegate_output!(State);
smithay::delegate_data_device!(State);
smithay::delegate_primary_selection!(State);
smithay::delegate_data_control!(State);
smithay::delegate_ext_data_control!(State);
smithay::delegate_foreign_toplevel_list!(State);
smithay::delegate_security_context!(State);
smithay::delegate_presentation!(State);
smithay::delegate_fifo!(State);
smithay::delegate_commit_timing!(State);
smithay::delegate_pointer_constraints!(State);
smithay::delegate_relative_pointer!(State);
smithay::delegate_pointer_gestures!(State);
smithay::delegate_xdg_decoration!(State);
smithay::delegate_kde_decoration!(State);
smithay::delegate_cursor_shape!(State);
smithay::delegate_fractional_scale!(State);
smithay::delegate_single_pixel_buffer!(State);
smithay::delegate_xdg_activation!(State);
smithay::delegate_xdg_foreign!(State);
smithay::delegate_idle_inhibit!(State);
smithay::delegate_content_type!(State);
smithay::delegate_alpha_modifier!(State);
smithay::delegate_tablet_manager!(State);
smithay::delegate_keyboard_shortcuts_inhibit!(State);
smithay::delegate_xdg_dialog!(State);
smithay::delegate_xdg_toplevel_icon!(State);
