//! Both ends of the media plane of punktfunk/1, joined by a pipe that loses and delays in
//! virtual time. The deep matrix of paths is the simulator's.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use proptest::prelude::*;
use punktfunk_core::native::client;
use punktfunk_core::native::flow::exercise_peer;
use punktfunk_core::native::flow::parity::Protection;
use punktfunk_core::native::host::{self, Output, What};
use punktfunk_core::native::keys::{Aead, Exported, Traffic};
use punktfunk_core::native::media::{Flags, Limits};
use punktfunk_core::native::wire::report::{Feedback, Missing, Nack, Report};
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

/// Loss in bursts: `loss` of all datagrams in runs of `burst` in the mean.
fn gilbert(loss: f64, burst: f64, seed: u64) -> Lose {
    let (mut state, mut bad) = (seed | 1, false);
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let back = 1.0 / burst;
    let into = back * loss / (1.0 - loss);
    Box::new(move |_, _, _| {
        let change = random();
        bad = if bad { change >= back } else { change < into };
        bad
    })
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

#[test]
fn bursts_are_mended_within_a_round_trip_and_an_interval() {
    let mut pair = Pair::new(host_config(), Duration::from_millis(2));
    pair.play(1_000);
    pair.lose = gilbert(0.05, 4.0, 77);
    pair.play(3_000);
    let (bytes, video) = (pair.bytes_down, pair.bytes_video);
    pair.play(30_000);
    // What is lost three times again is given up; then one call brings the picture back.
    let lost: u32 = pair.lost.iter().map(|(first, last)| last - first + 1).sum();
    assert!(lost <= 3, "{:?}", pair.lost);
    assert!(pair.calls().len() <= pair.lost.len(), "{:?}", pair.calls());
    // The way itself, the interval until a later frame shows the loss, and a round trip.
    let due = pair.delay + pair.interval + pair.delay * 2 + Duration::from_millis(2);
    let late = pair.shown.iter().filter(|(number, at)| *at - pair.taken[number] > due).count();
    assert!(late * 50 <= pair.shown.len(), "{late} of {}, worst {:?}", pair.shown.len(), pair.worst());
    let (bytes, video) = (pair.bytes_down - bytes, pair.bytes_video - video);
    assert!(bytes * 100 <= video * 130, "{} %", bytes * 100 / video);
}

/// Loses every datagram of this frame, and of its repairs when `always`.
fn frame_lost(lost: u32, always: bool) -> Lose {
    Box::new(move |_, what, _| what == What::Frame(lost) || always && what == What::Repair(lost))
}

#[test]
fn a_frame_of_which_nothing_came_is_sent_again() {
    let mut pair = Pair::new(host_config(), Duration::from_millis(10));
    pair.play(1_000);
    let lost = pair.host.next_frame();
    pair.lose = frame_lost(lost, false);
    pair.play(500);
    assert!(pair.lost.is_empty() && pair.calls().is_empty() && pair.undecodable.is_empty());
    assert_eq!(pair.client.stats().nacks, 1);
    let due = pair.delay * 3 + pair.interval + Duration::from_millis(2);
    assert!(pair.worst() <= due, "{:?}", pair.worst());
}

#[test]
fn what_cannot_be_repaired_is_called_for_once_and_mended() {
    // A round trip beyond all patience, and a frame that is lost whatever is sent.
    for (delay, invalidates) in [(80, true), (80, false), (5, true)] {
        let mut pair = Pair::new(host_config(), Duration::from_millis(delay));
        pair.invalidates = invalidates;
        pair.play(2_000);
        let lost = pair.host.next_frame();
        pair.lose = frame_lost(lost, true);
        pair.play(2_000);
        assert_eq!(pair.lost, [(lost, lost)]);
        assert_eq!(pair.calls(), [Output::Invalidate { first: lost, last: lost }], "{delay}");
        let last = pair.host.next_frame() - 1;
        let frames = u64::from(last) + 1 - pair.down.len().min(30) as u64;
        assert!(pair.shown.len() as u64 + pair.undecodable.len() as u64 + 1 + 12 >= frames);
        assert!(pair.undecodable.iter().all(|frame| (lost + 1..lost + 30).contains(frame)));
        let after = pair.shown.iter().find(|(number, _)| *number > lost).unwrap().1;
        let gone = after - pair.taken[&lost];
        // Known when overtaken, told, encoded with the next picture, on its way.
        assert!(gone <= pair.delay * 3 + pair.interval * 3 + Duration::from_millis(100), "{gone:?}");
    }
}

#[test]
fn a_call_that_is_lost_is_repeated_without_flooding() {
    let mut pair = Pair::new(host_config(), Duration::from_millis(80));
    pair.play(1_000);
    pair.lose = frame_lost(pair.host.next_frame(), true);
    pair.up_is_cut = true;
    pair.play(3_000);
    assert!((3..=8).contains(&pair.client.stats().calls), "{:?}", pair.client.stats());
    assert!(!pair.undecodable.is_empty());
    pair.up_is_cut = false;
    pair.play(2_000);
    let (number, _) = pair.shown.last().unwrap();
    assert!(pair.host.next_frame() - number <= 8, "the picture is back");
    assert!(matches!(pair.calls()[..], [Output::KeyFrameWanted { .. }]), "{:?}", pair.calls());
}

#[test]
fn an_epoch_begins_with_a_key_frame_and_its_loss_holds_the_rest_back() {
    let mut pair = Pair::new(host_config(), Duration::from_millis(80));
    pair.play(1_000);
    let unit = host::Unit { data: vec![1], taken: pair.now, epoch: 1, flags: Flags::default(), last: true };
    let refused = pair.host.frame(pair.now, unit, &mut Vec::new());
    assert_eq!(refused, Err(host::Error::NoKeyFrame(1)));
    let lost = pair.host.next_frame();
    (pair.epoch, pair.key_wanted) = (1, true);
    pair.lose = frame_lost(lost, true);
    pair.play(2_000);
    assert_eq!(pair.lost, [(lost, lost)]);
    // Nothing of the new epoch is shown before a key frame of it.
    let first = pair.shown.iter().find(|(number, _)| *number > lost).unwrap().0;
    assert!(first > lost + 5, "{first}");
    assert!(pair.undecodable.iter().all(|number| (lost..first).contains(number)));
    assert!(
        pair.calls().iter().any(|call| matches!(call, Output::KeyFrameWanted { .. })),
        "{:?}",
        pair.calls()
    );
}

#[test]
fn the_path_is_measured_and_a_black_hole_left_at_once() {
    let mut pair = Pair::new(host_config(), Duration::from_millis(5));
    pair.play(3_000);
    assert_eq!(pair.host.stats().payload, 1472);
    let begin = pair.now;
    pair.lose = Box::new(|_, _, datagram| datagram.len() > 1300);
    pair.play(1_000);
    let fallback =
        pair.outputs.iter().find(|(at, output)| *at >= begin && *output == Output::PayloadSize(1200));
    assert!(fallback.unwrap().0 - begin <= Duration::from_millis(200), "{:?}", fallback.unwrap().0 - begin);
    pair.play(5_000);
    let (number, _) = pair.shown.last().unwrap();
    assert!(pair.host.next_frame() - number <= 2, "the picture is back");
    assert!((1280..=1300).contains(&pair.host.stats().payload), "{}", pair.host.stats().payload);
}

#[test]
fn wrong_segmentation_is_told_and_ends_within_a_second() {
    let mut pair = Pair::new(host_config(), Duration::from_millis(5));
    pair.play(500);
    let begin = pair.now;
    for len in [2000, 944, 2000] {
        let mut cut = vec![0x80; len];
        cut[1..5].copy_from_slice(&5_000_u32.to_be_bytes());
        assert!(pair.client.datagram(pair.now, &mut cut).is_err());
    }
    pair.play(1_000);
    let told: Vec<Time> =
        pair.outputs.iter().filter(|(_, output)| *output == Output::DisableGso).map(|(at, _)| *at).collect();
    assert!(matches!(told[..], [at] if at - begin < Duration::from_secs(1)), "{told:?}");
    assert!(!pair.host.may_offload());
}

#[test]
fn a_resumed_session_begins_where_it_is_and_silence_lowers_the_rate() {
    let mut config = host_config();
    config.first_frame = u32::MAX - 20;
    let mut pair = Pair::new(config, Duration::from_millis(5));
    let resumed = client::Config { first_frame: None, ..client_config() };
    pair.client = client::Media::new(pair.now, resumed).unwrap();
    let mut wrapped = Vec::new();
    for _ in 0..2 {
        pair.play(1_000);
        wrapped.append(&mut pair.shown);
    }
    assert_eq!((wrapped[0].0, wrapped[21].0, wrapped.len()), (u32::MAX - 20, 0, 120));
    let before = pair.host.stats().bps;
    pair.up_is_cut = true;
    pair.play(1_200);
    assert!(pair.host.stats().bps <= before / 2);
    let silent = |output: &Output| match output {
        Output::Bitrate(rate) => rate.because.is_some_and(|change| change.limiter.name() == "no reports"),
        _ => false,
    };
    assert!(pair.outputs.iter().any(|(_, output)| silent(output)));
}

#[test]
fn the_newest_datagram_says_where_the_client_is() {
    let mut pair = Pair::new(host_config(), Duration::from_millis(5));
    let send = |client: &mut client::Media, millis: u64| {
        let (now, mut out) = (pair.now + Duration::from_millis(millis), Vec::new());
        assert!(matches!(client.poll(now, &mut out), client::Output::Send(_)));
        out
    };
    let (mut first, mut second) = (send(&mut pair.client, 0), send(&mut pair.client, 150));
    let again = second.clone();
    assert!(pair.host.datagram(pair.now, &mut second).unwrap().newest);
    assert!(!pair.host.datagram(pair.now, &mut first).unwrap().newest, "an older one comes late");
    assert!(pair.host.datagram(pair.now, &mut again.clone()).is_err(), "nobody else can send it");
}

#[test]
fn a_corpus_of_hostile_peers_is_survived() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/native_media_peer");
    let mut heard = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let script = std::fs::read(entry.unwrap().path()).unwrap();
        heard += exercise_peer(&script).unwrap();
        for end in (0..script.len()).step_by(7) {
            exercise_peer(&script[..end]).unwrap();
        }
    }
    assert!(heard > 20, "{heard}");
}

proptest! {
    #[test]
    fn no_peer_breaks_either_end(script in prop::collection::vec(any::<u8>(), 0..400)) {
        exercise_peer(&script).unwrap();
    }

    #[test]
    fn no_reports_break_the_host(
        script in prop::collection::vec((0_u8..6, any::<u8>(), any::<[u64; 4]>()), 1..40)
    ) {
        let mut bytes = Vec::new();
        for (op, step, numbers) in script {
            let mut report = Vec::new();
            let narrow = numbers[1] as u32 >> (step % 32);
            match op {
                0 => Report::Feedback(Feedback {
                    highest: numbers[0] >> (step % 64),
                    received: narrow,
                    lost: numbers[2] as u32,
                    number: numbers[3] as u32 >> (step % 32),
                    delay_us: numbers[2] as u32,
                    bytes: numbers[0],
                    ..Feedback::default()
                }),
                1 => Report::Nack(Nack {
                    frame: narrow, block: step & 1, missing: Missing::Whole, turn: None, spread: step,
                }),
                2 => Report::Nack(Nack {
                    frame: narrow,
                    block: 0,
                    missing: Missing::Ranges(vec![(0, 65_535); 99]),
                    turn: Some(step >> 4),
                    spread: numbers[3] as u8,
                }),
                3 => Report::Invalidate { first: narrow, last: numbers[2] as u32 >> (step % 32) },
                4 => Report::PathProbed { id: narrow, size: numbers[2] as u16 },
                _ => Report::Sizes { malformed: narrow },
            }
            .encode(&mut report);
            bytes.extend([1, step]);
            bytes.extend((report.len() as u16).to_be_bytes());
            bytes.extend(report);
        }
        exercise_peer(&bytes).unwrap();
    }
}
