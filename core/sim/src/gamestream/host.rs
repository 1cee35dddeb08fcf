//! The host's end of a simulated session.

use std::net::SocketAddr;
use std::time::Duration;

use punktfunk_core::enet::{self, Delivery, Event, Output, PeerId};
use punktfunk_core::gamestream::control::{Cipher, ClientMessage, HostMessage, Side, Style};
use punktfunk_core::gamestream::{audio, video};
use punktfunk_core::time::Time;

use super::{AUDIO, CONNECT_DATA, CONTROL, KEY, Settled, VIDEO, access_unit};
use crate::{Datagram, Peer};

/// Milliseconds of sound in a packet.
const SOUND_MS: u32 = 5;
/// Bytes of an Opus packet: 96 kbit/s.
const SOUND_BYTES: usize = 60;

/// Sends pictures and sound, answers requests for key frames, and speaks and listens on
/// the control channel.
pub struct HostSide {
    settled: Settled,
    video: video::Packetizer,
    /// Of the frames to come.
    pub parity: video::Parity,
    audio: audio::Packetizer,
    control: enet::Host,
    peer: Option<PeerId>,
    cipher: Cipher,
    /// Where the client's pings came from: video, sound.
    to: [Option<SocketAddr>; 2],
    next_frame: Time,
    next_sound: Time,
    key_frame_wanted: bool,
    /// Datagrams of a frame, reused.
    batch: Vec<u8>,
    /// What each frame was given, from frame 1 on.
    pub layouts: Vec<video::Layout>,
    /// Frames that were key frames.
    pub key_frames: Vec<u32>,
    /// When each frame was sent.
    pub sent_at: Vec<Time>,
    /// What the client said, besides pings.
    pub heard: Vec<ClientMessage>,
    /// When the control connection ended, and whether the client said so.
    pub ended: Option<(Time, bool)>,
    /// How often the client was seen at another address.
    pub moves: u32,
    /// Sound packets sent.
    pub sounds: u64,
}

impl HostSide {
    /// A host that begins to send when the client's pings arrive.
    pub fn new(settled: Settled, seed: u64) -> Self {
        let video = video::Packetizer::new(video::Config {
            packet_size: settled.packet_size,
            fec_percentage: settled.fec_percentage,
            min_parity: settled.min_parity,
            key: settled.encrypted.then_some(KEY),
        });
        let base = settled.fec_percentage;
        let policy =
            if settled.follows_network { video::Policy::following(base) } else { video::Policy::fixed(base) };
        let key = settled.encrypted.then_some((KEY, 7));
        let audio = audio::Packetizer::new(audio::Config { packet_ms: SOUND_MS, key });
        Self {
            settled,
            video: video.expect("the settled values are possible"),
            parity: video::Parity::new(policy, Time::from_millis(1000)),
            audio: audio.expect("the settled values are possible"),
            control: enet::Host::new(enet::Config { seed, ..enet::Config::default() }),
            peer: None,
            cipher: Cipher::new(&KEY, Side::Host, Style::V2).expect("the key has 16 bytes"),
            to: [None; 2],
            next_frame: Time(0),
            next_sound: Time(0),
            key_frame_wanted: true,
            batch: Vec::new(),
            layouts: Vec::new(),
            key_frames: Vec::new(),
            sent_at: Vec::new(),
            heard: Vec::new(),
            ended: None,
            moves: 0,
            sounds: 0,
        }
    }

    /// Says something on the control channel, reliably; nothing without a client.
    pub fn say(&mut self, message: &HostMessage) {
        let Some(peer) = self.peer else { return };
        let sealed = self.cipher.seal(&message.encode()).expect("counters are left");
        self.control.send(peer, 0, &sealed, Delivery::Reliable).expect("the client is connected");
    }

    /// Ends the control connection in order.
    pub fn disconnect(&mut self, now: Time) {
        if let Some(peer) = self.peer {
            self.control.disconnect(now, peer);
        }
    }

    fn picture(&mut self, now: Time, send: &mut dyn FnMut(Datagram)) {
        let Some(to) = self.to[0] else { return };
        let index = self.video.next_frame_index();
        self.video.set_fec_percentage(self.parity.percentage(now));
        let is_key = std::mem::take(&mut self.key_frame_wanted);
        let len = if is_key { self.settled.key_frame_bytes } else { self.settled.frame_bytes };
        let data = access_unit(index, len);
        let kind = if is_key { video::FrameKind::Idr } else { video::FrameKind::P };
        let timestamp_90k = u32::try_from((now.0 * 9 / 100) & 0xFFFF_FFFF).unwrap_or(1);
        self.batch.clear();
        let frame = video::Frame { kind, timestamp_90k, latency_tenths_ms: 30, data: &data };
        let layout = self.video.packetize(frame, &mut self.batch).expect("the frame is small enough");
        for datagram in self.batch.chunks(layout.datagram_len) {
            send(Datagram { from: VIDEO, to, bytes: datagram.to_vec() });
        }
        if is_key {
            self.key_frames.push(index);
        }
        self.layouts.push(layout);
        self.sent_at.push(now);
    }

    fn sound(&mut self, send: &mut dyn FnMut(Datagram)) {
        let Some(to) = self.to[1] else { return };
        let opus = access_unit(u32::from(self.audio.next_sequence()), SOUND_BYTES);
        self.audio
            .packetize(&opus, &mut |datagram| {
                send(Datagram { from: AUDIO, to, bytes: datagram.to_vec() });
            })
            .expect("the packet is short enough");
        self.sounds += 1;
    }

    fn event(&mut self, now: Time, event: Event) {
        match event {
            Event::Connected { peer, data, .. } => {
                assert_eq!(data, CONNECT_DATA);
                self.peer = Some(peer);
            }
            Event::Message { bytes, .. } => self.message(now, &bytes),
            Event::Moved { peer, addr, payload } if self.cipher.is_genuine(&payload) => {
                self.moves += 1;
                self.control.accept_move(peer, addr);
            }
            Event::Disconnected { by_peer, .. } => {
                self.peer = None;
                self.to = [None; 2];
                self.ended = Some((now, by_peer));
            }
            _ => {}
        }
    }

    fn message(&mut self, now: Time, bytes: &[u8]) {
        let Ok(message) = self.cipher.open(bytes) else { return };
        match ClientMessage::decode(&message) {
            Ok(ClientMessage::Ping) => {}
            Ok(message) => {
                match &message {
                    ClientMessage::FecStatus(status) => self.parity.report(now, status),
                    ClientMessage::IdrRequest => {
                        self.parity.lost(now);
                        self.key_frame_wanted = true;
                    }
                    _ => {}
                }
                self.heard.push(message);
            }
            Err(error) => panic!("a message of the client: {error}"),
        }
    }
}

impl Peer for HostSide {
    fn listens(&self, to: SocketAddr) -> bool {
        [VIDEO, CONTROL, AUDIO].contains(&to)
    }

    fn handle(&mut self, now: Time, datagram: Datagram) {
        if datagram.to == CONTROL {
            // What is dropped has no effect, which is what these tests are about.
            let _ = self.control.handle(now, datagram.from, &datagram.bytes);
            return;
        }
        let plane = usize::from(datagram.to == AUDIO);
        if self.to[plane].is_none() {
            let next = if plane == 0 { &mut self.next_frame } else { &mut self.next_sound };
            *next = now;
        }
        self.to[plane] = Some(datagram.from);
    }

    fn poll(&mut self, now: Time, send: &mut dyn FnMut(Datagram)) -> Option<Time> {
        while self.to[0].is_some() && self.next_frame <= now {
            self.picture(now, send);
            self.next_frame = self.next_frame + self.settled.interval;
        }
        while self.to[1].is_some() && self.next_sound <= now {
            self.sound(send);
            self.next_sound = self.next_sound + Duration::from_millis(u64::from(SOUND_MS));
        }
        let control = loop {
            match self.control.poll(now) {
                Output::Transmit { to, bytes } => send(Datagram { from: CONTROL, to, bytes }),
                Output::Event(event) => self.event(now, event),
                Output::Deadline(deadline) => break deadline,
            }
        };
        let media = [(self.to[0], self.next_frame), (self.to[1], self.next_sound)];
        media.into_iter().filter_map(|(to, next)| to.map(|_| next)).chain(control).min()
    }
}
