//! The host itself: who it is, how it is, and starting it anew.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use punktfunk_core::gamestream::http::codec_mode;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinSet;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::{Api, Json, Problem, Topic, openapi};
use crate::doctor;
use crate::serve::{self, Notice};

/// Written by `cargo xtask licences`.
const LICENCES: &str = include_str!("../../../licences.json");

/// The operations of this file.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(show))
        .routes(routes!(public))
        .routes(routes!(restart))
        .routes(routes!(describe))
        .routes(routes!(licences))
}

/// Tells who listens when something of [`Host`] is different.
pub(super) fn work(api: &Api, tasks: &mut JoinSet<()>) {
    let (api, mut notices, mut stop) = (api.clone(), api.front().notices(), api.inside().stop.clone());
    tasks.spawn(async move {
        loop {
            tokio::select! {
                notice = notices.recv() => match notice {
                    Ok(Notice::Pairing) => continue,
                    Err(RecvError::Closed) => return,
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                },
                _ = stop.wait_for(|stop| *stop) => return,
            }
            api.events().publish(Topic::Host, &describe_host(&api));
        }
    });
}

/// A host.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Host {
    /// The name clients show.
    pub name: String,
    /// Of the program.
    pub version: String,
    /// Stays the same for the life of the state directory.
    pub id: String,
    /// Where it can be reached.
    pub addresses: Vec<String>,
    /// TCP port of console and API.
    pub console_port: u16,
    /// UDP port of punktfunk/1.
    pub native_port: u16,
    /// GameStream clients are served, too.
    pub gamestream: bool,
    /// TCP port of GameStream's HTTP.
    pub gamestream_port: u16,
    /// Seconds.
    pub uptime: u64,
    /// Of the console's certificate, 64 hex digits.
    pub certificate_sha256: String,
    /// Kinds of picture that can be had: `h264`, `hevc`, `av1`, with `-10` for 10 bit and
    /// `-444` for full chroma.
    pub capabilities: Vec<String>,
    /// How it is.
    pub health: Health,
    /// Applications that run.
    pub sessions: usize,
    /// Paired devices.
    pub devices: usize,
    /// Something was set that counts from the next start.
    pub restart_needed: bool,
}

/// How a host is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// The worst of the findings.
    pub state: HealthState,
    /// What was found, worst first.
    pub findings: Vec<Finding>,
}

/// One word for how a host is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum HealthState {
    /// All is well.
    #[default]
    Ok,
    /// Something is worse than it could be.
    Warning,
    /// Something does not work.
    Error,
}

/// Something that was found about a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    /// Names the probe that found it.
    pub id: String,
    /// How bad it is.
    pub severity: FindingSeverity,
    /// In one line.
    pub title: String,
    /// What mends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum FindingSeverity {
    /// As it should be.
    Ok,
    /// Good to know.
    Info,
    /// Worse than it could be.
    Warning,
    /// Does not work.
    Error,
}

impl From<doctor::Health> for Health {
    fn from(found: doctor::Health) -> Self {
        let severity = |severity| match severity {
            doctor::Severity::Ok => FindingSeverity::Ok,
            doctor::Severity::Skipped | doctor::Severity::Info => FindingSeverity::Info,
            doctor::Severity::Warning => FindingSeverity::Warning,
            doctor::Severity::Error => FindingSeverity::Error,
        };
        let finding = |one: doctor::HealthFinding| Finding {
            id: one.id,
            severity: severity(one.severity),
            title: one.title,
            fix: one.fix,
        };
        let state = match found.state {
            doctor::HealthState::Ok => HealthState::Ok,
            doctor::HealthState::Warning => HealthState::Warning,
            doctor::HealthState::Error => HealthState::Error,
        };
        Self { state, findings: found.findings.into_iter().map(finding).collect() }
    }
}

/// What everybody may know of a host.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PublicHost {
    /// The name clients show.
    pub name: String,
    /// Of the program.
    pub version: String,
    /// It has an owner.
    pub claimed: bool,
    /// What to do first.
    pub setup_hint: String,
}

/// This host.
#[utoipa::path(get, path = "/api/v1/host", operation_id = "host.show", tag = "host",
    responses((status = 200, body = Host)), extensions(("x-scope" = json!("view"))))]
async fn show(State(api): State<Api>) -> Json<Host> {
    Json(describe_host(&api))
}

/// As `show` answers; also the event `host`.
pub fn describe_host(api: &Api) -> Host {
    let inside = api.inside();
    let (config, store) = (&inside.context.config, &inside.context.store);
    let modes = inside.supervisor.codec_modes();
    let kinds = codec_mode::ALL.into_iter().filter(|(_, _, _, bit)| modes & bit != 0);
    Host {
        name: inside.context.settings.current().name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        id: store.identity().unique_id().to_owned(),
        addresses: serve::addresses(config.api.bind).iter().map(ToString::to_string).collect(),
        console_port: api.port(),
        native_port: config.native_port(),
        gamestream: inside.context.gamestream,
        gamestream_port: config.ports.http(),
        uptime: api.uptime().as_secs(),
        certificate_sha256: api.identity().fingerprint(),
        capabilities: kinds.map(|(codec, deep, full, _)| kind(codec, deep, full)).collect(),
        health: api.health(),
        sessions: inside.supervisor.seats().len(),
        devices: store.clients().len(),
        restart_needed: api.is_restart_needed(),
    }
}

fn kind(codec: impl std::fmt::Debug, deep: bool, full: bool) -> String {
    let name = format!("{codec:?}").to_lowercase();
    let (deep, full) = (if deep { "-10" } else { "" }, if full { "-444" } else { "" });
    format!("{name}{deep}{full}")
}

/// What everybody may know of this host.
#[utoipa::path(get, path = "/api/v1/host/public", operation_id = "host.public", tag = "host",
    responses((status = 200, body = PublicHost)), extensions(("x-scope" = json!("public"))))]
async fn public(State(api): State<Api>) -> Result<Json<PublicHost>, Problem> {
    let claimed = api.claim().is_claimed()?;
    let setup_hint = if claimed {
        "Log in with the owner's password."
    } else {
        "This host is nobody's yet: run `punktfunk-host claim` on it and open the link that it shows."
    };
    Ok(Json(PublicHost {
        name: api.inside().context.settings.current().name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        claimed,
        setup_hint: setup_hint.to_owned(),
    }))
}

/// Starts the host anew. What is played goes on, and clients come back by themselves.
#[utoipa::path(post, path = "/api/v1/host/restart", operation_id = "host.restart", tag = "host",
    responses((status = 202, description = "It starts anew in a moment")), extensions(("x-scope" = json!("manage"))))]
async fn restart(State(api): State<Api>) -> StatusCode {
    tracing::info!("the owner starts the host anew");
    api.inside().restart.ask();
    StatusCode::ACCEPTED
}

/// This description.
#[utoipa::path(get, path = "/api/v1/openapi.json", operation_id = "host.openapi", tag = "host",
    responses((status = 200, content_type = "application/json", body = Object)), extensions(("x-scope" = json!("public"))))]
async fn describe() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], openapi::text()).into_response()
}

/// What the programs and the console are made of.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Licences {
    /// By name.
    pub licences: Vec<Licence>,
}

/// Something the programs or the console are made of.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Licence {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// As an SPDX expression.
    pub licence: String,
    /// The licence itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// What the programs and the console are made of, and under which licences.
#[utoipa::path(get, path = "/api/v1/licences", operation_id = "host.licences", tag = "host",
    responses((status = 200, body = Licences)), extensions(("x-scope" = json!("view"))))]
async fn licences() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], LICENCES).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_licences_is_what_the_description_says() {
        let list: Licences = serde_json::from_str(LICENCES).unwrap();
        assert!(list.licences.len() > 50);
        assert!(list.licences.iter().all(|one| !one.licence.is_empty()));
    }
}
