//! Kernel, distribution, processor, memory: what everything else stands on.

use std::path::Path;

use super::Finding;
use super::distribution::Package;
use super::machine::{Machine, SOON};
use crate::platform::Scope;

/// UDP segmentation offload came with 4.18, receiving glued together with 5.0, and the
/// calls that seats use with 5.11.
const KERNEL: (u32, u32) = (5, 11);
/// Bytes free for the state directory: below this nothing can be saved for long.
const FULL: u64 = 50 << 20;
const NEARLY_FULL: u64 = 500 << 20;
/// Kibibytes of memory that are available.
const LITTLE: u64 = 512 << 10;
const SCARCE: u64 = 1536 << 10;
/// Files that a host with several seats has open at a time.
const FILES: u64 = 1024;

/// The first two numbers of a version.
pub(super) fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers =
        text.trim_start_matches(|c: char| !c.is_ascii_digit()).split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next().and_then(|n| n.parse().ok()).unwrap_or(0)))
}

pub(super) fn kernel(machine: &Machine) -> Finding {
    let Some(release) = machine.read("proc/sys/kernel/osrelease") else {
        return Finding::skipped("/proc/sys/kernel/osrelease cannot be read");
    };
    match version(&release) {
        Some(found) if found >= KERNEL => Finding::ok(format!("Linux {release}")),
        _ => Finding::warning(
            format!("Linux {release}, older than {}.{}", KERNEL.0, KERNEL.1),
            "update the distribution: seats and fast sending need a newer kernel",
        ),
    }
}

pub(super) fn distribution(machine: &Machine) -> Finding {
    let found = machine.distribution();
    let kind = if found.immutable { "its programs are read-only" } else { "packages can be installed" };
    Finding::ok(format!("{}, {kind}", found.name))
}

pub(super) fn container(machine: &Machine) -> Finding {
    let kind = machine.read("run/systemd/container").filter(|kind| !kind.is_empty());
    let docker = || machine.exists(".dockerenv").then(|| "docker".to_owned());
    let podman = || machine.exists("run/.containerenv").then(|| "podman".to_owned());
    match kind.or_else(docker).or_else(podman) {
        Some(kind) => Finding::info(format!(
            "inside a container ({kind}): devices, mDNS and ports are those it was given"
        )),
        None => Finding::ok("not in a container"),
    }
}

pub(super) fn manager(machine: &Machine) -> Finding {
    let socket = machine.env.get("XDG_RUNTIME_DIR").map(|dir| Path::new(dir).join("systemd/private"));
    let runs = socket.is_some_and(|socket| machine.inside(&socket).exists());
    match (runs, machine.program("systemd-run").is_some()) {
        (true, true) => Finding::ok("systemd runs for this user: seats outlive the host"),
        (_, has_program) => {
            let lacks = if has_program { "no systemd for this user" } else { "no program systemd-run" };
            Finding::info(format!("{lacks}: seats are children of the host and end with it"))
        }
    }
}

pub(super) fn linger(machine: &Machine) -> Finding {
    if machine.host.scope == Scope::System {
        return Finding::ok("the host of the machine needs no login");
    }
    if !machine.exists("run/systemd/system") {
        return Finding::skipped("systemd does not run here");
    }
    let user = &machine.user.name;
    if machine.exists(&format!("var/lib/systemd/linger/{user}")) {
        return Finding::ok("this user's services start without a login");
    }
    Finding::info("this user's services start at the first login and end with the last")
        .with_fix(format!("loginctl enable-linger {user}"))
        .mended_by("enable-linger")
}

pub(super) fn clock(machine: &Machine) -> Finding {
    let asked = machine.ask("timedatectl", &["show", "-p", "NTPSynchronized", "--value"], SOON);
    let word = asked.as_ref().map(|ran| ran.text.trim()).unwrap_or_default();
    match word {
        "yes" => Finding::ok("set by the network"),
        "no" => Finding::warning(
            "not set by the network: expiry of clients and certificates may be judged wrongly",
            "sudo timedatectl set-ntp true",
        ),
        _ => Finding::skipped("timedatectl does not say whether the clock is set"),
    }
}

pub(super) fn disk(machine: &Machine) -> Finding {
    // Before the first start the directory is missing; its file system is there.
    let place = machine.host.state.ancestors().find(|dir| dir.exists()).unwrap_or(Path::new("/"));
    let Ok(about) = rustix::fs::statvfs(place) else {
        return Finding::skipped(format!("{} cannot be looked at", place.display()));
    };
    judge_disk(about.f_bavail.saturating_mul(about.f_frsize), place)
}

fn judge_disk(free: u64, place: &Path) -> Finding {
    let text = format!("{} MiB free at {}", free >> 20, place.display());
    let fix = "remove files from that disk, or name another place with --state";
    match free {
        free if free < FULL => Finding::error(text, fix),
        free if free < NEARLY_FULL => Finding::warning(text, fix),
        _ => Finding::ok(text),
    }
}

pub(super) fn memory(machine: &Machine) -> Finding {
    let text = machine.read("proc/meminfo").unwrap_or_default();
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    let (Some(all), Some(free)) = (value("MemTotal"), value("MemAvailable")) else {
        return Finding::skipped("/proc/meminfo does not say");
    };
    let text = format!("{} MiB of {} MiB available", free >> 10, all >> 10);
    match free {
        free if free < LITTLE => Finding::error(text, "close programs: a seat with a game needs more"),
        free if free < SCARCE => Finding::warning(text, "close programs: a seat with a game needs more"),
        _ => Finding::ok(text),
    }
}

pub(super) fn processor(machine: &Machine) -> Finding {
    let text = machine.read("proc/cpuinfo").unwrap_or_default();
    let cores = text.lines().filter(|line| line.starts_with("processor")).count();
    let flags = text.lines().find_map(|line| {
        let (name, flags) = line.split_once(':')?;
        matches!(name.trim(), "flags" | "Features").then_some(flags)
    });
    let has = |wanted: &str| flags.is_some_and(|flags| flags.split_whitespace().any(|flag| flag == wanted));
    let known: Vec<_> = ["ssse3", "sse4_1", "avx2", "avx512bw", "gfni", "asimd"]
        .into_iter()
        .filter(|flag| has(flag))
        .collect();
    if cores == 0 {
        return Finding::skipped("/proc/cpuinfo does not say");
    }
    let text = format!(
        "{cores} cores; {}",
        if known.is_empty() { "no vectors".to_owned() } else { known.join(" ") }
    );
    if known.is_empty() {
        return Finding::warning(text, "stream small pictures only: coding is slow on this processor");
    }
    if cores == 1 {
        return Finding::warning(text, "stream small pictures only: one core codes, draws and sends");
    }
    Finding::ok(text)
}

pub(super) fn load(machine: &Machine) -> Finding {
    let text = machine.read("proc/loadavg").unwrap_or_default();
    let Some(load) = text.split_whitespace().next().and_then(|word| word.parse::<f64>().ok()) else {
        return Finding::skipped("/proc/loadavg does not say");
    };
    let info = machine.read("proc/cpuinfo").unwrap_or_default();
    let cores = info.lines().filter(|line| line.starts_with("processor")).count().max(1);
    let text = format!("{load:.1} programs want to run on {cores} cores");
    if load > cores as f64 * 1.5 {
        Finding::warning(text, "end what keeps the machine busy; what was measured now is too slow")
    } else {
        Finding::ok(text)
    }
}

/// A limit of `/proc/self/limits`: the soft one.
fn limit(machine: &Machine, name: &str) -> Option<u64> {
    let text = machine.read("proc/self/limits")?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

pub(super) fn realtime(machine: &Machine) -> Finding {
    if let Some(priority) = limit(machine, "Max realtime priority").filter(|priority| *priority > 0) {
        return Finding::ok(format!("allowed up to priority {priority}"));
    }
    let service = "share/dbus-1/system-services/org.freedesktop.RealtimeKit1.service";
    if machine.exists(&format!("usr/{service}")) || machine.exists(&format!("usr/local/{service}")) {
        return Finding::ok("by rtkit");
    }
    Finding::warning(
        "neither by RLIMIT_RTPRIO (0) nor by rtkit: sending is late when the machine is busy",
        machine.distribution().install(Package::RealTime),
    )
}

pub(super) fn governor(machine: &Machine) -> Finding {
    let folder = "sys/devices/system/cpu";
    let cores: Vec<_> = machine
        .names(folder)
        .into_iter()
        .filter(|name| {
            name.strip_prefix("cpu").is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
        })
        .collect();
    let of = |what: &str| {
        let mut found: Vec<String> = cores
            .iter()
            .filter_map(|core| machine.read(&format!("{folder}/{core}/cpufreq/{what}")))
            .collect();
        found.sort();
        found.dedup();
        found.join(", ")
    };
    let (governors, drivers) = (of("scaling_governor"), of("scaling_driver"));
    if governors.is_empty() {
        return Finding::skipped("this machine does not let the system choose the processor's speed");
    }
    let text = format!("{governors} ({drivers})");
    // These two follow the load whatever the word says.
    let follows = ["intel_pstate", "amd-pstate-epp"].contains(&drivers.as_str());
    if governors.contains("powersave") && !follows {
        return Finding::warning(
            format!("{text}: the processor stays slow"),
            "powerprofilesctl set balanced, or: sudo cpupower frequency-set -g schedutil",
        );
    }
    Finding::ok(text)
}

pub(super) fn files(machine: &Machine) -> Finding {
    match limit(machine, "Max open files") {
        Some(most) if most < FILES => Finding::warning(
            format!("at most {most} open files"),
            format!("raise LimitNOFILE= of the service, or run `ulimit -n {FILES}` before the host"),
        ),
        Some(most) => Finding::ok(format!("at most {most} open files")),
        None => Finding::skipped("/proc/self/limits does not say"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Severity::{Error, Info, Ok, Skipped, Warning};
    use super::super::tests::Stand;
    use super::*;

    #[test]
    fn kernels_are_compared_by_number() {
        assert_eq!(version("6.18.44-fc"), Some((6, 18)));
        assert_eq!(version("wireplumber 0.5"), Some((0, 5)));
        assert_eq!(version("none"), None);
        let stand = Stand::new();
        assert_eq!(kernel(&stand.machine()).severity, Skipped);
        stand.file("proc/sys/kernel/osrelease", "5.4.0-generic\n");
        assert_eq!(kernel(&stand.machine()).severity, Warning);
        stand.file("proc/sys/kernel/osrelease", "6.1.0\n");
        assert_eq!(kernel(&stand.machine()), Finding::ok("Linux 6.1.0"));
    }

    #[test]
    fn containers_and_managers_are_told() {
        let stand = Stand::new();
        assert_eq!(container(&stand.machine()).severity, Ok);
        stand.file("run/systemd/container", "systemd-nspawn\n");
        assert_eq!(container(&stand.machine()).severity, Info);
        assert_eq!(manager(&stand.machine()).severity, Info);
        stand.file("run/user/1000/systemd/private", "");
        stand.program("systemd-run", "true");
        assert_eq!(manager(&stand.machine()).severity, Ok);
    }

    #[test]
    fn lingering_is_wanted_for_a_users_host() {
        let stand = Stand::new();
        assert_eq!(linger(&stand.machine()).severity, Skipped);
        stand.file("run/systemd/system/x", "");
        let found = linger(&stand.machine());
        assert_eq!((found.severity, found.action), (Info, Some("enable-linger")));
        stand.file("var/lib/systemd/linger/anna", "");
        assert_eq!(linger(&stand.machine()).severity, Ok);
        let mut machine = stand.machine();
        machine.host.scope = Scope::System;
        assert_eq!(linger(&machine).severity, Ok);
    }

    #[test]
    fn the_clock_is_as_timedatectl_says() {
        let stand = Stand::new();
        for (says, expected) in [("exit 1", Skipped), ("echo no", Warning), ("echo yes", Ok)] {
            stand.program("timedatectl", says);
            assert_eq!(clock(&stand.machine()).severity, expected, "{says}");
        }
    }

    #[test]
    fn space_and_memory_have_three_outcomes() {
        let place = Path::new("/x");
        let severities = [1, 100 << 20, 10 << 30].map(|free| judge_disk(free, place).severity);
        assert_eq!(severities, [Error, Warning, Ok]);
        assert!(disk(&Stand::new().machine()).evidence.contains("MiB free at"));
        let stand = Stand::new();
        assert_eq!(memory(&stand.machine()).severity, Skipped);
        for (kib, expected) in [(1000, Error), (1_000_000, Warning), (8_000_000, Ok)] {
            stand.file("proc/meminfo", &format!("MemTotal: 16000000 kB\nMemAvailable:  {kib} kB\n"));
            assert_eq!(memory(&stand.machine()).severity, expected);
        }
    }

    #[test]
    fn processors_without_vectors_and_busy_ones_are_told() {
        let stand = Stand::new();
        assert_eq!(processor(&stand.machine()).severity, Skipped);
        for (flags, cores, expected) in [("fpu", 4, Warning), ("avx2 fpu", 1, Warning), ("ssse3 avx2", 4, Ok)]
        {
            let core = format!("processor : 0\nflags : {flags}\n\n");
            stand.file("proc/cpuinfo", &core.repeat(cores));
            assert_eq!(processor(&stand.machine()).severity, expected, "{flags}");
        }
        assert_eq!(load(&stand.machine()).severity, Skipped);
        for (average, expected) in [("3.9", Ok), ("7.0", Warning)] {
            stand.file("proc/loadavg", &format!("{average} 1 1 1/2 3\n"));
            assert_eq!(load(&stand.machine()).severity, expected, "{average}");
        }
    }

    #[test]
    fn real_time_is_by_limit_or_by_rtkit() {
        let stand = Stand::new();
        stand.file(
            "proc/self/limits",
            "Max realtime priority     0        0\nMax open files  512  512 files\n",
        );
        assert_eq!(realtime(&stand.machine()).severity, Warning);
        assert_eq!(files(&stand.machine()).severity, Warning);
        stand.file(
            "proc/self/limits",
            "Max realtime priority     20        20\nMax open files  unlimited  x\n",
        );
        assert_eq!(realtime(&stand.machine()).severity, Ok);
        assert_eq!(files(&stand.machine()).severity, Ok);
        stand.file("proc/self/limits", "");
        assert_eq!(files(&stand.machine()).severity, Skipped);
        stand.file("usr/share/dbus-1/system-services/org.freedesktop.RealtimeKit1.service", "");
        assert_eq!(realtime(&stand.machine()).evidence, "by rtkit");
    }

    #[test]
    fn powersave_is_bad_where_it_means_slow() {
        let stand = Stand::new();
        assert_eq!(governor(&stand.machine()).severity, Skipped);
        let cpu = "sys/devices/system/cpu/cpu0/cpufreq";
        stand.file(&format!("{cpu}/scaling_governor"), "powersave\n");
        for (driver, expected) in [("acpi-cpufreq", Warning), ("amd-pstate-epp", Ok)] {
            stand.file(&format!("{cpu}/scaling_driver"), driver);
            assert_eq!(governor(&stand.machine()).severity, expected, "{driver}");
        }
    }
}
