//! Both ends of the media plane of punktfunk/1, joined by a pipe that loses and delays in
//! virtual time. The deep matrix of paths is the simulator's.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use punktfunk_core::native::client;
use punktfunk_core::native::flow::parity::Protection;
use punktfunk_core::native::host::{self, Output, What};
use punktfunk_core::native::keys::{Aead, Exported, Traffic};
use punktfunk_core::native::media::{Flags, Limits};
use punktfunk_core::time::Time;

/// What the test decides about a datagram to the client: true loses it.
type Lose = Box<dyn FnMut(Time, What, &[u8]) -> bool>;

struct Pair {
    now: Time,
    host: host::Media,
    client: client::Media,
    delay: Duration,
    lose: Lose,
    /// Datagrams on their way, with their arrival.
    down: VecDeque<(Time, Vec<u8>)>,
    up: VecDeque<(Time, Vec<u8>)>,
    interval: Duration,
    frame_len: usize,
    next_frame: Time,
    key_wanted: bool,
    recovery_wanted: bool,
    /// Whether the encoder answers Invalidate with a recovery point or a key frame.
    invalidates: bool,
    epoch: u8,
    taken: BTreeMap<u32, Time>,
    /// Frames that were given out, with the time.
    shown: Vec<(u32, Time)>,
    /// Payload of every frame by its number, as it must come out.
    lost: Vec<(u32, u32)>,
    undecodable: Vec<u32>,
    outputs: Vec<(Time, Output)>,
    bytes_down: u64,
    bytes_video: u64,
    reports: Vec<Time>,
    up_is_cut: bool,
}

fn traffic() -> Traffic {
    Exported::new([7; 32]).traffic(Aead::Aes128Gcm)
}

fn host_config() -> host::Config {
    host::Config {
        media: *b"media id",
        traffic: traffic(),
        bitrate: 20_000_000,
        first_frame: 0,
        payload: 1200,
        limit: 1472,
        protection: Protection::Adaptive,
    }
}

fn client_config() -> client::Config {
    client::Config {
        media: *b"media id",
        traffic: traffic(),
        first_frame: Some(0),
        patience: client::PATIENCE,
        limits: Limits::default(),
    }
}

/// What frame `number` consists of.
fn payload(number: u32, len: usize, mut data: Vec<u8>) -> Vec<u8> {
    data.clear();
    data.extend((0..len).map(|at| (at as u32 ^ number.wrapping_mul(31)) as u8));
    data
}

impl Pair {
    fn new(config: host::Config, delay: Duration) -> Self {
        let start = Time(1_000_000);
        Self {
            now: start,
            host: host::Media::new(start, config).unwrap(),
            client: client::Media::new(start, client_config()).unwrap(),
            delay,
            lose: Box::new(|_, _, _| false),
            down: VecDeque::new(),
            up: VecDeque::new(),
            interval: Duration::from_micros(16_667),
            frame_len: 30_000,
            next_frame: start,
            key_wanted: true,
            recovery_wanted: false,
            invalidates: true,
            epoch: 0,
            taken: BTreeMap::new(),
            shown: Vec::new(),
            lost: Vec::new(),
            undecodable: Vec::new(),
            outputs: Vec::new(),
            bytes_down: 0,
            bytes_video: 0,
            reports: Vec::new(),
            up_is_cut: false,
        }
    }

    fn transmit(&mut self, batch: host::Batch, bytes: &[u8]) {
        assert_eq!(bytes.len(), batch.datagrams * batch.datagram_len);
        for datagram in bytes.chunks(batch.datagram_len) {
            self.bytes_down += datagram.len() as u64;
            if !(self.lose)(self.now, batch.what, datagram) {
                self.down.push_back((self.now + self.delay, datagram.to_vec()));
            }
        }
    }

    fn send_frame(&mut self) {
        let number = self.host.next_frame();
        let mut flags = Flags::NEW_PICTURE;
        if std::mem::take(&mut self.key_wanted) {
            (flags, self.recovery_wanted) = (flags.with(Flags::KEY_FRAME), false);
        } else if std::mem::take(&mut self.recovery_wanted) {
            flags = flags.with(Flags::RECOVERY_POINT);
        }
        let data = payload(number, self.frame_len, self.host.buffer());
        self.bytes_video += data.len() as u64;
        let unit = host::Unit { data, taken: self.now, epoch: self.epoch, flags, last: true };
        let mut out = Vec::new();
        let batch = self.host.frame(self.now, unit, &mut out).unwrap();
        assert_eq!(batch.what, What::Frame(number));
        self.taken.insert(number, self.now);
        self.transmit(batch, &out);
    }

    /// Until the host has nothing to do; its deadline.
    fn drain_host(&mut self) -> Option<Time> {
        loop {
            let mut out = Vec::new();
            match self.host.poll(self.now, &mut out) {
                Output::Wait(until) => return until,
                Output::Send(batch) => self.transmit(batch, &out),
                output => {
                    assert!(out.is_empty());
                    match output {
                        Output::KeyFrameWanted { .. } => self.key_wanted = true,
                        Output::Invalidate { .. } if self.invalidates => self.recovery_wanted = true,
                        Output::Invalidate { .. } => self.key_wanted = true,
                        _ => {}
                    }
                    self.outputs.push((self.now, output));
                }
            }
        }
    }

    fn drain_client(&mut self) -> Option<Time> {
        loop {
            let mut out = Vec::new();
            match self.client.poll(self.now, &mut out) {
                client::Output::Wait(until) => return until,
                client::Output::Send(len) => {
                    assert_eq!(out.len(), len);
                    self.reports.push(self.now);
                    if !self.up_is_cut {
                        self.up.push_back((self.now + self.delay, out));
                    }
                }
                client::Output::Frame(frame) => {
                    let expected = payload(frame.number, frame.data().len(), Vec::new());
                    assert_eq!(frame.data(), expected);
                    self.shown.push((frame.number, self.now));
                    self.client.decoded(frame.number, Duration::from_millis(1), 0);
                    self.client.recycle(frame);
                }
                client::Output::Lost { first, last } => self.lost.push((first, last)),
                client::Output::Undecodable { frame } => self.undecodable.push(frame),
            }
        }
    }

    /// Plays so many milliseconds.
    fn play(&mut self, millis: u64) {
        let end = self.now + Duration::from_millis(millis);
        let mut idle = 0;
        while self.now < end {
            if self.next_frame <= self.now {
                self.send_frame();
                self.next_frame = self.next_frame + self.interval;
            }
            while self.down.front().is_some_and(|(at, _)| *at <= self.now) {
                let (_, mut datagram) = self.down.pop_front().unwrap();
                self.client.datagram(self.now, &mut datagram).unwrap();
                self.drain_client();
            }
            while self.up.front().is_some_and(|(at, _)| *at <= self.now) {
                let (_, mut datagram) = self.up.pop_front().unwrap();
                self.host.datagram(self.now, &mut datagram).unwrap();
                self.drain_host();
            }
            let dues = [self.drain_host(), self.drain_client(), Some(self.next_frame), Some(end)];
            let arrivals = [self.down.front(), self.up.front()].map(|front| front.map(|(at, _)| *at));
            let next = dues.into_iter().chain(arrivals).flatten().min().unwrap();
            idle = if next <= self.now { idle + 1 } else { 0 };
            assert!(idle < 100, "a machine wants to be asked for ever at {:?}", self.now);
            self.now = next.max(self.now);
        }
    }

    /// The longest time from capture to picture, and that every frame had one.
    fn worst(&self) -> Duration {
        let numbers: Vec<u32> = self.shown.iter().map(|(number, _)| *number).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
        self.shown.iter().map(|(number, at)| *at - self.taken[number]).max().unwrap()
    }

    fn calls(&self) -> Vec<Output> {
        let is_call =
            |output: &Output| matches!(output, Output::KeyFrameWanted { .. } | Output::Invalidate { .. });
        self.outputs.iter().map(|(_, output)| *output).filter(is_call).collect()
    }
}

#[test]
fn every_frame_arrives_at_once_on_a_clean_path() {
    let mut pair = Pair::new(host_config(), Duration::from_millis(5));
    pair.play(10_000);
    assert_eq!(pair.shown.len(), 600);
    assert_eq!(pair.worst(), pair.delay);
    assert!(pair.lost.is_empty() && pair.calls().is_empty());
    assert!(pair.client.stats().nacks == 0 && pair.host.stats().repairs == 0);
    // One parity shard a frame, headers and reports: little more than the video.
    assert!(pair.bytes_down * 100 < pair.bytes_video * 112, "{} {}", pair.bytes_down, pair.bytes_video);
    assert_eq!(pair.client.stats().round_trip, Some(pair.delay * 2));
    assert_eq!(pair.client.stats().offset, Some(0));
    // A report every 50 ms; clock probes and answers to path probes may go between them.
    let gaps = pair.reports.windows(2).map(|pair| pair[1] - pair[0]);
    assert!(gaps.max().unwrap() <= Duration::from_millis(51));
    assert!(pair.outputs.iter().any(|(_, output)| matches!(output, Output::Acknowledged { .. })));
}
