//! The settings: all of them, changes, and their JSON Schema.

use std::collections::BTreeMap;

use axum::Json as Plain;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::host::describe_host;
use crate::api::{Api, Json, Problem, Topic};
use crate::config::{ChangeError, Listing, published};

/// The operations of this file.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list, change)).routes(routes!(schema))
}

/// What is to be changed.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SettingsChange {
    /// The new value of each key; null takes it back to what the other files or the
    /// default say.
    #[schema(value_type = BTreeMap<String, Option<crate::config::Value>>)]
    pub values: BTreeMap<String, serde_json::Value>,
}

/// What listeners hear.
#[derive(Debug, Serialize)]
struct Told {
    restart_needed: bool,
}

/// All settings: what they are, where each is set, what waits for the next start.
#[utoipa::path(get, path = "/api/v1/settings", operation_id = "settings.list", tag = "settings",
    responses((status = 200, body = Listing)), extensions(("x-scope" = json!("view"))))]
async fn list(State(api): State<Api>) -> Result<Json<Listing>, Problem> {
    api.blocking(|api| api.inside().context.settings.list()).await.map(Json)
}

/// Changes all that is named, or nothing.
#[utoipa::path(patch, path = "/api/v1/settings", operation_id = "settings.change", tag = "settings",
    request_body = SettingsChange, responses((status = 200, body = Listing)),
    extensions(("x-scope" = json!("manage"))))]
async fn change(
    State(api): State<Api>,
    Json(request): Json<SettingsChange>,
) -> Result<Json<Listing>, Problem> {
    let keys: Vec<_> = request.values.keys().cloned().collect();
    let listing = api
        .blocking(move |api| {
            let settings = &api.inside().context.settings;
            settings.change(&request.values)?;
            let listing = settings.list();
            api.set_restart_needed(listing.restart_needed);
            // The host shows its name and whether it has to start again.
            api.events().publish(Topic::Host, &describe_host(api));
            Ok::<_, ChangeError>(listing)
        })
        .await??;
    tracing::info!(?keys, "settings were changed");
    api.events().publish(Topic::Settings, &Told { restart_needed: listing.restart_needed });
    Ok(Json(listing))
}

/// The JSON Schema of `punktfunk.toml`, for editors.
#[utoipa::path(get, path = "/api/v1/settings/schema", operation_id = "settings.schema", tag = "settings",
    responses((status = 200, body = Object)), extensions(("x-scope" = json!("view"))))]
async fn schema() -> Plain<serde_json::Value> {
    Plain(published::json_schema())
}

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Self {
        let message = error.to_string();
        match error {
            ChangeError::Invalid { key, .. } => Self::invalid(key, message),
            ChangeError::Locked { key, .. } => Self::conflict(message).with_code("locked").with_field(key),
            ChangeError::Elsewhere(_) => Self::conflict(message),
            ChangeError::Write(_) => {
                tracing::error!(error = message, "the settings could not be kept");
                Self::internal(message)
            }
        }
    }
}
