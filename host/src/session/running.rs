//! A seat with the application on it, from launch to quit. It outlives the streams
//! that show it, and the host: its record lets the next host find it again.
//!
//! The thread `punktfunk-capture` lives as long as the seat: it moves frames into
//! the slot of whatever stream is attached and reports the application's end.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use punktfunk_core::input::{self, pad};
use punktfunk_core::native::wire;
use punktfunk_seat_ipc as ipc;

use super::hands::Hands;
use super::messages::{Ended, OnPanic, Shot};
use super::plan::Guest;
use super::slots::Latest;
use super::stream::Stream;
use super::{ClientId, LaunchError, Mode, Program, SessionId, Voice};
use crate::audio;
use crate::config::{AppKind, Compositor, Keyboard};
use crate::display::{DisplayError, Record, Screen, Seat, SeatEvent, SeatEvents, SeatSpec, new_directory};
use crate::input::Pads;

/// The longest wait for an application's first process.
const APP_START: Duration = Duration::from_secs(10);
/// How long a seat from before a restart may take to answer.
const FOUND_AGAIN: Duration = Duration::from_secs(10);
/// A seat that has an application says so in its greeting.
const APP_THERE: Duration = Duration::from_secs(2);

/// How seats are made.
#[derive(Clone, Debug)]
pub struct SeatSettings {
    /// The program `punktfunk-seat`.
    pub program: PathBuf,
    /// Seats get a directory of their own below this one.
    pub runtime_dir: PathBuf,
    /// Tells the seats of this host from those of others in the same directory.
    pub owner: String,
    /// What the keys give.
    pub keyboard: Keyboard,
    /// Who draws the screen of what is not the desktop.
    pub compositor: Compositor,
}

/// The slot of the stream that is attached now.
type Relay = Arc<Mutex<Option<Arc<Latest<Shot>>>>>;

/// What a seat works with besides itself.
pub(super) struct Surroundings {
    /// The seat's number of the table.
    pub id: u64,
    /// What a native client may come back by.
    pub resume: wire::SessionId,
    pub ended: Sender<Ended>,
}

/// Whom feedback of the pads goes to: the stream that is attached now.
type Listener = Arc<Mutex<Option<(SessionId, Arc<dyn Voice>)>>>;

pub(super) struct Running {
    seat: Seat,
    hands: Hands,
    pads: Pads,
    /// Of the seat's sockets and logs.
    directory: PathBuf,
    record: Mutex<Record>,
    is_of_session: bool,
    /// `None` when it is not known, after a restart.
    mode: Mutex<Option<Mode>>,
    relay: Relay,
    listener: Listener,
    capture: Mutex<Option<JoinHandle<()>>>,
}

impl Running {
    /// Starts a seat at the client's mode and the application on it.
    pub fn start(
        settings: &SeatSettings,
        app: &Program,
        guest: &Guest<'_>,
        around: Surroundings,
    ) -> Result<Self, LaunchError> {
        let failed = |what: &str, error: &dyn std::fmt::Display| {
            LaunchError::Failed(format!("{what} could not be started: {error}"))
        };
        let directory = new_directory(&settings.runtime_dir).map_err(|error| failed("the screen", &error))?;
        let mut record =
            Record::new(&settings.owner, &guest.client.0, guest.name, (app.id, &app.title), around.resume.0);
        let screen = screen_of(settings.compositor, &app.kind);
        record.is_of_session = screen == Screen::Session;
        let spec = SeatSpec {
            program: settings.program.clone(),
            screen,
            name: guest.name.to_owned(),
            runtime_dir: directory.clone(),
            width: guest.mode.width,
            height: guest.mode.height,
            fps: guest.mode.fps,
            channels: guest.channels,
            layout: keymap(&settings.keyboard),
        };
        // Before the seat starts: from then on somebody must be able to find it.
        let opened = record.save(&directory).and_then(|()| Seat::start(&spec));
        let (seat, events) = opened.map_err(|error| {
            remove(&directory);
            match error {
                // It says itself what is missing there.
                DisplayError::Ended { log, .. } if screen == Screen::Session => {
                    LaunchError::Failed(format!("{} cannot be shown: {log}", app.title))
                }
                error => failed("the screen", &error),
            }
        })?;
        let launched = seat.launch(to_seat(app)).map_err(|error| error.to_string());
        let running = launched.and_then(|()| wait_for_app(&events)).and_then(|()| {
            record.is_running = true;
            record.save(&directory).map_err(|error| error.to_string())?;
            Self::around(seat.clone(), events, &directory, record, Some(guest.mode), around)
                .map_err(|error| error.to_string())
        });
        running.map_err(|error| {
            seat.quit();
            remove(&directory);
            // What the seat says names the application already.
            if error.starts_with(&app.title) {
                LaunchError::Failed(error)
            } else {
                failed(&app.title, &error)
            }
        })
    }

    /// Takes over a seat that a host before this one started. `None` when there is
    /// none any more, or no application in it; then nothing of it is left.
    pub fn find_again(directory: &Path, record: Record, around: Surroundings) -> Option<Self> {
        let (seat, events) = match Seat::attach(directory, FOUND_AGAIN) {
            Ok(found) => found,
            Err(error) if error.is_gone() => {
                tracing::info!(app = record.title, "its seat ended while there was no host");
                remove(directory);
                return None;
            }
            Err(error) => {
                // It ends by itself when no host comes back to it.
                tracing::warn!(%error, app = record.title, "a seat from before does not answer");
                return None;
            }
        };
        let has_app = wait_until(&events, APP_THERE).is_ok();
        let title = record.title.clone();
        let running = if has_app {
            let unseen = seat.set_viewer(false).map_err(|error| error.to_string());
            unseen.and_then(|()| {
                Self::around(seat.clone(), events, directory, record, None, around)
                    .map_err(|error| error.to_string())
            })
        } else {
            Err("the application ended while there was no host".to_owned())
        };
        running
            .inspect_err(|error| {
                tracing::info!(app = title, %error, "a seat from before is ended");
                seat.quit();
                remove(directory);
            })
            .ok()
    }

    fn around(
        seat: Seat,
        events: SeatEvents,
        directory: &Path,
        record: Record,
        mode: Option<Mode>,
        around: Surroundings,
    ) -> std::io::Result<Self> {
        let relay = Relay::default();
        let listener = Listener::default();
        let name = directory.file_name().map_or_else(String::new, |name| name.to_string_lossy().into());
        let pads = Pads::open(&name, &record.client, {
            let listener = Arc::clone(&listener);
            Box::new(move |index, feedback| {
                let listening = listener.lock().unwrap_or_else(PoisonError::into_inner).clone();
                if let Some((session, voice)) = listening {
                    voice.feedback(session, index, feedback);
                }
            })
        });
        let hands = Hands::start(seat.clone())?;
        let (slot, id, ended) = (Arc::clone(&relay), around.id, around.ended);
        let capture = std::thread::Builder::new()
            .name("punktfunk-capture".into())
            .spawn(move || capture(events, &slot, id, &ended))?;
        Ok(Self {
            seat,
            hands,
            pads,
            directory: directory.to_owned(),
            is_of_session: record.is_of_session,
            record: Mutex::new(record),
            mode: Mutex::new(mode),
            relay,
            listener,
            capture: Mutex::new(Some(capture)),
        })
    }

    /// The sound server of what is shown, when there is one.
    pub fn sound(&self) -> Option<PathBuf> {
        self.seat.pipewire_remote().map(Path::to_owned)
    }

    /// What is heard of it.
    pub fn heard(&self) -> audio::Source {
        match self.sound() {
            None => audio::Source::Null,
            Some(remote) if self.is_of_session => audio::Source::Monitor { remote },
            Some(remote) => audio::Source::PipeWire { remote, sink: audio::SEAT_SINK.into() },
        }
    }

    /// It shows what runs in the session of this machine's user, and nothing of its own.
    pub fn is_of_session(&self) -> bool {
        self.is_of_session
    }

    /// Whose it is from now on, also for a host after this one.
    pub fn belongs_to(&self, client: ClientId) {
        let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        if record.client != client.0 {
            record.client = client.0;
            if let Err(error) = record.save(&self.directory) {
                tracing::warn!(%error, "a restarted host will not know whose this is");
            }
        }
    }

    /// Shows the seat to a stream, at the stream's own mode. May wait for the seat.
    pub fn show(&self, stream: &Stream) -> Result<(), LaunchError> {
        self.set_mode(stream.mode())?;
        *self.relay.lock().unwrap_or_else(PoisonError::into_inner) = Some(stream.slot());
        self.listen(Some((stream.id(), stream.voice())));
        self.seat.set_viewer(true).map_err(|error| not_set(&error))
    }

    /// Gives the screen another mode. May wait for the seat.
    pub fn set_mode(&self, mode: Mode) -> Result<(), LaunchError> {
        let mut shown = self.mode.lock().unwrap_or_else(PoisonError::into_inner);
        if *shown != Some(mode) {
            self.seat.set_mode(mode.width, mode.height, mode.fps).map_err(|error| not_set(&error))?;
            *shown = Some(mode);
        }
        Ok(())
    }

    fn listen(&self, who: Option<(SessionId, Arc<dyn Voice>)>) {
        *self.listener.lock().unwrap_or_else(PoisonError::into_inner) = who;
    }

    /// The next frame comes soon and is whole. May wait for the seat.
    pub fn show_again(&self) {
        if let Err(error) = self.seat.set_viewer(true) {
            tracing::debug!(%error, "the seat is gone already");
        }
    }

    /// Shows a text on the screen for some seconds. Never waits.
    pub fn message(&self, text: &str) -> Result<(), LaunchError> {
        let failed = |error| LaunchError::Failed(format!("the text could not be shown: {error}"));
        self.seat.message(text).map_err(failed)
    }

    /// The application goes on unseen. May wait for the seat.
    pub fn hide(&self) {
        *self.relay.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.listen(None);
        self.release();
        if let Err(error) = self.seat.set_viewer(false) {
            tracing::debug!(%error, "the seat is gone already");
        }
    }

    /// Carries out input. Never waits.
    pub fn input(&self, event: input::Event) {
        self.hands.put(event);
    }

    /// Carries out what happened to a pad. Never waits.
    pub fn pad(&self, event: &pad::Event) {
        self.pads.event(event);
    }

    /// Nothing is pressed any more. Never waits.
    pub fn release(&self) {
        self.hands.put(input::Event::ReleaseAll);
        self.pads.release_all();
    }

    /// Ends the application and the seat; nothing of them is left.
    pub fn quit(&self) {
        self.seat.quit();
        let capture = self.capture.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(capture) = capture
            && capture.join().is_err()
        {
            tracing::error!("the capture thread panicked");
        }
        remove(&self.directory);
    }
}

fn not_set(error: &dyn std::fmt::Display) -> LaunchError {
    LaunchError::Failed(format!("the screen could not be set to the client's mode: {error}"))
}

/// Removes a seat's folder: it lies in memory, and nobody but us would ever clear it up.
pub(super) fn remove(directory: &Path) {
    for left in (0..20).rev() {
        match std::fs::remove_dir_all(directory) {
            // What ran on a seat that was killed may write until the seat's guard ended it.
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty && left > 0 => {
                std::thread::park_timeout(Duration::from_millis(50));
            }
            Err(error) => {
                tracing::debug!(%error, directory = %directory.display(), "not removed");
                return;
            }
            Ok(()) => return,
        }
    }
}

/// Waits until the application runs, or says why it does not.
fn wait_for_app(events: &SeatEvents) -> Result<(), String> {
    wait_until(events, APP_START)
}

fn wait_until(events: &SeatEvents, patience: Duration) -> Result<(), String> {
    let deadline = Instant::now() + patience;
    loop {
        match events.next(deadline.saturating_duration_since(Instant::now())) {
            SeatEvent::AppStarted(_) => return Ok(()),
            SeatEvent::Error(text) => return Err(text),
            SeatEvent::AppExited(exit) => return Err(format!("it ended at once ({exit:?})")),
            SeatEvent::Gone => return Err("its screen ended; the log says why".into()),
            _ if Instant::now() >= deadline => {
                return Err(format!("it did not start within {} s", patience.as_secs()));
            }
            // The first frames show an empty screen.
            SeatEvent::Frame(_) | SeatEvent::Timeout => {}
        }
    }
}

/// A gamescope shows one application; it has no windows side by side. That of the session
/// is the desktop where the owner says so, and nothing is started in it.
fn screen_of(wished: Compositor, kind: &AppKind) -> Screen {
    match kind {
        _ if kind.is_gamescope_of_session() => Screen::Session,
        AppKind::Command { .. } if wished == Compositor::Gamescope => Screen::Gamescope,
        _ => Screen::Own,
    }
}

fn keymap(keyboard: &Keyboard) -> ipc::Keymap {
    ipc::Keymap {
        layout: keyboard.layout.clone(),
        variant: keyboard.variant.clone(),
        options: keyboard.options.clone(),
    }
}

fn to_seat(app: &Program) -> ipc::App {
    let (kind, env) = match &app.kind {
        AppKind::Desktop { session } => {
            (ipc::AppKind::Desktop, vec![("PUNKTFUNK_DESKTOP_SESSION".to_owned(), session.clone())])
        }
        AppKind::TestCard => (ipc::AppKind::TestCard, Vec::new()),
        AppKind::Command { argv, env } => {
            let env = env.iter().map(|(name, value)| (name.clone(), value.clone()));
            (ipc::AppKind::Command(argv.clone()), env.collect())
        }
    };
    let cwd = app.dir.as_ref().map(|dir| dir.to_string_lossy().into_owned());
    ipc::App { kind, name: app.title.clone(), env, cwd }
}

fn capture(events: SeatEvents, relay: &Relay, seat: u64, ended: &Sender<Ended>) {
    let _guard = OnPanic::tell(ended, Ended::Seat { seat });
    // Nobody listens for endings any more once the supervisor is gone.
    let tell = |ending| drop(ended.send(ending));
    loop {
        match events.next(Duration::from_secs(1)) {
            SeatEvent::Frame(frame) => {
                let slot = relay.lock().unwrap_or_else(PoisonError::into_inner).clone();
                if let Some(slot) = slot {
                    slot.put(Shot::new(frame));
                }
            }
            SeatEvent::AppExited(exit) => tell(Ended::App { seat, exit }),
            SeatEvent::AppStarted(pid) => tracing::debug!(pid, "the application was started again"),
            SeatEvent::Error(text) => tracing::error!(%text, "the seat reports"),
            SeatEvent::Gone => {
                tell(Ended::Seat { seat });
                return;
            }
            SeatEvent::Timeout => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_applications_are_drawn_by_a_gamescope_and_only_when_it_is_wished() {
        let game = AppKind::Command { argv: vec!["game".to_owned()], env: Default::default() };
        let desktop = AppKind::Desktop { session: "own".to_owned() };
        for (wished, kind, screen) in [
            (Compositor::Gamescope, &game, Screen::Gamescope),
            (Compositor::Gamescope, &desktop, Screen::Own),
            (Compositor::Gamescope, &AppKind::TestCard, Screen::Own),
            (Compositor::Own, &game, Screen::Own),
        ] {
            assert_eq!(screen_of(wished, kind), screen, "{wished:?} {kind:?}");
        }
    }

    #[test]
    fn only_the_desktop_is_what_runs_in_the_session() {
        let desktop = |session: &str| AppKind::Desktop { session: session.to_owned() };
        let game = AppKind::Command { argv: vec!["gamescope".to_owned()], env: Default::default() };
        for wished in [Compositor::Own, Compositor::Gamescope] {
            assert_eq!(screen_of(wished, &desktop("gamescope")), Screen::Session);
            assert_eq!(screen_of(wished, &desktop("gamescope -e -- steam")), Screen::Own);
            for kind in [&game, &AppKind::TestCard, &desktop("auto")] {
                assert_ne!(screen_of(wished, kind), Screen::Session, "{kind:?}");
            }
        }
    }
}
