//! Announces this host on the local network: as `_punktfunk._udp` (punktfunk-1, section
//! 11), and as `_nvstream._tcp` where GameStream is served.

use std::time::Duration;

use mdns_sd::{ServiceDaemon, ServiceInfo};
use punktfunk_core::bytes::to_hex;

use super::Context;
use crate::config::Ports;

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
    facts: Facts,
}

/// What is announced.
struct Facts {
    name: String,
    ports: Ports,
    native_port: u16,
    /// The beginning of the hash of the native identity.
    fingerprint: String,
    gamestream: bool,
}

impl Facts {
    fn of(context: &Context) -> Self {
        let config = &context.config;
        Self {
            name: config.name.clone(),
            ports: config.ports,
            native_port: config.native_port(),
            fingerprint: to_hex(&context.store.native_identity().hash()[..8]),
            gamestream: context.gamestream,
        }
    }
}

/// Announces what this host serves, over IPv4 and IPv6, on every interface that comes
/// and goes. A failure is logged: clients can still be given the address by hand.
pub(super) fn announce(context: &Context) -> Option<Announcement> {
    match start(Facts::of(context)) {
        Ok(announcement) => Some(announcement),
        Err(error) => {
            tracing::warn!(%error, "this host is not announced on the network; enter its address in the client");
            None
        }
    }
}

fn start(facts: Facts) -> Result<Announcement, mdns_sd::Error> {
    let mut announcement = Announcement { daemon: ServiceDaemon::new()?, full_names: Vec::new(), facts };
    announcement.register()?;
    Ok(announcement)
}

impl Announcement {
    /// Announces the host by this name from now on, and no longer by the old one.
    pub(super) fn rename(&mut self, name: &str) {
        for old in self.full_names.drain(..) {
            // Its goodbye needs no waiting for: the daemon goes on.
            let _ = self.daemon.unregister(&old);
        }
        name.clone_into(&mut self.facts.name);
        if let Err(error) = self.register() {
            tracing::warn!(%error, name, "the new name of this host is not announced on the network");
        }
    }

    fn register(&mut self) -> Result<(), mdns_sd::Error> {
        for service in services(&self.facts)? {
            let (name, port) = (service.get_fullname().to_owned(), service.get_port());
            self.daemon.register(service.enable_addr_auto())?;
            tracing::debug!(service = %name, port, "announced");
            self.full_names.push(name);
        }
        Ok(())
    }
}

/// Addresses are still missing.
fn services(facts: &Facts) -> Result<Vec<ServiceInfo>, mdns_sd::Error> {
    let host = format!("{}.local.", label(&crate::platform::host_name(), facts.ports.base()));
    // A dot would end the label.
    let name = facts.name.replace('.', " ");
    let port = facts.native_port;
    let number = port.to_string();
    let told = [("v", "1"), ("port", &number), ("fp", &facts.fingerprint), ("name", &facts.name)];
    let mut services = vec![ServiceInfo::new(NATIVE, &name, &host, (), port, &told[..])?];
    if facts.gamestream {
        services.push(ServiceInfo::new(GAMESTREAM, &name, &host, (), facts.ports.http(), None)?);
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
    use crate::config::{Config, Settings};
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
        let settings = Arc::new(Settings::fixed(config));
        let config = settings.current();
        let mut context = Context { config, settings, store, runtime: dir.clone(), gamestream: false };
        let native = services(&Facts::of(&context)).unwrap();
        assert_eq!(native.len(), 1, "GameStream is not served");
        assert_eq!(native[0].get_fullname(), "tv  room._punktfunk._udp.local.");
        assert_eq!(native[0].get_port(), 9777);
        let mut told: Vec<String> = native[0].get_properties().iter().map(ToString::to_string).collect();
        told.sort();
        let fingerprint = to_hex(&context.store.native_identity().hash());
        let expected = [&format!("fp={}", &fingerprint[..16]), "name=tv. room", "port=9777", "v=1"];
        assert_eq!(told, expected);
        context.gamestream = true;
        let both = services(&Facts::of(&context)).unwrap();
        assert_eq!(both.last().unwrap().get_fullname(), "tv  room._nvstream._tcp.local.");
        assert_eq!(both.last().unwrap().get_properties().len(), 0);
        std::fs::remove_dir_all(dir).unwrap();
    }
}
