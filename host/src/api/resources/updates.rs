//! Whether there is something newer. The host does not update itself: what manages the
//! machine says so in a file.

use std::io::Read as _;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::{Api, Json, Problem};

/// Where the updater of the machine says how things stand.
const FILE: &str = "/run/punktfunk/update.json";
/// Longest file that is read, bytes.
const MAX_FILE: u64 = 64 * 1024;

/// The operations of this file.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(show))
}

/// How things stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
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

/// Something newer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Available {
    /// Its version.
    pub version: String,
    /// What changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
}

/// How things stand, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum UpdateState {
    /// Nothing is newer.
    None,
    /// Something is.
    Available,
    /// It is there and waits for a restart of the machine.
    Staged,
    /// It did not work.
    Failed,
    /// Whoever installed the host updates it.
    Unmanaged,
}

/// What the updater writes.
#[derive(Debug, Deserialize)]
struct Told {
    channel: Option<String>,
    available: Option<Available>,
    state: UpdateState,
    #[serde(default)]
    detail: String,
}

/// Whether there is something newer.
#[utoipa::path(get, path = "/api/v1/updates", operation_id = "updates.show", tag = "updates",
    responses((status = 200, body = Updates)), extensions(("x-scope" = json!("view"))))]
async fn show(State(api): State<Api>) -> Result<Json<Updates>, Problem> {
    let text = api
        .blocking(|_| {
            let mut text = String::new();
            let file = std::fs::File::open(FILE).ok()?;
            file.take(MAX_FILE).read_to_string(&mut text).ok().map(|_| text)
        })
        .await?;
    Ok(Json(told(text.as_deref())))
}

fn told(text: Option<&str>) -> Updates {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let unmanaged = |detail: &str| Updates {
        version: version.clone(),
        channel: None,
        available: None,
        state: UpdateState::Unmanaged,
        detail: detail.to_owned(),
    };
    let Some(text) = text else {
        return unmanaged(
            "Nothing on this machine updates the host by itself: update it the way it was installed.",
        );
    };
    match serde_json::from_str::<Told>(text) {
        Ok(Told { channel, available, state, detail }) => {
            Updates { version, channel, available, state, detail }
        }
        Err(_) => unmanaged("What the updater of this machine says is not understood: its log may say more."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_updater_says_is_passed_on_and_rubbish_is_not() {
        let updates =
            told(Some(r#"{"state":"staged","channel":"stable","available":{"version":"9.1"},"more":1}"#));
        assert_eq!(updates.state, UpdateState::Staged);
        assert_eq!(updates.available.unwrap().version, "9.1");
        for text in [None, Some("{"), Some("{\"state\":\"odd\"}"), Some("")] {
            let updates = told(text);
            assert_eq!((updates.state, updates.available), (UpdateState::Unmanaged, None), "{text:?}");
            assert!(!updates.detail.is_empty());
        }
    }
}
