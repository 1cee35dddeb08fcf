//! The client's end of a simulated session.

use std::net::SocketAddr;
use std::time::Duration;

use punktfunk_core::enet::{self, Delivery, Event, Output};
use punktfunk_core::gamestream::control::{Cipher, ClientMessage, FecStatus, HostMessage, Side, Style};
use punktfunk_core::gamestream::{audio, video};
use punktfunk_core::time::Time;

use super::{AUDIO, CONNECT_DATA, CONTROL, KEY, Settled, VIDEO, access_unit, address};
use crate::{Datagram, Peer};

/// How often media sockets are pinged (sheet, section 7).
const PING: Duration = Duration::from_millis(500);
/// How often control is pinged (sheet, section 14.1).
const CONTROL_PING: Duration = Duration::from_millis(100);
/// The channel of requests.
const URGENT: u8 = 1;

/// A frame that the decoder was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Its number.
    pub index: u32,
    /// When it was complete.
    pub at: Time,
    /// True when parity was needed.
    pub repaired: bool,
}

/// Pings, receives, checks, and asks for key frames as a stock client does.
pub struct ClientSide {
    settled: Settled,
    video: video::Reassembler,
    audio: audio::Receiver,
    control: enet::Client,
    cipher: Cipher,
    /// Its ports: video, sound, control.
    ports: [u16; 3],
    next_ping: Time,
    next_control_ping: Time,
    pings: u32,
    /// Frames are of no use until a key frame comes.
    waiting: bool,
    /// Frames whose picture could be shown.
    pub shown: Vec<Shown>,
    /// Frames that were lost for good: first, last, and when that was clear.
    pub lost: Vec<(u32, u32, Time)>,
    /// When a decodable frame followed each loss that was waited for.
    pub recovered_at: Vec<Time>,
    /// Sound: delivered, of those repaired, lost.
    pub sounds: audio::Counters,
    /// What the host said.
    pub heard: Vec<HostMessage>,
    /// When the control connection opened.
    pub connected_at: Option<Time>,
    /// When it ended, and whether the host said so.
    pub ended: Option<(Time, bool)>,
}

impl ClientSide {
    /// A client that connects at once.
    pub fn new(settled: Settled, now: Time, seed: u64) -> Self {
        let key = settled.encrypted.then_some(KEY);
        let video = video::Reassembler::new(settled.packet_size, key);
        let sound = audio::Config { packet_ms: 5, key: key.map(|key| (key, 7)) };
        let config = enet::Config { seed: !seed, ..enet::Config::default() };
        Self {
            settled,
            video: video.expect("the settled values are possible"),
            audio: audio::Receiver::new(sound).expect("the settled values are possible"),
            control: enet::Client::new(now, CONTROL, CONNECT_DATA, &config),
            cipher: Cipher::new(&KEY, Side::Client, Style::V2).expect("the key has 16 bytes"),
            ports: [50_000, 50_001, 50_002],
            next_ping: now,
            next_control_ping: now,
            pings: 0,
            waiting: true,
            shown: Vec::new(),
            lost: Vec::new(),
            recovered_at: Vec::new(),
            sounds: audio::Counters::default(),
            heard: Vec::new(),
            connected_at: None,
            ended: None,
        }
    }

    /// Another network: from now on the client is seen at other ports, and what is
    /// sent to the old ones is lost.
    pub fn roam(&mut self) {
        self.ports = self.ports.map(|port| port + 100);
    }

    /// Says something on a control channel.
    pub fn say(&mut self, channel: u8, message: &ClientMessage, delivery: Delivery) {
        let sealed = self.cipher.seal(&message.encode()).expect("counters are left");
        self.control.send(channel, &sealed, delivery).expect("the host is connected");
    }

    /// Ends the control connection in order.
    pub fn disconnect(&mut self, now: Time) {
        self.control.disconnect(now);
    }

    fn address(&self, plane: usize) -> SocketAddr {
        address(2, self.ports[plane])
    }

    fn frames(&mut self, now: Time) {
        while let Some(event) = self.video.poll() {
            match event {
                video::Event::Frame(frame) => {
                    let is_key = frame.kind == video::FrameKind::Idr;
                    let len = if is_key { self.settled.key_frame_bytes } else { self.settled.frame_bytes };
                    assert_eq!(frame.data, access_unit(frame.index, len), "frame {}", frame.index);
                    if self.waiting && is_key {
                        self.waiting = false;
                        self.recovered_at.push(now);
                    }
                    if frame.repaired > 0 && self.control.is_connected() {
                        self.say(0, &ClientMessage::FecStatus(status(&frame)), Delivery::Unsequenced);
                    }
                    if !self.waiting {
                        self.shown.push(Shown { index: frame.index, at: now, repaired: frame.repaired > 0 });
                    }
                }
                video::Event::Lost(lost) => {
                    self.lost.push((lost.first, lost.last, now));
                    // Also while it waits: what was lost may be the key frame (sheet, section 11).
                    self.waiting = true;
                    if self.control.is_connected() {
                        self.say(URGENT, &ClientMessage::IdrRequest, Delivery::Reliable);
                    }
                }
            }
        }
    }

    fn sounds(&mut self) {
        while let Some(event) = self.audio.poll() {
            if let audio::Event::Packet { sequence, data, .. } = event {
                assert_eq!(data, access_unit(u32::from(sequence), data.len()), "sound {sequence}");
            }
        }
        self.sounds = self.audio.counters();
    }

    fn event(&mut self, now: Time, event: Event) {
        match event {
            Event::Connected { .. } => {
                self.connected_at = Some(now);
                self.say(0, &ClientMessage::IdrRequest, Delivery::Reliable);
                self.say(0, &ClientMessage::StartB, Delivery::Reliable);
            }
            Event::Message { bytes, .. } => {
                let message = self.cipher.open(&bytes).expect("the host seals with the key");
                self.heard.push(HostMessage::decode(&message).expect("the host makes sense"));
            }
            Event::Disconnected { by_peer, .. } => self.ended = Some((now, by_peer)),
            _ => {}
        }
    }

    fn ping(&mut self, now: Time, send: &mut dyn FnMut(Datagram)) {
        self.next_ping = now + PING;
        self.pings += 1;
        for (plane, to) in [(0, VIDEO), (1, AUDIO)] {
            let bytes = [b"PINGPINGPINGPING".as_slice(), &self.pings.to_be_bytes()].concat();
            send(Datagram { from: self.address(plane), to, bytes });
        }
    }
}

/// What the client tells of a frame that needed parity.
fn status(frame: &video::Received) -> FecStatus {
    let count = |shards: usize| u16::try_from(shards).unwrap_or(u16::MAX);
    FecStatus {
        frame: frame.index,
        data_total: count(frame.data_shards),
        parity_total: count(frame.parity_shards),
        data_received: count(frame.data_shards - frame.repaired),
        parity_received: count(frame.parity_shards),
        ..FecStatus::default()
    }
}

impl Peer for ClientSide {
    fn listens(&self, to: SocketAddr) -> bool {
        (0..3).any(|plane| self.address(plane) == to)
    }

    fn handle(&mut self, now: Time, datagram: Datagram) {
        // What is dropped has no effect, which is what these tests are about.
        let _ = match datagram.from {
            VIDEO => self.video.push(&datagram.bytes).map_err(drop),
            AUDIO => self.audio.push(&datagram.bytes).map_err(drop),
            from => self.control.handle(now, from, &datagram.bytes).map_err(drop),
        };
        self.frames(now);
        self.sounds();
    }

    fn poll(&mut self, now: Time, send: &mut dyn FnMut(Datagram)) -> Option<Time> {
        if now >= self.next_ping {
            self.ping(now, send);
        }
        if now >= self.next_control_ping {
            self.next_control_ping = now + CONTROL_PING;
            if self.control.is_connected() {
                self.say(0, &ClientMessage::Ping, Delivery::Unreliable);
            }
        }
        let deadline = loop {
            match self.control.poll(now) {
                Output::Transmit { to, bytes } => send(Datagram { from: self.address(2), to, bytes }),
                Output::Event(event) => self.event(now, event),
                Output::Deadline(deadline) => break deadline,
            }
        };
        [Some(self.next_ping), Some(self.next_control_ping), deadline].into_iter().flatten().min()
    }
}
