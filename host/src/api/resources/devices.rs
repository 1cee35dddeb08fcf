//! Paired devices: who they are, what they may do, and until when.

use axum::extract::State;
use axum::http::StatusCode;
use punktfunk_core::native::wire::Access;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::{Api, Json, Path, Problem, double};
use crate::serve::front;
use crate::store::{Client, Protocol};

/// The operations of this file.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(change, revoke))
}

/// A paired device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Device {
    /// Its fingerprint, 64 hex digits.
    pub id: String,
    /// The name the owner gave it; no two devices have the same.
    pub name: String,
    /// What it speaks.
    pub protocol: Speaks,
    /// When it was paired, seconds since 1970.
    pub added: u64,
    /// Until when it is trusted, seconds since 1970; none: until it is revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<u64>,
    /// When it was here last, seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<u64>,
    /// Its time is over.
    pub expired: bool,
    /// What it may do: view, pointer, keyboard, pads, clipboard, microphone, launch, power,
    /// manage.
    pub access: Vec<String>,
    /// It is connected now.
    pub online: bool,
}

/// What a device speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Speaks {
    /// Moonlight and its kin.
    GameStream,
    /// punktfunk/1.
    Native,
}

/// All devices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeviceList {
    /// Oldest first.
    pub devices: Vec<Device>,
}

/// What is to be another.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceChange {
    /// What to call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it may do. GameStream knows all or nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Vec<String>>,
    /// Until when it is trusted, seconds since 1970; `null`: until it is revoked.
    #[serde(default, deserialize_with = "double", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub expires: Option<Option<u64>>,
}

impl From<Protocol> for Speaks {
    fn from(protocol: Protocol) -> Self {
        match protocol {
            Protocol::GameStream => Self::GameStream,
            Protocol::Native => Self::Native,
        }
    }
}

impl Device {
    fn of(client: &Client, online: bool) -> Self {
        Self {
            id: client.fingerprint(),
            name: client.name.clone(),
            protocol: client.protocol.into(),
            added: client.added,
            expires: client.expires,
            seen: client.seen,
            expired: client.is_expired(),
            access: words(client.access),
            online,
        }
    }
}

impl From<&front::Device> for Device {
    fn from(device: &front::Device) -> Self {
        Self::of(&device.client, device.online)
    }
}

/// As they are now.
pub(super) fn all(api: &Api) -> DeviceList {
    DeviceList { devices: api.front().devices().iter().map(Device::from).collect() }
}

/// One as it is now, just after it was stored.
pub(super) fn now(api: &Api, client: &Client) -> Device {
    let online = api.front().device(&client.fingerprint()).is_ok_and(|device| device.online);
    Device::of(client, online)
}

/// The words of an access.
pub(super) fn words(access: Access) -> Vec<String> {
    let has = |(_, right): &(&str, Access)| access.contains(*right);
    Access::NAMES.into_iter().filter(has).map(|(word, _)| word.to_owned()).collect()
}

/// Reads the words of an access.
pub(super) fn access(words: &[String]) -> Result<Access, Problem> {
    let mut access = Access::NONE;
    for word in words {
        access = access.with(Access::from_name(word).ok_or_else(|| {
            let all: Vec<&str> = Access::NAMES.into_iter().map(|(word, _)| word).collect();
            Problem::invalid("access", format!("{word:?} is none of {}", all.join(", ")))
        })?);
    }
    Ok(access)
}

/// The paired devices.
#[utoipa::path(get, path = "/api/v1/devices", operation_id = "devices.list", tag = "devices",
    responses((status = 200, body = DeviceList)), extensions(("x-scope" = json!("view"))))]
async fn list(State(api): State<Api>) -> Json<DeviceList> {
    Json(all(&api))
}

/// Changes a device; all that is asked for, or nothing.
#[utoipa::path(patch, path = "/api/v1/devices/{id}", operation_id = "devices.change", tag = "devices",
    params(("id" = String, Path, description = "Its fingerprint")),
    request_body = DeviceChange, responses((status = 200, body = Device)), extensions(("x-scope" = json!("manage"))))]
async fn change(
    State(api): State<Api>,
    Path(id): Path<String>,
    Json(change): Json<DeviceChange>,
) -> Result<Json<Device>, Problem> {
    let front = api.front();
    let found = front.device(&id)?.client;
    let wanted = change.access.as_deref().map(access).transpose()?.filter(|access| *access != found.access);
    let name = change.name.filter(|name| name.trim() != found.name);
    // What could be refused is looked at before anything is changed.
    if let Some(name) = &name
        && front.devices().iter().any(|device| device.client.name == name.trim())
    {
        let message = format!("another device is called {:?}: choose another name", name.trim());
        return Err(Problem::conflict(message).with_field("name"));
    }
    let mut client = found.clone();
    if let Some(access) = wanted {
        client = front.set_access(found.id, access).await?;
    }
    if let Some(name) = name {
        match front.rename(found.id, &name).await {
            Ok(renamed) => client = renamed,
            Err(error) => {
                if wanted.is_some() {
                    front.set_access(found.id, found.access).await?;
                }
                return Err(error.into());
            }
        }
    }
    if let Some(expires) = change.expires.filter(|expires| *expires != found.expires) {
        client = front.set_expiry(found.id, expires).await?;
    }
    Ok(Json(now(&api, &client)))
}

/// Unpairs a device; what runs for it ends within a second.
#[utoipa::path(delete, path = "/api/v1/devices/{id}", operation_id = "devices.revoke", tag = "devices",
    params(("id" = String, Path, description = "Its fingerprint")),
    responses((status = 204, description = "It must pair again")), extensions(("x-scope" = json!("manage"))))]
async fn revoke(State(api): State<Api>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    let client = api.front().device(&id)?.client;
    api.front().revoke(client.id).await?;
    Ok(StatusCode::NO_CONTENT)
}
