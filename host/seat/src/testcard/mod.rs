//! The built-in application `Test card`: a full-screen Wayland client that draws
//! one picture for each frame callback, and a tone.
//!
//! Each picture carries its number and the time it was drawn as a code that
//! machines can read (`punktfunk_core::testcard`). It is an ordinary program to the
//! seat, which starts itself again as `punktfunk-seat test-card`.

mod font;
pub mod picture;
mod tone;

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

use punktfunk_core::testcard::{Area, Code};
use wayland_client::globals::{GlobalListContents, registry_queue_init};
use wayland_client::protocol::{
    wl_buffer, wl_callback, wl_compositor, wl_registry, wl_shm, wl_shm_pool, wl_surface,
};
use wayland_client::{Connection, Dispatch, QueueHandle, delegate_noop};
use wayland_protocols::xdg::shell::client::{xdg_surface, xdg_toplevel, xdg_wm_base};

use picture::Card;

/// Buffers that the compositor may hold at once, and the one being drawn.
const BUFFERS: usize = 3;
/// Size when the compositor leaves it to us.
const DEFAULT_SIZE: (usize, usize) = (1280, 720);

/// How the Test card runs.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// No tone.
    pub mute: bool,
    /// End after this many pictures; `None` runs until the window is closed.
    pub pictures: Option<u32>,
}

/// Why the Test card ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TestCardError {
    /// There is no compositor to connect to.
    #[error("no Wayland compositor answers: WAYLAND_DISPLAY and XDG_RUNTIME_DIR must name one")]
    Connect(#[from] wayland_client::ConnectError),
    /// The compositor lacks something that every desktop has.
    #[error("the compositor lacks {0}")]
    Missing(&'static str),
    /// The compositor's globals could not be listed.
    #[error("the compositor's globals cannot be listed")]
    Globals(#[from] wayland_client::globals::GlobalError),
    /// The connection ended.
    #[error("the compositor ended the connection")]
    Dispatch(#[from] wayland_client::DispatchError),
    /// The system refused memory or a thread.
    #[error("the system refused memory or a thread")]
    System(#[source] io::Error),
}

/// Shows the Test card until its window is closed.
pub fn run(options: Options) -> Result<(), TestCardError> {
    let connection = Connection::connect_to_env()?;
    let (globals, mut queue) = registry_queue_init::<State>(&connection)?;
    let handle = queue.handle();
    let compositor: wl_compositor::WlCompositor =
        globals.bind(&handle, 4..=6, ()).map_err(|_| TestCardError::Missing("wl_compositor version 4"))?;
    let shm = globals.bind(&handle, 1..=1, ()).map_err(|_| TestCardError::Missing("wl_shm"))?;
    let shell: xdg_wm_base::XdgWmBase =
        globals.bind(&handle, 1..=3, ()).map_err(|_| TestCardError::Missing("xdg_wm_base"))?;
    let surface = compositor.create_surface(&handle, ());
    let window = shell.get_xdg_surface(&surface, &handle, ());
    let toplevel = window.get_toplevel(&handle, ());
    toplevel.set_title("Test card".into());
    toplevel.set_app_id("punktfunk.testcard".into());
    toplevel.set_fullscreen(None);
    surface.commit();

    let tone = if options.mute { None } else { Some(tone::Tone::start()?) };
    let mut state = State {
        options,
        shm,
        surface,
        wanted: DEFAULT_SIZE,
        screen: None,
        next: 0,
        waiting: false,
        closed: false,
        failed: None,
    };
    while !state.closed {
        queue.blocking_dispatch(&mut state)?;
        if let Some(error) = state.failed.take() {
            return Err(TestCardError::System(error));
        }
    }
    drop(tone);
    Ok(())
}

struct State {
    options: Options,
    shm: wl_shm::WlShm,
    surface: wl_surface::WlSurface,
    /// The size of the last configuration.
    wanted: (usize, usize),
    screen: Option<Screen>,
    /// Number of the next picture.
    next: u32,
    /// A frame callback is on its way, or every buffer is taken.
    waiting: bool,
    closed: bool,
    failed: Option<io::Error>,
}

/// What belongs to one size.
struct Screen {
    card: Card,
    size: (usize, usize),
    memory: File,
    buffers: Vec<Buffer>,
}

struct Buffer {
    buffer: wl_buffer::WlBuffer,
    /// Where it begins in the memory.
    offset: u64,
    /// The compositor reads it.
    taken: bool,
    /// The still parts are in it.
    primed: bool,
}

impl State {
    /// Draws the next picture, unless the compositor still holds every buffer.
    fn draw(&mut self, handle: &QueueHandle<Self>) {
        if let Err(error) = self.try_draw(handle) {
            self.failed = Some(error);
        }
    }

    fn try_draw(&mut self, handle: &QueueHandle<Self>) -> io::Result<()> {
        if self.screen.as_ref().is_none_or(|screen| screen.size != self.wanted) {
            self.screen = Some(Screen::new(self.wanted, &self.shm, handle)?);
        }
        let Some(screen) = &mut self.screen else { return Ok(()) };
        let Some(index) = screen.buffers.iter().position(|buffer| !buffer.taken) else {
            // Its release draws the next one.
            self.waiting = false;
            return Ok(());
        };
        screen.card.draw(Code { frame: self.next, micros: monotonic_micros() });
        let damage = screen.write(index)?;
        for area in damage {
            let [x, y, width, height] = [area.x, area.y, area.width, area.height].map(signed);
            self.surface.damage_buffer(x, y, width, height);
        }
        self.surface.attach(Some(&screen.buffers[index].buffer), 0, 0);
        self.surface.frame(handle, ());
        self.surface.commit();
        self.waiting = true;
        self.next = self.next.wrapping_add(1);
        self.closed |= self.options.pictures == Some(self.next);
        Ok(())
    }
}

impl Screen {
    fn new(size: (usize, usize), shm: &wl_shm::WlShm, handle: &QueueHandle<State>) -> io::Result<Self> {
        let (width, height) = size;
        let bytes = width * height * 4;
        let memory = rustix::fs::memfd_create("punktfunk-testcard", rustix::fs::MemfdFlags::CLOEXEC)?;
        let memory = File::from(memory);
        memory.set_len((bytes * BUFFERS) as u64)?;
        let pool = shm.create_pool(memory.as_fd(), signed(bytes * BUFFERS), handle, ());
        let buffers = (0..BUFFERS).map(|index| {
            let [offset, width, height, stride] = [index * bytes, width, height, width * 4].map(signed);
            let format = wl_shm::Format::Xrgb8888;
            let buffer = pool.create_buffer(offset, width, height, stride, format, handle, ());
            Buffer { buffer, offset: (index * bytes) as u64, taken: false, primed: false }
        });
        let buffers = buffers.collect();
        pool.destroy();
        Ok(Self { card: Card::new(width, height), size, memory, buffers })
    }

    /// Copies the card into a buffer and returns what changed in it since the
    /// picture before.
    fn write(&mut self, index: usize) -> io::Result<Vec<Area>> {
        let (width, height) = self.size;
        let first = self.buffers.iter().all(|buffer| !buffer.primed);
        let buffer = &mut self.buffers[index];
        buffer.taken = true;
        let changing = self.card.changing();
        let pixels = self.card.pixels();
        if buffer.primed {
            for area in changing {
                let area_end = (area.y + area.height).min(height);
                // Whole rows: one call writes them all.
                let (from, to) = (area.y.min(height) * width * 4, area_end * width * 4);
                self.memory.write_all_at(&pixels[from..to.max(from)], buffer.offset + from as u64)?;
            }
        } else {
            self.memory.write_all_at(pixels, buffer.offset)?;
            buffer.primed = true;
        }
        Ok(if first { vec![Area { x: 0, y: 0, width, height }] } else { changing.to_vec() })
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        for buffer in &self.buffers {
            buffer.buffer.destroy();
        }
    }
}

fn signed(value: usize) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

/// The monotonic clock of the machine, which a reader on the same machine has too.
fn monotonic_micros() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    seconds * 1_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0) / 1_000
}

impl Dispatch<xdg_surface::XdgSurface, ()> for State {
    fn event(
        state: &mut Self,
        window: &xdg_surface::XdgSurface,
        event: xdg_surface::Event,
        (): &(),
        _: &Connection,
        handle: &QueueHandle<Self>,
    ) {
        if let xdg_surface::Event::Configure { serial } = event {
            window.ack_configure(serial);
            // While a callback is on its way, the picture that answers it takes the
            // new size: two at once would never end.
            if !state.waiting {
                state.draw(handle);
            }
        }
    }
}

impl Dispatch<xdg_toplevel::XdgToplevel, ()> for State {
    fn event(
        state: &mut Self,
        _: &xdg_toplevel::XdgToplevel,
        event: xdg_toplevel::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        match event {
            xdg_toplevel::Event::Configure { width, height, .. } => {
                if let (Ok(width @ 1..), Ok(height @ 1..)) = (usize::try_from(width), usize::try_from(height))
                {
                    state.wanted = (width, height);
                }
            }
            xdg_toplevel::Event::Close => state.closed = true,
            _ => {}
        }
    }
}

impl Dispatch<wl_callback::WlCallback, ()> for State {
    fn event(
        state: &mut Self,
        _: &wl_callback::WlCallback,
        _: wl_callback::Event,
        (): &(),
        _: &Connection,
        handle: &QueueHandle<Self>,
    ) {
        state.draw(handle);
    }
}

impl Dispatch<wl_buffer::WlBuffer, ()> for State {
    fn event(
        state: &mut Self,
        released: &wl_buffer::WlBuffer,
        _: wl_buffer::Event,
        (): &(),
        _: &Connection,
        handle: &QueueHandle<Self>,
    ) {
        let Some(screen) = &mut state.screen else { return };
        if let Some(buffer) = screen.buffers.iter_mut().find(|buffer| buffer.buffer == *released) {
            buffer.taken = false;
            if !state.waiting {
                state.draw(handle);
            }
        }
    }
}

impl Dispatch<xdg_wm_base::XdgWmBase, ()> for State {
    fn event(
        _: &mut Self,
        shell: &xdg_wm_base::XdgWmBase,
        event: xdg_wm_base::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        if let xdg_wm_base::Event::Ping { serial } = event {
            shell.pong(serial);
        }
    }
}

impl Dispatch<wl_registry::WlRegistry, GlobalListContents> for State {
    fn event(
        _: &mut Self,
        _: &wl_registry::WlRegistry,
        _: wl_registry::Event,
        _: &GlobalListContents,
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
    }
}

delegate_noop!(State: ignore wl_compositor::WlCompositor);
delegate_noop!(State: ignore wl_surface::WlSurface);
delegate_noop!(State: ignore wl_shm::WlShm);
delegate_noop!(State: ignore wl_shm_pool::WlShmPool);
