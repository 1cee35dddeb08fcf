//! Games of the system's menu: desktop entries of the category `Game`.
//!
//! What another scanner finds is left out: entries that Flatpak exports, that only start
//! a launcher, or that a launcher made for one of its games. Entries are read by
//! `punktfunk-desktop-entry`, which the seat's own launcher uses, too.

use std::collections::HashSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use punktfunk_desktop_entry::{self as entry, Entry};

use super::files::{Reader, first_inside};
use super::scan::{Found, Roots, Source};

/// The name that a seat goes by among desktops.
const DESKTOP: &str = "punktfunk";
/// Folders below `applications` that are looked into.
const MAX_DEPTH: u32 = 2;
/// Programs that have a scanner of their own.
const LAUNCHERS: [&str; 3] = ["steam", "heroic", "lutris"];
/// Addresses that lead to a game of such a program.
const ADDRESSES: [&str; 3] = ["steam://", "heroic://", "lutris:"];
/// Sizes of icons that do for a picture, best first.
const SIZES: [&str; 4] = ["512x512", "256x256", "192x192", "128x128"];

/// What an entry is looked at for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One that Flatpak exports.
    Flatpak,
    /// Any other.
    Plain,
}

/// Every game of the menu.
pub(super) fn scan(roots: &Roots, reader: &mut Reader) -> Vec<Found> {
    let mut known = HashSet::new();
    let mut found = Vec::new();
    for share in [&roots.data].into_iter().chain(&roots.shared) {
        let folder = share.join("applications");
        let mut files = Vec::new();
        entries(reader, &folder, 0, &mut files);
        for file in files {
            // The first entry of a name is the one, even when it says to show nothing.
            let id = file.strip_prefix(&folder).unwrap_or(&file).to_string_lossy().replace('/', "-");
            if !known.insert(id.clone()) {
                continue;
            }
            let Some((entry, argv)) = game(reader, &file, Kind::Plain) else { continue };
            let words: Vec<&str> = argv.iter().map(String::as_str).collect();
            let mut game = Found::new(Source::Desktop, id, &entry.name, &words);
            game.dir = entry.path.as_ref().map(PathBuf::from).filter(|path| path.is_absolute());
            game.art = icon(roots, &entry.icon);
            found.push(game);
        }
    }
    found
}

/// The entry and the command of a game; nothing for anything else.
pub(super) fn game(reader: &mut Reader, file: &Path, kind: Kind) -> Option<(Entry, Vec<String>)> {
    let text = reader.text(file, entry::MAX_LEN as u64)?;
    let entry = entry::parse(&text, &locales(), DESKTOP)?;
    let is_game = entry.categories.iter().any(|category| category == "Game");
    // A game in a terminal needs one, and which is the desktop's business.
    if !is_game || !entry.shown || entry.terminal {
        return None;
    }
    let argv = entry::command(&entry, &file.to_string_lossy())?;
    let program = Path::new(&argv[0]).file_name()?.to_str()?.to_owned();
    let by_flatpak = program == "flatpak";
    let of_another = kind == Kind::Plain && (by_flatpak || LAUNCHERS.contains(&program.as_str()));
    let is_address = |word: &String| ADDRESSES.iter().any(|address| word.starts_with(address));
    if (kind == Kind::Flatpak && !by_flatpak) || of_another || argv.iter().any(is_address) {
        return None;
    }
    if let Some(program) = &entry.try_exec {
        find_program(program)?;
    }
    // Where files would stand between these two, there are none.
    let argv = argv.into_iter().filter(|word| !matches!(word.as_str(), "@@" | "@@u")).collect();
    Some((entry, argv))
}

/// The locale that titles are wanted in.
fn locales() -> Vec<String> {
    let set = |name: &&str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let named = ["LC_ALL", "LC_MESSAGES", "LANG"].iter().find_map(set);
    entry::locales(&named.unwrap_or_default())
}

fn entries(reader: &mut Reader, folder: &Path, depth: u32, files: &mut Vec<PathBuf>) {
    for path in reader.list(folder) {
        if path.extension().is_some_and(|end| end == "desktop") {
            files.push(path);
        } else if depth < MAX_DEPTH && path.is_dir() {
            entries(reader, &path, depth + 1, files);
        }
    }
}

fn icon(roots: &Roots, name: &str) -> Option<PathBuf> {
    let plain = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.contains("..") || !name.chars().all(plain) {
        return None;
    }
    let file = format!("{}.png", name.strip_suffix(".png").unwrap_or(name));
    let shares = || [&roots.data].into_iter().chain(&roots.shared);
    shares().find_map(|share| {
        let sizes = SIZES.map(|size| share.join(format!("icons/hicolor/{size}/apps")).join(&file));
        first_inside(share, sizes)
    })
}

/// Where a program lies, if it is there and may be run.
pub(super) fn find_program(program: &str) -> Option<PathBuf> {
    let runs = |path: &PathBuf| {
        path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(runs);
    }
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).map(|folder| folder.join(program)).find(runs)
}

#[cfg(test)]
mod tests {
    use super::super::scan::tests::roots;
    use super::super::scratch::Scratch;
    use super::*;

    fn look(dir: &Scratch) -> (Vec<Found>, Vec<String>) {
        let mut reader = Reader::new();
        let found = scan(&roots(dir), &mut reader);
        (found, reader.into_problems())
    }

    fn with(dir: &Scratch, file: &str, lines: &str) {
        let text = format!("[Desktop Entry]\nType=Application\nName={file}\nExec=run {file}\n{lines}\n");
        dir.write(&format!("usr/share/applications/{file}.desktop"), text);
    }

    #[test]
    fn games_are_found_and_nothing_else() {
        let dir = Scratch::new("desktop");
        with(&dir, "game", "Categories=Game;ActionGame;\nPath=/opt/game\nIcon=game");
        with(&dir, "office", "Categories=Office;");
        with(&dir, "hidden", "Categories=Game;\nNoDisplay=true");
        with(&dir, "text", "Categories=Game;\nTerminal=true");
        with(&dir, "gone", "Categories=Game;\nTryExec=/no/such/program");
        with(&dir, "steam", "Categories=Game;\nName=x");
        let lines = "[Desktop Entry]\nType=Application\nName=x\nCategories=Game;\nExec=";
        for (name, exec) in [
            ("launcher", "/usr/games/steam %U"),
            ("of-steam", "xdg-open steam://rungameid/220"),
            ("of-lutris", "env X=1 lutris:rungameid/3"),
            ("flatpak", "/usr/bin/flatpak run org.example.Kart"),
        ] {
            dir.write(&format!("usr/share/applications/{name}.desktop"), format!("{lines}{exec}\n"));
        }
        with(&dir, "sub/nested", "Categories=Game;");
        with(&dir, "overridden", "Categories=Game;");
        dir.write("home/.local/share/applications/overridden.desktop", "[Desktop Entry]\nHidden=true\n");
        dir.write("usr/share/applications/broken.desktop", b"\xff\xfe[Desktop Entry]\n");
        dir.write("usr/share/applications/long.desktop", "x".repeat(entry::MAX_LEN + 1));
        let icon = dir.write("usr/share/icons/hicolor/256x256/apps/game.png", "x");
        let (found, problems) = look(&dir);
        let mut titles: Vec<_> = found.iter().map(|found| found.title.as_str()).collect();
        titles.sort_unstable();
        assert_eq!(titles, ["game", "steam", "sub/nested"]);
        let game = found.iter().find(|found| found.title == "game").unwrap();
        assert_eq!(
            (game.key.as_str(), &game.argv[..]),
            ("game.desktop", &["run".to_owned(), "game".to_owned()][..])
        );
        assert_eq!((game.dir.as_deref(), game.art.as_ref()), (Some(Path::new("/opt/game")), Some(&icon)));
        assert_eq!(problems.len(), 1, "the long one: {problems:?}");
    }

    #[test]
    fn an_icon_is_one_name_in_its_folder() {
        let dir = Scratch::new("desktop-icon");
        dir.write("usr/share/icons/hicolor/256x256/secret.png", "x");
        for name in ["", "../secret", "/etc/passwd", "..", "none"] {
            assert_eq!(icon(&roots(&dir), name), None, "{name}");
        }
    }
}
