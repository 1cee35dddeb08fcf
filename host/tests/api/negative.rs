//! What must not work, for every operation there is: the list is the description of the
//! API itself, so that a new operation is in these tests at once.

use axum::body::Body;
use axum::http::{Method, header};
use punktfunk_host::api::{MARK, Scope, openapi};
use serde_json::Value;

use crate::stage::{HOST, Reply, Stage, ask, page};

/// Fewer operations than this were not found: the list is not read right.
const AT_LEAST: usize = 10;

struct Operation {
    id: String,
    method: Method,
    /// With something in the place of each variable.
    path: String,
    scope: Scope,
    max_body: usize,
}

impl Operation {
    fn changes(&self) -> bool {
        self.method != Method::GET
    }

    fn takes_json(&self) -> bool {
        self.changes() && self.method != Method::DELETE
    }
}

fn operations() -> Vec<Operation> {
    let document: Value = serde_json::from_str(&openapi::text()).unwrap();
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id =
                operation["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path}")).to_owned();
            let filled: Vec<&str> =
                path.split('/').map(|part| if part.starts_with('{') { "1" } else { part }).collect();
            found.push(Operation {
                id,
                method: method.to_uppercase().parse().unwrap(),
                path: filled.join("/"),
                scope: serde_json::from_value(operation["x-scope"].clone()).unwrap(),
                max_body: operation["x-max-body"].as_u64().unwrap_or(1 << 20) as usize,
            });
        }
    }
    assert!(found.len() >= AT_LEAST, "{}", found.len());
    found
}

fn expect(operation: &Operation, reply: &Reply, status: u16, code: &str) {
    assert_eq!(reply.problem(), (status, code.to_owned()), "{}", operation.id);
}

#[tokio::test]
async fn nobody_gets_what_is_not_public() {
    let stage = Stage::new();
    for operation in operations().iter().filter(|operation| operation.scope != Scope::Public) {
        let request = page(operation.method.clone(), &operation.path);
        expect(operation, &stage.send(request.body(Body::from("{}")).unwrap()).await, 401, "unauthenticated");
        for wrong in ["Bearer pf_0000", "Bearer ", "Basic cHVua3RmdW5rOnB1bmt0ZnVuaw==", "pf_"] {
            let request =
                page(operation.method.clone(), &operation.path).header(header::AUTHORIZATION, wrong);
            expect(
                operation,
                &stage.send(request.body(Body::empty()).unwrap()).await,
                401,
                "unauthenticated",
            );
        }
        let request =
            page(operation.method.clone(), &operation.path).header(header::COOKIE, "__Host-punktfunk=00");
        expect(operation, &stage.send(request.body(Body::empty()).unwrap()).await, 401, "unauthenticated");
    }
    stage.stop().await;
}

#[tokio::test]
async fn a_scope_below_is_refused_everywhere() {
    let stage = Stage::new();
    let mut tokens = Vec::new();
    for (name, scope) in
        [("metrics", Scope::Metrics), ("view", Scope::View), ("play", Scope::Play), ("manage", Scope::Manage)]
    {
        tokens.push((scope, stage.token(name).await));
    }
    let mut refused = 0;
    for operation in &operations() {
        for (scope, token) in &tokens {
            if scope.allows(operation.scope) {
                continue;
            }
            let request =
                page(operation.method.clone(), &operation.path).header(header::AUTHORIZATION, token);
            expect(operation, &stage.send(request.body(Body::from("{}")).unwrap()).await, 403, "scope");
            refused += 1;
        }
    }
    assert!(refused > AT_LEAST);
    stage.stop().await;
}

#[tokio::test]
async fn another_page_changes_nothing() {
    let stage = Stage::new();
    let cookie = stage.claim().await;
    let token = stage.token("owner").await;
    for operation in operations().iter().filter(|operation| operation.changes()) {
        let bare = || {
            let request = ask(operation.method.clone(), &operation.path).header(header::COOKIE, &cookie);
            request.header(header::CONTENT_TYPE, "application/json")
        };
        let no_origin = bare().header(MARK, "1");
        expect(operation, &stage.send(no_origin.body(Body::from("{}")).unwrap()).await, 403, "origin");
        for origin in [
            "null",
            "https://example.org",
            "http://localhost:47990",
            "https://localhost",
            "https://localhost:47991",
            "https://localhost:47990.example.org",
            "",
        ] {
            let request = bare().header(MARK, "1").header(header::ORIGIN, origin);
            expect(operation, &stage.send(request.body(Body::from("{}")).unwrap()).await, 403, "origin");
            // A token changes nothing about a page that says it is another.
            let request = ask(operation.method.clone(), &operation.path)
                .header(header::AUTHORIZATION, &token)
                .header(header::ORIGIN, origin);
            expect(operation, &stage.send(request.body(Body::from("{}")).unwrap()).await, 403, "origin");
        }
        let own = || bare().header(header::ORIGIN, format!("https://{HOST}"));
        expect(operation, &stage.send(own().body(Body::from("{}")).unwrap()).await, 403, "csrf");
        let odd = own().header(MARK, "0");
        expect(operation, &stage.send(odd.body(Body::from("{}")).unwrap()).await, 403, "csrf");
    }
    stage.stop().await;
}

#[tokio::test]
async fn a_name_that_is_not_ours_is_refused_everywhere() {
    let stage = Stage::new();
    let cookie = stage.claim().await;
    for operation in &operations() {
        for host in ["example.org", "localhost.example.org:47990", "127.0.0.1.example.org", ""] {
            let request = axum::http::Request::builder()
                .method(operation.method.clone())
                .uri(&operation.path)
                .header(header::HOST, host)
                .header(header::ORIGIN, format!("https://{host}"))
                .header(MARK, "1")
                .header(header::CONTENT_TYPE, "application/json")
                .header(header::COOKIE, &cookie);
            expect(operation, &stage.send(request.body(Body::from("{}")).unwrap()).await, 403, "host");
        }
        let twice = page(operation.method.clone(), &operation.path).header(header::HOST, HOST);
        expect(operation, &stage.send(twice.body(Body::from("{}")).unwrap()).await, 400, "bad_request");
    }
    stage.stop().await;
}

#[tokio::test]
async fn only_json_of_bounded_size_is_read() {
    let stage = Stage::new();
    let cookie = stage.claim().await;
    for operation in operations().iter().filter(|operation| operation.changes()) {
        let own = |kind: &str| {
            let request = ask(operation.method.clone(), &operation.path)
                .header(header::COOKIE, &cookie)
                .header(header::ORIGIN, format!("https://{HOST}"))
                .header(MARK, "1");
            if kind.is_empty() { request } else { request.header(header::CONTENT_TYPE, kind) }
        };
        for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
        {
            let reply = stage.send(own(kind).body(Body::from("{}")).unwrap()).await;
            expect(operation, &reply, 415, "wrong_type");
        }
        let json = || own("application/json");
        for malformed in ["{", "{}}", "\u{0}", "{\"a\":}", "nul", &"[".repeat(2000)] {
            let reply = stage.send(json().body(Body::from(malformed.to_owned())).unwrap()).await;
            expect(operation, &reply, 400, "bad_request");
        }
        let large = vec![b' '; operation.max_body + 1];
        let reply = stage.send(json().body(Body::from(large.clone())).unwrap()).await;
        expect(operation, &reply, 413, "too_large");
        let announced = json().header(header::CONTENT_LENGTH, large.len());
        let reply = stage.send(announced.body(Body::empty()).unwrap()).await;
        expect(operation, &reply, 413, "too_large");
        if operation.takes_json() {
            assert!(operation.max_body <= 12 << 20, "{}", operation.id);
        }
    }
    stage.stop().await;
}

#[tokio::test]
async fn a_method_that_is_not_there_is_said_so() {
    let stage = Stage::new();
    let cookie = stage.claim().await;
    for operation in &operations() {
        for method in [Method::OPTIONS, Method::TRACE, Method::CONNECT] {
            let request = page(method, &operation.path).header(header::COOKIE, &cookie);
            let reply = stage.send(request.body(Body::empty()).unwrap()).await;
            expect(operation, &reply, 405, "method_not_allowed");
        }
    }
    stage.stop().await;
}
