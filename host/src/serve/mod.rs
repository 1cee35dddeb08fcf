//! The ports of a running host: thin shells of I/O around the machines of `core`.
//!
//! [`start`] binds everything and spawns the tasks; [`run`] does that in a runtime
//! of its own until the process is asked to end. The shells talk to the sessions
//! through [`Supervisor`] only, always from a blocking task.

pub mod control;
mod desk;
mod expiry;
pub mod front;
pub(crate) mod listen;
mod mdns;
mod native;
pub mod notice;
mod nvhttp;
pub mod owner;
mod reach;
mod restart;
mod rtsp;
mod tls;

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;

use crate::config::{Config, Settings};
use crate::platform::ServiceManager;
use crate::session::{ClientId, Supervisor};
use crate::store::{Store, StoreError};

pub use reach::addresses;
pub use restart::Restart;

pub use front::{Front, FrontError};
pub use notice::Notice;

/// How long tasks may take to end before they are dropped.
const STOP_PATIENCE: Duration = Duration::from_secs(3);

/// What a host works with.
#[derive(Clone, Debug)]
pub struct Context {
    /// The owner's settings as they were at the start.
    pub config: Arc<Config>,
    /// The settings as they are now, and changes of them.
    pub settings: Arc<Settings>,
    /// Identity and paired clients.
    pub store: Arc<Store>,
    /// Directory of sockets; exists and is private.
    pub runtime: PathBuf,
    /// GameStream is served, too.
    pub gamestream: bool,
}

/// Starts the control channel (UDP, [`crate::config::Ports::control`]) and returns
/// what ends it when dropped.
pub type ControlHook = Box<dyn FnOnce(&Context, Arc<dyn Supervisor>) -> io::Result<Box<dyn Send>> + Send>;

/// What the console and its API are given of a host that starts.
#[derive(Clone)]
pub struct Inside {
    /// What the host works with.
    pub context: Context,
    /// What the owner can see and do.
    pub front: Front,
    /// The sessions.
    pub supervisor: Arc<dyn Supervisor>,
    /// Starts the host anew.
    pub restart: Restart,
    /// True when everything has to end.
    pub stop: watch::Receiver<bool>,
}

/// Binds the ports of the console and its API and adds the tasks that serve them.
pub type ConsoleHook = Box<dyn FnOnce(Inside, &mut JoinSet<()>) -> Result<(), ServeError> + Send>;

/// What else to start with a host.
#[derive(Default)]
pub struct Options {
    /// Announce the host by mDNS.
    pub announce: bool,
    /// The control channel.
    pub control: Option<ControlHook>,
    /// The console and its API.
    pub console: Option<ConsoleHook>,
    /// What starts the host anew.
    pub restart: Restart,
}

/// Why a host could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// A port cannot be listened on.
    #[error("port {port} ({what}) cannot be used ({source}): {holder}")]
    Port {
        /// The port.
        port: u16,
        /// What it is for.
        what: &'static str,
        /// What the system said.
        source: io::Error,
        /// Who holds it and what to do.
        holder: String,
    },
    /// A file of the state cannot be used.
    #[error(transparent)]
    State(#[from] StoreError),
    /// The owner's socket cannot be made.
    #[error("{}: the owner's socket cannot be made ({source}); check the directory", path.display())]
    OwnerSocket {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The identity of this host does not work for TLS.
    #[error("the identity of this host cannot be used for TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The identity of this host does not work for pairing.
    #[error("the identity of this host cannot sign: {0}")]
    Identity(#[from] punktfunk_core::gamestream::pairing::IdentityError),
    /// The runtime or the signal handlers could not be set up.
    #[error("the host could not be set up ({0})")]
    Setup(#[from] io::Error),
}

/// What every task of a host shares.
struct Shared {
    config: Arc<Config>,
    settings: Arc<Settings>,
    store: Arc<Store>,
    supervisor: Arc<dyn Supervisor>,
    desk: desk::Desk,
    windows: native::Windows,
    handshakes: rtsp::Handshakes,
    /// Which native clients are connected.
    crowd: Arc<native::Crowd>,
    /// Which others would like to be.
    door: native::Door,
    /// Tells the owner's shells what to look at again.
    notices: notice::Notices,
    /// Tells connections to look into the store: this client is no longer trusted, or may
    /// do something else than before.
    changed: broadcast::Sender<ClientId>,
}

impl Shared {
    /// The name clients show for this host, as it is now.
    fn name(&self) -> String {
        self.settings.current().name.clone()
    }

    /// Calls the supervisor where it may block. `None` when it panicked, which it
    /// logs itself.
    async fn supervise<T: Send + 'static>(
        &self,
        call: impl FnOnce(&dyn Supervisor) -> T + Send + 'static,
    ) -> Option<T> {
        let supervisor = self.supervisor.clone();
        tokio::task::spawn_blocking(move || call(&*supervisor)).await.ok()
    }
}

/// A host that serves its ports.
pub struct Running {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
    announcement: Arc<Mutex<Option<mdns::Announcement>>>,
    control: Option<Box<dyn Send>>,
    front: Front,
}

/// Binds all ports and starts to serve. Must be called inside a runtime.
pub fn start(
    context: &Context,
    supervisor: Arc<dyn Supervisor>,
    options: Options,
) -> Result<Running, ServeError> {
    let ports = context.config.ports;
    let gamestream = if context.gamestream { Some(GameStream::bind(context)?) } else { None };
    let native = native::Port::bind(context, supervisor.clone())?;
    let socket = owner::Socket::bind(owner::socket_path(&context.runtime, ports.base()))?;
    let control = match options.control {
        Some(hook) => Some(hook(context, supervisor.clone()).map_err(|source| ServeError::Port {
            port: ports.control(),
            what: "control",
            source,
            holder: "stop the program that uses it, or choose another --port".to_owned(),
        })?),
        None => None,
    };
    let notices = notice::Notices::new();
    supervisor.watch(Arc::new(notice::Watch { notices: notices.clone(), store: context.store.clone() }));
    let shared = Arc::new(Shared {
        config: context.config.clone(),
        settings: context.settings.clone(),
        store: context.store.clone(),
        supervisor,
        desk: desk::Desk::new(context.store.clone(), notices.clone())?,
        windows: native::Windows::new(context.store.clone(), notices.clone()),
        handshakes: rtsp::Handshakes::default(),
        crowd: Arc::new(native::Crowd::new(notices.clone())),
        door: native::Door::new(notices.clone()),
        notices,
        changed: broadcast::Sender::new(16),
    });
    let front = Front::new(shared.clone());
    let stop = watch::Sender::new(false);
    let mut tasks = JoinSet::new();
    if let Some(hook) = options.console {
        let inside = Inside {
            context: context.clone(),
            front: front.clone(),
            supervisor: shared.supervisor.clone(),
            restart: options.restart,
            stop: stop.subscribe(),
        };
        hook(inside, &mut tasks)?;
    }
    if let Some(gamestream) = gamestream {
        gamestream.serve(&shared, &stop, &mut tasks);
    }
    tasks.spawn(native.serve(shared.clone(), stop.subscribe()));
    tasks.spawn(expiry::watch(shared.clone(), stop.subscribe()));
    tasks.spawn(socket.serve(front.clone(), stop.subscribe()));
    let announcement = Arc::new(Mutex::new(options.announce.then(|| mdns::announce(context)).flatten()));
    rename_with(context, &announcement);
    Ok(Running { stop, tasks, announcement, control, front })
}

/// The TCP ports of GameStream.
struct GameStream {
    http: Vec<TcpListener>,
    https: Vec<TcpListener>,
    rtsp: Vec<TcpListener>,
    tls: Arc<rustls::ServerConfig>,
}

impl GameStream {
    fn bind(context: &Context) -> Result<Self, ServeError> {
        let ports = context.config.ports;
        Ok(Self {
            http: listen::listen(ports.http(), "HTTP")?,
            https: listen::listen(ports.https(), "HTTPS")?,
            rtsp: listen::listen(ports.rtsp(), "RTSP")?,
            tls: Arc::new(tls::server_config(context.store.identity())?),
        })
    }

    fn serve(self, shared: &Arc<Shared>, stop: &watch::Sender<bool>, tasks: &mut JoinSet<()>) {
        for listener in self.http {
            tasks.spawn(nvhttp::serve_http(shared.clone(), listener, stop.subscribe()));
        }
        for listener in self.https {
            tasks.spawn(nvhttp::serve_https(shared.clone(), listener, self.tls.clone(), stop.subscribe()));
        }
        for listener in self.rtsp {
            tasks.spawn(rtsp::serve(shared.clone(), listener, stop.subscribe()));
        }
    }
}

/// Announces the host by its new name when it gets one.
fn rename_with(context: &Context, announcement: &Arc<Mutex<Option<mdns::Announcement>>>) {
    let announcement = Arc::downgrade(announcement);
    context.settings.observe(move |before, now| {
        let Some(announcement) = announcement.upgrade().filter(|_| before.name != now.name) else { return };
        if let Some(announcement) = &mut *announcement.lock().unwrap_or_else(PoisonError::into_inner) {
            announcement.rename(&now.name);
        }
    });
}

impl Running {
    /// What the owner can see and do.
    pub fn front(&self) -> &Front {
        &self.front
    }

    /// Ends everything: no connection and no announcement is left.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        let announcement = self.announcement.lock().unwrap_or_else(PoisonError::into_inner).take();
        let goodbye = tokio::task::spawn_blocking(move || drop(announcement));
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_PATIENCE, all).await.is_err() {
            tracing::warn!("some connections did not end in time and are dropped");
        }
        let _ = goodbye.await;
        drop(self.control.take());
    }
}

/// Serves until the process gets SIGTERM or SIGINT. Asked to start anew, the process
/// replaces itself: it does not come back from here, and seats go on.
pub fn run(
    context: Context,
    supervisor: Arc<dyn Supervisor>,
    control: Option<ControlHook>,
    console: Option<ConsoleHook>,
) -> Result<(), ServeError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("punktfunk-net")
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let ended = crate::platform::end_requested();
        let restart = Restart::default();
        let options = Options { announce: true, control, console, restart: restart.clone() };
        let running = start(&context, supervisor, options)?;
        greet(&context);
        if let Err(error) = context.settings.note_good() {
            tracing::warn!(%error, "the settings of this start could not be kept for the next");
        }
        let manager = ServiceManager::of_environment();
        manager.ready(&status(&context));
        let beat = beat(&manager);
        tokio::pin!(ended, beat);
        loop {
            tokio::select! {
                ended = &mut ended => break ended?,
                () = &mut beat => {}
                () = restart.asked() => {
                    tracing::info!("starting anew");
                    let error = crate::platform::start_anew();
                    tracing::error!(%error, "the host could not start anew and goes on as it is");
                }
            }
        }
        tracing::info!("stopping");
        manager.stopping();
        running.stop().await;
        Ok(())
    })
}

/// Tells the service manager that the host is alive, as often as it wants to hear it. Lives
/// with the loop that ends the host: where that hangs, nothing is told any more.
async fn beat(manager: &ServiceManager) {
    let Some(interval) = manager.interval() else { return std::future::pending().await };
    loop {
        tokio::time::sleep(interval).await;
        manager.alive();
    }
}

/// What `systemctl status` shows of a host that listens.
fn status(context: &Context) -> String {
    let (config, paired) = (&context.config, context.store.clients().len());
    let native = config.native_port();
    match context.gamestream {
        true => {
            format!("punktfunk/1 on port {native}, GameStream on {}; paired: {paired}", config.ports.base())
        }
        false => format!("punktfunk/1 on port {native}; paired: {paired}"),
    }
}

/// What somebody who starts a host for the first time needs to know.
fn greet(context: &Context) {
    let config = &context.config;
    let paired = context.store.clients().len();
    tracing::info!(
        name = config.name,
        native = config.native_port(),
        state = %context.store.dir().display(),
        paired,
        "ready for punktfunk clients"
    );
    let port = match config.ports.base() {
        crate::config::Ports::DEFAULT_BASE => String::new(),
        base => format!(" --port {base}"),
    };
    tracing::info!("to pair a punktfunk client: run `punktfunk-host pair --native{port}`");
    if config.native.trust_on_first_use {
        tracing::warn!("TRUST ON FIRST USE IS ON: whoever reaches this host may play on it");
    }
    if context.gamestream {
        tracing::info!(port = config.ports.base(), "ready for Moonlight clients");
        tracing::info!("to pair Moonlight: choose this host there, then run `punktfunk-host pair{port}`");
    }
    crate::platform::report_real_time();
}
