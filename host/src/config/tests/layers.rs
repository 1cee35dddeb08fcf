//! Which place wins.

use proptest::prelude::*;

use super::super::schema::find;
use super::super::{Layers, Roots, Settings, Source, Value};
use super::{Machine, line};

const PLACES: [(&str, Source); 4] =
    [("vendor", Source::Vendor), ("etc", Source::Etc), ("user", Source::User), ("state", Source::State)];

/// Settings with values that differ by the place that sets them.
fn value_of(key: &str, place: usize) -> Value {
    match key {
        "name" => Value::Text(format!("host {place}")),
        "sessions.max" => Value::Integer(10 + place as i64),
        "sessions.shared" | "library.steam" => Value::Bool(place.is_multiple_of(2)),
        "encoder.fec_percentage" => Value::Integer(30 + place as i64),
        "native.port" => Value::Integer(5000 + place as i64),
        "api.hosts" => Value::List(vec![format!("host{place}")]),
        "log.level" => Value::Text(format!("info,place{place}=debug")),
        _ => unreachable!(),
    }
}

const KEYS: [&str; 8] = [
    "name",
    "sessions.max",
    "sessions.shared",
    "library.steam",
    "encoder.fec_percentage",
    "native.port",
    "api.hosts",
    "log.level",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_highest_place_that_sets_a_value_wins(set in proptest::collection::vec(any::<[bool; 5]>(), KEYS.len())) {
        let machine = Machine::new();
        for (n, (place, _)) in PLACES.iter().enumerate() {
            let lines = KEYS.iter().zip(&set).filter(|(_, set)| set[n]);
            machine.write(place, lines.map(|(key, _)| line(key, &value_of(key, n))).collect::<String>());
        }
        let mut layers = machine.layers();
        for (key, _) in KEYS.iter().zip(&set).filter(|(_, set)| set[4]) {
            layers = layers.with_flag(key, value_of(key, 4), "--flag").unwrap();
        }
        let settings = Settings::open(layers).unwrap();
        let listing = settings.list();
        prop_assert!(!listing.restart_needed && settings.current().problems.is_empty());
        for (key, set) in KEYS.iter().zip(&set) {
            let shown = listing.settings.iter().find(|shown| shown.key == *key).unwrap();
            let (value, source, file) = match set.iter().rposition(|set| *set) {
                Some(4) => (Some(value_of(key, 4)), Source::Flag, Some("--flag".to_owned())),
                Some(n) => {
                    let (place, source) = PLACES[n];
                    (Some(value_of(key, n)), source, Some(machine.file(place).display().to_string()))
                }
                None => (shown.default.clone(), Source::Default, None),
            };
            prop_assert_eq!(&shown.value, &value, "{}", key);
            prop_assert_eq!(shown.source, source, "{}", key);
            prop_assert_eq!(&shown.source_file, &file, "{}", key);
            prop_assert_eq!(shown.source_line.is_some(), source != Source::Default && source != Source::Flag);
            prop_assert_eq!(shown.locked, source == Source::Flag);
            prop_assert_eq!((find(key).unwrap().read)(&settings.current()), value);
        }
    }
}

#[test]
fn a_named_file_replaces_those_of_machine_and_user() {
    let machine = Machine::new();
    machine.write("vendor", "sessions.max = 2");
    machine.write("etc", "name = 'etc'");
    machine.write("user", "name = 'user'\nsessions.shared = true");
    machine.write("state", "sessions.keep_minutes = 5");
    let named = machine.dir.join("named.toml");
    std::fs::write(&named, "encoder.fec_percentage = 7").unwrap();
    let roots = |user: bool| Roots {
        vendor: machine.dir.join("vendor"),
        etc: machine.dir.join("etc"),
        user: user.then(|| machine.dir.join("user")),
    };
    let state = machine.dir.join("state");
    for (user, source) in [(true, Source::User), (false, Source::Etc)] {
        let layers = Layers::new(&roots(user), Some(&named)).with_state(&state);
        let settings = Settings::open(layers).unwrap();
        let config = settings.current();
        assert_eq!(config.encoder.fec_percentage, 7);
        assert_eq!((config.sessions.max, config.sessions.keep_minutes), (2, 5));
        assert!(!config.sessions.shared && config.name != "etc" && config.name != "user");
        let listing = settings.list();
        let shown = listing.settings.iter().find(|shown| shown.key == "encoder.fec_percentage").unwrap();
        assert_eq!((shown.source, shown.source_line), (source, Some(1)));
    }
    let layers = Layers::new(&roots(false), None).with_state(&state);
    assert_eq!(
        Settings::open(layers).unwrap().current().name,
        "etc",
        "the machine's host has no user's file"
    );
}

#[test]
fn the_applications_of_the_highest_file_replace_the_others() {
    let machine = Machine::new();
    let app = |name: &str| format!("[[app]]\nname = '{name}'\ncommand = 'x'\n");
    machine.write("vendor", app("A") + &app("B"));
    let names = || {
        let config = Settings::open(machine.layers()).unwrap().current();
        config.apps.iter().skip(2).map(|app| app.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(), ["A", "B"]);
    machine.write("user", app("C"));
    assert_eq!(names(), ["C"]);
    machine.write("user", "app = []");
    assert!(names().is_empty(), "an empty list is a list");
}

#[test]
fn a_flag_out_of_bounds_is_refused_by_its_name() {
    let error = Layers::default().with_flag("port", Value::Integer(80), "--port").unwrap_err();
    assert_eq!(error.to_string(), "--port: `port` must be a whole number from 1029 to 65000");
    assert!(Layers::default().with_flag("prot", Value::Integer(8000), "--prot").is_err());
}

#[test]
fn the_port_base_is_known_before_the_state_directory() {
    let machine = Machine::new();
    machine.write("state", "port = 50000");
    assert_eq!(machine.layers().port_base(), 47989);
    machine.write("vendor", "port = 51000");
    machine.write("etc", "port = 52000\nnonsense = 1");
    assert_eq!(machine.layers().port_base(), 52000, "also of a file with a mistake");
    let flagged = machine.layers().with_flag("port", Value::Integer(53000), "--port").unwrap();
    assert_eq!(flagged.port_base(), 53000);
}
