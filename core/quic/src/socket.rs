//! The socket that quinn sees: what it receives comes from our thread, what it sends
//! goes straight to the kernel.

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use punktfunk_net::{Datagrams, Error, Route, UdpTransport};
use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, UdpPoller};

use crate::inbox::Inbox;

#[derive(Debug)]
pub(crate) struct Socket {
    pub transport: Arc<UdpTransport>,
    pub inbox: Arc<Inbox>,
}

impl AsyncUdpSocket for Socket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(AlwaysWritable)
    }

    /// Sends or drops: a full queue of the kernel is a loss like any other, and QUIC
    /// repeats what was lost. Waiting here would hold up the connections of others.
    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let route = Route { to: transmit.destination, from: transmit.src_ip, dscp: None };
        let datagrams = Datagrams::new(transmit.contents, transmit.segment_size.unwrap_or(0));
        match self.transport.try_send(datagrams, route) {
            Ok(_) => Ok(()),
            Err(Error::Family(to)) => {
                tracing::debug!(%to, "no IPv6 here, a QUIC packet is lost");
                Ok(())
            }
            Err(error) => {
                // A path that is down or a probe too large for the interface: the
                // connection finds out by what does not arrive.
                tracing::trace!(to = %transmit.destination, %error, "a QUIC packet is lost");
                Ok(())
            }
        }
    }

    fn poll_recv(
        &self,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        self.inbox.poll(context, buffers, metas, self.transport.is_ipv6()).map(Ok)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        let address = self.transport.local_addr();
        // quinn takes the family from here.
        Ok(match address {
            SocketAddr::V4(v4) if self.transport.is_ipv6() => {
                SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port())
            }
            other => other,
        })
    }

    fn may_fragment(&self) -> bool {
        false
    }
}

#[derive(Debug)]
struct AlwaysWritable;

impl UdpPoller for AlwaysWritable {
    fn poll_writable(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
