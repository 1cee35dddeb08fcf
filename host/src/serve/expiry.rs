//! Ends what clients have whose time is over.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;

use super::Shared;
use crate::session::ClientId;

/// At the latest then the clock of the wall is looked at again: it may have been set.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// Works until `stop`.
pub(super) async fn watch(shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let mut changed = shared.changed.subscribe();
    let mut trusted = trusted(&shared);
    loop {
        tokio::select! {
            () = tokio::time::sleep(until_next(&shared)) => {}
            // Whatever it was; some may have been missed, too.
            _ = changed.recv() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        let still = self::trusted(&shared);
        for client in shared.store.clients() {
            if client.is_expired() && trusted.contains(&client.id) && !still.contains(&client.id) {
                tracing::info!(client = client.name, "its time is over");
                let id = client.id;
                // Connections first: ending programs may take a while.
                let _ = shared.changed.send(id);
                shared.supervise(move |supervisor| supervisor.revoke(id)).await;
            }
        }
        trusted = still;
    }
}

fn trusted(shared: &Shared) -> BTreeSet<ClientId> {
    let clients = shared.store.clients();
    clients.iter().filter(|client| !client.is_expired()).map(|client| client.id).collect()
}

fn until_next(shared: &Shared) -> Duration {
    let Some(next) = shared.store.next_expiry() else { return LOOK_AGAIN };
    let next = SystemTime::UNIX_EPOCH + Duration::from_secs(next);
    next.duration_since(SystemTime::now()).unwrap_or(Duration::ZERO).min(LOOK_AGAIN)
}
