//! Two peers, the links between them and their clock.

use std::net::SocketAddr;

use punktfunk_core::time::Time;

use crate::{Link, Weather};

/// A datagram on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// The sender's address.
    pub from: SocketAddr,
    /// The address it is sent to.
    pub to: SocketAddr,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// One end of the rig.
pub trait Peer {
    /// True when a datagram to this address reaches the peer.
    fn listens(&self, to: SocketAddr) -> bool;

    /// A datagram arrived.
    fn handle(&mut self, now: Time, datagram: Datagram);

    /// Does everything that is due, handing datagrams to `send`; when it wants to be
    /// called next. A time that is not in the future would stop the clock: it panics
    /// in the rig.
    fn poll(&mut self, now: Time, send: &mut dyn FnMut(Datagram)) -> Option<Time>;
}

/// Two peers on a network.
#[derive(Debug)]
pub struct Rig<A, B> {
    /// One peer; the host, where there is one.
    pub a: A,
    /// The other.
    pub b: B,
    /// From `a` to `b`.
    pub there: Link<Datagram>,
    /// From `b` to `a`.
    pub back: Link<Datagram>,
    /// What the links lost, by the clock, in the order in which it was sent.
    pub lost: Vec<(Time, Datagram)>,
    now: Time,
}

impl<A: Peer, B: Peer> Rig<A, B> {
    /// A rig with this weather both ways. The clock starts at one second.
    pub fn new(a: A, b: B, weather: Weather, seed: u64) -> Self {
        let (there, back) = (Link::new(weather, seed), Link::new(weather, !seed));
        Self { a, b, there, back, lost: Vec::new(), now: Time::from_millis(1000) }
    }

    /// The time now.
    pub const fn now(&self) -> Time {
        self.now
    }

    /// Runs until the clock shows `until`.
    pub fn run_until(&mut self, until: Time) {
        while self.step(until) {}
        self.now = until;
    }

    /// Runs until `done`, at the latest until the clock shows `limit`; true when it was
    /// done.
    pub fn run_while(&mut self, limit: Time, mut going: impl FnMut(&Self) -> bool) -> bool {
        while going(self) {
            if !self.step(limit) {
                return !going(self);
            }
        }
        true
    }

    /// Does what is due now and moves the clock to what comes next; false when that
    /// is after `limit`.
    fn step(&mut self, limit: Time) -> bool {
        let now = self.now;
        while let Some(datagram) = self.there.take(now) {
            if self.b.listens(datagram.to) {
                self.b.handle(now, datagram);
            }
        }
        while let Some(datagram) = self.back.take(now) {
            if self.a.listens(datagram.to) {
                self.a.handle(now, datagram);
            }
        }
        let a = poll(&mut self.a, now, &mut self.there, &mut self.lost);
        let b = poll(&mut self.b, now, &mut self.back, &mut self.lost);
        let arrivals = [self.there.next_arrival(), self.back.next_arrival()];
        let next = arrivals.into_iter().chain([a, b]).flatten().min();
        match next.filter(|next| *next <= limit) {
            Some(next) => {
                self.now = next.max(now);
                true
            }
            None => false,
        }
    }
}

fn poll(
    peer: &mut impl Peer,
    now: Time,
    link: &mut Link<Datagram>,
    lost: &mut Vec<(Time, Datagram)>,
) -> Option<Time> {
    let next = peer.poll(now, &mut |datagram| {
        let len = datagram.bytes.len();
        if let Err(datagram) = link.put(now, len, datagram) {
            lost.push((now, datagram));
        }
    });
    assert!(next.is_none_or(|next| next > now), "a peer wants to be called at {next:?}, and it is {now:?}");
    next
}
