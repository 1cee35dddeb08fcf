//! Graphics cards, their drivers, and versions that are known to be bad.

use super::Finding;
use super::machine::Machine;
use super::system::version;

/// The cards: name below `/sys/class/drm`, driver.
fn found_cards(machine: &Machine) -> Vec<(String, String)> {
    let cards = machine.names("sys/class/drm").into_iter().filter(|name| {
        name.strip_prefix("card").is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    });
    cards
        .map(|card| {
            let text = machine.read(&format!("sys/class/drm/{card}/device/uevent")).unwrap_or_default();
            let driver = text.lines().find_map(|line| line.strip_prefix("DRIVER=")).unwrap_or("no driver");
            (card, driver.to_owned())
        })
        .collect()
}

pub(super) fn cards(machine: &Machine) -> Finding {
    let cards = found_cards(machine);
    if cards.is_empty() {
        return Finding::info("none: pictures are drawn and coded by the processor");
    }
    let text: Vec<_> = cards.iter().map(|(card, driver)| format!("{card} ({driver})")).collect();
    if cards.iter().any(|(_, driver)| driver == "no driver") {
        return Finding::warning(text.join(", "), "install the driver of the card without one");
    }
    Finding::ok(text.join(", "))
}

pub(super) fn render(machine: &Machine) -> Finding {
    let nodes: Vec<_> =
        machine.names("dev/dri").into_iter().filter(|name| name.starts_with("renderD")).collect();
    if nodes.is_empty() {
        return Finding::skipped("there are none");
    }
    let closed: Vec<_> = nodes
        .iter()
        .filter(|node| !machine.may_use(&format!("dev/dri/{node}")))
        .map(|node| {
            let rights = machine.rights(&format!("dev/dri/{node}")).unwrap_or_default();
            format!("{node} ({rights})")
        })
        .collect();
    if closed.is_empty() {
        return Finding::ok(format!("{} may be used", nodes.join(", ")));
    }
    let user = &machine.user.name;
    Finding::warning(
        format!("{user} may not open {}: games in seats are drawn by the processor", closed.join(", ")),
        format!("sudo usermod -aG render {user}, then log in again"),
    )
}

/// The version of NVIDIA's driver, as its module says.
fn nvidia_version(machine: &Machine) -> Option<String> {
    let text = machine.read("proc/driver/nvidia/version")?;
    let mut words = text.lines().next()?.split_whitespace();
    words.find(|word| word.contains('.') && word.starts_with(|c: char| c.is_ascii_digit())).map(str::to_owned)
}

pub(super) fn nvidia(machine: &Machine) -> Finding {
    match nvidia_version(machine) {
        Some(version) => Finding::ok(format!("driver {version}")),
        None if machine.exists("proc/driver/nvidia") => Finding::info("the driver does not say its version"),
        None => Finding::skipped("NVIDIA's driver is not loaded"),
    }
}

pub(super) fn modeset(machine: &Machine) -> Finding {
    match machine.read("sys/module/nvidia_drm/parameters/modeset").as_deref() {
        Some("Y" | "1") => Finding::ok("on"),
        Some(_) => Finding::warning(
            "off: Wayland desktops do not run on the card",
            "add nvidia-drm.modeset=1 to the kernel's command line and restart the machine",
        ),
        None if machine.exists("proc/driver/nvidia") => {
            Finding::info("not readable by this user: see /sys/module/nvidia_drm/parameters/modeset as root")
        }
        None => Finding::skipped("NVIDIA's driver is not loaded"),
    }
}

/// Something of a version that is known to be bad.
struct Bad {
    /// What it is a version of.
    what: &'static str,
    /// Bad before this.
    before: (u32, u32),
    /// What happens.
    effect: &'static str,
    /// Where that is known from.
    source: &'static str,
}

const BAD: [Bad; 5] = [
    Bad {
        what: "nvidia",
        before: (555, 0),
        effect: "X11 applications flicker on Wayland: no explicit synchronisation",
        source: "NVIDIA's announcement for the 555 series, in the merge of linux-drm-syncobj",
    },
    Bad {
        what: "virtio_net",
        before: (6, 2),
        effect: "sending many datagrams at once over IPv6 is refused",
        source: "quinn, pull request 1637",
    },
    Bad {
        what: "xwayland",
        before: (23, 1),
        effect: "windows are matched to surfaces by a number that may be used again",
        source: "xwayland_shell_v1 of wayland-protocols, which came with Xwayland 23.1",
    },
    Bad {
        what: "foot",
        before: (1, 14),
        effect: "text that an input method commits may be lost; seats work around it",
        source: "our own trials with foot 1.13",
    },
    Bad {
        what: "pipewire",
        before: (0, 3),
        effect: "seats have no sound",
        source: "the first version with a stable protocol",
    },
];

/// The versions that are here of what the table names.
fn versions(machine: &Machine) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    found.extend(nvidia_version(machine).map(|version| ("nvidia", version)));
    if machine.exists("sys/bus/virtio/drivers/virtio_net") {
        found.extend(machine.read("proc/sys/kernel/osrelease").map(|version| ("virtio_net", version)));
    }
    let said = |name: &str, arguments: &[&str], before: &str| {
        let ran = machine.ask(name, arguments, super::machine::SOON)?;
        let line = ran.text.lines().find_map(|line| line.split_once(before))?;
        line.1.split_whitespace().next().map(str::to_owned)
    };
    found.extend(said("Xwayland", &["-version"], "Xwayland Version ").map(|version| ("xwayland", version)));
    found.extend(said("foot", &["--version"], "version: ").map(|version| ("foot", version)));
    found.extend(said("pipewire", &["--version"], "Linked with libpipewire ").map(|v| ("pipewire", v)));
    found
}

pub(super) fn known_bad(machine: &Machine) -> Finding {
    let here = versions(machine);
    let mut bad: Vec<String> = Vec::new();
    for Bad { what, before, effect, source } in &BAD {
        for (_, text) in here.iter().filter(|(name, _)| name == what) {
            if version(text).is_some_and(|found| found < *before) {
                bad.push(format!("{what} {text}: {effect} (source: {source})"));
            }
        }
    }
    if found_cards(machine).iter().any(|(_, driver)| driver == "nouveau") {
        bad.push(
            "nouveau: it cannot code pictures and keeps many cards slow (source: its feature matrix)"
                .to_owned(),
        );
    }
    if bad.is_empty() {
        let text: Vec<_> = here.iter().map(|(name, version)| format!("{name} {version}")).collect();
        return Finding::ok(format!(
            "none among {}",
            if text.is_empty() { "what is here".into() } else { text.join(", ") }
        ));
    }
    // What only looks worse is no reason to change a system.
    let text = bad.join("; ");
    if bad
        .iter()
        .any(|line| line.starts_with("nvidia") || line.starts_with("nouveau") || line.starts_with("pipewire"))
    {
        Finding::warning(text, "update what is named here with the distribution's updates")
    } else {
        Finding::info(text)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Severity::{Info, Ok, Skipped, Warning};
    use super::super::tests::Stand;
    use super::*;

    #[test]
    fn cards_are_listed_with_their_drivers() {
        let stand = Stand::new();
        assert_eq!(cards(&stand.machine()).severity, Info);
        stand.file("sys/class/drm/card0/device/uevent", "DRIVER=amdgpu\nPCI_ID=1\n");
        stand.file("sys/class/drm/card0-DP-1/status", "connected");
        assert_eq!(cards(&stand.machine()), Finding::ok("card0 (amdgpu)"));
        stand.file("sys/class/drm/card1/device/uevent", "PCI_ID=1\n");
        assert_eq!(cards(&stand.machine()).severity, Warning);
    }

    #[test]
    fn a_render_node_has_to_be_open_to_the_user() {
        let stand = Stand::new();
        assert_eq!(render(&stand.machine()).severity, Skipped);
        stand.file("dev/dri/renderD128", "");
        assert_eq!(render(&stand.machine()).severity, Ok);
        // A link that leads nowhere may be opened by nobody, not even by root.
        std::os::unix::fs::symlink("nowhere", stand.root().join("dev/dri/renderD129")).unwrap();
        let found = render(&stand.machine());
        assert_eq!(found.severity, Warning);
        assert!(found.evidence.contains("renderD129") && !found.evidence.contains("renderD128"));
        assert!(found.fix.unwrap().contains("usermod -aG render anna"));
    }

    #[test]
    fn nvidia_is_looked_at_where_it_is() {
        let stand = Stand::new();
        assert_eq!(
            (nvidia(&stand.machine()).severity, modeset(&stand.machine()).severity),
            (Skipped, Skipped)
        );
        stand.file(
            "proc/driver/nvidia/version",
            "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.120  Fri Sep 13 10:10:01 UTC 2024\n",
        );
        assert_eq!(nvidia(&stand.machine()), Finding::ok("driver 550.120"));
        assert_eq!(modeset(&stand.machine()).severity, Info);
        stand.file("sys/module/nvidia_drm/parameters/modeset", "N\n");
        assert_eq!(modeset(&stand.machine()).severity, Warning);
        stand.file("sys/module/nvidia_drm/parameters/modeset", "Y\n");
        assert_eq!(modeset(&stand.machine()).severity, Ok);
        let found = known_bad(&stand.machine());
        assert_eq!(found.severity, Warning);
        assert!(found.evidence.starts_with("nvidia 550.120: X11"), "{}", found.evidence);
    }

    #[test]
    fn versions_are_taken_from_what_programs_say() {
        let stand = Stand::new();
        assert_eq!(known_bad(&stand.machine()).severity, Ok);
        stand.program("Xwayland", "echo 'The X.Org Foundation Xwayland Version 22.1.9 (12201009)' >&2");
        stand.program(
            "pipewire",
            "echo pipewire; echo 'Compiled with libpipewire 0.3.65'; echo 'Linked with libpipewire 0.3.65'",
        );
        let found = known_bad(&stand.machine());
        assert_eq!(found.severity, Info, "{found:?}");
        assert!(found.evidence.contains("xwayland 22.1.9"));
        stand.file("sys/class/drm/card0/device/uevent", "DRIVER=nouveau\n");
        assert_eq!(known_bad(&stand.machine()).severity, Warning);
    }
}
