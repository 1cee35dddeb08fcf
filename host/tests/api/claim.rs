//! The first run: whoever reads the secret on the machine owns the host, and nobody else.

use axum::http::Method;
use punktfunk_host::api::Claim;
use serde_json::json;

use crate::stage::{PASSWORD, Stage, page, remote};
use axum::body::Body;

#[tokio::test]
async fn another_machine_claims_a_host_at_the_first_try_and_only_once() {
    let stage = Stage::new();
    let public = stage.get("", "/api/v1/host/public").await;
    assert_eq!(public.json()["claimed"], false);
    assert!(public.json()["setup_hint"].as_str().unwrap().contains("punktfunk-host claim"));
    let secret = stage.api.claim().secret().unwrap().unwrap();
    // As another machine of the network sees the host, by its address.
    let host = "192.168.1.20:47990";
    let body = json!({ "secret": secret, "password": PASSWORD }).to_string();
    let request = axum::http::Request::builder()
        .method(Method::POST)
        .uri("/api/v1/claim")
        .header("host", host)
        .header("origin", format!("https://{host}"))
        .header("x-punktfunk", "1")
        .header("content-type", "application/json")
        .body(Body::from(body.clone()))
        .unwrap();
    let reply = stage.send(request).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.json()["kind"], "browser");
    assert_eq!(reply.json()["scope"], "owner");
    let cookie = reply.cookie();
    assert_eq!(stage.get(&cookie, "/api/v1/host").await.status, 200, "claiming logs in");
    assert_eq!(stage.get("", "/api/v1/host/public").await.json()["claimed"], true);

    let again = stage.change("", Method::POST, "/api/v1/claim", serde_json::from_str(&body).unwrap()).await;
    assert_eq!(again.problem(), (409, "already_claimed".to_owned()));
    let text = std::fs::read_to_string(stage.dir.path().join("state/claim.json")).unwrap();
    assert!(!text.contains(&secret) && !text.contains(PASSWORD), "neither is kept");
    stage.stop().await;
}

#[tokio::test]
async fn guessing_the_secret_is_limited_and_a_short_password_is_refused() {
    let stage = Stage::new();
    let claim = |secret: &str, password: &str, from: u8| {
        let body = json!({ "secret": secret, "password": password }).to_string();
        let request = page(Method::POST, "/api/v1/claim").body(Body::from(body)).unwrap();
        stage.send_from(request, remote(from))
    };
    let secret = stage.api.claim().secret().unwrap().unwrap();
    assert_eq!(claim(&secret, "ninechars", 1).await.problem(), (422, "invalid".to_owned()));
    for _ in 0..4 {
        assert_eq!(claim("aaaaa-aaaaa-aaaaa-aaaaa-aaaaa", PASSWORD, 1).await.problem().1, "wrong_secret");
    }
    let refused = claim(&secret, PASSWORD, 1).await;
    assert_eq!(refused.problem(), (429, "too_many".to_owned()));
    assert_eq!(refused.headers["retry-after"], "60");
    assert_eq!(stage.get("", "/api/v1/host/public").await.json()["claimed"], false);
    assert_eq!(claim(&secret, PASSWORD, 2).await.status, 200, "the owner has another address");
    stage.stop().await;
}

#[tokio::test]
async fn a_reset_on_the_machine_ends_sessions_and_begins_anew() {
    let stage = Stage::new();
    let first = stage.api.claim().secret().unwrap().unwrap();
    let cookie = stage.claim().await;
    // Another process, as the command is.
    let second = Claim::of(&stage.dir.path().join("state")).reset().unwrap();
    assert_ne!(first, second);
    assert_eq!(stage.get(&cookie, "/api/v1/host").await.problem(), (401, "unauthenticated".to_owned()));
    let login = stage.change("", Method::POST, "/api/v1/login", json!({ "password": PASSWORD })).await;
    assert_eq!(login.problem(), (409, "not_claimed".to_owned()));
    stage.claim().await;
    stage.stop().await;
}
