//! Games of Flatpak: the desktop entries that it exports for the user and the machine.
//!
//! Only entries of the category `Game` count. Launchers that have a scanner of their own
//! are left out. `flatpak run` hands the seat's display and sound on by itself: both are
//! named in the environment.

use std::path::Path;

use super::desktop::{self, Kind};
use super::files::{Reader, first_inside};
use super::scan::{Found, Roots, Source};
use super::{heroic, lutris, steam};

/// Sizes of icons that do for a picture, best first.
const SIZES: [&str; 4] = ["512x512", "256x256", "192x192", "128x128"];

/// Every game that Flatpak has installed.
pub(super) fn scan(roots: &Roots, reader: &mut Reader) -> Vec<Found> {
    let user = roots.data.join("flatpak");
    let mut found = Vec::new();
    for installation in [user, roots.flatpak.clone()] {
        let share = installation.join("exports/share");
        for file in reader.list(&share.join("applications")) {
            found.extend(game(reader, &installation, &share, &file));
        }
    }
    found
}

fn game(reader: &mut Reader, installation: &Path, share: &Path, file: &Path) -> Option<Found> {
    let id = file.file_name()?.to_str()?.strip_suffix(".desktop")?.to_owned();
    if [steam::FLATPAK_ID, heroic::FLATPAK_ID, lutris::FLATPAK_ID].contains(&id.as_str()) {
        return None;
    }
    let (entry, argv) = desktop::game(reader, file, Kind::Flatpak)?;
    let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
    let mut found = Found::new(Source::Flatpak, id.clone(), &entry.name, &argv);
    let icons = SIZES.map(|size| share.join(format!("icons/hicolor/{size}/apps/{id}.png")));
    // The exports are links into the rest of the installation.
    found.art = first_inside(installation, icons);
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::super::scan::tests::roots;
    use super::super::scratch::Scratch;
    use super::*;

    const USER: &str = "home/.local/share/flatpak";

    fn look(dir: &Scratch) -> (Vec<Found>, Vec<String>) {
        let mut reader = Reader::new();
        let found = scan(&roots(dir), &mut reader);
        (found, reader.into_problems())
    }

    #[test]
    fn games_of_both_installations_are_found_and_nothing_else() {
        let dir = Scratch::new("flatpak");
        let applications = format!("{USER}/exports/share/applications");
        dir.copy("org.example.Kart.desktop", &format!("{applications}/org.example.Kart.desktop"));
        let text =
            std::fs::read_to_string(dir.path().join(&applications).join("org.example.Kart.desktop")).unwrap();
        dir.write(&format!("{applications}/org.example.Editor.desktop"), text.replace("Game;", "Office;"));
        dir.write(&format!("{applications}/com.valvesoftware.Steam.desktop"), &text);
        dir.write(&format!("{applications}/broken.desktop"), "[Desktop Entry\nCategories=Game;");
        let system = text.replace("Kart", "Chess").replace("Exec=/usr/bin/flatpak", "Exec=flatpak");
        dir.write("flatpak/exports/share/applications/org.example.Chess.desktop", system);
        let (found, problems) = look(&dir);
        assert!(problems.is_empty(), "{problems:?}");
        let keys: Vec<_> = found.iter().map(|found| (found.key.as_str(), found.title.as_str())).collect();
        assert_eq!(keys, [("org.example.Kart", "Kart"), ("org.example.Chess", "Chess")]);
        assert_eq!(
            found[0].argv,
            [
                "/usr/bin/flatpak",
                "run",
                "--branch=stable",
                "--arch=x86_64",
                "--command=kart",
                "org.example.Kart"
            ]
        );
    }

    #[test]
    fn the_largest_icon_is_the_picture_and_never_leaves_the_installation() {
        let dir = Scratch::new("flatpak-icon");
        let share = format!("{USER}/exports/share");
        dir.copy("org.example.Kart.desktop", &format!("{share}/applications/org.example.Kart.desktop"));
        let icon = |size: &str| format!("{share}/icons/hicolor/{size}/apps/org.example.Kart.png");
        let small = dir.write(&icon("128x128"), "x");
        assert_eq!(look(&dir).0[0].art, Some(small.clone()));
        let secret = dir.write("home/secret", "x");
        let large = dir.path().join(icon("512x512"));
        std::fs::create_dir_all(large.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(secret, &large).unwrap();
        assert_eq!(look(&dir).0[0].art, Some(small));
        let app = dir.write(&format!("{USER}/app/org.example.Kart/icon.png"), "x");
        std::fs::remove_file(&large).unwrap();
        std::os::unix::fs::symlink(app, &large).unwrap();
        assert_eq!(look(&dir).0[0].art, Some(large));
    }
}
