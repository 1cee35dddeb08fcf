//! The pages: what a path can reach, and what every answer carries.

use axum::body::Body;
use axum::http::{Method, Request, header};
use proptest::prelude::*;
use serde_json::json;

use crate::stage::{HOST, PASSWORD, Reply, Stage, ask, page};

fn has_every_header(reply: &Reply, api: bool, what: &str) {
    let header =
        |name: &str| reply.headers.get(name).unwrap_or_else(|| panic!("{what}: no {name}")).to_str().unwrap();
    assert_eq!(
        header("content-security-policy"),
        "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; img-src 'self' data: blob:",
        "{what}"
    );
    assert_eq!(header("x-content-type-options"), "nosniff", "{what}");
    assert_eq!(header("referrer-policy"), "no-referrer", "{what}");
    assert_eq!(header("cross-origin-opener-policy"), "same-origin", "{what}");
    assert_eq!(header("cross-origin-resource-policy"), "same-origin", "{what}");
    assert!(reply.headers.get("access-control-allow-origin").is_none(), "{what}");
    if api {
        assert_eq!(header("cache-control"), "no-store", "{what}");
    }
}

#[tokio::test]
async fn every_answer_carries_the_headers_errors_too() {
    let stage = Stage::new();
    let cookie = stage.claim().await;
    let mut seen = std::collections::BTreeSet::new();
    for (method, path, body, cookie) in [
        (Method::GET, "/", "", ""),
        (Method::GET, "/devices", "", ""),
        (Method::GET, "/nothing.js", "", ""),
        (Method::POST, "/", "{}", ""),
        (Method::GET, "/api/v1/host/public", "", ""),
        (Method::GET, "/api/v1/openapi.json", "", ""),
        (Method::GET, "/api/v1/host", "", ""),
        (Method::GET, "/api/v1/host", "", &*cookie),
        (Method::HEAD, "/api/v1/host", "", &*cookie),
        (Method::GET, "/api/v1/nothing", "", &*cookie),
        (Method::GET, "/api", "", &*cookie),
        (Method::PUT, "/api/v1/host", "{}", &*cookie),
        (Method::POST, "/api/v1/tokens", "{", &*cookie),
        (Method::POST, "/api/v1/tokens", "{}", &*cookie),
        (Method::GET, "/api/v1/events?topics=none", "", &*cookie),
        (Method::DELETE, "/api/v1/tokens/1", "", &*cookie),
    ] {
        let request = page(method.clone(), path).header(header::COOKIE, cookie);
        let reply = stage.send(request.body(Body::from(body)).unwrap()).await;
        has_every_header(&reply, path.starts_with("/api"), path);
        let status = reply.status.as_u16();
        if status >= 400 && method != Method::HEAD {
            assert_eq!(reply.problem().0, status, "{path}");
        }
        seen.insert(status);
    }
    let foreign =
        Request::builder().uri("/").header(header::HOST, "example.org").body(Body::empty()).unwrap();
    let reply = stage.send(foreign).await;
    has_every_header(&reply, false, "foreign");
    seen.insert(reply.status.as_u16());
    for status in [200, 400, 401, 403, 404, 405, 422] {
        assert!(seen.contains(&status), "{status} was not tried: {seen:?}");
    }
    stage.stop().await;
}

#[tokio::test]
async fn views_of_the_console_are_its_first_page_and_files_are_files() {
    let stage = Stage::new();
    let get = |path: &'static str| {
        stage
            .send(ask(Method::GET, path).header(header::ACCEPT_ENCODING, "gzip").body(Body::empty()).unwrap())
    };
    let index = get("/").await;
    assert_eq!(index.status, 200);
    assert_eq!(index.headers[header::CONTENT_TYPE], "text/html; charset=utf-8");
    for view in ["/devices", "/sessions/7", "/a/b/c/"] {
        assert_eq!(get(view).await.body, index.body, "{view}");
    }
    assert_eq!(get("/favicon.none").await.status, 404);
    let plain = stage.send(ask(Method::GET, "/").body(Body::empty()).unwrap()).await;
    assert!(plain.headers.get(header::CONTENT_ENCODING).is_none());
    assert!(String::from_utf8(plain.body).unwrap().contains("<html"), "readable without gzip");
    if let Some(tag) = index.headers.get(header::ETAG) {
        let again = ask(Method::GET, "/").header(header::IF_NONE_MATCH, tag).body(Body::empty()).unwrap();
        let again = stage.send(again).await;
        assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
    }
    stage.stop().await;
}

#[test]
fn no_path_panics_or_reaches_a_file() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let entered = runtime.enter();
    let stage = Stage::new();
    drop(entered);
    let secret = stage.api.claim().secret().unwrap().unwrap();
    let piece = prop_oneof![
        Just("..".to_owned()),
        Just("%2e%2e".to_owned()),
        Just("%2f".to_owned()),
        Just("etc".to_owned()),
        Just("passwd".to_owned()),
        Just("\\..\\".to_owned()),
        Just("assets".to_owned()),
        Just("index.html".to_owned()),
        Just("api".to_owned()),
        Just("v1".to_owned()),
        Just("host".to_owned()),
        Just("tokens".to_owned()),
        Just("state".to_owned()),
        Just("claim.json".to_owned()),
        Just("%00".to_owned()),
        Just("metrics".to_owned()),
        "[ -~]{0,12}",
        "\\PC{0,6}",
    ];
    let paths = (proptest::collection::vec(piece, 0..8), 0..6_usize);
    let mut runner =
        proptest::test_runner::TestRunner::new(ProptestConfig { cases: 1500, ..ProptestConfig::default() });
    let answered = std::cell::Cell::new(0);
    runner
        .run(&paths, |(pieces, method)| {
            let method =
                [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::HEAD][method]
                    .clone();
            let path = format!("/{}", pieces.join("/"));
            let request = Request::builder()
                .method(method)
                .uri(&path)
                .header(header::HOST, HOST)
                .body(Body::from("{}"));
            // What is no address is refused before the router.
            let Ok(request) = request else { return Ok(()) };
            let reply = runtime.block_on(stage.send(request));
            let status = reply.status.as_u16();
            prop_assert!([200, 400, 401, 403, 404, 405, 415].contains(&status), "{} {}", status, path);
            let text = String::from_utf8_lossy(&reply.body);
            prop_assert!(!text.contains("root:") && !text.contains(&secret), "{}", path);
            answered.set(answered.get() + 1);
            Ok(())
        })
        .unwrap();
    assert!(answered.get() > 300, "{}", answered.get());
    runtime.block_on(stage.stop());
}

#[tokio::test]
async fn a_password_is_in_no_answer() {
    let stage = Stage::new();
    let cookie = stage.claim().await;
    for path in ["/api/v1/host", "/api/v1/me", "/api/v1/tokens"] {
        let reply = stage.get(&cookie, path).await;
        assert!(!String::from_utf8_lossy(&reply.body).contains(PASSWORD), "{path}");
    }
    let reply = stage
        .change("", Method::POST, "/api/v1/login", json!({ "password": "my secret guess", "more": 1 }))
        .await;
    assert!(!String::from_utf8_lossy(&reply.body).contains("secret guess"));
    stage.stop().await;
}
