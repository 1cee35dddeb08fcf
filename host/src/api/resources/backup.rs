//! Backup, restore, and the state of the factory.

use std::path::Path;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::backup::{MAX_SIZE, open, seal};
use crate::api::{Api, Claim, Clock, Json, Problem, Tokens};
use crate::store::{Store, pending};

/// Without these a state is none: the host would make others.
const NEEDED: [&str; 2] = ["identity.json", "native-identity.json"];

/// The operations of this file.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(save)).routes(routes!(restore)).routes(routes!(reset))
}

/// How to seal a backup.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupRequest {
    /// Opens it again; at least eight characters.
    pub passphrase: String,
}

/// A backup to be restored.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RestoreRequest {
    /// What it was sealed with.
    pub passphrase: String,
    /// The backup, in base64.
    pub data: String,
}

/// Makes sure that this is meant.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetRequest {
    /// The name of the host.
    pub confirm: String,
}

/// Everything this host keeps, keys and all, sealed with a passphrase.
#[utoipa::path(post, path = "/api/v1/backup", operation_id = "backup.save", tag = "backup",
    request_body = BackupRequest, responses((status = 200, content_type = "application/octet-stream", body = [u8])),
    extensions(("x-scope" = json!("owner"))))]
async fn save(State(api): State<Api>, Json(request): Json<BackupRequest>) -> Result<Response, Problem> {
    let sealed = api
        .blocking(move |api| {
            let context = &api.inside().context;
            let files = pending::files(context.store.dir(), MAX_SIZE)?;
            seal(&request.passphrase, &context.settings.current().name, api.clock().unix(), files)
        })
        .await??;
    tracing::info!("the owner made a backup");
    let name = format!("attachment; filename=\"punktfunk-{}.backup\"", api.clock().unix());
    let headers =
        [(header::CONTENT_TYPE, "application/octet-stream".to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, sealed).into_response())
}

/// Restores a backup: it is checked whole, then the host starts anew with it.
#[utoipa::path(post, path = "/api/v1/backup/restore", operation_id = "backup.restore", tag = "backup",
    request_body = RestoreRequest, responses((status = 202, description = "It is right; the host starts anew with it")),
    extensions(("x-scope" = json!("owner")), ("x-max-body" = json!(8388608))))]
async fn restore(State(api): State<Api>, Json(request): Json<RestoreRequest>) -> Result<StatusCode, Problem> {
    api.blocking(move |api| {
        let data: String = request.data.split_ascii_whitespace().collect();
        let sealed = BASE64_STANDARD
            .decode(data)
            .map_err(|_| Problem::invalid("data", "send the backup as base64"))?;
        let files = open(&request.passphrase, &sealed)?;
        check_names(&files)?;
        pending::lay_ready(api.inside().context.store.dir(), &files, check)
    })
    .await??;
    tracing::warn!("the owner restores a backup");
    api.inside().restart.ask();
    Ok(StatusCode::ACCEPTED)
}

/// The state of the factory: everything is moved aside, the host starts anew and is nobody's.
#[utoipa::path(post, path = "/api/v1/factory-reset", operation_id = "backup.reset", tag = "backup",
    request_body = ResetRequest, responses((status = 202, description = "The host starts anew and is nobody's")),
    extensions(("x-scope" = json!("owner"))))]
async fn reset(State(api): State<Api>, Json(request): Json<ResetRequest>) -> Result<StatusCode, Problem> {
    let name = api.inside().context.settings.current().name.clone();
    if request.confirm != name {
        return Err(Problem::invalid(
            "confirm",
            format!("write the name of this host, {name:?}, to confirm"),
        ));
    }
    tracing::warn!("the owner resets this host to the state of the factory");
    api.blocking(|api| {
        pending::ask_reset(api.inside().context.store.dir())?;
        // Nobody could find these again: they belong to who this host was.
        for seat in api.inside().supervisor.seats() {
            api.inside().supervisor.end(seat.id);
        }
        Ok::<(), Problem>(())
    })
    .await??;
    api.inside().restart.ask();
    Ok(StatusCode::ACCEPTED)
}

fn check_names(files: &[(String, Vec<u8>)]) -> Result<(), Problem> {
    let odd = files.iter().find(|(name, _)| !pending::may_be_restored(name));
    if let Some((name, _)) = odd {
        return Err(Problem::invalid("data", format!("this backup has a file {name:?}, which no host has")));
    }
    match NEEDED.iter().find(|needed| files.iter().all(|(name, _)| name != *needed)) {
        Some(missing) => {
            Err(Problem::invalid("data", format!("this backup has no {missing}: it is not whole")))
        }
        None => Ok(()),
    }
}

/// Reads everything as the host will at its start.
fn check(dir: &Path) -> Result<(), Problem> {
    let refused = |why: String| Problem::invalid("data", format!("this backup cannot be used: {why}"));
    for entry in std::fs::read_dir(dir).map_err(|error| refused(error.to_string()))? {
        let path = entry.map_err(|error| refused(error.to_string()))?.path();
        if path.extension().is_some_and(|ending| ending == "json") {
            let text = std::fs::read(&path).map_err(|error| refused(error.to_string()))?;
            let value: serde_json::Value = serde_json::from_slice(&text)
                .map_err(|error| refused(format!("{}: {error}", path.display())))?;
            if !value.is_object() {
                return Err(refused(format!("{} is no file of a host", path.display())));
            }
        }
    }
    let store = Store::open(dir).map_err(|error| refused(error.to_string()))?;
    if dir.join("console-identity.json").exists() {
        store.console_identity(&[]).map_err(|error| refused(error.to_string()))?;
    }
    if dir.join(crate::api::claim::FILE).exists() {
        Claim::of(dir).is_claimed().map_err(|error| refused(error.to_string()))?;
    }
    Tokens::open(dir, Clock::system()).map_err(|error| refused(error.to_string()))?;
    Ok(())
}
