//! Backup, restore, and the state of the factory.

use axum::http::{Method, header};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use punktfunk_host::store::{Store, pending};
use serde_json::json;

use crate::stage::{PASSWORD, Stage};

const PASSPHRASE: &str = "a passphrase";

async fn backup(stage: &Stage) -> String {
    let reply = stage.locally(Method::POST, "/api/v1/backup", json!({ "passphrase": PASSPHRASE })).await;
    assert_eq!(reply.status, 200);
    assert!(reply.headers[header::CONTENT_DISPOSITION].to_str().unwrap().starts_with("attachment"));
    for secret in ["PRIVATE KEY", "CERTIFICATE", "clients.json"] {
        assert!(!String::from_utf8_lossy(&reply.body).contains(secret));
    }
    BASE64_STANDARD.encode(&reply.body)
}

#[tokio::test]
async fn a_backup_brings_the_owner_and_the_devices_back_to_another_machine() {
    let old = Stage::new();
    old.claim().await;
    old.api.inside().context.store.pair(b"certificate", "tv").unwrap();
    let data = backup(&old).await;
    let id = old.api.inside().context.store.identity().unique_id().to_owned();
    old.stop().await;

    let new = Stage::new();
    let restore = |passphrase: &str, data: &str| {
        new.locally(Method::POST, "/api/v1/backup/restore", json!({ "passphrase": passphrase, "data": data }))
    };
    let state = new.dir.path().join("state");
    assert_eq!(restore("another one", &data).await.problem(), (422, "wrong_passphrase".to_owned()));
    assert_eq!(restore(PASSPHRASE, "no base64!").await.problem(), (422, "invalid".to_owned()));
    assert_eq!(restore(PASSPHRASE, "AAAA").await.problem(), (422, "invalid".to_owned()));
    assert!(!pending::carry_out(&state).unwrap(), "what is refused changes nothing");

    assert_eq!(restore(PASSPHRASE, &data).await.status, 202);
    assert_ne!(Store::open(&state).unwrap().identity().unique_id(), id, "not before the next start");
    let _dir = new.stop().await;
    // What a host does first at its start.
    assert!(pending::carry_out(&state).unwrap());
    let store = Store::open(&state).unwrap();
    assert_eq!(store.identity().unique_id(), id);
    assert_eq!(store.clients()[0].name, "tv");
    assert!(punktfunk_host::api::Claim::of(&state).verify(PASSWORD).unwrap());
}

#[tokio::test]
async fn a_reset_wants_the_name_of_the_host_and_makes_it_nobodys() {
    let stage = Stage::new();
    stage.claim().await;
    let reset =
        |confirm: &str| stage.locally(Method::POST, "/api/v1/factory-reset", json!({ "confirm": confirm }));
    assert_eq!(reset("yes").await.json()["error"]["field"], "confirm");
    let state = stage.dir.path().join("state");
    assert!(!pending::carry_out(&state).unwrap());
    assert_eq!(reset("den").await.status, 202);
    let _dir = stage.stop().await;
    assert!(pending::carry_out(&state).unwrap());
    let names: Vec<String> = std::fs::read_dir(&state)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "lock")
        .collect();
    assert!(names.len() == 1 && names[0].starts_with("before-reset-"), "{names:?}");
}
