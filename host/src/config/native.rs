//! How punktfunk/1 is served.

use std::net::IpAddr;

use serde::Deserialize;

/// The native protocol, as the owner wants it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Native {
    /// UDP port of QUIC and media; without it the one that follows from the port base.
    pub port: Option<u16>,
    /// The address to listen on; without it all of them, IPv4 and IPv6.
    pub bind: Option<IpAddr>,
    /// A client that is not paired is trusted when it comes for the first time. For
    /// networks where nobody is who should not play.
    pub trust_on_first_use: bool,
}
