//! The library as a whole: the list, what the owner may change, launches.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use super::art::tests::png;
use super::commands::Runner;
use super::scan::tests::{ALL, roots};
use super::scratch::Scratch;
use super::*;
use crate::config::{AppKind, Config, DESKTOP_ID, TEST_CARD_ID};
use crate::session::Mode;

const SETTINGS: &str = "[[app]]\nname = 'Browser'\ncommand = 'firefox'\nenv = { A = '1' }";
const SEAT: SeatKey = [7; 16];

fn open(dir: &Scratch) -> Library {
    let apps = Config::parse(SETTINGS, Path::new("f")).unwrap().apps;
    let runner = Runner { uid: 1000 };
    Library::with(apps, &dir.path().join("state"), roots(dir), ALL, runner).unwrap()
}

fn library(dir: &Scratch) -> Library {
    std::fs::create_dir_all(dir.path().join("state")).unwrap();
    open(dir)
}

fn game(dir: &Scratch, id: u32, title: &str) {
    let text = format!("\"AppState\" {{ \"appid\" \"{id}\" \"name\" \"{title}\" \"StateFlags\" \"4\" }}");
    dir.write(&format!("home/.local/share/Steam/steamapps/appmanifest_{id}.acf"), text);
}

fn own(title: &str, command: &str) -> Change {
    Change { title: Some(title.to_owned()), command: Some(command.to_owned()), ..Change::default() }
}

fn step(run: &str, undo: Option<&str>) -> Step {
    Step { run: run.to_owned(), undo: undo.map(str::to_owned) }
}

fn titles(library: &Library) -> Vec<String> {
    library.programs().into_iter().map(|program| program.title).collect()
}

fn occasion() -> Occasion<'static> {
    Occasion { seat: SEAT, client_name: "tv", mode: Mode { width: 640, height: 480, fps: 30 } }
}

#[test]
fn everything_is_in_one_list_each_with_a_number_of_its_own() {
    let dir = Scratch::new("list");
    game(&dir, 620, "Portal 2");
    game(&dir, 220, "Half-Life 2");
    let library = library(&dir);
    library.add(&own("Mine", "mine --go")).unwrap();
    assert_eq!(
        titles(&library),
        ["Desktop", "Test card", "Browser", "Mine", "Half-Life 2", "Portal 2", "Steam Big Picture"]
    );
    let apps = library.apps();
    let sources: Vec<_> = apps.iter().map(|app| app.source.name()).collect();
    assert_eq!(sources, ["builtin", "builtin", "config", "custom", "steam", "steam", "steam"]);
    assert_eq!(apps[2].launch, "firefox");
    assert_eq!((apps[3].launch.as_str(), apps[3].command.as_deref()), ("mine --go", Some("mine --go")));
    assert_eq!(apps[4].launch, "Steam: 220");
    let ids: HashSet<_> = apps.iter().map(|app| app.id).collect();
    assert_eq!(ids.len(), apps.len());
    assert!(apps[2..].iter().all(|app| (1000..1 << 31).contains(&app.id)));
}

#[test]
fn numbers_stay_whatever_is_added_renamed_or_started_again() {
    let dir = Scratch::new("stable");
    game(&dir, 620, "Portal 2");
    let library = library(&dir);
    let mine = library.add(&own("Mine", "mine")).unwrap().id;
    let portal = library.apps().iter().find(|app| app.title == "Portal 2").unwrap().id;
    // Written down: clients keep pictures by it, also over updates of the host.
    assert_eq!(portal, 1_611_029_024);
    game(&dir, 7, "A game before it");
    library.scan();
    library.change(mine, &own("Yours", "other")).unwrap();
    let again = open(&dir);
    let id = |title: &str| again.apps().iter().find(|app| app.title == title).map(|app| app.id);
    assert_eq!((id("Yours"), id("Portal 2"), id("Mine")), (Some(mine), Some(portal), None));
    // The name of one that is gone may be taken: by another number when the old one is in use.
    let other = again.add(&own("Mine", "x")).unwrap().id;
    assert_ne!(other, mine);
}

#[test]
fn the_owners_order_is_kept_and_new_ones_follow() {
    let dir = Scratch::new("order");
    let library = library(&dir);
    let mine = library.add(&own("Mine", "mine")).unwrap().id;
    library.reorder(vec![mine, TEST_CARD_ID]).unwrap();
    assert_eq!(titles(&library), ["Mine", "Test card", "Desktop", "Browser"]);
    library.add(&own("Newer", "x")).unwrap();
    assert_eq!(titles(&open(&dir)), ["Mine", "Test card", "Desktop", "Browser", "Newer"]);
    assert!(matches!(library.reorder(vec![mine, 77]), Err(LibraryError::NotFound(77))));
    assert!(matches!(library.reorder(vec![mine, mine]), Err(LibraryError::Invalid { field: "ids", .. })));
}

#[test]
fn what_the_owner_says_reaches_sessions() {
    let dir = Scratch::new("change");
    game(&dir, 220, "Half-Life 2");
    let library = library(&dir);
    let id = library.apps().iter().find(|app| app.title == "Half-Life 2").unwrap().id;
    let mut changes = library.changes();
    changes.mark_unchanged();
    let prefer =
        Prefer { codec: Some("hevc".into()), width: Some(800), height: Some(600), ..Prefer::default() };
    let env = BTreeMap::from([("MANGOHUD".to_owned(), "1".to_owned())]);
    let change = Change { env: Some(env), prefer: Some(prefer), hidden: Some(true), ..Change::default() };
    library.change(id, &change).unwrap();
    assert!(changes.has_changed().unwrap());
    let program = open(&dir).program(id).unwrap();
    assert!(program.hidden);
    assert_eq!(program.prefer.mode(), Mode { width: 800, height: 600, fps: 60 });
    let AppKind::Command { env, .. } = program.kind else { panic!() };
    assert_eq!(env["MANGOHUD"], "1");
    // Going back to nothing leaves nothing behind.
    let nothing = Change {
        env: Some(BTreeMap::new()),
        prefer: Some(Prefer::default()),
        hidden: Some(false),
        ..Change::default()
    };
    library.change(id, &nothing).unwrap();
    let text = std::fs::read_to_string(dir.path().join("state/library.json")).unwrap();
    assert!(!text.contains("MANGOHUD") && text.contains("\"notes\": {}"), "{text}");
}

#[test]
fn what_is_kept_elsewhere_is_not_changed_here() {
    let dir = Scratch::new("fixed");
    game(&dir, 220, "Half-Life 2");
    let library = library(&dir);
    let id = |title: &str| library.apps().iter().find(|app| app.title == title).unwrap().id;
    let (browser, steam) = (id("Browser"), id("Half-Life 2"));
    let prep = Change { prep: Some(vec![step("true", None)]), ..Change::default() };
    let hide = Change { hidden: Some(true), ..Change::default() };
    for (id, change, may) in [
        (browser, own("x", "x"), false),
        (browser, prep.clone(), false),
        (browser, hide.clone(), true),
        (DESKTOP_ID, own("x", "x"), false),
        (DESKTOP_ID, prep.clone(), true),
        (DESKTOP_ID, hide, true),
        (steam, own("x", "x"), false),
        (browser, own("Browser", "firefox"), false),
        (browser, Change { title: Some("Browser".to_owned()), ..Change::default() }, true),
        (steam, Change { title: Some("Half-Life".to_owned()), ..Change::default() }, true),
        (steam, prep, true),
    ] {
        let changed = library.change(id, &change);
        assert_eq!(changed.is_ok(), may, "{id}: {changed:?}");
        assert!(may || matches!(changed, Err(LibraryError::Fixed(_))));
    }
    for id in [browser, DESKTOP_ID, steam] {
        assert!(matches!(library.remove(id), Err(LibraryError::Fixed(_))));
    }
    assert!(matches!(library.remove(77), Err(LibraryError::NotFound(77))));
    for (new, wrong) in [(own("Browser", "x"), "title"), (own("", "x"), "title"), (own("x", ""), "command")] {
        assert!(matches!(library.add(&new), Err(LibraryError::Invalid { field, .. }) if field == wrong));
    }
    assert!(matches!(library.add(&Change::default()), Err(LibraryError::Invalid { field: "title", .. })));
}

#[test]
fn a_picture_of_the_owners_wins_and_goes_with_its_application() {
    let dir = Scratch::new("picture");
    game(&dir, 220, "Half-Life 2");
    let cover = png(600, 900);
    dir.write("home/.local/share/Steam/appcache/librarycache/220_library_600x900.jpg", &cover);
    let library = library(&dir);
    let id = library.apps().iter().find(|app| app.title == "Half-Life 2").unwrap().id;
    assert!(library.app(id).unwrap().has_art);
    assert_eq!(Catalogue::art(&library, id).unwrap().bytes, cover);
    library.set_art(id, &png(1, 1)).unwrap();
    assert_eq!(Catalogue::art(&library, id).unwrap().bytes, png(1, 1));
    library.clear_art(id).unwrap();
    assert_eq!(Catalogue::art(&library, id).unwrap().bytes, cover);
    assert!(matches!(library.set_art(id, b"no picture"), Err(LibraryError::Invalid { field: "data", .. })));
    assert!(matches!(library.set_art(77, &cover), Err(LibraryError::NotFound(77))));
    let mine = library.add(&own("Mine", "x")).unwrap().id;
    library.set_art(mine, &cover).unwrap();
    library.remove(mine).unwrap();
    let again = library.add(&own("Mine", "x")).unwrap();
    assert!(!again.has_art, "it is another application");
}

#[test]
fn a_launch_is_prepared_in_order_and_undone_in_reverse() {
    let dir = Scratch::new("prepare");
    let library = library(&dir);
    let log = dir.path().join("log");
    let say =
        |word: &str| format!("echo {word} $PUNKTFUNK_CLIENT_NAME $PUNKTFUNK_WIDTH $X >> {}", log.display());
    let prep = vec![
        step(&say("one"), Some(&say("un-one"))),
        step(&say("two"), None),
        step("", Some(&say("un-three"))),
    ];
    let env = BTreeMap::from([("X".to_owned(), "y".to_owned())]);
    let new = Change { prep: Some(prep), env: Some(env), ..own("Mine", "x") };
    let id = library.add(&new).unwrap().id;
    let program = library.program(id).unwrap();
    library.prepare(&program, &occasion()).unwrap();
    let said = || std::fs::read_to_string(&log).unwrap_or_default();
    assert_eq!(said(), "one tv 640 y\ntwo tv 640 y\n");
    library.undo(SEAT);
    library.undo(SEAT);
    assert_eq!(said(), "one tv 640 y\ntwo tv 640 y\nun-three tv 640 y\nun-one tv 640 y\n");
}

#[test]
fn a_step_that_fails_stops_the_launch_and_those_done_are_undone() {
    let dir = Scratch::new("prepare-fail");
    let library = library(&dir);
    let log = dir.path().join("log");
    let say = |word: &str| format!("echo {word} >> {}", log.display());
    let prep = vec![
        step(&say("one"), Some(&say("un-one"))),
        step("echo no lamp >&2; false", Some(&say("un-two"))),
        step(&say("three"), None),
    ];
    let id = library.add(&Change { prep: Some(prep), ..own("Mine", "x") }).unwrap().id;
    let why = library.prepare(&library.program(id).unwrap(), &occasion()).unwrap_err();
    assert!(why.starts_with("Mine was not started: `echo no lamp") && why.ends_with("no lamp"), "{why}");
    library.undo(SEAT);
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "one\nun-one\n");
}

#[test]
fn a_host_after_this_one_undoes_what_has_no_seat_any_more() {
    let dir = Scratch::new("recover");
    let log = dir.path().join("log");
    {
        let library = library(&dir);
        let undo = format!("echo $PUNKTFUNK_CLIENT_NAME >> {}", log.display());
        let id = library
            .add(&Change { prep: Some(vec![step("true", Some(&undo))]), ..own("Mine", "x") })
            .unwrap()
            .id;
        let program = library.program(id).unwrap();
        library.prepare(&program, &occasion()).unwrap();
        library.prepare(&program, &Occasion { seat: [8; 16], client_name: "phone", ..occasion() }).unwrap();
    }
    let library = open(&dir);
    library.recover(&[[8; 16]]);
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while library.0.journal.seats() != [[8; 16]] {
        assert!(std::time::Instant::now() < deadline);
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "tv\n", "the other still plays");
    library.undo([8; 16]);
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "tv\nphone\n");
}

#[test]
fn a_library_that_is_not_understood_stops_the_host_and_is_left_as_it_is() {
    let dir = Scratch::new("damaged");
    drop(library(&dir));
    for text in ["{\"version\": 2}", "{", "{\"version\": 1, \"custom\": 7}"] {
        let file = dir.write("state/library.json", text);
        let apps = Config::default().apps;
        let runner = Runner { uid: 1000 };
        let opened = Library::with(apps, file.parent().unwrap(), roots(&dir), ALL, runner);
        assert!(opened.is_err(), "{text}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    }
}

#[test]
fn what_is_installed_later_is_found_by_looking_again() {
    let dir = Scratch::new("again");
    let library = library(&dir);
    let mut changes = library.changes();
    changes.mark_unchanged();
    library.scan();
    assert!(!changes.has_changed().unwrap(), "nothing new");
    game(&dir, 220, "Half-Life 2");
    let scanned = library.scan();
    assert_eq!(scanned.by_source.iter().find(|(source, _)| *source == "steam"), Some(&("steam", 2)));
    assert!(changes.has_changed().unwrap());
    assert!(titles(&library).contains(&"Half-Life 2".to_owned()));
}
