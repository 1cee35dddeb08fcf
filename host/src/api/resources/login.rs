//! Logging in and out, who one is, and the owner's password.

use std::net::{IpAddr, Ipv4Addr};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::claim::enter;
use crate::api::login::farewell;
use crate::api::{Api, Caller, Json, Kind, Peer, Problem, Scope};

/// The operations of this file.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(login))
        .routes(routes!(logout))
        .routes(routes!(show))
        .routes(routes!(change))
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Me {
    /// How the host knows.
    pub kind: MeKind,
    /// What one may do.
    pub scope: Scope,
    /// When the session ends if nothing more is asked, seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_idle: Option<u64>,
    /// When the session ends at the latest, seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_absolute: Option<u64>,
    /// The name of the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// How the host knows who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum MeKind {
    /// A browser that logged in.
    Browser,
    /// A program with a token.
    Token,
    /// A process of the machine's owner.
    Local,
}

/// The owner's password.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginRequest {
    /// As it was set when the host was claimed, or changed since.
    pub password: String,
}

/// Another password.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordRequest {
    /// The password until now.
    pub current: String,
    /// From now on, at least ten characters.
    pub new: String,
}

/// Logs in.
#[utoipa::path(post, path = "/api/v1/login", operation_id = "login.login", tag = "login",
    request_body = LoginRequest, responses((status = 200, body = Me, description = "With the cookie of the session")),
    extensions(("x-scope" = json!("public")), ("x-max-body" = json!(16384))))]
async fn login(
    State(api): State<Api>,
    peer: Peer,
    caller: Option<Caller>,
    Json(request): Json<LoginRequest>,
) -> Result<Response, Problem> {
    verify(&api, peer, request.password, "password").await?;
    // The cookie is another one from now on; the old session ends.
    if let Some(Caller { kind: Kind::Browser(key), .. }) = caller {
        api.logins().close(key);
    }
    enter(&api)
}

/// Logs this browser out.
#[utoipa::path(post, path = "/api/v1/logout", operation_id = "login.logout", tag = "login",
    responses((status = 204, description = "Logged out; the cookie is taken away")), extensions(("x-scope" = json!("view"))))]
async fn logout(State(api): State<Api>, caller: Caller) -> Response {
    if let Kind::Browser(key) = caller.kind {
        api.logins().close(key);
        api.events().doubt();
    }
    let mut headers = HeaderMap::new();
    if let Ok(cookie) = farewell().parse() {
        headers.insert(header::SET_COOKIE, cookie);
    }
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// Who asks.
#[utoipa::path(get, path = "/api/v1/me", operation_id = "login.me", tag = "login",
    responses((status = 200, body = Me)), extensions(("x-scope" = json!("view"))))]
async fn show(State(api): State<Api>, caller: Caller) -> Json<Me> {
    Json(me(&api, &caller))
}

/// Changes the owner's password; other browsers are logged out.
#[utoipa::path(post, path = "/api/v1/password", operation_id = "login.change", tag = "login",
    request_body = PasswordRequest, responses((status = 204, description = "Changed")),
    extensions(("x-scope" = json!("owner")), ("x-max-body" = json!(16384))))]
async fn change(
    State(api): State<Api>,
    peer: Peer,
    caller: Caller,
    Json(request): Json<PasswordRequest>,
) -> Result<StatusCode, Problem> {
    verify(&api, peer, request.current, "current").await?;
    api.blocking(move |api| api.claim().change(&request.new)).await??;
    let own = match caller.kind {
        Kind::Browser(key) => Some(key),
        _ => None,
    };
    api.logins().keep_only(own, api.claim().generation()?);
    api.events().doubt();
    tracing::info!("the owner's password was changed");
    Ok(StatusCode::NO_CONTENT)
}

async fn verify(api: &Api, peer: Peer, password: String, field: &str) -> Result<(), Problem> {
    let address = address(peer);
    api.limits().attempt(address)?;
    if !api.blocking(move |api| api.claim().verify(&password)).await?? {
        tracing::warn!(?peer, "somebody gave a wrong password");
        let message =
            "this is not the password; `punktfunk-host claim --reset` on the host makes it yours anew";
        return Err(Problem::new(StatusCode::FORBIDDEN, "wrong_password", message).with_field(field));
    }
    api.limits().forgive(address);
    Ok(())
}

/// Where attempts are counted for.
pub(super) fn address(peer: Peer) -> IpAddr {
    match peer {
        Peer::Remote(address) => address,
        Peer::Local => IpAddr::V4(Ipv4Addr::LOCALHOST),
    }
}

pub(super) fn me(api: &Api, caller: &Caller) -> Me {
    let (kind, ends) = match caller.kind {
        Kind::Browser(key) => (MeKind::Browser, api.logins().ends(key)),
        Kind::Token(_) => (MeKind::Token, None),
        Kind::Local => (MeKind::Local, None),
    };
    Me {
        kind,
        scope: caller.scope,
        expires_idle: ends.map(|(idle, _)| idle),
        expires_absolute: ends.map(|(_, absolute)| absolute),
        name: caller.name.clone(),
    }
}
