//! Hosts on the local network, by DNS-SD (section 11). Anybody can say anything there:
//! what is found is bounded, cleaned, and trusted for nothing but where to try.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use mdns_sd::{ResolvedService, ServiceDaemon, ServiceEvent};

use crate::error::Error;

const SERVICE: &str = "_punktfunk._udp.local.";
/// Most hosts, addresses of one, and characters of a name.
const MOST_HOSTS: usize = 64;
const MOST_ADDRESSES: usize = 8;
const MOST_NAME: usize = 64;

/// A host that announces itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What it calls itself, without control characters.
    pub name: String,
    /// Where it says it is, IPv4 first.
    pub addresses: Vec<SocketAddr>,
    /// The first 8 bytes of its identity, as it says.
    pub fingerprint: [u8; 8],
}

/// Looks for hosts for as long as `timeout`.
///
/// # Errors
/// [`Error::Discovery`] when multicast cannot be used at all.
pub fn discover(timeout: Duration) -> Result<Vec<Found>, Error> {
    let failed = |error: mdns_sd::Error| Error::Discovery(error.to_string());
    let daemon = ServiceDaemon::new().map_err(failed)?;
    let events = daemon.browse(SERVICE).map_err(failed)?;
    let deadline = Instant::now().checked_add(timeout);
    let mut found: Vec<Found> = Vec::new();
    while let Some(left) = deadline.and_then(|deadline| deadline.checked_duration_since(Instant::now())) {
        match events.recv_timeout(left) {
            Ok(ServiceEvent::ServiceResolved(service)) => take(&mut found, read(&service)),
            Ok(_) => {}
            Err(_) => break,
        }
    }
    // Nothing is announced by us, so there is nothing to say goodbye to.
    let _ = daemon.shutdown();
    Ok(found)
}

/// A host that was found before has its newest answer.
fn take(found: &mut Vec<Found>, host: Option<Found>) {
    let Some(host) = host else { return };
    if let Some(known) = found.iter_mut().find(|known| known.fingerprint == host.fingerprint) {
        *known = host;
    } else if found.len() < MOST_HOSTS {
        found.push(host);
    }
}

fn read(service: &ResolvedService) -> Option<Found> {
    let text = |key| service.get_property_val_str(key);
    let ips: Vec<IpAddr> = service.addresses.iter().map(mdns_sd::ScopedIp::to_ip_addr).collect();
    let instance = service.fullname.strip_suffix(SERVICE).unwrap_or_default().trim_end_matches('.');
    build(text("v"), text("fp"), text("name").unwrap_or(instance), text("port"), service.port, &ips)
}

fn build(
    version: Option<&str>,
    fingerprint: Option<&str>,
    name: &str,
    port: Option<&str>,
    service_port: u16,
    ips: &[IpAddr],
) -> Option<Found> {
    // A version that we do not speak is somebody else's host.
    if version? != "1" {
        return None;
    }
    let fingerprint = punktfunk_core::bytes::from_hex(fingerprint?)?.try_into().ok()?;
    let port = match port {
        Some(text) => text.parse().ok()?,
        None => service_port,
    };
    let mut addresses: Vec<SocketAddr> = ips
        .iter()
        .filter(|ip| port != 0 && !ip.is_unspecified() && !ip.is_multicast())
        .map(|ip| SocketAddr::new(*ip, port))
        .collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses.truncate(MOST_ADDRESSES);
    if addresses.is_empty() {
        return None;
    }
    let name: String = name.chars().filter(|character| !character.is_control()).take(MOST_NAME).collect();
    Some(Found { name, addresses, fingerprint })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(fp: &str, port: Option<&str>, ips: &[&str]) -> Option<Found> {
        let ips: Vec<IpAddr> = ips.iter().map(|ip| ip.parse().expect("address")).collect();
        build(Some("1"), Some(fp), "living\u{7} room", port, 9777, &ips)
    }

    #[test]
    fn what_is_found_is_cleaned_and_bounded() {
        let host = found("0123456789abcdef", None, &["fd00::1", "192.0.2.1", "192.0.2.1"]).expect("host");
        assert_eq!(host.name, "living room");
        assert_eq!(host.fingerprint, [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef]);
        let addresses: Vec<String> = host.addresses.iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["192.0.2.1:9777", "[fd00::1]:9777"]);
        let elsewhere = found("0123456789abcdef", Some("9000"), &["192.0.2.1"]).expect("host");
        assert_eq!(elsewhere.addresses[0].port(), 9000);
        for (fp, port, ips) in [
            ("0123", None, &["192.0.2.1"][..]),
            ("0123456789abcdeg", None, &["192.0.2.1"]),
            ("0123456789abcdef", Some("0"), &["192.0.2.1"]),
            ("0123456789abcdef", Some("99999"), &["192.0.2.1"]),
            ("0123456789abcdef", None, &["0.0.0.0", "224.0.0.1"]),
            ("0123456789abcdef", None, &[]),
        ] {
            assert_eq!(found(fp, port, ips), None, "{fp} {port:?} {ips:?}");
        }
        assert_eq!(build(Some("2"), Some("0123456789abcdef"), "", None, 1, &[[192, 0, 2, 1].into()]), None);
        let many: Vec<IpAddr> = (1..200).map(|last| [192, 0, 2, last].into()).collect();
        let host =
            build(Some("1"), Some("0123456789abcdef"), &"x".repeat(500), None, 1, &many).expect("host");
        assert_eq!((host.addresses.len(), host.name.len()), (MOST_ADDRESSES, MOST_NAME));
    }

    #[test]
    fn a_host_is_listed_once_and_a_crowd_is_cut() {
        let mut list = Vec::new();
        for number in 0..1000_u64 {
            let mut host = found("0123456789abcdef", None, &["192.0.2.1"]).expect("host");
            host.fingerprint = (number / 2).to_be_bytes();
            take(&mut list, Some(host));
        }
        take(&mut list, None);
        assert_eq!(list.len(), MOST_HOSTS);
    }
}
