//! How many clients may play at one time, and what they may do with each other's
//! applications; and who draws a game's screen.

use std::time::Duration;

use serde::Deserialize;

/// The sessions of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sessions {
    /// Applications that may run at one time, one for each client.
    pub max: usize,
    /// One household: every paired client sees, resumes and quits what nobody
    /// watches. Otherwise each only its own.
    pub shared: bool,
    /// Minutes that an application runs on after its client left; 0 is until it is
    /// quit.
    pub keep_minutes: u32,
    /// Who draws the screen of an application that is not the desktop.
    pub compositor: Compositor,
}

/// What draws the screen of an application.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compositor {
    /// punktfunk's own.
    #[default]
    Own,
    /// A gamescope without a screen of its own.
    Gamescope,
}

impl Default for Sessions {
    fn default() -> Self {
        Self { max: 8, shared: false, keep_minutes: 60, compositor: Compositor::Own }
    }
}

impl Sessions {
    /// How long an application is kept that nobody watches; `None` is for ever.
    pub fn keep(&self) -> Option<Duration> {
        (self.keep_minutes > 0).then(|| Duration::from_secs(u64::from(self.keep_minutes) * 60))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_mean_what_they_say() {
        assert_eq!(Sessions::default().keep(), Some(Duration::from_secs(3600)));
        assert_eq!(Sessions { keep_minutes: 0, ..Sessions::default() }.keep(), None);
    }
}
