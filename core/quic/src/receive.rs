//! The receiving thread `punktfunk-net`: tells the planes apart and hands media over
//! without a queue or a copy.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use punktfunk_net::{Error, Received, RecvBatch, Route, Transport, UdpTransport};

use crate::demux::{Plane, plane};
use crate::inbox::Inbox;

/// Rest after the kernel refused to give datagrams, so that a broken socket does not
/// take a whole core.
const REST: Duration = Duration::from_millis(20);
/// Messages fetched at a time: runs of datagrams of up to 64 KiB, or single ones.
const RUNS: usize = 16;
const SINGLE: usize = 64;

/// Who sent a datagram, and to which of our addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Peer {
    /// The sender; IPv4 as IPv4, whatever the socket is.
    pub from: SocketAddr,
    /// The address of ours that it knows.
    pub local: Option<IpAddr>,
}

impl Peer {
    /// The way back: to the sender, from the address that it knows.
    pub fn route(self) -> Route {
        Route { to: self.from, from: self.local, dscp: None }
    }
}

/// Takes media datagrams on the receiving thread. A closure will do for one that needs
/// no clock.
pub trait MediaSink: Send + Sync + 'static {
    /// A datagram whose first byte is that of media; nothing else about it is checked.
    /// It may be opened in place.
    fn datagram(&self, datagram: &mut [u8], peer: Peer);

    /// Called after each run of datagrams, after the time that it returned before, and
    /// after [`Endpoint::wake`](crate::Endpoint::wake): how long it can do without
    /// (`None`: until a datagram comes).
    fn settle(&self) -> Option<Duration> {
        None
    }
}

impl<F: Fn(&mut [u8], Peer) + Send + Sync + 'static> MediaSink for F {
    fn datagram(&self, datagram: &mut [u8], peer: Peer) {
        self(datagram, peer);
    }
}

/// The thread; dropping it ends it.
#[derive(Debug)]
pub(crate) struct Receiver {
    stop: Arc<AtomicBool>,
    stray: Arc<AtomicU64>,
    transport: Arc<UdpTransport>,
    thread: Option<JoinHandle<()>>,
}

impl Receiver {
    pub fn spawn(
        transport: Arc<UdpTransport>,
        inbox: Arc<Inbox>,
        sink: Arc<dyn MediaSink>,
        gro: bool,
    ) -> std::io::Result<Self> {
        let (stop, stray) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let worker =
            Worker { stop: stop.clone(), stray: stray.clone(), transport: transport.clone(), inbox, sink };
        let thread =
            std::thread::Builder::new().name("punktfunk-net".into()).spawn(move || worker.run(gro))?;
        Ok(Self { stop, stray, transport, thread: Some(thread) })
    }

    /// Datagrams of no plane so far.
    pub fn stray(&self) -> u64 {
        self.stray.load(Ordering::Relaxed)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.transport.wake();
        let Some(thread) = self.thread.take() else { return };
        // A sink may hold the last handle of its own endpoint.
        if thread.thread().id() != std::thread::current().id() && thread.join().is_err() {
            tracing::error!("the receiving thread panicked");
        }
    }
}

struct Worker {
    stop: Arc<AtomicBool>,
    stray: Arc<AtomicU64>,
    transport: Arc<UdpTransport>,
    inbox: Arc<Inbox>,
    sink: Arc<dyn MediaSink>,
}

impl Worker {
    fn run(self, gro: bool) {
        let mut batch = if gro { RecvBatch::coalesced(RUNS) } else { RecvBatch::new(SINGLE) };
        let mut patience = None;
        while !self.stop.load(Ordering::Relaxed) {
            match self.transport.receive(&mut batch, patience) {
                Ok(Received::Datagrams(_)) => self.hand_out(&mut batch),
                Ok(Received::TimedOut | Received::Woken) => {}
                Err(error) => self.rest(&error),
            }
            patience = self.sink.settle();
        }
    }

    fn hand_out(&self, batch: &mut RecvBatch) {
        for (datagram, from, local) in batch.iter_mut() {
            match plane(datagram) {
                Plane::Media => self.sink.datagram(datagram, Peer { from, local }),
                Plane::Stray => {
                    self.stray.fetch_add(1, Ordering::Relaxed);
                }
                quic => self.inbox.put(quic, datagram, from, local),
            }
        }
        self.inbox.wake();
    }

    fn rest(&self, error: &Error) {
        tracing::warn!(%error, "no datagrams for a moment");
        std::thread::sleep(REST);
    }
}
