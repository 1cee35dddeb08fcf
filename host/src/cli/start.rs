//! From arguments to a place to work in: reads the configuration, gives up root,
//! finds the directories.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;

use super::args;
use crate::config::{Config, FILE_NAME, Layers, Ports, Roots, Settings, Value};
use crate::doctor::machine::Subject;
use crate::platform::{self, Account, Places};
use crate::serve::Context;
use crate::serve::owner::socket_path;
use crate::store::{Store, pending};

/// What every command works with.
pub(super) struct Start {
    /// What applies, with the flags of the command line.
    pub config: Arc<Config>,
    /// The settings it comes from.
    pub settings: Settings,
    /// The state directory of this host.
    pub state: PathBuf,
    places: Places,
}

/// For `serve`: makes the directories of the machine's host when started as root.
pub(super) fn as_host(args: &args::Places, flags: &Flags) -> anyhow::Result<Start> {
    let start = find(args, flags)?;
    if platform::current_user_id() == 0 {
        let account = Account::of_the_host()?;
        start.places.make_for(&account)?;
        platform::start_inputd(&account, start.config.ports.base());
        platform::drop_root(&account)?;
    }
    start.places.make_runtime()?;
    Ok(start)
}

/// For the owner's commands. Root becomes the user of the host here too, so that
/// files it writes stay that user's; without that user no host of the machine has
/// run, and there is nothing to write.
pub(super) fn as_owner(args: &args::Places) -> anyhow::Result<Start> {
    let start = find(args, &Flags::new())?;
    for problem in &start.config.problems {
        eprintln!("punktfunk-host: {problem}");
    }
    if platform::current_user_id() == 0
        && let Ok(account) = Account::of_the_host()
    {
        platform::drop_root(&account)?;
    }
    Ok(start)
}

/// For `doctor`: which host these arguments mean, also when its settings cannot be read.
/// Root becomes the user of the host, if there is one, unless `keep_root`.
pub(super) fn examined(args: &args::Places, keep_root: bool) -> anyhow::Result<Subject> {
    let (start, problem) = match find(args, &Flags::new()) {
        Ok(start) => (start, None),
        Err(error) => {
            let defaults = args::Places { config: Some("/dev/null".into()), ..args.clone() };
            (find(&defaults, &Flags::new())?, Some(format!("{error:#}")))
        }
    };
    if !keep_root
        && platform::current_user_id() == 0
        && let Ok(account) = Account::of_the_host()
    {
        platform::drop_root(&account)?;
    }
    let settings = match &args.config {
        Some(file) => absolute(file)?,
        None => start.places.config.join(FILE_NAME),
    };
    let gamestream = start.config.gamestream.enabled;
    Ok(Subject {
        scope: start.places.scope,
        socket: start.socket(),
        state: start.state,
        runtime: start.places.runtime,
        settings,
        config: problem.map_or_else(|| Ok(start.config), Err),
        gamestream,
    })
}

/// For commands that only talk to a running host: nothing is written, so root stays root.
pub(super) fn as_caller(args: &args::Places) -> anyhow::Result<Start> {
    find(args, &Flags::new())
}

fn find(args: &args::Places, flags: &Flags) -> anyhow::Result<Start> {
    let mut places = Places::find()?;
    let (layers, state) = layers(args, flags, &mut places)?;
    let settings = Settings::open(layers)?;
    Ok(Start { config: settings.current(), settings, state, places })
}

/// What wins over all files: a key, its value and the name it has on the command line.
pub(super) type Flags = Vec<(&'static str, Value, &'static str)>;

/// The places of the settings that the arguments mean, and the state directory.
pub(super) fn layers(
    args: &args::Places,
    flags: &Flags,
    places: &mut Places,
) -> anyhow::Result<(Layers, PathBuf)> {
    let named = args.config.as_deref().map(absolute).transpose()?;
    let mut layers = Layers::new(&Roots::of(places), named.as_deref());
    if let Some(base) = args.port {
        layers = layers.with_flag("port", Value::from(base), "--port")?;
    }
    for (key, value, name) in flags {
        layers = layers.with_flag(key, value.clone(), name)?;
    }
    if let Some(dir) = &args.state {
        places.state = absolute(dir)?;
        return Ok((layers.with_state(&places.state), places.state.clone()));
    }
    let mut base = layers.port_base();
    loop {
        let state = match base {
            Ports::DEFAULT_BASE => places.state.clone(),
            base => places.state.join(format!("port-{base}")),
        };
        let with_state = layers.clone().with_state(&state);
        // A file with a mistake is left out, and what it says of the port with it.
        match Settings::open(with_state.clone()).map(|settings| settings.current().ports.base()) {
            Ok(found) if found != base && base != Ports::DEFAULT_BASE => base = Ports::DEFAULT_BASE,
            _ => return Ok((with_state, state)),
        }
    }
}

/// Root's working directory is left when root is given up.
fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("{} cannot be found", path.display()))
}

impl Start {
    /// The socket of the host these arguments mean.
    pub fn socket(&self) -> PathBuf {
        socket_path(&self.places.runtime, self.config.ports.base())
    }

    /// The directory of sockets and seats.
    pub fn runtime(&self) -> &Path {
        &self.places.runtime
    }

    /// Opens the state for a host.
    pub fn context(self) -> anyhow::Result<Context> {
        let store = Store::open(&self.state)?;
        store.lock()?;
        if pending::carry_out(&self.state)? {
            // The settings were read before it.
            return Err(platform::start_anew()).context("the host could not start anew");
        }
        Ok(Context {
            gamestream: self.config.gamestream.enabled,
            config: self.config,
            settings: Arc::new(self.settings),
            store: Arc::new(store),
            runtime: self.places.runtime,
        })
    }
}
