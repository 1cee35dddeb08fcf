//! The text of a pairing QR code: where the host is, who it is, and the secret. A client
//! that scanned it knows whom to trust before it connects; every other text is refused,
//! for a camera reads whatever somebody put on a wall.

use std::fmt::{self, Write};
use std::net::Ipv6Addr;

use super::{Fingerprint, Secret};
use crate::bytes::{from_hex, to_hex};
use crate::native::wire::{MAX_NAME, cut};

/// Most bytes of the text.
pub const MAX_LEN: usize = 1024;
/// Most addresses in it.
pub const MAX_ADDRESSES: usize = 8;

/// Where a host may be found: a name or an address without brackets, and a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// A DNS name, an IPv4 or an IPv6 address.
    pub host: String,
    /// The UDP port.
    pub port: u16,
}

impl Address {
    /// Reads `name:port`, `1.2.3.4:port` or `[v6]:port`.
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let port = number(port)?;
        let host = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(v6) => v6.parse::<Ipv6Addr>().ok()?.to_string(),
            None if is_name(host) => host.to_owned(),
            None => return None,
        };
        Some(Self { host, port })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// What a QR code says. Its `Display` is the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Where the host may be found, best first: 1 to [`MAX_ADDRESSES`].
    pub addresses: Vec<Address>,
    /// Who it is.
    pub fingerprint: Fingerprint,
    /// What proves that the client saw the code.
    pub secret: Secret,
    /// What the host calls itself, at most 64 bytes; empty when it did not say.
    pub name: String,
}

/// Text that is no invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvitationError {
    /// It is something else.
    #[error("this is no pairing code of punktfunk")]
    Foreign,
    /// It is for a later version.
    #[error("this pairing code is for a newer version")]
    Version,
    /// A part of it is missing or damaged.
    #[error("this pairing code is damaged ({0})")]
    Damaged(&'static str),
}

impl Invitation {
    /// Reads the text of a code.
    pub fn parse(text: &str) -> Result<Self, InvitationError> {
        use InvitationError::{Damaged, Foreign, Version};
        let rest = text.strip_prefix("punktfunk://").ok_or(Foreign)?;
        if text.len() > MAX_LEN {
            return Err(Damaged("too long"));
        }
        let (first, query) = rest.split_once("/pair?").ok_or(Foreign)?;
        let mut addresses = vec![Address::parse(&decode(first)?).ok_or(Damaged("address"))?];
        let (mut version, mut fingerprint, mut secret, mut name) = (None, None, None, None);
        for pair in query.split('&') {
            let (key, value) = pair.split_once('=').ok_or(Damaged("query"))?;
            let value = decode(value)?;
            let twice = match key {
                "v" => version.replace(value).is_some(),
                "fp" => fingerprint.replace(value).is_some(),
                "s" => secret.replace(value).is_some(),
                "n" => name.replace(value).is_some(),
                "a" => {
                    addresses.push(Address::parse(&value).ok_or(Damaged("address"))?);
                    addresses.len() > MAX_ADDRESSES
                }
                _ => false,
            };
            if twice {
                return Err(Damaged("repeated"));
            }
        }
        match version.as_deref() {
            Some("1") => {}
            Some(other) if other.parse::<u32>().is_ok() => return Err(Version),
            _ => return Err(Damaged("v")),
        }
        let fingerprint = fingerprint.and_then(|hex| from_hex(&hex)?.try_into().ok());
        let name = name.unwrap_or_default();
        if name.len() > MAX_NAME || name.chars().any(char::is_control) {
            return Err(Damaged("n"));
        }
        Ok(Self {
            addresses,
            fingerprint: fingerprint.ok_or(Damaged("fp"))?,
            secret: secret.and_then(|hex| Secret::from_hex(&hex)).ok_or(Damaged("s"))?,
            name,
        })
    }
}

impl fmt::Display for Invitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut addresses = self.addresses.iter().take(MAX_ADDRESSES);
        f.write_str("punktfunk://")?;
        if let Some(first) = addresses.next() {
            write!(f, "{first}")?;
        }
        write!(f, "/pair?v=1&fp={}&s={}", to_hex(&self.fingerprint), self.secret.to_hex())?;
        f.write_str("&n=")?;
        encode(f, cut(&self.name, MAX_NAME))?;
        for address in addresses {
            f.write_str("&a=")?;
            encode(f, &address.to_string())?;
        }
        Ok(())
    }
}

fn number(text: &str) -> Option<u16> {
    let digits = (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|&port| digits && port != 0)
}

/// A DNS name or an IPv4 address.
fn is_name(host: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    host.len() <= 253 && host.split('.').all(label)
}

/// Writes what is not unreserved (RFC 3986, section 2.3) as `%` and two digits.
fn encode(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            f.write_char(char::from(byte))?;
        } else {
            write!(f, "%{byte:02X}")?;
        }
    }
    Ok(())
}

fn decode(text: &str) -> Result<String, InvitationError> {
    let damaged = InvitationError::Damaged("escape");
    let mut bytes = Vec::with_capacity(text.len());
    let mut parts = text.split('%');
    bytes.extend_from_slice(parts.next().unwrap_or_default().as_bytes());
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).ok_or(damaged)?;
        bytes.extend(from_hex(digits).ok_or(damaged)?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).map_err(|_| damaged)
}
