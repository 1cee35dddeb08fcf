//! UDP: binding, socket settings, and the choice between segmentation offload,
//! `sendmmsg` and `send`, made by what the kernel grants while running.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use crate::addr::{Control, Name};
use crate::batch::Datagrams;
use crate::recv::{Received, RecvBatch};
use crate::sys::{self, Flag};
use crate::transport::{Error, Route, Sent, Transport};

/// Most datagrams that every kernel with GSO takes in one call.
const MAX_SEGMENTS: usize = 64;
/// Most bytes in one call: an IPv4 datagram less its IP and UDP headers.
const MAX_BYTES: usize = 65_507;
/// A full socket buffer is given so many chances of a millisecond each to drain.
const STALLS: u32 = 20;
const STALL: Duration = Duration::from_millis(1);

/// How datagrams are handed to the kernel, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SendPath {
    /// Up to 64 datagrams as one message that the kernel or the card cuts up.
    Gso,
    /// Up to 64 messages in one call.
    Many,
    /// One call for each datagram.
    One,
}

impl SendPath {
    fn from_code(code: u8) -> Self {
        match code {
            0 => Self::Gso,
            1 => Self::Many,
            _ => Self::One,
        }
    }
}

/// Settings of a [`UdpTransport`].
#[derive(Clone, Copy, Debug)]
pub struct UdpOptions {
    /// The best way of sending to try; it only ever gets worse from there.
    pub path: SendPath,
    /// Bytes wanted for the kernel's send buffer. The system's limit applies
    /// unless the process may exceed it.
    pub send_buffer: usize,
    /// Bytes wanted for the kernel's receive buffer, limited likewise.
    pub receive_buffer: usize,
    /// Differentiated services code point (0 to 63) for what is sent.
    pub dscp: Option<u8>,
    /// Take datagrams glued together by the kernel; receive into
    /// [`RecvBatch::coalesced`] then, shorter buffers would discard them.
    pub gro: bool,
    /// Never fragment, and do not believe what the path's routers say about packet
    /// sizes: for those who probe the path themselves. What is too large for the
    /// interface is refused by the kernel, what is too large for the path vanishes.
    pub whole: bool,
}

impl Default for UdpOptions {
    fn default() -> Self {
        Self {
            path: SendPath::Gso,
            send_buffer: 4 << 20,
            receive_buffer: 4 << 20,
            dscp: None,
            gro: false,
            whole: false,
        }
    }
}

/// A UDP socket on all addresses: IPv6 and IPv4 together where the machine has
/// IPv6, else IPv4. `reuse` lets the address be bound again at once. Port 0
/// takes a free one.
///
/// # Errors
/// [`Error::Bind`] when the port is taken.
pub fn bind_udp(port: u16, reuse: bool) -> Result<UdpSocket, Error> {
    match bind_udp_to(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port), reuse) {
        Err(Error::Bind { source, .. }) if no_ipv6(&source) => {
            tracing::debug!(port, %source, "no IPv6 on this machine, listening on IPv4 only");
            bind_udp_to(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port), reuse)
        }
        other => other,
    }
}

fn no_ipv6(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EAFNOSUPPORT | libc::EADDRNOTAVAIL | libc::EPROTONOSUPPORT | libc::ENOPROTOOPT)
    )
}

/// A UDP socket on one address. `[::]` accepts IPv4 as well.
///
/// # Errors
/// [`Error::Bind`].
pub fn bind_udp_to(address: SocketAddr, reuse: bool) -> Result<UdpSocket, Error> {
    let failed = |source| Error::Bind { address, source };
    let fd = sys::udp_socket(address.is_ipv6()).map_err(failed)?;
    if address.is_ipv6() {
        sys::set_option(fd.as_fd(), libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 0).map_err(failed)?;
    }
    if reuse {
        sys::set_option(fd.as_fd(), libc::SOL_SOCKET, libc::SO_REUSEADDR, 1).map_err(failed)?;
    }
    let name = Name::encode(address, address.is_ipv6()).ok_or(Error::Family(address))?;
    sys::bind(fd.as_fd(), &name).map_err(failed)?;
    Ok(UdpSocket::from(fd))
}

/// A UDP socket set up for media. All its methods may be called from several
/// threads; only one at a time should receive.
#[derive(Debug)]
pub struct UdpTransport {
    socket: UdpSocket,
    local: SocketAddr,
    v6: bool,
    path: AtomicU8,
    wake: Flag,
}

impl UdpTransport {
    /// Takes over a bound socket.
    ///
    /// # Errors
    /// [`Error::Setup`] if the socket cannot be made non-blocking, report local
    /// addresses or coalesce as asked. Buffer sizes and DSCP are wishes.
    pub fn new(socket: UdpSocket, options: &UdpOptions) -> Result<Self, Error> {
        let setup = |what| move |source| Error::Setup { what, source };
        let v6 = socket.local_addr().map_err(setup("read the local address"))?.is_ipv6();
        let local = sys::local_addr(&socket).map_err(setup("read the local address"))?;
        socket.set_nonblocking(true).map_err(setup("make it non-blocking"))?;
        let fd = socket.as_fd();
        let (level, info) = if v6 {
            (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO)
        } else {
            (libc::IPPROTO_IP, libc::IP_PKTINFO)
        };
        sys::set_option(fd, level, info, 1).map_err(setup("report local addresses"))?;
        if options.gro {
            sys::set_option(fd, libc::SOL_UDP, libc::UDP_GRO, 1).map_err(setup("coalesce datagrams"))?;
        }
        if options.whole {
            keep_whole(fd, v6).map_err(setup("forbid fragments"))?;
        }
        buffer(fd, options.send_buffer, libc::SO_SNDBUFFORCE, libc::SO_SNDBUF);
        buffer(fd, options.receive_buffer, libc::SO_RCVBUFFORCE, libc::SO_RCVBUF);
        if let Some(dscp) = options.dscp {
            mark(fd, v6, dscp);
        }
        let wake = Flag::new().map_err(setup("make an event descriptor"))?;
        Ok(Self { local, v6, path: AtomicU8::new(options.path as u8), wake, socket })
    }

    /// The address it is bound to; with port 0 asked for, the port chosen.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Whether the socket is an IPv6 one (which may speak IPv4 as well).
    pub fn is_ipv6(&self) -> bool {
        self.v6
    }

    /// Sends what the kernel takes at once and waits for nothing; how many datagrams
    /// that were. For protocols that repeat what was lost.
    ///
    /// # Errors
    /// [`Error::Family`]; [`Error::Send`] when the kernel refuses for another reason
    /// than a full queue.
    pub fn try_send(&self, datagrams: Datagrams<'_>, route: Route) -> Result<usize, Error> {
        let name = Name::encode(route.to, self.v6).ok_or(Error::Family(route.to))?;
        let (mut sent, mut rest) = (Sent::default(), datagrams);
        while !rest.is_empty() {
            sent.syscalls += 1;
            match self.send_some(rest, self.path().max(SendPath::Many), &name, route) {
                Ok(count) => {
                    sent.datagrams += count;
                    rest = rest.split_at(count).1;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_full(&error) => break,
                Err(source) => return Err(Error::Send { sent, source }),
            }
        }
        Ok(sent.datagrams)
    }

    /// How datagrams are handed to the kernel at present.
    pub fn path(&self) -> SendPath {
        SendPath::from_code(self.path.load(Ordering::Relaxed))
    }

    /// Gives up segmentation offload for good, as when the peer reports sizes
    /// that show a kernel cutting wrongly.
    pub fn disable_gso(&self) {
        self.path.fetch_max(SendPath::Many as u8, Ordering::Relaxed);
    }

    fn worsen(&self, path: SendPath, reason: &io::Error) {
        if self.path.fetch_max(path as u8, Ordering::Relaxed) < path as u8 {
            tracing::warn!(socket = %self.local, now = ?path, %reason, "the kernel refuses the faster way of sending");
        }
    }

    /// One system call's worth: how many of `rest` it sent.
    fn send_some(&self, rest: Datagrams<'_>, path: SendPath, name: &Name, route: Route) -> io::Result<usize> {
        let fd = self.socket.as_fd();
        let plain = Control::encode(route, None);
        let (path, chunk) = match path {
            SendPath::Gso => match gso_chunk(rest) {
                Some(chunk) => (SendPath::Gso, chunk),
                None => (SendPath::One, rest.split_at(1).0),
            },
            SendPath::Many => (SendPath::Many, rest.split_at(MAX_SEGMENTS).0),
            SendPath::One => (SendPath::One, rest.split_at(1).0),
        };
        match path {
            SendPath::Gso => {
                let control = Control::encode(route, Some(chunk.segment() as u16));
                sys::send(fd, chunk.bytes(), name, &control).map(|()| chunk.len())
            }
            SendPath::Many => sys::send_many(fd, chunk, name, &plain),
            SendPath::One => sys::send(fd, chunk.bytes(), name, &plain).map(|()| 1),
        }
    }

    /// Waits a little for a send to become possible.
    fn stall(&self, error: &io::Error) {
        if error.raw_os_error() == Some(libc::ENOBUFS) {
            // The queue of the network card is full, which poll does not know of.
            std::thread::sleep(STALL / 2);
        } else {
            // Interrupted or timed out: the next attempt shows.
            let _ = sys::poll([(self.socket.as_fd(), libc::POLLOUT)], Some(STALL));
        }
    }
}

/// As much of `rest` as one GSO call takes; `None` if that is not even two.
fn gso_chunk(rest: Datagrams<'_>) -> Option<Datagrams<'_>> {
    let most = (MAX_BYTES / rest.segment()).min(MAX_SEGMENTS);
    let (chunk, _) = rest.split_at(most);
    (chunk.len() > 1).then_some(chunk)
}

/// Errors by which a kernel, a driver or a path refuses segmentation: no
/// checksum offload (EIO), segments above the path's packet size or too many of
/// them (EINVAL, EMSGSIZE), no such option at all.
fn refuses_gso(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EIO | libc::EINVAL | libc::EMSGSIZE | libc::ENOPROTOOPT | libc::EOPNOTSUPP | libc::ENOSYS)
    )
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::ENOBUFS))
}

fn buffer(fd: BorrowedFd<'_>, wanted: usize, force: i32, ask: i32) {
    let size = i32::try_from(wanted).unwrap_or(i32::MAX);
    let set = sys::set_option(fd, libc::SOL_SOCKET, force, size)
        .or_else(|_| sys::set_option(fd, libc::SOL_SOCKET, ask, size));
    // The kernel reports double of what it grants.
    let granted = sys::option(fd, libc::SOL_SOCKET, ask).unwrap_or(0) as usize / 2;
    if set.is_err() || granted < wanted {
        tracing::debug!(
            wanted,
            granted,
            "socket buffer smaller than wanted; raise net.core.rmem_max and wmem_max"
        );
    }
}

fn keep_whole(fd: BorrowedFd<'_>, v6: bool) -> io::Result<()> {
    // An IPv6 socket sends its IPv4 packets by the IPv4 option.
    let v4 = sys::set_option(fd, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_PROBE);
    if !v6 {
        return v4;
    }
    sys::set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_PROBE)
}

fn mark(fd: BorrowedFd<'_>, v6: bool, dscp: u8) {
    let class = i32::from(dscp.min(63)) << 2;
    // An IPv6 socket marks its IPv4 packets by the IPv4 option.
    let mut set = sys::set_option(fd, libc::IPPROTO_IP, libc::IP_TOS, class);
    if v6 {
        set = set.and(sys::set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_TCLASS, class));
    }
    if let Err(error) = set {
        tracing::debug!(dscp, %error, "packets go out unmarked");
    }
}

impl AsFd for UdpTransport {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Transport for UdpTransport {
    fn send(&self, datagrams: Datagrams<'_>, route: Route) -> Result<Sent, Error> {
        let name = Name::encode(route.to, self.v6).ok_or(Error::Family(route.to))?;
        let mut sent = Sent::default();
        let (mut rest, mut stalls, mut path) = (datagrams, 0, self.path());
        // An error that may be the fault of the faster way of sending: it is when
        // the slower way then succeeds with the same datagrams.
        let mut suspect: Option<io::Error> = None;
        while !rest.is_empty() {
            let result = self.send_some(rest, path, &name, route);
            sent.syscalls += 1;
            match result {
                Ok(count) => {
                    if let Some(reason) = suspect.take() {
                        self.worsen(path, &reason);
                    }
                    sent.datagrams += count;
                    rest = rest.split_at(count).1;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_full(&error) && stalls < STALLS => {
                    stalls += 1;
                    self.stall(&error);
                }
                Err(error) if path == SendPath::Gso && gso_chunk(rest).is_some() && refuses_gso(&error) => {
                    path = SendPath::Many;
                    suspect = Some(error);
                }
                Err(error) if path == SendPath::Many && error.raw_os_error() == Some(libc::ENOSYS) => {
                    path = SendPath::One;
                    suspect = Some(error);
                }
                Err(source) => return Err(Error::Send { sent, source }),
            }
        }
        Ok(sent)
    }

    fn receive(&self, into: &mut RecvBatch, timeout: Option<Duration>) -> Result<Received, Error> {
        into.clear();
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let wanted = [(self.wake.fd(), libc::POLLIN), (self.socket.as_fd(), libc::POLLIN)];
            match sys::poll(wanted, left) {
                Ok([true, _]) => {
                    self.wake.lower();
                    return Ok(Received::Woken);
                }
                Ok([false, true]) => match sys::receive(self.socket.as_fd(), into) {
                    Ok(()) if into.count() > 0 => return Ok(Received::Datagrams(into.count())),
                    // Everything was discarded, or a checksum failed after the poll, or
                    // an earlier send was refused by its receiver: not our concern.
                    Ok(()) => {}
                    Err(error) if transient(&error) => {}
                    Err(error) => return Err(Error::Receive(error)),
                },
                Ok([false, false]) => return Ok(Received::TimedOut),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::Receive(error)),
            }
        }
    }

    fn wake(&self) {
        self.wake.raise();
    }

    fn offloads(&self) -> bool {
        self.path() == SendPath::Gso
    }
}

fn transient(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EAGAIN | libc::EINTR | libc::ECONNREFUSED | libc::EHOSTUNREACH | libc::ENETUNREACH)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gso_call_stays_within_the_limits_of_the_kernel() {
        let bytes = vec![0; 200 * 1392];
        let chunk = gso_chunk(Datagrams::new(&bytes, 1392)).expect("chunk");
        assert_eq!(chunk.len(), 47);
        assert!(chunk.bytes().len() <= MAX_BYTES);
        assert_eq!(gso_chunk(Datagrams::new(&bytes, 100)).expect("chunk").len(), 64);
        assert!(gso_chunk(Datagrams::new(&bytes, 40_000)).is_none());
        assert!(gso_chunk(Datagrams::one(&bytes[..9])).is_none());
    }

    #[test]
    fn only_errors_about_segmentation_count_against_it() {
        for errno in [libc::EIO, libc::EINVAL, libc::EMSGSIZE, libc::ENOPROTOOPT, libc::EOPNOTSUPP] {
            assert!(refuses_gso(&io::Error::from_raw_os_error(errno)));
        }
        for errno in [libc::EAGAIN, libc::ENETUNREACH, libc::EPERM, libc::ENOBUFS] {
            assert!(!refuses_gso(&io::Error::from_raw_os_error(errno)));
        }
    }
}
