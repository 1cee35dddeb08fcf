//! Logging in: limits, cookies, and what ends a session.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, header};
use serde_json::json;

use crate::stage::{PASSWORD, Reply, Stage, page, remote};

async fn login(stage: &Stage, password: &str, from: u8) -> Reply {
    let body = json!({ "password": password }).to_string();
    stage.send_from(page(Method::POST, "/api/v1/login").body(Body::from(body)).unwrap(), remote(from)).await
}

#[tokio::test]
async fn passwords_can_be_tried_five_times_a_minute_and_twenty_times_by_all() {
    let stage = Stage::new();
    stage.claim().await;
    for _ in 0..5 {
        assert_eq!(login(&stage, "a wrong one", 1).await.problem(), (403, "wrong_password".to_owned()));
    }
    let refused = login(&stage, PASSWORD, 1).await;
    assert_eq!(refused.problem(), (429, "too_many".to_owned()), "even with the right one");
    assert_eq!(refused.headers[header::RETRY_AFTER], "60");
    for from in 2..=4 {
        for _ in 0..5 {
            assert_eq!(login(&stage, "a wrong one", from).await.problem().1, "wrong_password");
        }
    }
    assert_eq!(login(&stage, PASSWORD, 9).await.problem().1, "too_many", "twenty in all");
    stage.clock.advance(Duration::from_secs(59));
    assert_eq!(login(&stage, PASSWORD, 1).await.headers[header::RETRY_AFTER], "1");
    stage.clock.advance(Duration::from_secs(1));
    assert_eq!(login(&stage, PASSWORD, 1).await.status, 200);
    for _ in 0..30 {
        assert_eq!(login(&stage, PASSWORD, 1).await.status, 200, "the owner is not limited");
    }
    stage.stop().await;
}

#[tokio::test]
async fn the_cookie_is_for_this_host_and_no_script() {
    let stage = Stage::new();
    stage.claim().await;
    let reply = login(&stage, PASSWORD, 1).await;
    let set = reply.headers[header::SET_COOKIE].to_str().unwrap().to_owned();
    let parts: Vec<&str> = set.split("; ").collect();
    let (name, value) = parts[0].split_once('=').unwrap();
    assert_eq!(name, "__Host-punktfunk");
    assert!(value.len() == 64 && value.bytes().all(|byte| byte.is_ascii_hexdigit()), "256 bits");
    for needed in ["Secure", "HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(parts.contains(&needed), "{set}");
    }
    assert!(!set.contains("Domain"));
    stage.stop().await;
}

#[tokio::test]
async fn a_login_changes_the_cookie_and_a_logout_ends_it() {
    let stage = Stage::new();
    let first = stage.claim().await;
    let reply = stage.change(&first, Method::POST, "/api/v1/login", json!({ "password": PASSWORD })).await;
    let second = reply.cookie();
    assert_ne!(first, second);
    assert_eq!(stage.get(&first, "/api/v1/me").await.status, 401, "the old one is over");
    assert_eq!(stage.get(&second, "/api/v1/me").await.status, 200);
    let reply = stage.change(&second, Method::POST, "/api/v1/logout", json!({})).await;
    assert_eq!(reply.status, 204);
    assert!(reply.headers[header::SET_COOKIE].to_str().unwrap().contains("Max-Age=0"));
    assert_eq!(stage.get(&second, "/api/v1/me").await.status, 401);
    stage.stop().await;
}

#[tokio::test]
async fn a_session_ends_after_half_an_hour_of_silence_and_after_twelve_hours() {
    let stage = Stage::new();
    let cookie = stage.claim().await;
    let me = stage.get(&cookie, "/api/v1/me").await.json();
    let now = stage.clock.unix();
    assert_eq!(me["expires_idle"], now + 30 * 60);
    assert_eq!(me["expires_absolute"], now + 12 * 3600);
    for _ in 0..24 {
        stage.clock.advance(Duration::from_secs(29 * 60));
        assert_eq!(stage.get(&cookie, "/api/v1/me").await.status, 200);
    }
    stage.clock.advance(Duration::from_secs(24 * 60));
    assert_eq!(stage.get(&cookie, "/api/v1/me").await.status, 401, "twelve hours");
    let cookie = login(&stage, PASSWORD, 1).await.cookie();
    stage.clock.advance(Duration::from_secs(30 * 60));
    assert_eq!(stage.get(&cookie, "/api/v1/me").await.status, 401, "silence");
    stage.stop().await;
}

#[tokio::test]
async fn another_password_logs_the_other_browsers_out() {
    let stage = Stage::new();
    let mine = stage.claim().await;
    let other = login(&stage, PASSWORD, 2).await.cookie();
    let change = |current: &str, new: &str| {
        stage.change(&mine, Method::POST, "/api/v1/password", json!({ "current": current, "new": new }))
    };
    assert_eq!(
        change("not this one", "another good one").await.problem(),
        (403, "wrong_password".to_owned())
    );
    let short = change(PASSWORD, "short").await;
    assert_eq!((short.problem().0, &short.json()["error"]["field"]), (422, &json!("new")));
    assert_eq!(change(PASSWORD, "another good one").await.status, 204);
    assert_eq!(stage.get(&mine, "/api/v1/me").await.status, 200);
    assert_eq!(stage.get(&other, "/api/v1/me").await.status, 401);
    assert_eq!(login(&stage, PASSWORD, 1).await.problem().1, "wrong_password");
    assert_eq!(login(&stage, "another good one", 1).await.status, 200);
    stage.stop().await;
}
