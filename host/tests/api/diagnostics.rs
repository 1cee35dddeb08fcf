//! Diagnostics by the API: what is wrong is found with its evidence, mended where that is
//! safe, and packed for somebody who helps, without secrets.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use axum::http::{Method, header};
use flate2::read::GzDecoder;
use punktfunk_host::doctor::Area;
use punktfunk_host::doctor::table::TABLE;
use serde_json::{Value, json};

use crate::stage::{PASSWORD, Reply, Stage, log};

/// What concerns the host's own files: quick to look at, and ours to spoil.
async fn examine(stage: &Stage) -> Value {
    let reply = ask(stage, "run", json!({ "area": "host" })).await;
    assert_eq!(reply.status, 200);
    reply.json()
}

async fn ask(stage: &Stage, what: &str, body: Value) -> Reply {
    stage.locally(Method::POST, &format!("/api/v1/diagnostics/{what}"), body).await
}

async fn report(stage: &Stage) -> Value {
    stage.locally(Method::GET, "/api/v1/diagnostics", json!({})).await.json()
}

fn probe<'a>(report: &'a Value, id: &str) -> &'a Value {
    let mut probes = report["probes"].as_array().unwrap().iter();
    probes.find(|probe| probe["id"] == id).unwrap_or_else(|| panic!("no {id}"))
}

#[tokio::test]
async fn probes_say_what_they_saw_and_how_bad_it_is() {
    let stage = Stage::new();
    assert_eq!(report(&stage).await, json!({ "probes": [] }), "nobody has looked yet");
    let found = examine(&stage).await;
    assert!(found["ran"].as_u64().unwrap() > 1_600_000_000);
    assert_eq!(report(&stage).await, found);
    let probes = found["probes"].as_array().unwrap();
    let ids: BTreeSet<&str> = probes.iter().map(|probe| probe["id"].as_str().unwrap()).collect();
    let wanted = TABLE.iter().filter(|entry| entry.area == Area::Host);
    assert_eq!(ids, wanted.map(|entry| entry.id).collect());
    assert_eq!(ids.len(), probes.len());
    for probe in probes {
        let text = |key: &str| probe[key].as_str().unwrap_or_default();
        assert!(["ok", "skipped", "info", "warning", "error"].contains(&text("severity")), "{probe}");
        assert!(
            !text("evidence").is_empty() && !text("title").is_empty() && text("area") == "host",
            "{probe}"
        );
        let is_bad = ["warning", "error"].contains(&text("severity"));
        assert!(!is_bad || !text("fix").is_empty(), "what is wrong says what mends it: {probe}");
    }
    let weather = ask(&stage, "run", json!({ "area": "weather" })).await;
    assert_eq!(weather.problem(), (422, "invalid".to_owned()));
    assert_eq!(weather.json()["error"]["field"], "area");
    assert_eq!(report(&stage).await, found, "what is refused looks at nothing");
    stage.stop().await;
}

#[tokio::test]
async fn what_can_be_mended_safely_is_offered_and_mended() {
    let stage = Stage::new();
    let file = stage.dir.path().join("state/identity.json");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let found = examine(&stage).await;
    let open = probe(&found, "host.secrets");
    assert_eq!((&open["severity"], &open["fix_action"]), (&json!("error"), &json!("private-state")));
    assert!(open["evidence"].as_str().unwrap().contains("identity.json"), "{open}");
    assert!(open["fix"].as_str().unwrap().starts_with("chmod"), "{open}");

    let mended = ask(&stage, "fix/private-state", json!({})).await;
    assert_eq!(mended.status, 200);
    assert_eq!((&mended.json()["id"], &mended.json()["severity"]), (&json!("host.secrets"), &json!("ok")));
    assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o600);
    let now = report(&stage).await;
    assert_eq!(*probe(&now, "host.secrets"), mended.json());
    assert_eq!(probe(&now, "host.secrets").get("fix_action"), None);
    assert_eq!(ask(&stage, "fix/private-state", json!({})).await.status, 200, "a second time does nothing");
    assert_eq!(ask(&stage, "fix/reboot", json!({})).await.problem(), (404, "not_found".to_owned()));
    stage.stop().await;
}

#[tokio::test]
async fn the_support_bundle_is_an_archive_without_secrets() {
    log();
    let stage = Stage::new();
    let claim = stage.api.claim().secret().unwrap().unwrap();
    let cookie = stage.claim().await;
    let token = stage.token("view").await.replace("Bearer ", "");
    let store = &stage.api.inside().context.store;
    let device = store.pair(b"certificate", "Annas telephone").unwrap().fingerprint();
    let key = store.identity().key_pem().lines().nth(1).unwrap().to_owned();
    tracing::warn!(
        target: "logged::bundle",
        "Annas telephone {device} knew {claim}, {token}, password={PASSWORD:?} and {key}"
    );
    examine(&stage).await;
    let reply = stage.get(&cookie, "/api/v1/diagnostics/bundle").await;
    assert_eq!(
        (reply.status.as_u16(), &reply.headers[header::CONTENT_TYPE]),
        (200, &"application/gzip".parse().unwrap())
    );
    let disposition = reply.headers[header::CONTENT_DISPOSITION].to_str().unwrap();
    assert!(disposition.starts_with("attachment") && disposition.contains(".tar.gz"), "{disposition}");

    let files = unpacked(&reply.body);
    for name in [
        "CONTENTS.txt",
        "doctor.txt",
        "versions.txt",
        "clients.json",
        "log.txt",
        "host.json",
        "settings.json",
    ] {
        assert!(files.get(name).is_some_and(|text| !text.is_empty()), "{name} of {:?}", files.keys());
        assert!(name == "CONTENTS.txt" || files["CONTENTS.txt"].contains(name), "{name} is not told of");
    }
    let doctor: Value = serde_json::from_str(&files["doctor.json"]).unwrap();
    assert_eq!(probe(&doctor, "host.secrets")["severity"], "ok");
    assert!(files["log.txt"].contains(" ••• knew •••, •••, "), "{}", files["log.txt"]);
    let everything: String = files.values().map(String::as_str).collect();
    for secret in [&*claim, &token, PASSWORD, "Annas", &device, &key] {
        assert!(!everything.contains(secret), "{secret} is in the bundle");
    }
    stage.stop().await;
}

/// Names and texts of what is in an archive.
fn unpacked(bytes: &[u8]) -> BTreeMap<String, String> {
    let mut archive = tar::Archive::new(GzDecoder::new(bytes));
    let mut found = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        found.insert(name, text);
    }
    found
}
