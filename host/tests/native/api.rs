//! The owner's API over a host with real clients: what they do is seen, and what the owner
//! does reaches them.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use futures_util::StreamExt as _;
use punktfunk_core::native::pairing::qr::Invitation;
use punktfunk_core::native::pairing::{Password, Pin};
use punktfunk_core::native::wire::control::Control;
use punktfunk_core::native::wire::{Access, Code};
use punktfunk_host::api::Peer;
use punktfunk_host::store::PLAY;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::stage::{Stage, hello, identity, soon};

/// Asks as a process of the owner, at the Unix socket.
async fn ask(stage: &Stage, method: &str, path: &str, body: Value) -> (u16, Value) {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, "localhost")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(if body.is_null() { String::new() } else { body.to_string() }))
        .unwrap();
    request.extensions_mut().insert(Peer::Local);
    let response = soon(stage.api.router().oneshot(request)).await.unwrap();
    let status = response.status();
    let bytes = soon(axum::body::to_bytes(response.into_body(), 1 << 20)).await.unwrap();
    let value =
        if status == StatusCode::NO_CONTENT { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
    (status.as_u16(), value)
}

async fn get(stage: &Stage, path: &str) -> Value {
    let (status, value) = ask(stage, "GET", path, Value::Null).await;
    assert_eq!(status, 200, "{path}: {value}");
    value
}

fn code(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, answer.1["error"]["code"].as_str().unwrap())
}

/// What is told to a caller with this credential.
struct Ear(axum::body::BodyDataStream);

impl Ear {
    async fn new(stage: &Stage, topics: &str, token: Option<&str>) -> Self {
        let path = format!("/api/v1/events?topics={topics}");
        let mut request = Request::builder().uri(path).header(header::HOST, "localhost");
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let mut request = request.body(Body::empty()).unwrap();
        if token.is_none() {
            request.extensions_mut().insert(Peer::Local);
        }
        let response = soon(stage.api.router().oneshot(request)).await.unwrap();
        assert_eq!(response.status(), 200);
        Self(response.into_body().into_data_stream())
    }

    /// The data of the first event of that name that is as wanted.
    async fn until(&mut self, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let frame = soon(self.0.next()).await.expect("it goes on").unwrap();
            let text = String::from_utf8(frame.to_vec()).unwrap();
            let data = text.lines().find_map(|line| line.strip_prefix("data: "));
            if let Some(data) = data.filter(|_| text.starts_with(&format!("event: {name}\n"))) {
                let value = serde_json::from_str(data).unwrap();
                if wanted(&value) {
                    return value;
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_pairs_a_client_and_everybody_who_listens_hears_of_it() {
    let stage = Stage::new();
    let mut ear = Ear::new(&stage, "pairing,devices", None).await;
    let terms = json!({ "name": "deck", "access": ["view", "pads"] });
    let (status, window) = ask(&stage, "POST", "/api/v1/pairing/window", terms).await;
    assert_eq!(
        (status, window["name"].as_str(), &window["access"]),
        (201, Some("deck"), &json!(["view", "pads"]))
    );
    let invitation = Invitation::parse(window["payload"].as_str().unwrap()).unwrap();
    assert_eq!(invitation.fingerprint, stage.store.native_identity().hash());
    let shown = ear.until("pairing", |pairing| pairing["window"].is_object()).await;
    assert_eq!(shown["window"], window);
    assert_eq!(get(&stage, "/api/v1/pairing").await["window"], window);

    let pin = Pin::parse(window["pin"].as_str().unwrap()).unwrap();
    let ours = identity();
    let mut player = stage.connect(&ours).await;
    assert_eq!(player.pair(Password::Pin(pin)).await, Ok(Access::VIEW.with(Access::PADS)));
    let devices = ear.until("devices", |list| list["devices"][0]["online"] == true).await;
    assert_eq!(devices["devices"][0]["name"], "deck");
    assert_eq!(devices["devices"][0]["id"], punktfunk_core::bytes::to_hex(&ours.hash()));
    assert_eq!(get(&stage, "/api/v1/devices").await, devices);
    let closed = ask(&stage, "DELETE", "/api/v1/pairing/window", Value::Null).await;
    assert_eq!(code(&closed), (404, "not_found"), "whoever came through closed it");
    let wrong = ask(&stage, "POST", "/api/v1/pairing/window", json!({ "access": ["fly"] })).await;
    assert_eq!(code(&wrong), (422, "invalid"));
    let over = ask(&stage, "POST", "/api/v1/pairing/window", json!({ "expires": 5 })).await;
    assert_eq!(code(&over), (422, "invalid"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_knocks_is_approved_or_refused() {
    let mut stage = Stage::new();
    let mut ear = Ear::new(&stage, "pairing", None).await;
    let ours = identity();
    let mut player = stage.connect(&ours).await;
    player.say(Control::Hello(hello())).await;
    player.ends_with(Code::NotPaired).await;
    let told = ear.until("pairing", |pairing| pairing["knocks"][0].is_object()).await;
    let knock = &told["knocks"][0];
    let id = punktfunk_core::bytes::to_hex(&ours.hash());
    assert_eq!((knock["id"].as_str(), knock["name"].as_str()), (Some(&*id), Some("a client")));
    let path = format!("/api/v1/pairing/knocks/{id}");
    let (status, device) = ask(&stage, "POST", &path, json!({ "name": "den" })).await;
    assert_eq!((status, device["name"].as_str()), (200, Some("den")));
    ear.until("pairing", |pairing| pairing["knocks"] == json!([])).await;
    assert_eq!(stage.connect(&ours).await.play().await.access, PLAY);
    assert!(stage.note().await.starts_with("start 1 den"));
    assert_eq!(code(&ask(&stage, "DELETE", &path, Value::Null).await), (404, "not_found"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_is_changed_whole_or_not_at_all_and_revoked_at_once() {
    let stage = Stage::new();
    let mut player = stage.paired("tv").await;
    player.play().await;
    stage.store.pair(b"certificate of a phone", "phone").unwrap();
    let all = get(&stage, "/api/v1/devices").await;
    let id = |n: usize| format!("/api/v1/devices/{}", all["devices"][n]["id"].as_str().unwrap());
    assert_eq!(
        (all["devices"][0]["protocol"].as_str(), all["devices"][1]["protocol"].as_str()),
        (Some("native"), Some("gamestream"))
    );

    let taken = ask(&stage, "PATCH", &id(0), json!({ "name": "phone", "access": ["view"] })).await;
    assert_eq!(code(&taken), (409, "conflict"));
    assert_eq!(get(&stage, "/api/v1/devices").await["devices"][0]["access"], all["devices"][0]["access"]);
    for (change, status) in [
        (json!({ "access": ["pads"] }), 422),
        (json!({ "access": ["view", "everything"] }), 422),
        (json!({ "name": "x".repeat(61) }), 422),
        (json!({ "colour": "red" }), 422),
    ] {
        assert_eq!(ask(&stage, "PATCH", &id(0), change.clone()).await.0, status, "{change}");
    }
    assert_eq!(code(&ask(&stage, "PATCH", &id(1), json!({ "access": ["view"] })).await), (422, "invalid"));
    let change = json!({ "name": "living room", "access": ["view", "launch"], "expires": 4_000_000_000_u64 });
    let (status, changed) = ask(&stage, "PATCH", &id(0), change).await;
    assert_eq!(
        (status, changed["name"].as_str(), changed["expires"].as_u64()),
        (200, Some("living room"), Some(4_000_000_000))
    );
    let (_, changed) = ask(&stage, "PATCH", &id(0), json!({ "expires": null })).await;
    assert!(changed.get("expires").is_none() && changed["access"] == json!(["view", "launch"]), "{changed}");

    let asked = std::time::Instant::now();
    assert_eq!(ask(&stage, "DELETE", &id(0), Value::Null).await.0, 204);
    player.ends_with(Code::Revoked).await;
    assert!(asked.elapsed() < std::time::Duration::from_secs(1), "{:?}", asked.elapsed());
    assert_eq!(get(&stage, "/api/v1/devices").await["devices"].as_array().unwrap().len(), 1);
    assert_eq!(code(&ask(&stage, "DELETE", &id(0), Value::Null).await), (404, "not_found"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_only_look_sees_no_pin() {
    let stage = Stage::new();
    let (_, made) = ask(&stage, "POST", "/api/v1/tokens", json!({ "name": "wall", "scope": "view" })).await;
    let token = made["secret"].as_str().unwrap();
    let mut looking = Ear::new(&stage, "pairing", Some(token)).await;
    let mut owner = Ear::new(&stage, "pairing", None).await;
    let (_, window) = ask(&stage, "POST", "/api/v1/pairing/window", json!({})).await;
    let told = looking.until("pairing", |pairing| pairing["window"].is_object()).await;
    assert_eq!((&told["window"]["id"], &told["window"]["pin"]), (&window["id"], &json!("")));
    assert!(!told.to_string().contains("punktfunk://") && told["window"]["qr"] == json!([]));
    let told = owner.until("pairing", |pairing| pairing["window"].is_object()).await;
    assert_eq!(told["window"]["pin"], window["pin"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_run_is_not_found_and_metrics_are_off() {
    let stage = Stage::new();
    assert_eq!(get(&stage, "/api/v1/sessions").await, json!({ "sessions": [] }));
    assert_eq!(get(&stage, "/api/v1/diagnostics/statistics").await, json!({ "sessions": [] }));
    for (method, path, body) in [
        ("GET", "/api/v1/sessions/1", Value::Null),
        ("DELETE", "/api/v1/sessions/x", Value::Null),
        ("POST", "/api/v1/sessions/1/message", json!({ "text": "dinner" })),
        ("POST", "/api/v1/sessions/1/change", json!({ "bitrate_kbps": 5000 })),
        ("POST", "/api/v1/pairing/attempts/1/pin", json!({ "pin": "1234" })),
        ("DELETE", "/api/v1/pairing/attempts/1", Value::Null),
        ("GET", "/metrics", Value::Null),
    ] {
        let answer = ask(&stage, method, path, body).await;
        assert_eq!(code(&answer), (404, "not_found"), "{path}");
    }
    let displays = get(&stage, "/api/v1/displays").await;
    assert!(
        displays["encoders"].as_array().unwrap().iter().any(|one| one["state"] == "chosen"),
        "{displays}"
    );
}
