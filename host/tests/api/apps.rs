//! Applications by the API: added, changed, arranged and removed; pictures; and what is
//! started for a device.

use axum::http::{Method, header};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use punktfunk_host::config::{Config, DESKTOP_ID, TEST_CARD_ID};
use punktfunk_host::library::Library;
use serde_json::{Value, json};

use crate::stage::{Reply, Stage};

/// A red square.
const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC";
/// No application has this number.
const NOBODY: &str = "4000000000";

async fn ask(stage: &Stage, method: Method, path: &str, body: Value) -> Reply {
    stage.locally(method, &format!("/api/v1/apps{path}"), body).await
}

async fn list(stage: &Stage) -> Vec<Value> {
    ask(stage, Method::GET, "", json!({})).await.json()["apps"].as_array().unwrap().clone()
}

/// The ids of all applications, in their order.
async fn ids(stage: &Stage) -> Vec<String> {
    list(stage).await.iter().map(|app| app["id"].as_str().unwrap().to_owned()).collect()
}

/// An application of the owner's; its path.
async fn kart(stage: &Stage) -> (String, Value) {
    let new = json!({
        "title": " Kart ", "command": "kart --fullscreen", "dir": "/srv/kart", "env": { "LANES": "2" },
        "prep": [{ "do": "lamp on", "undo": "lamp off" }],
        "prefer": { "codec": "hevc", "width": 1280, "height": 720, "fps": 30, "audio_channels": 6 },
    });
    let reply = ask(stage, Method::POST, "", new).await;
    assert_eq!(reply.status, 201, "{}", String::from_utf8_lossy(&reply.body));
    let app = reply.json();
    (format!("/{}", app["id"].as_str().unwrap()), app)
}

/// The application at a path, as the list shows it.
async fn listed(stage: &Stage, path: &str) -> Value {
    let id = path.split('/').nth(1).unwrap();
    let mut all = list(stage).await.into_iter();
    all.find(|app| app["id"] == id).unwrap_or_else(|| panic!("no {id}"))
}

async fn sessions(stage: &Stage) -> Value {
    stage.locally(Method::GET, "/api/v1/sessions", json!({})).await.json()["sessions"].clone()
}

#[tokio::test]
async fn an_application_is_added_changed_and_removed() {
    let stage = Stage::new();
    let before = ids(&stage).await;
    let (path, added) = kart(&stage).await;
    assert_eq!((&added["title"], &added["source"]), (&json!("Kart"), &json!("custom")));
    assert_eq!((&added["command"], &added["dir"]), (&json!("kart --fullscreen"), &json!("/srv/kart")));
    assert_eq!((&added["prep"][0]["undo"], &added["prefer"]["fps"]), (&json!("lamp off"), &json!(30)));
    assert_eq!((&added["editable"], &added["running"]), (&json!(true), &json!(false)));
    assert_eq!(listed(&stage, &path).await, added);

    let change = json!({ "title": "Kart 2", "hidden": true, "prefer": {}, "dir": "" });
    let changed = ask(&stage, Method::PATCH, &path, change).await.json();
    assert_eq!((&changed["title"], &changed["hidden"]), (&json!("Kart 2"), &json!(true)));
    assert_eq!((&changed["prefer"], changed.get("dir")), (&json!({}), None));
    assert_eq!((&changed["env"], &changed["command"]), (&added["env"], &added["command"]), "the rest stays");
    for (change, field) in [
        (json!({ "title": " " }), "title"),
        (json!({ "command": "" }), "command"),
        (json!({ "dir": "games" }), "dir"),
        (json!({ "env": { "A=B": "x" } }), "env"),
        (json!({ "prep": [{}] }), "prep"),
        (json!({ "prefer": { "codec": "vp9" } }), "prefer.codec"),
        (json!({ "prefer": { "colour": "red" } }), "prefer.colour"),
    ] {
        let reply = ask(&stage, Method::PATCH, &path, change.clone()).await;
        assert_eq!(reply.problem(), (422, "invalid".to_owned()), "{change}");
        assert_eq!(reply.json()["error"]["field"], field, "{change}");
    }
    assert_eq!(listed(&stage, &path).await, changed, "what is refused changes nothing");
    let kept = Library::open(&Config::default(), &stage.dir.path().join("state")).unwrap();
    assert!(
        kept.apps().iter().any(|app| app.title == "Kart 2" && app.hidden),
        "a host after this one has it"
    );

    assert_eq!(ask(&stage, Method::DELETE, &path, json!({})).await.status, 204);
    assert_eq!(ids(&stage).await, before);
    for method in [Method::DELETE, Method::PATCH] {
        assert_eq!(ask(&stage, method, &path, json!({})).await.problem(), (404, "not_found".to_owned()));
    }
    let builtin = format!("/{DESKTOP_ID}");
    assert_eq!(
        ask(&stage, Method::DELETE, &builtin, json!({})).await.problem(),
        (409, "conflict".to_owned())
    );
    let command = json!({ "command": "true" });
    assert_eq!(ask(&stage, Method::PATCH, &builtin, command).await.problem(), (409, "conflict".to_owned()));
    stage.stop().await;
}

#[tokio::test]
async fn the_owners_order_is_kept() {
    let stage = Stage::new();
    let before = ids(&stage).await;
    let (path, _) = kart(&stage).await;
    let kart = path.trim_start_matches('/');
    let order = json!({ "ids": [kart, before[1]] });
    assert_eq!(ask(&stage, Method::POST, "/order", order).await.status, 204);
    let others = before.iter().filter(|id| **id != before[1]);
    let wanted: Vec<&str> = [kart, &before[1]].into_iter().chain(others.map(String::as_str)).collect();
    assert_eq!(ids(&stage).await, wanted);
    let twice = ask(&stage, Method::POST, "/order", json!({ "ids": [kart, kart] })).await;
    assert_eq!(twice.json()["error"]["field"], "ids");
    let unknown = ask(&stage, Method::POST, "/order", json!({ "ids": [NOBODY] })).await;
    assert_eq!(unknown.problem(), (404, "not_found".to_owned()));
    assert_eq!(ids(&stage).await, wanted, "what is refused changes nothing");
    let kept = Library::open(&Config::default(), &stage.dir.path().join("state")).unwrap();
    assert_eq!(kept.apps()[0].title, "Kart", "a host after this one has it");
    stage.stop().await;
}

#[tokio::test]
async fn a_picture_comes_back_as_it_was_sent_until_it_is_taken_away() {
    let stage = Stage::new();
    let (path, added) = kart(&stage).await;
    assert_eq!(added["has_art"], false);
    let path = format!("{path}/art");
    let put = |kind: &str, data: &str| {
        let (path, body) = (path.clone(), json!({ "media_type": kind, "data": data }));
        let stage = &stage;
        async move { ask(stage, Method::PUT, &path, body).await }
    };
    assert_eq!(ask(&stage, Method::GET, &path, json!({})).await.problem(), (404, "not_found".to_owned()));
    assert_eq!(put("image/png", PNG).await.status, 204);
    for (kind, data, field) in [
        ("image/jpeg", PNG, "media_type"),
        ("image/png", "no Base64!", "data"),
        ("image/png", &*BASE64_STANDARD.encode("<svg/>"), "data"),
    ] {
        let reply = put(kind, data).await;
        assert_eq!(reply.problem(), (422, "invalid".to_owned()));
        assert_eq!(reply.json()["error"]["field"], field);
    }
    let art = ask(&stage, Method::GET, &path, json!({})).await;
    assert_eq!(
        (art.status.as_u16(), art.headers[header::CONTENT_TYPE].to_str().unwrap()),
        (200, "image/png")
    );
    assert_eq!(art.body, BASE64_STANDARD.decode(PNG).unwrap());
    assert_eq!(listed(&stage, &path).await["has_art"], true);

    assert_eq!(ask(&stage, Method::DELETE, &path, json!({})).await.status, 204);
    assert_eq!(ask(&stage, Method::GET, &path, json!({})).await.status, 404);
    assert_eq!(listed(&stage, &path).await["has_art"], false);
    stage.stop().await;
}

#[tokio::test]
async fn what_there_is_not_is_not_found() {
    let stage = Stage::new();
    for id in [NOBODY, "-1", "kart", "99999999999"] {
        let art = json!({ "media_type": "image/png", "data": PNG });
        for (method, path, body) in [
            (Method::PATCH, format!("/{id}"), json!({ "hidden": true })),
            (Method::DELETE, format!("/{id}"), json!({})),
            (Method::GET, format!("/{id}/art"), json!({})),
            (Method::PUT, format!("/{id}/art"), art),
            (Method::DELETE, format!("/{id}/art"), json!({})),
            (Method::POST, format!("/{id}/launch"), json!({})),
            (Method::POST, format!("/{id}/quit"), json!({})),
        ] {
            let reply = ask(&stage, method.clone(), &path, body).await;
            assert_eq!(reply.problem(), (404, "not_found".to_owned()), "{method} {path}");
        }
    }
    stage.stop().await;
}

#[tokio::test]
async fn a_launch_answers_the_session_that_came_of_it_and_a_quit_ends_it() {
    let stage = Stage::new();
    let store = &stage.api.inside().context.store;
    let launch = |app: u32, who: Value| {
        let stage = &stage;
        async move { ask(stage, Method::POST, &format!("/{app}/launch"), who).await }
    };
    assert_eq!(launch(TEST_CARD_ID, json!({})).await.problem(), (404, "not_found".to_owned()), "for nobody");
    let tv = store.pair(b"certificate", "tv").unwrap();
    let started = launch(TEST_CARD_ID, json!({})).await;
    assert_eq!(started.status, 202);
    let session = started.json();
    assert_eq!(session["device"], json!({ "id": tv.fingerprint(), "name": "tv", "protocol": "gamestream" }));
    assert_eq!(session["app"], json!({ "id": TEST_CARD_ID.to_string(), "title": "Test card" }));
    assert_eq!((&session["state"], session.get("stream")), (&json!("away"), None), "nobody looks yet");
    assert_eq!(session["started"], stage.clock.unix() - 3);
    assert_eq!(sessions(&stage).await, json!([session]), "the list says the same");
    let number = session["id"].as_str().unwrap();
    let shown = stage.locally(Method::GET, &format!("/api/v1/sessions/{number}"), json!({})).await;
    assert_eq!(shown.json(), session);
    let is_running = |apps: Vec<Value>, id: u32| {
        let id = id.to_string();
        apps.iter().any(|app| app["id"] == id && app["running"] == true)
    };
    assert!(is_running(list(&stage).await, TEST_CARD_ID) && !is_running(list(&stage).await, DESKTOP_ID));

    assert_eq!(launch(DESKTOP_ID, json!({})).await.problem(), (409, "conflict".to_owned()), "one at a time");
    let phone = store.pair(b"another certificate", "phone").unwrap().fingerprint();
    let second = launch(DESKTOP_ID, json!({ "device": phone })).await;
    assert_eq!((second.status.as_u16(), &second.json()["device"]["name"]), (202, &json!("phone")));
    let stranger = json!({ "device": "00".repeat(32) });
    assert_eq!(launch(DESKTOP_ID, stranger).await.problem(), (404, "not_found".to_owned()));

    let quit = format!("/{TEST_CARD_ID}/quit");
    assert_eq!(ask(&stage, Method::POST, &quit, json!({})).await.status, 204);
    assert_eq!(sessions(&stage).await, json!([second.json()]), "nobody else's ends");
    assert!(stage.fake.calls().contains(&format!("end {number}")));
    assert_eq!(ask(&stage, Method::POST, &quit, json!({})).await.problem(), (404, "not_found".to_owned()));
    stage.stop().await;
}
