//! What the console changes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::super::table::SETTINGS;
use super::super::{ChangeError, Config, Settings, Shown, Source};
use super::Machine;

fn change(settings: &Settings, values: Json) -> Result<(), ChangeError> {
    settings.change(&serde_json::from_value(values).unwrap())
}

fn shown(settings: &Settings, key: &str) -> Shown {
    settings.list().settings.into_iter().find(|shown| shown.key == key).unwrap()
}

#[test]
fn what_can_apply_at_once_does_and_the_rest_waits() {
    let machine = Machine::new();
    let settings = Settings::open(machine.layers()).unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&heard);
    settings.observe(move |before, now| {
        log.lock().unwrap().push((before.name.clone(), now.name.clone(), now.sessions.max));
    });
    let before = settings.current();
    change(
        &settings,
        json!({ "name": "new", "sessions.max": 3, "encoder.fec_percentage": 5, "native.port": 5000 }),
    )
    .unwrap();
    let now = settings.current();
    assert_eq!((&*now.name, now.sessions.max), ("new", 3));
    assert_eq!((now.encoder.fec_percentage, now.native.port), (20, None), "what runs is left alone");
    assert_eq!(*heard.lock().unwrap(), [(before.name.clone(), "new".to_owned(), 3)]);
    assert!(settings.restart_needed() && settings.list().restart_needed);
    assert_eq!(shown(&settings, "encoder.fec_percentage").pending, Some(Some(5_u8.into())));
    assert_eq!(shown(&settings, "name").pending, None);
    assert_eq!(shown(&settings, "name").source, Source::State);
    let again = Settings::open(machine.layers()).unwrap();
    assert_eq!((again.current().encoder.fec_percentage, again.current().native.port), (5, Some(5000)));
    assert!(!again.restart_needed());
    change(&again, json!({ "native.port": null, "name": null })).unwrap();
    assert_eq!(shown(&again, "native.port").pending, Some(None), "it will not be set");
    assert_eq!(again.current().name, before.name, "back to the default");
    assert_eq!(serde_json::to_value(shown(&again, "native.port")).unwrap()["pending"], Json::Null);
    assert!(serde_json::to_value(shown(&again, "name")).unwrap().get("pending").is_none());
}

#[test]
fn all_is_changed_or_nothing() {
    let machine = Machine::new();
    let settings = Settings::open(machine.layers()).unwrap();
    for (values, field) in [
        (json!({ "name": "new", "sessions.max": 0 }), "sessions.max"),
        (json!({ "name": "new", "sessions.mux": 1 }), "sessions.mux"),
        (json!({ "name": "new", "sessions": {} }), "sessions"),
        (json!({ "name": "new", "keyboard.variant": "x" }), "keyboard.variant"),
        (json!({ "name": "new", "api.port": 48010 }), "api.port"),
        (json!({ "name": "new", "api.hosts": [null] }), "api.hosts"),
    ] {
        match change(&settings, values) {
            Err(ChangeError::Invalid { key, message }) => {
                assert_eq!(key, field);
                assert!(!message.contains("line"), "{message}");
            }
            other => panic!("{field}: {other:?}"),
        }
        assert!(!machine.file("state").exists());
        assert_ne!(settings.current().name, "new");
    }
}

#[test]
fn what_another_file_relies_on_stays() {
    let machine = Machine::new();
    machine.write("user", "keyboard.variant = 'nodeadkeys'\n");
    machine.write("state", "keyboard.layout = 'de'\n");
    let settings = Settings::open(machine.layers()).unwrap();
    let refused = change(&settings, json!({ "keyboard.layout": null })).unwrap_err();
    assert!(matches!(&refused, ChangeError::Invalid { key, .. } if key == "keyboard.layout"), "{refused:?}");
    assert_eq!(machine.read("state"), "keyboard.layout = 'de'\n");
    assert!(change(&settings, json!({ "keyboard.layout": "us" })).is_ok());
}

#[test]
fn what_a_flag_or_only_a_file_settles_is_locked() {
    let machine = Machine::new();
    let layers = machine.layers().with_flag("native.port", 5000_u16.into(), "--native-port").unwrap();
    let settings = Settings::open(layers).unwrap();
    assert!(shown(&settings, "native.port").locked && shown(&settings, "port").locked);
    assert!(!shown(&settings, "name").locked);
    let refused = change(&settings, json!({ "native.port": 6000 })).unwrap_err();
    assert_eq!(refused.to_string(), "--native-port wins over `native.port`: start the host without it");
    assert!(matches!(change(&settings, json!({ "port": 50000 })), Err(ChangeError::Locked { .. })));
    assert!(matches!(change(&Settings::fixed(Config::default()), json!({})), Err(ChangeError::Write(_))));
}

#[test]
fn what_else_is_in_the_file_stays_and_a_broken_one_is_kept_aside() {
    let machine = Machine::new();
    let app = "[[app]]\nname = 'x'\ncommand = 'y'\n";
    machine.write("state", format!("sessions.max = 3\n{app}"));
    let settings = Settings::open(machine.layers()).unwrap();
    change(&settings, json!({ "name": "new" })).unwrap();
    let text = machine.read("state");
    assert!(text.starts_with("# Written by the console"), "{text}");
    let config = Config::parse(&text, &machine.file("state")).unwrap();
    assert_eq!((&*config.name, config.sessions.max), ("new", 3));
    assert!(config.apps.iter().any(|app| app.name == "x"));

    machine.write("state", "sessions.max = 5\nnonsense = 1\n");
    let settings = Settings::open(machine.layers()).unwrap();
    assert_eq!(settings.current().problems.len(), 2);
    change(&settings, json!({ "name": "newer" })).unwrap();
    assert!(settings.current().problems.is_empty(), "it is mended");
    assert_eq!((&*settings.current().name, settings.current().sessions.max), ("newer", 5));
    let aside = std::fs::read_to_string(machine.dir.join("state/settings.toml.broken")).unwrap();
    assert_eq!(aside, "sessions.max = 5\nnonsense = 1\n");
}

#[test]
fn a_file_that_was_broken_since_the_start_is_not_made_worse() {
    let machine = Machine::new();
    machine.write("etc", "name = 'etc'\n");
    let settings = Settings::open(machine.layers()).unwrap();
    machine.write("etc", "name = 'etc'\nprot = 1\n");
    let refused = change(&settings, json!({ "sessions.max": 3 })).unwrap_err().to_string();
    assert!(refused.contains("etc/punktfunk.toml:2: "), "{refused}");
    assert!(!machine.file("state").exists());
}

#[test]
fn a_file_that_cannot_be_written_changes_nothing() {
    let machine = Machine::new();
    let settings = Settings::open(machine.layers()).unwrap();
    std::fs::create_dir_all(machine.dir.join("state/settings.toml.new/in the way")).unwrap();
    let before = settings.list();
    assert!(matches!(change(&settings, json!({ "name": "new" })), Err(ChangeError::Write(_))));
    assert_eq!(settings.list(), before);
    assert!(!machine.file("state").exists());
}

#[test]
fn a_half_written_file_of_a_crash_does_not_matter() {
    let machine = Machine::new();
    machine.write("state", "name = 'old'\n");
    std::fs::write(machine.dir.join("state/settings.toml.new"), "name = 'ne").unwrap();
    let settings = Settings::open(machine.layers()).unwrap();
    assert_eq!(settings.current().name, "old");
    change(&settings, json!({ "name": "new" })).unwrap();
    assert_eq!(Settings::open(machine.layers()).unwrap().current().name, "new");
}

/// JSON of every kind, often of a kind that some setting has.
fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        (0_i64..70).prop_map(Json::from),
        any::<f64>().prop_map(|number| json!(number)),
        "[ -~]{0,12}".prop_map(Json::from),
        any::<String>().prop_map(Json::from),
        prop_oneof![Just("auto"), Just("x264"), Just("::1"), Just("de"), Just("debug")].prop_map(Json::from),
    ];
    leaf.prop_recursive(2, 8, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            proptest::collection::btree_map("[a-z]{1,4}", inner, 0..3).prop_map(|map| json!(map)),
        ]
    })
}

fn any_key() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => proptest::sample::select(SETTINGS).prop_map(|setting| setting.key.to_owned()),
        1 => any::<String>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn any_change_is_refused_or_applied_and_survives_a_restart(
        changes in proptest::collection::vec(proptest::collection::btree_map(any_key(), any_json(), 0..3), 1..5)
    ) {
        let machine = Machine::new();
        let settings = Settings::open(machine.layers()).unwrap();
        for values in changes {
            let values: BTreeMap<String, Json> = values;
            let before = settings.list();
            match settings.change(&values) {
                Err(_) => prop_assert_eq!(settings.list(), before),
                Ok(()) => {
                    let after = settings.list();
                    let again = Settings::open(machine.layers()).unwrap();
                    prop_assert!(again.current().problems.is_empty(), "{:?}", again.current().problems);
                    let restarted = again.list();
                    prop_assert!(!restarted.restart_needed);
                    for (shown, then) in after.settings.iter().zip(&restarted.settings) {
                        let next = shown.pending.clone().unwrap_or_else(|| shown.value.clone());
                        prop_assert_eq!(&next, &then.value, "{}", shown.key);
                        let set = values.get(&shown.key).is_some_and(|value| !value.is_null());
                        prop_assert!(!set || then.source == Source::State, "{}", shown.key);
                    }
                }
            }
        }
    }
}
