//! Sound servers: their programs, this user's own, and that of a seat.

use std::path::Path;
use std::time::Duration;

use super::Finding;
use super::distribution::Package;
use super::machine::Machine;

/// How long the tone is listened to.
const LISTEN: Duration = Duration::from_secs(1);

/// A program of sound: there, and which version.
fn program(machine: &Machine, name: &str, lack: &str) -> Finding {
    let Some(file) = machine.program(name) else {
        return Finding::error(
            format!("no program {name}: {lack}"),
            machine.distribution().install(Package::Sound),
        );
    };
    let text =
        machine.ask(name, &["--version"], super::machine::SOON).map(|ran| ran.text).unwrap_or_default();
    let version = text.lines().rev().find_map(|line| {
        let word = line.split_whitespace().last()?;
        word.starts_with(|c: char| c.is_ascii_digit()).then(|| word.to_owned())
    });
    match version {
        Some(version) => Finding::ok(format!("{version} at {}", file.display())),
        None => Finding::info(format!("{} does not say its version", file.display())),
    }
}

pub(super) fn pipewire(machine: &Machine) -> Finding {
    program(machine, "pipewire", "seats have no sound")
}

pub(super) fn wireplumber(machine: &Machine) -> Finding {
    program(machine, "wireplumber", "nothing connects applications to a seat's sink")
}

pub(super) fn pulse(machine: &Machine) -> Finding {
    program(machine, "pipewire-pulse", "most games have no sound")
}

pub(super) fn own(machine: &Machine) -> Finding {
    let Some(dir) = machine.env.get("XDG_RUNTIME_DIR") else {
        return Finding::skipped("no XDG_RUNTIME_DIR: this user has no session");
    };
    let socket = machine.inside(&Path::new(dir).join("pipewire-0"));
    if !socket.exists() {
        return Finding::info(
            "it does not run: sound cannot be played on this machine as well; seats have their own",
        );
    }
    match std::os::unix::net::UnixStream::connect(&socket) {
        Ok(_) => Finding::ok(format!("{} answers", socket.display())),
        Err(error) => Finding::warning(
            format!("{} does not answer: {error}", socket.display()),
            "systemctl --user restart pipewire pipewire-pulse wireplumber",
        )
        .mended_by("restart-sound"),
    }
}

pub(super) fn seat(machine: &Machine) -> Finding {
    let trial = super::display::Trial::new(machine, LISTEN);
    let report = match trial.and_then(|trial| trial.run(crate::diagnose::sound)) {
        Ok(report) => report,
        Err(finding) => return finding,
    };
    super::display::told(&report, &machine.distribution().install(Package::Sound))
}

#[cfg(test)]
mod tests {
    use super::super::Severity::{Error, Info, Ok, Skipped, Warning};
    use super::super::tests::Stand;
    use super::*;

    #[test]
    fn programs_are_there_with_a_version_or_the_command_is_told() {
        let stand = Stand::new();
        stand.file("etc/os-release", "ID=fedora\n");
        let found = pipewire(&stand.machine());
        assert_eq!(found.severity, Error);
        assert_eq!(found.fix.unwrap(), "sudo dnf install pipewire wireplumber pipewire-pulseaudio");
        stand.program("pipewire", "echo pipewire; echo 'Linked with libpipewire 1.2.7'");
        assert!(pipewire(&stand.machine()).evidence.starts_with("1.2.7 at /"));
        stand.program("wireplumber", "exit 1");
        assert_eq!(wireplumber(&stand.machine()).severity, Info);
        assert_eq!(pulse(&stand.machine()).severity, Error);
    }

    #[test]
    fn a_sound_server_that_died_can_be_restarted() {
        let stand = Stand::new();
        assert_eq!(own(&stand.machine()).severity, Info);
        let socket = stand.root().join("run/user/1000/pipewire-0");
        stand.file("run/user/1000/x", "");
        let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert_eq!(own(&stand.machine()).severity, Ok);
        drop(listener);
        let found = own(&stand.machine());
        assert_eq!((found.severity, found.action), (Warning, Some("restart-sound")));
        let mut machine = stand.machine();
        machine.env.clear();
        assert_eq!(own(&machine).severity, Skipped);
    }
}
