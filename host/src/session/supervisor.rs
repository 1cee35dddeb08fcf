//! The supervisor: for each client at most one seat with its application, at most
//! one stream on each, and the launches that wait for RTSP.
//!
//! Short questions (`running_app`, `pending`, `open_control`, `control`) touch only
//! the table's lock, which nobody holds while anything is started, stopped or
//! written. What takes time (launch, announce, resume, cancel, endings) holds the
//! `operation` lock of its one seat meanwhile, so that clients wait only for
//! themselves. Order of locks: operation, then table.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant, UNIX_EPOCH};

use punktfunk_core::gamestream::sdp::StreamConfig;
use punktfunk_core::native::wire::control::{Reconfigure, Reconfigured};
use punktfunk_core::native::wire::datagram::Sound;
use punktfunk_core::native::wire::{self, Access};
use punktfunk_net::Route;

use super::gamestreams::GameStream;
use super::keys::KeyLedger;
use super::messages::Ended;
use super::plan::Guest;
use super::running::{Running, SeatSettings, Surroundings};
use super::stream::{Stream, StreamSettings, Wanted};
use super::table::{Occupied, Place, Rules, Table};
use super::{
    Art, Catalogue, ClientId, ControlEvent, Figures, LaunchError, LaunchRequest, NativeRequest,
    NativeStarted, Occasion, OpenControl, Pending, Played, Program, Reason, Scanned, SeatInfo, SessionId,
    Supervisor, Watcher, endings,
};
use crate::display::{self, Record};
use crate::platform::Inhibitor;

/// Everything the owner settles about sessions.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The application list, as it is at any time.
    pub apps: Arc<dyn Catalogue>,
    /// How many, whose, how long.
    pub rules: Rules,
    /// How seats are made.
    pub seat: SeatSettings,
    /// How streams are made.
    pub stream: StreamSettings,
}

pub(super) struct Shared {
    /// As they were at the start.
    pub settings: Settings,
    /// As they are now.
    rules: Mutex<Rules>,
    pub gamestream: Option<GameStream>,
    pub ledger: Box<dyn KeyLedger>,
    table: Mutex<Table>,
    /// Held while anything streams.
    awake: Mutex<Option<Inhibitor>>,
    watcher: OnceLock<Arc<dyn Watcher>>,
    pub ended: Sender<Ended>,
}

/// The sessions of one host.
pub struct Sessions {
    shared: Arc<Shared>,
}

impl Sessions {
    /// Takes what GameStream needs, if that is served, and the memory of the clients'
    /// keys; finds the seats that an earlier host left running; starts watching.
    /// Does not wait for those seats.
    pub fn start(
        settings: Settings,
        gamestream: Option<GameStream>,
        ledger: Box<dyn KeyLedger>,
    ) -> std::io::Result<Arc<Self>> {
        let (ended, endings) = channel();
        let shared = Arc::new(Shared {
            rules: Mutex::new(settings.rules),
            settings,
            gamestream,
            ledger,
            table: Mutex::default(),
            awake: Mutex::default(),
            watcher: OnceLock::new(),
            ended,
        });
        let seat = &shared.settings.seat;
        let found: Vec<_> = display::find(&seat.runtime_dir, &seat.owner).into_iter().collect();
        let still: Vec<_> = found.iter().map(|(_, record)| record.session).collect();
        shared.settings.apps.recover(&still);
        for (directory, record) in found {
            find_again(&shared, directory, record)?;
        }
        let watched = Arc::downgrade(&shared);
        // It holds nothing but a weak reference and ends by itself.
        std::thread::Builder::new()
            .name("punktfunk-sess".into())
            .spawn(move || endings::watch(&watched, &endings))?;
        Ok(Arc::new(Self { shared }))
    }

    /// Has these rules from now on. What runs beyond a new limit runs on.
    pub fn set_rules(&self, rules: Rules) {
        *lock(&self.shared.rules) = rules;
    }

    /// Ends everything: streams with a reason, applications, seats.
    pub fn stop(&self) {
        let shared = &self.shared;
        let (places, waiting) = {
            let mut table = shared.table();
            table.closed = true;
            let places: Vec<_> = table.seats().iter().map(|seat| Arc::clone(&seat.place)).collect();
            (places, std::mem::take(&mut table.waiting))
        };
        shared.forget(waiting);
        // All at once: a hung seat takes its time.
        std::thread::scope(|scope| {
            for place in &places {
                scope.spawn(|| {
                    let _one = lock(&place.operation);
                    shared.end_seat(place, "the host stops", Reason::HostStopping);
                });
            }
        });
    }
}

impl Drop for Sessions {
    fn drop(&mut self) {
        self.stop();
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every critical section leaves the state whole, even when it panics.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Bytes that nobody can foretell.
pub(super) fn random<const N: usize>() -> Result<[u8; N], LaunchError> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_| LaunchError::Failed("this machine gives no random numbers".into()))?;
    Ok(bytes)
}

/// Gives a seat from before its place at once, so that its client sees it, and
/// connects to it in a thread.
fn find_again(shared: &Arc<Shared>, directory: PathBuf, record: Record) -> std::io::Result<()> {
    let launched = UNIX_EPOCH + Duration::from_secs(record.launched);
    // Clocks may have been set meanwhile.
    let age = launched.elapsed().unwrap_or_default();
    let since = Instant::now().checked_sub(age).unwrap_or_else(Instant::now);
    let (app, resume) = ((record.app, &*record.title), wire::SessionId(record.session));
    let place = shared.table().add(ClientId(record.client), app, resume, since);
    let (holds, held) = channel();
    let finder = Arc::clone(shared);
    std::thread::Builder::new().name("punktfunk-find".into()).spawn(move || {
        let _one = lock(&place.operation);
        // Nobody listens any more only when the host ends already.
        let _ = holds.send(());
        let (name, title) = (record.client_name.clone(), record.title.clone());
        let found = Running::find_again(&directory, record, finder.surroundings(&place));
        let mut table = finder.table();
        match (found, table.seat(place.id)) {
            (Some(running), Some(seat)) => {
                seat.running = Some(Arc::new(running));
                seat.is_ready = true;
                // Its client has seen it, or it may never come: both are as long ago.
                seat.was_streamed = true;
                seat.unwatched = Instant::now();
                tracing::info!(client = name, app = title, "found running from before");
            }
            (None, _) => {
                drop(table.remove(place.id));
                drop(table);
                finder.settings.apps.undo(place.resume.0);
            }
            (Some(_), None) => {}
        }
        finder.changed();
    })?;
    let _ = held.recv();
    Ok(())
}

impl Shared {
    pub fn table(&self) -> MutexGuard<'_, Table> {
        lock(&self.table)
    }

    /// What [`Supervisor::seats`] says is different now.
    pub fn changed(&self) {
        if let Some(watcher) = self.watcher.get() {
            watcher.changed();
        }
    }

    /// The rules as they are now.
    pub fn rules(&self) -> Rules {
        *lock(&self.rules)
    }

    /// A stream ended.
    pub fn tell_of(&self, played: Played) {
        if let Some(watcher) = self.watcher.get() {
            watcher.ended(played);
        }
    }

    fn surroundings(&self, place: &Place) -> Surroundings {
        Surroundings { id: place.id, resume: place.resume, ended: self.ended.clone() }
    }

    /// Keeps the machine awake exactly while something streams.
    pub fn keep_awake(&self) {
        let mut awake = lock(&self.awake);
        let streams = self.table().streams();
        if streams == 0 {
            *awake = None;
        } else if awake.is_none() {
            *awake = Some(Inhibitor::hold("somebody plays on this machine from elsewhere"));
        }
    }

    /// The place of what `client` sees running; its `operation` must be taken next,
    /// and then [`Shared::still`] asked.
    pub fn visible(&self, client: ClientId) -> Option<Arc<Place>> {
        let table = self.table();
        table.visible(self.rules(), client).map(|seat| Arc::clone(&seat.place))
    }

    /// Whether `client` still sees this place, now that nobody else works on it.
    pub fn still(&self, place: &Place, client: ClientId) -> bool {
        let table = self.table();
        table.visible(self.rules(), client).is_some_and(|seat| seat.place.id == place.id)
    }

    /// Takes a place for an application, once the client's last one is gone.
    pub fn reserve(&self, client: ClientId, app: &Program) -> Result<Arc<Place>, LaunchError> {
        // Its last application may be on its way out: the new one follows.
        while let Some(ending) = { self.table().ending(client) } {
            drop(lock(&ending.operation));
        }
        let resume = wire::SessionId(random()?);
        let reserved = self.table().reserve(self.rules(), client, (app.id, &app.title), resume);
        self.changed();
        reserved
    }

    /// Starts an application on its seat. Only under its `operation`; after an error the
    /// seat must be ended, which undoes what was prepared.
    pub fn start_app(
        &self,
        place: &Place,
        app: &Program,
        guest: &Guest<'_>,
    ) -> Result<Arc<Running>, LaunchError> {
        let occasion = Occasion { seat: place.resume.0, client_name: guest.name, mode: guest.mode };
        self.settings.apps.prepare(app, &occasion).map_err(LaunchError::Failed)?;
        let running = Running::start(&self.settings.seat, app, guest, self.surroundings(place))?;
        let running = Arc::new(running);
        if let Some(seat) = self.table().seat(place.id) {
            seat.running = Some(Arc::clone(&running));
            seat.is_ready = true;
            seat.unwatched = Instant::now();
        }
        self.changed();
        Ok(running)
    }

    /// Takes what runs away from whoever sees it, for `client`. Only under its
    /// `operation`.
    pub fn take_over(&self, place: &Place, client: ClientId) -> Result<Arc<Running>, LaunchError> {
        let (running, stream, waiting) = {
            let mut table = self.table();
            let waiting = table.take_waiting(place.id);
            let seat = table.seat(place.id).ok_or(LaunchError::NothingToResume)?;
            let running = seat.running.clone().ok_or(LaunchError::NothingToResume)?;
            seat.client = client;
            seat.unwatched = Instant::now();
            (running, seat.take_stream(), waiting)
        };
        self.forget(waiting);
        running.belongs_to(client);
        // The same client is back before its old connection timed out.
        if let Some(stream) = stream {
            stream.say_goodbye(Reason::Replaced);
            running.hide();
            self.finish(stream, "the client came back");
        }
        self.changed();
        Ok(running)
    }

    /// Starts a stream and shows it what runs. Only under the `operation` of the place.
    pub fn attach(&self, place: &Place, running: &Running, wanted: Wanted) -> Result<(), LaunchError> {
        let stream = Stream::start(&self.settings.stream, wanted, self.ended.clone())?;
        if let Err(error) = running.show(&stream) {
            self.finish(stream, "the screen does not answer");
            return Err(error);
        }
        {
            let mut table = self.table();
            // Nobody removes a seat that is being worked on.
            let seat = table.seat(place.id).ok_or(LaunchError::NothingToResume)?;
            seat.was_streamed = true;
            seat.stream = Some(stream);
        }
        self.keep_awake();
        self.changed();
        Ok(())
    }
}

impl Supervisor for Sessions {
    fn launch(&self, request: LaunchRequest) -> Result<Pending, LaunchError> {
        self.shared.launch(request)
    }

    fn resume(&self, request: LaunchRequest) -> Result<Pending, LaunchError> {
        self.shared.resume(request)
    }

    fn cancel(&self, client: ClientId) -> Result<(), LaunchError> {
        let shared = &self.shared;
        let Some(place) = shared.visible(client) else { return Ok(()) };
        let _one = lock(&place.operation);
        if shared.still(&place, client) {
            tracing::info!(%client, app = place.title, "quit");
            shared.end_seat(&place, "the client quit", Reason::Quit);
        }
        Ok(())
    }

    fn revoke(&self, client: ClientId) {
        let shared = &self.shared;
        let (places, old) = {
            let mut table = shared.table();
            let theirs = table.seats().iter().filter(|seat| seat.client == client);
            let places: Vec<_> = theirs.map(|seat| Arc::clone(&seat.place)).collect();
            (places, table.waiting.extract_if(.., |w| w.request.client == client).collect())
        };
        shared.forget(old);
        for place in places {
            let _one = lock(&place.operation);
            let theirs = shared.table().seat(place.id).is_some_and(|seat| seat.client == client);
            if theirs {
                shared.end_seat(&place, "the client was revoked", Reason::Revoked);
            }
        }
    }

    fn codec_modes(&self) -> u32 {
        self.shared.settings.stream.codec_modes.load(Ordering::Relaxed)
    }

    fn running_app(&self, client: ClientId) -> Option<u32> {
        self.shared.table().visible(self.shared.rules(), client).map(|seat| seat.place.app)
    }

    fn running_apps(&self) -> Vec<u32> {
        self.shared.table().seats().iter().map(|seat| seat.place.app).collect()
    }

    fn seats(&self) -> Vec<SeatInfo> {
        let table = self.shared.table();
        let seats = table.seats().iter().filter(|seat| !seat.is_ending);
        let info = |seat: &Occupied| SeatInfo {
            id: seat.place.id,
            client: seat.client,
            app: seat.place.app,
            title: seat.place.title.clone(),
            is_starting: !seat.is_ready,
            age: seat.place.since.elapsed(),
            stream: seat.stream.as_ref().map(Stream::info),
        };
        seats.map(info).collect()
    }

    fn figures(&self) -> Vec<(u64, Figures)> {
        self.shared.figures()
    }

    fn message(&self, seat: u64, text: &str) -> Result<(), LaunchError> {
        self.shared.message(seat, text)
    }

    fn set_bitrate(&self, seat: u64, kbps: u32) -> Result<(), LaunchError> {
        self.shared.set_bitrate(seat, kbps)
    }

    fn watch(&self, watcher: Arc<dyn Watcher>) {
        // The first one stays.
        let _ = self.shared.watcher.set(watcher);
    }

    fn end(&self, seat: u64) {
        let shared = &self.shared;
        let place = shared.table().seat(seat).map(|seat| Arc::clone(&seat.place));
        let Some(place) = place else { return };
        let _one = lock(&place.operation);
        // It may have ended meanwhile, which is as well.
        shared.end_seat(&place, "the owner ended it", Reason::Quit);
    }

    fn programs(&self) -> Vec<Program> {
        self.shared.settings.apps.programs()
    }

    fn art(&self, app: u32) -> Option<Art> {
        self.shared.settings.apps.art(app)
    }

    fn scan(&self) -> Scanned {
        self.shared.settings.apps.scan()
    }

    fn start(&self, client: ClientId, name: &str, app: u32) -> Result<u64, LaunchError> {
        self.shared.start(client, name, app)
    }

    fn pending(&self) -> Vec<Pending> {
        self.shared.pending()
    }

    fn announce(&self, id: SessionId, config: StreamConfig) -> Result<(), LaunchError> {
        self.shared.announce(id, config)
    }

    fn play(&self, id: SessionId) -> Result<(), LaunchError> {
        let table = self.shared.table();
        let stream = table.streaming(id).and_then(|seat| seat.stream.as_ref());
        // With GameStream pictures flow from the first video ping on, which comes after PLAY.
        if let Some(native) = stream.ok_or(LaunchError::NothingToResume)?.native() {
            native.media().open();
        }
        Ok(())
    }

    fn open_control(&self, connect_data: u32, peer: SocketAddr) -> Option<OpenControl> {
        self.shared.table().open_control(connect_data, peer)
    }

    fn control(&self, id: SessionId, event: ControlEvent) {
        self.shared.control(id, event);
    }

    fn start_native(&self, request: NativeRequest) -> Result<NativeStarted, LaunchError> {
        self.shared.start_native(request)
    }

    fn reconfigure(&self, id: SessionId, wish: &Reconfigure) -> Result<Reconfigured, LaunchError> {
        self.shared.reconfigure(id, wish)
    }

    fn media(&self, datagram: &[u8], from: Route) {
        self.shared.media(datagram, from);
    }

    fn microphone(&self, id: SessionId, sound: &Sound<'_>) {
        let table = self.shared.table();
        if let Some(stream) = table.streaming(id).and_then(|seat| seat.stream.as_ref()) {
            stream.hear(sound);
        }
    }

    fn set_access(&self, id: SessionId, access: Access) {
        self.shared.set_access(id, access);
    }
}
