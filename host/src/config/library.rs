//! Where games are looked for.

use serde::Deserialize;

/// Which launchers' games are offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Library {
    /// Those that Steam has installed.
    pub steam: bool,
    /// Those that Heroic has installed.
    pub heroic: bool,
    /// Those that Lutris knows.
    pub lutris: bool,
    /// Those among the installed Flatpaks.
    pub flatpak: bool,
    /// Those among the desktop entries of the menu.
    pub desktop: bool,
}

impl Default for Library {
    fn default() -> Self {
        Self { steam: true, heroic: true, lutris: true, flatpak: true, desktop: false }
    }
}
