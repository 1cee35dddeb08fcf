//! Whether there is something newer. The host does not update itself: what manages the
//! machine says so in a file.

use std::path::Path;

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::{Api, Json, Problem};
use crate::update::{Available, FILE, Told, UpdateState};

/// The operations of this file.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(show))
}

/// How things stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Updates {
    /// The version that runs.
    pub version: String,
    /// Where updates come from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// What is newer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available: Option<Available>,
    /// In one word.
    pub state: UpdateState,
    /// In one sentence.
    pub detail: String,
}

/// Whether there is something newer.
#[utoipa::path(get, path = "/api/v1/updates", operation_id = "updates.show", tag = "updates",
    responses((status = 200, body = Updates)), extensions(("x-scope" = json!("view"))))]
async fn show(State(api): State<Api>) -> Result<Json<Updates>, Problem> {
    let said = api.blocking(|_| Told::read(Path::new(FILE))).await?;
    Ok(Json(shown(said)))
}

fn shown(said: Result<Option<Told>, String>) -> Updates {
    let told = match said {
        Ok(Some(told)) => told,
        Ok(None) => Told::plain(
            UpdateState::Unmanaged,
            "Nothing on this machine updates the host by itself: update it the way it was installed.",
        ),
        Err(error) => {
            tracing::warn!(%error, file = FILE, "what the updater says is not understood");
            let detail = "What the updater of this machine says is not understood: its log may say more.";
            Told::plain(UpdateState::Unmanaged, detail)
        }
    };
    let Told { channel, available, state, detail } = told;
    Updates { version: env!("CARGO_PKG_VERSION").to_owned(), channel, available, state, detail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_updater_says_is_passed_on_and_rubbish_is_not() {
        let updates = shown(Ok(Some(Told::plain(UpdateState::Staged, "It waits.").with("9.1"))));
        assert_eq!(updates.state, UpdateState::Staged);
        assert_eq!(updates.available.unwrap().version, "9.1");
        for said in [Ok(None), Err("odd".to_owned())] {
            let updates = shown(said);
            assert_eq!((updates.state, updates.available), (UpdateState::Unmanaged, None));
            assert!(!updates.detail.is_empty());
        }
    }
}
