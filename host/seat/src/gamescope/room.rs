//! The loop's state of a seat with gamescope: who is there, what waits, and the end.

use std::path::PathBuf;
use std::time::Duration;

use calloop::channel::{Event as ChannelEvent, channel};
use calloop::generic::Generic;
use calloop::{Interest, LoopHandle, Mode as Trigger, PostAction, RegistrationToken};
use punktfunk_seat_ipc::{App, AppKind, LinkError, Mode, Ready, ToHost, ToSeat, VERSION};
use rustix::process::Signal;
use smithay::input::keyboard::XkbConfig;

use super::capture::Capture;
use super::ei::Injector;
use super::find::{self, Found};
use super::fit::Fit;
use super::other::Other;
use super::pictures::Nudge;
use super::sheets::Sheets;
use super::spawn::{Gamescope, Names};
use super::{Origin, monotonic};
use crate::keymap::Keymap;
use crate::launch::Session;
use crate::link::{self, Host, Served};
use crate::process;
use crate::seat::Options;

pub(super) const SECOND: u64 = 1_000_000_000;
/// gamescope must be ready by then: the host waits for a seat for 15 seconds.
const START: u64 = 12 * SECOND;
/// One that runs already has been looked for before, and has answered.
const ANSWER: u64 = START / 2;
/// The application must have ended by then, after it was told to.
const PATIENCE: u64 = 5 * SECOND;
/// And gamescope after it.
const SHORT_PATIENCE: u64 = 2 * SECOND;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// The application was told to end.
    App(u64),
    /// gamescope was told to end.
    Compositor(u64),
    /// Nothing is left to wait for.
    Over,
}

/// All there is.
pub struct Room {
    pub(super) handle: LoopHandle<'static, Room>,
    options: Options,
    pub(super) mode: Mode,
    session: Session,
    pub(super) host: Option<Host>,
    pub(super) viewer: bool,
    gamescope: Option<Gamescope>,
    /// The one that runs already, in place of ours.
    pub(super) other: Option<Other>,
    /// Where its sockets and the picture's PipeWire are.
    socket: PathBuf,
    pub(super) pipewire: PathBuf,
    pub(super) names: Option<Names>,
    /// Counts the gamescopes that were started.
    attempt: u32,
    /// It must be ready then.
    start_by: Option<u64>,
    pub(super) up: bool,
    /// Pictures may come.
    pub(super) streaming: bool,
    pub(super) capture: Option<(Capture, Vec<RegistrationToken>)>,
    pub(super) injector: Option<(Injector, RegistrationToken)>,
    readiness: Option<RegistrationToken>,
    /// The size of gamescope's picture, and how it lies in the screen.
    pub(super) source: Option<(u32, u32)>,
    pub(super) fit: Option<Fit>,
    pub(super) sheets: Option<Sheets>,
    pub(super) nudge: Option<Nudge>,
    pub(super) generation: u32,
    pub(super) sequence: u64,
    orphan_since: Option<u64>,
    ending: Option<Ending>,
    failure: Option<String>,
    /// A part of gamescope is gone, and why that ends the seat at this time: its process
    /// may be about to end, and that says more.
    lost: Option<(String, u64)>,
}

impl Room {
    pub fn new(handle: LoopHandle<'static, Self>, options: Options, session: Session) -> Self {
        let (pipewire, _) = session.sound();
        Self {
            handle,
            mode: options.mode,
            session,
            host: None,
            viewer: false,
            gamescope: None,
            other: None,
            socket: PathBuf::new(),
            pipewire: pipewire.into(),
            names: None,
            attempt: 0,
            start_by: None,
            up: false,
            streaming: false,
            capture: None,
            injector: None,
            readiness: None,
            source: None,
            fit: None,
            sheets: None,
            nudge: None,
            generation: 0,
            sequence: 0,
            orphan_since: Some(monotonic()),
            ending: None,
            failure: None,
            lost: None,
            options,
        }
    }

    /// Starts gamescope, or asks the one that runs.
    pub fn open(&mut self, origin: Origin) {
        match origin {
            Origin::Own if self.pipewire.as_os_str().is_empty() => {
                self.fail("gamescope sends its picture by PipeWire, which did not start: install pipewire and wireplumber".to_owned());
            }
            Origin::Own => self.start(),
            Origin::Other(running) => {
                let name = running.socket.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let display = std::env::var("DISPLAY").unwrap_or_default();
                let socket = running.socket.clone();
                self.pipewire.clone_from(&running.pipewire);
                self.watch_end(running);
                self.start_by = Some(monotonic() + ANSWER);
                self.attempt += 1;
                self.meet(Names { x11: display, wayland: name }, socket);
            }
        }
    }

    pub fn is_over(&self) -> bool {
        self.ending == Some(Ending::Over)
    }

    /// Ends what is left; why the seat failed, if it did.
    pub fn end(mut self) -> Option<String> {
        self.close();
        if let Some(mut gamescope) = self.gamescope.take() {
            gamescope.kill();
        }
        self.session.end();
        self.failure
    }

    pub fn next_deadline(&self) -> Option<u64> {
        let ending = match self.ending {
            // Somebody who ends without being our child is looked for.
            Some(Ending::App(until) | Ending::Compositor(until)) => {
                Some(until.min(monotonic() + SECOND / 20))
            }
            _ => None,
        };
        let timeout = u64::try_from(self.options.orphan_timeout.as_nanos()).unwrap_or(u64::MAX);
        let orphan = self.orphan_since.map(|since| since.saturating_add(timeout));
        let lost = self.lost.as_ref().map(|(_, at)| *at);
        let nudge = self.nudge.map(|nudge| nudge.at);
        [ending, orphan, self.start_by, lost, nudge].into_iter().flatten().min()
    }

    /// Whatever has become due.
    pub fn work(&mut self) {
        let now = monotonic();
        let timeout = u64::try_from(self.options.orphan_timeout.as_nanos()).unwrap_or(u64::MAX);
        if self.orphan_since.is_some_and(|since| now >= since.saturating_add(timeout)) {
            tracing::info!("no host came back: the seat ends");
            self.orphan_since = None;
            self.quit();
        }
        let is_late = self.start_by.is_some_and(|by| now >= by) && self.ending.is_none();
        if is_late && self.other.is_some() {
            self.fail(
                "gamescope does not answer any more: it hangs, so end it and start it again".to_owned(),
            );
        } else if is_late {
            let said = self.gamescope.as_ref().map(Gamescope::last_words).unwrap_or_default();
            self.fail(format!(
                "gamescope was not ready within 12 seconds: look at gamescope.log of the seat, which ends with: {said}"
            ));
        }
        if let Some((why, _)) = self.lost.take_if(|(_, at)| now >= *at) {
            self.fail(why);
        }
        self.work_on_nudge(now);
        self.work_on_end(now);
    }

    pub(super) fn lose(&mut self, why: String) {
        self.lost.get_or_insert((why, monotonic() + SECOND));
    }

    /// Something that was started has ended.
    pub fn children_ended(&mut self) {
        if let Some(status) = self.gamescope.as_mut().and_then(Gamescope::ended) {
            let said = self.gamescope.as_ref().map(Gamescope::last_words).unwrap_or_default();
            self.drop_gamescope();
            if self.ending.is_none() {
                let when = if self.up { "has ended" } else { "ended while it was starting" };
                self.fail(format!("gamescope {when} ({status}); its last words: {said}"));
            }
        }
        if let Some(exit) = self.session.reap() {
            tracing::info!(?exit, "the application has ended");
            link::tell(self, &ToHost::AppExited(exit));
        }
    }

    /// True from when the seat is to end.
    pub(super) fn is_ending(&self) -> bool {
        self.ending.is_some()
    }

    /// Begins to end the application and the seat.
    pub fn quit(&mut self) {
        if self.ending.is_none() {
            tracing::info!("the seat was told to end");
            self.session.signal(Signal::TERM);
            self.ending = Some(Ending::App(monotonic() + PATIENCE));
        }
    }

    fn work_on_end(&mut self, now: u64) {
        let Some(ending) = self.ending else { return };
        self.children_ended();
        match ending {
            Ending::App(until) => {
                let living = self.session.living();
                if !living.is_empty() && now < until {
                    return;
                }
                self.session.signal(Signal::KILL);
                if let Some(gamescope) = &self.gamescope {
                    process::signal(gamescope.pid(), Signal::TERM);
                }
                self.ending = Some(Ending::Compositor(now + SHORT_PATIENCE));
            }
            Ending::Compositor(until) if self.gamescope.is_none() || now >= until => {
                self.ending = Some(Ending::Over);
            }
            _ => {}
        }
    }

    /// Nothing can be shown any more, or never could: a person is told, and the seat ends.
    pub(super) fn fail(&mut self, why: String) {
        if self.failure.is_some() || self.ending.is_some() {
            return;
        }
        tracing::error!("{why}");
        link::tell(self, &ToHost::Error(why.clone()));
        self.failure = Some(why);
        self.start_by = None;
        self.quit();
    }

    pub(super) fn notice(&mut self, text: String) {
        tracing::warn!("{text}");
        link::tell(self, &ToHost::Error(text));
    }

    fn start(&mut self) {
        self.attempt += 1;
        self.up = false;
        self.session.set_surroundings(Vec::new());
        let (directory, session) = (&self.options.runtime_dir, &self.session);
        let prepare = |command: &mut std::process::Command| session.environment(command, None);
        let mut gamescope = match Gamescope::start(directory, self.mode, &self.options.layout, prepare) {
            Ok(gamescope) => gamescope,
            Err(error) => return self.fail(error.to_string()),
        };
        self.session.add_service(gamescope.pid());
        self.start_by = Some(monotonic() + START);
        let pipe = match rustix::io::fcntl_dupfd_cloexec(gamescope.ready(), 0) {
            Ok(pipe) => pipe,
            Err(error) => return self.fail(format!("watch gamescope: {error}")),
        };
        self.gamescope = Some(gamescope);
        let source = Generic::new(pipe, Interest::READ, Trigger::Level);
        let watched = self.handle.insert_source(source, |_, _, room: &mut Self| {
            room.hear_readiness();
            Ok(PostAction::Continue)
        });
        match watched {
            Ok(token) => self.readiness = Some(token),
            Err(error) => self.fail(format!("watch gamescope: {error}")),
        }
    }

    fn hear_readiness(&mut self) {
        let Some(gamescope) = &mut self.gamescope else { return };
        let read = gamescope.ready().read();
        if matches!(read, Ok(None)) && !gamescope.ready().is_closed() {
            return;
        }
        if let Some(token) = self.readiness.take() {
            self.handle.remove(token);
        }
        match read {
            Ok(Some(names)) => {
                let socket = self.options.runtime_dir.join(&names.wayland);
                self.meet(names, socket);
            }
            // Its end, which is told by itself, or the deadline follows.
            Ok(None) => {}
            Err(error) => self.fail(error.to_string()),
        }
    }

    /// It has named itself: now it is asked for its node and its input.
    fn meet(&mut self, names: Names, socket: PathBuf) {
        tracing::debug!(?names, "gamescope has named itself");
        let (sender, receiver) = channel::<Found>();
        let inserted = self.handle.insert_source(receiver, |event, (), room: &mut Self| {
            if let ChannelEvent::Msg(found) = event {
                room.found(found);
            }
        });
        if let Err(error) = inserted {
            return self.fail(format!("watch gamescope: {error}"));
        }
        let started = find::start(socket.clone(), self.attempt, Duration::from_nanos(START), move |found| {
            // Fails only when the seat has ended.
            let _ = sender.send(found);
        });
        (self.names, self.socket) = (Some(names), socket);
        if let Err(error) = started {
            self.fail(format!("ask gamescope: {error}"));
        }
    }

    fn found(&mut self, found: Found) {
        if found.attempt != self.attempt || self.ending.is_some() {
            return;
        }
        let node = match found.node {
            Ok(node) => node,
            Err(error) => return self.fail(error.to_string()),
        };
        let made = match found.input {
            Ok(made) => made,
            Err(error) => return self.fail(error.to_string()),
        };
        if let Err(error) = self.watch_picture(node.number).and_then(|()| self.watch_input(made)) {
            return self.fail(format!("{error:#}"));
        }
        self.surround();
        self.start_by = None;
        self.up = true;
        tracing::info!(node = node.number, mode = ?self.mode, "the seat is up");
        link::become_ready(self);
        self.expect_picture();
    }

    fn watch_input(&mut self, made: super::ei::Handshaken) -> anyhow::Result<()> {
        let layout = &self.options.layout;
        let keymap = Keymap::new(XkbConfig {
            layout: &layout.layout,
            variant: &layout.variant,
            options: (!layout.options.is_empty()).then(|| layout.options.clone()),
            ..XkbConfig::default()
        });
        let injector =
            Injector::new(made, self.source.unwrap_or((self.mode.width, self.mode.height)), keymap);
        let source = Generic::new(injector.watch()?, Interest::READ, Trigger::Level);
        let token = self.handle.insert_source(source, |_, _, room: &mut Self| {
            room.with_injector(Injector::hear);
            Ok(PostAction::Continue)
        });
        let token = token.map_err(|error| anyhow::anyhow!("watch EIS: {error}"))?;
        self.injector = Some((injector, token));
        // What came along with the handshake.
        self.with_injector(Injector::hear);
        Ok(())
    }

    /// Applications find gamescope's displays.
    fn surround(&mut self) {
        let Some(names) = &self.names else { return };
        let own = self.gamescope.is_some();
        let some = |text: &str| Some(text.to_owned());
        let mut variables = vec![
            ("DISPLAY", some(&names.x11)),
            ("WAYLAND_DISPLAY", None),
            ("GAMESCOPE_WAYLAND_DISPLAY", some(&names.wayland)),
            ("LIBEI_SOCKET", Some(format!("{}-ei", self.socket.display()))),
            ("XDG_SESSION_TYPE", some("x11")),
            ("XDG_CURRENT_DESKTOP", some("gamescope")),
            ("QT_QPA_PLATFORM", some("xcb")),
            ("ELECTRON_OZONE_PLATFORM_HINT", some("x11")),
        ];
        if !own {
            let runtime = self.socket.parent().map(|path| path.to_string_lossy().into_owned());
            variables.push(("XDG_RUNTIME_DIR", runtime));
            variables.push(("PIPEWIRE_REMOTE", Some(self.pipewire.to_string_lossy().into_owned())));
        }
        self.session.set_surroundings(variables);
    }

    /// Starts our own gamescope again, for another mode, while no application runs; false
    /// when one does.
    pub(super) fn restart(&mut self) -> bool {
        if self.gamescope.is_none() || self.session.app_pid().is_some() || self.ending.is_some() {
            return false;
        }
        tracing::info!(mode = ?self.mode, "gamescope starts again for another mode");
        self.drop_gamescope_now();
        self.start();
        true
    }

    fn launch(&mut self, app: &App) {
        let mut app = app.clone();
        let started = match app.kind {
            AppKind::Desktop if self.other.is_some() => return self.show_other(),
            AppKind::Desktop => Err(anyhow::anyhow!(
                "gamescope shows one application and no desktop: start an application, or choose punktfunk's own compositor"
            )),
            AppKind::TestCard => {
                // It knows Wayland only.
                app.env.push(("WAYLAND_DISPLAY".to_owned(), self.socket.to_string_lossy().into_owned()));
                self.session.launch(&app, self.mode)
            }
            _ => self.session.launch(&app, self.mode),
        };
        match started {
            Ok(pid) => {
                tracing::info!(pid, name = app.name, "the application was started");
                link::tell(self, &ToHost::AppStarted { pid });
            }
            Err(error) => self.notice(format!("{} could not be started: {error:#}", app.name)),
        }
    }

    pub(super) fn with_injector(
        &mut self,
        act: impl FnOnce(&mut Injector) -> Result<(), super::ei::EiError>,
    ) {
        let Some((injector, _)) = &mut self.injector else { return };
        if let Err(error) = act(injector) {
            if let Some((_, token)) = self.injector.take() {
                self.handle.remove(token);
            }
            self.lose(error.to_string());
        }
    }

    fn attended(&mut self, host: bool, viewer: bool) {
        self.orphan_since = (!host).then(monotonic);
        self.viewer = host && viewer;
        if !self.viewer {
            self.with_injector(|injector| {
                injector.release_all();
                injector.flush()
            });
        }
        self.publish();
        self.expect_picture();
    }

    /// Lets go of everything that leads to gamescope.
    fn close(&mut self) {
        (self.lost, self.nudge, self.streaming) = (None, None, false);
        let mut tokens = self.capture.take().map(|(_, tokens)| tokens).unwrap_or_default();
        tokens.extend(self.injector.take().map(|(_, token)| token));
        tokens.extend(self.readiness.take());
        tokens.into_iter().for_each(|token| self.handle.remove(token));
    }

    fn drop_gamescope(&mut self) {
        self.close();
        if let Some(gamescope) = self.gamescope.take() {
            self.session.forget_service(gamescope.pid());
        }
    }

    fn drop_gamescope_now(&mut self) {
        if let Some(gamescope) = &mut self.gamescope {
            gamescope.kill();
            // Killed, it left its sockets, which would be in the way of the next one.
            for end in ["", ".lock", "-ei", "-ei.lock"] {
                let _ = std::fs::remove_file(format!("{}{end}", self.socket.display()));
            }
        }
        self.drop_gamescope();
    }
}

impl Served for Room {
    fn loop_handle(&self) -> LoopHandle<'static, Self> {
        self.handle.clone()
    }

    fn host(&mut self) -> &mut Option<Host> {
        &mut self.host
    }

    fn ready(&self) -> Option<Ready> {
        let (pipewire_remote, pulse_server) = match (self.options.sound, &self.other) {
            (None, _) => Default::default(),
            // What is heard there, by whoever asks its server.
            (Some(_), Some(_)) => (self.pipewire.to_string_lossy().into_owned(), String::new()),
            (Some(_), None) => self.session.sound(),
        };
        let names = self.names.as_ref().filter(|_| self.up)?;
        Some(Ready {
            version: VERSION,
            wayland_display: names.wayland.clone(),
            pipewire_remote,
            pulse_server,
        })
    }

    fn app_pid(&self) -> Option<u32> {
        self.other.as_ref().and_then(Other::shown).or_else(|| self.session.app_pid())
    }

    fn greeted(&mut self) -> Result<(), LinkError> {
        if let Some(sheets) = &self.sheets {
            self.generation += 1;
            let renewed = sheets.renewed(self.generation)?;
            self.sheets = Some(renewed);
        }
        self.introduce();
        self.attended(true, true);
        Ok(())
    }

    fn obey(&mut self, message: ToSeat) {
        match message {
            ToSeat::SetMode(mode) => self.set_mode(mode),
            ToSeat::Launch(app) => self.launch(&app),
            ToSeat::Input(event) => {
                let event = self.fit.as_ref().map_or(event, |fit| fit.event(event));
                self.with_injector(|injector| injector.input(event));
            }
            ToSeat::ReleaseFrame { generation, buffer } => {
                let waited = self.sheets.as_mut().is_some_and(|sheets| sheets.release(generation, buffer));
                if waited {
                    self.take_picture();
                }
            }
            ToSeat::SetViewer(viewer) => {
                // Whoever looks now, or looks anew, must not wait for what is drawn next.
                if let Some(sheets) = self.sheets.as_mut().filter(|_| viewer) {
                    sheets.again();
                }
                self.attended(true, viewer);
            }
            ToSeat::Quit => self.quit(),
            // What gamescope has no place for: a text over the picture, another layout.
            other => tracing::info!(?other, "gamescope cannot do that"),
        }
    }

    fn left(&mut self) {
        self.attended(false, false);
    }
}
