//! The machine's network interfaces: are they up, how fast, how large their packets.

use super::Finding;
use super::machine::{Machine, SOON};

/// Beginnings of names of interfaces that lead to no client.
const VIRTUAL: [&str; 11] =
    ["lo", "docker", "veth", "br-", "virbr", "ifb", "tun", "tap", "dummy", "podman", "sit"];
/// QUIC needs packets of 1200 bytes, and IPv6 of 1280.
const SMALLEST: u64 = 1280;
/// What an ordinary link has.
const ORDINARY: u64 = 1500;
/// Mbit/s: a stream of 1080p60 fits into this with little room.
const FAST: i64 = 100;

/// Interfaces that may lead to clients.
fn interfaces(machine: &Machine) -> Vec<String> {
    let all = machine.names("sys/class/net").into_iter();
    all.filter(|name| !VIRTUAL.iter().any(|kind| name.starts_with(kind))).collect()
}

fn read(machine: &Machine, interface: &str, what: &str) -> Option<String> {
    machine.read(&format!("sys/class/net/{interface}/{what}"))
}

/// Not every driver says that it is up.
fn is_up(machine: &Machine, interface: &str) -> bool {
    matches!(read(machine, interface, "operstate").as_deref(), Some("up" | "unknown"))
}

fn is_wireless(machine: &Machine, interface: &str) -> bool {
    ["wireless", "phy80211"].iter().any(|part| machine.exists(&format!("sys/class/net/{interface}/{part}")))
}

pub(super) fn link(machine: &Machine) -> Finding {
    let all = interfaces(machine);
    let (up, down): (Vec<_>, Vec<_>) = all.into_iter().partition(|name| is_up(machine, name));
    if up.is_empty() {
        let text =
            if down.is_empty() { "no interface".to_owned() } else { format!("down: {}", down.join(", ")) };
        return Finding::error(text, "connect this machine to a network");
    }
    let (mut text, mut slow) = (Vec::new(), false);
    for name in &up {
        let speed =
            read(machine, name, "speed").and_then(|speed| speed.parse::<i64>().ok()).filter(|s| *s > 0);
        let duplex = read(machine, name, "duplex").unwrap_or_default();
        slow |= duplex == "half" || speed.is_some_and(|speed| speed <= FAST);
        let kind = if is_wireless(machine, name) { "wireless" } else { "wired" };
        text.push(match speed {
            Some(speed) => format!("{name} {kind}, {speed} Mbit/s {duplex}"),
            None => format!("{name} {kind}, speed not told"),
        });
    }
    let text = text.join("; ").replace(" ;", ";").trim_end().to_owned();
    if slow {
        return Finding::warning(text, "use a cable, port or switch of 1000 Mbit/s or more");
    }
    Finding::ok(text)
}

pub(super) fn mtu(machine: &Machine) -> Finding {
    let up: Vec<_> = interfaces(machine).into_iter().filter(|name| is_up(machine, name)).collect();
    let all: Vec<(String, u64)> = up
        .into_iter()
        .filter_map(|name| Some((name.clone(), read(machine, &name, "mtu")?.parse().ok()?)))
        .collect();
    let text: Vec<_> = all.iter().map(|(name, mtu)| format!("{name} {mtu}")).collect();
    let text = text.join(", ");
    match all.iter().map(|(_, mtu)| *mtu).min() {
        None => Finding::skipped("no interface is up"),
        Some(least) if least < SMALLEST => Finding::error(
            format!("{text}: punktfunk/1 does not fit"),
            format!("sudo ip link set dev INTERFACE mtu {ORDINARY}"),
        ),
        Some(least) if least < ORDINARY => {
            Finding::info(format!("{text}: streams take smaller packets there, which costs a little"))
        }
        Some(_) => Finding::ok(text),
    }
}

pub(super) fn wifi(machine: &Machine) -> Finding {
    let wireless: Vec<_> =
        interfaces(machine).into_iter().filter(|name| is_wireless(machine, name)).collect();
    let Some(name) = wireless.iter().find(|name| is_up(machine, name)) else {
        return Finding::skipped(match wireless.len() {
            0 => "no wireless interface".to_owned(),
            count => format!("{count} wireless interfaces, none is up"),
        });
    };
    let asked = machine.ask("iw", &["dev", name, "get", "power_save"], SOON).map(|ran| ran.text);
    match asked.as_deref().and_then(|text| text.rsplit(':').next()).map(str::trim) {
        Some("on") => Finding::warning(
            format!("{name}: power saving is on, packets wait up to 100 ms"),
            format!("sudo iw dev {name} set power_save off"),
        ),
        Some("off") => Finding::info(format!("{name} without power saving; a cable is steadier")),
        _ => Finding::info(format!("{name}, whether it saves power is not told; a cable is steadier")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Severity::{Error, Info, Ok, Skipped, Warning};
    use super::super::tests::Stand;
    use super::*;

    #[test]
    fn a_link_is_down_slow_or_good() {
        let stand = Stand::new();
        assert_eq!(link(&stand.machine()).severity, Error);
        assert_eq!(mtu(&stand.machine()).severity, Skipped);
        stand.file("sys/class/net/lo/operstate", "unknown");
        stand.file("sys/class/net/enp3s0/operstate", "down\n");
        assert_eq!(link(&stand.machine()).evidence, "down: enp3s0");
        stand.file("sys/class/net/enp3s0/operstate", "up\n");
        stand.file("sys/class/net/enp3s0/duplex", "full\n");
        for (speed, expected) in [("10", Warning), ("100", Warning), ("2500", Ok), ("-1", Ok)] {
            stand.file("sys/class/net/enp3s0/speed", speed);
            assert_eq!(link(&stand.machine()).severity, expected, "{speed}");
        }
        for (size, expected) in [("1000", Error), ("1420", Info), ("1500", Ok), ("9000", Ok)] {
            stand.file("sys/class/net/enp3s0/mtu", size);
            assert_eq!(mtu(&stand.machine()).severity, expected, "{size}");
        }
    }

    #[test]
    fn power_saving_of_wifi_is_told() {
        let stand = Stand::new();
        assert_eq!(wifi(&stand.machine()).severity, Skipped);
        stand.file("sys/class/net/wlan0/wireless/x", "");
        assert!(wifi(&stand.machine()).evidence.contains("none is up"));
        stand.file("sys/class/net/wlan0/operstate", "up");
        assert_eq!(wifi(&stand.machine()).severity, Info);
        for (says, expected) in [("on", Warning), ("off", Info)] {
            stand.program("iw", &format!("echo 'Power save: {says}'"));
            assert_eq!(wifi(&stand.machine()).severity, expected, "{says}");
        }
    }
}
