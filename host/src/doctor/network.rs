//! Ports, addresses, buffers and how datagrams get through this machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use mdns_sd::{ServiceDaemon, ServiceEvent};
use punktfunk_net::{
    Datagrams, RecvBatch, Route, SendPath, Transport as _, UdpOptions, UdpTransport, bind_udp_to,
};

use super::Finding;
use super::machine::Machine;

/// Bytes of a socket's buffers that streams ask for.
const BUFFER: u64 = 4 << 20;
/// Below this, bursts of a key frame are lost.
const SMALL: u64 = 1 << 20;
/// Datagrams of the trial, and their length.
const DATAGRAMS: usize = 256;
const LENGTH: usize = 1200;
/// How long the trial waits for what is missing.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long an announcement is waited for.
const ANNOUNCED: Duration = Duration::from_secs(2);
/// The service native clients look for.
const SERVICE: &str = "_punktfunk._udp.local.";

/// A port of the host: transport, number, what for.
pub(super) type Port = (&'static str, u16, &'static str);

/// The ports a host with these settings listens on.
pub(super) fn of_host(machine: &Machine) -> Vec<Port> {
    let config = machine.config();
    let ports = config.ports;
    let mut all = vec![("udp", config.native_port(), "punktfunk/1"), ("tcp", config.api_port(), "console")];
    // It may have been asked for on the command line of a host that runs.
    if machine.host.gamestream || !inodes(machine, "tcp", ports.http()).is_empty() {
        all.extend([
            ("tcp", ports.https(), "HTTPS"),
            ("tcp", ports.http(), "HTTP"),
            ("tcp", ports.rtsp(), "RTSP"),
            ("udp", ports.video(), "video"),
            ("udp", ports.control(), "control"),
            ("udp", ports.audio(), "audio"),
        ]);
    }
    all
}

/// Whether the host that is examined runs: its socket is served.
pub(super) fn runs(machine: &Machine) -> bool {
    UnixStream::connect(&machine.host.socket).is_ok()
}

/// The inodes of sockets on a port, from the kernel's tables.
fn inodes(machine: &Machine, transport: &str, port: u16) -> Vec<String> {
    /// `TCP_LISTEN` as the tables show it.
    const LISTEN: &str = "0A";
    let tables = [format!("proc/net/{transport}"), format!("proc/net/{transport}6")];
    let inode = |line: &str| {
        let mut fields = line.split_whitespace();
        let local = fields.nth(1)?.rsplit(':').next()?;
        let state = fields.nth(1)?;
        let here = u16::from_str_radix(local, 16).ok()? == port && (transport == "udp" || state == LISTEN);
        here.then(|| fields.nth(5).map(str::to_owned))?
    };
    tables
        .iter()
        .filter_map(|table| machine.read(table))
        .flat_map(|table| table.lines().skip(1).filter_map(inode).collect::<Vec<_>>())
        .collect()
}

/// The process that has one of these sockets, if it can be seen.
fn holder(machine: &Machine, inodes: &[String]) -> Option<(String, u32)> {
    let wanted: Vec<String> = inodes.iter().map(|inode| format!("socket:[{inode}]")).collect();
    for (pid, name) in machine.processes() {
        let files = std::fs::read_dir(machine.at(&format!("proc/{pid}/fd"))).into_iter().flatten().flatten();
        for file in files {
            let target = std::fs::read_link(file.path()).unwrap_or_default();
            if wanted.iter().any(|wanted| target.as_os_str() == wanted.as_str()) {
                return Some((name, pid));
            }
        }
    }
    None
}

pub(super) fn ports(machine: &Machine) -> Finding {
    let running = runs(machine);
    let (mut foreign, mut own, mut free) = (Vec::new(), 0, 0);
    for (transport, port, what) in of_host(machine) {
        let sockets = inodes(machine, transport, port);
        if sockets.is_empty() {
            free += 1;
            continue;
        }
        match holder(machine, &sockets) {
            Some((name, _)) if name.starts_with("punktfunk-host") => own += 1,
            Some((name, pid)) => {
                foreign.push(format!("{transport} {port} ({what}) is held by {name} (process {pid})"));
            }
            None if running => own += 1,
            None => foreign.push(format!("{transport} {port} ({what}) is held by a process of another user")),
        }
    }
    let text = format!("{own} held by this host, {free} free");
    if foreign.is_empty() {
        return Finding::ok(text);
    }
    Finding::error(
        format!("{}; {text}", foreign.join("; ")),
        "stop that program, or choose another base for this host with --port",
    )
}

/// The machine's IPv4 addresses.
fn v4(machine: &Machine) -> Vec<Ipv4Addr> {
    let text = machine.read("proc/net/fib_trie").unwrap_or_default();
    let (mut found, mut last): (Vec<Ipv4Addr>, Option<Ipv4Addr>) = (Vec::new(), None);
    for line in text.lines() {
        if let Some(address) = line.trim().strip_prefix("|-- ") {
            last = address.parse().ok();
        } else if line.contains("/32 host LOCAL")
            && let Some(address) = last.filter(|address| !address.is_loopback() && !found.contains(address))
        {
            found.push(address);
        }
    }
    found
}

/// The machine's IPv6 addresses.
fn v6(machine: &Machine) -> Vec<Ipv6Addr> {
    let text = machine.read("proc/net/if_inet6").unwrap_or_default();
    let parse =
        |line: &str| u128::from_str_radix(line.split_whitespace().next()?, 16).ok().map(Ipv6Addr::from);
    text.lines().filter_map(parse).filter(|address| !address.is_loopback()).collect()
}

fn is_link_local(address: Ipv6Addr) -> bool {
    address.segments()[0] & 0xFFC0 == 0xFE80
}

pub(super) fn addresses(machine: &Machine) -> Finding {
    let far = v6(machine).into_iter().filter(|address| !is_link_local(*address)).map(IpAddr::V6);
    let all: Vec<IpAddr> = v4(machine).into_iter().map(IpAddr::V4).chain(far).collect();
    if all.is_empty() {
        return Finding::error("no address but the loopback's", "connect this machine to a network");
    }
    let text: Vec<_> = all.iter().take(6).map(ToString::to_string).collect();
    Finding::ok(format!("{}: {}", all.len(), text.join(", ")))
}

pub(super) fn ipv6(machine: &Machine) -> Finding {
    if !machine.exists("proc/net/if_inet6") {
        return Finding::info("the kernel has none: clients use IPv4");
    }
    if machine.number("proc/sys/net/ipv6/conf/all/disable_ipv6") == Some(1) {
        return Finding::info("switched off: clients use IPv4");
    }
    let all = v6(machine);
    let far = all.iter().filter(|address| !is_link_local(**address)).count();
    match (all.len(), far) {
        (0, _) => Finding::info("no address: clients use IPv4"),
        (near, 0) => Finding::info(format!("{near} addresses for this link only: clients use IPv4")),
        (_, far) => Finding::ok(format!("{far} addresses beyond this link")),
    }
}

pub(super) fn mdns(machine: &Machine) -> Finding {
    let avahi = machine.exists("run/avahi-daemon/socket") || machine.exists("run/avahi-daemon/pid");
    let settings = machine.read("etc/systemd/resolved.conf").unwrap_or_default();
    let resolved = machine.exists("run/systemd/resolve/io.systemd.Resolve")
        && settings.lines().any(|line| line.trim().eq_ignore_ascii_case("multicastdns=yes"));
    match (avahi, resolved) {
        (true, true) => Finding::info(
            "Avahi and systemd-resolved both answer mDNS: names of this machine may change between .local and -2.local",
        )
        .with_fix("set MulticastDNS=no in /etc/systemd/resolved.conf, or stop avahi-daemon"),
        (true, false) => Finding::ok("Avahi runs; this host announces itself beside it"),
        (false, true) => Finding::ok("systemd-resolved answers; this host announces itself beside it"),
        (false, false) => Finding::ok("none; this host announces itself"),
    }
}

pub(super) fn announcement(machine: &Machine) -> Finding {
    if !machine.is_real() || !runs(machine) {
        return Finding::skipped("the host does not run");
    }
    let port = machine.config().native_port();
    match listen(port) {
        Ok((true, _)) => Finding::ok(format!("{SERVICE} at port {port} was heard")),
        Ok((false, others)) => Finding::warning(
            format!("{SERVICE} at port {port} was not heard within 2 s ({others} other hosts were)"),
            "let UDP port 5353 through the firewall, or enter this machine's address in the client",
        ),
        Err(error) => Finding::warning(
            format!("mDNS does not work: {error}"),
            "enter this machine's address in the client",
        ),
    }
}

/// Whether a host at this port announces itself, and how many others do.
fn listen(port: u16) -> Result<(bool, usize), mdns_sd::Error> {
    let daemon = ServiceDaemon::new()?;
    let events = daemon.browse(SERVICE)?;
    let (end, mut others) = (Instant::now() + ANNOUNCED, 0);
    let mut heard = false;
    while let Some(left) = end.checked_duration_since(Instant::now()).filter(|_| !heard) {
        match events.recv_timeout(left) {
            Ok(ServiceEvent::ServiceResolved(service)) if service.get_port() == port => heard = true,
            Ok(ServiceEvent::ServiceResolved(_)) => others += 1,
            Ok(_) => {}
            Err(_) => break,
        }
    }
    if let Ok(done) = daemon.shutdown() {
        let _ = done.recv_timeout(Duration::from_millis(500));
    }
    Ok((heard, others))
}

pub(super) fn buffers(machine: &Machine) -> Finding {
    let value = |name: &str| machine.number(&format!("proc/sys/net/core/{name}"));
    let (Some(receive), Some(send)) = (value("rmem_max"), value("wmem_max")) else {
        return Finding::skipped("net.core.rmem_max and wmem_max cannot be read here");
    };
    let text = format!("at most {} KiB to receive, {} KiB to send", receive >> 10, send >> 10);
    if receive.min(send) >= BUFFER {
        return Finding::ok(text);
    }
    let fix = format!("sudo sysctl -w net.core.rmem_max={BUFFER} net.core.wmem_max={BUFFER}");
    let found = if receive.min(send) < SMALL {
        Finding::warning(format!("{text}: bursts of a key frame are lost"), fix)
    } else {
        Finding::info(format!("{text}; streams would take 4096 KiB")).with_fix(fix)
    };
    found.mended_by("udp-buffers")
}

pub(super) fn drops(machine: &Machine) -> Finding {
    let text = machine.read("proc/net/snmp").unwrap_or_default();
    let mut lines = text.lines().filter(|line| line.starts_with("Udp:"));
    let (Some(names), Some(values)) = (lines.next(), lines.next()) else {
        return Finding::skipped("/proc/net/snmp does not say");
    };
    let value = |wanted: &str| {
        let place = names.split_whitespace().position(|name| name == wanted)?;
        values.split_whitespace().nth(place)?.parse::<u64>().ok()
    };
    let (read, lost, unsent) = (
        value("InDatagrams").unwrap_or(0),
        value("RcvbufErrors").unwrap_or(0),
        value("SndbufErrors").unwrap_or(0),
    );
    let text =
        format!("since the start of the machine {lost} of {read} received datagrams and {unsent} to be sent");
    // One of a thousand is more than any stream should lose inside the machine.
    if (lost + unsent) * 1000 > read.max(1000) {
        return Finding::warning(text, "enlarge the UDP buffers, and look at what keeps the machine busy");
    }
    Finding::ok(text)
}

/// What the trial on the loopback showed.
struct Trial {
    path: SendPath,
    arrived: usize,
    whole: bool,
    most: usize,
}

/// Sends datagrams through the loopback, all at once.
fn trial(gro: bool) -> Result<Trial, punktfunk_net::Error> {
    let here = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0);
    let options = UdpOptions { gro, ..UdpOptions::default() };
    let receiver = UdpTransport::new(bind_udp_to(here, false)?, &options)?;
    let sender = UdpTransport::new(bind_udp_to(here, false)?, &UdpOptions::default())?;
    let bytes: Vec<u8> = (0..DATAGRAMS).flat_map(|n| (0..LENGTH).map(move |at| (n * 7 + at) as u8)).collect();
    let mut batch = if gro { RecvBatch::coalesced(16) } else { RecvBatch::new(64) };
    let (mut arrived, mut whole, mut most) = (0, true, 0);
    // In parts that every receive buffer holds.
    for part in bytes.chunks(LENGTH * 32) {
        sender.send(Datagrams::new(part, LENGTH), Route::to(receiver.local_addr()))?;
        let (mut expected, end) = (part.chunks(LENGTH), Instant::now() + PATIENCE);
        let mut missing = part.len() / LENGTH;
        while missing > 0 && Instant::now() < end {
            receiver.receive(&mut batch, Some(end.saturating_duration_since(Instant::now())))?;
            let mut count = 0;
            for (datagram, ..) in batch.iter() {
                whole &= expected.next() == Some(datagram);
                count += 1;
            }
            most = most.max(count);
            arrived += count;
            missing = missing.saturating_sub(count);
        }
    }
    Ok(Trial { path: sender.path(), arrived, whole, most })
}

fn judge(found: Result<Trial, punktfunk_net::Error>, what: &str) -> Finding {
    let fix = "update the kernel; until then the host sends one datagram at a time";
    match found {
        Err(error) => Finding::warning(format!("refused: {error}"), fix),
        Ok(Trial { arrived, whole, .. }) if arrived != DATAGRAMS || !whole => Finding::error(
            format!(
                "{arrived} of {DATAGRAMS} datagrams arrived{}",
                if whole { "" } else { ", some changed" }
            ),
            fix,
        ),
        Ok(Trial { path: SendPath::Gso, most, .. }) => Finding::ok(format!(
            "{DATAGRAMS} datagrams of {LENGTH} bytes arrived whole, {what} (up to {most} in one call)"
        )),
        Ok(Trial { path, .. }) => {
            Finding::info(format!("all arrived, but the kernel refuses GSO: sent as {path:?}"))
        }
    }
}

pub(super) fn gso(_: &Machine) -> Finding {
    judge(trial(false), "sent 32 at a time")
}

pub(super) fn gro(_: &Machine) -> Finding {
    judge(trial(true), "received glued together")
}

#[cfg(test)]
mod tests {
    use super::super::Severity::{Error, Info, Ok as Good, Skipped, Warning};
    use super::super::tests::Stand;
    use super::*;

    /// A line of the kernel's table for this port.
    fn line(port: u16, state: &str, inode: u32) -> String {
        format!(
            "  0: 00000000:{port:04X} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000 1000 0 {inode} 1\n"
        )
    }

    #[test]
    fn each_port_is_free_ours_or_somebodys() {
        let stand = Stand::new();
        assert_eq!(ports(&stand.machine()).evidence, "0 held by this host, 8 free");
        stand.file("proc/net/tcp", &format!("head\n{}{}", line(47989, "0A", 77), line(48010, "01", 78)));
        stand.file("proc/net/udp6", &format!("head\n{}", line(47998, "07", 99)));
        let found = ports(&stand.machine());
        assert_eq!(found.severity, Error);
        assert!(
            found.evidence.contains("udp 47998 (video) is held by a process of another user"),
            "{found:?}"
        );
        stand.file("proc/500/comm", "sunshine\n");
        stand.file("proc/500/fd/x", "");
        std::os::unix::fs::symlink("socket:[77]", stand.root().join("proc/500/fd/3")).unwrap();
        std::os::unix::fs::symlink("socket:[99]", stand.root().join("proc/500/fd/4")).unwrap();
        let text = ports(&stand.machine()).evidence;
        assert!(text.contains("tcp 47989 (HTTP) is held by sunshine (process 500)"), "{text}");
        stand.file("proc/500/comm", "punktfunk-host\n");
        assert_eq!(ports(&stand.machine()), Finding::ok("2 held by this host, 6 free"));
    }

    #[test]
    fn addresses_of_both_families_are_counted() {
        let stand = Stand::new();
        assert_eq!(addresses(&stand.machine()).severity, Error);
        assert_eq!(ipv6(&stand.machine()).severity, Info);
        stand.file(
            "proc/net/fib_trie",
            "  |-- 127.0.0.1\n     /32 host LOCAL\n  |-- 192.168.1.5\n     /32 host LOCAL\n  |-- 192.168.1.255\n     /32 link BROADCAST\n",
        );
        assert_eq!(addresses(&stand.machine()), Finding::ok("1: 192.168.1.5"));
        stand.file(
            "proc/net/if_inet6",
            "fe80000000000000505400fffe123456 02 40 20 80 eth0\n00000000000000000000000000000001 01 80 10 80 lo\n",
        );
        assert!(ipv6(&stand.machine()).severity == Info);
        stand.file("proc/net/if_inet6", "20010db8000000000000000000000077 02 40 00 80 eth0\n");
        assert_eq!(ipv6(&stand.machine()).severity, Good);
        stand.file("proc/sys/net/ipv6/conf/all/disable_ipv6", "1\n");
        assert_eq!(ipv6(&stand.machine()).evidence, "switched off: clients use IPv4");
    }

    #[test]
    fn two_that_answer_mdns_are_told() {
        let stand = Stand::new();
        assert_eq!(mdns(&stand.machine()).severity, Good);
        stand.file("run/avahi-daemon/pid", "1");
        assert!(mdns(&stand.machine()).evidence.starts_with("Avahi runs"));
        stand.file("run/systemd/resolve/io.systemd.Resolve", "");
        stand.file("etc/systemd/resolved.conf", "[Resolve]\nMulticastDNS=yes\n");
        assert_eq!(mdns(&stand.machine()).severity, Info);
    }

    #[test]
    fn small_buffers_and_losses_are_told() {
        let stand = Stand::new();
        assert_eq!(
            (buffers(&stand.machine()).severity, drops(&stand.machine()).severity),
            (Skipped, Skipped)
        );
        stand.file("proc/sys/net/core/wmem_max", "8388608\n");
        for (most, expected) in [(212_992, Warning), (2 << 20, Info), (8 << 20, Good)] {
            stand.file("proc/sys/net/core/rmem_max", &format!("{most}\n"));
            let found = buffers(&stand.machine());
            assert_eq!((found.severity, found.action.is_some()), (expected, expected != Good));
        }
        for (lost, expected) in [(0, Good), (500, Warning)] {
            stand.file(
                "proc/net/snmp",
                &format!("Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors\nUdp: 100000 1 2 3 {lost} 0\n"),
            );
            assert_eq!(drops(&stand.machine()).severity, expected);
        }
    }

    #[test]
    fn datagrams_that_are_lost_changed_or_sent_slowly_are_told() {
        let trial = |path, arrived, whole| Ok(Trial { path, arrived, whole, most: 32 });
        assert_eq!(judge(trial(SendPath::Gso, DATAGRAMS, true), "x").severity, Good);
        assert_eq!(judge(trial(SendPath::One, DATAGRAMS, true), "x").severity, Info);
        assert_eq!(judge(trial(SendPath::Gso, DATAGRAMS, false), "x").severity, Error);
        assert_eq!(judge(trial(SendPath::Gso, 3, true), "x").severity, Error);
        let machine = Stand::new().machine();
        for found in [gso(&machine), gro(&machine)] {
            assert!(matches!(found.severity, Good | Info), "{found:?}");
        }
        assert_eq!(announcement(&machine).severity, Skipped);
    }
}
