//! What can be played: applications that are built in, those of the settings, those the
//! owner added, and those that the launchers of this machine have installed.
//!
//! It reads other programs' files and never writes them. Sessions ask it through
//! [`Catalogue`]: for the list, and to prepare a launch and undo that; the applications
//! themselves are started by the seats. `docs/library.md` is its page.

mod art;
mod commands;
mod desktop;
mod entry;
mod files;
mod flatpak;
mod guard;
mod heroic;
mod journal;
mod list;
mod lutris;
mod scan;
#[cfg(test)]
mod scratch;
mod sqlite;
mod steam;
mod steam_play;
#[cfg(test)]
mod tests;
mod vdf;

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::time::Duration;

use tokio::sync::watch;

use crate::config::{Apps, Config, Library as Sources};
use crate::platform;
use crate::session::{Art, Catalogue, Occasion, Program, Scanned, SeatKey};
use crate::store::{StoreError, read_versioned, write_versioned};

use art::Shelf;
use commands::Runner;
use entry::{Custom, File};
use journal::{Journal, Scene};
use list::Item;
use scan::{Outcome, Roots};

pub use art::{Form, MAX_ART, form_of};
pub use entry::{Change, Prefer, Step};
pub use list::App;
pub use scan::Source;
pub use steam_play::play as play_steam;

/// The file in the state directory.
const NAME: &str = "library.json";
/// The format this program writes.
const VERSION: u32 = 1;
/// Applications that the owner may add.
const MAX_CUSTOM: usize = 1000;
/// How long a start waits for the first look at what is installed; it goes on after that.
const FIRST_LOOK: Duration = Duration::from_secs(2);
/// How often it is looked again for what was installed meanwhile.
const LOOK_AGAIN: Duration = Duration::from_secs(600);
/// How long a command before a launch may take.
const DO_LIMIT: Duration = Duration::from_secs(30);

/// Why something about the library could not be done. The message says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LibraryError {
    /// No application has that id.
    #[error("there is no application {0}")]
    NotFound(u32),
    /// What was given cannot work.
    #[error("{message}")]
    Invalid {
        /// Which field.
        field: &'static str,
        /// What is wrong, and what would be right.
        message: String,
    },
    /// This application is not the owner's to change so.
    #[error("{0}")]
    Fixed(String),
    /// The state could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The library of one host. Cheap to clone: all clones are the same.
#[derive(Clone, Debug)]
pub struct Library(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: PathBuf,
    roots: Roots,
    sources: Sources,
    apps: Apps,
    shelf: Shelf,
    journal: Journal,
    runner: Runner,
    kept: RwLock<Kept>,
    /// Held by who scans, so that two do not at the same time.
    scanning: Mutex<()>,
    changes: watch::Sender<u64>,
}

/// What changes while the host runs.
#[derive(Debug, Default)]
struct Kept {
    file: File,
    scan: Outcome,
}

/// Ends the thread that looks again when it is dropped.
#[derive(Debug)]
pub struct Watch(#[expect(dead_code, reason = "its end is what counts")] Sender<()>);

impl Library {
    /// Reads what the owner keeps in the state directory and looks at what is installed.
    /// Makes nothing.
    pub fn open(config: &Config, state: &Path) -> Result<Self, StoreError> {
        let runner = Runner { uid: platform::current_user_id() };
        Self::with(config.apps.clone(), state, Roots::find(), config.library, runner)
    }

    fn with(
        apps: Apps,
        state: &Path,
        roots: Roots,
        sources: Sources,
        runner: Runner,
    ) -> Result<Self, StoreError> {
        let file: Option<File> = read_versioned(&state.join(NAME), VERSION)?;
        let inner = Inner {
            state: state.to_owned(),
            roots,
            sources,
            apps,
            shelf: Shelf::new(state),
            journal: Journal::open(state, runner)?,
            runner,
            kept: RwLock::new(Kept { file: file.unwrap_or_default(), scan: Outcome::default() }),
            scanning: Mutex::default(),
            changes: watch::Sender::new(0),
        };
        let library = Self(Arc::new(inner));
        let (looked, has_looked) = channel();
        let looking = library.clone();
        let thread = std::thread::Builder::new().name("punktfunk-scan".into()).spawn(move || {
            looking.scan();
            // Nobody waits any more when it took long.
            let _ = looked.send(());
        });
        match thread {
            // A disk that does not answer must not keep the host from starting.
            Ok(_) => drop(has_looked.recv_timeout(FIRST_LOOK)),
            Err(error) => tracing::error!(%error, "what is installed is not looked at"),
        }
        Ok(library)
    }

    /// Looks again from time to time, until what it returns is dropped.
    pub fn watch(&self) -> std::io::Result<Watch> {
        let (end, ended) = channel();
        let inner = Arc::downgrade(&self.0);
        std::thread::Builder::new()
            .name("punktfunk-scan".into())
            .spawn(move || look_again(&inner, &ended))?;
        Ok(Watch(end))
    }

    /// Counts changes of the list.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// Everything there is, hidden too, in the owner's order.
    pub fn apps(&self) -> Vec<App> {
        self.items().into_iter().map(|item| item.into_app(&self.0.shelf)).collect()
    }

    /// One of them.
    pub fn app(&self, id: u32) -> Result<App, LibraryError> {
        self.item(id).map(|item| item.into_app(&self.0.shelf)).ok_or(LibraryError::NotFound(id))
    }

    /// Adds an application: title and command are needed.
    pub fn add(&self, new: &Change) -> Result<App, LibraryError> {
        new.check()?;
        let missing =
            |field| LibraryError::Invalid { field, message: format!("an application needs a {field}") };
        let title = new.title.clone().ok_or_else(|| missing("title"))?;
        let command = new.command.clone().ok_or_else(|| missing("command"))?;
        let id = {
            let mut kept = self.write();
            let taken = list::items(&self.0.apps, &kept.file, &kept.scan);
            list::check_title(&taken, &title, None)?;
            if kept.file.custom.len() >= MAX_CUSTOM {
                let message = format!("{MAX_CUSTOM} applications are enough: remove one first");
                return Err(LibraryError::Fixed(message));
            }
            let id = list::free_id(&taken, &format!("custom:{title}"));
            let mut file = kept.file.clone();
            let dir = new.dir.clone().filter(|dir| !dir.as_os_str().is_empty());
            file.custom.push(Custom { id, title, command, dir });
            // What an application of this id had before is not this one's.
            file.notes.remove(&id);
            self.0.shelf.remove(id);
            list::note(&mut file, id, new);
            self.save(&mut kept, file)?;
            id
        };
        self.changed();
        self.app(id)
    }

    /// Changes what the owner may change of an application.
    pub fn change(&self, id: u32, change: &Change) -> Result<App, LibraryError> {
        change.check()?;
        {
            let mut kept = self.write();
            let items = list::items(&self.0.apps, &kept.file, &kept.scan);
            let item = items.iter().find(|item| item.id == id).ok_or(LibraryError::NotFound(id))?;
            let source = item.source;
            let change = list::only_new(item, change);
            list::check_may(source, &change)?;
            let mut file = kept.file.clone();
            if let Some(title) = &change.title {
                list::check_title(&items, title, Some(id))?;
                if source != Source::Custom {
                    file.notes.entry(id).or_default().title = Some(title.clone());
                }
            }
            if let Some(custom) = file.custom.iter_mut().find(|custom| custom.id == id) {
                custom.title = change.title.clone().unwrap_or_else(|| custom.title.clone());
                custom.command = change.command.clone().unwrap_or_else(|| custom.command.clone());
                if let Some(dir) = &change.dir {
                    custom.dir = Some(dir.clone()).filter(|dir| !dir.as_os_str().is_empty());
                }
            }
            list::note(&mut file, id, &change);
            self.save(&mut kept, file)?;
        }
        self.changed();
        self.app(id)
    }

    /// Removes an application that the owner added.
    pub fn remove(&self, id: u32) -> Result<(), LibraryError> {
        {
            let mut kept = self.write();
            let items = list::items(&self.0.apps, &kept.file, &kept.scan);
            let item = items.iter().find(|item| item.id == id).ok_or(LibraryError::NotFound(id))?;
            if item.source != Source::Custom {
                let why = format!("{} comes from {}: hide it instead", item.title, item.source.name());
                return Err(LibraryError::Fixed(why));
            }
            let mut file = kept.file.clone();
            file.custom.retain(|custom| custom.id != id);
            file.notes.remove(&id);
            file.order.retain(|other| *other != id);
            self.save(&mut kept, file)?;
        }
        self.0.shelf.remove(id);
        self.changed();
        Ok(())
    }

    /// Puts these first, in this order; the others follow as they were.
    pub fn reorder(&self, ids: Vec<u32>) -> Result<(), LibraryError> {
        {
            let mut kept = self.write();
            let items = list::items(&self.0.apps, &kept.file, &kept.scan);
            if let Some(id) = ids.iter().find(|id| !items.iter().any(|item| item.id == **id)) {
                return Err(LibraryError::NotFound(*id));
            }
            let mut file = kept.file.clone();
            file.set_order(ids)?;
            self.save(&mut kept, file)?;
        }
        self.changed();
        Ok(())
    }

    /// Gives an application a picture of the owner's.
    pub fn set_art(&self, id: u32, bytes: &[u8]) -> Result<(), LibraryError> {
        self.item(id).ok_or(LibraryError::NotFound(id))?;
        let form = form_of(bytes).map_err(|message| LibraryError::Invalid { field: "data", message })?;
        self.0.shelf.put(id, form, bytes).map_err(|platform::WriteError { what, source }| {
            StoreError::Io { what, path: self.0.state.clone(), source }
        })?;
        self.changed();
        Ok(())
    }

    /// Takes the owner's picture away; what a launcher has is seen again.
    pub fn clear_art(&self, id: u32) -> Result<(), LibraryError> {
        self.item(id).ok_or(LibraryError::NotFound(id))?;
        if self.0.shelf.remove(id) {
            self.changed();
        }
        Ok(())
    }

    fn items(&self) -> Vec<Item> {
        let kept = self.0.kept.read().unwrap_or_else(PoisonError::into_inner);
        list::items(&self.0.apps, &kept.file, &kept.scan)
    }

    fn item(&self, id: u32) -> Option<Item> {
        self.items().into_iter().find(|item| item.id == id)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Kept> {
        // Each part is replaced as a whole.
        self.0.kept.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// On disk first.
    fn save(&self, kept: &mut Kept, mut file: File) -> Result<(), StoreError> {
        file.version = VERSION;
        write_versioned(&self.0.state.join(NAME), &file)?;
        kept.file = file;
        Ok(())
    }

    fn changed(&self) {
        self.0.changes.send_modify(|count| *count += 1);
    }

    fn alone(&self) -> MutexGuard<'_, ()> {
        self.0.scanning.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Catalogue for Library {
    fn programs(&self) -> Vec<Program> {
        self.items().iter().map(Item::program).collect()
    }

    fn program(&self, id: u32) -> Option<Program> {
        let now = || self.item(id).map(|item| item.program());
        now().or_else(|| {
            // The first look may still go on.
            drop(self.alone());
            now()
        })
    }

    fn art(&self, id: u32) -> Option<Art> {
        let own = self.0.shelf.find(id).and_then(|file| art::load(&file));
        own.or_else(|| art::load(&self.item(id)?.art?))
    }

    fn prepare(&self, program: &Program, occasion: &Occasion<'_>) -> Result<(), String> {
        let Some(item) = self.item(program.id) else { return Ok(()) };
        if let Some(guard) = item.guard {
            guard.clear()?;
        }
        let env = item.scene(occasion);
        let scene = Scene { title: &item.title, env: &env, dir: program.dir.as_deref() };
        for step in &item.notes.prep {
            let undo = step.undo.as_deref().filter(|undo| !undo.trim().is_empty());
            if let Some(undo) = undo {
                let noted = self.0.journal.note(occasion.seat, &scene, undo);
                noted.map_err(|error| format!("what undoes `{}` cannot be noted: {error}", step.run))?;
            }
            if step.run.trim().is_empty() {
                continue;
            }
            tracing::info!(app = item.title, command = step.run, "prepared");
            if let Err(why) = self.0.runner.run(&step.run, &env, scene.dir, DO_LIMIT) {
                if undo.is_some() {
                    // It was not done. What was done before is undone by who asked.
                    let struck = self.0.journal.strike(occasion.seat);
                    struck.unwrap_or_else(|error| tracing::error!(%error, "a command too many is undone"));
                }
                return Err(format!("{} was not started: {why}", item.title));
            }
        }
        Ok(())
    }

    fn undo(&self, seat: SeatKey) {
        self.0.journal.undo(seat);
    }

    fn recover(&self, still: &[SeatKey]) {
        let left: Vec<_> = self.0.journal.seats().into_iter().filter(|seat| !still.contains(seat)).collect();
        if left.is_empty() {
            return;
        }
        tracing::warn!(launches = left.len(), "what an earlier host did before launches is undone now");
        let inner = Arc::clone(&self.0);
        let thread = std::thread::Builder::new().name("punktfunk-undo".into());
        let undone = thread.spawn(move || left.into_iter().for_each(|seat| inner.journal.undo(seat)));
        if let Err(error) = undone {
            tracing::error!(%error, "nothing is undone");
        }
    }

    fn scan(&self) -> Scanned {
        let _alone = self.alone();
        let outcome = scan::scan(&self.0.roots, self.0.sources);
        for problem in &outcome.problems {
            tracing::warn!(%problem, "the library could not read a file");
        }
        let scanned = Scanned { by_source: outcome.counts.clone(), problems: outcome.problems.clone() };
        let is_new = {
            let mut kept = self.write();
            let is_new = kept.scan.found != outcome.found;
            kept.scan = outcome;
            is_new
        };
        if is_new {
            self.changed();
        }
        scanned
    }
}

fn look_again(inner: &Weak<Inner>, ended: &Receiver<()>) {
    while ended.recv_timeout(LOOK_AGAIN) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
        let Some(inner) = inner.upgrade() else { return };
        Library(inner).scan();
    }
}
