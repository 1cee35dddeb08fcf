//! The launcher: a list of what is installed, to type into, to choose from and to
//! start. Opened with Super, or by a press on the button of the backdrop.

mod apps;
mod draw;
mod switch;

use std::path::PathBuf;

use smithay::input::keyboard::{Keysym, keysyms};
use smithay::utils::{Logical, Point, Size};

pub use apps::{App, data_folders, find_program};
pub use draw::{Layout, Piece};
pub use switch::switcher;

use draw::Skin;

/// Nobody types more to find an application.
const MAX_QUERY: usize = 64;

/// What a key or a press leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The launcher stays as it is, or shows something else.
    Stay,
    /// It closes.
    Close,
    /// It closes and starts this.
    Start(Box<App>),
}

/// State of the launcher, open or not.
#[derive(Default)]
pub struct Launcher {
    open: bool,
    folders: Vec<PathBuf>,
    apps: Vec<App>,
    query: String,
    /// Indices of the applications that fit the query, best first.
    found: Vec<usize>,
    selected: usize,
    /// The first row that is seen.
    top: usize,
    skin: Skin,
}

impl Launcher {
    /// True while it is seen.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Looks for applications and opens.
    pub fn open(&mut self) {
        let folders = data_folders();
        let apps = apps::installed(&folders, &apps::locale());
        self.open_with(folders, apps);
    }

    fn open_with(&mut self, folders: Vec<PathBuf>, apps: Vec<App>) {
        *self = Self { open: true, folders, apps, ..Self::default() };
        self.search();
    }

    /// Closes; what it knew is forgotten.
    pub fn close(&mut self) {
        *self = Self::default();
    }

    /// The size of the output changed: everything is drawn anew.
    pub fn resized(&mut self) {
        self.skin = Skin::default();
    }

    /// A key went down: its symbol, and the character it types.
    pub fn press(&mut self, key: Keysym, character: Option<char>, ctrl: bool, layout: &Layout) -> Outcome {
        let page = layout.rows.max(1);
        match key.raw() {
            keysyms::KEY_Escape => return Outcome::Close,
            keysyms::KEY_Return | keysyms::KEY_KP_Enter => return self.start(),
            keysyms::KEY_Down | keysyms::KEY_Tab => self.select(|at, len| (at + 1) % len, layout),
            keysyms::KEY_Up | keysyms::KEY_ISO_Left_Tab => {
                self.select(|at, len| (at + len - 1) % len, layout)
            }
            keysyms::KEY_Page_Down => self.select(|at, len| (at + page).min(len - 1), layout),
            keysyms::KEY_Page_Up => self.select(|at, _| at.saturating_sub(page), layout),
            keysyms::KEY_Home => self.select(|_, _| 0, layout),
            keysyms::KEY_End => self.select(|_, len| len - 1, layout),
            keysyms::KEY_BackSpace => {
                self.query.pop();
                self.search();
            }
            keysyms::KEY_u if ctrl => {
                self.query.clear();
                self.search();
            }
            _ => {
                if let Some(character) = character.filter(|_| !ctrl) {
                    self.type_character(character);
                }
            }
        }
        Outcome::Stay
    }

    /// A character was typed.
    pub fn type_character(&mut self, character: char) {
        if !character.is_control() && self.query.chars().count() < MAX_QUERY {
            self.query.push(character);
            self.search();
        }
    }

    /// The pointer is at `at`: what is under it is chosen. True when that changed something.
    pub fn point(&mut self, at: Point<f64, Logical>, layout: &Layout) -> bool {
        let before = self.selected;
        if let Some(row) = layout.row_at(at)
            && self.top + row < self.found.len()
        {
            self.selected = self.top + row;
        }
        before != self.selected
    }

    /// A press at `at`: on a row it starts it, beside the panel it closes.
    pub fn click(&mut self, at: Point<f64, Logical>, layout: &Layout) -> Outcome {
        self.point(at, layout);
        match layout.row_at(at) {
            Some(row) if self.top + row < self.found.len() => self.start(),
            _ if layout.contains(at) => Outcome::Stay,
            _ => Outcome::Close,
        }
    }

    /// The wheel turned by so many rows, down if positive. The pointer chooses anew.
    pub fn scroll(&mut self, rows: isize, at: Point<f64, Logical>, layout: &Layout) {
        let last = self.found.len().saturating_sub(layout.rows);
        self.top = self.top.saturating_add_signed(rows).min(last);
        let seen = self.top..(self.top + layout.rows.max(1)).min(self.found.len());
        if !self.point(at, layout) && !seen.is_empty() {
            self.selected = self.selected.clamp(seen.start, seen.end - 1);
        }
    }

    /// What is to be drawn, front to back.
    pub fn pieces(&mut self, fonts: &crate::paint::Fonts, size: Size<i32, Logical>) -> Vec<Piece> {
        let layout = Layout::new(size);
        self.top = self.top.min(self.found.len().saturating_sub(layout.rows));
        let seen: Vec<usize> = self.found.iter().skip(self.top).take(layout.rows).copied().collect();
        let view = draw::View {
            query: &self.query,
            apps: &self.apps,
            seen: &seen,
            selected: self.selected.checked_sub(self.top).filter(|row| *row < seen.len()),
            top: self.top,
            found: self.found.len(),
            folders: &self.folders,
        };
        self.skin.pieces(fonts, &layout, &view)
    }

    fn start(&self) -> Outcome {
        let app = self.found.get(self.selected).and_then(|index| self.apps.get(*index));
        app.map_or(Outcome::Stay, |app| Outcome::Start(Box::new(app.clone())))
    }

    fn select(&mut self, to: impl FnOnce(usize, usize) -> usize, layout: &Layout) {
        if self.found.is_empty() {
            return;
        }
        self.selected = to(self.selected, self.found.len());
        let rows = layout.rows.max(1);
        self.top = self.top.clamp((self.selected + 1).saturating_sub(rows), self.selected);
    }

    fn search(&mut self) {
        let query = self.query.trim().to_lowercase();
        let ranked = self.apps.iter().enumerate();
        let mut ranked: Vec<_> = ranked.filter_map(|(at, app)| Some((rank(app, &query)?, at))).collect();
        // Equals stay in the order of their names.
        ranked.sort_unstable();
        self.found = ranked.into_iter().map(|(_, at)| at).collect();
        self.selected = 0;
        self.top = 0;
    }
}

/// How well an application fits what was typed, 0 is best; nothing when it does not.
fn rank(app: &App, query: &str) -> Option<u8> {
    if query.is_empty() {
        return Some(0);
    }
    let name = app.entry.name.to_lowercase();
    let starts = |text: &str| text.split(|c: char| !c.is_alphanumeric()).any(|word| word.starts_with(query));
    let others = || {
        let words = app.entry.keywords.iter().chain([&app.entry.about, &app.entry.exec]);
        words.map(|word| word.to_lowercase()).any(|word| starts(&word))
    };
    if name.starts_with(query) {
        Some(0)
    } else if starts(&name) {
        Some(1)
    } else if name.contains(query) {
        Some(2)
    } else if others() {
        Some(3)
    } else {
        // The letters in this order, others between them.
        let mut rest = name.chars();
        query.chars().all(|wanted| rest.any(|c| c == wanted)).then_some(4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use punktfunk_desktop_entry as entry;

    fn app(name: &str, about: &str) -> App {
        let entry = entry::Entry {
            name: name.to_owned(),
            about: about.to_owned(),
            exec: "run".to_owned(),
            shown: true,
            ..entry::Entry::default()
        };
        App { entry, location: PathBuf::from("/x.desktop") }
    }

    fn open() -> (Launcher, Layout) {
        let names = [("Archive", "Files packed"), ("Files", ""), ("Fire Fox", "Web"), ("Text", "Write")];
        let apps = names.map(|(name, about)| app(name, about)).to_vec();
        let mut launcher = Launcher::default();
        launcher.open_with(Vec::new(), apps);
        (launcher, Layout::new((1280, 720).into()))
    }

    fn names(launcher: &Launcher) -> Vec<&str> {
        launcher.found.iter().map(|at| launcher.apps[*at].entry.name.as_str()).collect()
    }

    fn key(launcher: &mut Launcher, raw: u32, layout: &Layout) -> Outcome {
        launcher.press(Keysym::new(raw), None, false, layout)
    }

    #[test]
    fn what_is_typed_finds_names_before_descriptions() {
        let (mut launcher, layout) = open();
        assert_eq!(names(&launcher), ["Archive", "Files", "Fire Fox", "Text"]);
        for character in "FI".chars() {
            launcher.type_character(character);
        }
        assert_eq!(names(&launcher), ["Files", "Fire Fox", "Archive"]);
        launcher.type_character('f');
        assert_eq!(names(&launcher), ["Fire Fox"]);
        launcher.type_character('!');
        assert!(names(&launcher).is_empty());
        assert_eq!(key(&mut launcher, keysyms::KEY_Return, &layout), Outcome::Stay);
        key(&mut launcher, keysyms::KEY_BackSpace, &layout);
        let Outcome::Start(app) = key(&mut launcher, keysyms::KEY_Return, &layout) else { panic!() };
        assert_eq!(app.entry.name, "Fire Fox");
        assert_eq!(key(&mut launcher, keysyms::KEY_Escape, &layout), Outcome::Close);
        launcher.press(Keysym::new(keysyms::KEY_u), Some('u'), true, &layout);
        assert_eq!(names(&launcher).len(), 4);
    }

    #[test]
    fn a_press_starts_a_row_and_beside_the_panel_closes() {
        let (mut launcher, layout) = open();
        let row = layout.row(1);
        let at = Point::from((f64::from(row.loc.x) + 5.0, f64::from(row.loc.y) + 5.0));
        assert!(launcher.point(at, &layout));
        let Outcome::Start(app) = launcher.click(at, &layout) else { panic!() };
        assert_eq!(app.entry.name, "Files");
        assert_eq!(launcher.click((2.0, 2.0).into(), &layout), Outcome::Close);
        let empty = layout.row(layout.rows - 1);
        let at = Point::from((f64::from(empty.loc.x) + 5.0, f64::from(empty.loc.y) + 5.0));
        assert_eq!(launcher.click(at, &layout), Outcome::Stay);
    }

    proptest! {
        #[test]
        fn whatever_is_done_the_choice_is_seen(
            count in 0usize..40,
            (w, h) in (64i32..4000, 64i32..2400),
            steps in proptest::collection::vec((0usize..12, any::<char>(), -3isize..4, 0.0f64..4000.0), 0..60),
        ) {
            let mut launcher = Launcher::default();
            let apps = (0..count).map(|n| app(&format!("Name {n}"), "about")).collect();
            launcher.open_with(Vec::new(), apps);
            let layout = Layout::new((w, h).into());
            let keys = [
                keysyms::KEY_Down, keysyms::KEY_Up, keysyms::KEY_Page_Down, keysyms::KEY_Page_Up,
                keysyms::KEY_Home, keysyms::KEY_End, keysyms::KEY_BackSpace, keysyms::KEY_Tab,
            ];
            for (what, character, rows, at) in steps {
                match keys.get(what) {
                    Some(raw) => { key(&mut launcher, *raw, &layout); }
                    None if what == 8 => launcher.type_character(character),
                    None if what == 9 => launcher.scroll(rows, (at, at / 2.0).into(), &layout),
                    None => { launcher.point((at, at / 2.0).into(), &layout); }
                }
                prop_assert!(launcher.found.is_empty() || launcher.selected < launcher.found.len());
                prop_assert!(launcher.found.is_empty() || (launcher.top..launcher.top + layout.rows.max(1)).contains(&launcher.selected));
            }
        }
    }
}
