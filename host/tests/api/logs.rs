//! The log by the API: what was written comes back, what is asked for and nothing else, and
//! no secret.

use axum::http::Method;
use serde_json::{Value, json};

use crate::stage::{Stage, log};

/// The lines that fit, and the rest of the page. Each test writes under a name of its own:
/// the log is one for all.
async fn page(stage: &Stage, query: &str) -> Value {
    let reply = stage.locally(Method::GET, &format!("/api/v1/logs?{query}"), json!({})).await;
    assert_eq!(reply.status, 200, "{query}: {}", String::from_utf8_lossy(&reply.body));
    reply.json()
}

async fn said(stage: &Stage, query: &str) -> Vec<String> {
    let page = page(stage, &format!("target=logged::lines&{query}")).await;
    let lines = page["lines"].as_array().unwrap().iter();
    lines.map(|line| line["message"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn what_was_logged_comes_back_by_level_text_and_place() {
    log();
    let stage = Stage::new();
    tracing::error!(target: "logged::lines", "the kettle boils over");
    tracing::warn!(target: "logged::lines", cup = "Porcelain", "the tea is cold");
    tracing::error!(target: "logged::lines", "the kettle is empty");

    let all = page(&stage, "target=logged::lines").await;
    let lines = all["lines"].as_array().unwrap();
    assert_eq!(lines.len(), 3);
    assert_eq!((&lines[1]["level"], &lines[1]["message"]), (&json!("warn"), &json!("the tea is cold")));
    assert_eq!(
        (&lines[1]["target"], &lines[1]["fields"]),
        (&json!("logged::lines"), &json!({ "cup": "Porcelain" }))
    );
    let id = |at: usize| lines[at]["id"].as_u64().unwrap();
    assert!(id(0) < id(1) && id(1) < id(2) && lines[0]["at_ms"].as_u64().unwrap() > 0);

    let errors = ["the kettle boils over", "the kettle is empty"];
    assert_eq!(said(&stage, "level=error").await, errors);
    assert_eq!(said(&stage, "level=warn").await.len(), 3);
    assert_eq!(said(&stage, "text=KETTLE").await, errors);
    assert_eq!(said(&stage, "text=porcelain").await, ["the tea is cold"], "fields count, too");
    assert_eq!(said(&stage, "level=error&text=empty").await, errors[1..]);
    assert_eq!(said(&stage, "text=coffee").await, [""; 0]);
    assert_eq!(said(&stage, "limit=1").await, errors[1..], "the newest");
    assert_eq!(said(&stage, &format!("after={}&limit=1", id(0))).await, ["the tea is cold"], "the next");
    assert!(page(&stage, "target=logged::nothing").await["lines"].as_array().unwrap().is_empty());

    tracing::warn!(target: "logged::lines", "the kettle is new");
    assert_eq!(said(&stage, &format!("after={}", all["next"])).await, ["the kettle is new"]);
    stage.stop().await;
}

#[tokio::test]
async fn a_filter_that_cannot_be_is_refused() {
    let stage = Stage::new();
    for query in ["level=loud", "after=yesterday", "limit=-1"] {
        let reply = stage.locally(Method::GET, &format!("/api/v1/logs?{query}"), json!({})).await;
        assert_eq!(reply.problem(), (400, "bad_request".to_owned()), "{query}");
    }
    stage.stop().await;
}

#[tokio::test]
async fn no_secret_comes_back() {
    log();
    let stage = Stage::new();
    let claim = stage.api.claim().secret().unwrap().unwrap();
    let token = stage.token("view").await.replace("Bearer ", "");
    let key = stage.api.inside().context.store.identity().key_pem().to_owned();
    let invitation = "punktfunk://192.0.2.1:9777/pair?v=1&s=walrusandkettle";
    tracing::warn!(
        target: "logged::secrets",
        password = "hunter twenty-two",
        link = format!("https://192.0.2.1:47990/#claim={claim}"),
        "claimed by {claim}, asked with {token}, came by {invitation}, sealed with {key} at last"
    );
    let page = page(&stage, "target=logged::secrets").await;
    let line = &page["lines"][0];
    let message = line["message"].as_str().unwrap();
    assert!(message.starts_with("claimed by •••") && message.contains("at last"), "{message}");
    assert_eq!(line["fields"]["password"], "•••");
    let body = key.lines().nth(1).unwrap();
    for secret in [&*claim, &token, body, "walrusandkettle", "twenty-two"] {
        assert!(!page.to_string().contains(secret), "{secret} in {page}");
    }
    stage.stop().await;
}
