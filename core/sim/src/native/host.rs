//! The host's end of a simulated session.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use punktfunk_core::native::flow::rate::Limiter;
use punktfunk_core::native::host::{Batch, Config, Media, Output, Unit, What};
use punktfunk_core::native::keys::{Aead, Exported};
use punktfunk_core::native::media::Flags;
use punktfunk_core::time::Time;

use super::{CLIENT, HOST, MEDIA_ID, SECRET, Setup, Source};
use crate::{Datagram, Peer, Trace};

/// A frame that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Its number.
    pub frame: u32,
    /// When its picture was taken and all of it was sent.
    pub at: Time,
    /// Bytes of the access unit.
    pub bytes: usize,
    /// Datagrams, those with parity included.
    pub datagrams: usize,
    /// It starts over.
    pub is_key: bool,
}

/// An encoder, the machine of the host and its socket.
#[derive(Debug)]
pub struct HostSide {
    media: Media,
    source: Source,
    follows_rate: bool,
    invalidates: bool,
    keeps: bool,
    /// What the network card makes of batches, while they are left to it.
    wrong_segments: Option<usize>,
    to: SocketAddr,
    interval: Duration,
    began: Time,
    /// Frames since then.
    ticks: u64,
    key_frame_wanted: bool,
    recovery_wanted: bool,
    batch: Vec<u8>,
    trace: Trace,
    /// What was sent, oldest first.
    pub sent: Vec<Sent>,
    /// How often something was sent again, by the number of its frame.
    pub repairs: HashMap<u32, u32>,
    /// Bytes of all access units.
    pub unit_bytes: u64,
    /// Datagrams of all kinds.
    pub datagrams: u64,
    /// How many frames were key frames, and how many referred to less than the one before.
    pub key_frames: u64,
    /// See `key_frames`.
    pub recoveries: u64,
    /// Every rate that was ordered: when, bits a second on the wire, why.
    pub rates: Vec<(Time, u64, Limiter)>,
    /// Bytes of a datagram now.
    pub payload: usize,
    /// When segmentation was no longer left to the network card.
    pub offload_ended: Option<Time>,
    /// How often the client was seen at another address.
    pub moves: u32,
    /// Datagrams that were opened, and those that were not.
    pub opened: u64,
    /// See `opened`.
    pub refused: u64,
}

impl HostSide {
    /// A host whose client has said Start.
    pub fn new(setup: &Setup) -> Self {
        let config = Config {
            media: MEDIA_ID,
            traffic: Exported::new(SECRET).traffic(Aead::Aes128Gcm),
            bitrate: setup.agreed,
            first_frame: setup.start.frame,
            payload: setup.payload,
            limit: setup.most_payload,
            protection: setup.protection,
        };
        Self {
            media: Media::new(setup.start.now, config)
                .expect("the setup is possible")
                .starting_at(setup.start.sequence),
            source: Source::new(setup.sizes, setup.seed),
            follows_rate: setup.follows_rate,
            invalidates: setup.invalidates,
            keeps: setup.keeps,
            wrong_segments: setup.wrong_segments,
            to: CLIENT,
            interval: Duration::from_secs(1) / setup.sizes.fps.max(1),
            began: setup.start.now,
            ticks: 0,
            key_frame_wanted: true,
            recovery_wanted: false,
            batch: Vec::new(),
            trace: Trace::new(),
            sent: Vec::new(),
            repairs: HashMap::new(),
            unit_bytes: 0,
            datagrams: 0,
            key_frames: 0,
            recoveries: 0,
            rates: Vec::new(),
            payload: setup.payload,
            offload_ended: None,
            moves: 0,
            opened: 0,
            refused: 0,
        }
    }

    /// Bits a second on the wire, as ordered last.
    pub fn rate(&self) -> u64 {
        self.media.stats().bps
    }

    /// The machine.
    pub const fn media(&self) -> &Media {
        &self.media
    }

    fn next_frame(&self) -> Time {
        // Not a sum of intervals: theirs are rounded.
        self.began + self.interval * u32::try_from(self.ticks).unwrap_or(u32::MAX)
    }

    fn picture(&mut self, now: Time, send: &mut dyn FnMut(Datagram)) {
        let frame = self.media.next_frame();
        let is_key = std::mem::take(&mut self.key_frame_wanted);
        let recovers = std::mem::take(&mut self.recovery_wanted) && !is_key;
        let mut flags = Flags::NEW_PICTURE;
        if is_key {
            flags = flags.with(Flags::KEY_FRAME);
        }
        if recovers {
            flags = flags.with(Flags::RECOVERY_POINT);
        }
        let mut data = self.media.buffer();
        data.clear();
        data.extend_from_slice(self.source.frame(frame, is_key));
        let bytes = data.len();
        self.batch.clear();
        let unit = Unit { data, taken: now, epoch: 0, flags, last: true };
        let batch = self.media.frame(now, unit, &mut self.batch).expect("the frame is small enough");
        self.transmit(batch, send);
        self.unit_bytes += bytes as u64;
        self.key_frames += u64::from(is_key);
        self.recoveries += u64::from(recovers);
        if self.keeps {
            self.sent.push(Sent { frame, at: now, bytes, datagrams: batch.datagrams, is_key });
        }
    }

    /// Hands what is in the buffer to the network, cut as its card cuts it.
    fn transmit(&mut self, batch: Batch, send: &mut dyn FnMut(Datagram)) {
        self.datagrams += batch.datagrams as u64;
        if let (What::Repair(frame), true) = (batch.what, self.keeps) {
            *self.repairs.entry(frame).or_default() += 1;
        }
        let wrong = self.wrong_segments.filter(|_| batch.datagrams > 1 && self.offload_ended.is_none());
        let size =
            if batch.what == What::Probe { batch.datagram_len } else { wrong.unwrap_or(batch.datagram_len) };
        for datagram in self.batch.chunks(size.max(1)) {
            send(Datagram { from: HOST, to: self.to, bytes: datagram.to_vec() });
        }
        self.batch.clear();
    }

    /// Does what the machine wants done.
    fn output(&mut self, now: Time, output: Output, send: &mut dyn FnMut(Datagram)) {
        match output {
            Output::Send(batch) => return self.transmit(batch, send),
            Output::KeyFrameWanted { .. } => self.key_frame_wanted = true,
            Output::Invalidate { .. } if self.invalidates => self.recovery_wanted = true,
            Output::Invalidate { .. } => self.key_frame_wanted = true,
            Output::Bitrate(rate) => {
                if self.follows_rate {
                    self.source.set_bitrate(rate.encoder);
                }
                if self.keeps {
                    self.rates.push((now, rate.whole, rate.limiter));
                }
            }
            Output::DisableGso => self.offload_ended = Some(now),
            Output::PayloadSize(size) => self.payload = size,
            Output::Acknowledged { .. } | Output::Wait(_) => {}
        }
        self.trace.word(now.0);
        self.trace.bytes(format!("{output:?}").as_bytes());
    }
}

impl Peer for HostSide {
    fn listens(&self, to: SocketAddr) -> bool {
        to == HOST
    }

    fn handle(&mut self, now: Time, mut datagram: Datagram) {
        match self.media.datagram(now, &mut datagram.bytes) {
            Ok(heard) => {
                self.opened += 1;
                if heard.newest && datagram.from != self.to {
                    self.to = datagram.from;
                    self.moves += 1;
                    self.media.moved(now);
                }
            }
            Err(_) => self.refused += 1,
        }
    }

    fn poll(&mut self, now: Time, send: &mut dyn FnMut(Datagram)) -> Option<Time> {
        while self.next_frame() <= now {
            self.picture(now, send);
            self.ticks += 1;
        }
        let wanted = loop {
            self.batch.clear();
            match self.media.poll(now, &mut self.batch) {
                Output::Wait(until) => break until,
                output => self.output(now, output, send),
            }
        };
        wanted.into_iter().chain([self.next_frame()]).min()
    }

    fn trace(&self) -> u64 {
        self.trace.value()
    }
}
