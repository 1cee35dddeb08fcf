//! Ends what clients have whose time is over.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;

use super::Shared;
use super::notice::Notice;
use crate::session::ClientId;

/// At the latest then the clock of the wall is looked at again: it may have been set.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// Works until `stop`.
pub(super) async fn watch(shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let mut changed = shared.changed.subscribe();
    // Whose end was seen to. Those of an earlier host may have left something running.
    let mut over = BTreeSet::new();
    loop {
        see_to_expired(&shared, &mut over).await;
        tokio::select! {
            () = tokio::time::sleep(until_next(&shared)) => {}
            // Whatever it was; some may have been missed, too.
            _ = changed.recv() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

async fn see_to_expired(shared: &Arc<Shared>, over: &mut BTreeSet<ClientId>) {
    for client in shared.store.clients() {
        let id = client.id;
        if !client.is_expired() {
            over.remove(&id);
        } else if over.insert(id) {
            tracing::info!(client = client.name, "its time is over");
            // Connections first: ending programs may take a while.
            let _ = shared.changed.send(id);
            shared.notices.tell(Notice::Devices);
            shared.supervise(move |supervisor| supervisor.revoke(id)).await;
        }
    }
}

fn until_next(shared: &Shared) -> Duration {
    let Some(next) = shared.store.next_expiry() else { return LOOK_AGAIN };
    let next = SystemTime::UNIX_EPOCH + Duration::from_secs(next);
    next.duration_since(SystemTime::now()).unwrap_or(Duration::ZERO).min(LOOK_AGAIN)
}
