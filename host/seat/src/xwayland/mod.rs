//! X11 applications: an Xwayland beside the seat, and a window manager for it.
//!
//! It is started with the seat and never waited for: its display number is known at
//! once, and who connects early waits in the socket's queue. When it dies it comes back
//! a moment later under the same number; when it cannot start, one line says so and
//! Wayland applications go on.

mod launcher;
mod rank;
mod side;
mod window;
mod wm;

pub use launcher::stand_in;
pub use window::XWindow;

use std::collections::VecDeque;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, anyhow};
use calloop::generic::Generic;
use calloop::{Interest, Mode as Trigger, PostAction, RegistrationToken};
use smithay::reexports::wayland_server::{Client, DisplayHandle};
use smithay::utils::Size;
use smithay::wayland::xwayland_keyboard_grab::XWaylandKeyboardGrabState;
use smithay::wayland::xwayland_shell::XWaylandShellState;
use smithay::xwayland::{X11Wm, XWayland};

use crate::launch::Session;
use crate::process::MARK;
use crate::seat::State;
use crate::windows::Managed;
use side::Side;

/// Where X servers have their sockets.
const SOCKETS: &str = "/tmp/.X11-unix";
/// How long an Xwayland may take until it is ready.
const START: u64 = 60_000_000_000;
/// How long after its end the next one comes.
const PAUSE: u64 = 300_000_000;
/// So many may end within [`WINDOW`]; after that there is no next one.
const DEATHS: usize = 8;
/// See [`DEATHS`].
const WINDOW: u64 = 60_000_000_000;

/// What there is of X11.
pub struct Xwayland {
    shell: XWaylandShellState,
    _grabs: XWaylandKeyboardGrabState,
    /// The number in `DISPLAY`, once there was one.
    display: Option<u32>,
    stage: Stage,
    /// When the latest ones ended.
    deaths: VecDeque<u64>,
    /// The window manager of a server that is gone: what it was about to transfer may
    /// still ask for it.
    dead: Option<X11Wm>,
    /// The windows in the order that the server was last told.
    stacking: Vec<u32>,
    /// There is a window on the backdrop.
    covered: bool,
}

/// The server, and how far it has come.
enum Stage {
    /// There is none and there will be none.
    Off,
    /// The next one starts at this time.
    Pause(u64),
    /// It was started and is not ready.
    Starting { server: Server, ready: RegistrationToken, until: u64 },
    /// It runs.
    Running { server: Server, wm: Box<X11Wm>, side: Box<Side> },
}

struct Server {
    /// Dropping it cuts the server off and removes its sockets.
    xwayland: XWayland,
    client: Client,
    pid: Option<i32>,
}

impl Xwayland {
    /// Nothing yet, but what an Xwayland may bind.
    pub fn new(display: &DisplayHandle) -> Self {
        Self {
            shell: XWaylandShellState::new::<State>(display),
            _grabs: XWaylandKeyboardGrabState::new::<State>(display),
            display: None,
            stage: Stage::Off,
            deaths: VecDeque::new(),
            dead: None,
            stacking: Vec::new(),
            covered: false,
        }
    }

    fn wm(&mut self) -> Option<&mut X11Wm> {
        match &mut self.stage {
            Stage::Running { wm, .. } => Some(wm),
            _ => None,
        }
    }

    fn side(&mut self) -> Option<&mut Side> {
        match &mut self.stage {
            Stage::Running { side, .. } => Some(side),
            _ => None,
        }
    }

    fn client(&self) -> Option<&Client> {
        match &self.stage {
            Stage::Running { server, .. } => Some(&server.client),
            _ => None,
        }
    }

    /// When [`State::work_on_x11`] has something to do.
    pub fn due(&self) -> Option<u64> {
        match self.stage {
            Stage::Pause(until) | Stage::Starting { until, .. } => Some(until),
            Stage::Off | Stage::Running { .. } => None,
        }
    }
}

impl State {
    /// Starts Xwayland, if there is one.
    pub fn start_xwayland(&mut self) {
        match self.try_start_xwayland() {
            Ok(()) => {}
            Err(error) => {
                tracing::warn!("X11 applications cannot run in this seat: {error:#}");
                self.set_x_display(None);
            }
        }
    }

    fn try_start_xwayland(&mut self) -> anyhow::Result<()> {
        let Some(real) = launcher::installed() else {
            anyhow::bail!("Xwayland is not installed; install the package xwayland");
        };
        make_socket_folder(Path::new(SOCKETS))?;
        let runtime = self.session.id();
        let path = launcher::prepare(Path::new(&runtime))?;
        let log = std::fs::File::create(Path::new(&runtime).join("xwayland.log"))?;
        let spawn = |display: Option<u32>| {
            let environment = [
                ("PATH".into(), path.clone()),
                ("XDG_RUNTIME_DIR".into(), runtime.clone().into()),
                (MARK.into(), runtime.clone().into()),
                (launcher::REAL.into(), real.clone().into_os_string()),
            ];
            let environment: [(std::ffi::OsString, std::ffi::OsString); 4] = environment;
            let log = log.try_clone()?;
            XWayland::spawn(&self.display, display, environment, true, Stdio::null(), log, |_| ())
        };
        let before = Session::children();
        // Applications that run know the old number; it may be taken meanwhile.
        let spawned = match self.xwayland.display {
            Some(number) => spawn(Some(number)).or_else(|_| spawn(None)),
            None => spawn(None),
        };
        let (xwayland, client) = spawned.context("start Xwayland")?;
        let pid = self.session.note_service(&before);
        self.set_x_display(Some(xwayland.display_number()));
        let fd = xwayland.poll_fd().try_clone_to_owned()?;
        let ready = self
            .handle
            .insert_source(Generic::new(fd, Interest::READ, Trigger::Level), |_, fd, state| {
                Ok(state.xwayland_speaks(fd))
            })
            .map_err(|error| anyhow!("watch Xwayland: {error}"))?;
        let server = Server { xwayland, client, pid };
        self.xwayland.stage = Stage::Starting { server, ready, until: self.now() + START };
        Ok(())
    }

    fn set_x_display(&mut self, display: Option<u32>) {
        self.xwayland.display = display;
        self.session.set_x_display(display);
    }

    /// Xwayland wrote that it is ready, or it ended: smithay tells these apart no better
    /// than by being asked again and again.
    fn xwayland_speaks(&mut self, fd: &impl std::os::fd::AsFd) -> PostAction {
        let Stage::Starting { server, .. } = &mut self.xwayland.stage else { return PostAction::Remove };
        match server.xwayland.take_socket() {
            Ok(Some(socket)) => {
                if let Err(error) = self.manage_x11(socket) {
                    tracing::warn!("X11 applications cannot run in this seat: {error:#}");
                    self.give_up_xwayland();
                }
                PostAction::Remove
            }
            Ok(None)
                if matches!(rustix::io::read(fd, &mut [0; 1]), Ok(1..) | Err(rustix::io::Errno::AGAIN)) =>
            {
                PostAction::Continue
            }
            _ => {
                tracing::warn!(
                    "X11 applications cannot run in this seat: Xwayland ended at once; see xwayland.log"
                );
                self.give_up_xwayland();
                PostAction::Remove
            }
        }
    }

    fn manage_x11(&mut self, socket: std::os::unix::net::UnixStream) -> anyhow::Result<()> {
        let stage = std::mem::replace(&mut self.xwayland.stage, Stage::Off);
        let Stage::Starting { server, .. } = stage else { return Ok(()) };
        let number = server.xwayland.display_number();
        let wm = X11Wm::start_wm(self.handle.clone(), socket, server.client.clone());
        let mut wm = wm.map_err(|error| anyhow!("manage its windows: {error}"))?;
        let (pixels, side_length, (x, y)) = crate::cursor::arrow();
        if let Err(error) = wm.set_cursor(&pixels, Size::from((side_length, side_length)), (x, y).into()) {
            tracing::debug!(%error, "the pointer of X11 windows stays as it is");
        }
        let side = match Side::connect(&self.handle, number) {
            Ok(side) => side,
            Err(error) => {
                // Its events are still in the loop, and ask for it.
                self.xwayland.dead = Some(wm);
                return Err(error.context("connect to it"));
            }
        };
        tracing::info!(display = number, "Xwayland is up");
        self.xwayland.stage = Stage::Running { server, wm: Box::new(wm), side: Box::new(side) };
        Ok(())
    }

    /// There is no Xwayland and there will be none.
    fn give_up_xwayland(&mut self) {
        self.drop_xwayland();
        self.set_x_display(None);
    }

    /// Forgets a server that is gone, and its windows.
    fn drop_xwayland(&mut self) {
        let server = match std::mem::replace(&mut self.xwayland.stage, Stage::Off) {
            Stage::Running { server, wm, side } => {
                self.xwayland.dead = Some(*wm);
                side.remove(&self.handle);
                server
            }
            Stage::Starting { server, ready, .. } => {
                self.handle.remove(ready);
                server
            }
            Stage::Off | Stage::Pause(_) => return,
        };
        if let Some(pid) = server.pid {
            self.session.forget_service(pid);
        }
        drop(server);
        self.xwayland.stacking.clear();
        let (gone, left) = std::mem::take(&mut self.windows.stack).into_iter().partition(|m| m.x11.is_some());
        self.windows.stack = left;
        let gone: Vec<Managed> = gone;
        self.listed.stale = true;
        for surface in gone.iter().filter_map(Managed::surface) {
            self.drop_drag(surface);
        }
        self.refocus();
        self.damage();
    }

    /// The connection to Xwayland broke: it died.
    fn xwayland_died(&mut self) {
        if !matches!(self.xwayland.stage, Stage::Running { .. }) {
            return;
        }
        self.drop_xwayland();
        let now = self.now();
        let deaths = &mut self.xwayland.deaths;
        deaths.retain(|then| now - then < WINDOW);
        deaths.push_back(now);
        if deaths.len() >= DEATHS {
            tracing::warn!("Xwayland ended {DEATHS} times within a minute: X11 applications cannot run");
            self.set_x_display(None);
            return;
        }
        tracing::warn!("Xwayland has ended, and its applications with it: it is started again");
        self.xwayland.stage = Stage::Pause(now + PAUSE);
    }

    /// Whatever is due, and whatever the X server does not know yet.
    pub fn work_on_x11(&mut self, now: u64) {
        match self.xwayland.stage {
            Stage::Off => return,
            Stage::Pause(until) if now >= until => {
                self.xwayland.stage = Stage::Off;
                self.start_xwayland();
            }
            Stage::Starting { until, .. } if now >= until => {
                tracing::warn!("X11 applications cannot run in this seat: Xwayland does not become ready");
                self.give_up_xwayland();
            }
            _ => {}
        }
        self.associate_windows();
        self.tell_x11();
    }
}

/// Makes the folder for the sockets of X servers, as `/tmp` is: bare machines lack it.
fn make_socket_folder(folder: &Path) -> anyhow::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    match std::fs::DirBuilder::new().mode(0o777).create(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        // Other users' X servers want to use it too, and must not remove our socket.
        made => made.and_then(|()| std::fs::set_permissions(folder, PermissionsExt::from_mode(0o1777))),
    }
    .with_context(|| format!("make {}", folder.display()))
}
