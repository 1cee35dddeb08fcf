//! Tokens for programs.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::{Api, Json, Path, Problem, Scope, Token};

/// Longest name, characters.
const MAX_NAME: usize = 60;

/// The operations of this file.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(revoke))
}

/// All tokens.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct TokenList {
    /// Oldest first.
    pub tokens: Vec<Token>,
}

/// A token to be made.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// What to call it.
    pub name: String,
    /// What it may do.
    pub scope: Scope,
    /// From when it counts no more, seconds since 1970; none: until it is revoked.
    pub expires: Option<u64>,
}

/// A token that was made.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct NewToken {
    /// The token.
    pub token: Token,
    /// What programs send as `Authorization: Bearer`. It is shown this once.
    pub secret: String,
}

/// All tokens, without their secrets.
#[utoipa::path(get, path = "/api/v1/tokens", operation_id = "tokens.list", tag = "tokens",
    responses((status = 200, body = TokenList)), extensions(("x-scope" = json!("owner"))))]
async fn list(State(api): State<Api>) -> Json<TokenList> {
    Json(TokenList { tokens: api.tokens().list() })
}

/// Makes a token.
#[utoipa::path(post, path = "/api/v1/tokens", operation_id = "tokens.create", tag = "tokens",
    request_body = TokenRequest, responses((status = 201, body = NewToken)), extensions(("x-scope" = json!("owner"))))]
async fn create(
    State(api): State<Api>,
    Json(request): Json<TokenRequest>,
) -> Result<(StatusCode, Json<NewToken>), Problem> {
    let name = request.name.trim().to_owned();
    if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(Problem::invalid("name", format!("give it a name of 1 to {MAX_NAME} characters")));
    }
    if request.scope == Scope::Public {
        return Err(Problem::invalid(
            "scope",
            "nobody needs a token for that: choose view, play, manage, owner or metrics",
        ));
    }
    if request.expires.is_some_and(|end| end <= api.clock().unix()) {
        return Err(Problem::invalid("expires", "this time is over: choose one that is to come"));
    }
    let (token, secret) =
        api.blocking(move |api| api.tokens().create(name, request.scope, request.expires)).await??;
    tracing::info!(name = token.name, scope = %token.scope, "a token was made");
    Ok((StatusCode::CREATED, Json(NewToken { token, secret })))
}

/// Revokes a token; what listens with it ends.
#[utoipa::path(delete, path = "/api/v1/tokens/{id}", operation_id = "tokens.revoke", tag = "tokens",
    params(("id" = String, Path, description = "The token")),
    responses((status = 204, description = "It counts no more")), extensions(("x-scope" = json!("owner"))))]
async fn revoke(State(api): State<Api>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    if !api.blocking(move |api| api.tokens().revoke(&id)).await?? {
        return Err(Problem::not_found("there is no such token; list them to see their ids"));
    }
    api.events().doubt();
    tracing::info!("a token was revoked");
    Ok(StatusCode::NO_CONTENT)
}
