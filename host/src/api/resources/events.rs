//! Listening for what happens.

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::events::{Topics, body};
use crate::api::{Api, Caller, Problem, Search};

/// The operations of this file.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(listen))
}

/// What to listen for.
#[derive(Debug, Deserialize)]
struct Wish {
    topics: Option<String>,
    after: Option<u64>,
}

/// Everything that happens, as server-sent events with increasing ids.
#[utoipa::path(get, path = "/api/v1/events", operation_id = "events.listen", tag = "events",
    params(
        ("topics" = Option<String>, Query, description = "Names with commas between them: host, pairing, devices, \
            sessions, figures, settings, diagnostics, apps, log. Left out: all but log"),
        ("after" = Option<u64>, Query, description = "Replay what came after this id; the header \
            Last-Event-ID does the same and wins"),
    ),
    responses((status = 200, content_type = "text/event-stream", body = String)), extensions(("x-scope" = json!("view"))))]
async fn listen(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
    Search(wish): Search<Wish>,
) -> Result<Response, Problem> {
    let topics = Topics::parse(wish.topics.as_deref().unwrap_or_default())?;
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let after = match last.map(str::trim).filter(|text| !text.is_empty()) {
        Some(text) => Some(text.parse().map_err(|_| Problem::bad_request("`Last-Event-ID` is a number"))?),
        None => wish.after,
    };
    let hearing = api.events().listen(topics, caller.scope, after)?;
    Ok(([(header::CONTENT_TYPE, "text/event-stream")], body(api, caller, hearing)).into_response())
}
