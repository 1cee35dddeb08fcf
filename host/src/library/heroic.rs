//! Games of Heroic: what its three stores and its own list have installed.
//!
//! Read are the lists of installed games of each store, the stores' caches for the titles,
//! and the folder of pictures that Heroic has shown: each is named by the hash of where it
//! came from. Nothing is fetched.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use punktfunk_core::bytes::to_hex;
use punktfunk_core::crypto::sha256;
use serde_json::Value;

use super::files::{Reader, first_inside};
use super::scan::{Found, Guard, Roots, Source};

/// The name of Heroic in Flatpak.
pub(super) const FLATPAK_ID: &str = "com.heroicgameslauncher.hgl";
/// A cache of a store with some thousand games has some megabytes.
const MAX_FILE: u64 = 64 << 20;
/// What Heroic asks a store for in its list of games.
const SMALL: &str = "?h=400&resize=1&w=300";

/// Every installed game of every Heroic of this user.
pub(super) fn scan(roots: &Roots, reader: &mut Reader) -> Vec<Found> {
    let flatpak = roots.home.join(".var/app").join(FLATPAK_ID).join("config/heroic");
    let mut found = Vec::new();
    for (config, is_flatpak) in [(roots.config.join("heroic"), false), (flatpak, true)] {
        if config.is_dir() {
            found.extend(Heroic { config, is_flatpak }.games(reader));
        }
    }
    found
}

struct Heroic {
    config: PathBuf,
    is_flatpak: bool,
}

/// A game as its store installed it.
struct Installed {
    runner: &'static str,
    id: String,
    title: Option<String>,
}

impl Heroic {
    fn games(&self, reader: &mut Reader) -> Vec<Found> {
        let mut installed = self.epic(reader);
        installed.extend(self.gog(reader));
        installed.extend(self.amazon(reader));
        let mut known = HashMap::new();
        for (runner, file, list) in [
            ("legendary", "store_cache/legendary_library.json", "library"),
            ("gog", "store_cache/gog_library.json", "games"),
            ("nile", "store_cache/nile_library.json", "library"),
            ("sideload", "sideload_apps/library.json", "games"),
        ] {
            let Some(cache) = self.json(reader, file) else { continue };
            for game in items(&cache, list) {
                let Some(id) = text(game, "app_name") else { continue };
                if runner == "sideload" && game.get("is_installed") == Some(&Value::Bool(true)) {
                    installed.push(Installed { runner, id: id.to_owned(), title: None });
                }
                known.insert((runner, id.to_owned()), game.clone());
            }
        }
        let game = |game: &Installed| self.found(game, known.get(&(game.runner, game.id.clone())));
        installed.iter().filter_map(game).collect()
    }

    fn found(&self, game: &Installed, known: Option<&Value>) -> Option<Found> {
        let title = known.and_then(|known| text(known, "title")).or(game.title.as_deref())?;
        let (runner, id) = (game.runner, &game.id);
        let address = format!("heroic://launch?appName={}&runner={runner}", encoded(id));
        let argv: &[&str] = if self.is_flatpak {
            &["flatpak", "run", FLATPAK_ID, "--no-gui", &address]
        } else {
            &["heroic", "--no-gui", &address]
        };
        let key = format!("{}{runner}:{id}", if self.is_flatpak { "flatpak:" } else { "" });
        let mut found = Found::new(Source::Heroic, key, title, argv);
        found.guard = Some(Guard::Heroic);
        found.art = known.and_then(|known| self.art(known));
        Some(found)
    }

    /// `{ "Id": { "app_name", "title", "is_dlc" } }`
    fn epic(&self, reader: &mut Reader) -> Vec<Installed> {
        let list = self.json(reader, "legendaryConfig/legendary/installed.json");
        let list = list.as_ref().and_then(Value::as_object).into_iter().flatten();
        let games = list.filter(|(_, game)| is_game(game));
        let installed = |(id, game): (&String, &Value)| Installed {
            runner: "legendary",
            id: id.clone(),
            title: text(game, "title").map(str::to_owned),
        };
        games.map(installed).collect()
    }

    /// `{ "installed": [ { "appName", "is_dlc" } ] }`
    fn gog(&self, reader: &mut Reader) -> Vec<Installed> {
        let Some(list) = self.json(reader, "gog_store/installed.json") else { return Vec::new() };
        let games = items(&list, "installed").filter(|game| is_game(game));
        let ids = games.filter_map(|game| text(game, "appName"));
        // Files that games of this store share, under a name like one.
        let ids = ids.filter(|id| *id != "gog-redist");
        ids.map(|id| Installed { runner: "gog", id: id.to_owned(), title: None }).collect()
    }

    /// `[ { "id" } ]`
    fn amazon(&self, reader: &mut Reader) -> Vec<Installed> {
        let list = self.json(reader, "nile_config/nile/installed.json");
        let list = list.as_ref().and_then(Value::as_array).into_iter().flatten();
        let ids = list.filter_map(|game| text(game, "id"));
        ids.map(|id| Installed { runner: "nile", id: id.to_owned(), title: None }).collect()
    }

    fn json(&self, reader: &mut Reader, file: &str) -> Option<Value> {
        let file = self.config.join(file);
        let bytes = reader.read(&file, MAX_FILE)?;
        serde_json::from_slice(&bytes).inspect_err(|error| reader.problem(&file, error)).ok()
    }

    /// The upright picture first; one of the user's own lies anywhere and is left out.
    fn art(&self, known: &Value) -> Option<PathBuf> {
        let cache = self.config.join("images-cache");
        let addresses = ["art_square", "art_cover"].into_iter().filter_map(|key| text(known, key));
        let names = addresses.filter(|address| address.starts_with("http")).flat_map(|address| {
            [address.to_owned(), format!("{address}{SMALL}")].map(|address| cached(&cache, &address))
        });
        first_inside(&cache, names)
    }
}

fn cached(cache: &Path, address: &str) -> PathBuf {
    cache.join(to_hex(&sha256(&[address.as_bytes()])))
}

fn items<'a>(value: &'a Value, list: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    value.get(list).and_then(Value::as_array).into_iter().flatten()
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty())
}

fn is_game(value: &Value) -> bool {
    value.get("is_dlc") != Some(&Value::Bool(true))
}

/// For a part of an address (RFC 3986, section 2.3).
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let part = |byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(part).collect()
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

    fn install(dir: &Scratch, at: &str) {
        for (fixture, file) in [
            ("heroic-epic.json", "legendaryConfig/legendary/installed.json"),
            ("heroic-gog.json", "gog_store/installed.json"),
            ("heroic-nile.json", "nile_config/nile/installed.json"),
            ("heroic-sideload.json", "sideload_apps/library.json"),
            ("heroic-epic-library.json", "store_cache/legendary_library.json"),
            ("heroic-gog-library.json", "store_cache/gog_library.json"),
            ("heroic-nile-library.json", "store_cache/nile_library.json"),
        ] {
            dir.copy(fixture, &format!("{at}/{file}"));
        }
    }

    #[test]
    fn games_of_all_stores_are_found() {
        let dir = Scratch::new("heroic");
        install(&dir, "home/.config/heroic");
        let art =
            cached(&dir.path().join("home/.config/heroic/images-cache"), "https://example.invalid/tall.jpg");
        std::fs::create_dir_all(art.parent().unwrap()).unwrap();
        std::fs::write(&art, "x").unwrap();
        let (found, problems) = look(&dir);
        assert!(problems.is_empty(), "{problems:?}");
        let keys: Vec<_> = found.iter().map(|found| (found.key.as_str(), found.title.as_str())).collect();
        assert_eq!(
            keys,
            [
                ("legendary:Quail", "A quail's day"),
                ("gog:1207658924", "Old adventure"),
                ("nile:amzn1.adg.product.7&8", "River game"),
                ("sideload:abc", "My own"),
            ]
        );
        assert_eq!(found[0].argv, ["heroic", "--no-gui", "heroic://launch?appName=Quail&runner=legendary"]);
        assert_eq!(
            found[2].argv[2], "heroic://launch?appName=amzn1.adg.product.7%268&runner=nile",
            "an id is no second part of the address"
        );
        assert_eq!(found[1].art, Some(art));
        assert_eq!(found[0].art, None, "only what Heroic has shown is there");
        assert_eq!(found[0].guard, Some(Guard::Heroic));
    }

    #[test]
    fn heroic_in_flatpak_is_another() {
        let dir = Scratch::new("heroic-flatpak");
        install(&dir, &format!("home/.var/app/{FLATPAK_ID}/config/heroic"));
        let (found, _) = look(&dir);
        assert_eq!(found[0].key, "flatpak:legendary:Quail");
        assert_eq!(found[0].argv[..4], ["flatpak", "run", FLATPAK_ID, "--no-gui"]);
    }

    #[test]
    fn broken_files_are_told_of_and_the_rest_is_found() {
        let dir = Scratch::new("heroic-broken");
        let at = "home/.config/heroic";
        install(&dir, at);
        dir.write(&format!("{at}/gog_store/installed.json"), "{\"installed\": [");
        dir.write(&format!("{at}/nile_config/nile/installed.json"), "{\"not\": \"a list\"}");
        dir.write(&format!("{at}/store_cache/legendary_library.json"), "7");
        dir.write(&format!("{at}/sideload_apps/library.json"), b"\xff\0");
        let (found, problems) = look(&dir);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].title, "Quail", "the store's own title, without the cache");
        assert_eq!(problems.len(), 2, "{problems:?}");
        dir.write(&format!("{at}/legendaryConfig/legendary/installed.json"), "[".repeat(10_000));
        assert_eq!(look(&dir).0.len(), 0, "however deep it is nested");
    }
}
