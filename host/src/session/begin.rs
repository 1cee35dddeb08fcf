//! What the owner has the sessions do, besides ending them: starting an application for a
//! client that is not there yet.

use super::plan::Guest;
use super::supervisor::{Shared, lock};
use super::{ClientId, LaunchError, Program, Reason};

impl Shared {
    /// The application with this id, if clients may start it.
    pub fn program(&self, id: u32) -> Result<Program, LaunchError> {
        let program = self.settings.apps.program(id).filter(|program| !program.hidden);
        program.ok_or(LaunchError::UnknownApp(id))
    }

    /// Starts an application, a hidden one too, as it prefers; gives the seat's number.
    pub fn start(&self, client: ClientId, name: &str, app: u32) -> Result<u64, LaunchError> {
        let app = self.settings.apps.program(app).ok_or(LaunchError::UnknownApp(app))?;
        let place = self.reserve(client, &app)?;
        let _one = lock(&place.operation);
        let channels = app.prefer.channels.unwrap_or(2);
        let guest = Guest { client, name, mode: app.prefer.mode(), channels };
        let started = self.start_app(&place, &app, &guest);
        if started.is_err() {
            self.end_seat(&place, "it could not be started", Reason::Quit);
        } else if let Some(seat) = self.table().seat(place.id) {
            // Its client was not there when it started: it has as long as after a stream.
            seat.was_streamed = true;
        }
        started.map(|_| place.id)
    }
}
