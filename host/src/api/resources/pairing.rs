//! Pairing: windows for native clients, PINs of GameStream clients, and those who knocked.

use axum::extract::State;
use axum::http::StatusCode;
use punktfunk_core::bytes::from_hex;
use qrcode::{Color, EcLevel, QrCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::devices::{self, Device};
use crate::api::{Api, Caller, Json, Path, Problem, Scope};
use crate::serve::front::{self, Terms};
use crate::session::ClientId;
use crate::store::PLAY;

/// The operations of this file.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(show))
        .routes(routes!(open, close))
        .routes(routes!(pin))
        .routes(routes!(refuse_attempt))
        .routes(routes!(approve, refuse))
}

/// Everything about pairing as it is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Pairing {
    /// The window that is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<PairingWindow>,
    /// GameStream clients that show a PIN now, oldest first.
    pub attempts: Vec<PairingAttempt>,
    /// Native clients that are not paired and tried to connect within the hour, oldest first.
    pub knocks: Vec<PairingKnock>,
}

/// One native client may pair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PairingWindow {
    /// Names it.
    pub id: String,
    /// Six digits, to be typed into the client. Empty, as payload and code are, for a caller
    /// who may not manage devices.
    pub pin: String,
    /// The same and more as text: `punktfunk://…`.
    pub payload: String,
    /// The QR code of the payload: rows of `0` (light) and `1` (dark), without a margin.
    pub qr: Vec<String>,
    /// When it closes by itself, seconds since 1970.
    pub closes: u64,
    /// What to call the client; none: what it calls itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it may do.
    pub access: Vec<String>,
    /// Until when it is trusted, seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<u64>,
}

/// A GameStream client that shows a PIN now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PairingAttempt {
    /// Names it.
    pub id: String,
    /// Where it asks from.
    pub address: String,
    /// First 16 hex digits of the fingerprint of its certificate.
    pub fingerprint: String,
    /// Seconds it has waited.
    pub waiting: u64,
}

/// A native client that is not paired and tried to connect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PairingKnock {
    /// Its fingerprint, 64 hex digits.
    pub id: String,
    /// What it calls itself; empty when it did not say.
    pub name: String,
    /// Where it came from last.
    pub address: String,
    /// When it tried first, seconds since 1970.
    pub first: u64,
    /// When it tried last, seconds since 1970.
    pub last: u64,
    /// How often.
    pub count: u32,
}

/// What a device that pairs gets.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PairingTerms {
    /// What to call it; what it calls itself when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it may do; all that belongs to playing when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Vec<String>>,
    /// Until when it is trusted, seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<u64>,
}

/// The PIN that a waiting client shows.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PairingPin {
    /// Four digits.
    pub pin: String,
    /// What to call the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl PairingTerms {
    fn read(self, api: &Api) -> Result<Terms, Problem> {
        let access = self.access.as_deref().map_or(Ok(PLAY), devices::access)?;
        if self.expires.is_some_and(|end| end <= api.clock().unix()) {
            return Err(Problem::invalid("expires", "this time is over: choose one that is to come"));
        }
        let name = self.name.filter(|name| !name.trim().is_empty());
        Ok(Terms { name, access, expires: self.expires })
    }
}

impl Pairing {
    /// The same for somebody who may not pair anybody.
    pub(super) fn without_secrets(&self) -> Self {
        let mut shown = self.clone();
        if let Some(window) = &mut shown.window {
            window.pin.clear();
            window.payload.clear();
            window.qr.clear();
        }
        shown
    }
}

/// As it is now.
pub(super) async fn now(api: &Api) -> Pairing {
    let front = api.front();
    Pairing {
        // A payload that we made fits.
        window: front.window().and_then(|window| shown(window).ok()),
        attempts: front.attempts(false).await.into_iter().map(attempt).collect(),
        knocks: front.knocks().into_iter().map(knock).collect(),
    }
}

fn shown(window: front::Window) -> Result<PairingWindow, Problem> {
    let qr = qr(&window.payload)?;
    let front::Window { id, pin, payload, closes, terms } = window;
    let Terms { name, access, expires } = terms;
    Ok(PairingWindow {
        id: id.to_string(),
        pin,
        payload,
        qr,
        closes,
        name,
        access: devices::words(access),
        expires,
    })
}

fn attempt(attempt: front::Attempt) -> PairingAttempt {
    PairingAttempt {
        id: attempt.id.to_string(),
        address: attempt.address.to_string(),
        fingerprint: attempt.fingerprint,
        waiting: attempt.waiting.as_secs(),
    }
}

fn knock(knock: front::Knock) -> PairingKnock {
    let seconds = |time: std::time::SystemTime| {
        time.duration_since(std::time::UNIX_EPOCH).map_or(0, |time| time.as_secs())
    };
    PairingKnock {
        id: punktfunk_core::bytes::to_hex(&knock.id.0),
        name: knock.name,
        address: knock.address.to_string(),
        first: seconds(knock.first),
        last: seconds(knock.last),
        count: knock.count,
    }
}

fn qr(payload: &str) -> Result<Vec<String>, Problem> {
    let code = QrCode::with_error_correction_level(payload, EcLevel::L);
    let code = code.map_err(|error| Problem::internal(format!("the QR code cannot be drawn: {error}")))?;
    let dark = |color: &Color| if *color == Color::Dark { '1' } else { '0' };
    Ok(code.to_colors().chunks(code.width()).map(|row| row.iter().map(dark).collect()).collect())
}

fn number(id: &str) -> Result<u64, Problem> {
    id.parse().map_err(|_| Problem::not_found("nothing waits under this number"))
}

fn identity(id: &str) -> Result<ClientId, Problem> {
    let id = from_hex(id).and_then(|bytes| bytes.try_into().ok());
    id.map(ClientId).ok_or_else(|| Problem::not_found("no client has this fingerprint: it has 64 hex digits"))
}

/// What is open, who waits for a PIN, and who knocked.
#[utoipa::path(get, path = "/api/v1/pairing", operation_id = "pairing.show", tag = "pairing",
    responses((status = 200, body = Pairing)), extensions(("x-scope" = json!("view"))))]
async fn show(State(api): State<Api>, caller: Caller) -> Json<Pairing> {
    let now = now(&api).await;
    Json(if caller.scope.allows(Scope::Manage) { now } else { now.without_secrets() })
}

/// Lets one native client pair, for two minutes; a window that was open is closed.
#[utoipa::path(post, path = "/api/v1/pairing/window", operation_id = "pairing.open", tag = "pairing",
    request_body = PairingTerms, responses((status = 201, body = PairingWindow)), extensions(("x-scope" = json!("manage"))))]
async fn open(
    State(api): State<Api>,
    Json(terms): Json<PairingTerms>,
) -> Result<(StatusCode, Json<PairingWindow>), Problem> {
    let window = api.front().open_window(terms.read(&api)?)?;
    Ok((StatusCode::CREATED, Json(shown(window)?)))
}

/// Closes the window.
#[utoipa::path(delete, path = "/api/v1/pairing/window", operation_id = "pairing.close", tag = "pairing",
    responses((status = 204, description = "Nobody may pair")), extensions(("x-scope" = json!("manage"))))]
async fn close(State(api): State<Api>) -> Result<StatusCode, Problem> {
    api.front().close_window()?;
    Ok(StatusCode::NO_CONTENT)
}

/// Types the PIN that a GameStream client shows. Answered when its pairing ended.
#[utoipa::path(post, path = "/api/v1/pairing/attempts/{id}/pin", operation_id = "pairing.pin", tag = "pairing",
    params(("id" = String, Path, description = "The attempt")),
    request_body = PairingPin, responses((status = 200, body = Device)), extensions(("x-scope" = json!("manage"))))]
async fn pin(
    State(api): State<Api>,
    Path(id): Path<String>,
    Json(said): Json<PairingPin>,
) -> Result<Json<Device>, Problem> {
    let name = said.name.unwrap_or_default();
    let client = api.front().enter_pin(number(&id)?, &said.pin, &name).await?;
    Ok(Json(devices::now(&api, &client)))
}

/// Sends a GameStream client away that waits for its PIN.
#[utoipa::path(delete, path = "/api/v1/pairing/attempts/{id}", operation_id = "pairing.refuse_attempt", tag = "pairing",
    params(("id" = String, Path, description = "The attempt")),
    responses((status = 204, description = "It waits no more")), extensions(("x-scope" = json!("manage"))))]
async fn refuse_attempt(State(api): State<Api>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    api.front().refuse_attempt(number(&id)?)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Pairs a native client that knocked, by the key it proved to hold.
#[utoipa::path(post, path = "/api/v1/pairing/knocks/{id}", operation_id = "pairing.approve", tag = "pairing",
    params(("id" = String, Path, description = "Its fingerprint")),
    request_body = PairingTerms, responses((status = 200, body = Device)), extensions(("x-scope" = json!("manage"))))]
async fn approve(
    State(api): State<Api>,
    Path(id): Path<String>,
    Json(terms): Json<PairingTerms>,
) -> Result<Json<Device>, Problem> {
    let client = api.front().approve(identity(&id)?, terms.read(&api)?).await?;
    Ok(Json(devices::now(&api, &client)))
}

/// Does not show a native client that knocked for a day.
#[utoipa::path(delete, path = "/api/v1/pairing/knocks/{id}", operation_id = "pairing.refuse", tag = "pairing",
    params(("id" = String, Path, description = "Its fingerprint")),
    responses((status = 204, description = "It does not show for a day")), extensions(("x-scope" = json!("manage"))))]
async fn refuse(State(api): State<Api>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    api.front().refuse(identity(&id)?)?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_of_a_code_are_the_code() {
        let rows = qr("punktfunk://192.168.1.20:9777/pair?v=1").unwrap();
        assert!(rows.iter().all(|row| row.len() == rows.len() && row.chars().all(|c| "01".contains(c))));
        // The corner of every QR code.
        assert!(rows[0].starts_with("11111110") && rows[1].starts_with("10000010"), "{rows:?}");
    }

    #[test]
    fn what_is_no_number_or_fingerprint_is_not_found() {
        assert!(number("7").is_ok() && number("-7").is_err() && number("").is_err());
        assert!(identity(&"ab".repeat(32)).is_ok() && identity("ab").is_err() && identity("zz").is_err());
    }
}
