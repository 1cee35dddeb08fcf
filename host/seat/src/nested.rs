//! The desktop of the user's own compositor, nested in the seat, where it is wanted and
//! proves to work. Otherwise, and when it dies early, the desktop is ours.
//!
//! Proving is the point: a compositor that comes up as a black screen, because it finds
//! no graphics card or no seat manager, is worse than a plain desktop that works.

use std::collections::VecDeque;
use std::path::Path;

use punktfunk_seat_ipc::{App, AppKind};

use crate::launcher::find_program;
use crate::seat::State;
use crate::windows::Policy;

/// What the host says about the session: `auto`, `own`, or a command.
const SETTING: &str = "PUNKTFUNK_DESKTOP_SESSION";
/// A compositor must show its window within this time, nanoseconds.
const DEADLINE: u64 = 10_000_000_000;
/// And must then live this long.
const PROBATION: u64 = 3_000_000_000;

/// Compositors that nest without a graphics card, and what below `~/.config` shows that
/// the user has made one their own: one that a package manager once installed is not
/// what somebody expects to see.
const KNOWN: [(&str, &str); 3] = [("labwc", "labwc"), ("sway", "sway"), ("wayfire", "wayfire.ini")];

/// A compositor that has still to prove itself.
pub struct Trial {
    command: String,
    /// It is given up then.
    until: u64,
    /// Its window is there.
    mapped: bool,
    /// What to try after it.
    rest: VecDeque<Vec<String>>,
}

impl Trial {
    /// When it is decided.
    pub fn due(&self) -> u64 {
        self.until
    }
}

/// The commands to try for a setting, in order; none for our own desktop.
fn candidates(
    setting: &str,
    installed: impl Fn(&str) -> bool,
    configured: impl Fn(&str) -> bool,
) -> VecDeque<Vec<String>> {
    match setting.trim() {
        "" | "own" => VecDeque::new(),
        "auto" => {
            let known = KNOWN.iter().filter(|(program, file)| installed(program) && configured(file));
            known.map(|(program, _)| vec![(*program).to_owned()]).collect()
        }
        command => [command.split_whitespace().map(str::to_owned).collect()].into(),
    }
}

/// Variables that make a compositor open a window of ours instead of a graphics card.
fn environment(command: &[String]) -> Vec<(String, String)> {
    let program = command.first().map(String::as_str).unwrap_or_default();
    let name = Path::new(program).file_name().map(|name| name.to_string_lossy().into_owned());
    [
        ("WLR_BACKENDS", "wayland".to_owned()),
        ("WLR_WL_OUTPUTS", "1".to_owned()),
        // The seat draws without a card, and what it cannot take they need not draw.
        ("WLR_RENDERER", "pixman".to_owned()),
        ("XDG_CURRENT_DESKTOP", name.unwrap_or_default()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

impl State {
    /// Starts the desktop: of another compositor if one is to be tried, else ours. An
    /// error when not even a terminal can be started.
    pub fn start_desktop(&mut self, app: &App) -> anyhow::Result<u32> {
        let setting = app.env.iter().find(|(name, _)| name == SETTING).map(|(_, value)| value.as_str());
        let config = std::env::var_os("XDG_CONFIG_HOME")
            .map(std::path::PathBuf::from)
            .or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".config")));
        let configured = |file: &str| config.as_ref().is_some_and(|config| config.join(file).exists());
        let rest = candidates(setting.unwrap_or_default(), |name| find_program(name).is_some(), configured);
        self.try_sessions(rest)
    }

    fn try_sessions(&mut self, mut rest: VecDeque<Vec<String>>) -> anyhow::Result<u32> {
        while let Some(command) = rest.pop_front() {
            let line = command.join(" ");
            let env = environment(&command);
            let app = App { kind: AppKind::Command(command), name: line.clone(), env, cwd: None };
            self.windows.policy = Policy::Kiosk;
            // Windows of X11 belong into the session, which has an Xwayland of its own; one
            // that it does not know would lie above it.
            let display = self.session.set_x_display(None);
            let launched = self.session.launch(&app, self.mode);
            self.session.set_x_display(display);
            match launched {
                Ok(pid) => {
                    tracing::info!(pid, session = line, "a nested session is tried");
                    let until = self.now() + DEADLINE;
                    self.trial = Some(Trial { command: line, until, mapped: false, rest });
                    self.paint_backdrop();
                    return Ok(pid);
                }
                Err(error) => tracing::warn!("the session {line} could not be started: {error:#}"),
            }
        }
        self.windows.policy = Policy::Desktop;
        self.paint_backdrop();
        let app = App { kind: AppKind::Desktop, name: "Desktop".to_owned(), env: vec![], cwd: None };
        self.session.launch(&app, self.mode)
    }

    /// A window of the nested session is there.
    pub fn session_mapped(&mut self) {
        let now = self.now();
        if let Some(trial) = self.trial.as_mut().filter(|trial| !trial.mapped) {
            trial.mapped = true;
            trial.until = now + PROBATION;
        }
    }

    /// Decides about a nested session that is on trial.
    pub fn work_on_trial(&mut self, now: u64) {
        let Some(trial) = &self.trial else { return };
        let ended = self.session.app_ended();
        if !ended && now < trial.until {
            return;
        }
        let Some(trial) = self.trial.take() else { return };
        if !ended && trial.mapped {
            tracing::info!(session = trial.command, "the nested session works");
            return;
        }
        let why = if ended { "it ended at once" } else { "it shows nothing" };
        tracing::warn!("the session {} is not used: {why}; see what it says above", trial.command);
        self.session.abandon();
        if let Err(error) = self.try_sessions(trial.rest) {
            tracing::warn!("the desktop could not be started: {error:#}");
            self.tell(&punktfunk_seat_ipc::ToHost::Error(format!("{error:#}")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(setting: &str, installed: &[&str], configured: &[&str]) -> Vec<String> {
        let found = candidates(setting, |name| installed.contains(&name), |file| configured.contains(&file));
        found.into_iter().map(|command| command.join(" ")).collect()
    }

    #[test]
    fn auto_takes_what_is_installed_and_configured() {
        let all = ["labwc", "sway", "wayfire"];
        assert!(names("auto", &all, &[]).is_empty(), "installed is not wanted");
        assert!(names("auto", &[], &["sway"]).is_empty());
        assert_eq!(names("auto", &all, &["wayfire.ini", "sway"]), ["sway", "wayfire"]);
        assert!(names("own", &all, &["sway"]).is_empty());
        assert!(names("", &all, &["sway"]).is_empty());
        assert_eq!(names(" sway  -c /x ", &[], &[]), ["sway -c /x"]);
    }

    #[test]
    fn a_compositor_is_named_to_its_applications() {
        let env = environment(&["/usr/bin/sway".to_owned()]);
        assert!(env.contains(&("XDG_CURRENT_DESKTOP".to_owned(), "sway".to_owned())));
    }
}
