//! The newest lines of the host's log, without secrets.

use axum::extract::State;
use serde::Deserialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinSet;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::{Api, Json, Problem, Search, Topic};
use crate::log::{self, Filter, Level, Page};

/// Parts of the program that speak while an event is sent: telling of them would never end.
const CARRIERS: [&str; 4] = ["hyper", "rustls", "tokio", "punktfunk_host::api"];

/// The operations of this file.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Tells listeners of new lines.
pub(super) fn work(api: &Api, tasks: &mut JoinSet<()>) {
    let (events, mut lines) = (api.events().clone(), log::ring().listen());
    tasks.spawn(async move {
        loop {
            match lines.recv().await {
                Ok(line) if CARRIERS.iter().any(|part| line.target.starts_with(part)) => {}
                Ok(line) => events.publish(Topic::Log, &*line),
                // They are in the ring, for those who ask.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    });
}

/// Which lines are wanted.
#[derive(Debug, Deserialize)]
struct Wish {
    after: Option<u64>,
    level: Option<String>,
    target: Option<String>,
    text: Option<String>,
    limit: Option<usize>,
}

/// The lines of the log that fit.
#[utoipa::path(get, path = "/api/v1/logs", operation_id = "logs.list", tag = "logs",
    params(
        ("after" = Option<u64>, Query, description = "Only lines after this one, oldest first; left out: the newest"),
        ("level" = Option<String>, Query, description = "Only lines that matter at least so much: error, warn, info, debug or trace"),
        ("target" = Option<String>, Query, description = "Only lines of parts of the program whose name begins so"),
        ("text" = Option<String>, Query, description = "Only lines with this in them, in small or capital letters"),
        ("limit" = Option<usize>, Query, description = "At most so many, 1000 or less"),
    ),
    responses((status = 200, body = Page)), extensions(("x-scope" = json!("view"))))]
async fn list(State(api): State<Api>, Search(wish): Search<Wish>) -> Result<Json<Page>, Problem> {
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let level = match given(wish.level) {
        None => None,
        Some(word) => Some(Level::from_word(&word).ok_or_else(|| {
            Problem::bad_request("`level` is error, warn, info, debug or trace").with_field("level")
        })?),
    };
    let filter = Filter {
        after: wish.after,
        level,
        target: given(wish.target),
        text: given(wish.text),
        limit: wish.limit,
    };
    api.blocking(move |_| log::ring().lines(&filter)).await.map(Json)
}
