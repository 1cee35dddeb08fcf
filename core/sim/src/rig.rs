//! Two peers, the links between them and their clock.

use std::net::SocketAddr;

use punktfunk_core::time::Time;

use crate::{Link, Trace, Weather};

/// Bytes of a datagram that are hashed in any case.
const HEAD: usize = 32;

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

    /// A hash of what the peer did that no datagram shows, for [`Rig::trace`].
    fn trace(&self) -> u64 {
        0
    }
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
    /// False to forget what is lost, and to hash only the heads of datagrams: for runs that
    /// are long.
    pub keeps_lost: bool,
    /// Added to the ports that `b` is seen at.
    shift: u16,
    trace: Trace,
    now: Time,
}

impl<A: Peer, B: Peer> Rig<A, B> {
    /// A rig with this weather both ways. The clock starts at one second.
    pub fn new(a: A, b: B, weather: Weather, seed: u64) -> Self {
        let (there, back) = (Link::new(weather, seed), Link::new(weather, !seed));
        let now = Time::from_millis(1000);
        Self { a, b, there, back, lost: Vec::new(), keeps_lost: true, shift: 0, trace: Trace::new(), now }
    }

    /// The same with a clock that starts at `now`, to see counters of time wrap.
    #[must_use]
    pub const fn starting_at(mut self, now: Time) -> Self {
        self.now = now;
        self
    }

    /// The time now.
    pub const fn now(&self) -> Time {
        self.now
    }

    /// A hash of all that was sent, lost and delivered, when, and of what the peers did
    /// besides: two runs that differ in anything differ here.
    pub fn trace(&self) -> u64 {
        let mut trace = self.trace;
        trace.word(self.a.trace());
        trace.word(self.b.trace());
        trace.value()
    }

    /// Another path: from now on `b` is seen at other ports, and what is sent to the old
    /// ones never arrives. It is not told, as behind a router that lost its table.
    pub const fn rebind(&mut self) {
        self.shift += 1;
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
        while let Some(mut datagram) = self.there.take(now) {
            let port = datagram.to.port().wrapping_sub(self.shift);
            datagram.to.set_port(port);
            self.trace.word(now.0 << 1);
            self.trace.bytes(datagram.bytes.get(..16).unwrap_or(&datagram.bytes));
            if self.b.listens(datagram.to) {
                self.b.handle(now, datagram);
            }
        }
        while let Some(datagram) = self.back.take(now) {
            self.trace.word(now.0 << 1 | 1);
            self.trace.bytes(datagram.bytes.get(..16).unwrap_or(&datagram.bytes));
            if self.a.listens(datagram.to) {
                self.a.handle(now, datagram);
            }
        }
        let mut lost = self.keeps_lost.then_some(&mut self.lost);
        let a = poll(&mut self.a, now, &mut self.there, 0, &mut lost, &mut self.trace);
        let b = poll(&mut self.b, now, &mut self.back, self.shift, &mut lost, &mut self.trace);
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

/// Polls a peer whose ports are seen `shift` higher than they are.
fn poll(
    peer: &mut impl Peer,
    now: Time,
    link: &mut Link<Datagram>,
    shift: u16,
    lost: &mut Option<&mut Vec<(Time, Datagram)>>,
    trace: &mut Trace,
) -> Option<Time> {
    let next = peer.poll(now, &mut |mut datagram| {
        let port = datagram.from.port().wrapping_add(shift);
        datagram.from.set_port(port);
        trace.word(now.0);
        trace.word(u64::from(port) << 16 | u64::from(datagram.to.port()));
        let hashed = if lost.is_some() { datagram.bytes.len() } else { HEAD.min(datagram.bytes.len()) };
        trace.bytes(&datagram.bytes[..hashed]);
        let len = datagram.bytes.len();
        if let Err(datagram) = link.put(now, len, datagram) {
            trace.word(u64::MAX);
            if let Some(lost) = lost {
                lost.push((now, datagram));
            }
        }
    });
    assert!(next.is_none_or(|next| next > now), "a peer wants to be called at {next:?}, and it is {now:?}");
    next
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Says a number each millisecond to whom it heard last, and keeps what it hears.
    struct Talker {
        me: SocketAddr,
        to: SocketAddr,
        next: Time,
        said: u8,
        step: u8,
        heard: Vec<(SocketAddr, u8)>,
    }

    fn talker(me: u16, to: u16, step: u8) -> Talker {
        let address = |port| SocketAddr::from(([10, 0, 0, 1], port));
        Talker { me: address(me), to: address(to), next: Time(0), said: 0, step, heard: Vec::new() }
    }

    impl Peer for Talker {
        fn listens(&self, to: SocketAddr) -> bool {
            to == self.me
        }

        fn handle(&mut self, _: Time, datagram: Datagram) {
            self.to = datagram.from;
            self.heard.push((datagram.from, datagram.bytes[0]));
        }

        fn poll(&mut self, now: Time, send: &mut dyn FnMut(Datagram)) -> Option<Time> {
            if now >= self.next {
                self.said = self.said.wrapping_add(self.step);
                self.next = now + Duration::from_millis(1);
                send(Datagram { from: self.me, to: self.to, bytes: vec![self.said] });
            }
            Some(self.next)
        }

        fn trace(&self) -> u64 {
            self.heard.len() as u64
        }
    }

    fn rig(weather: Weather, seed: u64) -> Rig<Talker, Talker> {
        Rig::new(talker(1, 100, 1), talker(100, 1, 1), weather, seed)
    }

    #[test]
    fn one_seed_gives_one_trace_and_any_difference_another() {
        let weather = Weather { reordered: 0.01, reorder_by: Duration::from_millis(3), ..Weather::FOUL };
        let play = |seed, differ: &dyn Fn(&mut Rig<Talker, Talker>)| {
            let mut rig = rig(weather, seed);
            differ(&mut rig);
            rig.run_until(Time::from_millis(3000));
            rig.trace()
        };
        let same = play(1, &|_| {});
        assert_eq!(play(1, &|_| {}), same);
        let mut seen = std::collections::HashSet::from([same, play(2, &|_| {})]);
        assert!(seen.insert(play(1, &|rig| rig.b.step = 3)), "other bytes");
        let unseen = (SocketAddr::from(([1, 1, 1, 1], 1)), 0);
        assert!(seen.insert(play(1, &|rig| rig.b.heard.push(unseen))), "something that no datagram shows");
        assert!(seen.insert(play(1, &|rig| rig.b.next = Time(1_000_001))), "a microsecond later");
        assert_eq!(seen.len(), 5);
    }

    #[test]
    fn a_rebound_peer_is_seen_elsewhere_and_what_goes_to_its_old_place_is_lost() {
        let mut rig = rig(Weather::FAIR, 1);
        rig.run_until(Time(1_010_500));
        let before = rig.b.heard.len();
        rig.rebind();
        rig.run_until(Time(1_020_500));
        let ports: Vec<u16> = rig.a.heard.iter().map(|(from, _)| from.port()).collect();
        // Eleven were sent before, the last of them was still on its way.
        assert_eq!(ports.iter().filter(|port| **port == 100).count(), 11);
        assert!(ports[11..].iter().all(|port| *port == 101) && ports.len() > 18);
        // One on its way and one sent before the other side knew are lost.
        let lost = 10 - (rig.b.heard.len() - before);
        assert_eq!(lost, 2, "{:?}", rig.b.heard);
    }
}
