//! The accepting end: many peers behind one socket.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use super::link::{Ids, Link, State};
use super::wire::{self, Body, CONNECTION, Command, Handshake, Head, NO_PEER};
use super::{Config, Delivery, Dropped, Event, Output, PeerId, SendError};
use crate::time::Time;

/// Links kept at most, those that are over included.
const SPARE_LINKS: usize = 16;

/// Accepts peers and talks to all of them.
#[derive(Clone, Debug)]
pub struct Host {
    config: Config,
    links: Vec<Link>,
    events: VecDeque<Event>,
    last_words: VecDeque<(SocketAddr, Vec<u8>)>,
    ids: super::Ids,
    next_peer: u64,
}

impl Host {
    /// A host without peers.
    pub const fn new(config: Config) -> Self {
        let ids = super::Ids(config.seed);
        Self {
            config,
            links: Vec::new(),
            events: VecDeque::new(),
            last_words: VecDeque::new(),
            ids,
            next_peer: 1,
        }
    }

    /// Takes one datagram. An error says why it was dropped; nothing else follows
    /// from it.
    pub fn handle(&mut self, now: Time, from: SocketAddr, datagram: &[u8]) -> Result<(), Dropped> {
        let (head, commands) = wire::decode(datagram)?;
        if head.peer == NO_PEER {
            return self.accept(now, from, &head, &commands);
        }
        let Some(link) = self.links.iter_mut().find(|link| link.is_addressed(&head)) else {
            return Err(Dropped::Unknown);
        };
        if link.addr == from {
            link.asked = None;
            link.handle(now, &head, &commands, &mut self.events);
            return Ok(());
        }
        if link.state == State::Connected && link.asked != Some(from) {
            let payload = commands.iter().find_map(|command| match command.body {
                Body::Reliable(data) | Body::Unreliable { data, .. } | Body::Unsequenced { data, .. } => {
                    Some(data)
                }
                _ => None,
            });
            if let Some(payload) = payload {
                link.asked = Some(from);
                let moved = Event::Moved { peer: link.peer, addr: from, payload: payload.to_vec() };
                self.events.push_back(moved);
            }
        }
        Err(Dropped::Elsewhere)
    }

    fn accept(
        &mut self,
        now: Time,
        from: SocketAddr,
        head: &Head,
        commands: &[Command<'_>],
    ) -> Result<(), Dropped> {
        let [Command { acknowledge: true, channel: CONNECTION, seq: 1, body, .. }] = commands else {
            return Err(Dropped::BadHandshake);
        };
        let Body::Connect { handshake: asked, data } = *body else { return Err(Dropped::BadHandshake) };
        let channels = u8::try_from(asked.channels).map_err(|_| Dropped::BadHandshake)?;
        if channels == 0 || asked.peer >= NO_PEER || head.sent.is_none() {
            return Err(Dropped::BadHandshake);
        }
        let same = |link: &Link| link.addr == from && link.ids.connect_id == asked.connect_id;
        if self.links.iter().any(same) {
            return Err(Dropped::Repeated);
        }
        self.make_room()?;
        let ids = Ids {
            ours: self.unused_id(),
            theirs: asked.peer,
            incoming_session: next_session(asked.outgoing_session),
            outgoing_session: next_session(asked.incoming_session),
            connect_id: asked.connect_id,
        };
        let channels = channels.min(self.config.channels.max(1));
        let peer = PeerId(self.next_peer);
        self.next_peer += 1;
        let mut link = Link::new(peer, from, ids, State::Answered, channels, &self.config, now);
        link.data = data;
        link.mtu = link.mtu.min(usize::try_from(asked.mtu.clamp(576, 4096)).unwrap_or(576));
        link.out.connection(Body::Verify(Handshake {
            peer: ids.ours,
            incoming_session: ids.outgoing_session,
            outgoing_session: ids.incoming_session,
            mtu: u32::try_from(link.mtu).unwrap_or(576),
            window: asked.window.clamp(4096, 65536),
            channels: u32::from(channels),
            incoming_bandwidth: 0,
            outgoing_bandwidth: 0,
            ..asked
        }));
        self.links.push(link);
        Ok(())
    }

    /// Sees to it that there is a place for one more half-open connection.
    fn make_room(&mut self) -> Result<(), Dropped> {
        if self.links.iter().filter(|link| !link.is_over()).count() >= self.config.max_peers {
            let half_open = self.links.iter().position(|link| link.state == State::Answered);
            self.links.remove(half_open.ok_or(Dropped::Full)?);
        }
        let half_open = self.links.iter().filter(|link| link.state == State::Answered).count();
        if half_open >= self.config.max_half_open.max(1) {
            // They are in the order of their arrival, so the first is the oldest.
            if let Some(oldest) = self.links.iter().position(|link| link.state == State::Answered) {
                self.links.remove(oldest);
            }
        }
        if self.links.len() >= self.config.max_peers + SPARE_LINKS {
            let over = self.links.iter().position(Link::is_over);
            self.links.remove(over.ok_or(Dropped::Full)?);
        }
        Ok(())
    }

    fn unused_id(&mut self) -> u16 {
        loop {
            let id = u16::try_from(self.ids.next() % u64::from(NO_PEER)).unwrap_or(0);
            if self.links.iter().all(|link| link.ids.ours != id) {
                return id;
            }
        }
    }

    /// What to do next. Call it after every other call and at the deadline it
    /// names, until it answers [`Output::Deadline`].
    pub fn poll(&mut self, now: Time) -> Output {
        for link in &mut self.links {
            link.tick(now, &mut self.events);
        }
        if let Some(event) = self.events.pop_front() {
            return Output::Event(event);
        }
        if let Some((to, bytes)) = self.last_words.pop_front() {
            return Output::Transmit { to, bytes };
        }
        for link in &mut self.links {
            if let Some(bytes) = link.datagram(now) {
                return Output::Transmit { to: link.addr, bytes };
            }
        }
        self.links.retain(|link| !matches!(link.state, State::Over(until) if until <= now));
        Output::Deadline(self.links.iter().filter_map(Link::deadline).min())
    }

    fn link(&mut self, peer: PeerId) -> Option<&mut Link> {
        self.links.iter_mut().find(|link| link.peer == peer)
    }

    /// Queues a message to a connected peer.
    pub fn send(
        &mut self,
        peer: PeerId,
        channel: u8,
        bytes: &[u8],
        delivery: Delivery,
    ) -> Result<(), SendError> {
        self.link(peer).ok_or(SendError::NotConnected)?.send(channel, bytes, delivery)
    }

    /// Ends a connection after everything reliable was acknowledged.
    pub fn disconnect(&mut self, now: Time, peer: PeerId) {
        if let Some(link) = self.link(peer) {
            link.disconnect(now);
        }
    }

    /// Ends a connection at once; tells the peer, but does not wait for an answer
    /// and reports no event.
    pub fn reset(&mut self, now: Time, peer: PeerId) {
        if let Some(link) = self.link(peer).filter(|link| !link.is_over()) {
            let words = (link.addr, link.reset(now));
            self.last_words.push_back(words);
        }
    }

    /// The peer is at `addr` from now on: a message of [`Event::Moved`] was genuine.
    pub fn accept_move(&mut self, peer: PeerId, addr: SocketAddr) {
        if let Some(link) = self.link(peer) {
            link.addr = addr;
            link.asked = None;
        }
    }

    /// Where a peer is.
    pub fn address(&self, peer: PeerId) -> Option<SocketAddr> {
        self.links.iter().find(|link| link.peer == peer && !link.is_over()).map(|link| link.addr)
    }

    /// The round-trip time of a peer, smoothed.
    pub fn round_trip(&self, peer: PeerId) -> Option<Duration> {
        self.links.iter().find(|link| link.peer == peer).map(|link| link.out.rtt())
    }

    /// Connections that exist, unfinished handshakes included.
    pub fn peer_count(&self) -> usize {
        self.links.iter().filter(|link| !link.is_over()).count()
    }
}

/// The session after an old one; 0xFF stands for none.
const fn next_session(old: u8) -> u8 {
    old.wrapping_add(1) & 3
}
