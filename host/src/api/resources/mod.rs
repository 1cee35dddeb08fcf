//! One file for each kind of thing the API knows. To add one: a file with `routes()`, and
//! a line in `routes`; work beside the requests gets a line in `work`.

pub mod apps;
pub mod backup;
pub mod claim;
pub mod devices;
pub mod diagnostics;
pub mod displays;
pub mod events;
pub mod host;
pub mod login;
pub mod logs;
pub mod metrics;
pub mod pairing;
pub mod sessions;
pub mod settings;
pub mod tokens;
pub mod updates;
mod watch;

use tokio::task::JoinSet;
use utoipa_axum::router::OpenApiRouter;

use super::{Api, openapi};

/// All operations.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::with_openapi(openapi::base())
        .merge(apps::routes())
        .merge(host::routes())
        .merge(claim::routes())
        .merge(login::routes())
        .merge(tokens::routes())
        .merge(settings::routes())
        .merge(events::routes())
        .merge(logs::routes())
        .merge(diagnostics::routes())
        .merge(devices::routes())
        .merge(pairing::routes())
        .merge(sessions::routes())
        .merge(displays::routes())
        .merge(metrics::routes())
        .merge(updates::routes())
        .merge(backup::routes())
}

/// Starts what runs beside the requests, such as what watches for events.
pub(super) fn work(api: &Api, tasks: &mut JoinSet<()>) {
    logs::work(api, tasks);
    diagnostics::work(api, tasks);
    watch::work(api, tasks);
    host::work(api, tasks);
}
