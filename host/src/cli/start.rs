//! From arguments to a place to work in: reads the configuration, gives up root,
//! finds the directories.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;

use super::args;
use crate::config::{Config, FILE_NAME, Ports};
use crate::platform::{self, Account, Places};
use crate::serve::Context;
use crate::serve::owner::socket_path;
use crate::store::Store;

/// What every command works with.
pub(super) struct Start {
    /// The configuration, with the port base of the command line.
    pub config: Config,
    /// The state directory of this host.
    pub state: PathBuf,
    places: Places,
}

/// For `serve`: makes the directories of the machine's host when started as root.
pub(super) fn as_host(args: &args::Places) -> anyhow::Result<Start> {
    let start = find(args)?;
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
    let start = find(args)?;
    if platform::current_user_id() == 0
        && let Ok(account) = Account::of_the_host()
    {
        platform::drop_root(&account)?;
    }
    Ok(start)
}

fn find(args: &args::Places) -> anyhow::Result<Start> {
    let mut places = Places::find()?;
    let file = match &args.config {
        Some(file) => absolute(file)?,
        None => places.config.join(FILE_NAME),
    };
    let mut config = Config::load(&file, args.config.is_some())?;
    if let Some(base) = args.port {
        config.ports = Ports::new(base).map_err(anyhow::Error::msg)?;
    }
    let base = config.ports.base();
    let state = match &args.state {
        Some(dir) => {
            places.state = absolute(dir)?;
            places.state.clone()
        }
        None if base == Ports::DEFAULT_BASE => places.state.clone(),
        None => places.state.join(format!("port-{base}")),
    };
    Ok(Start { config, state, places })
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

    /// Opens the state for a host, one that serves GameStream, too, or not.
    pub fn context(self, gamestream: bool) -> anyhow::Result<Context> {
        let store = Store::open(&self.state)?;
        store.lock()?;
        Ok(Context {
            config: Arc::new(self.config),
            store: Arc::new(store),
            runtime: self.places.runtime,
            gamestream,
        })
    }
}
