//! Settings by the API: what there is, what a change does and when, what is refused, and
//! what a host that starts again still knows.

use axum::http::Method;
use serde_json::{Value, json};

use crate::stage::{Reply, Stage};

const SETTINGS: &str = "/api/v1/settings";

async fn set(stage: &Stage, values: Value) -> Reply {
    stage.locally(Method::PATCH, SETTINGS, json!({ "values": values })).await
}

async fn read(stage: &Stage, path: &str) -> Value {
    let reply = stage.locally(Method::GET, path, json!({})).await;
    assert_eq!(reply.status, 200, "{path}");
    reply.json()
}

/// One setting of a list.
fn one<'a>(list: &'a Value, key: &str) -> &'a Value {
    let mut all = list["settings"].as_array().unwrap().iter();
    all.find(|setting| setting["key"] == key).unwrap_or_else(|| panic!("no {key}"))
}

async fn is_restart_needed(stage: &Stage) -> bool {
    let list = read(stage, SETTINGS).await;
    let host = read(stage, "/api/v1/host").await;
    assert_eq!(list["restart_needed"], host["restart_needed"]);
    list["restart_needed"].as_bool().unwrap()
}

#[tokio::test]
async fn the_schema_knows_the_settings_that_are_listed_and_no_others() {
    let stage = Stage::settled();
    let list = read(&stage, SETTINGS).await;
    let schema = read(&stage, "/api/v1/settings/schema").await;
    let groups: Vec<&Value> = list["groups"].as_array().unwrap().iter().map(|group| &group["id"]).collect();
    let settings = list["settings"].as_array().unwrap();
    for setting in settings {
        let key = setting["key"].as_str().unwrap();
        let place = format!("/properties/{}", key.replace('.', "/properties/"));
        assert!(schema.pointer(&place).is_some_and(Value::is_object), "{place}");
        assert!(groups.contains(&&setting["group"]), "{key}");
        assert!(
            setting["kind"]["type"].is_string() && !setting["help"].as_str().unwrap().is_empty(),
            "{key}"
        );
    }
    let described = schema["properties"].as_object().unwrap().iter().filter(|(name, _)| *name != "app");
    let described: usize =
        described.map(|(_, place)| place["properties"].as_object().map_or(1, serde_json::Map::len)).sum();
    assert_eq!(described, settings.len());
    stage.stop().await;
}

#[tokio::test]
async fn a_change_counts_at_once_and_after_the_next_start() {
    let stage = Stage::settled();
    let before = read(&stage, SETTINGS).await;
    assert_eq!(one(&before, "sessions.max")["value"], 8);
    assert_eq!(one(&before, "sessions.max")["source"], "default");
    assert_eq!(one(&before, "name")["source"], "etc", "as the file says that was named");

    let reply = set(&stage, json!({ "sessions.max": 3, "name": "cellar" })).await;
    assert_eq!(reply.status, 200);
    let changed = reply.json();
    assert_eq!(changed, read(&stage, SETTINGS).await);
    let max = one(&changed, "sessions.max");
    assert_eq!((&max["value"], &max["default"], &max["source"]), (&json!(3), &json!(8), &json!("state")));
    assert_eq!(max["source_file"], stage.dir.path().join("state/settings.toml").to_str().unwrap());
    assert_eq!(stage.api.inside().context.settings.current().sessions.max, 3);
    assert_eq!(read(&stage, "/api/v1/host").await["name"], "cellar");

    let stage = stage.again().await;
    let kept = read(&stage, SETTINGS).await;
    assert_eq!(
        (&one(&kept, "sessions.max")["value"], &one(&kept, "name")["value"]),
        (&json!(3), &json!("cellar"))
    );
    assert_eq!(set(&stage, json!({ "sessions.max": null, "name": null })).await.status, 200);
    let stage = stage.again().await;
    assert_eq!(read(&stage, SETTINGS).await["settings"], before["settings"], "as if nothing had been");
    stage.stop().await;
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_what_could_be_and_changes_nothing() {
    let stage = Stage::settled();
    let before = read(&stage, SETTINGS).await;
    for (key, value, problem, hint) in [
        ("sessions.max", json!(0), (422, "invalid"), "from 1 to 64"),
        ("sessions.max", json!("many"), (422, "invalid"), "a whole number"),
        ("sessions.max", json!({}), (422, "invalid"), "a whole number"),
        ("sessions.maks", json!(3), (422, "invalid"), "did you mean `sessions.max`?"),
        ("encoder.software", json!("x265"), (422, "invalid"), "openh264"),
        ("api.bind", json!("everywhere"), (422, "invalid"), "address"),
        ("port", json!(50_000), (409, "locked"), "punktfunk.toml"),
    ] {
        // What is right beside it is not taken, either.
        let reply = set(&stage, json!({ "sessions.keep_minutes": 5, key: value })).await;
        assert_eq!(reply.problem(), (problem.0, problem.1.to_owned()), "{key} = {value}");
        let error = &reply.json()["error"];
        assert_eq!(error["field"], key);
        assert!(error["message"].as_str().unwrap().contains(hint), "{key} = {value}: {error}");
    }
    assert_eq!(read(&stage, SETTINGS).await, before);
    assert!(!stage.dir.path().join("state/settings.toml").exists());
    stage.stop().await;
}

#[tokio::test]
async fn what_counts_from_the_next_start_is_said_until_then() {
    let stage = Stage::settled();
    assert!(!is_restart_needed(&stage).await);
    let reply = set(&stage, json!({ "gamestream.enabled": true })).await.json();
    let waiting = one(&reply, "gamestream.enabled");
    assert_eq!((&waiting["value"], &waiting["pending"]), (&json!(false), &json!(true)));
    assert_eq!(waiting["needs_restart"], true);
    assert!(is_restart_needed(&stage).await);
    set(&stage, json!({ "gamestream.enabled": null })).await;
    assert!(!is_restart_needed(&stage).await, "it was taken back");

    set(&stage, json!({ "gamestream.enabled": true })).await;
    let stage = stage.again().await;
    assert!(!is_restart_needed(&stage).await);
    let list = read(&stage, SETTINGS).await;
    let now = one(&list, "gamestream.enabled");
    assert_eq!((&now["value"], now.get("pending")), (&json!(true), None));
    stage.stop().await;
}
