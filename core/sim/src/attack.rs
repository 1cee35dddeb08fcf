//! Somebody on the path who has no keys and sends damaged copies of what he sees.

use std::collections::VecDeque;
use std::net::SocketAddr;

use punktfunk_core::time::Time;

use crate::{Datagram, Peer, Rng};

/// Datagrams remembered, to be sent again.
const RECENT: usize = 64;

/// What the attacker makes of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mutation {
    /// One to eight bits are other ones.
    Flipped,
    /// The beginning of it.
    Cut,
    /// It, and more.
    Longer,
    /// The beginning of one and the end of another.
    Spliced,
    /// An older one again, as it was.
    Replayed,
    /// Bytes of no datagram, often behind a tag that looks right.
    Rubbish,
}

impl Mutation {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Flipped, Self::Cut, Self::Longer, Self::Spliced, Self::Replayed, Self::Rubbish];
    /// Those that leave its length as it was: a receiver may tell the other side of lengths
    /// that no sender makes, whoever made them.
    pub const SAME_LENGTH: [Self; 3] = [Self::Flipped, Self::Spliced, Self::Replayed];
}

/// A peer that gets every datagram, and after it mutated copies from another address.
#[derive(Debug)]
pub struct Attacked<P> {
    /// The peer itself.
    pub peer: P,
    /// Mutated datagrams that it was given.
    pub mutated: u64,
    mutations: &'static [Mutation],
    copies: u32,
    rng: Rng,
    recent: VecDeque<Vec<u8>>,
    from: SocketAddr,
}

impl<P> Attacked<P> {
    /// So many mutated copies of each datagram, drawn from `seed`.
    pub fn new(peer: P, mutations: &'static [Mutation], copies: u32, seed: u64) -> Self {
        let from = SocketAddr::from(([66, 6, 6, 6], 666));
        Self { peer, mutated: 0, mutations, copies, rng: Rng::new(seed), recent: VecDeque::new(), from }
    }

    fn mutate(&mut self, original: &[u8]) -> Vec<u8> {
        let rng = &mut self.rng;
        let mut below = |limit: usize| rng.below(limit as u64) as usize;
        let mut bytes = original.to_vec();
        let other = self.recent.get(below(self.recent.len())).map_or(original, Vec::as_slice);
        match self.mutations.get(below(self.mutations.len())).copied().unwrap_or(Mutation::Rubbish) {
            Mutation::Flipped => {
                // Each bit at most once: two flips of one would leave it as it was.
                let (first, count) = (below(bytes.len() * 8), 1 + below(8));
                for flip in 0..count {
                    let bit = (first + flip * 13) % (bytes.len() * 8).max(1);
                    bytes[bit / 8] ^= 1 << (bit % 8);
                }
            }
            Mutation::Cut => bytes.truncate(below(original.len())),
            Mutation::Longer => bytes.extend_from_slice(&other[..1 + below(other.len() - 1)]),
            Mutation::Spliced => {
                let end = original.len().min(other.len());
                let at = below(end);
                bytes[at..end].copy_from_slice(&other[at..end]);
            }
            Mutation::Replayed => bytes = other.to_vec(),
            Mutation::Rubbish => {
                bytes.truncate(below(original.len()));
                let kept = if below(2) == 0 { 1 } else { 13 };
                for byte in bytes.iter_mut().skip(kept) {
                    *byte = below(256) as u8;
                }
            }
        }
        bytes
    }
}

impl<P: Peer> Peer for Attacked<P> {
    fn listens(&self, to: SocketAddr) -> bool {
        self.peer.listens(to)
    }

    fn handle(&mut self, now: Time, datagram: Datagram) {
        let original = datagram.bytes.clone();
        let to = datagram.to;
        self.peer.handle(now, datagram);
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(original);
        for _ in 0..self.copies {
            let last = self.recent.back().cloned().unwrap_or_default();
            let bytes = self.mutate(&last);
            self.mutated += 1;
            self.peer.handle(now, Datagram { from: self.from, to, bytes });
        }
    }

    fn poll(&mut self, now: Time, send: &mut dyn FnMut(Datagram)) -> Option<Time> {
        self.peer.poll(now, send)
    }

    fn trace(&self) -> u64 {
        self.peer.trace()
    }
}
