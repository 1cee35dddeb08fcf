//! Why does it not work: the doctor's probes and fixes, and the support bundle.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::host::describe_host;
use crate::api::{Api, Json, Path, Problem, Topic};
use crate::doctor::fixes::FixError;
use crate::doctor::{Activity, Area, Probe, Report, bundle};
use crate::log;

/// The operations of this file.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(show)).routes(routes!(run)).routes(routes!(fix)).routes(routes!(pack))
}

/// Tells listeners when probes run, and how the host is.
pub(super) fn work(api: &Api, tasks: &mut JoinSet<()>) {
    let (this, mut activity) = (api.clone(), api.doctor().activity());
    tasks.spawn(async move {
        while activity.changed().await.is_ok() {
            let state = *activity.borrow_and_update();
            this.events().publish(Topic::Diagnostics, &DiagnosticsState { state });
        }
    });
    let (this, mut health) = (api.clone(), api.doctor().health_changes());
    tasks.spawn(async move {
        while health.changed().await.is_ok() {
            health.borrow_and_update();
            this.events().publish(Topic::Host, &describe_host(&this));
        }
    });
}

/// What the event `diagnostics` says.
#[derive(Debug, Serialize, ToSchema)]
pub struct DiagnosticsState {
    /// What the doctor does.
    pub state: Activity,
}

/// What to look at.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Examination {
    /// Only this area; all of them when it is left out.
    pub area: Option<Area>,
}

/// What was found when somebody looked last.
#[utoipa::path(get, path = "/api/v1/diagnostics", operation_id = "diagnostics.show", tag = "diagnostics",
    responses((status = 200, body = Report)), extensions(("x-scope" = json!("view"))))]
async fn show(State(api): State<Api>) -> Json<Report> {
    Json(api.doctor().report())
}

/// Runs the probes, which takes half a minute, and answers what they found.
#[utoipa::path(post, path = "/api/v1/diagnostics/run", operation_id = "diagnostics.run", tag = "diagnostics",
    request_body = Examination, responses((status = 200, body = Report)), extensions(("x-scope" = json!("manage"))))]
async fn run(State(api): State<Api>, Json(wish): Json<Examination>) -> Result<Json<Report>, Problem> {
    let report = api.blocking(move |api| api.doctor().try_run(wish.area)).await?;
    report.map(Json).ok_or_else(busy)
}

fn busy() -> Problem {
    Problem::conflict("the probes run already: wait for them").with_code("busy")
}

/// Carries out a fix that a probe named, and looks again.
#[utoipa::path(post, path = "/api/v1/diagnostics/fix/{id}", operation_id = "diagnostics.fix", tag = "diagnostics",
    params(("id" = String, Path, description = "The fix, as `fix_action` of a probe names it")),
    request_body = Object, responses((status = 200, body = Probe)), extensions(("x-scope" = json!("manage"))))]
async fn fix(State(api): State<Api>, Path(id): Path<String>) -> Result<Json<Probe>, Problem> {
    match api.blocking(move |api| api.doctor().fix(&id)).await? {
        Ok(probe) => Ok(Json(probe)),
        Err(error @ FixError::Unknown(_)) => Err(Problem::not_found(error.to_string())),
        Err(error @ FixError::Busy) => Err(Problem::conflict(error.to_string()).with_code("busy")),
        Err(error) => Err(Problem::conflict(error.to_string()).with_code("not_mended")),
    }
}

/// The support bundle: what somebody needs who helps, without secrets and names.
#[utoipa::path(get, path = "/api/v1/diagnostics/bundle", operation_id = "diagnostics.bundle", tag = "diagnostics",
    responses((status = 200, content_type = "application/gzip", body = Vec<u8>)), extensions(("x-scope" = json!("owner"))))]
async fn pack(State(api): State<Api>) -> Result<Response, Problem> {
    let packed = api.blocking(|api| {
        let doctor = api.doctor();
        let mut report = doctor.report();
        if report.ran.is_none() {
            // An examination that runs is not waited for.
            report = doctor.try_run(None).unwrap_or_default();
        }
        let lines = log::ring().all();
        bundle::pack(doctor.machine(), &report, &lines, parts(api))
    });
    let bytes =
        packed.await?.map_err(|error| Problem::internal(format!("it could not be packed: {error}")))?;
    let headers = [
        (header::CONTENT_TYPE, "application/gzip"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"punktfunk-support.tar.gz\""),
    ];
    Ok((headers, bytes).into_response())
}

/// What only the running host knows.
fn parts(api: &Api) -> Vec<bundle::Part> {
    let host = serde_json::to_string_pretty(&describe_host(api)).unwrap_or_default();
    let settings = serde_json::to_string_pretty(&api.inside().context.settings.list()).unwrap_or_default();
    vec![
        bundle::Part::new("host.json", "the running host", host),
        bundle::Part::new("settings.json", "what applies, and where it was set", settings),
    ]
}
