//! Server-sent events: ids, replay, and when a stream ends.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, header};
use futures_util::StreamExt as _;
use punktfunk_host::api::Topic;
use serde_json::json;
use tower::ServiceExt as _;

use crate::stage::{PATIENCE, Stage, ask, remote};

/// What comes, frame by frame.
struct Ear(axum::body::BodyDataStream);

impl Ear {
    async fn new(
        stage: &Stage,
        credentials: (header::HeaderName, &str),
        query: &str,
        last: Option<u64>,
    ) -> Self {
        let mut request =
            ask(Method::GET, &format!("/api/v1/events{query}")).header(credentials.0, credentials.1);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let mut request = request.body(Body::empty()).unwrap();
        request.extensions_mut().insert(remote(1));
        let response = stage.api.router().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
        let mut ear = Self(response.into_body().into_data_stream());
        assert_eq!(ear.next().await.unwrap(), "retry: 2000\n\n");
        ear
    }

    /// The next frame; none when the stream ended.
    async fn next(&mut self) -> Option<String> {
        let next = tokio::time::timeout(PATIENCE, self.0.next()).await.expect("nothing came");
        next.map(|frame| String::from_utf8(frame.unwrap().to_vec()).unwrap())
    }
}

fn id(frame: &str) -> u64 {
    frame.lines().find_map(|line| line.strip_prefix("id: ")).unwrap().parse().unwrap()
}

#[tokio::test]
async fn who_was_cut_off_hears_what_it_missed() {
    let stage = Stage::new();
    let cookie = stage.claim().await;
    let mut ear = Ear::new(&stage, (header::COOKIE, &cookie), "?topics=devices,settings", None).await;
    stage.api.events().publish(Topic::Devices, &json!({ "devices": [] }));
    let first = ear.next().await.unwrap();
    assert!(
        first.starts_with("event: devices\n") && first.ends_with("data: {\"devices\":[]}\n\n"),
        "{first}"
    );
    drop(ear);
    stage.api.events().publish(Topic::Settings, &json!({ "restart_needed": true }));
    stage.api.events().publish(Topic::Sessions, &json!({ "sessions": [] }));
    let mut ear =
        Ear::new(&stage, (header::COOKIE, &cookie), "?topics=devices,settings", Some(id(&first))).await;
    let second = ear.next().await.unwrap();
    assert!(second.starts_with("event: settings\n"), "{second}");
    assert!(id(&second) > id(&first));
    let query = format!("?after={}", id(&first));
    let mut ear = Ear::new(&stage, (header::COOKIE, &cookie), &query, None).await;
    assert_eq!(ear.next().await.unwrap(), second);
    assert!(ear.next().await.unwrap().starts_with("event: sessions\n"));
    let mut ear = Ear::new(&stage, (header::COOKIE, &cookie), "", Some(1)).await;
    assert!(ear.next().await.unwrap().starts_with("event: reset\n"), "of an earlier run");
    stage.stop().await;
}

#[tokio::test]
async fn a_stream_ends_with_the_right_to_listen() {
    let stage = Stage::new();
    let cookie = stage.claim().await;
    let token = stage.token("view").await;
    let mut by_token = Ear::new(&stage, (header::AUTHORIZATION, &token), "", None).await;
    let mut by_cookie = Ear::new(&stage, (header::COOKIE, &cookie), "", None).await;
    let list = stage.get(&cookie, "/api/v1/tokens").await.json();
    let path = format!("/api/v1/tokens/{}", list["tokens"][0]["id"].as_str().unwrap());
    assert_eq!(stage.change(&cookie, Method::DELETE, &path, json!({})).await.status, 204);
    assert_eq!(by_token.next().await, None, "revoked");
    assert_eq!(stage.change(&cookie, Method::POST, "/api/v1/logout", json!({})).await.status, 204);
    assert_eq!(by_cookie.next().await, None, "logged out");
    stage.stop().await;
}

#[tokio::test]
async fn a_comment_comes_every_fifteen_seconds_until_the_token_expires() {
    let stage = Stage::new();
    let cookie = stage.claim().await;
    let expires = stage.clock.unix() + 60;
    let body = json!({ "name": "short", "scope": "view", "expires": expires });
    let made = stage.locally(Method::POST, "/api/v1/tokens", body).await.json();
    let token = format!("Bearer {}", made["secret"].as_str().unwrap());
    let mut by_token = Ear::new(&stage, (header::AUTHORIZATION, &token), "", None).await;
    let mut by_cookie = Ear::new(&stage, (header::COOKIE, &cookie), "", None).await;
    stage.clock.advance(Duration::from_secs(60));
    assert!(by_cookie.next().await.unwrap().starts_with(": "));
    assert_eq!(by_token.next().await, None);
    stage.stop().await;
}

#[tokio::test]
async fn sixty_four_may_listen_and_places_are_given_back() {
    let stage = Stage::new();
    let cookie = stage.claim().await;
    let mut ears = Vec::new();
    for _ in 0..64 {
        ears.push(Ear::new(&stage, (header::COOKIE, &cookie), "", None).await);
    }
    let refused = stage.get(&cookie, "/api/v1/events").await;
    assert_eq!(refused.problem(), (429, "too_many".to_owned()));
    assert!(refused.headers.contains_key(header::RETRY_AFTER));
    ears.pop();
    Ear::new(&stage, (header::COOKIE, &cookie), "", None).await;
    let bad = stage.get(&cookie, "/api/v1/events?topics=rumours").await;
    assert_eq!(bad.problem(), (400, "bad_request".to_owned()));
    stage.stop().await;
}
