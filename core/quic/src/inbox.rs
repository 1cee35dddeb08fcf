//! What the receiving thread leaves for quinn: two bounded queues, so that a flood of
//! handshakes cannot push out the packets of connections that stand.

use std::collections::VecDeque;
use std::io::IoSliceMut;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use quinn::udp::RecvMeta;

use crate::config::MOST_PAYLOAD;
use crate::demux::Plane;

/// Datagrams of standing connections, and of handshakes, that may wait for quinn.
const DEPTH: usize = 1024;
const HANDSHAKES: usize = 256;
/// Buffers that are kept for their next use.
const SPARE: usize = 128;

#[derive(Debug, Default)]
pub(crate) struct Inbox {
    state: Mutex<State>,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    established: VecDeque<Waiting>,
    handshakes: VecDeque<Waiting>,
    spare: Vec<Vec<u8>>,
    waker: Option<Waker>,
}

#[derive(Debug)]
struct Waiting {
    bytes: Vec<u8>,
    from: SocketAddr,
    local: Option<IpAddr>,
}

impl Inbox {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves a datagram. When its queue is full, or it is longer than any packet of
    /// QUIC may be, it is dropped and counted.
    pub fn put(&self, plane: Plane, datagram: &[u8], from: SocketAddr, local: Option<IpAddr>) {
        let mut state = self.state();
        let waiting =
            if plane == Plane::Handshake { state.handshakes.len() } else { state.established.len() };
        let room = if plane == Plane::Handshake { HANDSHAKES } else { DEPTH };
        if waiting >= room || datagram.len() > MOST_PAYLOAD {
            drop(state);
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let mut bytes = state.spare.pop().unwrap_or_default();
        bytes.extend_from_slice(datagram);
        let waiting = Waiting { bytes, from, local };
        if plane == Plane::Handshake {
            state.handshakes.push_back(waiting);
        } else {
            state.established.push_back(waiting);
        }
    }

    /// Tells quinn that something waits. Once for many datagrams.
    pub fn wake(&self) {
        let mut state = self.state();
        if state.established.is_empty() && state.handshakes.is_empty() {
            return;
        }
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Datagrams dropped so far.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Moves what waits into quinn's buffers, that of standing connections first. `v6`:
    /// quinn knows IPv4 peers of this socket by their addresses inside IPv6.
    pub fn poll(
        &self,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
        v6: bool,
    ) -> Poll<usize> {
        let mut state = self.state();
        let mut count = 0;
        for (buffer, meta) in buffers.iter_mut().zip(metas) {
            let Some(mut waiting) = state.established.pop_front().or_else(|| state.handshakes.pop_front())
            else {
                break;
            };
            let len = waiting.bytes.len().min(buffer.len());
            for (to, from) in buffer.iter_mut().zip(&waiting.bytes) {
                *to = *from;
            }
            *meta = RecvMeta {
                addr: as_quinn_sees(waiting.from, v6),
                len,
                stride: len,
                ecn: None,
                dst_ip: waiting.local,
            };
            count += 1;
            waiting.bytes.clear();
            if state.spare.len() < SPARE {
                state.spare.push(waiting.bytes);
            }
        }
        if count > 0 {
            return Poll::Ready(count);
        }
        if !state.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            state.waker = Some(context.waker().clone());
        }
        Poll::Pending
    }
}

/// quinn compares addresses as they are: on an IPv6 socket all of them are IPv6.
fn as_quinn_sees(address: SocketAddr, v6: bool) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) if v6 => SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(inbox: &Inbox) -> Vec<(u8, SocketAddr)> {
        let mut bytes = vec![[0_u8; 64]; 32];
        let mut metas = [RecvMeta::default(); 32];
        let mut buffers: Vec<IoSliceMut<'_>> = bytes.iter_mut().map(|bytes| IoSliceMut::new(bytes)).collect();
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready(count) = inbox.poll(&mut context, &mut buffers, &mut metas, true) else {
            return vec![];
        };
        metas.iter().zip(&bytes).take(count).map(|(meta, bytes)| (bytes[0], meta.addr)).collect()
    }

    #[test]
    fn standing_connections_go_first_and_keep_their_room() {
        let inbox = Inbox::default();
        let from: SocketAddr = "192.0.2.1:7".parse().expect("address");
        for number in 0..HANDSHAKES + 10 {
            inbox.put(Plane::Handshake, &[number as u8], from, None);
        }
        assert_eq!(inbox.dropped(), 10);
        inbox.put(Plane::Established, &[0xEE], from, None);
        assert_eq!(inbox.dropped(), 10);
        let got = taken(&inbox);
        assert_eq!(got.len(), 32);
        assert_eq!((got[0].0, got[1].0), (0xEE, 0));
        assert_eq!(got[0].1, "[::ffff:192.0.2.1]:7".parse().expect("address"));
        inbox.put(Plane::Established, &[0; MOST_PAYLOAD + 1], from, None);
        assert_eq!(inbox.dropped(), 11);
        while !taken(&inbox).is_empty() {}
        assert!(inbox.state().spare.len() <= SPARE);
    }
}
