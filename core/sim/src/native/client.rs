//! The client's end of a simulated session.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use punktfunk_core::native::client::{Config, Media, Output, PATIENCE};
use punktfunk_core::native::keys::{Aead, Exported};
use punktfunk_core::native::media::{Frame, Limits};
use punktfunk_core::time::Time;

use super::outcome::Delays;
use super::{CLIENT, HOST, MEDIA_ID, Pool, SECRET, Setup};
use crate::{Datagram, Peer, Trace};

/// With so little patience nothing is worth asking for.
const NO_PATIENCE: Duration = Duration::from_millis(2);
/// What decoding takes.
const DECODE: Duration = Duration::from_millis(3);

/// A frame that the decoder was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Its number.
    pub frame: u32,
    /// When it was whole and its turn.
    pub at: Time,
    /// How many shards parity stood in for.
    pub recovered: u32,
}

/// The client's socket, its machine, and a decoder that compares.
#[derive(Debug)]
pub struct ClientSide {
    media: Media,
    pool: Pool,
    way: Duration,
    keeps: bool,
    out: Vec<u8>,
    trace: Trace,
    /// Frames that were shown, oldest first, and when by their number.
    pub shown: Vec<Shown>,
    shown_at: HashMap<u32, Time>,
    /// Frames that became whole, and those given up.
    pub whole: u64,
    /// See `whole`.
    pub frames_lost: u64,
    /// Frames that could be shown.
    pub frames_shown: u64,
    /// Frames in which parity stood in for shards.
    pub recovered: u64,
    /// How much later than without loss whole frames were there.
    pub added: Delays,
    /// Datagrams that did not open or fit.
    pub refused: u64,
}

impl ClientSide {
    /// A client that has said Start.
    pub fn new(setup: &Setup) -> Self {
        let config = Config {
            media: MEDIA_ID,
            traffic: Exported::new(SECRET).traffic(Aead::Aes128Gcm),
            first_frame: Some(setup.start.frame),
            patience: if setup.repair { PATIENCE } else { NO_PATIENCE },
            limits: Limits::default(),
        };
        Self {
            media: Media::new(setup.start.now, config)
                .expect("the setup is possible")
                .starting_at(setup.start.sequence),
            pool: Pool::new(),
            way: setup.there.delay,
            keeps: setup.keeps,
            out: Vec::new(),
            trace: Trace::new(),
            shown: Vec::new(),
            shown_at: HashMap::new(),
            whole: 0,
            frames_lost: 0,
            frames_shown: 0,
            recovered: 0,
            added: Delays::new(),
            refused: 0,
        }
    }

    /// How long after `taken` this frame was shown.
    pub fn shown_after(&self, frame: u32, taken: Time) -> Option<Duration> {
        self.shown_at.get(&frame).map(|at| *at - taken)
    }

    /// The longest time without a new picture since then, up to the last one.
    pub fn longest_gap(&self, since: Time) -> Duration {
        let times = self.shown.iter().map(|shown| shown.at).filter(|at| *at >= since);
        let mut before = since;
        let gaps = times.map(|at| at - std::mem::replace(&mut before, at));
        gaps.max().unwrap_or(Duration::MAX)
    }

    /// The machine.
    pub const fn media(&self) -> &Media {
        &self.media
    }

    fn frame(&mut self, now: Time, frame: Frame) {
        assert!(self.pool.is(frame.number, frame.data()), "frame {} is another one", frame.number);
        self.whole += 1;
        self.frames_shown += 1;
        self.recovered += u64::from(frame.recovered > 0);
        // 48 bits of the time are on the wire, and both clocks are one.
        let after = frame.whole.0.wrapping_sub(frame.timestamp) & 0xFFFF_FFFF_FFFF;
        self.added.add(Duration::from_micros(after).saturating_sub(self.way));
        self.trace.word(now.0);
        self.trace.word(u64::from(frame.number) << 32 | u64::from(frame.recovered));
        if self.keeps {
            self.shown.push(Shown { frame: frame.number, at: now, recovered: frame.recovered });
            self.shown_at.insert(frame.number, now);
        }
        self.media.decoded(frame.number, DECODE, 0);
        self.media.recycle(frame);
    }
}

impl Peer for ClientSide {
    fn listens(&self, to: SocketAddr) -> bool {
        to == CLIENT
    }

    fn handle(&mut self, now: Time, mut datagram: Datagram) {
        self.refused += u64::from(self.media.datagram(now, &mut datagram.bytes).is_err());
    }

    fn poll(&mut self, now: Time, send: &mut dyn FnMut(Datagram)) -> Option<Time> {
        loop {
            self.out.clear();
            match self.media.poll(now, &mut self.out) {
                Output::Wait(until) => return until,
                Output::Send(_) => send(Datagram { from: CLIENT, to: HOST, bytes: self.out.clone() }),
                Output::Frame(frame) => self.frame(now, frame),
                Output::Lost { first, last } => {
                    self.frames_lost += u64::from(last.wrapping_sub(first)) + 1;
                    self.trace.word(now.0 << 1 | 1);
                    self.trace.word(u64::from(first) << 32 | u64::from(last));
                }
                Output::Undecodable { frame } => {
                    self.whole += 1;
                    self.trace.word(!u64::from(frame));
                }
            }
        }
    }

    fn trace(&self) -> u64 {
        self.trace.value()
    }
}
