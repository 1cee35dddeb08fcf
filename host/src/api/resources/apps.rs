//! Applications: the library's list, what the owner adds and changes, pictures, starting
//! and quitting.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::sessions::{Session, seen};
use crate::api::{Api, Json, Path, Problem, Topic};
use crate::library::{self, Change, LibraryError, Prefer, Step};
use crate::session::{Catalogue as _, LaunchError};
use crate::store::Client;

/// The operations of this file.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list, add))
        .routes(routes!(change, remove))
        .routes(routes!(reorder))
        .routes(routes!(scan))
        .routes(routes!(art, set_art, clear_art))
        .routes(routes!(launch))
        .routes(routes!(quit))
}

/// Tells who listens when the list changes.
pub(in crate::api) async fn watch(api: Api) {
    let mut changes = api.library().changes();
    let mut stop = api.inside().stop.clone();
    loop {
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            _ = stop.wait_for(|stop| *stop) => return,
        }
        if let Ok(list) = api.blocking(all).await {
            api.events().publish(Topic::Apps, &list);
        }
    }
}

/// All applications.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct AppList {
    /// In the order clients show them, hidden ones too.
    pub apps: Vec<App>,
}

/// An application.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct App {
    /// The number that clients know it by.
    pub id: String,
    /// Its title.
    pub title: String,
    /// `builtin`, `config`, `custom`, `steam`, `heroic`, `lutris`, `flatpak` or `desktop`.
    pub source: String,
    /// How it is started, for people.
    pub launch: String,
    /// The line for the shell, of one that the owner added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Where it starts; the home directory when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dir: Option<String>,
    /// No client sees it.
    pub hidden: bool,
    /// There is a picture.
    pub has_art: bool,
    /// It runs now.
    pub running: bool,
    /// Variables besides those of the seat.
    pub env: BTreeMap<String, String>,
    /// What is done around a launch.
    pub prep: Vec<Step>,
    /// What it is played with where the client leaves a choice.
    pub prefer: Prefer,
    /// Title, command and folder may be changed.
    pub editable: bool,
}

/// An application to be added: title and command are needed.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewApp {
    /// Its title.
    pub title: String,
    /// A line for the shell.
    pub command: String,
    /// Where it starts; the home directory when absent.
    #[serde(default)]
    pub dir: Option<String>,
    /// Variables besides those of the seat.
    #[serde(default)]
    pub env: Option<BTreeMap<String, String>>,
    /// What is done around a launch.
    #[serde(default)]
    pub prep: Option<Vec<Step>>,
    /// What it is played with where the client leaves a choice.
    #[serde(default)]
    pub prefer: Option<Prefer>,
}

/// What is to be changed; what is left out stays.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AppChange {
    /// Its title.
    pub title: Option<String>,
    /// A line for the shell.
    pub command: Option<String>,
    /// Where it starts; empty for the home directory.
    pub dir: Option<String>,
    /// All variables.
    pub env: Option<BTreeMap<String, String>>,
    /// All steps.
    pub prep: Option<Vec<Step>>,
    /// All preferences.
    pub prefer: Option<Prefer>,
    /// No client sees it.
    pub hidden: Option<bool>,
}

/// An order.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// These come first; the others follow as they were.
    pub ids: Vec<String>,
}

/// What looking at what is installed found.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ScanReport {
    /// All applications that were found.
    pub found: usize,
    /// How many of each source.
    pub by_source: BTreeMap<String, usize>,
    /// What could not be read.
    pub problems: Vec<String>,
}

/// A picture.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewArt {
    /// `image/png`, `image/jpeg` or `image/webp`.
    pub media_type: String,
    /// The file, in Base64.
    pub data: String,
}

/// Whom an application is started for.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LaunchFor {
    /// The device, by its id; the one seen last when absent.
    pub device: Option<String>,
}

impl App {
    fn of(app: library::App, running: &HashSet<u32>) -> Self {
        Self {
            running: running.contains(&app.id),
            id: app.id.to_string(),
            title: app.title,
            source: app.source.name().to_owned(),
            launch: app.launch,
            command: app.command,
            dir: app.dir.map(|dir| dir.to_string_lossy().into_owned()),
            hidden: app.hidden,
            has_art: app.has_art,
            env: app.env,
            prep: app.prep,
            prefer: app.prefer,
            editable: app.editable,
        }
    }
}

impl From<AppChange> for Change {
    fn from(change: AppChange) -> Self {
        let AppChange { title, command, dir, env, prep, prefer, hidden } = change;
        let (title, dir) = (title.map(trimmed), dir.map(PathBuf::from));
        Self { title, command, dir, env, prep, prefer, hidden }
    }
}

impl From<NewApp> for Change {
    fn from(new: NewApp) -> Self {
        let NewApp { title, command, dir, env, prep, prefer } = new;
        let (title, command) = (Some(title), Some(command));
        AppChange { title, command, dir, env, prep, prefer, hidden: None }.into()
    }
}

fn trimmed(title: String) -> String {
    title.trim().to_owned()
}

impl From<LibraryError> for Problem {
    fn from(error: LibraryError) -> Self {
        match error {
            LibraryError::NotFound(_) => Self::not_found(error.to_string()),
            LibraryError::Invalid { field, message } => Self::invalid(field, message),
            LibraryError::Fixed(message) => Self::conflict(message),
            LibraryError::Store(error) => error.into(),
        }
    }
}

fn number(id: &str) -> Result<u32, Problem> {
    id.parse().map_err(|_| Problem::not_found("there is no such application; list them to see their ids"))
}

fn running(api: &Api) -> HashSet<u32> {
    api.inside().supervisor.running_apps().into_iter().collect()
}

fn all(api: &Api) -> AppList {
    let running = running(api);
    let apps = api.library().apps().into_iter().map(|app| App::of(app, &running));
    AppList { apps: apps.collect() }
}

/// All applications, hidden ones too.
#[utoipa::path(get, path = "/api/v1/apps", operation_id = "apps.list", tag = "apps",
    responses((status = 200, body = AppList)), extensions(("x-scope" = json!("view"))))]
async fn list(State(api): State<Api>) -> Result<Json<AppList>, Problem> {
    api.blocking(all).await.map(Json)
}

/// Adds an application.
#[utoipa::path(post, path = "/api/v1/apps", operation_id = "apps.add", tag = "apps",
    request_body = NewApp, responses((status = 201, body = App)), extensions(("x-scope" = json!("manage"))))]
async fn add(State(api): State<Api>, Json(new): Json<NewApp>) -> Result<(StatusCode, Json<App>), Problem> {
    let app = api.blocking(move |api| api.library().add(&new.into())).await??;
    tracing::info!(app = app.title, "an application was added");
    Ok((StatusCode::CREATED, Json(App::of(app, &HashSet::new()))))
}

/// Changes what may be changed of an application.
#[utoipa::path(patch, path = "/api/v1/apps/{id}", operation_id = "apps.change", tag = "apps",
    params(("id" = String, Path, description = "The application")),
    request_body = AppChange, responses((status = 200, body = App)), extensions(("x-scope" = json!("manage"))))]
async fn change(
    State(api): State<Api>,
    Path(id): Path<String>,
    Json(change): Json<AppChange>,
) -> Result<Json<App>, Problem> {
    let id = number(&id)?;
    let app = api.blocking(move |api| api.library().change(id, &change.into())).await??;
    tracing::info!(app = app.title, "an application was changed");
    Ok(Json(App::of(app, &running(&api))))
}

/// Removes an application that the owner added.
#[utoipa::path(delete, path = "/api/v1/apps/{id}", operation_id = "apps.remove", tag = "apps",
    params(("id" = String, Path, description = "The application")),
    responses((status = 204, description = "It is gone")), extensions(("x-scope" = json!("manage"))))]
async fn remove(State(api): State<Api>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    let id = number(&id)?;
    api.blocking(move |api| api.library().remove(id)).await??;
    Ok(StatusCode::NO_CONTENT)
}

/// Puts applications in an order.
#[utoipa::path(post, path = "/api/v1/apps/order", operation_id = "apps.reorder", tag = "apps",
    request_body = Order, responses((status = 204, description = "They are in that order")),
    extensions(("x-scope" = json!("manage"))))]
async fn reorder(State(api): State<Api>, Json(order): Json<Order>) -> Result<StatusCode, Problem> {
    let ids = order.ids.iter().map(|id| number(id)).collect::<Result<_, _>>()?;
    api.blocking(move |api| api.library().reorder(ids)).await??;
    Ok(StatusCode::NO_CONTENT)
}

/// Looks anew at what is installed.
#[utoipa::path(post, path = "/api/v1/apps/scan", operation_id = "apps.scan", tag = "apps",
    responses((status = 200, body = ScanReport)), extensions(("x-scope" = json!("manage"))))]
async fn scan(State(api): State<Api>) -> Result<Json<ScanReport>, Problem> {
    let scanned = api.blocking(|api| api.library().scan()).await?;
    let by_source = scanned.by_source.into_iter().map(|(source, count)| (source.to_owned(), count));
    let by_source: BTreeMap<_, _> = by_source.collect();
    Ok(Json(ScanReport { found: by_source.values().sum(), by_source, problems: scanned.problems }))
}

/// The picture of an application.
#[utoipa::path(get, path = "/api/v1/apps/{id}/art", operation_id = "apps.art", tag = "apps",
    params(("id" = String, Path, description = "The application")),
    responses((status = 200, description = "The picture", content(
        (Vec<u8> = "image/png"), (Vec<u8> = "image/jpeg"), (Vec<u8> = "image/webp")))),
    extensions(("x-scope" = json!("view"))))]
async fn art(State(api): State<Api>, Path(id): Path<String>) -> Result<Response, Problem> {
    let id = number(&id)?;
    let art = api.blocking(move |api| api.library().art(id)).await?;
    let art = art.ok_or_else(|| Problem::not_found("there is no picture of this application"))?;
    Ok(([(header::CONTENT_TYPE, art.media_type)], art.bytes).into_response())
}

/// Gives an application a picture.
#[utoipa::path(put, path = "/api/v1/apps/{id}/art", operation_id = "apps.set_art", tag = "apps",
    params(("id" = String, Path, description = "The application")),
    request_body = NewArt, responses((status = 204, description = "It has this picture")),
    extensions(("x-scope" = json!("manage")), ("x-max-body" = json!(8388608))))]
async fn set_art(
    State(api): State<Api>,
    Path(id): Path<String>,
    Json(new): Json<NewArt>,
) -> Result<StatusCode, Problem> {
    let id = number(&id)?;
    api.blocking(move |api| {
        let bytes = base64::engine::general_purpose::STANDARD.decode(new.data.as_bytes());
        let bytes = bytes.map_err(|error| Problem::invalid("data", format!("this is no Base64: {error}")))?;
        let form = library::form_of(&bytes).map_err(|message| Problem::invalid("data", message))?;
        if form.media_type() != new.media_type {
            let message = format!("the picture is {}: say so", form.media_type());
            return Err(Problem::invalid("media_type", message));
        }
        api.library().set_art(id, &bytes).map_err(Problem::from)
    })
    .await??;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes the owner's picture of an application away.
#[utoipa::path(delete, path = "/api/v1/apps/{id}/art", operation_id = "apps.clear_art", tag = "apps",
    params(("id" = String, Path, description = "The application")),
    responses((status = 204, description = "It has none of the owner's")), extensions(("x-scope" = json!("manage"))))]
async fn clear_art(State(api): State<Api>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    let id = number(&id)?;
    api.blocking(move |api| api.library().clear_art(id)).await??;
    Ok(StatusCode::NO_CONTENT)
}

/// Starts an application for a device, so that it finds it running: as the application
/// prefers, else at 1920x1080 and 60 Hz.
#[utoipa::path(post, path = "/api/v1/apps/{id}/launch", operation_id = "apps.launch", tag = "apps",
    params(("id" = String, Path, description = "The application")),
    request_body = LaunchFor, responses((status = 202, body = Session)), extensions(("x-scope" = json!("play"))))]
async fn launch(
    State(api): State<Api>,
    Path(id): Path<String>,
    Json(who): Json<LaunchFor>,
) -> Result<(StatusCode, Json<Session>), Problem> {
    let app = number(&id)?;
    let client = match &who.device {
        Some(device) => api.inside().front.device(device)?.client,
        None => last_seen(&api)?,
    };
    let name = client.name.clone();
    let started =
        api.blocking(move |api| api.inside().supervisor.start(client.id, &client.name, app)).await?;
    let seat = started.map_err(|error| match error {
        LaunchError::UnknownApp(_) => Problem::not_found(error.to_string()),
        LaunchError::Busy(_) => Problem::conflict(error.to_string()),
        error => Problem::internal(error.to_string()),
    })?;
    tracing::info!(client = name, app, "started by the owner");
    let session = api.front().session(seat);
    let session = session.map_err(|_| Problem::conflict("it ended as soon as it ran: its log says why"))?;
    Ok((StatusCode::ACCEPTED, Json(seen(&api, &session))))
}

/// Ends an application for everybody it runs for.
#[utoipa::path(post, path = "/api/v1/apps/{id}/quit", operation_id = "apps.quit", tag = "apps",
    params(("id" = String, Path, description = "The application")),
    responses((status = 204, description = "It does not run any more")), extensions(("x-scope" = json!("play"))))]
async fn quit(State(api): State<Api>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    let app = number(&id)?;
    let front = &api.inside().front;
    let seats: Vec<_> = front.sessions().into_iter().filter(|session| session.seat.app == app).collect();
    if seats.is_empty() {
        return Err(Problem::not_found("this application does not run"));
    }
    for session in seats {
        // One that ended meanwhile is as good as ended.
        let _ = front.end(session.seat.id).await;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// The device that was seen last.
fn last_seen(api: &Api) -> Result<Client, Problem> {
    let clients = api.inside().context.store.clients().into_iter().filter(|client| !client.is_expired());
    let last = clients.max_by_key(|client| (client.seen, client.added));
    last.ok_or_else(|| Problem::not_found("no device is paired: pair one first"))
}
