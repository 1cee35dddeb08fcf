//! Code, reference, JSON Schema, form and changes speak about the same settings, with the
//! same defaults and the same bounds.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value as Json, json};

use super::super::schema::{Form, Kind, Preset, find};
use super::super::table::{APP_KEYS, GROUPS, SETTINGS};
use super::super::{Config, File, Settings, Value, apps, published};
use super::{Machine, docs, line};

/// The names that a type of serde expects, as its refusal of another one lists them; none
/// when it is no table.
fn names(text: &str, refusal: impl Fn(&str) -> String) -> Option<Vec<String>> {
    let message = refusal(text);
    let (_, list) = message.split_once("unknown field `no_such_key`, expected ")?;
    Some(list.split('`').skip(1).step_by(2).map(str::to_owned).collect())
}

/// Every key of the types that files are read into, found by what they refuse.
fn keys_of_the_code() -> BTreeSet<String> {
    let refusal = |text: &str| toml::from_str::<File>(text).err().map(|e| e.to_string()).unwrap_or_default();
    let mut keys = BTreeSet::new();
    for name in names("no_such_key = 1", refusal).unwrap() {
        match names(&format!("[{name}]\nno_such_key = 1"), refusal) {
            Some(inner) => keys.extend(inner.iter().map(|key| format!("{name}.{key}"))),
            None => drop(keys.insert(name)),
        }
    }
    keys
}

fn keys_of_the_schema() -> BTreeSet<String> {
    SETTINGS.iter().map(|setting| setting.key.to_owned()).collect()
}

#[test]
fn every_key_is_everywhere() {
    let keys = keys_of_the_schema();
    assert_eq!(keys.len(), SETTINGS.len(), "a key stands twice");
    assert_eq!(keys_of_the_code(), keys, "code and schema");

    let page = docs("configuration.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let documented: BTreeSet<_> = rows.map(|(key, _)| key.to_owned()).collect();
    for key in &keys {
        assert!(documented.contains(key), "{key} is not in the reference");
    }

    let schema = published::json_schema();
    let mut told = BTreeSet::new();
    for (name, inner) in schema["properties"].as_object().unwrap() {
        match inner["properties"].as_object() {
            Some(table) => told.extend(table.keys().map(|key| format!("{name}.{key}"))),
            None => drop(told.insert(name.clone())),
        }
    }
    assert!(told.remove("app"));
    assert_eq!(told, keys, "JSON Schema");

    let listing = Settings::fixed(Config::default()).list();
    assert_eq!(listing.settings.iter().map(|shown| shown.key.clone()).collect::<BTreeSet<_>>(), keys, "form");
    for shown in &listing.settings {
        assert!(GROUPS.iter().any(|(id, _)| *id == shown.group), "{} has no heading", shown.group);
        assert!(!shown.title.is_empty() && shown.help.ends_with('.'), "{} is not explained", shown.key);
    }
}

#[test]
fn the_keys_of_an_app_are_everywhere() {
    let refusal = |text: &str| toml::from_str::<apps::Entry>(text).err().map(|e| e.to_string()).unwrap();
    let code = names("name = 'x'\ncommand = 'x'\nno_such_key = 1", refusal).unwrap();
    let schema = published::json_schema();
    let item = &schema["properties"]["app"]["items"]["properties"];
    let page = docs("configuration.md");
    for key in &code {
        assert!(APP_KEYS.iter().any(|app| app.key == key), "{key} is not in the schema");
        assert!(page.contains(&format!("| `app.{key}` |")), "{key} is not in the reference");
        assert!(item[key].is_object(), "{key} is not in the JSON Schema");
    }
    assert_eq!(code.len(), APP_KEYS.len());
    assert_eq!(item.as_object().unwrap().len(), APP_KEYS.len());
}

#[test]
fn defaults_are_the_same_everywhere() {
    let code = Config::default();
    let listing = Settings::fixed(Config::default()).list();
    let schema = published::json_schema();
    for (setting, shown) in SETTINGS.iter().zip(&listing.settings) {
        let key = setting.key;
        let value = (setting.read)(&code);
        assert_eq!(shown.default, value, "{key}: form");
        assert_eq!(shown.value, value, "{key}: form");
        let told = &of_schema(&schema, key)["default"];
        match setting.preset {
            Preset::Nothing(_) => assert_eq!(value, None, "{key}"),
            // It is there, but each machine has another.
            Preset::OfMachine(_) => assert!(value.is_some(), "{key}"),
            _ => {
                assert_eq!(value, setting.preset.value(), "{key}: code");
                assert_eq!(*told, json!(value), "{key}: JSON Schema");
                continue;
            }
        }
        assert!(told.is_null(), "{key}: JSON Schema");
    }
}

/// Values that a setting may just still have, and values that it must not have.
fn edges(kind: &Kind) -> (Vec<Value>, Vec<Value>) {
    let text = |form: &Form| match form.what {
        what if what.contains("IP") => {
            (vec!["::1", "0.0.0.0", "192.168.1.20"], vec!["", "1.2.3", "host", "::1/64"])
        }
        what if what.contains("XKB") => (vec!["us,ru", "a(b):c+d-e_f"], vec!["../x", "a b", "ü"]),
        what if what.contains("DNS") => {
            (vec!["a", "games.example.net"], vec!["", "a b", "-a", "a-", "http://a"])
        }
        what if what.contains("level") => (vec!["debug", "info,a::b=trace"], vec!["", "info,x=lot"]),
        _ => (vec!["x", "ü x"], vec!["", "a\nb", "\u{7f}"]),
    };
    let texts = |list: Vec<&str>| list.into_iter().map(Value::from).collect::<Vec<_>>();
    let other = Value::Bool(true);
    match kind {
        Kind::Bool => {
            (vec![Value::Bool(true), Value::Bool(false)], vec![Value::Integer(1), Value::from("true")])
        }
        Kind::Integer { min, max, .. } => (
            vec![Value::Integer(*min), Value::Integer(*max)],
            vec![
                Value::Integer(min - 1),
                Value::Integer(max + 1),
                Value::Number(1.5),
                Value::from("1"),
                other,
            ],
        ),
        Kind::Number { min, max, .. } => (
            vec![Value::Number(*min), Value::Number(*max), Value::Integer(*max as i64)],
            vec![Value::Number(min - 0.5), Value::Number(max + 0.5), Value::from("1"), other],
        ),
        Kind::Text(form) => {
            let (good, bad) = text(form);
            let long = Value::Text("a".repeat(form.max_bytes + 1));
            let mut bad = texts(bad);
            if form.min_bytes == 0 {
                bad.retain(|text| *text != Value::from(""));
            }
            (texts(good), [bad, vec![long, other]].concat())
        }
        Kind::Choice(words) => (
            words.iter().map(|(word, _)| Value::from(*word)).collect(),
            vec![Value::from("no such word"), Value::from(""), other],
        ),
        Kind::List { max_items, item } => {
            let (good, bad) = text(item);
            let list = |text: &str| Value::List(vec![text.to_owned()]);
            let many = Value::List((0..=*max_items).map(|n| format!("a{n}")).collect());
            let twice = Value::List(vec!["a".into(), "a".into()]);
            (
                good.into_iter().map(list).chain([Value::List(Vec::new())]).collect(),
                bad.into_iter().map(list).chain([many, twice, Value::from("a"), other]).collect(),
            )
        }
    }
}

#[test]
fn bounds_are_the_same_everywhere() {
    let schema = published::json_schema();
    let machine = Machine::new();
    for setting in SETTINGS {
        let key = setting.key;
        let told = of_schema(&schema, key);
        let (good, bad) = edges(&setting.kind);
        // What needs another setting beside it has that.
        let beside = if key == "keyboard.variant" { "keyboard.layout = 'us'\n" } else { "" };
        machine.write("etc", beside);
        for (value, fits) in good.iter().map(|v| (v, true)).chain(bad.iter().map(|v| (v, false))) {
            let text = format!("{beside}{}", line(key, value));
            let read = Config::parse(&text, Path::new("f"));
            assert_eq!(read.is_ok(), fits, "code: {text}{read:?}");
            assert_eq!(setting.check(value.clone()).is_ok(), fits, "schema: {text}");
            // A pattern knows neither addresses nor filters of logs quite as the code does.
            let loose =
                ["native.bind", "api.bind", "log.level"].contains(&key) && told_by_pattern(told, value);
            assert_eq!(accepts(told, &json!(value)), fits || loose, "JSON Schema: {text}");
            if find(key).is_some_and(|s| matches!(s.reach, super::super::schema::Reach::FilesOnly)) {
                continue;
            }
            let settings = Settings::open(machine.layers()).unwrap();
            let changed = settings.change(&BTreeMap::from([(key.to_owned(), json!(value))]));
            assert_eq!(changed.is_ok(), fits, "change: {text}{changed:?}");
            if let Ok(config) = read {
                let now = settings.list().settings.into_iter().find(|shown| shown.key == key).unwrap();
                assert_eq!(now.pending.unwrap_or(now.value), (setting.read)(&config), "{text}");
            }
            let _ = std::fs::remove_file(machine.file("state"));
        }
    }
}

#[test]
fn every_text_that_fits_matches_its_pattern() {
    for setting in SETTINGS {
        let form = match setting.kind {
            Kind::Text(form) => form,
            Kind::List { item, .. } => item,
            _ => continue,
        };
        let pattern = regex::Regex::new(form.pattern.unwrap()).unwrap();
        let (good, _) = edges(&Kind::Text(form));
        for text in good {
            let Value::Text(text) = text else { panic!() };
            assert!(pattern.is_match(&text), "{}: {text}", setting.key);
        }
    }
}

#[test]
fn the_json_schema_knows_the_examples() {
    let schema = published::json_schema();
    let page = docs("configuration.md");
    for block in page.split("```toml\n").skip(1) {
        let text = block.split("```").next().unwrap();
        let table: toml::Table = text.parse().unwrap();
        assert!(accepts(&schema, &serde_json::to_value(table).unwrap()), "{text}");
    }
    assert!(!accepts(&schema, &json!({ "prot": 1 })));
    assert!(!accepts(&schema, &json!({ "app": [{ "name": "x" }] })));
    assert!(!accepts(&schema, &json!({ "app": [{ "name": "x", "command": [] }] })));
}

/// True for a text that neither its length nor its pattern forbids.
fn told_by_pattern(schema: &Json, value: &Value) -> bool {
    matches!(value, Value::Text(text) if !text.is_empty()) && accepts(schema, &json!(value))
}

fn of_schema<'a>(schema: &'a Json, key: &str) -> &'a Json {
    key.split('.').fold(schema, |schema, name| &schema["properties"][name])
}

/// As much of JSON Schema as ours has. A word it does not know is a failure.
fn accepts(schema: &Json, value: &Json) -> bool {
    schema.as_object().unwrap().iter().all(|(word, told)| match &**word {
        "$schema" | "title" | "description" | "default" => true,
        "type" => match told.as_str().unwrap() {
            "boolean" => value.is_boolean(),
            "integer" => value.is_i64() || value.as_f64().is_some_and(|number| number.fract() == 0.0),
            "number" => value.is_number(),
            "string" => value.is_string(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            other => panic!("{other}"),
        },
        "minimum" => value.as_f64().is_none_or(|number| number >= told.as_f64().unwrap()),
        "maximum" => value.as_f64().is_none_or(|number| number <= told.as_f64().unwrap()),
        "minLength" => {
            value.as_str().is_none_or(|text| text.chars().count() as u64 >= told.as_u64().unwrap())
        }
        "maxLength" => {
            value.as_str().is_none_or(|text| text.chars().count() as u64 <= told.as_u64().unwrap())
        }
        // What a pattern lets through, the code may still refuse: editors know no filters of logs.
        "pattern" => value
            .as_str()
            .is_none_or(|text| regex::Regex::new(told.as_str().unwrap()).unwrap().is_match(text)),
        "enum" => told.as_array().unwrap().contains(value),
        "minItems" => value.as_array().is_none_or(|list| list.len() as u64 >= told.as_u64().unwrap()),
        "maxItems" => value.as_array().is_none_or(|list| list.len() as u64 <= told.as_u64().unwrap()),
        "uniqueItems" => {
            value.as_array().is_none_or(|list| (1..list.len()).all(|n| !list[..n].contains(&list[n])))
        }
        "items" => value.as_array().is_none_or(|list| list.iter().all(|item| accepts(told, item))),
        "anyOf" => told.as_array().unwrap().iter().any(|one| accepts(one, value)),
        "required" => {
            let names = told.as_array().unwrap();
            value
                .as_object()
                .is_none_or(|table| names.iter().all(|name| table.contains_key(name.as_str().unwrap())))
        }
        "properties" => value.as_object().is_none_or(|table| {
            table.iter().all(|(key, inner)| told.get(key).is_none_or(|schema| accepts(schema, inner)))
        }),
        "additionalProperties" => value.as_object().is_none_or(|table| match told {
            Json::Bool(false) => table.keys().all(|key| !schema["properties"][key].is_null()),
            told => table.values().all(|inner| accepts(told, inner)),
        }),
        other => panic!("{other} is not known here"),
    })
}
