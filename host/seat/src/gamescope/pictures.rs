//! The pictures of a seat with gamescope: from PipeWire into the buffers of the host.

use calloop::generic::Generic;
use calloop::{Interest, Mode as Trigger, PostAction};

use super::capture::{Capture, Change};
use super::monotonic;
use super::room::Room;
use super::sheets::Sheets;
use crate::link;

impl Room {
    /// Takes the pictures of this node from now on.
    pub(super) fn watch_picture(&mut self, node: u32) -> anyhow::Result<()> {
        let capture = Capture::start(&self.pipewire, node)?;
        let mut tokens = Vec::new();
        for fd in capture.watch()? {
            let source = Generic::new(fd, Interest::READ, Trigger::Level);
            let token = self.handle.insert_source(source, |_, _, room: &mut Self| {
                room.look();
                Ok(PostAction::Continue)
            });
            tokens.push(token.map_err(|error| anyhow::anyhow!("watch PipeWire: {error}"))?);
        }
        self.capture = Some((capture, tokens));
        // What it did while it was made.
        self.look();
        Ok(())
    }

    /// PipeWire has something to do.
    fn look(&mut self) {
        let Some((capture, _)) = &mut self.capture else { return };
        let changes = capture.turn();
        for change in changes {
            match change {
                Change::Format(format) => self.resize(format.width, format.height),
                Change::Streaming => tracing::debug!("the picture may come"),
                Change::Over(why) => return self.lose(why),
            }
        }
        self.take_picture();
    }

    /// The producer has another size: new buffers.
    fn resize(&mut self, width: u32, height: u32) {
        self.generation += 1;
        match Sheets::new(width, height, self.generation) {
            Ok(sheets) => self.sheets = Some(sheets),
            Err(error) => return self.fail(format!("no buffers for the picture: {error}")),
        }
        if let Some((injector, _)) = &mut self.injector {
            injector.resize((width, height));
        }
        if (width, height) != (self.mode.width, self.mode.height) {
            tracing::warn!(width, height, mode = ?self.mode, "gamescope's picture has another size than was asked for");
        }
        self.introduce();
    }

    pub(super) fn introduce(&mut self) {
        if !self.up {
            return;
        }
        let told = match (&self.sheets, &self.host) {
            (Some(sheets), Some(host)) => sheets.introduce(&host.connection),
            _ => Ok(()),
        };
        if let Err(error) = told {
            link::lose(self, &error);
        }
    }

    pub(super) fn take_picture(&mut self) {
        let (Some((capture, _)), Some(sheets)) = (&mut self.capture, &mut self.sheets) else { return };
        // With no buffer free it stays with the producer, who sends no newer one then.
        if !sheets.has_room() {
            return;
        }
        capture.newest(|picture| {
            if (picture.format.width, picture.format.height) != sheets.size() {
                return;
            }
            let timestamp = picture.pts.unwrap_or_else(monotonic) / 1_000;
            let damage = picture.damage.as_deref();
            sheets.draw(timestamp, damage, |bytes, stride| {
                picture
                    .copy(bytes, stride)
                    .map_err(|error| tracing::warn!(%error, "a picture was lost"))
                    .is_ok()
            });
        });
        self.publish();
    }

    pub(super) fn publish(&mut self) {
        if !self.viewer || !self.up {
            return;
        }
        let (Some(sheets), Some(host)) = (&mut self.sheets, &self.host) else { return };
        match sheets.publish(&host.connection, self.sequence + 1) {
            Ok(true) => self.sequence += 1,
            Ok(false) => {}
            Err(error) => link::lose(self, &error),
        }
    }
}
