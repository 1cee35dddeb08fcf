//! Announces this host on the local network: as `_punktfunk._udp` (punktfunk-1, section
//! 11), and as `_nvstream._tcp` where GameStream is served.

use std::time::Duration;

use mdns_sd::{ServiceDaemon, ServiceInfo};
use punktfunk_core::bytes::to_hex;

use super::Context;

/// The service type GameStream clients look for (sheet, section 1).
const GAMESTREAM: &str = "_nvstream._tcp.local.";
/// The service type native clients look for.
const NATIVE: &str = "_punktfunk._udp.local.";
/// How long the goodbye may take; its loss only leaves a stale entry in caches.
const GOODBYE: Duration = Duration::from_secs(1);

/// The announcement; it is withdrawn when this is dropped.
pub struct Announcement {
    daemon: ServiceDaemon,
    full_names: Vec<String>,
}

/// Announces what this host serves, over IPv4 and IPv6, on every interface that comes
/// and goes. A failure is logged: clients can still be given the address by hand.
pub(super) fn announce(context: &Context) -> Option<Announcement> {
    match start(context) {
        Ok(announcement) => Some(announcement),
        Err(error) => {
            tracing::warn!(%error, "this host is not announced on the network; enter its address in the client");
            None
        }
    }
}

fn start(context: &Context) -> Result<Announcement, mdns_sd::Error> {
    let services = services(context)?;
    let mut announcement = Announcement { daemon: ServiceDaemon::new()?, full_names: Vec::new() };
    for service in services {
        let (name, port) = (service.get_fullname().to_owned(), service.get_port());
        announcement.daemon.register(service.enable_addr_auto())?;
        tracing::debug!(service = %name, port, "announced");
        announcement.full_names.push(name);
    }
    Ok(announcement)
}

/// Addresses are still missing.
fn services(context: &Context) -> Result<Vec<ServiceInfo>, mdns_sd::Error> {
    let config = &context.config;
    let host = format!("{}.local.", label(&crate::platform::host_name(), config.ports.base()));
    // A dot would end the label.
    let name = config.name.replace('.', " ");
    let port = config.native_port();
    let (number, fingerprint) = (port.to_string(), to_hex(&context.store.native_identity().hash()[..8]));
    let told = [("v", "1"), ("port", &number), ("fp", &fingerprint), ("name", &config.name)];
    let mut services = vec![ServiceInfo::new(NATIVE, &name, &host, (), port, &told[..])?];
    if context.gamestream {
        services.push(ServiceInfo::new(GAMESTREAM, &name, &host, (), config.ports.http(), None)?);
    }
    Ok(services)
}

/// A host label of our own: the machine's plain name is Avahi's, and a conflict
/// would rename one of the two.
fn label(host: &str, port: u16) -> String {
    let plain: String =
        host.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(40).collect();
    format!("{plain}-punktfunk-{port}")
}

impl Drop for Announcement {
    fn drop(&mut self) {
        let gone: Vec<_> = self.full_names.iter().map(|name| self.daemon.unregister(name)).collect();
        for done in gone.into_iter().flatten() {
            let _ = done.recv_timeout(GOODBYE);
        }
        if let Ok(done) = self.daemon.shutdown() {
            let _ = done.recv_timeout(GOODBYE);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::Config;
    use crate::store::Store;

    #[test]
    fn a_label_is_valid_in_dns() {
        assert_eq!(label("büro_pc", 47989), "b-ro-pc-punktfunk-47989");
        assert!(label(&"x".repeat(100), 65000).len() <= 63);
    }

    #[test]
    fn nothing_is_announced_but_what_finding_needs() {
        let dir = std::env::temp_dir().join(format!("pfh-mdns-{}", std::process::id()));
        let store = Arc::new(Store::open(&dir).unwrap());
        let config = Config { name: "tv. room".to_owned(), ..Config::default() };
        let mut context =
            Context { config: Arc::new(config), store, runtime: dir.clone(), gamestream: false };
        let native = services(&context).unwrap();
        assert_eq!(native.len(), 1, "GameStream is not served");
        assert_eq!(native[0].get_fullname(), "tv  room._punktfunk._udp.local.");
        assert_eq!(native[0].get_port(), 9777);
        let mut told: Vec<String> = native[0].get_properties().iter().map(ToString::to_string).collect();
        told.sort();
        let fingerprint = to_hex(&context.store.native_identity().hash());
        let expected = [&format!("fp={}", &fingerprint[..16]), "name=tv. room", "port=9777", "v=1"];
        assert_eq!(told, expected);
        context.gamestream = true;
        let both = services(&context).unwrap();
        assert_eq!(both.last().unwrap().get_fullname(), "tv  room._nvstream._tcp.local.");
        assert_eq!(both.last().unwrap().get_properties().len(), 0);
        std::fs::remove_dir_all(dir).unwrap();
    }
}
