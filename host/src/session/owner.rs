//! What the owner asks of a session that runs, or that a client shall find running.

use punktfunk_core::native::wire::control::Reconfigure;

use super::figures::Figures;
use super::plan::Guest;
use super::supervisor::{Shared, lock};
use super::{ClientId, LaunchError, Mode, Reason, SessionId};

/// What an application gets that its device did not ask for and that prefers nothing.
const PLAIN_MODE: Mode = Mode { width: 1920, height: 1080, fps: 60 };

impl Shared {
    /// The numbers of every stream, by seat.
    pub fn figures(&self) -> Vec<(u64, Figures)> {
        // The table is given back first: counting takes longer than it may be held.
        let meters: Vec<_> = {
            let table = self.table();
            let streams =
                table.seats().iter().filter_map(|seat| Some((seat.place.id, seat.stream.as_ref()?)));
            streams.map(|(seat, stream)| (seat, stream.meter())).collect()
        };
        meters.into_iter().map(|(seat, meter)| (seat, meter.figures())).collect()
    }

    /// Shows a text on the screen of a seat.
    pub fn message(&self, seat: u64, text: &str) -> Result<(), LaunchError> {
        let running = self.table().seat(seat).and_then(|seat| seat.running.clone());
        running.ok_or(LaunchError::NothingToResume)?.message(text)
    }

    /// Gives the stream of a seat another bitrate.
    pub fn set_bitrate(&self, seat: u64, kbps: u32) -> Result<(), LaunchError> {
        let stream = {
            let mut table = self.table();
            let stream = table.seat(seat).and_then(|seat| seat.stream.as_ref());
            stream.map(|stream| (stream.id(), stream.native().is_some(), stream.voice()))
        };
        let (id, is_native, voice) = stream.ok_or(LaunchError::NothingToResume)?;
        if !is_native {
            return self.set_bitrate_of(seat, id, kbps);
        }
        let wish = Reconfigure { bitrate_kbps: Some(kbps), ..Reconfigure::default() };
        let now = self.reconfigure(id, &wish)?;
        voice.reconfigured(id, now);
        Ok(())
    }

    /// The same for GameStream, whose client cannot be told.
    fn set_bitrate_of(&self, seat: u64, id: SessionId, kbps: u32) -> Result<(), LaunchError> {
        {
            let mut table = self.table();
            let stream = table.seat(seat).and_then(|seat| seat.stream.as_mut());
            let stream = stream.filter(|stream| stream.id() == id).ok_or(LaunchError::NothingToResume)?;
            let mut config = stream.config().clone();
            config.bitrate_kbps = kbps;
            stream.change(config, None);
        }
        self.changed();
        Ok(())
    }

    /// Starts an application for a client that is not here.
    pub fn launch_for(&self, client: ClientId, name: &str, app: u32) -> Result<u64, LaunchError> {
        // What clients do not see the owner may start all the same.
        let app = self.settings.apps.program(app).ok_or(LaunchError::UnknownApp(app))?;
        let place = self.reserve(client, &app)?;
        let _one = lock(&place.operation);
        let (width, height) = app.prefer.size.unwrap_or((PLAIN_MODE.width, PLAIN_MODE.height));
        let mode = Mode { width, height, fps: app.prefer.fps.unwrap_or(PLAIN_MODE.fps) };
        let guest = Guest { client, name, mode, channels: app.prefer.channels.unwrap_or(2) };
        if let Err(error) = self.start_app(&place, &app, &guest) {
            self.end_seat(&place, "it could not be started", Reason::Quit);
            return Err(error);
        }
        if let Some(seat) = self.table().seat(place.id) {
            // It is kept as long as one that its client has left.
            seat.was_streamed = true;
        }
        tracing::info!(client = name, app = place.title, "started by the owner");
        Ok(place.id)
    }
}
