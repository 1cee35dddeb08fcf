//! Announces this host on the local network as `_nvstream._tcp`.

use std::time::Duration;

use mdns_sd::{ServiceDaemon, ServiceInfo};

/// The service type GameStream clients look for (sheet, section 1).
const SERVICE: &str = "_nvstream._tcp.local.";
/// How long the goodbye may take; its loss only leaves a stale entry in caches.
const GOODBYE: Duration = Duration::from_secs(1);

/// The announcement; it is withdrawn when this is dropped.
pub struct Announcement {
    daemon: ServiceDaemon,
    full_name: String,
}

/// Announces the host called `name` on `port`, over IPv4 and IPv6, on every
/// interface that comes and goes. A failure is logged: clients can still be given
/// the address by hand.
pub fn announce(name: &str, port: u16) -> Option<Announcement> {
    match start(name, port) {
        Ok(announcement) => Some(announcement),
        Err(error) => {
            tracing::warn!(%error, "this host is not announced on the network; enter its address in the client");
            None
        }
    }
}

fn start(name: &str, port: u16) -> Result<Announcement, mdns_sd::Error> {
    let daemon = ServiceDaemon::new()?;
    let host = format!("{}.local.", label(&crate::platform::host_name(), port));
    // A dot would end the label.
    let name = name.replace('.', " ");
    let info = ServiceInfo::new(SERVICE, &name, &host, (), port, None)?.enable_addr_auto();
    let full_name = info.get_fullname().to_owned();
    daemon.register(info)?;
    tracing::debug!(service = %full_name, port, "announced");
    Ok(Announcement { daemon, full_name })
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
        if let Ok(done) = self.daemon.unregister(&self.full_name) {
            let _ = done.recv_timeout(GOODBYE);
        }
        if let Ok(done) = self.daemon.shutdown() {
            let _ = done.recv_timeout(GOODBYE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::label;

    #[test]
    fn a_label_is_valid_in_dns() {
        assert_eq!(label("büro_pc", 47989), "b-ro-pc-punktfunk-47989");
        assert!(label(&"x".repeat(100), 65000).len() <= 63);
    }
}
