//! Addresses and ancillary data in the kernel's form: `sockaddr`, the packet
//! information that carries local addresses, segment sizes for GSO and GRO.

use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use crate::transport::Route;

/// `address` with an IPv4 address written inside IPv6 taken out of it, so that
/// one peer compares equal whichever socket it came by.
pub fn normalised(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V6(v6) => match v6.ip().to_ipv4_mapped() {
            Some(ip) => SocketAddr::new(IpAddr::V4(ip), v6.port()),
            None => address,
        },
        SocketAddr::V4(_) => address,
    }
}

/// A `sockaddr` of either family.
#[derive(Clone, Copy)]
pub(crate) struct Name {
    pub storage: libc::sockaddr_storage,
    pub len: libc::socklen_t,
}

impl std::fmt::Debug for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.decode())
    }
}

impl Name {
    pub fn empty() -> Self {
        // SAFETY: sockaddr_storage is plain integers; all zeroes is a valid value.
        Self { storage: unsafe { mem::zeroed() }, len: size_of::<libc::sockaddr_storage>() as _ }
    }

    /// `address` for a socket of the family that `v6` says: IPv4 peers of an
    /// IPv6 socket are written as mapped addresses. `None` if the socket's
    /// family cannot express the address.
    pub fn encode(address: SocketAddr, v6: bool) -> Option<Self> {
        match (address, v6) {
            (SocketAddr::V4(v4), false) => Some(Self::v4(v4)),
            (SocketAddr::V4(v4), true) => {
                Some(Self::v6(SocketAddrV6::new(v4.ip().to_ipv6_mapped(), v4.port(), 0, 0)))
            }
            (SocketAddr::V6(v6), true) => Some(Self::v6(v6)),
            (SocketAddr::V6(v6), false) => {
                v6.ip().to_ipv4_mapped().map(|ip| Self::v4(SocketAddrV4::new(ip, v6.port())))
            }
        }
    }

    fn v4(address: SocketAddrV4) -> Self {
        let mut name = Self::empty();
        let raw = libc::sockaddr_in {
            sin_family: libc::AF_INET as libc::sa_family_t,
            sin_port: address.port().to_be(),
            sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(address.ip().octets()) },
            sin_zero: [0; 8],
        };
        // SAFETY: sockaddr_storage is larger than sockaddr_in and at least as aligned.
        unsafe { (&raw mut name.storage).cast::<libc::sockaddr_in>().write(raw) };
        name.len = size_of::<libc::sockaddr_in>() as _;
        name
    }

    fn v6(address: SocketAddrV6) -> Self {
        let mut name = Self::empty();
        let raw = libc::sockaddr_in6 {
            sin6_family: libc::AF_INET6 as libc::sa_family_t,
            sin6_port: address.port().to_be(),
            sin6_flowinfo: address.flowinfo(),
            sin6_addr: libc::in6_addr { s6_addr: address.ip().octets() },
            sin6_scope_id: address.scope_id(),
        };
        // SAFETY: sockaddr_storage is larger than sockaddr_in6 and at least as aligned.
        unsafe { (&raw mut name.storage).cast::<libc::sockaddr_in6>().write(raw) };
        name.len = size_of::<libc::sockaddr_in6>() as _;
        name
    }

    /// The address, normalised; `None` for a family that is not IP.
    pub fn decode(&self) -> Option<SocketAddr> {
        match i32::from(self.storage.ss_family) {
            libc::AF_INET => {
                // SAFETY: the family says that a sockaddr_in was written; storage is large enough.
                let raw = unsafe { (&raw const self.storage).cast::<libc::sockaddr_in>().read() };
                let ip = Ipv4Addr::from(raw.sin_addr.s_addr.to_ne_bytes());
                Some(SocketAddr::new(IpAddr::V4(ip), u16::from_be(raw.sin_port)))
            }
            libc::AF_INET6 => {
                // SAFETY: the family says that a sockaddr_in6 was written; storage is large enough.
                let raw = unsafe { (&raw const self.storage).cast::<libc::sockaddr_in6>().read() };
                let ip = Ipv6Addr::from(raw.sin6_addr.s6_addr);
                let port = u16::from_be(raw.sin6_port);
                Some(normalised(SocketAddr::V6(SocketAddrV6::new(ip, port, 0, raw.sin6_scope_id))))
            }
            _ => None,
        }
    }
}

/// Ancillary data of one message: room for a packet information (40 bytes with
/// its header at most) and a segment size (24), aligned as the kernel wants.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(8))]
pub(crate) struct Control {
    pub bytes: [u8; 128],
    pub len: usize,
}

impl Control {
    pub const CAPACITY: usize = 128;

    pub fn empty() -> Self {
        Self { bytes: [0; Self::CAPACITY], len: 0 }
    }

    /// Ancillary data that sends from `route.from`, marked as `route.dscp`, and, with `segment`, lets
    /// the kernel cut the message into datagrams of that size.
    pub fn encode(route: Route, segment: Option<u16>) -> Self {
        let mut control = Self::empty();
        // The peer's family decides, not the socket's: the kernel takes the IPv4
        // form on an IPv6 socket when the destination is a mapped address.
        match (normalised(route.to).ip(), route.from.map(|ip| ip.to_canonical())) {
            (IpAddr::V4(_), Some(IpAddr::V4(from))) => {
                let info = libc::in_pktinfo {
                    ipi_ifindex: 0,
                    ipi_spec_dst: libc::in_addr { s_addr: u32::from_ne_bytes(from.octets()) },
                    ipi_addr: libc::in_addr { s_addr: 0 },
                };
                control.push(libc::SOL_IP, libc::IP_PKTINFO, info);
            }
            (IpAddr::V6(_), Some(IpAddr::V6(from))) => {
                let info = libc::in6_pktinfo {
                    ipi6_addr: libc::in6_addr { s6_addr: from.octets() },
                    ipi6_ifindex: 0,
                };
                control.push(libc::SOL_IPV6, libc::IPV6_PKTINFO, info);
            }
            // An address of the other family cannot be the source: the kernel chooses.
            _ => {}
        }
        if let Some(dscp) = route.dscp {
            let class = i32::from(dscp.min(63)) << 2;
            match normalised(route.to).ip() {
                IpAddr::V4(_) => control.push(libc::SOL_IP, libc::IP_TOS, class),
                IpAddr::V6(_) => control.push(libc::SOL_IPV6, libc::IPV6_TCLASS, class),
            }
        }
        if let Some(segment) = segment {
            control.push(libc::SOL_UDP, libc::UDP_SEGMENT, segment);
        }
        control
    }

    fn push<T: Copy>(&mut self, level: i32, kind: i32, value: T) {
        let size = size_of::<T>() as u32;
        // SAFETY: pure arithmetic on a size.
        let (len, space) = unsafe { (libc::CMSG_LEN(size), libc::CMSG_SPACE(size) as usize) };
        assert!(self.len + space <= Self::CAPACITY, "ancillary data has room for every message we write");
        // SAFETY: the assertion keeps header and value inside `bytes`; `len` is a
        // sum of CMSG_SPACE values, so the header is aligned; the value is written
        // unaligned behind the header where CMSG_DATA says it lies.
        unsafe {
            let header = self.bytes.as_mut_ptr().add(self.len).cast::<libc::cmsghdr>();
            (*header).cmsg_len = len as _;
            (*header).cmsg_level = level;
            (*header).cmsg_type = kind;
            libc::CMSG_DATA(header).cast::<T>().write_unaligned(value);
        }
        self.len += space;
    }

    /// The local address that the message was sent to and the segment size of a
    /// coalesced message, as far as the kernel wrote them.
    pub fn decode(&self) -> (Option<IpAddr>, usize) {
        let (mut local, mut segment) = (None, 0);
        let header = size_of::<libc::cmsghdr>();
        let mut rest = &self.bytes[..self.len.min(Self::CAPACITY)];
        while rest.len() >= header {
            // SAFETY: `rest` holds at least a header; read without assuming alignment.
            let head = unsafe { rest.as_ptr().cast::<libc::cmsghdr>().read_unaligned() };
            let len = head.cmsg_len;
            if len < header || len > rest.len() {
                break;
            }
            let value = &rest[header..len];
            match (head.cmsg_level, head.cmsg_type) {
                // in_pktinfo: interface, the local address to answer from, the header's address.
                (libc::SOL_IP, libc::IP_PKTINFO) if value.len() >= 8 => {
                    local = usable(IpAddr::from([value[4], value[5], value[6], value[7]]));
                }
                // in6_pktinfo: address, interface.
                (libc::SOL_IPV6, libc::IPV6_PKTINFO) => {
                    if let Some(octets) = value.first_chunk::<16>() {
                        local = usable(IpAddr::from(*octets).to_canonical());
                    }
                }
                (libc::SOL_UDP, libc::UDP_GRO) => {
                    if let Some(size) = value.first_chunk::<4>() {
                        segment = usize::try_from(i32::from_ne_bytes(*size)).unwrap_or(0);
                    }
                }
                _ => {}
            }
            // SAFETY: pure arithmetic on a size that was checked above.
            let space = unsafe { libc::CMSG_SPACE((len - header) as u32) } as usize;
            rest = rest.get(space..).unwrap_or_default();
        }
        (local, segment)
    }
}

/// An address that datagrams can leave from: multicast and broadcast cannot.
fn usable(ip: IpAddr) -> Option<IpAddr> {
    let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    (!ip.is_unspecified() && !ip.is_multicast() && !broadcast).then_some(ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_survive_the_kernel_form() {
        for (text, v6, expected) in [
            ("192.0.2.7:47998", false, Some("192.0.2.7:47998")),
            ("192.0.2.7:47998", true, Some("192.0.2.7:47998")),
            ("[2001:db8::7]:47998", true, Some("[2001:db8::7]:47998")),
            ("[fe80::1%3]:1", true, Some("[fe80::1%3]:1")),
            ("[::ffff:192.0.2.7]:5", false, Some("192.0.2.7:5")),
            ("[2001:db8::7]:47998", false, None),
        ] {
            let name = Name::encode(text.parse().expect("address"), v6);
            let expected: Option<SocketAddr> = expected.map(|text| text.parse().expect("address"));
            assert_eq!(name.and_then(|name| name.decode()), expected, "{text}");
        }
        assert_eq!(Name::empty().decode(), None);
    }

    #[test]
    fn ancillary_data_names_the_local_address_and_the_segment() {
        let v4 = Route {
            to: "192.0.2.7:1".parse().expect("address"),
            from: Some("192.0.2.1".parse().expect("address")),
            dscp: None,
        };
        assert_eq!(Control::encode(v4, None).decode(), (v4.from, 0));
        let v6 = Route {
            to: "[2001:db8::7]:1".parse().expect("address"),
            from: Some("2001:db8::1".parse().expect("address")),
            dscp: Some(40),
        };
        let mut control = Control::encode(v6, Some(1392));
        assert_eq!(control.decode(), (v6.from, 0));
        control.push(libc::SOL_UDP, libc::UDP_GRO, 1392_i32);
        assert_eq!(control.decode(), (v6.from, 1392));
        assert_eq!(Control::encode(Route { from: v4.from, ..Route::to(v6.to) }, None).len, 0);
        // A mark is one more message, in the form of the peer's family.
        for route in [v4, v6, Route::to("[::ffff:192.0.2.7]:1".parse().expect("address"))] {
            let bare = Control::encode(Route { dscp: None, ..route }, None).len;
            let marked = Control::encode(Route { dscp: Some(48), ..route }, None);
            let class = 192_i32.to_ne_bytes();
            assert!(marked.len > bare && marked.bytes[bare..marked.len].windows(4).any(|at| at == class));
        }
    }

    #[test]
    fn damaged_ancillary_data_ends_the_walk() {
        let mut control = Control::empty();
        control.len = 500;
        assert_eq!(control.decode(), (None, 0));
        control.bytes = [0xff; 128];
        assert_eq!(control.decode(), (None, 0));
    }

    #[test]
    fn broadcast_is_no_address_to_answer_from() {
        assert_eq!(usable("255.255.255.255".parse().expect("address")), None);
        assert_eq!(usable("ff02::1".parse().expect("address")), None);
    }
}
