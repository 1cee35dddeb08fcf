//! The pictures of a seat with gamescope: from PipeWire into the buffers of the host, which
//! have the size of the seat's screen.
//!
//! A gamescope that runs already draws only when something changes: a seat that has just
//! come to it would show nothing until then. So it is nudged, by a pointer that moves by one
//! pixel and back.

use calloop::generic::Generic;
use calloop::{Interest, Mode as Trigger, PostAction};
use punktfunk_seat_ipc::Rect;

use super::capture::{Capture, Change};
use super::fit::Fit;
use super::monotonic;
use super::room::{Room, SECOND};
use super::sheets::Sheets;
use crate::link;

/// A picture that has not come by then is asked for by a nudge.
const STILL: u64 = SECOND / 4;
/// PipeWire drops what is drawn while it makes a link, so one nudge may be too early.
const NUDGES: u8 = 20;

/// A picture is waited for.
#[derive(Clone, Copy)]
pub struct Nudge {
    /// When gamescope is nudged.
    pub at: u64,
    /// How often still.
    left: u8,
}

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
                Change::Streaming => {
                    tracing::debug!("the picture may come");
                    self.streaming = true;
                    self.expect_picture();
                }
                Change::Over(why) => return self.lose(why),
            }
        }
        self.take_picture();
    }

    /// The producer has another size.
    fn resize(&mut self, width: u32, height: u32) {
        self.source = Some((width, height));
        if let Some((injector, _)) = &mut self.injector {
            injector.resize((width, height));
        }
        if (width, height) != (self.mode.width, self.mode.height) {
            tracing::info!(width, height, mode = ?self.mode, "gamescope's picture is fitted into the screen");
        }
        // What came before has another size.
        (self.fit, self.sheets) = (None, None);
        self.renew_sheets();
        self.expect_picture();
    }

    /// New buffers, of the size that the screen has now, with the picture that there is.
    pub(super) fn renew_sheets(&mut self) {
        let Some(source) = self.source else { return };
        let target = (self.mode.width, self.mode.height);
        self.generation += 1;
        let mut sheets = match Sheets::new(target.0, target.1, self.generation) {
            Ok(sheets) => sheets,
            Err(error) => return self.fail(format!("no buffers for the picture: {error}")),
        };
        let mut fit = Fit::new(source, target);
        let before = self.fit.as_ref().zip(self.sheets.as_ref());
        let picture = before.and_then(|(fit, sheets)| fit.original().or_else(|| sheets.newest()));
        if let Some((picture, gap)) = picture {
            draw(&mut fit, &mut sheets, monotonic() / 1_000, None, |into, stride| {
                let width = source.0 as usize * 4;
                for (row, from) in into.chunks_mut(stride.max(1)).zip(picture.chunks(gap.max(1))) {
                    if let (Some(row), Some(from)) = (row.get_mut(..width), from.get(..width)) {
                        row.copy_from_slice(from);
                    }
                }
                true
            });
        }
        (self.fit, self.sheets) = (Some(fit), Some(sheets));
        self.introduce();
        self.publish();
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
        let (Some((capture, _)), Some(fit), Some(sheets)) =
            (&mut self.capture, &mut self.fit, &mut self.sheets)
        else {
            return;
        };
        // With no buffer free it stays with the producer, who sends no newer one then.
        if !sheets.has_room() {
            return;
        }
        capture.newest(|picture| {
            if (picture.format.width, picture.format.height) != fit.source() {
                return;
            }
            let timestamp = picture.pts.unwrap_or_else(monotonic) / 1_000;
            let damage = picture.damage.as_deref();
            draw(fit, sheets, timestamp, damage, |bytes, stride| {
                picture
                    .copy(bytes, stride)
                    .map_err(|error| tracing::warn!(%error, "a picture was lost"))
                    .is_ok()
            });
        });
        if sheets.newest().is_some() {
            self.nudge = None;
        }
        self.publish();
    }

    /// From now on a picture should come soon, if there is none yet.
    pub(super) fn expect_picture(&mut self) {
        let has_picture = self.sheets.as_ref().is_some_and(|sheets| sheets.newest().is_some());
        // One of our own draws when its application does; nobody's pointer is moved there.
        let waits = self.other.is_some() && self.up && self.streaming && self.viewer && !has_picture;
        self.nudge = waits.then(|| Nudge { at: monotonic() + STILL, left: NUDGES });
    }

    /// Moves the pointer there and back when it is time to, so that gamescope draws.
    pub(super) fn work_on_nudge(&mut self, now: u64) {
        let Some(mut nudge) = self.nudge.take_if(|nudge| now >= nudge.at) else { return };
        let mut moved = false;
        self.with_injector(|injector| {
            moved = injector.nudge();
            injector.flush()
        });
        (nudge.at, nudge.left) = (now + STILL, nudge.left - u8::from(moved));
        if nudge.left > 0 {
            self.nudge = Some(nudge);
        } else {
            tracing::warn!("gamescope draws nothing, though its pointer was moved");
        }
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

/// Lets `copy` write a picture, through `fit`, into a free buffer.
fn draw(
    fit: &mut Fit,
    sheets: &mut Sheets,
    timestamp_us: u64,
    damage: Option<&[Rect]>,
    copy: impl FnOnce(&mut [u8], usize) -> bool,
) -> bool {
    if fit.is_exact() {
        return sheets.draw(timestamp_us, damage, copy);
    }
    fit.take(copy)
        && sheets.draw(timestamp_us, None, |screen, stride| {
            fit.draw(screen, stride);
            true
        })
}
