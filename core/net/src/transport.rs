//! The seam between those who have datagrams and the network: real sockets,
//! memory in tests, a blocked or lossy stand-in where a test needs one.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::batch::Datagrams;
use crate::recv::{Received, RecvBatch};

/// Where datagrams go, and which of our addresses they leave from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Route {
    /// The peer.
    pub to: SocketAddr,
    /// The local address that the peer knows us by; `None` lets the kernel
    /// choose, which on a machine with several addresses may be another one.
    pub from: Option<IpAddr>,
    /// Differentiated services code point (0 to 63) of what is sent; `None` is what
    /// the socket has.
    pub dscp: Option<u8>,
}

impl Route {
    /// To `to`, from whichever address the kernel chooses.
    pub fn to(to: SocketAddr) -> Self {
        Self { to, from: None, dscp: None }
    }
}

/// What a send did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Datagrams handed to the network.
    pub datagrams: usize,
    /// System calls that it took, failed ones included.
    pub syscalls: u32,
}

/// Failures of sockets and of the sender thread.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No socket on that address.
    #[error("cannot bind UDP {address}: {source}; stop the program that uses the port or choose another")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A socket option or a helper descriptor was refused.
    #[error("cannot set up the socket ({what}): {source}")]
    Setup {
        /// What was being done.
        what: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
    /// An IPv6 peer on a socket that only speaks IPv4.
    #[error("{0} cannot be reached from an IPv4 socket; enable IPv6 on this machine")]
    Family(SocketAddr),
    /// Sending stopped part of the way.
    #[error("send failed after {} datagrams: {source}", .sent.datagrams)]
    Send {
        /// What had been sent before.
        sent: Sent,
        /// The kernel's answer.
        source: io::Error,
    },
    /// Receiving failed.
    #[error("receive failed: {0}")]
    Receive(#[source] io::Error),
    /// The sender thread could not be started.
    #[error("cannot start the sender thread: {0}; raise the limit on threads")]
    Thread(#[source] io::Error),
}

/// A way to send and receive datagrams. Shared between threads by reference.
pub trait Transport: Send + Sync + 'static {
    /// Sends `datagrams` in order to `route.to`. May wait a bounded time (some
    /// tens of milliseconds) for room in the socket.
    ///
    /// # Errors
    /// [`Error::Family`] and [`Error::Send`]; the rest of `datagrams` is lost.
    fn send(&self, datagrams: Datagrams<'_>, route: Route) -> Result<Sent, Error>;

    /// Empties `into` and fills it with what has arrived, waiting until
    /// something does, `timeout` passes (`None`: never) or [`wake`](Self::wake)
    /// is called.
    ///
    /// # Errors
    /// [`Error::Receive`].
    fn receive(&self, into: &mut RecvBatch, timeout: Option<Duration>) -> Result<Received, Error>;

    /// Ends one `receive`, the one waiting now or else the next.
    fn wake(&self);

    /// Whether segmentation offload is in use just now.
    fn offloads(&self) -> bool {
        false
    }
}
