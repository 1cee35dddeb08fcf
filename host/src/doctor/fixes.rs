//! What can be mended without a risk. Each fix does nothing where nothing is to be done,
//! touches only what it names, and says what it did.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use super::host;
use super::machine::Machine;
use crate::{abilities, display};

/// How long a program may take to mend something.
const PATIENCE: Duration = Duration::from_secs(20);
/// Bytes of the largest UDP buffer.
const BUFFER: u64 = 4 << 20;

/// A fix.
#[derive(Clone, Copy, Debug)]
pub struct Fix {
    /// Its lasting name.
    pub id: &'static str,
    /// What it does, in one sentence.
    pub does: &'static str,
    /// The probe that is looked at again afterwards.
    pub probe: &'static str,
    /// Only root may do it: the command line does it before it gives root up.
    pub needs_root: bool,
    /// Does it and says what was done.
    pub mend: fn(&Machine) -> Result<String, FixError>,
}

/// All fixes.
pub const FIXES: &[Fix] = &[
    Fix {
        id: "retry-encoders",
        does: "forgets what the encoders can do, so that the next start tries them again",
        probe: "encoders.results",
        needs_root: false,
        mend: retry_encoders,
    },
    Fix {
        id: "private-state",
        does: "takes the state directory and its files away from other users",
        probe: "host.secrets",
        needs_root: false,
        mend: private_state,
    },
    Fix {
        id: "clear-unfinished",
        does: "removes files that were being written when something ended",
        probe: "host.leftovers",
        needs_root: false,
        mend: clear_unfinished,
    },
    Fix {
        id: "clear-seats",
        does: "removes the directories of seats that neither a host nor a process uses",
        probe: "host.seats",
        needs_root: false,
        mend: clear_seats,
    },
    Fix {
        id: "restart-sound",
        does: "restarts this user's own PipeWire; seats have their own and play on",
        probe: "audio.own",
        needs_root: false,
        mend: restart_sound,
    },
    Fix {
        id: "enable-linger",
        does: "lets this user's services start without a login",
        probe: "system.linger",
        needs_root: false,
        mend: enable_linger,
    },
    Fix {
        id: "udp-buffers",
        does: "lets UDP buffers be 4 MiB large until the machine is restarted",
        probe: "network.buffers",
        needs_root: true,
        mend: udp_buffers,
    },
];

/// Why something was not mended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FixError {
    /// There is no such fix.
    #[error("no fix {0:?}: `punktfunk-host doctor` names those that help")]
    Unknown(String),
    /// Probes run, or another fix.
    #[error("the probes run already: wait for them")]
    Busy,
    /// Only root may do it.
    #[error("only root may do that: {0}")]
    NeedsRoot(String),
    /// It was tried and did not work.
    #[error("{what} ({why}); do it by hand")]
    Failed {
        /// What was tried.
        what: String,
        /// What the system said.
        why: String,
    },
}

fn failed(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> FixError {
    let what = what.into();
    move |error| FixError::Failed { what, why: error.to_string() }
}

/// The fix of that name.
pub fn find(id: &str) -> Result<&'static Fix, FixError> {
    FIXES.iter().find(|fix| fix.id == id).ok_or_else(|| FixError::Unknown(id.to_owned()))
}

fn retry_encoders(machine: &Machine) -> Result<String, FixError> {
    let had = abilities::forget(&machine.host.state).map_err(failed("encoders.json was not removed"))?;
    Ok(if had { "forgotten: restart the host to try them again" } else { "nothing was known" }.to_owned())
}

fn private_state(machine: &Machine) -> Result<String, FixError> {
    let dir = &machine.host.state;
    let open = host::open_files(machine);
    if dir.exists() {
        let private = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(dir, private)
            .map_err(failed(format!("{} was not closed", dir.display())))?;
    }
    for file in &open {
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(file, private)
            .map_err(failed(format!("{} was not closed", file.display())))?;
    }
    Ok(format!("{} files closed", open.len()))
}

fn clear_unfinished(machine: &Machine) -> Result<String, FixError> {
    let old = host::unfinished(machine);
    for file in &old {
        std::fs::remove_file(file).map_err(failed(format!("{} was not removed", file.display())))?;
    }
    Ok(format!("{} files removed", old.len()))
}

fn clear_seats(machine: &Machine) -> Result<String, FixError> {
    let mut cleared = 0;
    for place in display::places(&machine.host.runtime) {
        let what = format!("{} was not removed", place.directory.display());
        cleared += usize::from(!place.is_alive && display::forget(&place).map_err(failed(what))?);
    }
    Ok(format!("{cleared} directories removed"))
}

/// Runs a program that mends something.
fn run(machine: &Machine, program: &str, arguments: &[&str]) -> Result<(), FixError> {
    let what = format!("`{program} {}` did not work", arguments.join(" "));
    match machine.ask(program, arguments, PATIENCE) {
        Some(ran) if ran.ok => Ok(()),
        Some(ran) => {
            let why = ran.text.lines().next().unwrap_or("it said nothing").chars().take(200).collect();
            Err(FixError::Failed { what, why })
        }
        None => Err(FixError::Failed { what, why: "it is not there or did not end".to_owned() }),
    }
}

fn restart_sound(machine: &Machine) -> Result<String, FixError> {
    let units = ["--user", "restart", "pipewire", "pipewire-pulse", "wireplumber"];
    run(machine, "systemctl", &units).map(|()| "restarted".to_owned())
}

fn enable_linger(machine: &Machine) -> Result<String, FixError> {
    run(machine, "loginctl", &["enable-linger", &machine.user.name]).map(|()| "enabled".to_owned())
}

fn udp_buffers(machine: &Machine) -> Result<String, FixError> {
    let mut changed = 0;
    for name in ["rmem_max", "wmem_max"] {
        let file = format!("proc/sys/net/core/{name}");
        if machine.number(&file).is_some_and(|now| now >= BUFFER) {
            continue;
        }
        std::fs::write(machine.at(&file), format!("{BUFFER}\n")).map_err(|error| match error.kind() {
            std::io::ErrorKind::PermissionDenied => {
                FixError::NeedsRoot(format!("sudo sysctl -w net.core.{name}={BUFFER}"))
            }
            _ => failed(format!("net.core.{name} was not changed"))(error),
        })?;
        changed += 1;
    }
    Ok(format!("{changed} limits raised to {BUFFER} bytes"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::super::table::TABLE;
    use super::super::tests::Stand;
    use super::*;

    fn mend(id: &str, machine: &Machine) -> Result<String, FixError> {
        (find(id)?.mend)(machine)
    }

    #[test]
    fn every_fix_belongs_to_a_probe() {
        for fix in FIXES {
            assert!(TABLE.iter().any(|entry| entry.id == fix.probe), "{}", fix.id);
        }
        assert!(matches!(find("reboot"), Err(FixError::Unknown(_))));
    }

    #[test]
    fn a_second_time_nothing_is_done() {
        let stand = Stand::new();
        let machine = stand.machine();
        stand.file("state/encoders.json", "{");
        assert!(mend("retry-encoders", &machine).unwrap().starts_with("forgotten"));
        assert_eq!(mend("retry-encoders", &machine).unwrap(), "nothing was known");

        stand.file("state/clients.json", "{}");
        let file = stand.root().join("state/clients.json");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(mend("private-state", &machine).unwrap(), "1 files closed");
        assert_eq!(mend("private-state", &machine).unwrap(), "0 files closed");
        let modes = [file, machine.host.state.clone()].map(|path| path.metadata().unwrap().mode() & 0o777);
        assert_eq!(modes, [0o600, 0o700]);

        stand.file("runtime/seat-4194400-1/host.json", "");
        assert_eq!(mend("clear-seats", &machine).unwrap(), "1 directories removed");
        assert_eq!(mend("clear-seats", &machine).unwrap(), "0 directories removed");

        stand.file("state/x.json.new", "");
        assert_eq!(mend("clear-unfinished", &machine).unwrap(), "0 files removed", "it may be being written");
        let file = std::fs::File::options().write(true).open(stand.root().join("state/x.json.new")).unwrap();
        file.set_modified(std::time::SystemTime::now() - Duration::from_secs(120)).unwrap();
        assert_eq!(mend("clear-unfinished", &machine).unwrap(), "1 files removed");
        assert!(stand.root().join("state/clients.json").exists());
    }

    #[test]
    fn limits_are_raised_and_never_lowered() {
        let stand = Stand::new();
        stand.file("proc/sys/net/core/rmem_max", "212992\n");
        stand.file("proc/sys/net/core/wmem_max", "16777216\n");
        assert!(mend("udp-buffers", &stand.machine()).unwrap().starts_with("1 limits raised"));
        assert!(mend("udp-buffers", &stand.machine()).unwrap().starts_with("0 limits raised"));
        assert_eq!(stand.machine().number("proc/sys/net/core/rmem_max"), Some(BUFFER));
        assert_eq!(stand.machine().number("proc/sys/net/core/wmem_max"), Some(16 << 20));
    }

    #[test]
    fn what_a_program_refuses_is_told() {
        let stand = Stand::new();
        assert!(matches!(mend("restart-sound", &stand.machine()), Err(FixError::Failed { .. })));
        stand.program("systemctl", "echo Failed to connect to bus >&2; exit 1");
        let error = mend("restart-sound", &stand.machine()).unwrap_err().to_string();
        assert!(
            error.contains("Failed to connect to bus") && error.contains("systemctl --user restart"),
            "{error}"
        );
        stand.program("loginctl", "test \"$1 $2\" = 'enable-linger anna'");
        assert_eq!(mend("enable-linger", &stand.machine()).unwrap(), "enabled");
    }
}
