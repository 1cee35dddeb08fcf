//! What gamepads need: the kernel's devices, the broker, a group, rules.

use std::time::Duration;

use super::Finding;
use super::machine::Machine;
use crate::platform::{Scope, inputd_socket};

/// The group whose members' hosts may have gamepads.
const GROUP: &str = "punktfunk";
/// The rules that come with the broker.
const RULES: &str = "udev/rules.d/72-punktfunk-input.rules";
/// A broker answers at once.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn uinput(machine: &Machine) -> Finding {
    match machine.rights("dev/uinput") {
        Some(rights) => Finding::ok(format!("/dev/uinput is there ({rights})")),
        None => Finding::warning("no /dev/uinput: clients have no gamepads", "sudo modprobe uinput"),
    }
}

pub(super) fn uhid(machine: &Machine) -> Finding {
    match machine.rights("dev/uhid") {
        Some(rights) => Finding::ok(format!("/dev/uhid is there ({rights})")),
        None => Finding::info("no /dev/uhid: nothing needs it yet").with_fix("sudo modprobe uhid"),
    }
}

pub(super) fn broker(machine: &Machine) -> Finding {
    if !machine.exists("dev/uinput") {
        return Finding::skipped("without /dev/uinput no broker could make anything");
    }
    let fix = "sudo systemctl enable --now punktfunk-inputd.socket";
    let socket = match machine.env.get("PUNKTFUNK_INPUTD") {
        Some(socket) => machine.inside(socket.as_ref()),
        None => match inputd_socket() {
            Ok(socket) => machine.inside(&socket),
            Err(why) => return Finding::warning(why, fix),
        },
    };
    match crate::input::ask(&socket, PATIENCE) {
        Ok(pads) => Finding::ok(format!("punktfunk-inputd answers: up to {pads} gamepads for a seat")),
        Err(error) => Finding::warning(format!("{}: {error}", socket.display()), fix),
    }
}

pub(super) fn group(machine: &Machine) -> Finding {
    if machine.host.scope == Scope::System {
        return Finding::skipped("the host of the machine starts a broker of its own, or runs as its user");
    }
    let groups = machine.read("etc/group").unwrap_or_default();
    let Some(line) = groups.lines().find(|line| line.split(':').next() == Some(GROUP)) else {
        return Finding::skipped(format!("there is no group {GROUP}: the broker is not installed"));
    };
    let mut fields = line.split(':').skip(2);
    let number = fields.next().and_then(|number| number.parse::<u32>().ok());
    let members = fields.next().unwrap_or_default();
    let user = &machine.user.name;
    if members.split(',').any(|member| member == user) || number == Some(machine.user.gid) {
        return Finding::ok(format!("{user} is a member of {GROUP}"));
    }
    Finding::warning(
        format!("{user} is no member of {GROUP}: the broker refuses this host"),
        format!("sudo usermod -aG {GROUP} {user}, then log in again"),
    )
}

pub(super) fn rules(machine: &Machine) -> Finding {
    let found = ["etc", "run", "usr/lib", "lib"]
        .into_iter()
        .find(|folder| machine.exists(&format!("{folder}/{RULES}")));
    match found {
        Some(folder) => Finding::ok(format!("/{folder}/{RULES}")),
        None => Finding::info(format!(
            "{RULES} is not installed: only a broker that gives its devices away itself works"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Severity::{Info, Ok, Skipped, Warning};
    use super::super::tests::Stand;
    use super::*;

    #[test]
    fn devices_and_rules_are_there_or_missing() {
        let stand = Stand::new();
        let machine = stand.machine();
        let all = [uinput(&machine), uhid(&machine), rules(&machine)].map(|found| found.severity);
        assert_eq!(all, [Warning, Info, Info]);
        for file in ["dev/uinput", "dev/uhid", "usr/lib/udev/rules.d/72-punktfunk-input.rules"] {
            stand.file(file, "");
        }
        assert!(uinput(&machine).evidence.contains(" 0"), "{:?}", uinput(&machine));
        assert_eq!([uinput(&machine), uhid(&machine), rules(&machine)].map(|f| f.severity), [Ok, Ok, Ok]);
    }

    #[test]
    fn a_user_has_to_be_a_member() {
        let stand = Stand::new();
        assert_eq!(group(&stand.machine()).severity, Skipped);
        stand.file("etc/group", "root:x:0:\npunktfunk:x:990:bob\n");
        let found = group(&stand.machine());
        assert_eq!(found.severity, Warning);
        assert_eq!(found.fix.unwrap(), "sudo usermod -aG punktfunk anna, then log in again");
        stand.file("etc/group", "punktfunk:x:990:bob,anna\n");
        assert_eq!(group(&stand.machine()).severity, Ok);
    }

    #[test]
    fn a_broker_that_does_not_listen_is_told() {
        let stand = Stand::new();
        assert_eq!(broker(&stand.machine()).severity, Skipped);
        stand.file("dev/uinput", "");
        let mut machine = stand.machine();
        machine.env.insert("PUNKTFUNK_INPUTD".into(), "/run/none.sock".into());
        assert_eq!(broker(&machine).severity, Warning);
    }
}
