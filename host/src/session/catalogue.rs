//! Where sessions take applications from: a list that may change while the host runs.
//!
//! The sessions ask it at each launch and keep nothing of it, so that a change is seen by
//! the next request of any client. Who keeps the list, and where from, is not known here.

use std::path::PathBuf;

use punktfunk_core::gamestream::sdp::Codec;

use super::Mode;
use crate::config::{self, AppKind};

/// What is played with when nobody says anything.
const PLAIN_MODE: Mode = Mode { width: 1920, height: 1080, fps: 60 };

/// One application as sessions need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Positive, below 2^31, and the same as long as it is in the list: clients keep
    /// pictures and shortcuts by it.
    pub id: u32,
    /// Its title.
    pub title: String,
    /// What it is.
    pub kind: AppKind,
    /// Where it starts; the home directory when absent.
    pub dir: Option<PathBuf>,
    /// What it is played with where the client leaves a choice.
    pub prefer: Prefer,
    /// Where it was found, in one word.
    pub source: &'static str,
    /// No client sees it in its list or starts it; the owner may.
    pub hidden: bool,
}

/// What an application is played with where the client leaves a choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prefer {
    /// How pictures are coded, among the codecs that the client offers.
    pub codec: Option<Codec>,
    /// Width and height in pixels.
    pub size: Option<(u32, u32)>,
    /// Pictures a second.
    pub fps: Option<u32>,
    /// Channels of sound: 2, 6 or 8.
    pub channels: Option<u8>,
}

impl Prefer {
    /// The screen of a client that said nothing about it: 1920x1080 at 60 Hz, where nothing
    /// is preferred.
    pub fn mode(self) -> Mode {
        let (width, height) = self.size.unwrap_or((PLAIN_MODE.width, PLAIN_MODE.height));
        Mode { width, height, fps: self.fps.unwrap_or(PLAIN_MODE.fps) }
    }
}

impl From<&config::App> for Program {
    fn from(app: &config::App) -> Self {
        let source = if matches!(app.kind, AppKind::Command { .. }) { "config" } else { "builtin" };
        Self {
            id: app.id,
            title: app.name.clone(),
            kind: app.kind.clone(),
            dir: None,
            prefer: Prefer::default(),
            source,
            hidden: false,
        }
    }
}

/// A picture of an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Art {
    /// `image/png`, `image/jpeg` or `image/webp`.
    pub media_type: &'static str,
    /// The file.
    pub bytes: Vec<u8>,
}

/// Names the seat of one launch, also to a host after this one.
pub type SeatKey = [u8; 16];

/// What a launch is for.
#[derive(Clone, Copy, Debug)]
pub struct Occasion<'a> {
    /// The seat it will have.
    pub seat: SeatKey,
    /// The name the owner gave the client.
    pub client_name: &'a str,
    /// The screen it starts on.
    pub mode: Mode,
}

/// What was found by looking at what is installed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scanned {
    /// How many applications of each source, by name of the source.
    pub by_source: Vec<(&'static str, usize)>,
    /// What could not be read, for the owner.
    pub problems: Vec<String>,
}

/// A list of applications that may change at any time.
pub trait Catalogue: Send + Sync + std::fmt::Debug {
    /// All of them, hidden ones too, in the owner's order. Never blocks for long.
    fn programs(&self) -> Vec<Program>;

    /// The one with this id, hidden or not. May wait a moment for what is being looked for.
    fn program(&self, id: u32) -> Option<Program> {
        self.programs().into_iter().find(|program| program.id == id)
    }

    /// Its picture. Reads a file.
    fn art(&self, _id: u32) -> Option<Art> {
        None
    }

    /// Does what the owner wants done before a launch; the error is for the user. What was
    /// done stays to be undone with [`Catalogue::undo`], which the caller calls also after
    /// an error. Takes as long as the owner's commands.
    fn prepare(&self, _program: &Program, _occasion: &Occasion<'_>) -> Result<(), String> {
        Ok(())
    }

    /// Undoes what was done for this seat, once. Takes as long as the owner's commands.
    fn undo(&self, _seat: SeatKey) {}

    /// These seats are still there after a restart of the host; what was done for all others
    /// is undone, by and by.
    fn recover(&self, _still: &[SeatKey]) {}

    /// Looks anew at what is installed. Reads many files.
    fn scan(&self) -> Scanned {
        Scanned::default()
    }
}

/// A list that never changes.
impl Catalogue for config::Apps {
    fn programs(&self) -> Vec<Program> {
        self.iter().map(Program::from).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_says_is_plain_and_the_rest_is_kept() {
        assert_eq!(Prefer::default().mode(), Mode { width: 1920, height: 1080, fps: 60 });
        let prefer = Prefer { size: Some((640, 480)), ..Prefer::default() };
        assert_eq!(prefer.mode(), Mode { width: 640, height: 480, fps: 60 });
        let prefer = Prefer { fps: Some(30), ..Prefer::default() };
        assert_eq!(prefer.mode(), Mode { fps: 30, ..PLAIN_MODE });
    }

    #[test]
    fn the_settings_are_a_list_that_never_changes() {
        let apps = config::Config::default().apps;
        let programs = apps.programs();
        assert_eq!(
            programs.iter().map(|p| (p.id, p.source)).collect::<Vec<_>>(),
            [(config::DESKTOP_ID, "builtin"), (config::TEST_CARD_ID, "builtin")]
        );
        assert_eq!(apps.program(config::TEST_CARD_ID), Some(programs[1].clone()));
        assert_eq!(apps.program(77), None);
    }
}
