//! How much of a seat one client may take. Whoever takes more is disconnected.
//!
//! Shared memory is where it matters most, so its requests come through here before
//! smithay sees them. Some of what is refused here would be a panic there: version 0.7.0
//! unwraps when a pool is resized to nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use smithay::reexports::wayland_server::backend::ClientId;
use smithay::reexports::wayland_server::protocol::{
    wl_buffer::{self, WlBuffer},
    wl_shm::{self, WlShm},
    wl_shm_pool::{self, WlShmPool},
    wl_surface::{self, WlSurface},
};
use smithay::reexports::wayland_server::{
    Client, DataInit, Dispatch, DisplayHandle, Resource, delegate_global_dispatch,
};
use smithay::wayland::shm::{ShmBufferUserData, ShmPoolUserData, ShmState};

use crate::globals::{ClientState, client_state};
use crate::seat::State;

/// Clients of a seat.
pub const MAX_CLIENTS: usize = 64;
/// Surfaces of a client.
pub const MAX_SURFACES: usize = 4096;
/// Buffers in shared memory of a client, and pools that hold them.
pub const MAX_BUFFERS: usize = 4096;
/// The longest side of a buffer, in pixels.
pub const MAX_SIDE: i32 = 16_384;
/// The largest pool of shared memory, bytes. It is the client's memory, only the
/// addresses are ours.
pub const MAX_POOL: i32 = 1 << 30;

/// What one client uses.
#[derive(Default)]
pub struct Usage {
    surfaces: AtomicUsize,
    buffers: AtomicUsize,
    pools: AtomicUsize,
}

/// One of the places for clients; it is free again when this is dropped.
#[derive(Default)]
pub struct Place(Arc<AtomicUsize>);

impl Place {
    /// Takes a place, if there is one. `taken` counts them.
    pub fn take(taken: &Arc<AtomicUsize>) -> Option<Self> {
        let below = |taken| (taken < MAX_CLIENTS).then_some(taken + 1);
        taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, below).ok()?;
        Some(Self(taken.clone()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |taken| taken.checked_sub(1));
    }
}

/// Counts a new surface; its client may have too many then.
pub fn surface_made(surface: &WlSurface) {
    let Some(client) = surface.client() else { return };
    let Some(state) = client_state(&client) else { return };
    if state.usage.surfaces.fetch_add(1, Ordering::Relaxed) >= MAX_SURFACES {
        refuse(surface, wl_surface::Error::InvalidSize, &format!("more than {MAX_SURFACES} surfaces"));
    }
}

/// A surface is gone.
pub fn surface_gone(surface: &WlSurface) {
    if let Some(client) = surface.client()
        && let Some(state) = client_state(&client)
    {
        state.usage.surfaces.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Disconnects the client of this object.
fn refuse(object: &impl Resource, code: impl Into<u32>, what: &str) {
    tracing::warn!(what, "a client takes too much and is disconnected");
    object.post_error(code, what);
}

fn usage(client: &Client) -> Option<&Usage> {
    client_state(client).map(|state: &ClientState| &state.usage)
}

/// As long as X11 lets a side be. Xwayland is no client of its own: what one X11
/// application asks of it must not end all of them.
const MAX_X11_SIDE: i32 = 32_767;

fn most_side(client: &Client) -> i32 {
    usage(client).map_or(MAX_X11_SIDE, |_| MAX_SIDE)
}

fn most_pool(client: &Client) -> i32 {
    usage(client).map_or(i32::MAX, |_| MAX_POOL)
}

const POOL_SIZE: &str = "a pool of more than 1 GiB of shared memory, or of none at all";

/// Counts one more. False when that is too many.
fn counted(count: &AtomicUsize) -> bool {
    count.fetch_add(1, Ordering::Relaxed) < MAX_BUFFERS
}

impl State {
    /// Counts one less, while the client lives.
    fn release(&self, client: ClientId, count: impl Fn(&Usage) -> &AtomicUsize) {
        if let Ok(data) = self.display.backend_handle().get_client_data(client)
            && let Some(state) = data.downcast_ref::<ClientState>()
        {
            count(&state.usage).fetch_sub(1, Ordering::Relaxed);
        }
    }
}

type Shm = ShmState;

delegate_global_dispatch!(State: [WlShm: ()] => Shm);

impl Dispatch<WlShm, ()> for State {
    fn request(
        state: &mut Self,
        client: &Client,
        shm: &WlShm,
        request: wl_shm::Request,
        data: &(),
        display: &DisplayHandle,
        init: &mut DataInit<'_, Self>,
    ) {
        if let wl_shm::Request::CreatePool { size, .. } = &request {
            if !(1..=most_pool(client)).contains(size) {
                return refuse(shm, wl_shm::Error::InvalidFd, POOL_SIZE);
            }
            if !usage(client).is_none_or(|usage| counted(&usage.pools)) {
                return refuse(shm, wl_shm::Error::InvalidFd, &format!("more than {MAX_BUFFERS} pools"));
            }
        }
        <Shm as Dispatch<WlShm, (), Self>>::request(state, client, shm, request, data, display, init);
    }
}

impl Dispatch<WlShmPool, ShmPoolUserData> for State {
    fn request(
        state: &mut Self,
        client: &Client,
        pool: &WlShmPool,
        request: wl_shm_pool::Request,
        data: &ShmPoolUserData,
        display: &DisplayHandle,
        init: &mut DataInit<'_, Self>,
    ) {
        use wl_shm_pool::Request as R;
        match &request {
            R::CreateBuffer { width, height, .. } if (*width).max(*height) > most_side(client) => {
                let most = most_side(client);
                let what = format!("a buffer of {width}x{height}: no side may be above {most}");
                return refuse(pool, wl_shm::Error::InvalidStride, &what);
            }
            R::CreateBuffer { .. } if !usage(client).is_none_or(|usage| counted(&usage.buffers)) => {
                return refuse(pool, wl_shm::Error::InvalidFd, &format!("more than {MAX_BUFFERS} buffers"));
            }
            R::Resize { size } if !(1..=most_pool(client)).contains(size) => {
                return refuse(pool, wl_shm::Error::InvalidFd, POOL_SIZE);
            }
            _ => {}
        }
        <Shm as Dispatch<WlShmPool, ShmPoolUserData, Self>>::request(
            state, client, pool, request, data, display, init,
        );
    }

    fn destroyed(state: &mut Self, client: ClientId, _pool: &WlShmPool, _data: &ShmPoolUserData) {
        state.release(client, |usage| &usage.pools);
    }
}

impl Dispatch<WlBuffer, ShmBufferUserData> for State {
    fn request(
        state: &mut Self,
        client: &Client,
        buffer: &WlBuffer,
        request: wl_buffer::Request,
        data: &ShmBufferUserData,
        display: &DisplayHandle,
        init: &mut DataInit<'_, Self>,
    ) {
        <Shm as Dispatch<WlBuffer, ShmBufferUserData, Self>>::request(
            state, client, buffer, request, data, display, init,
        );
    }

    fn destroyed(state: &mut Self, client: ClientId, buffer: &WlBuffer, data: &ShmBufferUserData) {
        state.release(client.clone(), |usage| &usage.buffers);
        <Shm as Dispatch<WlBuffer, ShmBufferUserData, Self>>::destroyed(state, client, buffer, data);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_free_again() {
        let taken = Arc::new(AtomicUsize::new(0));
        let mut places: Vec<_> =
            std::iter::repeat_with(|| Place::take(&taken)).take_while(Option::is_some).collect();
        assert_eq!(places.len(), MAX_CLIENTS);
        places.pop();
        assert!(Place::take(&taken).is_some());
        drop(places);
        assert_eq!(taken.load(Ordering::Relaxed), 0);
    }
}
