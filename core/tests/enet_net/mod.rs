//! A network in virtual time between our ENet and a complete one (rusty_enet).

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use punktfunk_core::enet::{Client, Event, Host, Output, PeerId};
use punktfunk_core::time::Time;

pub const OURS: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1)), 47999);
pub const THEIRS: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2)), 50000);

/// What the network does to datagrams, in percent and milliseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weather {
    pub loss: u64,
    pub duplicates: u64,
    pub delay: u64,
    pub jitter: u64,
}

#[derive(Debug)]
struct Flying {
    at: u64,
    from: SocketAddr,
    to: SocketAddr,
    bytes: Vec<u8>,
}

/// Datagrams on their way.
#[derive(Debug)]
pub struct Air {
    /// Where the other end is now; what flies to a place it has left is lost.
    pub theirs: SocketAddr,
    /// Nothing arrives any more.
    pub cut: bool,
    weather: Weather,
    seed: u64,
    now: u64,
    flying: Vec<Flying>,
}

impl Air {
    fn random(&mut self, below: u64) -> u64 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        self.seed % below.max(1)
    }

    pub fn send(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        let copies = if self.random(100) < self.weather.duplicates { 2 } else { 1 };
        for _ in 0..copies {
            if self.random(100) < self.weather.loss || self.cut {
                continue;
            }
            let at = self.now + self.weather.delay + self.random(self.weather.jitter + 1);
            self.flying.push(Flying { at, from, to, bytes: bytes.to_vec() });
        }
    }

    fn receive(&mut self, to: SocketAddr) -> Option<(SocketAddr, Vec<u8>)> {
        let now = self.now;
        let due = |flying: &(usize, &Flying)| flying.1.to == to && flying.1.at <= now;
        let (at, _) = self.flying.iter().enumerate().filter(due).min_by_key(|(_, flying)| flying.at)?;
        let flying = self.flying.remove(at);
        Some((flying.from, flying.bytes))
    }
}

/// The socket of the other implementation.
#[derive(Debug)]
pub struct Socket(Rc<RefCell<Air>>);

impl rusty_enet::Socket for Socket {
    type Address = SocketAddr;
    type Error = Infallible;

    fn send(&mut self, address: SocketAddr, buffer: &[u8]) -> Result<usize, Infallible> {
        let mut air = self.0.borrow_mut();
        let from = air.theirs;
        air.send(from, address, buffer);
        Ok(buffer.len())
    }

    fn receive(
        &mut self,
        buffer: &mut [u8; rusty_enet::MTU_MAX],
    ) -> Result<Option<(SocketAddr, rusty_enet::PacketReceived)>, Infallible> {
        let mut air = self.0.borrow_mut();
        let here = air.theirs;
        let Some((from, bytes)) = air.receive(here) else { return Ok(None) };
        buffer[..bytes.len()].copy_from_slice(&bytes);
        Ok(Some((from, rusty_enet::PacketReceived::Complete(bytes.len()))))
    }
}

/// Our end: either role.
pub enum Ours {
    Host(Host),
    Client(Box<Client>),
}

impl Ours {
    fn handle(&mut self, now: Time, from: SocketAddr, bytes: &[u8]) {
        let _ = match self {
            Self::Host(host) => host.handle(now, from, bytes),
            Self::Client(client) => client.handle(now, from, bytes),
        };
    }

    fn poll(&mut self, now: Time) -> Output {
        match self {
            Self::Host(host) => host.poll(now),
            Self::Client(client) => client.poll(now),
        }
    }
}

/// What the other implementation heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    Connected { data: u32 },
    Message { channel: u8, bytes: Vec<u8> },
    Disconnected,
}

/// Both ends and what lies between.
pub struct World {
    pub air: Rc<RefCell<Air>>,
    clock: Rc<Cell<u64>>,
    pub ours: Ours,
    pub theirs: rusty_enet::Host<Socket>,
    /// The peer id of the other end at ours, once connected.
    pub peer: PeerId,
    pub events: Vec<Event>,
    pub heard: Vec<Heard>,
    pub longest: usize,
}

impl World {
    pub fn new(ours: Ours, weather: Weather, seed: u64) -> Self {
        // Away from 0, so that the 16-bit times wrap in the course of a test.
        let start = 60_000;
        let air = Rc::new(RefCell::new(Air {
            theirs: THEIRS,
            cut: false,
            weather,
            seed: seed | 1,
            now: start,
            flying: Vec::new(),
        }));
        let clock = Rc::new(Cell::new(start));
        let ticks = Rc::clone(&clock);
        let settings = rusty_enet::HostSettings {
            peer_limit: 4,
            channel_limit: 48,
            time: Box::new(move || Duration::from_millis(ticks.get())),
            seed: Some(u32::try_from(seed & 0xFFFF).unwrap()),
            ..Default::default()
        };
        let theirs = rusty_enet::Host::new(Socket(Rc::clone(&air)), settings).unwrap();
        Self { air, clock, ours, theirs, peer: PeerId(0), events: Vec::new(), heard: Vec::new(), longest: 0 }
    }

    pub fn now(&self) -> Time {
        Time::from_millis(self.clock.get())
    }

    /// Our host; panics when we are the client.
    pub fn host(&mut self) -> &mut Host {
        match &mut self.ours {
            Ours::Host(host) => host,
            Ours::Client(_) => panic!("we are the client"),
        }
    }

    /// Our client; panics when we are the host.
    pub fn client(&mut self) -> &mut Client {
        match &mut self.ours {
            Ours::Client(client) => client,
            Ours::Host(_) => panic!("we are the host"),
        }
    }

    /// The only peer the other end has.
    pub fn their_peer(&mut self) -> &mut rusty_enet::Peer<Socket> {
        self.theirs.peer_mut(rusty_enet::PeerID(0))
    }

    /// Lets so many milliseconds pass.
    pub fn run(&mut self, millis: u64) {
        for _ in 0..millis {
            let now = self.clock.get() + 1;
            self.clock.set(now);
            self.air.borrow_mut().now = now;
            self.step_ours();
            self.step_theirs();
        }
    }

    /// Lets time pass until `done`, at most ten minutes.
    pub fn run_until(&mut self, done: impl Fn(&Self) -> bool) {
        for _ in 0..600_000 {
            if done(self) {
                return;
            }
            self.run(1);
        }
        panic!("ten minutes passed: {} events, {} heard", self.events.len(), self.heard.len());
    }

    fn step_ours(&mut self) {
        let now = self.now();
        loop {
            let received = self.air.borrow_mut().receive(OURS);
            let Some((from, bytes)) = received else { break };
            self.ours.handle(now, from, &bytes);
        }
        loop {
            match self.ours.poll(now) {
                Output::Transmit { to, bytes } => {
                    self.longest = self.longest.max(bytes.len());
                    self.air.borrow_mut().send(OURS, to, &bytes);
                }
                Output::Event(event) => {
                    match (&event, &mut self.ours) {
                        (Event::Connected { peer, .. }, _) => self.peer = *peer,
                        // The payload was looked at by whoever has the key: here it is genuine.
                        (Event::Moved { peer, addr, .. }, Ours::Host(host)) => {
                            host.accept_move(*peer, *addr);
                        }
                        _ => {}
                    }
                    self.events.push(event);
                }
                Output::Deadline(deadline) => {
                    assert!(deadline.is_none_or(|at| at > now), "polled in vain");
                    return;
                }
            }
        }
    }

    fn step_theirs(&mut self) {
        while let Some(event) = self.theirs.service().unwrap() {
            self.heard.push(match event.no_ref() {
                rusty_enet::EventNoRef::Connect { data, .. } => Heard::Connected { data },
                rusty_enet::EventNoRef::Disconnect { .. } => Heard::Disconnected,
                rusty_enet::EventNoRef::Receive { channel_id, packet, .. } => {
                    Heard::Message { channel: channel_id, bytes: packet.data().to_vec() }
                }
            });
        }
    }

    /// The messages we heard on a channel.
    pub fn our_messages(&self, on: u8) -> Vec<Vec<u8>> {
        let message = |event: &Event| match event {
            Event::Message { channel, bytes, .. } if *channel == on => Some(bytes.clone()),
            _ => None,
        };
        self.events.iter().filter_map(message).collect()
    }

    /// The messages they heard on a channel.
    pub fn their_messages(&self, on: u8) -> Vec<Vec<u8>> {
        let message = |heard: &Heard| match heard {
            Heard::Message { channel, bytes } if *channel == on => Some(bytes.clone()),
            _ => None,
        };
        self.heard.iter().filter_map(message).collect()
    }
}
