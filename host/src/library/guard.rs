//! What has to be out of the way before a launch: programs that run once for a user, and
//! would open the game where they run already, on another screen than the client's.
//!
//! Steam is asked to shut down and waited for. Nothing is ever killed: a game that is
//! being played there, or a dialogue that waits, makes the launch fail with a text.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::desktop::find_program;
use super::scan::Guard;
use super::steam::FLATPAK_ID;
use crate::platform::{Process, own_processes};

/// What every process of a seat has in its environment.
const MARK: &str = "PUNKTFUNK_SEAT";
/// What Steam needs to reach the one that runs.
const PASSED_ON: [&str; 5] =
    ["DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"];
/// How long Steam may take to end: it writes its files to the cloud first.
const PATIENCE: Duration = Duration::from_secs(30);

impl Guard {
    /// Makes room for a launch; the error is for the user. Takes up to half a minute.
    pub fn clear(&self) -> Result<(), String> {
        match self {
            Self::Steam { flatpak } => Steam::new(*flatpak).make_room(),
            Self::Heroic => room_beside("heroic", "Heroic"),
        }
    }
}

/// A program that knows no way to be asked: it must not run elsewhere.
fn room_beside(name: &str, title: &str) -> Result<(), String> {
    if own_processes().iter().any(|process| process.name == name) {
        return Err(format!("{title} is open already, and would show the game there: close it first"));
    }
    Ok(())
}

/// One Steam of this user.
pub(super) struct Steam {
    /// The program and its first arguments.
    command: Vec<OsString>,
    /// The name of its processes.
    name: &'static str,
    flatpak: bool,
    patience: Duration,
}

impl Steam {
    pub fn new(flatpak: bool) -> Self {
        let command = if flatpak {
            ["flatpak", "run", FLATPAK_ID].map(OsString::from).to_vec()
        } else {
            // Where Debian puts games, which a service does not look into.
            let elsewhere = || Some(PathBuf::from("/usr/games/steam")).filter(|path| path.is_file());
            let program = find_program("steam").or_else(elsewhere).unwrap_or_else(|| "steam".into());
            vec![program.into_os_string()]
        };
        Self { command, name: "steam", flatpak, patience: PATIENCE }
    }

    /// How it is started, or spoken to when it runs.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]).stdin(Stdio::null());
        command
    }

    fn running(&self) -> Vec<Process> {
        let ours = |process: &Process| {
            let in_flatpak = process.variable("FLATPAK_ID").is_some_and(|id| id == FLATPAK_ID);
            process.name == self.name && in_flatpak == self.flatpak
        };
        own_processes().into_iter().filter(ours).collect()
    }

    fn make_room(&self) -> Result<(), String> {
        let running = self.running();
        let Some(first) = running.first() else { return Ok(()) };
        if running.iter().any(|process| process.variable(MARK).is_some()) {
            return Err("Steam is in use for another device: quit its game there first".to_owned());
        }
        tracing::info!("Steam runs on this machine's own screen and is asked to close");
        let mut ask = self.command();
        ask.arg("-shutdown").stdout(Stdio::null()).stderr(Stdio::null());
        ask.envs(PASSED_ON.iter().filter_map(|name| Some((*name, first.variable(name)?))));
        let mut asked = ask.spawn().map_err(|error| format!("Steam cannot be asked to close ({error})"))?;
        let deadline = Instant::now() + self.patience;
        loop {
            // Who asked has to be waited for as well, and is a Steam by its name.
            let is_done = asked.try_wait().is_ok_and(|status| status.is_some());
            if is_done && self.running().is_empty() {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(format!(
                    "Steam is open on this machine and did not close within {} s: close it there, then start again",
                    self.patience.as_secs()
                ));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::scratch::Scratch;
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt as _;
    use std::process::Child;

    /// A program of this name that runs until it is told to end through a file, as Steam
    /// is through its pipe. With `deaf` it does not listen.
    fn fake(dir: &Scratch, name: &'static str, deaf: bool) -> Steam {
        let end = if deaf { "never" } else { "end" };
        let script = format!(
            "#!/bin/sh\ncd \"$(dirname \"$0\")\"\nif [ \"$1\" = -shutdown ]; then echo \"$DISPLAY\" > end; exit 0; fi\n\
             while [ ! -e {end} ]; do sleep 0.05; done\n"
        );
        let file = dir.write(name, script);
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
        Steam { command: vec![file.into()], name, flatpak: false, patience: Duration::from_secs(20) }
    }

    fn start(steam: &Steam, mark: Option<&str>) -> Child {
        let mut command = steam.command();
        command.env("DISPLAY", ":77").env_remove(MARK).envs(mark.map(|mark| (MARK, mark)));
        let child = command.process_group(0).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while steam.running().is_empty() {
            assert!(Instant::now() < deadline);
            std::thread::sleep(Duration::from_millis(5));
        }
        child
    }

    fn end(dir: &Scratch, mut child: Child) {
        dir.write("end", "");
        dir.write("never", "");
        child.wait().unwrap();
    }

    #[test]
    fn a_steam_elsewhere_is_asked_to_close_and_waited_for() {
        let dir = Scratch::new("guard-ask");
        let steam = fake(&dir, "pf-steam-ask", false);
        assert_eq!(steam.make_room(), Ok(()), "none runs");
        let mut child = start(&steam, None);
        // Somebody has to wait for the child, or it stays among the processes as dead.
        let waits = std::thread::spawn(move || child.wait());
        assert_eq!(steam.make_room(), Ok(()));
        assert_eq!(std::fs::read_to_string(dir.path().join("end")).unwrap(), ":77\n", "on its own screen");
        assert!(waits.join().unwrap().unwrap().success());
    }

    #[test]
    fn one_that_does_not_close_is_left_alone_and_told_of() {
        let dir = Scratch::new("guard-deaf");
        let mut steam = fake(&dir, "pf-steam-deaf", true);
        steam.patience = Duration::from_millis(300);
        let mut child = start(&steam, None);
        let why = steam.make_room().unwrap_err();
        assert!(why.contains("close it there"), "{why}");
        assert!(child.try_wait().unwrap().is_none(), "it was not killed");
        end(&dir, child);
    }

    #[test]
    fn one_of_another_seat_is_not_asked() {
        let dir = Scratch::new("guard-seat");
        let steam = fake(&dir, "pf-steam-seat", false);
        let child = start(&steam, Some("/run/seat-1"));
        assert!(steam.make_room().unwrap_err().contains("another device"));
        assert!(!dir.path().join("end").exists());
        end(&dir, child);
    }

    #[test]
    fn what_cannot_be_asked_must_not_run() {
        let dir = Scratch::new("guard-beside");
        let heroic = fake(&dir, "pf-heroic", false);
        assert_eq!(room_beside("pf-heroic", "Heroic"), Ok(()));
        let child = start(&heroic, None);
        assert!(room_beside("pf-heroic", "Heroic").unwrap_err().contains("close it first"));
        end(&dir, child);
    }
}
