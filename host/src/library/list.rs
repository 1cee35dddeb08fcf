//! The list: puts together what comes from the four places, gives each a number of its
//! own and says what the owner may change of it.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use super::LibraryError;
use super::art::Shelf;
use super::entry::{Change, Custom, File, Notes, Prefer, Step};
use super::scan::{Found, Guard, Outcome, Source};
use crate::config::{self, AppKind, Apps, FIRST_OWN_ID, id_for_name};
use crate::session::{Occasion, Program};

/// An application of the library, for the owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// The number that clients know it by.
    pub id: u32,
    /// Its title.
    pub title: String,
    /// Where it comes from.
    pub source: Source,
    /// How it is started, for people.
    pub launch: String,
    /// Of one that the owner added: the line for the shell.
    pub command: Option<String>,
    /// Where it starts; the home directory when absent.
    pub dir: Option<PathBuf>,
    /// No client sees it.
    pub hidden: bool,
    /// There is a picture.
    pub has_art: bool,
    /// Variables besides those of the seat.
    pub env: BTreeMap<String, String>,
    /// What is done around a launch.
    pub prep: Vec<Step>,
    /// What it is played with where the client leaves a choice.
    pub prefer: Prefer,
    /// Title, command and folder may be changed.
    pub editable: bool,
}

/// An application, from wherever it comes.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub id: u32,
    pub title: String,
    pub source: Source,
    pub kind: AppKind,
    pub command: Option<String>,
    pub dir: Option<PathBuf>,
    pub guard: Option<Guard>,
    /// What a launcher has of it.
    pub art: Option<PathBuf>,
    pub notes: Notes,
}

/// Everything, in the owner's order.
pub(super) fn items(apps: &Apps, file: &File, scan: &Outcome) -> Vec<Item> {
    let mut taken = HashSet::new();
    let mut items = Vec::new();
    let settings = apps.iter().map(|app| (app.id, Item::of_settings(app)));
    let custom = file.custom.iter().map(|custom| (custom.id, Item::of_custom(custom)));
    let found = scan
        .found
        .iter()
        .map(|found| (id_for_name(&format!("{}:{}", found.source.name(), found.key)), Item::of_found(found)));
    // Who comes first keeps its number; what is found elsewhere gives way.
    for (id, mut item) in settings.chain(custom).chain(found) {
        item.id = free(&taken, id);
        taken.insert(item.id);
        item.notes = file.notes(item.id);
        if let Some(title) = &item.notes.title {
            item.title.clone_from(title);
        }
        items.push(item);
    }
    file.ordered(items, |item| item.id)
}

fn free(taken: &HashSet<u32>, mut id: u32) -> u32 {
    while taken.contains(&id) {
        id = if id >= i32::MAX.cast_unsigned() { FIRST_OWN_ID } else { id + 1 };
    }
    id
}

/// A number that nothing has.
pub(super) fn free_id(items: &[Item], name: &str) -> u32 {
    free(&items.iter().map(|item| item.id).collect(), id_for_name(name))
}

/// Refuses a title that something of the owner has already: clients show nothing else.
pub(super) fn check_title(items: &[Item], title: &str, own: Option<u32>) -> Result<(), LibraryError> {
    let ours = |source| matches!(source, Source::Builtin | Source::Config | Source::Custom);
    let other = |item: &&Item| Some(item.id) != own && ours(item.source) && item.title == title;
    if items.iter().any(|item| other(&item)) {
        let message = format!("there is an application {title:?} already: choose another title");
        return Err(LibraryError::Invalid { field: "title", message });
    }
    Ok(())
}

/// Without what is so already: who sends a whole form has not changed all of it.
pub(super) fn only_new(item: &Item, change: &Change) -> Change {
    let Change { title, command, dir, env, prep, prefer, hidden } = change.clone();
    let (notes, no_dir) = (&item.notes, PathBuf::new());
    Change {
        title: title.filter(|title| *title != item.title),
        command: command.filter(|command| Some(command) != item.command.as_ref()),
        dir: dir.filter(|dir| dir != item.dir.as_ref().unwrap_or(&no_dir)),
        env: env.filter(|env| *env != item.env()),
        prep: prep.filter(|prep| *prep != notes.prep),
        prefer: prefer.filter(|prefer| *prefer != notes.prefer),
        hidden: hidden.filter(|hidden| *hidden != notes.hidden),
    }
}

/// Refuses to change what is kept elsewhere.
pub(super) fn check_may(source: Source, change: &Change) -> Result<(), LibraryError> {
    let Change { title, command, dir, env, prep, prefer, .. } = change;
    let fixed = command.is_some() || dir.is_some();
    let itself = title.is_some() || fixed;
    let around = prep.is_some() || prefer.is_some();
    let why = match source {
        Source::Custom => return Ok(()),
        Source::Config if itself || around || env.is_some() => {
            "it is kept in the settings, in [[app]]: change it there; here it can be hidden and moved"
        }
        Source::Builtin if itself || env.is_some() => "it is part of punktfunk: it can be hidden and moved",
        Source::Builtin => return Ok(()),
        _ if fixed => "its launcher says how it starts: add an application of your own instead",
        _ => return Ok(()),
    };
    Err(LibraryError::Fixed(why.to_owned()))
}

/// Takes what the owner says about an application.
pub(super) fn note(file: &mut File, id: u32, change: &Change) {
    let mut notes = file.notes(id);
    let Change { env, prep, prefer, hidden, .. } = change;
    notes.hidden = hidden.unwrap_or(notes.hidden);
    if let Some(env) = env {
        notes.env.clone_from(env);
    }
    if let Some(prep) = prep {
        notes.prep.clone_from(prep);
    }
    if let Some(prefer) = prefer {
        notes.prefer.clone_from(prefer);
    }
    if notes == Notes::default() {
        file.notes.remove(&id);
    } else {
        file.notes.insert(id, notes);
    }
}

impl Item {
    fn of_settings(app: &config::App) -> Self {
        let own = matches!(app.kind, AppKind::Command { .. });
        let source = if own { Source::Config } else { Source::Builtin };
        Self { kind: app.kind.clone(), ..Self::new(&app.name, source, Vec::new()) }
    }

    fn of_custom(custom: &Custom) -> Self {
        let argv = ["/bin/sh", "-c", &custom.command].map(str::to_owned).to_vec();
        let dir = custom.dir.clone();
        Self { command: Some(custom.command.clone()), dir, ..Self::new(&custom.title, Source::Custom, argv) }
    }

    fn of_found(found: &Found) -> Self {
        let Found { source, title, argv, dir, guard, art, .. } = found;
        let (dir, art) = (dir.clone(), art.clone());
        Self { dir, guard: *guard, art, ..Self::new(title, *source, argv.clone()) }
    }

    fn new(title: &str, source: Source, argv: Vec<String>) -> Self {
        Self {
            id: 0,
            title: title.to_owned(),
            source,
            kind: AppKind::Command { argv, env: BTreeMap::new() },
            command: None,
            dir: None,
            guard: None,
            art: None,
            notes: Notes::default(),
        }
    }

    /// As sessions need it.
    pub fn program(&self) -> Program {
        let mut kind = self.kind.clone();
        if let AppKind::Command { env, .. } = &mut kind {
            env.extend(self.notes.env.clone());
        }
        Program {
            id: self.id,
            title: self.title.clone(),
            kind,
            dir: self.dir.clone(),
            prefer: self.notes.prefer.plan(),
            source: self.source.name(),
            hidden: self.notes.hidden,
        }
    }

    /// What the owner's commands around a launch see.
    pub fn scene(&self, occasion: &Occasion<'_>) -> BTreeMap<String, String> {
        let mut env = self.notes.env.clone();
        let mode = occasion.mode;
        env.extend(
            [
                ("PUNKTFUNK_APP_ID", self.id.to_string()),
                ("PUNKTFUNK_APP_TITLE", self.title.clone()),
                ("PUNKTFUNK_CLIENT_NAME", occasion.client_name.to_owned()),
                ("PUNKTFUNK_WIDTH", mode.width.to_string()),
                ("PUNKTFUNK_HEIGHT", mode.height.to_string()),
                ("PUNKTFUNK_FPS", mode.fps.to_string()),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        env
    }

    /// As the owner sees it.
    pub fn into_app(self, shelf: &Shelf) -> App {
        let (launch, env) = (self.launch(), self.env());
        App {
            has_art: self.art.is_some() || shelf.find(self.id).is_some(),
            launch,
            id: self.id,
            title: self.title,
            source: self.source,
            command: self.command,
            dir: self.dir,
            hidden: self.notes.hidden,
            env,
            prep: self.notes.prep,
            prefer: self.notes.prefer,
            editable: self.source == Source::Custom,
        }
    }

    /// The command for people.
    fn launch(&self) -> String {
        match &self.kind {
            AppKind::Desktop { session } => format!("the desktop ({session})"),
            AppKind::TestCard => "the test card".to_owned(),
            AppKind::Command { argv, .. } => match argv.as_slice() {
                [shell, flag, line] if shell == "/bin/sh" && flag == "-c" => line.clone(),
                [_, word, game, ..] if word == "steam-game" => format!("Steam: {game}"),
                words => words.join(" "),
            },
        }
    }

    /// The variables of the settings and of the owner.
    fn env(&self) -> BTreeMap<String, String> {
        let mut all = match &self.kind {
            AppKind::Command { env, .. } => env.clone(),
            _ => BTreeMap::new(),
        };
        all.extend(self.notes.env.clone());
        all
    }
}
