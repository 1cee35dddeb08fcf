//! Games of Steam: its libraries, its shortcuts to other programs, and its own big screen.
//!
//! Read are `libraryfolders.vdf`, one `appmanifest_ID.acf` for each game, `shortcuts.vdf`
//! and the pictures that Steam keeps. Tools, runtimes and Proton are left out. Steam runs
//! once for a user: [`super::steam_play`] sees to that.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::files::{Reader, first_inside};
use super::scan::{Found, Guard, Roots, Source};
use super::vdf::{self, Tree, Value};

/// The name of Steam in Flatpak.
pub(super) const FLATPAK_ID: &str = "com.valvesoftware.Steam";
/// A larger file of Steam is none of those read here.
const MAX_FILE: u64 = 8 << 20;
/// `StateFlags` of a game that is installed whole.
const INSTALLED: u32 = 4;
/// Parts of games that are installed like games: redistributables and the runtime of VR.
const TOOLS: [u32; 2] = [228_980, 250_820];
/// What titles of tools begin with, for one whose files are not there yet.
const TOOL_TITLES: [&str; 7] = [
    "Steam Linux Runtime",
    "Proton Experimental",
    "Proton Hotfix",
    "Proton Next",
    "Proton BattlEye Runtime",
    "Proton EasyAntiCheat Runtime",
    "Steamworks Common Redistributables",
];

/// Every game of every Steam of this user.
pub(super) fn scan(roots: &Roots, reader: &mut Reader) -> Vec<Found> {
    let flatpak_home = roots.home.join(".var/app").join(FLATPAK_ID);
    let native = [roots.data.join("Steam"), roots.home.join(".steam/steam"), roots.home.join(".steam/root")];
    let flatpak = [".local/share/Steam", "data/Steam", ".steam/steam"].map(|root| flatpak_home.join(root));
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    for (folders, is_flatpak) in [(native, false), (flatpak, true)] {
        for folder in folders {
            // Two of these names are links to the third.
            let Ok(real) = folder.canonicalize() else { continue };
            if seen.insert(real) && folder.join("steamapps").is_dir() {
                let steam = Steam { root: folder, launcher: roots.launcher.clone(), is_flatpak };
                found.extend(steam.games(reader));
            }
        }
    }
    found
}

struct Steam {
    root: PathBuf,
    launcher: PathBuf,
    is_flatpak: bool,
}

impl Steam {
    fn games(&self, reader: &mut Reader) -> Vec<Found> {
        let mut found = vec![self.found("big-picture", "Steam Big Picture", "big-picture")];
        for library in self.libraries(reader) {
            for file in reader.list(&library.join("steamapps")) {
                let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
                if name.starts_with("appmanifest_") && name.ends_with(".acf") {
                    found.extend(self.game(reader, &library, &file));
                }
            }
        }
        for user in reader.list(&self.root.join("userdata")) {
            found.extend(self.shortcuts(reader, &user.join("config")));
        }
        found
    }

    fn found(&self, key: &str, title: &str, what: &str) -> Found {
        let launcher = self.launcher.to_string_lossy();
        let mut argv = vec![&*launcher, "steam-game", what];
        if self.is_flatpak {
            argv.push("--flatpak");
        }
        let key = if self.is_flatpak { format!("flatpak:{key}") } else { key.to_owned() };
        let mut found = Found::new(Source::Steam, key, title, &argv);
        found.guard = Some(Guard::Steam { flatpak: self.is_flatpak });
        found
    }

    /// The folders that games are installed in; Steam's own is always one.
    fn libraries(&self, reader: &mut Reader) -> Vec<PathBuf> {
        let mut libraries = vec![self.root.clone()];
        for file in ["steamapps/libraryfolders.vdf", "config/libraryfolders.vdf"] {
            let file = self.root.join(file);
            let Some(tree) = read(reader, &file) else { continue };
            let Some(folders) = tree.tree("libraryfolders") else { continue };
            for (number, value) in folders.iter().filter(|(name, _)| name.parse::<u32>().is_ok()) {
                let path = match value {
                    Value::Tree(tree) => tree.text("path"),
                    // As it was until 2021.
                    Value::Text(path) => Some(path.as_str()),
                    Value::Number(_) => None,
                };
                match path.map(PathBuf::from).filter(|path| path.is_absolute()) {
                    Some(path) => libraries.push(path),
                    None => reader.problem(&file, &format_args!("library {number} has no path")),
                }
            }
        }
        let mut seen = HashSet::new();
        libraries.retain(|path| path.canonicalize().is_ok_and(|real| seen.insert(real)));
        libraries
    }

    fn game(&self, reader: &mut Reader, library: &Path, manifest: &Path) -> Option<Found> {
        let tree = read(reader, manifest)?;
        let Some(state) = tree.tree("AppState") else {
            reader.problem(manifest, &"it says nothing about a game");
            return None;
        };
        let (Some(id), Some(title)) = (state.number("appid"), state.text("name")) else {
            reader.problem(manifest, &"the game has no number or no name");
            return None;
        };
        let installed = state.number("StateFlags").is_some_and(|flags| flags & INSTALLED != 0);
        if !installed || is_tool(id, title, library, state.text("installdir")) {
            return None;
        }
        let mut found = self.found(&id.to_string(), title, &id.to_string());
        found.art = self.art(reader, id);
        Some(found)
    }

    /// What the user added to Steam that is not of Steam.
    fn shortcuts(&self, reader: &mut Reader, config: &Path) -> Vec<Found> {
        let file = config.join("shortcuts.vdf");
        let Some(bytes) = reader.read(&file, MAX_FILE) else { return Vec::new() };
        let tree = match vdf::parse_binary(&bytes) {
            Ok(tree) => tree,
            Err(error) => {
                reader.problem(&file, &error);
                return Vec::new();
            }
        };
        let Some(shortcuts) = tree.tree("shortcuts") else { return Vec::new() };
        let mut found = Vec::new();
        for (_, value) in shortcuts.iter() {
            let Value::Tree(shortcut) = value else { continue };
            let (Some(id), Some(title)) = (shortcut.number("appid"), shortcut.text("AppName")) else {
                continue;
            };
            if id == 0 || shortcut.number("IsHidden").is_some_and(|hidden| hidden != 0) {
                continue;
            }
            // Steam's number of a shortcut that can be started: 32 bits of its own above a mark.
            let game = (u64::from(id) << 32) | 0x0200_0000;
            let mut game = self.found(&format!("shortcut:{id}"), title, &game.to_string());
            let grid = config.join("grid");
            game.art = first_inside(&self.root, ["png", "jpg"].map(|end| grid.join(format!("{id}p.{end}"))));
            found.push(game);
        }
        found
    }

    /// The upright picture of a game: the user's own, else what Steam keeps, in one folder
    /// for each game, with or without a folder of a hash in it, or in one for all.
    fn art(&self, reader: &mut Reader, id: u32) -> Option<PathBuf> {
        let cache = self.root.join("appcache/librarycache");
        let of_game = cache.join(id.to_string());
        let mut candidates = Vec::new();
        for user in reader.list(&self.root.join("userdata")) {
            let grid = user.join("config/grid");
            candidates.extend(["png", "jpg"].map(|end| grid.join(format!("{id}p.{end}"))));
        }
        candidates.push(cache.join(format!("{id}_library_600x900.jpg")));
        let mut folders = vec![of_game.clone()];
        folders.extend(reader.list(&of_game).into_iter().filter(|entry| entry.is_dir()));
        for name in ["library_600x900.jpg", "library_capsule.jpg", "header.jpg", "library_header.jpg"] {
            candidates.extend(folders.iter().map(|folder| folder.join(name)));
        }
        candidates.push(cache.join(format!("{id}_header.jpg")));
        first_inside(&self.root, candidates)
    }
}

fn read(reader: &mut Reader, file: &Path) -> Option<Tree> {
    let text = reader.text(file, MAX_FILE)?;
    vdf::parse(&text).inspect_err(|error| reader.problem(file, error)).ok()
}

/// True for what games run on and nobody plays.
fn is_tool(id: u32, title: &str, library: &Path, folder: Option<&str>) -> bool {
    let numbered = |title: &str| title.starts_with(|c: char| c.is_ascii_digit());
    if TOOLS.contains(&id)
        || TOOL_TITLES.iter().any(|tool| title.starts_with(tool))
        || title.strip_prefix("Proton ").is_some_and(numbered)
    {
        return true;
    }
    // What lets other games run says so with this file. The name must stay one component.
    let folder = folder.filter(|folder| !folder.contains('/') && !matches!(*folder, "" | "." | ".."));
    folder
        .is_some_and(|folder| library.join("steamapps/common").join(folder).join("toolmanifest.vdf").exists())
}

#[cfg(test)]
mod tests {
    use super::super::scan::tests::roots;
    use super::super::scratch::Scratch;
    use super::*;

    const HOME: &str = "home/.local/share/Steam";

    fn look(dir: &Scratch) -> (Vec<Found>, Vec<String>) {
        let mut reader = Reader::new();
        let found = scan(&roots(dir), &mut reader);
        (found, reader.into_problems())
    }

    fn titles(found: &[Found]) -> Vec<&str> {
        found.iter().map(|found| found.title.as_str()).collect()
    }

    fn manifest(id: u32, title: &str, flags: u32) -> String {
        format!(
            "\"AppState\"\n{{\n\"appid\" \"{id}\"\n\"name\" \"{title}\"\n\"StateFlags\" \"{flags}\"\n\"installdir\" \"Dir {id}\"\n}}\n"
        )
    }

    #[test]
    fn games_of_every_library_are_found_and_tools_are_not() {
        let dir = Scratch::new("steam");
        let second = dir.path().join("disk/SteamLibrary");
        let folders = std::fs::read_to_string(dir.copy("libraryfolders.vdf", "folders")).unwrap();
        let folders = folders.replace("SECOND", &second.to_string_lossy());
        dir.write(&format!("{HOME}/steamapps/libraryfolders.vdf"), &folders);
        dir.write(&format!("{HOME}/config/libraryfolders.vdf"), &folders);
        dir.copy("appmanifest_220.acf", &format!("{HOME}/steamapps/appmanifest_220.acf"));
        let more = |id, title, flags| {
            dir.write(
                &format!("disk/SteamLibrary/steamapps/appmanifest_{id}.acf"),
                manifest(id, title, flags),
            );
        };
        more(620, "Portal 2", 4);
        more(7, "Half downloaded", 1026);
        more(8, "Being updated", 6);
        more(228_980, "Steamworks Common Redistributables", 4);
        more(1_493_710, "Proton Experimental", 4);
        more(9, "Proton 9.0", 4);
        more(10, "Proton Pulse", 4);
        more(11, "A tool by its files", 4);
        dir.write("disk/SteamLibrary/steamapps/common/Dir 11/toolmanifest.vdf", "");
        // Both are how Steam names its own folder.
        std::fs::create_dir_all(dir.path().join("home/.steam")).unwrap();
        std::os::unix::fs::symlink(dir.path().join(HOME), dir.path().join("home/.steam/steam")).unwrap();
        let (found, problems) = look(&dir);
        assert_eq!(
            titles(&found),
            ["Steam Big Picture", "Half-Life 2", "Proton Pulse", "Portal 2", "Being updated"]
        );
        assert!(problems.is_empty(), "{problems:?}");
        let game = &found[1];
        assert_eq!((game.source, game.key.as_str()), (Source::Steam, "220"));
        assert_eq!(game.argv, ["/bin/punktfunk-host", "steam-game", "220"]);
        assert_eq!(game.guard, Some(Guard::Steam { flatpak: false }));
    }

    #[test]
    fn steam_in_flatpak_is_another() {
        let dir = Scratch::new("steam-flatpak");
        let root = format!("home/.var/app/{FLATPAK_ID}/.local/share/Steam");
        dir.copy("appmanifest_220.acf", &format!("{root}/steamapps/appmanifest_220.acf"));
        let (found, _) = look(&dir);
        assert_eq!(found[1].key, "flatpak:220");
        assert_eq!(found[1].argv, ["/bin/punktfunk-host", "steam-game", "220", "--flatpak"]);
        assert_eq!(found[1].guard, Some(Guard::Steam { flatpak: true }));
    }

    #[test]
    fn shortcuts_to_other_programs_are_found() {
        let dir = Scratch::new("steam-shortcuts");
        std::fs::create_dir_all(dir.path().join(HOME).join("steamapps")).unwrap();
        let config = format!("{HOME}/userdata/123/config");
        dir.copy("shortcuts.vdf", &format!("{config}/shortcuts.vdf"));
        let art = dir.write(&format!("{config}/grid/2789567361p.png"), "x");
        let (found, problems) = look(&dir);
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(titles(&found), ["Steam Big Picture", "My emulator"], "hidden ones are left out");
        assert_eq!(found[1].key, "shortcut:2789567361");
        assert_eq!(found[1].argv[2], ((2_789_567_361_u64 << 32) | 0x0200_0000).to_string());
        assert_eq!(found[1].art, Some(art));
    }

    #[test]
    fn pictures_are_found_wherever_steam_keeps_them() {
        for (file, better) in [
            ("220_header.jpg", "220/header.jpg"),
            ("220/0123abcd/library_capsule.jpg", "220/library_600x900.jpg"),
            ("220/library_600x900.jpg", "220_library_600x900.jpg"),
        ] {
            let dir = Scratch::new("steam-art");
            dir.copy("appmanifest_220.acf", &format!("{HOME}/steamapps/appmanifest_220.acf"));
            let art = dir.write(&format!("{HOME}/appcache/librarycache/{file}"), "x");
            assert_eq!(look(&dir).0[1].art, Some(art), "{file}");
            let art = dir.write(&format!("{HOME}/appcache/librarycache/{better}"), "x");
            assert_eq!(look(&dir).0[1].art, Some(art), "{better}");
            let art = dir.write(&format!("{HOME}/userdata/1/config/grid/220p.jpg"), "x");
            assert_eq!(look(&dir).0[1].art, Some(art), "the user's own comes first");
        }
    }

    #[test]
    fn broken_files_are_told_of_and_the_rest_is_found() {
        let dir = Scratch::new("steam-broken");
        let steamapps = format!("{HOME}/steamapps");
        dir.write(
            &format!("{steamapps}/libraryfolders.vdf"),
            "\"libraryfolders\" { \"0\" { } \"1\" \"/nowhere\"",
        );
        dir.write(&format!("{steamapps}/appmanifest_1.acf"), "");
        dir.write(&format!("{steamapps}/appmanifest_2.acf"), "\"AppState\" { \"appid\" \"2\" ");
        dir.write(
            &format!("{steamapps}/appmanifest_3.acf"),
            "\"AppState\" { \"appid\" \"three\" \"name\" \"x\" }",
        );
        dir.write(&format!("{steamapps}/appmanifest_4.acf"), b"\xff\xfe\0\x01".repeat(100));
        dir.write(&format!("{steamapps}/appmanifest_5.acf"), manifest(5, "Whole", 4));
        dir.write(&format!("{steamapps}/appmanifest_6.acf"), vec![b' '; (MAX_FILE + 1) as usize]);
        std::fs::create_dir_all(dir.path().join(&steamapps).join("appmanifest_7.acf")).unwrap();
        dir.write(&format!("{HOME}/userdata/1/config/shortcuts.vdf"), b"\0shortcuts\0\x01");
        let (found, problems) = look(&dir);
        assert_eq!(titles(&found), ["Steam Big Picture", "Whole"]);
        assert_eq!(problems.len(), 8, "{problems:#?}");
    }
}
