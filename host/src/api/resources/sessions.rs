//! What runs for whom, how it goes, and what the owner does about it.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::{Api, Json, Path, Problem};
use crate::serve::front;
use crate::session::{Figures, Played, PlayedApp, PlayedBy, StreamInfo};
use crate::store::Protocol;

/// The operations of this file.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show, stop))
        .routes(routes!(message))
        .routes(routes!(change))
        .routes(routes!(statistics))
}

/// Something that runs for a device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// Names it; never used again while the host runs.
    pub id: String,
    /// Whom it is for.
    pub device: PlayedBy,
    /// What runs.
    pub app: PlayedApp,
    /// When it was asked for, seconds since 1970.
    pub started: u64,
    /// What it does now.
    pub state: SessionState,
    /// What its device sees; none while it is away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<StreamInfo>,
    /// The last second of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub figures: Option<Figures>,
}

/// What a session does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SessionState {
    /// The application is being started.
    Starting,
    /// Its device sees it.
    Playing,
    /// It runs, and nobody sees it.
    Away,
}

/// All sessions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SessionList {
    /// Oldest first.
    pub sessions: Vec<Session>,
}

/// Numbers of one session, as an event tells them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SessionFigures {
    /// Which session.
    pub session: String,
    /// Its last second.
    pub figures: Figures,
}

/// A text for a screen.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionMessage {
    /// At most 200 characters.
    pub text: String,
}

/// What is to be another.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionChange {
    /// What the stream may take at most, kbit/s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bitrate_kbps: Option<u32>,
}

/// Streams that are over.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Statistics {
    /// Oldest first, the last 200 at most.
    pub sessions: Vec<Played>,
}

/// How a session looks from outside.
pub fn seen(api: &Api, session: &front::Session) -> Session {
    let seat = &session.seat;
    let native = session.client.as_ref().is_none_or(|client| client.protocol == Protocol::Native);
    Session {
        id: seat.id.to_string(),
        device: PlayedBy {
            id: punktfunk_core::bytes::to_hex(&seat.client.0),
            name: session.name(),
            protocol: if native { "native" } else { "gamestream" }.to_owned(),
        },
        app: PlayedApp { id: seat.app.to_string(), title: seat.title.clone() },
        started: api.clock().unix().saturating_sub(seat.age.as_secs()),
        state: match (seat.is_starting, &seat.stream) {
            (true, _) => SessionState::Starting,
            (false, Some(_)) => SessionState::Playing,
            (false, None) => SessionState::Away,
        },
        stream: seat.stream.clone(),
        figures: None,
    }
}

/// As they are now, without figures.
pub(super) fn all(api: &Api) -> SessionList {
    SessionList { sessions: api.front().sessions().iter().map(|session| seen(api, session)).collect() }
}

/// The figures of all that are watched.
pub(super) async fn figures(api: &Api) -> Vec<SessionFigures> {
    let all = api.front().figures().await.into_iter();
    all.map(|(id, figures)| SessionFigures { session: id.to_string(), figures }).collect()
}

async fn one(api: &Api, id: u64) -> Result<Session, Problem> {
    let session = seen(api, &api.front().session(id)?);
    let figures = api.front().figures().await.into_iter().find(|(seat, _)| *seat == id);
    Ok(Session { figures: figures.map(|(_, figures)| figures), ..session })
}

fn number(id: &str) -> Result<u64, Problem> {
    id.parse().map_err(|_| Problem::not_found("there is no such session; list them to see their ids"))
}

/// What runs for whom.
#[utoipa::path(get, path = "/api/v1/sessions", operation_id = "sessions.list", tag = "sessions",
    responses((status = 200, body = SessionList)), extensions(("x-scope" = json!("view"))))]
async fn list(State(api): State<Api>) -> Json<SessionList> {
    let mut all = all(&api);
    let figures = figures(&api).await;
    for session in &mut all.sessions {
        let own = figures.iter().find(|figures| figures.session == session.id);
        session.figures = own.map(|own| own.figures.clone());
    }
    Json(all)
}

/// One session, with its figures.
#[utoipa::path(get, path = "/api/v1/sessions/{id}", operation_id = "sessions.show", tag = "sessions",
    params(("id" = String, Path, description = "The session")),
    responses((status = 200, body = Session)), extensions(("x-scope" = json!("view"))))]
async fn show(State(api): State<Api>, Path(id): Path<String>) -> Result<Json<Session>, Problem> {
    one(&api, number(&id)?).await.map(Json)
}

/// Ends a session: its application is closed and its device is told.
#[utoipa::path(delete, path = "/api/v1/sessions/{id}", operation_id = "sessions.stop", tag = "sessions",
    params(("id" = String, Path, description = "The session")),
    responses((status = 204, description = "Nothing of it runs")), extensions(("x-scope" = json!("manage"))))]
async fn stop(State(api): State<Api>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    api.front().end(number(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Shows a text on the screen of a session for some seconds.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/message", operation_id = "sessions.message", tag = "sessions",
    params(("id" = String, Path, description = "The session")),
    request_body = SessionMessage, responses((status = 204, description = "It is shown")),
    extensions(("x-scope" = json!("manage"))))]
async fn message(
    State(api): State<Api>,
    Path(id): Path<String>,
    Json(message): Json<SessionMessage>,
) -> Result<StatusCode, Problem> {
    api.front().message(number(&id)?, &message.text).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Changes the stream of a session while it runs.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/change", operation_id = "sessions.change", tag = "sessions",
    params(("id" = String, Path, description = "The session")),
    request_body = SessionChange, responses((status = 200, body = Session)), extensions(("x-scope" = json!("manage"))))]
async fn change(
    State(api): State<Api>,
    Path(id): Path<String>,
    Json(change): Json<SessionChange>,
) -> Result<Json<Session>, Problem> {
    let id = number(&id)?;
    if let Some(kbps) = change.bitrate_kbps {
        api.front().set_bitrate(id, kbps).await?;
    }
    one(&api, id).await.map(Json)
}

/// The numbers of the streams that ended of late.
#[utoipa::path(get, path = "/api/v1/diagnostics/statistics", operation_id = "diagnostics.statistics",
    tag = "diagnostics", responses((status = 200, body = Statistics)), extensions(("x-scope" = json!("view"))))]
async fn statistics(State(api): State<Api>) -> Result<Json<Statistics>, Problem> {
    // It may have to be read from the disk.
    let sessions = api.blocking(|api| api.front().played()).await?;
    Ok(Json(Statistics { sessions }))
}
