//! The host's side of a seat: start or find its process, talk to it, take its frames.
//!
//! [`Seat`] is a handle for any thread; [`SeatEvents`] is for the one thread that
//! takes frames. A thread of its own reads the connection, so that the newest frame
//! replaces one that nobody has taken yet and its buffer goes back at once.

use std::collections::VecDeque;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use punktfunk_core::input;
use punktfunk_seat_ipc::host::{Event, Frame, SeatLink, Sender, Sending};
use punktfunk_seat_ipc::{App, Exit, Keymap, LinkError, Mode, Ready, ToSeat};

use super::spawn::{Started, io};
use crate::platform::WriteError;

/// How long a seat may take until it answers.
const START_DEADLINE: Duration = Duration::from_secs(15);
/// How long a seat that has hung up may take to end.
const END_DEADLINE: Duration = Duration::from_secs(3);
/// The seat's own patience (5 s to close, 5 s to terminate) and some more.
const QUIT_DEADLINE: Duration = Duration::from_secs(13);
/// A seat that has not even taken the request by then hangs, with input before it.
const HEARD_DEADLINE: Duration = Duration::from_secs(2);
/// How often the reader looks whether anybody still wants its events.
const LOOK: Duration = Duration::from_millis(250);
/// Events besides frames that may wait; the oldest is dropped.
const EVENTS: usize = 64;

/// Why there is no seat.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DisplayError {
    /// Its directory or log could not be made, or its program not be started.
    #[error("cannot {what} {path}: {error}", path = path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// It ended while it started.
    #[error("the seat ended at once ({status}): {log}")]
    Ended {
        /// Its exit status.
        status: String,
        /// What it last said.
        log: String,
    },
    /// It did not answer in time.
    #[error("the seat did not answer in time; its log is {path}", path = log.display())]
    Silent {
        /// Where it writes.
        log: PathBuf,
    },
    /// Its record could not be written.
    #[error("{}: {error}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// What failed.
        error: WriteError,
    },
    /// The connection failed.
    #[error("the connection to the seat failed: {0}")]
    Link(#[from] LinkError),
}

impl DisplayError {
    /// True when nobody listens there: the seat has ended.
    pub fn is_gone(&self) -> bool {
        use rustix::io::Errno;
        matches!(
            self,
            Self::Link(
                LinkError::Closed | LinkError::System { error: Errno::NOENT | Errno::CONNREFUSED, .. }
            )
        )
    }
}

/// Who draws the screen of a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Screen {
    /// The seat itself.
    Own,
    /// A gamescope without a screen, started for the seat.
    Gamescope,
    /// The gamescope that runs in the session of this host's user. It is the application.
    Session,
}

/// What a new seat should be.
#[derive(Clone, Debug)]
pub struct SeatSpec {
    /// The client's name: applications see it as the model of the screen.
    pub name: String,
    /// A directory for its sockets, private to the user. Keep it short: the path of a
    /// socket must not exceed 107 bytes.
    pub runtime_dir: PathBuf,
    /// The program `punktfunk-seat`.
    pub program: PathBuf,
    /// Who draws it.
    pub screen: Screen,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Frames a second.
    pub fps: u32,
    /// Channels of the seat's sink: 2, 6 or 8.
    pub channels: u8,
    /// Keyboard layout; an empty layout means `us`.
    pub layout: Keymap,
}

/// What happened in a seat.
#[derive(Debug)]
#[non_exhaustive]
pub enum SeatEvent {
    /// The newest picture. Drop it soon: there are few buffers.
    Frame(Frame),
    /// The application was started; its first process.
    AppStarted(u32),
    /// Every process of the application has ended.
    AppExited(Exit),
    /// Something a person should read, for example why an application did not start.
    Error(String),
    /// The seat is gone: nothing more will come.
    Gone,
    /// Nothing happened in time.
    Timeout,
}

#[derive(Debug, Default)]
struct Inbox {
    frame: Option<Frame>,
    events: VecDeque<SeatEvent>,
    gone: bool,
    /// Nobody takes events any more.
    closed: bool,
}

#[derive(Debug, Default)]
struct Shared {
    inbox: Mutex<Inbox>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inbox> {
        // An inbox is whole between any two statements, so a panic elsewhere spoils nothing.
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct Handle {
    sender: Sender,
    ready: Ready,
    pid: i32,
    shared: Arc<Shared>,
}

/// A running seat. Clones speak to the same one; dropping them leaves it running.
#[derive(Clone, Debug)]
pub struct Seat(Arc<Handle>);

impl Seat {
    /// Starts a seat and waits until it is up. It lives on when this process ends.
    pub fn start(spec: &SeatSpec) -> Result<(Self, SeatEvents), DisplayError> {
        let directory = &spec.runtime_dir;
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(io("make", directory))?;
        let log = directory.join("seat.log");
        let mut started = Started::start(spec, &log)?;
        let deadline = Instant::now() + START_DEADLINE;
        let link = loop {
            // The seat listens a moment after its start: there is nothing to wait on.
            match SeatLink::connect(directory) {
                Ok(link) => break link,
                Err(_) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(10)),
                Err(_) => {
                    started.kill();
                    return Err(DisplayError::Silent { log });
                }
            }
            if let Some(status) = started.ended() {
                return Err(DisplayError::Ended { status, log: tail(&log) });
            }
        };
        match Self::open(link, deadline) {
            Ok(opened) => {
                started.release();
                Ok(opened)
            }
            // It listened, and then found out that it cannot be what was asked for.
            Err(error) if error.is_gone() => {
                let status = match started.end_by(Instant::now() + END_DEADLINE) {
                    Some(status) => status,
                    None => {
                        started.kill();
                        error.to_string()
                    }
                };
                Err(DisplayError::Ended { status, log: tail(&log) })
            }
            Err(error) => {
                started.kill();
                Err(if matches!(error, DisplayError::Silent { .. }) {
                    DisplayError::Silent { log }
                } else {
                    error
                })
            }
        }
    }

    /// Connects to a seat that lives already, for example from before a restart. One
    /// that does not answer within `patience` may be hung.
    pub fn attach(runtime_dir: &Path, patience: Duration) -> Result<(Self, SeatEvents), DisplayError> {
        let deadline = Instant::now() + patience;
        let link = SeatLink::connect(runtime_dir)?;
        Self::open(link, deadline).map_err(|error| match error {
            DisplayError::Silent { .. } => DisplayError::Silent { log: runtime_dir.join("seat.log") },
            error => error,
        })
    }

    fn open(mut link: SeatLink, deadline: Instant) -> Result<(Self, SeatEvents), DisplayError> {
        let ready = loop {
            match link.next_event(deadline.saturating_duration_since(Instant::now()))? {
                Some(Event::Ready(ready)) => break ready,
                Some(_) => {}
                None => return Err(DisplayError::Silent { log: PathBuf::new() }),
            }
        };
        let (sender, pid, shared) = (link.sender(), link.pid()?, Arc::new(Shared::default()));
        let inbox = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("punktfunk-frames".to_owned())
            .spawn(move || read(link, &inbox))
            .map_err(|error| DisplayError::Io {
                what: "start a thread for",
                path: "the seat".into(),
                error,
            })?;
        let seat = Self(Arc::new(Handle { sender, ready, pid, shared: Arc::clone(&shared) }));
        Ok((seat, SeatEvents(shared)))
    }

    /// Starts an application; [`SeatEvent::AppStarted`] or [`SeatEvent::Error`] follows.
    pub fn launch(&self, app: App) -> Result<(), DisplayError> {
        Ok(self.0.sender.send(&ToSeat::Launch(app))?)
    }

    /// Carries out input. Never waits, also for a seat that hangs.
    pub fn input(&self, event: &input::Event) -> Result<(), DisplayError> {
        if self.0.sender.input(event)? == Sending::Overflow {
            tracing::warn!(pid = self.0.pid, "the seat does not take its input: everything held is released");
        }
        Ok(())
    }

    /// Changes the screen. Frames of the new size follow.
    pub fn set_mode(&self, width: u32, height: u32, fps: u32) -> Result<(), DisplayError> {
        let mode = Mode { width, height, refresh_num: fps, refresh_den: 1 };
        Ok(self.0.sender.send(&ToSeat::SetMode(mode))?)
    }

    /// Changes the keyboard layout.
    pub fn set_keymap(&self, keymap: Keymap) -> Result<(), DisplayError> {
        Ok(self.0.sender.send(&ToSeat::Keymap(keymap))?)
    }

    /// Shows a text for some seconds, above everything and in nobody's way. What is
    /// longer than [`punktfunk_seat_ipc::MAX_TEXT`] characters is cut.
    pub fn message(&self, text: &str) -> Result<(), DisplayError> {
        let text = text.chars().take(punktfunk_seat_ipc::MAX_TEXT).collect();
        Ok(self.0.sender.send(&ToSeat::Message(text))?)
    }

    /// Whether anybody watches. Without a viewer the application runs on slowly and no
    /// frames come; with one the next frame is whole.
    pub fn set_viewer(&self, attached: bool) -> Result<(), DisplayError> {
        Ok(self.0.sender.send(&ToSeat::SetViewer(attached))?)
    }

    /// The socket of the seat's PipeWire; `None` when it has no sound.
    pub fn pipewire_remote(&self) -> Option<&Path> {
        let path = &self.0.ready.pipewire_remote;
        (!path.is_empty()).then(|| Path::new(path))
    }

    /// `PULSE_SERVER` of the seat; `None` when it has no sound.
    pub fn pulse_server(&self) -> Option<&str> {
        let server = &self.0.ready.pulse_server;
        (!server.is_empty()).then_some(server)
    }

    /// The process id of the seat.
    pub fn pid(&self) -> i32 {
        self.0.pid
    }

    /// True while the seat lives and is connected.
    pub fn is_alive(&self) -> bool {
        !self.0.shared.lock().gone
    }

    /// Ends the application and the seat: first politely, then not. Returns when the
    /// seat is gone, after 15 s at the latest; one that hangs with its socket full is not
    /// waited for.
    pub fn quit(&self) {
        if self.0.sender.send(&ToSeat::Quit).is_ok() {
            let is_gone = self.wait_gone(HEARD_DEADLINE);
            let hears = is_gone || self.0.sender.is_waiting().is_ok_and(|waiting| !waiting);
            if hears && (is_gone || self.wait_gone(QUIT_DEADLINE - HEARD_DEADLINE)) {
                return;
            }
        }
        if !self.is_alive() {
            return;
        }
        tracing::warn!(pid = self.0.pid, "the seat did not end when told to: it is killed");
        if let Some(pid) = rustix::process::Pid::from_raw(self.0.pid).filter(|_| self.0.pid > 1) {
            // The guard beside the seat ends what ran in it.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        self.wait_gone(Duration::from_secs(2));
    }

    fn wait_gone(&self, patience: Duration) -> bool {
        let inbox = self.0.shared.lock();
        let waited = self.0.shared.changed.wait_timeout_while(inbox, patience, |inbox| !inbox.gone);
        waited.unwrap_or_else(PoisonError::into_inner).0.gone
    }
}

/// What happens in a seat, in order; of frames only the newest.
#[derive(Debug)]
pub struct SeatEvents(Arc<Shared>);

impl SeatEvents {
    /// Waits for something to happen, at most `timeout`.
    pub fn next(&self, timeout: Duration) -> SeatEvent {
        let idle = |inbox: &mut Inbox| inbox.frame.is_none() && inbox.events.is_empty() && !inbox.gone;
        let waited = self.0.changed.wait_timeout_while(self.0.lock(), timeout, idle);
        let mut inbox = waited.unwrap_or_else(PoisonError::into_inner).0;
        if let Some(event) = inbox.events.pop_front() {
            return event;
        }
        match inbox.frame.take() {
            Some(frame) => SeatEvent::Frame(frame),
            None if inbox.gone => SeatEvent::Gone,
            None => SeatEvent::Timeout,
        }
    }
}

impl Drop for SeatEvents {
    fn drop(&mut self) {
        let frame = {
            let mut inbox = self.0.lock();
            inbox.closed = true;
            inbox.frame.take()
        };
        drop(frame);
    }
}

/// Reads until the seat is gone.
fn read(mut link: SeatLink, shared: &Shared) {
    loop {
        let event = match link.next_event(LOOK) {
            Ok(Some(event)) => event,
            Ok(None) => continue,
            Err(error) => {
                tracing::debug!(%error, "the seat is gone");
                shared.lock().gone = true;
                shared.changed.notify_all();
                return;
            }
        };
        // A replaced frame tells the seat on drop: not while the lock is held.
        let replaced = put(&mut shared.lock(), event);
        shared.changed.notify_all();
        drop(replaced);
    }
}

fn put(inbox: &mut Inbox, event: Event) -> Option<Frame> {
    let event = match event {
        Event::Frame(frame) if inbox.closed => return Some(frame),
        Event::Frame(mut frame) => {
            let old = inbox.frame.take();
            if let Some(old) = &old {
                frame.absorb(old);
            }
            inbox.frame = Some(frame);
            return old;
        }
        Event::AppStarted { pid } => SeatEvent::AppStarted(pid),
        Event::AppExited(exit) => SeatEvent::AppExited(exit),
        Event::Error(text) => SeatEvent::Error(text),
        _ => return None,
    };
    if inbox.events.len() >= EVENTS {
        inbox.events.pop_front();
    }
    inbox.events.push_back(event);
    None
}

/// The last lines of a log.
fn tail(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let mut lines: Vec<_> = text.lines().rev().take(4).collect();
    // Its last line says why, where it could still say so.
    if let Some(why) = lines.first().and_then(|last| last.strip_prefix("punktfunk-seat: ")) {
        return why.to_owned();
    }
    lines.reverse();
    lines.join(" | ")
}
