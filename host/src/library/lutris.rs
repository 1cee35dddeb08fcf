//! Games of Lutris: the table `games` of its database, and the pictures beside it.
//!
//! The database is read as a file by [`super::sqlite`]: a few hundred lines of ours
//! instead of a library that every form of installation would have to bring. Games that
//! Lutris knows of Steam are left out: Steam's own scanner finds them.

use std::path::{Path, PathBuf};

use super::files::{Reader, first_inside};
use super::scan::{Found, Roots, Source};
use super::sqlite::Table;

/// The name of Lutris in Flatpak.
pub(super) const FLATPAK_ID: &str = "net.lutris.Lutris";
/// A database of ten thousand games is smaller.
const MAX_FILE: u64 = 64 << 20;

/// Every installed game of every Lutris of this user.
pub(super) fn scan(roots: &Roots, reader: &mut Reader) -> Vec<Found> {
    let home = &roots.home;
    let flatpak = home.join(".var/app").join(FLATPAK_ID);
    let native = Lutris {
        data: roots.data.join("lutris"),
        cache: home.join(".cache/lutris"),
        command: &["lutris"],
        prefix: "",
    };
    let flatpak = Lutris {
        data: flatpak.join("data/lutris"),
        cache: flatpak.join("cache/lutris"),
        command: &["flatpak", "run", FLATPAK_ID],
        prefix: "flatpak:",
    };
    [native, flatpak].iter().flat_map(|lutris| lutris.games(reader)).collect()
}

struct Lutris {
    data: PathBuf,
    cache: PathBuf,
    command: &'static [&'static str],
    prefix: &'static str,
}

impl Lutris {
    fn games(&self, reader: &mut Reader) -> Vec<Found> {
        let file = self.data.join("pga.db");
        let Some(bytes) = reader.read(&file, MAX_FILE) else { return Vec::new() };
        let table = match Table::read(&bytes, "games") {
            Ok(table) => table,
            Err(error) => {
                reader.problem(&file, &error);
                return Vec::new();
            }
        };
        let mut found = Vec::new();
        for row in table.rows() {
            let (Some(id), Some(title)) = (row.integer("id"), row.text("name")) else { continue };
            if row.integer("installed") != Some(1)
                || row.integer("hidden") == Some(1)
                || row.text("runner") == Some("steam")
            {
                continue;
            }
            let address = format!("lutris:rungameid/{id}");
            let argv: Vec<&str> = self.command.iter().copied().chain([address.as_str()]).collect();
            let mut game = Found::new(Source::Lutris, format!("{}{id}", self.prefix), title, &argv);
            game.art = row.text("slug").and_then(|slug| self.art(slug));
            found.push(game);
        }
        found
    }

    /// The cover, else the banner; where Lutris keeps them now, else where it did.
    fn art(&self, slug: &str) -> Option<PathBuf> {
        let plain = |c: char| c.is_alphanumeric() || "-_.".contains(c);
        if slug.is_empty() || slug.contains("..") || !slug.chars().all(plain) {
            return None;
        }
        let pictures = |root: &Path| {
            let folders = ["coverart", "banners"].map(|folder| root.join(folder));
            let files = folders
                .into_iter()
                .flat_map(|folder| ["jpg", "png"].map(|end| folder.join(format!("{slug}.{end}"))));
            first_inside(root, files)
        };
        pictures(&self.data).or_else(|| pictures(&self.cache))
    }
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

    #[test]
    fn installed_games_are_found_with_their_pictures() {
        let dir = Scratch::new("lutris");
        dir.copy("pga.db", "home/.local/share/lutris/pga.db");
        let banner = dir.write("home/.local/share/lutris/banners/old-game.jpg", "x");
        let cover = dir.write("home/.cache/lutris/coverart/wine-game.jpg", "x");
        let (found, problems) = look(&dir);
        assert!(problems.is_empty(), "{problems:?}");
        let titles: Vec<_> = found.iter().map(|found| (found.key.as_str(), found.title.as_str())).collect();
        assert_eq!(
            titles,
            [("3", "Old game"), ("7", "Wine game äöü")],
            "no others: hidden, of Steam, not there"
        );
        assert_eq!(found[0].argv, ["lutris", "lutris:rungameid/3"]);
        assert_eq!((found[0].art.as_ref(), found[1].art.as_ref()), (Some(&banner), Some(&cover)));
        let better = dir.write("home/.local/share/lutris/coverart/old-game.jpg", "x");
        assert_eq!(look(&dir).0[0].art, Some(better));
    }

    #[test]
    fn lutris_in_flatpak_is_another() {
        let dir = Scratch::new("lutris-flatpak");
        dir.copy("pga.db", &format!("home/.var/app/{FLATPAK_ID}/data/lutris/pga.db"));
        let (found, _) = look(&dir);
        assert_eq!(found[0].key, "flatpak:3");
        assert_eq!(found[0].argv, ["flatpak", "run", FLATPAK_ID, "lutris:rungameid/3"]);
    }

    #[test]
    fn broken_files_are_told_of() {
        let dir = Scratch::new("lutris-broken");
        let file = "home/.local/share/lutris/pga.db";
        let whole = std::fs::read(dir.copy("pga.db", file)).unwrap();
        for broken in [Vec::new(), b"SQLite".to_vec(), whole[..700].to_vec()] {
            dir.write(file, &broken);
            let (found, problems) = look(&dir);
            assert!(found.is_empty() && problems.len() == 1, "{} bytes: {problems:?}", broken.len());
        }
    }
}
