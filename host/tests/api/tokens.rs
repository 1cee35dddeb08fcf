//! Tokens of programs.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, header};
use serde_json::json;

use crate::stage::{Reply, Stage, ask};

async fn with(stage: &Stage, token: &str, path: &str) -> Reply {
    let request = ask(Method::GET, path).header(header::AUTHORIZATION, token).body(Body::empty()).unwrap();
    stage.send(request).await
}

#[tokio::test]
async fn a_token_works_until_it_is_revoked_and_its_secret_is_kept_nowhere() {
    let stage = Stage::new();
    let cookie = stage.claim().await;
    let reply = stage
        .change(&cookie, Method::POST, "/api/v1/tokens", json!({ "name": "panel", "scope": "view" }))
        .await;
    assert_eq!(reply.status, 201);
    let made = reply.json();
    let secret = made["secret"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("pf_") && secret.len() == 67);
    let token = format!("Bearer {secret}");
    let me = with(&stage, &token, "/api/v1/me").await.json();
    assert_eq!((&me["kind"], &me["scope"], &me["name"]), (&json!("token"), &json!("view"), &json!("panel")));
    assert_eq!(with(&stage, &token, "/api/v1/tokens").await.problem(), (403, "scope".to_owned()));
    let file = std::fs::read_to_string(stage.dir.path().join("state/tokens.json")).unwrap();
    assert!(!file.contains(&secret) && file.contains("panel"));
    let list = stage.get(&cookie, "/api/v1/tokens").await.json();
    assert_eq!(list["tokens"][0]["last_used"], stage.clock.unix());
    assert!(!list.to_string().contains(&secret));

    let path = format!("/api/v1/tokens/{}", made["token"]["id"].as_str().unwrap());
    assert_eq!(stage.change(&cookie, Method::DELETE, &path, json!({})).await.status, 204);
    assert_eq!(with(&stage, &token, "/api/v1/me").await.problem(), (401, "unauthenticated".to_owned()));
    assert_eq!(stage.change(&cookie, Method::DELETE, &path, json!({})).await.problem().0, 404);
    stage.stop().await;
}

#[tokio::test]
async fn a_token_ends_when_its_time_is_over() {
    let stage = Stage::new();
    let end = stage.clock.unix() + 100;
    let body = |expires: u64| json!({ "name": "short", "scope": "play", "expires": expires });
    let over = stage.locally(Method::POST, "/api/v1/tokens", body(end - 100)).await;
    assert_eq!(over.json()["error"]["field"], "expires");
    let made = stage.locally(Method::POST, "/api/v1/tokens", body(end)).await.json();
    let token = format!("Bearer {}", made["secret"].as_str().unwrap());
    stage.clock.advance(Duration::from_secs(99));
    assert_eq!(with(&stage, &token, "/api/v1/me").await.status, 200);
    stage.clock.advance(Duration::from_secs(1));
    assert_eq!(with(&stage, &token, "/api/v1/me").await.status, 401);
    stage.stop().await;
}

#[tokio::test]
async fn a_use_is_written_once_a_minute() {
    let stage = Stage::new();
    let token = stage.token("view").await;
    let file = stage.dir.path().join("state/tokens.json");
    with(&stage, &token, "/api/v1/me").await;
    let first = std::fs::read_to_string(&file).unwrap();
    stage.clock.advance(Duration::from_secs(59));
    with(&stage, &token, "/api/v1/me").await;
    assert_eq!(std::fs::read_to_string(&file).unwrap(), first);
    stage.clock.advance(Duration::from_secs(1));
    with(&stage, &token, "/api/v1/me").await;
    assert_ne!(std::fs::read_to_string(&file).unwrap(), first);
    stage.stop().await;
}

#[tokio::test]
async fn what_makes_no_sense_makes_no_token() {
    let stage = Stage::new();
    for (body, field) in [
        (json!({ "name": "", "scope": "view" }), "name"),
        (json!({ "name": "x".repeat(61), "scope": "view" }), "name"),
        (json!({ "name": "x", "scope": "public" }), "scope"),
        (json!({ "name": "x", "scope": "everything" }), "scope"),
        (json!({ "name": "x", "scope": "view", "colour": "red" }), "colour"),
        (json!({ "name": 7, "scope": "view" }), "name"),
    ] {
        let reply = stage.locally(Method::POST, "/api/v1/tokens", body.clone()).await;
        assert_eq!(reply.problem(), (422, "invalid".to_owned()), "{body}");
        assert_eq!(reply.json()["error"]["field"], field, "{body}");
    }
    stage.stop().await;
}
