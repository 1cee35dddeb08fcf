//! The seat: one display, one output, one loop. Everything hangs on [`State`].

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow};
use calloop::generic::Generic;
use calloop::signals::{Signal as SystemSignal, Signals};
use calloop::{EventLoop, Interest, LoopHandle, Mode as Trigger, PostAction};
use punktfunk_seat_ipc::seat::Listener;
use punktfunk_seat_ipc::{App, AppKind, Keymap as Layout, Mode, ToHost};
use rustix::process::Signal;
use rustix::time::{ClockId, clock_gettime};
use smithay::desktop::{PopupGrab, PopupManager};
use smithay::input::Seat;
use smithay::input::keyboard::{KeyboardHandle, ModifiersState, XkbConfig};
use smithay::input::pointer::PointerHandle;
use smithay::input::touch::TouchHandle;
use smithay::output::{Mode as OutputMode, Output, PhysicalProperties, Scale, Subpixel};
use smithay::reexports::wayland_server::protocol::wl_surface::WlSurface;
use smithay::reexports::wayland_server::{Display, DisplayHandle, ListeningSocket};
use smithay::utils::{Size, Transform};

use crate::backdrop::backdrop;
use crate::banner::Banner;
use crate::clock::FrameClock;
use crate::cursor::Cursor;
use crate::desktop::Desktop;
use crate::globals::Globals;
use crate::input::{EachItsOwn, Input};
use crate::keymap::Keymap;
use crate::launch::Session;
use crate::layer::Listed;
use crate::link::Host;
use crate::nested::Trial;
use crate::paint::Fonts;
use crate::render::Renderer;
use crate::text::Text;
use crate::windows::{Managed, Policy, Windows};
use crate::xwayland::Xwayland;

/// Rate at which applications run on while nobody watches, Hz.
const DETACHED_RATE: u32 = 10;
/// How long an application may take to end when it was asked to, and again when it was told to.
const PATIENCE: u64 = 5_000_000_000;
/// The same when it has no window that could be asked.
const SHORT_PATIENCE: u64 = 1_000_000_000;

/// How a seat is started.
pub struct Options {
    /// Its runtime directory, private to the user.
    pub runtime_dir: PathBuf,
    /// The output.
    pub mode: Mode,
    /// Keyboard layout.
    pub layout: Layout,
    /// A name for the output's model.
    pub name: String,
    /// Start a sound server of its own, with so many channels.
    pub sound: Option<u8>,
    /// How long it lives without a host.
    pub orphan_timeout: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// Windows were asked to close at this time.
    Asked(u64),
    /// Processes were told to end at this time.
    Told(u64),
    /// Everything was killed.
    Over,
}

/// All there is.
pub struct State {
    pub display: DisplayHandle,
    pub handle: LoopHandle<'static, State>,
    pub globals: Globals,
    pub keyboard: KeyboardHandle<State>,
    pub pointer: PointerHandle<State>,
    pub touch: TouchHandle<State>,
    pub output: Output,
    pub mode: Mode,
    pub windows: Windows,
    pub popups: PopupManager,
    pub popup_grab: Option<PopupGrab<State>>,
    pub cursor: Cursor,
    pub drag_icon: Option<WlSurface>,
    pub focused: Option<WlSurface>,
    pub input: Input,
    pub text: Text,
    pub desktop: Desktop,
    pub banner: Banner,
    pub listed: Listed,
    /// A nested session that has still to prove itself.
    pub trial: Option<Trial>,
    pub keymap: Keymap,
    pub fonts: Fonts,
    pub clock: FrameClock,
    pub dirty: bool,
    pub renderer: Renderer,
    pub generation: u32,
    pub host: Option<Host>,
    pub viewer: bool,
    pub session: Session,
    pub xwayland: Xwayland,
    pub display_name: String,
    app_name: String,
    orphan_timeout: u64,
    orphan_since: Option<u64>,
    ending: Option<Ending>,
    pub seat: Seat<State>,
}

/// Runs a seat until it is told to end.
pub fn run(options: Options) -> anyhow::Result<()> {
    prepare(&options.runtime_dir)?;
    let listener = Listener::bind(&options.runtime_dir)?;
    let mut event_loop: EventLoop<'static, State> = EventLoop::try_new()?;
    let handle = event_loop.handle();
    let name = listen(&handle, &options.runtime_dir)?;
    // Before signals are blocked: its servers would inherit that.
    let session = Session::start(&options.runtime_dir, &name, options.sound)?;
    let signals = Signals::new(&[SystemSignal::SIGCHLD, SystemSignal::SIGTERM, SystemSignal::SIGINT])?;
    handle
        .insert_source(signals, |event, _, state| match event.signal() {
            SystemSignal::SIGCHLD => state.children_ended(),
            _ => state.quit(),
        })
        .map_err(|error| anyhow!("watch signals: {error}"))?;
    let mut display: Display<State> = Display::new()?;
    let poll = display.backend().poll_fd().try_clone_to_owned()?;
    handle
        .insert_source(Generic::new(poll, Interest::READ, Trigger::Level), |_, _, _| Ok(PostAction::Continue))
        .map_err(|error| anyhow!("watch clients: {error}"))?;
    let mut state = State::new(&display.handle(), handle.clone(), &options, name, session)?;
    state.start_xwayland();
    crate::link::listen(&handle, listener)?;
    tracing::info!(mode = ?options.mode, display = state.display_name, "the seat is up");
    while state.ending != Some(Ending::Over) {
        display.flush_clients()?;
        let wait = state.next_deadline().map(|at| Duration::from_nanos(at.saturating_sub(state.now())));
        event_loop.dispatch(wait, &mut state).context("wait for events")?;
        display.dispatch_clients(&mut state)?;
        state.work();
    }
    state.session.end();
    for name in [punktfunk_seat_ipc::SOCKET_NAME, "bus", &state.display_name] {
        let _ = std::fs::remove_file(options.runtime_dir.join(name));
    }
    tracing::info!("the seat has ended");
    Ok(())
}

/// Makes the runtime directory private, and this process one of its own.
pub fn prepare(directory: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .context("make the runtime directory")?;
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o700))?;
    // Fails only when it already leads its session, which is as good.
    let _ = rustix::process::setsid();
    Ok(())
}

fn listen(handle: &LoopHandle<'static, State>, directory: &Path) -> anyhow::Result<String> {
    let name = "wayland-1".to_owned();
    let path = directory.join(&name);
    let socket = ListeningSocket::bind_absolute(path.clone()).context("bind the Wayland socket")?;
    rustix::fs::chmod(&path, rustix::fs::Mode::from_raw_mode(0o600))?;
    handle
        .insert_source(Generic::new(socket, Interest::READ, Trigger::Level), |_, socket, state| {
            while let Some(stream) = socket.accept()? {
                state.accept(stream, false);
            }
            Ok(PostAction::Continue)
        })
        .map_err(|error| anyhow!("watch the Wayland socket: {error}"))?;
    Ok(name)
}

fn output_mode(mode: Mode) -> OutputMode {
    let millihertz =
        (u64::from(mode.refresh_num) * 1_000 + u64::from(mode.refresh_den) / 2) / u64::from(mode.refresh_den);
    OutputMode {
        size: Size::from((mode.width.cast_signed(), mode.height.cast_signed())),
        refresh: i32::try_from(millihertz).unwrap_or(i32::MAX),
    }
}

/// Millimetres of a screen of 27 inches with this shape: some games refuse 0×0. Small
/// modes get a smaller screen, so that nobody draws for fewer than 96 dots an inch.
fn physical_size(mode: Mode) -> (i32, i32) {
    let (width, height) = (f64::from(mode.width), f64::from(mode.height));
    let scale = (27.0 / width.hypot(height)).min(1.0 / 96.0) * 25.4;
    ((width * scale).round() as i32, (height * scale).round() as i32)
}

impl State {
    fn new(
        display: &DisplayHandle,
        handle: LoopHandle<'static, Self>,
        options: &Options,
        display_name: String,
        session: Session,
    ) -> anyhow::Result<Self> {
        let mode = options.mode;
        let mut globals = Globals::new(display);
        let output = Output::new(
            "PF-1".to_owned(),
            PhysicalProperties {
                size: physical_size(mode).into(),
                subpixel: Subpixel::None,
                make: "punktfunk".to_owned(),
                model: options.name.clone(),
            },
        );
        output.create_global::<Self>(display);
        output.change_current_state(
            Some(output_mode(mode)),
            Some(Transform::Normal),
            Some(Scale::Integer(1)),
            Some((0, 0).into()),
        );
        output.set_preferred(output_mode(mode));
        let mut seat = globals.seats.new_wl_seat(display, "seat0");
        let layout = &options.layout;
        let config = XkbConfig {
            layout: &layout.layout,
            variant: &layout.variant,
            options: (!layout.options.is_empty()).then(|| layout.options.clone()),
            ..XkbConfig::default()
        };
        let (keyboard, keymap) = match seat.add_keyboard(config.clone(), 500, 30) {
            Ok(keyboard) => (keyboard, Keymap::new(config)),
            Err(error) => {
                tracing::warn!(%error, ?layout, "xkb does not know this keyboard layout; us is used");
                let us = XkbConfig { layout: "us", ..XkbConfig::default() };
                (seat.add_keyboard(us.clone(), 500, 30).context("make a keyboard")?, Keymap::new(us))
            }
        };
        // Clients send the digits of their number pad, and other keys when it has none.
        keyboard.set_modifier_state(ModifiersState { num_lock: true, ..keyboard.modifier_state() });
        let pointer = seat.add_pointer();
        let touch = seat.add_touch_with_default_grab(|| Box::new(EachItsOwn::idle()));
        let now = monotonic();
        Ok(Self {
            display: display.clone(),
            handle,
            globals,
            keyboard,
            pointer,
            touch,
            windows: Windows::new(output_mode(mode).size.to_logical(1)),
            renderer: Renderer::new(&output)?,
            output,
            mode,
            popups: PopupManager::default(),
            popup_grab: None,
            cursor: Cursor::new(),
            drag_icon: None,
            focused: None,
            input: Input::default(),
            text: Text::default(),
            desktop: Desktop::default(),
            banner: Banner::default(),
            listed: Listed::default(),
            trial: None,
            keymap,
            fonts: Fonts::load(),
            clock: FrameClock::new(DETACHED_RATE, 1),
            dirty: true,
            generation: 0,
            host: None,
            viewer: false,
            session,
            xwayland: Xwayland::new(display),
            display_name,
            app_name: String::new(),
            orphan_timeout: u64::try_from(options.orphan_timeout.as_nanos()).unwrap_or(u64::MAX),
            orphan_since: Some(now),
            ending: None,
            seat,
        })
    }

    /// `CLOCK_MONOTONIC` in nanoseconds.
    pub fn now(&self) -> u64 {
        monotonic()
    }

    fn next_deadline(&self) -> Option<u64> {
        let ending = match self.ending {
            Some(Ending::Asked(since) | Ending::Told(since)) => {
                Some((since + PATIENCE).min(self.now() + 50_000_000))
            }
            _ => None,
        };
        let orphan = self.orphan_since.map(|since| since.saturating_add(self.orphan_timeout));
        let trial = self.trial.as_ref().map(Trial::due);
        let parts = [self.typing_due(), self.xwayland.due(), self.desktop.due(), self.banner.due()];
        [self.clock.due(), ending, orphan, trial].into_iter().chain(parts).flatten().min()
    }

    /// Whatever has become due.
    fn work(&mut self) {
        let now = self.now();
        if self.clock.due().is_some_and(|due| due <= now) {
            self.tick(now);
        }
        if self.orphan_since.is_some_and(|since| now >= since.saturating_add(self.orphan_timeout)) {
            tracing::info!("no host came back: the seat ends");
            self.orphan_since = None;
            self.quit();
        }
        self.type_due();
        self.follow_keys();
        self.work_on_x11(now);
        self.list_windows();
        self.work_on_trial(now);
        self.work_on_desktop(now);
        self.work_on_banner(now);
        self.work_on_end(now);
    }

    /// A host came (`true`) or went; somebody watches or nobody does.
    pub fn attended(&mut self, host: bool, viewer: bool) {
        self.orphan_since = (!host).then(|| self.now());
        self.viewer = host && viewer;
        let (num, den) =
            if self.viewer { (self.mode.refresh_num, self.mode.refresh_den) } else { (DETACHED_RATE, 1) };
        self.clock.set_rate(num, den);
        if self.viewer {
            self.renderer.forget(&self.output);
        }
        self.damage();
    }

    /// Changes the output: one transaction, as games must notice all of it at once.
    pub fn set_mode(&mut self, mode: Mode) {
        if mode == self.mode {
            return;
        }
        let (old, new) = (output_mode(self.mode), output_mode(mode));
        self.mode = mode;
        self.output.change_current_state(Some(new), None, None, None);
        self.output.set_preferred(new);
        if old != new {
            // Otherwise the list of modes only ever grows.
            self.output.delete_mode(old);
        }
        self.windows.size = new.size.to_logical(1);
        self.arrange_layers();
        self.arrange();
        self.desktop_resized();
        self.constrain_again();
        self.surfaces_reenter();
        self.attended(self.host.is_some(), self.viewer);
        self.paint_backdrop();
        if self.host.is_some()
            && let Err(error) = self.new_frames()
        {
            self.lose_host(&error);
        }
        self.refresh_pointer();
    }

    /// Draws what is behind the windows.
    pub fn paint_backdrop(&mut self) {
        let size = (self.mode.width, self.mode.height);
        let button = self.windows.policy == Policy::Desktop;
        let (title, hints): (String, &[&str]) = match self.windows.policy {
            Policy::Desktop => (
                "punktfunk".to_owned(),
                &[
                    "Super opens the list of applications",
                    "Super + Return or Ctrl + Alt + T opens a terminal",
                    "Alt + Tab switches windows  ·  Alt + F4 closes one",
                ],
            ),
            // What it shows may leave a border.
            Policy::Kiosk if self.windows.front().is_some() => (String::new(), &[]),
            Policy::Kiosk if self.app_name.is_empty() => ("punktfunk".to_owned(), &[]),
            Policy::Kiosk => (self.app_name.clone(), &["is starting"]),
        };
        self.renderer.backdrop = Some(backdrop(&self.fonts, size, &title, hints, button));
        self.damage();
    }

    /// Starts an application.
    pub fn launch(&mut self, app: &App) {
        self.windows.policy = if app.kind == AppKind::Desktop { Policy::Desktop } else { Policy::Kiosk };
        self.app_name.clone_from(&app.name);
        self.paint_backdrop();
        let started = match app.kind {
            AppKind::Desktop => self.start_desktop(app),
            _ => self.session.launch(app, self.mode),
        };
        match started {
            Ok(pid) => {
                tracing::info!(pid, name = app.name, "the application was started");
                self.tell(&ToHost::AppStarted { pid });
            }
            Err(error) => {
                tracing::warn!("{} could not be started: {error:#}", app.name);
                self.tell(&ToHost::Error(format!("{} could not be started: {error:#}", app.name)));
            }
        }
    }

    /// Opens one more terminal on the desktop.
    pub fn open_terminal(&mut self) {
        if let Err(error) = self.session.open_terminal(self.mode) {
            tracing::warn!("{error:#}");
            self.tell(&ToHost::Error(format!("{error:#}")));
        }
    }

    fn children_ended(&mut self) {
        let exit = self.session.reap();
        // One that is still tried makes room for the next instead.
        if let Some(exit) = exit.filter(|_| self.trial.is_none()) {
            tracing::info!(?exit, "the application has ended");
            self.app_name.clear();
            self.paint_backdrop();
            self.tell(&ToHost::AppExited(exit));
        }
    }

    /// Begins to end the application and the seat.
    pub fn quit(&mut self) {
        if self.ending.is_some() {
            return;
        }
        tracing::info!("the seat was told to end");
        self.trial = None;
        self.windows.stack.iter().for_each(Managed::close);
        self.ending = Some(Ending::Asked(self.now()));
    }

    /// A window that comes after the others were asked to close is asked, too: the seat
    /// would wait for it otherwise until its patience is over.
    pub fn close_when_ending(&self, managed: &Managed) {
        if self.ending.is_some() {
            managed.close();
        }
    }

    fn work_on_end(&mut self, now: u64) {
        let Some(ending) = self.ending else { return };
        self.children_ended();
        if ending != Ending::Over && self.session.living().is_empty() {
            self.ending = Some(Ending::Over);
            return;
        }
        match ending {
            Ending::Asked(since) => {
                let patience = if self.windows.stack.is_empty() { SHORT_PATIENCE } else { PATIENCE };
                if now >= since + patience {
                    self.session.signal(Signal::TERM);
                    self.ending = Some(Ending::Told(now));
                }
            }
            Ending::Told(since) if now >= since + PATIENCE => {
                self.session.signal(Signal::KILL);
                self.ending = Some(Ending::Over);
            }
            _ => {}
        }
    }
}

/// `CLOCK_MONOTONIC` in nanoseconds.
pub fn monotonic() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}
