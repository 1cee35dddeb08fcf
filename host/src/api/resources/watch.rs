//! What becomes events by itself: devices, pairing, sessions and their figures. Looked up
//! when the host says that something is different, never asked for in turns; only figures
//! are, and only while somebody wants them.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::{devices, pairing, sessions};
use crate::api::{Api, Scope, Topic};

/// Words that come together are told together.
const TOGETHER: Duration = Duration::from_millis(30);
/// Between two tellings of figures.
const FIGURES_EVERY: Duration = Duration::from_millis(200);

/// Starts both.
pub(super) fn work(api: &Api, tasks: &mut JoinSet<()>) {
    tasks.spawn(tell(api.clone()));
    tasks.spawn(count(api.clone()));
}

async fn tell(api: Api) {
    let mut notices = api.front().notices();
    let mut stop = api.inside().stop.clone();
    let mut told = Told::default();
    told.look(&api, false).await;
    loop {
        tokio::select! {
            // Whichever it was: one leads to another, as a session to a device that is here.
            notice = notices.recv() => if matches!(notice, Err(RecvError::Closed)) { return },
            _ = stop.wait_for(|stop| *stop) => return,
        }
        tokio::time::sleep(TOGETHER).await;
        while notices.try_recv().is_ok() {}
        told.look(&api, true).await;
    }
}

/// What was published last.
#[derive(Default)]
struct Told {
    devices: Value,
    pairing: Value,
    sessions: Value,
}

impl Told {
    async fn look(&mut self, api: &Api, publish: bool) {
        if let Some(devices) = news(&mut self.devices, &devices::all(api)).filter(|_| publish) {
            api.events().publish(Topic::Devices, devices);
        }
        if let Some(sessions) = news(&mut self.sessions, &sessions::all(api)).filter(|_| publish) {
            api.events().publish(Topic::Sessions, sessions);
        }
        let now = pairing::now(api).await;
        let is_new = news(&mut self.pairing, &now).is_some();
        if is_new && publish {
            api.events().publish_guarded(Topic::Pairing, Scope::Manage, &now, &now.without_secrets());
        }
    }
}

/// The value, when it is another one than before.
fn news<'a>(before: &'a mut Value, now: &impl Serialize) -> Option<&'a Value> {
    // What the API answers can be written.
    let now = serde_json::to_value(now).unwrap_or_default();
    if *before == now {
        return None;
    }
    *before = now;
    Some(before)
}

async fn count(api: Api) {
    let mut stop = api.inside().stop.clone();
    let mut due = tokio::time::interval(FIGURES_EVERY);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = api.events().until_wanted(Topic::Figures) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        due.tick().await;
        for figures in sessions::figures(&api).await {
            api.events().publish(Topic::Figures, &figures);
        }
        if *stop.borrow() {
            return;
        }
    }
}
