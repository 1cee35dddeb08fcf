//! The connecting end: one peer, as the probe and the tests use it.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::link::{Ids, Link, State};
use super::wire::{self, Body, Handshake, NO_PEER};
use super::{Config, Delivery, Dropped, Event, Output, PeerId, SendError};
use crate::time::Time;

/// The one peer a client has.
const PEER: PeerId = PeerId(0);

/// One connection to a host. Its events name [`PeerId`] 0.
#[derive(Clone, Debug)]
pub struct Client {
    link: Link,
    handshake: Handshake,
    events: VecDeque<Event>,
    last_words: VecDeque<Vec<u8>>,
}

impl Client {
    /// Begins to connect to the host at `addr`, for `config.channels` channels;
    /// `data` is what the host hears with it (`X-SS-Connect-Data`).
    pub fn new(now: Time, addr: SocketAddr, data: u32, config: &Config) -> Self {
        let mut numbers = super::Ids(config.seed);
        let [a, b, c, d, ..] = numbers.next().to_be_bytes();
        let connect_id = [a, b, c, d];
        let channels = config.channels.max(1);
        let ids =
            Ids { ours: 0, theirs: NO_PEER, incoming_session: 0xFF, outgoing_session: 0xFF, connect_id };
        let mut link = Link::new(PEER, addr, ids, State::Connecting, channels, config, now);
        let handshake = Handshake {
            peer: 0,
            incoming_session: 0xFF,
            outgoing_session: 0xFF,
            mtu: u32::try_from(link.mtu).unwrap_or(576),
            window: 65536,
            channels: u32::from(channels),
            incoming_bandwidth: 0,
            outgoing_bandwidth: 0,
            throttle: [5000, 2, 2],
            connect_id,
        };
        link.out.connection(Body::Connect { handshake, data });
        Self { link, handshake, events: VecDeque::new(), last_words: VecDeque::new() }
    }

    /// Takes one datagram. An error says why it was dropped.
    pub fn handle(&mut self, now: Time, from: SocketAddr, datagram: &[u8]) -> Result<(), Dropped> {
        let (head, commands) = wire::decode(datagram)?;
        if from != self.link.addr {
            return Err(Dropped::Elsewhere);
        }
        if self.link.state == State::Connecting {
            let answer = commands.iter().find_map(|command| match command.body {
                Body::Verify(handshake) => Some((command, handshake)),
                _ => None,
            });
            let Some((command, answer)) = answer.filter(|_| head.peer == self.link.ids.ours) else {
                return Err(Dropped::Unknown);
            };
            self.verified(now, &answer)?;
            self.link.acknowledge(&head, command);
            let rest: Vec<_> = commands.iter().filter(|other| *other != command).copied().collect();
            self.link.handle(now, &head, &rest, &mut self.events);
            return Ok(());
        }
        if !self.link.is_addressed(&head) {
            return Err(Dropped::Unknown);
        }
        self.link.handle(now, &head, &commands, &mut self.events);
        Ok(())
    }

    fn verified(&mut self, now: Time, answer: &Handshake) -> Result<(), Dropped> {
        let asked = &self.handshake;
        let channels = u8::try_from(answer.channels).map_err(|_| Dropped::BadHandshake)?;
        let echoed = answer.connect_id == asked.connect_id && answer.throttle == asked.throttle;
        if !echoed || channels == 0 || answer.channels > asked.channels || answer.peer >= NO_PEER {
            return Err(Dropped::BadHandshake);
        }
        let link = &mut self.link;
        link.ids.theirs = answer.peer;
        link.ids.incoming_session = answer.incoming_session & 3;
        link.ids.outgoing_session = answer.outgoing_session & 3;
        link.mtu = link.mtu.min(usize::try_from(answer.mtu.clamp(576, 4096)).unwrap_or(576));
        link.limit_channels(channels);
        link.out.connect_answered(now);
        link.state = State::Connected;
        self.events.push_back(Event::Connected { peer: PEER, data: 0, addr: link.addr });
        Ok(())
    }

    /// What to do next. Call it after every other call and at the deadline it
    /// names, until it answers [`Output::Deadline`].
    pub fn poll(&mut self, now: Time) -> Output {
        self.link.tick(now, &mut self.events);
        if let Some(event) = self.events.pop_front() {
            return Output::Event(event);
        }
        let to = self.link.addr;
        if let Some(bytes) = self.last_words.pop_front().or_else(|| self.link.datagram(now)) {
            return Output::Transmit { to, bytes };
        }
        match self.link.state {
            State::Over(until) if until <= now => Output::Deadline(None),
            _ => Output::Deadline(self.link.deadline()),
        }
    }

    /// Queues a message. Channels the host did not grant are an error.
    pub fn send(&mut self, channel: u8, bytes: &[u8], delivery: Delivery) -> Result<(), SendError> {
        self.link.send(channel, bytes, delivery)
    }

    /// How many channels there are; those the host granted, once connected.
    pub fn channels(&self) -> u8 {
        self.link.out.channels()
    }

    /// True between [`Event::Connected`] and the end.
    pub fn is_connected(&self) -> bool {
        self.link.state == State::Connected
    }

    /// Ends the connection after everything reliable was acknowledged.
    pub fn disconnect(&mut self, now: Time) {
        self.link.disconnect(now);
    }

    /// Ends the connection at once; tells the host, but waits for no answer.
    pub fn reset(&mut self, now: Time) {
        if !self.link.is_over() {
            self.last_words.push_back(self.link.reset(now));
        }
    }
}
