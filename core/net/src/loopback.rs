//! Two ends joined in memory, for tests: order kept, nothing lost unless a
//! seeded loss is asked for.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::batch::Datagrams;
use crate::recv::{Received, RecvBatch};
use crate::transport::{Error, Route, Sent, Transport};

/// Random loss that is the same on every run with the same seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Datagrams lost of a million.
    pub per_million: u32,
    /// Where the random sequence starts.
    pub seed: u64,
}

#[derive(Debug, Default)]
struct Inbox {
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct State {
    datagrams: VecDeque<(Vec<u8>, SocketAddr)>,
    woken: bool,
}

/// One end of an in-memory link.
#[derive(Debug)]
pub struct Loopback {
    own: SocketAddr,
    peer: SocketAddr,
    inbox: Arc<Inbox>,
    outbox: Arc<Inbox>,
    loss: Option<Mutex<Loss>>,
}

impl Loopback {
    /// Two ends with the given addresses. `loss` applies in each direction.
    /// What is sent to any other address vanishes.
    pub fn pair(a: SocketAddr, b: SocketAddr, loss: Option<Loss>) -> (Self, Self) {
        let (to_a, to_b) = (Arc::new(Inbox::default()), Arc::new(Inbox::default()));
        let end = |own, peer, inbox: &Arc<Inbox>, outbox: &Arc<Inbox>| Self {
            own,
            peer,
            inbox: inbox.clone(),
            outbox: outbox.clone(),
            loss: loss.map(Mutex::new),
        };
        (end(a, b, &to_a, &to_b), end(b, a, &to_b, &to_a))
    }

    fn lost(&self) -> bool {
        let Some(loss) = &self.loss else { return false };
        let mut loss = loss.lock().unwrap_or_else(PoisonError::into_inner);
        // splitmix64: a counter, stirred.
        loss.seed = loss.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = loss.seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % 1_000_000 < u64::from(loss.per_million)
    }
}

impl Transport for Loopback {
    fn send(&self, datagrams: Datagrams<'_>, route: Route) -> Result<Sent, Error> {
        if route.to == self.peer {
            let mut state = self.outbox.state.lock().unwrap_or_else(PoisonError::into_inner);
            for datagram in datagrams {
                if !self.lost() {
                    state.datagrams.push_back((datagram.to_vec(), self.own));
                }
            }
            self.outbox.arrived.notify_all();
        }
        Ok(Sent { datagrams: datagrams.len(), syscalls: 0 })
    }

    fn receive(&self, into: &mut RecvBatch, timeout: Option<Duration>) -> Result<Received, Error> {
        into.clear();
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut state = self.inbox.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if std::mem::take(&mut state.woken) {
                return Ok(Received::Woken);
            }
            while !into.is_full() {
                let Some((datagram, from)) = state.datagrams.pop_front() else { break };
                if !into.push(&datagram, from, Some(self.own.ip())) {
                    into.oversized += 1;
                }
            }
            if into.count() > 0 {
                return Ok(Received::Datagrams(into.count()));
            }
            let Some(deadline) = deadline else {
                state = self.inbox.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Received::TimedOut);
            }
            state = self.inbox.arrived.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn wake(&self) {
        self.inbox.state.lock().unwrap_or_else(PoisonError::into_inner).woken = true;
        self.inbox.arrived.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(loss: Option<Loss>) -> (Loopback, Loopback) {
        Loopback::pair("192.0.2.1:1".parse().expect("address"), "192.0.2.2:2".parse().expect("address"), loss)
    }

    fn survivors(loss: Loss) -> Vec<u8> {
        let (a, b) = ends(Some(loss));
        let bytes: Vec<u8> = (0..=255).collect();
        a.send(Datagrams::new(&bytes, 1), Route::to(b.own)).expect("send");
        let (mut got, mut batch) = (Vec::new(), RecvBatch::new(64));
        while let Received::Datagrams(_) = b.receive(&mut batch, Some(Duration::ZERO)).expect("receive") {
            got.extend(batch.iter().map(|(bytes, _, _)| bytes[0]));
        }
        got
    }

    #[test]
    fn datagrams_arrive_in_order_with_their_addresses() {
        let (a, b) = ends(None);
        a.send(Datagrams::new(b"aabbc", 2), Route::to(b.own)).expect("send");
        a.send(Datagrams::one(b"elsewhere"), Route::to(a.own)).expect("send");
        let mut batch = RecvBatch::default();
        assert_eq!(b.receive(&mut batch, None).expect("receive"), Received::Datagrams(3));
        let got: Vec<_> = batch.iter().collect();
        assert_eq!(got[2], (b"c".as_slice(), a.own, Some(b.own.ip())));
        assert_eq!(b.receive(&mut batch, Some(Duration::ZERO)).expect("receive"), Received::TimedOut);
    }

    #[test]
    fn loss_is_the_same_for_the_same_seed() {
        let loss = Loss { per_million: 200_000, seed: 5 };
        let first = survivors(loss);
        assert_eq!(first, survivors(loss));
        assert_ne!(first, survivors(Loss { seed: 6, ..loss }));
        assert!((150..250).contains(&first.len()), "{}", first.len());
    }

    #[test]
    fn wake_ends_one_receive() {
        let (a, _b) = ends(None);
        a.wake();
        let mut batch = RecvBatch::default();
        assert_eq!(a.receive(&mut batch, None).expect("receive"), Received::Woken);
        assert_eq!(a.receive(&mut batch, Some(Duration::ZERO)).expect("receive"), Received::TimedOut);
    }
}
