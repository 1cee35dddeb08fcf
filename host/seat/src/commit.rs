//! Surfaces: what happens when a client commits.

use smithay::backend::renderer::utils::{on_commit_buffer_handler, with_renderer_surface_state};
use smithay::desktop::PopupKind;
use smithay::reexports::wayland_server::protocol::{wl_buffer::WlBuffer, wl_surface::WlSurface};
use smithay::reexports::wayland_server::{Client, Resource};
use smithay::utils::Transform;
use smithay::wayland::buffer::BufferHandler;
use smithay::wayland::compositor::{
    CompositorClientState, CompositorHandler, CompositorState, add_pre_commit_hook, get_parent,
    is_sync_subsurface, send_surface_state, with_states,
};
use smithay::wayland::shell::xdg::XdgToplevelSurfaceData;
use smithay::wayland::shm::{ShmHandler, ShmState};

use crate::globals::compositor_state;
use crate::limits;
use crate::seat::State;

impl BufferHandler for State {
    fn buffer_destroyed(&mut self, _buffer: &WlBuffer) {}
}

impl ShmHandler for State {
    fn shm_state(&self) -> &ShmState {
        &self.globals.shm
    }
}

impl CompositorHandler for State {
    fn compositor_state(&mut self) -> &mut CompositorState {
        &mut self.globals.compositor
    }

    fn client_compositor_state<'a>(&self, client: &'a Client) -> &'a CompositorClientState {
        // Every client comes through our own listening socket, which attaches this.
        compositor_state(client).expect("a client that did not come through the socket of the seat")
    }

    fn new_surface(&mut self, surface: &WlSurface) {
        limits::surface_made(surface);
        // A commit that waits for a barrier or a timer reaches `commit` only later: the
        // clock must run for it all the same.
        add_pre_commit_hook::<Self, _>(surface, |state, _, _| state.wake());
    }

    fn commit(&mut self, surface: &WlSurface) {
        on_commit_buffer_handler::<Self>(surface);
        self.output.enter(surface);
        with_states(surface, |states| send_surface_state(surface, states, 1, Transform::Normal));
        self.damage();
        if is_sync_subsurface(surface) {
            return;
        }
        let mut root = surface.clone();
        while let Some(parent) = get_parent(&root) {
            root = parent;
        }
        if let Some(managed) = self.windows.find(&root).filter(|managed| managed.x11.is_none()) {
            managed.window.on_commit();
        }
        self.popups.commit(surface);
        if *surface == root {
            self.commit_toplevel(surface);
            self.commit_popup(surface);
            self.commit_x11(surface);
            self.commit_layer(surface);
        }
    }

    fn destroyed(&mut self, surface: &WlSurface) {
        self.lose_picture(surface);
        limits::surface_gone(surface);
        self.damage();
    }
}

impl State {
    /// A popup must be configured once before it may show anything.
    fn commit_popup(&mut self, surface: &WlSurface) {
        if let Some(PopupKind::Xdg(popup)) = self.popups.find_popup(surface)
            && !popup.is_initial_configure_sent()
            && let Err(error) = popup.send_configure()
        {
            tracing::debug!(%error, "a popup could not be configured");
        }
    }

    fn commit_toplevel(&mut self, surface: &WlSurface) {
        let Some(managed) = self.windows.find(surface) else { return };
        let Some(toplevel) = managed.window.toplevel().cloned() else { return };
        let configured = with_states(surface, |states| {
            let data = states.data_map.get::<XdgToplevelSurfaceData>();
            data.and_then(|data| data.lock().ok().map(|data| data.initial_configure_sent)).unwrap_or(true)
        });
        if !configured {
            self.first_configure(&toplevel);
            return;
        }
        let shows = with_renderer_surface_state(surface, |state| state.buffer().is_some()).unwrap_or(false);
        let was = managed.mapped;
        match (was, shows) {
            (false, true) => self.map(surface),
            (true, false) => self.unmap(surface),
            (true, true) => self.settle(surface),
            (false, false) => {}
        }
        tracing::trace!(id = ?surface.id(), shows, "toplevel committed");
    }
}
