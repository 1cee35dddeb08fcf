//! The management API and the console: everything the owner does, over HTTPS at port
//! base + 1 and over a Unix socket of the owner.
//!
//! Handlers turn requests into calls of the store, the supervisor and the rooms beside
//! this one; they decide nothing about streams. One file of [`resources`] for each kind of
//! thing; `guard` is what each request passes first. `docs/api.md` is its page.

pub mod assets;
mod backup;
mod caller;
pub mod claim;
mod clock;
mod error;
pub mod events;
mod extract;
mod guard;
mod listen;
mod login;
pub mod openapi;
mod password;
pub mod resources;
mod scope;
mod tokens;

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::Router;
use tokio::task::JoinSet;

use crate::doctor::machine::Subject;
use crate::doctor::{Doctor, Machine};
use crate::platform;
use crate::serve::{ConsoleHook, Context, Front, Inside, ServeError, owner};
use crate::store::ConsoleIdentity;
use resources::host::Health;

pub use caller::{Caller, Kind, Peer};
pub use claim::Claim;
pub use clock::Clock;
pub use error::Problem;
pub use events::{Events, Topic};
pub use extract::{Json, Path, Search, double};
pub use guard::{Hosts, MARK};
pub use listen::socket_path;
pub use login::{COOKIE, Limits, Logins};
pub use scope::{Operation, Scope, Table};
pub use tokens::{Token, Tokens};

/// What the command line says about the API.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Serve it over the network, too.
    pub https: bool,
    /// What can be played.
    pub library: crate::library::Library,
}

/// What all operations work with. A handle: clones are the same.
#[derive(Clone)]
pub struct Api(Arc<Parts>);

struct Parts {
    inside: Inside,
    library: crate::library::Library,
    clock: Clock,
    started: Duration,
    table: Table,
    hosts: RwLock<Hosts>,
    identity: ConsoleIdentity,
    claim: Claim,
    logins: Logins,
    limits: Limits,
    tokens: Tokens,
    events: Events,
    restart_needed: AtomicBool,
    doctor: Arc<Doctor>,
}

/// What starts the API with a host.
pub fn hook(wish: Wish) -> ConsoleHook {
    Box::new(move |inside, tasks| start(inside, wish, tasks))
}

fn start(inside: Inside, wish: Wish, tasks: &mut JoinSet<()>) -> Result<(), ServeError> {
    let api = Api::new(inside, wish.library.clone(), Clock::system())?;
    tasks.spawn(resources::apps::watch(api.clone()));
    listen::start(&api, wish, tasks)?;
    api.work(tasks);
    Ok(())
}

/// What the doctor has to know of this host.
fn subject(inside: &Inside) -> Subject {
    let Context { config, store, runtime, gamestream, .. } = &inside.context;
    let places = platform::Places::find().ok();
    let scope = places.as_ref().map_or(platform::Scope::User, |places| places.scope);
    let folder = places.map(|places| places.config).unwrap_or_default();
    Subject {
        scope,
        state: store.dir().to_owned(),
        runtime: runtime.clone(),
        socket: owner::socket_path(runtime, config.ports.base()),
        settings: folder.join(crate::config::FILE_NAME),
        config: Ok(Arc::clone(config)),
        gamestream: *gamestream,
    }
}

impl Api {
    /// Reads what the API keeps in the state directory, and makes what is missing.
    ///
    /// # Errors
    /// A file cannot be used, or an operation has no scope.
    pub fn new(inside: Inside, library: crate::library::Library, clock: Clock) -> Result<Self, ServeError> {
        let state = inside.context.store.dir().to_owned();
        let config = &inside.context.config.api;
        let machine = platform::host_name();
        let mut names = vec!["localhost".to_owned(), machine.clone(), format!("{machine}.local")];
        names.extend(config.hosts.iter().filter(|name| name.is_ascii()).cloned());
        let table = Table::read(&openapi::document()).map_err(io::Error::other)?;
        let claim = Claim::of(&state);
        claim.make()?;
        let api = Self(Arc::new(Parts {
            started: clock.elapsed(),
            library,
            table,
            hosts: RwLock::new(Hosts::new(&machine, &config.hosts)),
            identity: inside.context.store.console_identity(&names)?,
            claim,
            logins: Logins::new(clock.clone()),
            limits: Limits::new(clock.clone()),
            tokens: Tokens::open(&state, clock.clone())?,
            events: Events::new(&clock),
            restart_needed: AtomicBool::new(false),
            doctor: Doctor::new(Machine::real(subject(&inside))),
            inside,
            clock,
        }));
        api.follow_names(machine);
        Ok(api)
    }

    /// Answers to the names that the settings have, also after a change of them.
    fn follow_names(&self, machine: String) {
        let parts = Arc::downgrade(&self.0);
        self.inside().context.settings.observe(move |before, now| {
            if before.api.hosts != now.api.hosts
                && let Some(parts) = parts.upgrade()
            {
                let hosts = Hosts::new(&machine, &now.api.hosts);
                *parts.hosts.write().unwrap_or_else(PoisonError::into_inner) = hosts;
            }
        });
    }

    /// Starts what runs beside the requests.
    pub fn work(&self, tasks: &mut JoinSet<()>) {
        resources::work(self, tasks);
    }

    /// Everything that is answered: the operations, the console, and the guard around them.
    pub fn router(&self) -> Router {
        let (operations, _) = resources::routes().split_for_parts();
        operations
            .fallback(assets::serve)
            .layer(axum::middleware::from_fn_with_state(self.clone(), guard::guard))
            .with_state(self.clone())
    }

    /// The host that this is the API of.
    pub fn inside(&self) -> &Inside {
        &self.0.inside
    }

    /// What the owner can see and do.
    pub fn front(&self) -> &Front {
        &self.0.inside.front
    }

    /// The time.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// What can be played.
    pub fn library(&self) -> &crate::library::Library {
        &self.0.library
    }

    /// Where events are published.
    pub fn events(&self) -> &Events {
        &self.0.events
    }

    /// Whose host this is.
    pub fn claim(&self) -> &Claim {
        &self.0.claim
    }

    /// Browsers that are logged in.
    pub fn logins(&self) -> &Logins {
        &self.0.logins
    }

    /// How often somebody may try.
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Tokens of programs.
    pub fn tokens(&self) -> &Tokens {
        &self.0.tokens
    }

    /// Certificate of the HTTPS port.
    pub fn identity(&self) -> &ConsoleIdentity {
        &self.0.identity
    }

    /// The HTTPS port.
    pub fn port(&self) -> u16 {
        let config = &self.inside().context.config;
        config.api.port.unwrap_or(config.ports.base() + 1)
    }

    /// Since the host started.
    pub fn uptime(&self) -> Duration {
        self.0.clock.elapsed().saturating_sub(self.0.started)
    }

    /// Something was set that counts from the next start.
    pub fn is_restart_needed(&self) -> bool {
        self.0.restart_needed.load(Ordering::Relaxed)
    }

    /// Says whether something was set that counts from the next start.
    pub fn set_restart_needed(&self, needed: bool) {
        self.0.restart_needed.store(needed, Ordering::Relaxed);
    }

    /// How the host is, as it was last looked at.
    pub fn health(&self) -> Health {
        self.doctor().health().into()
    }

    /// What examines the machine.
    pub fn doctor(&self) -> &Arc<Doctor> {
        &self.0.doctor
    }

    /// Runs what may block (files, argon2, the supervisor) where it may.
    ///
    /// # Errors
    /// It panicked, which is logged.
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let api = self.clone();
        tokio::task::spawn_blocking(move || work(&api)).await.map_err(|error| {
            tracing::error!(%error, "work for the API failed");
            Problem::internal("the host failed; its log says why")
        })
    }

    fn table(&self) -> &Table {
        &self.0.table
    }

    /// Whether a `Host` is one of ours.
    fn knows(&self, host: &str) -> bool {
        self.0.hosts.read().unwrap_or_else(PoisonError::into_inner).knows(host)
    }
}
