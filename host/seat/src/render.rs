//! One tick: draw what changed straight into a buffer of the host, publish it, then
//! tell the clients.

use std::time::Duration;

use punktfunk_seat_ipc::{FrameNotice, LinkError, ToHost};
use smithay::backend::renderer::Bind;
use smithay::backend::renderer::damage::OutputDamageTracker;
use smithay::backend::renderer::element::Kind;
use smithay::backend::renderer::element::memory::{MemoryRenderBuffer, MemoryRenderBufferRenderElement};
use smithay::backend::renderer::element::solid::{SolidColorBuffer, SolidColorRenderElement};
use smithay::backend::renderer::element::surface::{
    WaylandSurfaceRenderElement, render_elements_from_surface_tree,
};
use smithay::backend::renderer::element::{AsRenderElements, render_elements};
use smithay::backend::renderer::pixman::PixmanRenderer;
use smithay::desktop::utils::{
    OutputPresentationFeedback, send_frames_surface_tree, take_presentation_feedback_surface_tree,
    with_surfaces_surface_tree,
};
use smithay::desktop::{LayerSurface, PopupManager};
use smithay::output::Output;
use smithay::reexports::wayland_protocols::wp::presentation_time::server::wp_presentation_feedback;
use smithay::reexports::wayland_server::Resource;
use smithay::reexports::wayland_server::protocol::wl_surface::WlSurface;
use smithay::utils::{Logical, Monotonic, Point, Time, Transform};
use smithay::wayland::commit_timing::CommitTimerBarrierStateUserData;
use smithay::wayland::compositor::{SurfaceData, send_surface_state};
use smithay::wayland::fifo::FifoBarrierCachedState;
use smithay::wayland::presentation::Refresh;

use crate::backdrop::BAR;
use crate::cursor::Image;
use crate::frame::{Frames, to_rects};
use crate::seat::State;

render_elements! {
    /// Anything that is drawn.
    pub Element<=PixmanRenderer>;
    /// Of a client.
    Surface=WaylandSurfaceRenderElement<PixmanRenderer>,
    /// Of ours.
    Memory=MemoryRenderBufferRenderElement<PixmanRenderer>,
    /// One colour.
    Solid=SolidColorRenderElement,
}

/// Dims what is behind the launcher.
const SHADE: [f32; 4] = [0.0, 0.0, 0.0, 0.42];

/// What drawing needs.
pub struct Renderer {
    pixman: PixmanRenderer,
    /// Knows what each buffer lacks.
    tracker: OutputDamageTracker,
    /// Knows what changed since the last frame.
    delta: OutputDamageTracker,
    /// The buffers of the connected host.
    pub frames: Option<Frames>,
    sequence: u64,
    /// Behind all windows; made when it is first needed.
    pub backdrop: Option<MemoryRenderBuffer>,
    /// Above everything while the launcher is open.
    shade: SolidColorBuffer,
}

impl Renderer {
    /// Nothing drawn yet.
    pub fn new(output: &Output) -> anyhow::Result<Self> {
        Ok(Self {
            pixman: PixmanRenderer::new()?,
            tracker: OutputDamageTracker::from_output(output),
            delta: OutputDamageTracker::from_output(output),
            frames: None,
            sequence: 0,
            backdrop: None,
            shade: SolidColorBuffer::new((1, 1), SHADE),
        })
    }

    /// Every buffer is drawn wholly next time.
    pub fn forget(&mut self, output: &Output) {
        self.tracker = OutputDamageTracker::from_output(output);
        self.delta = OutputDamageTracker::from_output(output);
    }
}

/// Whether a tick showed what there was to show.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Published,
    Unchanged,
    /// No buffer is free, or the host does not read.
    Waiting,
}

impl State {
    /// Does what is due at `now`. Returns nothing: the clock is told.
    pub fn tick(&mut self, now: u64) {
        let timers = self.signal_timers(now);
        let dirty = std::mem::take(&mut self.dirty);
        let shown = if dirty && self.looked_at() { self.draw(now) } else { Shown::Unchanged };
        match shown {
            Shown::Waiting => self.dirty = true,
            Shown::Published | Shown::Unchanged => self.answer(now, shown == Shown::Published),
        }
        self.popups.cleanup();
        self.clock.ticked(now, (dirty && shown != Shown::Waiting) || timers);
    }

    fn draw(&mut self, now: u64) -> Shown {
        let elements = self.elements();
        let renderer = &mut self.renderer;
        let Some(frames) = renderer.frames.as_mut() else { return Shown::Unchanged };
        let Some((index, age, canvas)) = frames.free() else { return Shown::Waiting };
        let drawn =
            renderer.pixman.bind(canvas.image()).map_err(|error| error.to_string()).and_then(|mut target| {
                let result = renderer.tracker.render_output(
                    &mut renderer.pixman,
                    &mut target,
                    age,
                    &elements,
                    [0.0, 0.0, 0.0, 1.0],
                );
                result.map(|result| result.damage.is_some()).map_err(|error| error.to_string())
            });
        match drawn {
            Ok(true) => {}
            Ok(false) => return Shown::Unchanged,
            Err(error) => {
                tracing::warn!(error, "a frame could not be drawn");
                frames.spoil(index);
                renderer.forget(&self.output);
                return Shown::Unchanged;
            }
        }
        let damage = match renderer.delta.damage_output(1, &elements) {
            Ok((Some(damage), _)) => to_rects(damage, self.mode),
            _ => Vec::new(),
        };
        let notice = FrameNotice {
            generation: frames.generation(),
            buffer: index as u8,
            sequence: renderer.sequence,
            timestamp_us: now / 1_000,
            damage,
        };
        let Some(host) = &self.host else { return Shown::Unchanged };
        match host.connection.send(&ToHost::Frame(notice)) {
            Ok(()) => {
                renderer.sequence += 1;
                frames.publish(index);
                Shown::Published
            }
            Err(error) => {
                frames.spoil(index);
                renderer.forget(&self.output);
                if !error.would_block() {
                    self.lose_host(&error);
                    return Shown::Unchanged;
                }
                Shown::Waiting
            }
        }
    }

    /// Front to back.
    fn elements(&mut self) -> Vec<Element> {
        let mut elements = Vec::new();
        let at = self.pointer.current_location();
        let (pieces, dim) = self.desktop_pieces();
        let banner = self.banner.piece(&self.fonts, self.windows.size);
        let layers = self.layer_order();
        let layers = layers.map(|layers| {
            let placed =
                layers.into_iter().map(|layer| (self.layer_origin(&layer).unwrap_or_default(), layer));
            placed.collect::<Vec<_>>()
        });
        let pixman = &mut self.renderer.pixman;
        match self.cursor.image() {
            Some(Image::Picture(picture, (x, y))) => {
                let at = at.to_i32_floor::<i32>() - Point::from((x, y));
                push_memory(&mut elements, pixman, picture, at.x, at.y);
            }
            Some(Image::Surface(surface, hotspot)) => {
                let at = (at.to_i32_floor::<i32>() - hotspot).to_physical(1);
                elements.extend(render_elements_from_surface_tree::<_, Element>(
                    pixman,
                    &surface,
                    at,
                    1.0,
                    1.0,
                    Kind::Cursor,
                ));
            }
            None => {}
        }
        if let Some(icon) = self.drag_icon.as_ref().filter(|icon| icon.is_alive()) {
            let at = at.to_i32_floor::<i32>().to_physical(1);
            elements.extend(render_elements_from_surface_tree::<_, Element>(
                pixman,
                icon,
                at,
                1.0,
                1.0,
                Kind::Unspecified,
            ));
        }
        for (picture, at) in banner.iter().chain(&pieces) {
            push_memory(&mut elements, pixman, picture, at.x, at.y);
        }
        if dim {
            let shade = &mut self.renderer.shade;
            shade.resize(self.windows.size);
            let whole = SolidColorRenderElement::from_buffer(shade, (0, 0), 1.0, 1.0, Kind::Unspecified);
            elements.push(whole.into());
        }
        push_layers(&mut elements, pixman, &layers[0]);
        let policy = self.windows.policy;
        for managed in self.windows.stack.iter_mut().rev().filter(|managed| managed.mapped) {
            let origin = managed.origin().to_physical(1);
            match managed.surface().filter(|_| managed.x11.is_some()) {
                Some(surface) => elements.extend(render_elements_from_surface_tree::<_, Element>(
                    pixman,
                    surface,
                    origin,
                    1.0,
                    1.0,
                    Kind::Unspecified,
                )),
                None => elements.extend(managed.window.render_elements::<Element>(
                    pixman,
                    origin,
                    1.0.into(),
                    1.0,
                )),
            }
            if managed.has_bar(policy) {
                let (position, active) = (managed.position, managed.surface() == self.focused.as_ref());
                if let Some(bar) = managed.bar(&self.fonts, active) {
                    push_memory(&mut elements, pixman, bar, position.x, position.y - BAR);
                }
            }
        }
        push_layers(&mut elements, pixman, &layers[1]);
        if let Some(backdrop) = &self.renderer.backdrop {
            push_memory(&mut elements, pixman, backdrop, 0, 0);
        }
        elements
    }

    /// Every surface that may be waiting for something.
    fn roots(&self) -> Vec<WlSurface> {
        let mut roots = Vec::new();
        let layers = self.layer_roots();
        let windows = self.windows.stack.iter().filter_map(|managed| managed.surface());
        for surface in windows.chain(&layers) {
            roots.extend(
                PopupManager::popups_for_surface(surface).map(|(popup, _)| popup.wl_surface().clone()),
            );
            roots.push(surface.clone());
        }
        roots.extend(self.cursor.surface().cloned());
        roots.extend(self.drag_icon.clone());
        roots.retain(Resource::is_alive);
        roots
    }

    /// Frame callbacks, presentation feedback and fifo barriers: after the content was
    /// latched, never before.
    fn answer(&mut self, now: u64, published: bool) {
        let time = Duration::from_nanos(now);
        let output = self.output.clone();
        let mut feedback = OutputPresentationFeedback::new(&output);
        let roots = self.roots();
        for root in &roots {
            send_frames_surface_tree(root, &output, time, None, |_, _| Some(output.clone()));
            take_presentation_feedback_surface_tree(
                root,
                &mut feedback,
                |_, _| Some(output.clone()),
                |_, _| wp_presentation_feedback::Kind::empty(),
            );
        }
        if published || !self.looked_at() {
            let refresh = Refresh::fixed(Duration::from_nanos(self.clock.period()));
            let sequence = self.renderer.sequence;
            feedback.presented(
                Time::<Monotonic>::from(time),
                refresh,
                sequence,
                wp_presentation_feedback::Kind::Vsync,
            );
        } else {
            feedback.discarded();
        }
        self.signal(&roots, |states| {
            let barrier = states.cached_state.get::<FifoBarrierCachedState>().current().barrier.take();
            barrier.is_some_and(|barrier| {
                barrier.signal();
                true
            })
        });
    }

    /// Lets go of commits that wait for a time before the next tick. True when others
    /// wait for a later one.
    fn signal_timers(&mut self, now: u64) -> bool {
        let deadline = Time::<Monotonic>::from(Duration::from_nanos(now + self.clock.period() / 2));
        let mut pending = false;
        let roots = self.roots();
        self.signal(&roots, |states| {
            let Some(state) = states.data_map.get::<CommitTimerBarrierStateUserData>() else { return false };
            let Ok(mut state) = state.lock() else { return false };
            let cleared = state.signal_until(deadline);
            pending |= state.next_deadline().is_some();
            cleared
        });
        pending
    }

    fn signal(&mut self, roots: &[WlSurface], mut cleared: impl FnMut(&SurfaceData) -> bool) {
        let mut clients = Vec::new();
        for root in roots {
            with_surfaces_surface_tree(root, |surface, states| {
                if cleared(states)
                    && let Some(client) = surface.client()
                    && !clients.contains(&client)
                {
                    clients.push(client);
                }
            });
        }
        let display = self.display.clone();
        for client in clients {
            if let Some(compositor) = crate::globals::compositor_state(&client) {
                compositor.blocker_cleared(self, &display);
            }
        }
    }

    /// New buffers, of the present size, for the host that is connected.
    pub fn new_frames(&mut self) -> Result<(), LinkError> {
        self.generation += 1;
        let host = self.host.as_ref().map(|host| &host.connection);
        self.renderer.frames = Some(Frames::new(self.mode, self.generation, host)?);
        self.renderer.forget(&self.output);
        self.damage();
        Ok(())
    }

    /// True when a host is connected and somebody watches.
    pub fn looked_at(&self) -> bool {
        self.viewer && self.host.is_some() && self.renderer.frames.is_some()
    }

    /// Something on the picture may have changed.
    pub fn damage(&mut self) {
        self.dirty = true;
        self.wake();
    }

    /// The next tick shall come.
    pub fn wake(&mut self) {
        let now = self.now();
        self.clock.wake(now);
    }

    /// All popups and windows learn that the output is new to them.
    pub fn surfaces_reenter(&self) {
        for root in self.roots() {
            with_surfaces_surface_tree(&root, |surface, states| {
                self.output.leave(surface);
                self.output.enter(surface);
                send_surface_state(surface, states, 1, Transform::Normal);
            });
        }
    }
}

fn push_layers(
    elements: &mut Vec<Element>,
    pixman: &mut PixmanRenderer,
    layers: &[(Point<i32, Logical>, LayerSurface)],
) {
    for (at, layer) in layers {
        elements.extend(layer.render_elements::<Element>(pixman, at.to_physical(1), 1.0.into(), 1.0));
    }
}

fn push_memory(
    elements: &mut Vec<Element>,
    pixman: &mut PixmanRenderer,
    buffer: &MemoryRenderBuffer,
    x: i32,
    y: i32,
) {
    let at = Point::from((f64::from(x), f64::from(y)));
    match MemoryRenderBufferRenderElement::from_buffer(
        pixman,
        at,
        buffer,
        None,
        None,
        None,
        Kind::Unspecified,
    ) {
        Ok(element) => elements.push(element.into()),
        Err(error) => tracing::warn!(%error, "a picture of ours could not be drawn"),
    }
}
