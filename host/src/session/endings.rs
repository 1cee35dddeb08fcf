//! What ends, and what is done then: applications, seats, streams and launches that
//! end by themselves are told through a channel to the thread `punktfunk-sess`.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::messages::Ended;
use super::stream::Stream;
use super::supervisor::{Shared, lock};
use super::table::Place;
use super::{Reason, SessionId};
use crate::platform;

/// How often it is looked for what has expired.
const LOOK: Duration = Duration::from_secs(1);

/// Carries out endings until the sessions are gone.
pub(super) fn watch(shared: &Weak<Shared>, endings: &Receiver<Ended>) {
    let mut looked = Instant::now();
    loop {
        let ending = endings.recv_timeout(LOOK);
        let Some(shared) = shared.upgrade() else { return };
        match ending {
            Ok(ended) => apart(&shared, move |shared| shared.on_ended(ended)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if looked.elapsed() >= LOOK {
            looked = Instant::now();
            shared.expire(looked);
        }
    }
}

/// In a thread of its own: ending a seat takes its time, and another must not wait.
fn apart(shared: &Arc<Shared>, work: impl FnOnce(&Shared) + Send + 'static) {
    let ours = Arc::clone(shared);
    let thread = std::thread::Builder::new().name("punktfunk-end".into());
    if let Err(error) = thread.spawn(move || work(&ours)) {
        tracing::error!(%error, "an ending was not carried out");
    }
}

impl Shared {
    fn on_ended(&self, ended: Ended) {
        match ended {
            Ended::App { seat, exit } => {
                let running = self.table().seat(seat).and_then(|seat| seat.running.clone());
                let is_of_session = running.is_some_and(|running| running.is_of_session());
                let reason = if is_of_session { Reason::SessionEnded } else { Reason::AppEnded };
                self.seat_ended(seat, "the application ended", reason, || {
                    tracing::info!(?exit, "the application ended");
                });
            }
            Ended::Seat { seat } => {
                self.seat_ended(seat, "the seat ended", Reason::ScreenLost, || {
                    tracing::error!("the seat ended unexpectedly; its log says why");
                });
            }
            Ended::Stream { id, why } => {
                tracing::error!(session = id.0, %why, "the stream cannot go on");
                self.end_stream(id, Some(Reason::Broken), &why);
            }
            Ended::Revoked { id } => {
                tracing::info!(session = id.0, "the client may not look any more; the application goes on");
                self.end_stream(id, Some(Reason::Revoked), "the owner took the right to look away");
            }
            Ended::Picture { id } => {
                let running = self.table().streaming(id).and_then(|seat| seat.running.clone());
                if let Some(running) = running {
                    running.show_again();
                }
            }
            Ended::Client { id, by_client } => {
                tracing::info!(session = id.0, by_client, "the client left; the application goes on");
                self.end_stream(id, None, "the client left");
            }
        }
    }

    fn seat_ended(&self, seat: u64, why: &str, reason: Reason, tell: impl FnOnce()) {
        let place = self.table().seat(seat).map(|seat| Arc::clone(&seat.place));
        let Some(place) = place else { return };
        let _one = lock(&place.operation);
        // Somebody may have ended it meanwhile.
        if self.table().seat(seat).is_some() {
            tell();
            self.end_seat(&place, why, reason);
        }
    }

    /// Forgets launches whose RTSP never came, and ends applications that nobody
    /// ever saw, or not for a long time.
    fn expire(self: &Arc<Self>, now: Instant) {
        let expired = self.table().expired(now);
        for waiting in &expired {
            tracing::warn!(client = %waiting.request.client, "a launch was not followed by RTSP and expired");
        }
        self.forget(expired);
        let keep = self.rules().keep;
        let abandoned = self.table().abandoned(keep, now);
        for (place, why) in abandoned {
            // Who works on it will be done with it when it is looked at again.
            if place.operation.try_lock().is_err() {
                continue;
            }
            apart(self, move |shared| {
                let _one = lock(&place.operation);
                let still = shared.table().abandoned(keep, now).iter().any(|(other, _)| other.id == place.id);
                if still {
                    tracing::info!(app = place.title, why, "the application is ended");
                    shared.end_seat(&place, why, Reason::Quit);
                }
            });
        }
    }

    /// Ends the stream, the application and the seat. Only under its `operation`.
    pub fn end_seat(&self, place: &Place, why: &str, reason: Reason) {
        // The place stays until its seat is gone: a client has one at a time.
        let (stream, running) = {
            let mut table = self.table();
            let Some(seat) = table.seat(place.id) else { return };
            (seat.is_ending, seat.is_ready) = (true, false);
            (seat.take_stream(), seat.running.take())
        };
        self.changed();
        if let Some(stream) = stream {
            stream.say_goodbye(reason);
            self.finish(stream, why);
        }
        if let Some(running) = running {
            running.quit();
        }
        self.settings.apps.undo(place.resume.0);
        let (_, waiting) = self.table().remove(place.id);
        self.forget(waiting);
        self.changed();
        platform::give_back_memory();
    }

    /// Ends one stream and leaves the application running.
    fn end_stream(&self, id: SessionId, reason: Option<Reason>, why: &str) {
        let place = self.table().streaming(id).map(|seat| Arc::clone(&seat.place));
        let Some(place) = place else { return };
        let _one = lock(&place.operation);
        let (stream, running) = {
            let mut table = self.table();
            let stream = table.take_stream(id);
            (stream, table.seat(place.id).and_then(|seat| seat.running.clone()))
        };
        let Some(stream) = stream else { return };
        if let Some(reason) = reason {
            stream.say_goodbye(reason);
        }
        if let Some(running) = running {
            running.hide();
        }
        self.finish(stream, why);
    }

    /// Stops a stream that was taken out of the table.
    pub fn finish(&self, stream: Stream, why: &str) {
        let played = stream.stop(why);
        self.keep_awake();
        self.changed();
        self.tell_of(played);
    }
}
