//! Making a host one's own.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::login::{Me, address, me};
use crate::api::{Api, Caller, Json, Kind, Peer, Problem, Scope};

/// The operations of this file.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(claim))
}

/// Makes a host one's own.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClaimRequest {
    /// As the host shows it; dashes and case do not count.
    pub secret: String,
    /// The owner's password from now on, at least ten characters.
    pub password: String,
}

/// Makes this host one's own, with the secret that it shows, and logs in.
#[utoipa::path(post, path = "/api/v1/claim", operation_id = "claim.claim", tag = "claim",
    request_body = ClaimRequest, responses((status = 200, body = Me, description = "With the cookie of the session")),
    extensions(("x-scope" = json!("public")), ("x-max-body" = json!(16384))))]
async fn claim(
    State(api): State<Api>,
    peer: Peer,
    Json(request): Json<ClaimRequest>,
) -> Result<Response, Problem> {
    let address = address(peer);
    api.limits().attempt(address)?;
    api.blocking(move |api| api.claim().claim(&request.secret, &request.password)).await??;
    api.limits().forgive(address);
    tracing::info!(?peer, "this host was claimed");
    enter(&api)
}

/// Begins a session and answers with its cookie.
pub(super) fn enter(api: &Api) -> Result<Response, Problem> {
    let (key, cookie) = api.logins().open(api.claim().generation()?)?;
    let caller = Caller { kind: Kind::Browser(key), scope: Scope::Owner, name: None };
    Ok(([(header::SET_COOKIE, cookie)], Json(me(api, &caller))).into_response())
}
