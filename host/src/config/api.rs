//! How the console and the management API are served.

use std::net::IpAddr;

use serde::Deserialize;

/// The console and the management API, as the owner wants them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Api {
    /// They are served over the network.
    pub enabled: bool,
    /// Their TCP port; without it the port base + 1.
    pub port: Option<u16>,
    /// The address to listen on; without it all of them, IPv4 and IPv6.
    pub bind: Option<IpAddr>,
    /// More names by which browsers may call this host.
    pub hosts: Vec<String>,
    /// `/metrics` is served, to tokens with that scope.
    pub metrics: bool,
}

impl Default for Api {
    fn default() -> Self {
        Self { enabled: true, port: None, bind: None, hosts: Vec::new(), metrics: false }
    }
}
