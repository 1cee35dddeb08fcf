//! What the owner sees of sessions that run, and has them do while they do.

use punktfunk_core::native::wire::control::Reconfigure;

use super::figures::Figures;
use super::supervisor::Shared;
use super::{LaunchError, SessionId};

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
}
