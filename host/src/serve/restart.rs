//! The wish to start anew: what was set meanwhile is read again.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

/// Time for the answer that says so to leave.
const GRACE: Duration = Duration::from_millis(300);

/// Starts the host anew. A handle: clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Restart(Arc<Notify>);

impl Restart {
    /// Asks for it. Returns at once.
    pub fn ask(&self) {
        self.0.notify_one();
    }

    /// Completes when somebody asked, and was told that it happens.
    pub async fn asked(&self) {
        self.0.notified().await;
        tokio::time::sleep(GRACE).await;
    }
}
