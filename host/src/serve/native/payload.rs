//! The text of the QR code (punktfunk-1, section 7): where this host is, who it is, and
//! the secret that pairs.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use punktfunk_core::bytes::to_hex;

use crate::config::Config;
use crate::store::NativeIdentity;

/// The payload for this host as it can be reached now.
pub(in crate::serve) fn text(config: &Config, identity: &NativeIdentity, secret: &[u8; 16]) -> String {
    let port = config.native_port();
    let addresses = match config.native.bind {
        Some(address) if !address.is_unspecified() => vec![address],
        _ => own_addresses(),
    };
    let mut addresses = addresses.into_iter().map(|address| SocketAddr::new(address, port).to_string());
    let first = addresses.next().unwrap_or_else(|| format!("localhost:{port}"));
    let mut text =
        format!("punktfunk://{first}/pair?v=1&fp={}&s={}", to_hex(&identity.hash()), to_hex(secret));
    text.push_str("&n=");
    escape(&config.name, &mut text);
    for address in addresses {
        text.push_str("&a=");
        escape(&address, &mut text);
    }
    text
}

/// The addresses others can reach us by: those of the routes out, asked for by
/// connecting a UDP socket, which sends nothing (RFC 5737 and 3849 addresses).
fn own_addresses() -> Vec<IpAddr> {
    let toward = |bind: &str, to: &str| {
        let socket = UdpSocket::bind(bind).ok()?;
        socket.connect(to).ok()?;
        let address = socket.local_addr().ok()?.ip();
        (!address.is_unspecified()).then_some(address)
    };
    let found = [toward("0.0.0.0:0", "192.0.2.1:9"), toward("[::]:0", "[2001:db8::1]:9")];
    let found: Vec<IpAddr> = found.into_iter().flatten().collect();
    if found.is_empty() { vec![IpAddr::from([127, 0, 0, 1])] } else { found }
}

/// Everything but the unreserved characters of RFC 3986 as %XX.
fn escape(value: &str, text: &mut String) {
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(byte))
            }
            byte => text.push_str(&format!("%{byte:02X}")),
        }
    }
}
