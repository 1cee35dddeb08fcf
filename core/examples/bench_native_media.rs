//! The media path of punktfunk/1 between access unit and wire, both ways, in thread CPU
//! time, against the same written out plainly with stock crates: copy, reed-solomon-simd,
//! seal with aws-lc-rs, one GSO call. As JSON. `bench_native_media [ROUNDS]`

use std::alloc::System;
use std::error::Error;
use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use aws_lc_rs::aead::{AES_128_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use punktfunk_core::native::keys::{Aead, Direction, Exported, Schedule};
use punktfunk_core::native::media::{
    Event, Flags, Kind, Limits, Opener, Order, Packetizer, Piece, Reassembler, Sealer, Side, TAG_LEN,
};
use punktfunk_core::time::Time;
use punktfunk_net::{
    Datagrams, Received, RecvBatch, Route, SendPath, Transport, UdpOptions, UdpTransport, bind_udp_to,
    thread_cpu_nanos,
};
use reed_solomon_simd::ReedSolomonEncoder;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Bytes of a datagram at 1500 bytes of MTU.
const PAYLOAD: usize = 1472;
/// An access unit of 100 shards: 20 Mbit/s at 18 frames a second, 60 Mbit/s at 54.
const FRAME: usize = 142_600;
const DATA: usize = 100;
const PARITY: usize = 20;
const PREFIX: usize = 5;
const HEADER: usize = 25;
/// Frames of one round; between two looks at what arrived, so that no buffer overflows.
const FRAMES: usize = 100;
const WINDOW: usize = 4;

fn schedule(aead: Aead) -> Schedule {
    Exported::new([3; 32]).schedule(Direction::ToClient, aead)
}

/// A frame becomes datagrams.
trait Make {
    fn frame(&mut self, unit: &[u8], out: &mut Vec<u8>) -> Result<usize>;
}

struct Ours {
    packetizer: Packetizer,
    sealer: Sealer,
}

impl Ours {
    fn new() -> Result<Self> {
        let sealer = Sealer::new(Side::Host, [0; 8], schedule(Aead::Aes128Gcm), Time(0))?;
        Ok(Self { packetizer: Packetizer::new(0, PAYLOAD)?, sealer })
    }
}

impl Make for Ours {
    fn frame(&mut self, unit: &[u8], out: &mut Vec<u8>) -> Result<usize> {
        let piece = Piece { data: unit, taken: Time(0), epoch: 0, flags: Flags::default(), last: true };
        let parity = |k: u16| k.div_ceil(5);
        let layout = self.packetizer.packetize(Time(0), piece, parity, &mut self.sealer, out)?;
        Ok(layout.datagram_len())
    }
}

/// What one would write without looking further.
struct Plain {
    encoder: ReedSolomonEncoder,
    key: LessSafeKey,
    sequence: u64,
}

impl Plain {
    fn new() -> Result<Self> {
        let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &[7; 16])?);
        let shard = PAYLOAD - PREFIX - HEADER - TAG_LEN;
        Ok(Self { encoder: ReedSolomonEncoder::new(DATA, PARITY, shard)?, key, sequence: 0 })
    }
}

impl Make for Plain {
    fn frame(&mut self, unit: &[u8], out: &mut Vec<u8>) -> Result<usize> {
        let shard_len = PAYLOAD - PREFIX - HEADER - TAG_LEN;
        self.encoder.reset(DATA, PARITY, shard_len)?;
        out.resize((DATA + PARITY) * PAYLOAD, 0);
        for (datagram, shard) in out.chunks_exact_mut(PAYLOAD).zip(unit.chunks(shard_len)) {
            let place = &mut datagram[PREFIX + HEADER..PAYLOAD - TAG_LEN];
            place[..shard.len()].copy_from_slice(shard);
            self.encoder.add_original_shard(place)?;
        }
        let parity = self.encoder.encode()?;
        for (datagram, shard) in out.chunks_exact_mut(PAYLOAD).skip(DATA).zip(parity.recovery_iter()) {
            datagram[PREFIX + HEADER..PAYLOAD - TAG_LEN].copy_from_slice(shard);
        }
        for datagram in out.chunks_exact_mut(PAYLOAD) {
            raw_seal(&self.key, self.sequence, datagram)?;
            self.sequence += 1;
        }
        Ok(PAYLOAD)
    }
}

fn nonce(sequence: u64) -> Nonce {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&sequence.to_be_bytes());
    Nonce::assume_unique_for_key(nonce)
}

fn raw_seal(key: &LessSafeKey, sequence: u64, datagram: &mut [u8]) -> Result<()> {
    let (prefix, rest) = datagram.split_at_mut(PREFIX);
    let (sealed, tag) = rest.split_at_mut(rest.len() - TAG_LEN);
    tag.copy_from_slice(
        key.seal_in_place_separate_tag(nonce(sequence), Aad::from(&*prefix), sealed)?.as_ref(),
    );
    Ok(())
}

fn raw_open(key: &LessSafeKey, sequence: u64, datagram: &mut [u8]) -> Result<()> {
    let (prefix, rest) = datagram.split_at_mut(PREFIX);
    let (sealed, tag) = rest.split_at_mut(rest.len() - TAG_LEN);
    key.open_in_place_separate_tag(nonce(sequence), Aad::from(&*prefix), tag, sealed)?;
    Ok(())
}

/// Thread CPU time of `work` in ns.
fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<(u64, T)> {
    let begin = thread_cpu_nanos();
    let done = work()?;
    Ok((thread_cpu_nanos() - begin, done))
}

/// Seal and open of a hundred datagrams, ours and raw in turn: the least ns a packet of each.
fn seal_and_open(aead: Aead, rounds: usize) -> Result<String> {
    let (name, algorithm, key) = match aead {
        Aead::Aes128Gcm => ("AES-128-GCM", &AES_128_GCM, &[7; 32][..16]),
        Aead::ChaCha20Poly1305 => ("ChaCha20-Poly1305", &CHACHA20_POLY1305, &[7; 32][..]),
    };
    let raw = LessSafeKey::new(UnboundKey::new(algorithm, key)?);
    let mut sealer = Sealer::new(Side::Host, [0; 8], schedule(aead), Time(0))?;
    let mut opener = Opener::new(Side::Host, [0; 8], schedule(aead))?;
    let mut batch = vec![0x5a; 100 * PAYLOAD];
    let (mut ours, mut peer, mut sequence) = (u64::MAX, u64::MAX, 0);
    for _ in 0..rounds * 20 {
        let (spent, ()) = timed(|| {
            for datagram in batch.chunks_exact_mut(PAYLOAD) {
                raw_seal(&raw, sequence, datagram)?;
                sequence += 1;
            }
            for (datagram, sequence) in batch.chunks_exact_mut(PAYLOAD).zip(sequence - 100..) {
                raw_open(&raw, sequence, datagram)?;
            }
            Ok(())
        })?;
        peer = peer.min(spent);
        let (spent, ()) = timed(|| {
            for datagram in batch.chunks_exact_mut(PAYLOAD) {
                sealer.seal(Kind::Shard, Time(0), datagram)?;
            }
            for datagram in batch.chunks_exact_mut(PAYLOAD) {
                black_box(opener.open(Time(0), datagram)?);
            }
            Ok(())
        })?;
        ours = ours.min(spent);
    }
    Ok(format!(
        "{{\"case\":\"P4 seal + open, {name}\",\"ns_per_packet\":{:.1},\"peer_ns_per_packet\":{:.1},\"ratio\":{:.3}}}",
        ours as f64 / 100.0,
        peer as f64 / 100.0,
        ours as f64 / peer as f64
    ))
}

/// A receiver that counts.
struct Drain {
    transport: Arc<UdpTransport>,
    received: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Drain {
    fn new(gro: bool) -> Result<Self> {
        let transport = Arc::new(open(&UdpOptions { gro, ..UdpOptions::default() })?);
        let (received, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (socket, counter, end) = (transport.clone(), received.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            let mut batch = if gro { RecvBatch::coalesced(16) } else { RecvBatch::new(64) };
            while !end.load(Ordering::Relaxed) {
                if let Ok(Received::Datagrams(count)) = socket.receive(&mut batch, None) {
                    counter.fetch_add(count as u64, Ordering::Relaxed);
                }
            }
        });
        Ok(Self { transport, received, stop, thread: Some(thread) })
    }
}

impl Drop for Drain {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.transport.wake();
        // The thread only counts; what it missed is in the figures.
        let _ = self.thread.take().map(std::thread::JoinHandle::join);
    }
}

fn open(options: &UdpOptions) -> Result<UdpTransport> {
    Ok(UdpTransport::new(bind_udp_to(SocketAddr::from(([127, 0, 0, 1], 0)), false)?, options)?)
}

#[derive(Clone, Copy)]
struct Spent {
    make: u64,
    send: u64,
}

/// One round of frames: ns of making and of sending them.
fn round(
    make: &mut dyn Make,
    unit: &[u8],
    out: &mut Vec<u8>,
    to: &UdpTransport,
    drain: &Drain,
) -> Result<Spent> {
    let route = Route::to(drain.transport.local_addr());
    let mut spent = Spent { make: 0, send: 0 };
    let mut expected = drain.received.load(Ordering::Relaxed);
    for number in 0..FRAMES {
        out.clear();
        let (ns, size) = timed(|| make.frame(unit, out))?;
        spent.make += ns;
        let (ns, _) = timed(|| Ok(to.send(Datagrams::new(out, size), route)?))?;
        spent.send += ns;
        expected += (DATA + PARITY) as u64;
        if number % WINDOW == WINDOW - 1 {
            // Bounded: a lost packet must not stop the run.
            for _ in 0..10_000 {
                if drain.received.load(Ordering::Relaxed) >= expected {
                    break;
                }
                std::thread::yield_now();
            }
        }
    }
    Ok(spent)
}

/// Ours and the plain composite in turn, into a receiver with or without GRO.
fn wire(gro: bool, rounds: usize) -> Result<Vec<String>> {
    let unit: Vec<u8> = (0..FRAME).map(|at| (at * 31 % 251) as u8).collect();
    let (mut ours, mut plain) = (Ours::new()?, Plain::new()?);
    let sender = open(&UdpOptions { path: SendPath::Gso, ..UdpOptions::default() })?;
    let drain = Drain::new(gro)?;
    let mut best = [Spent { make: u64::MAX, send: u64::MAX }; 2];
    let mut allocations = 0;
    let mut outs = [Vec::new(), Vec::new()];
    for number in 0..rounds + 1 {
        let makes: [&mut dyn Make; 2] = [&mut ours, &mut plain];
        for (which, make) in makes.into_iter().enumerate() {
            let region = Region::new(ALLOCATOR);
            let spent = round(make, &unit, &mut outs[which], &sender, &drain)?;
            if number > 0 {
                best[which].make = best[which].make.min(spent.make);
                best[which].send = best[which].send.min(spent.send);
                allocations += if which == 0 { region.change().allocations } else { 0 };
            }
        }
    }
    let gbit = |spent: Spent| (FRAME * 8 * FRAMES) as f64 / (spent.make + spent.send) as f64;
    let us = |ns: u64| ns as f64 / FRAMES as f64 / 1000.0;
    let to = if gro { "into GRO" } else { "without GRO" };
    let row = |name: &str, spent: Spent| {
        format!(
            "{{\"case\":\"P5 {name}, {to}\",\"make_us_per_frame\":{:.1},\"send_us_per_frame\":{:.1},\
             \"gbit_per_cpu_second\":{:.2}",
            us(spent.make),
            us(spent.send),
            gbit(spent)
        )
    };
    Ok(vec![
        row("copy, reed-solomon-simd, seal, GSO", best[1]) + "}",
        format!(
            "{},\"ratio\":{:.3},\"make_ratio\":{:.3},\"allocations\":{allocations}}}",
            row("ours", best[0]),
            gbit(best[0]) / gbit(best[1]),
            best[1].make as f64 / best[0].make as f64
        ),
    ])
}

/// Open and reassemble frames of which the first `lost` shards are missing: ns a packet that
/// arrives, and µs from the last packet that is needed to the frame.
fn receive(lost: usize, rounds: usize) -> Result<String> {
    let unit: Vec<u8> = (0..FRAME).map(|at| (at * 31 % 251) as u8).collect();
    let mut ours = Ours::new()?;
    let mut opener = Opener::new(Side::Host, [0; 8], schedule(Aead::Aes128Gcm))?;
    let mut reassembler = Reassembler::new(Order::Numbered, Limits::default(), Some(0));
    let (mut out, mut allocations) = (Vec::new(), 0);
    let (mut best, mut release, mut peer) = (u64::MAX, u64::MAX, u64::MAX);
    let raw = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &[7; 16])?);
    let mut place = vec![0; FRAME + PAYLOAD];
    for number in 0..rounds * FRAMES {
        out.clear();
        out.resize((DATA + PARITY - lost) * PAYLOAD, 0x5a);
        peer = peer.min(open_and_copy(&raw, &mut out, &mut place)? / (DATA + PARITY - lost) as u64);
        out.clear();
        let size = ours.frame(&unit, &mut out)?;
        let packets = out.len() / size - lost;
        let region = Region::new(ALLOCATOR);
        let last = DATA - 1;
        let (whole, released) = timed(|| {
            let mut released = 0;
            for (at, datagram) in out.chunks_exact_mut(size).skip(lost).enumerate() {
                let begin = if at == last { thread_cpu_nanos() } else { 0 };
                let opened = opener.open(Time(0), datagram)?;
                reassembler.push(Time(0), opened.plain)?;
                if at == last {
                    released = thread_cpu_nanos() - begin;
                }
            }
            Ok(released)
        })?;
        let Some(Event::Frame(frame)) = reassembler.poll() else { return Err("a frame is lost".into()) };
        assert!(frame.data() == unit, "what is not right is not measured");
        reassembler.recycle(frame);
        if number >= FRAMES {
            allocations += region.change().allocations;
            // What repairing costs is told by itself.
            best = best.min((whole - if lost > 0 { released } else { 0 }) / packets as u64);
            release = release.min(released);
        }
    }
    Ok(format!(
        "{{\"case\":\"P8 open + reassemble, {lost} of {DATA}+{PARITY} lost\",\"ns_per_packet\":{best},\
         \"peer_ns_per_packet\":{peer},\"ratio\":{:.3},\"release_us\":{:.1},\"allocations\":{allocations}}}",
        best as f64 / peer as f64,
        release as f64 / 1000.0
    ))
}

/// The least that receiving can cost: each datagram opened, and copied to its place. In ns.
fn open_and_copy(key: &LessSafeKey, batch: &mut [u8], place: &mut [u8]) -> Result<u64> {
    for (datagram, sequence) in batch.chunks_exact_mut(PAYLOAD).zip(0..) {
        raw_seal(key, sequence, datagram)?;
    }
    let (spent, ()) = timed(|| {
        for (at, datagram) in batch.chunks_exact_mut(PAYLOAD).enumerate() {
            raw_open(key, at as u64, datagram)?;
            let shard = &datagram[PREFIX + HEADER..PAYLOAD - TAG_LEN];
            // Parity is not copied anywhere when nothing is lost.
            if let Some(to) = place.get_mut(at * shard.len()..(at + 1) * shard.len()).filter(|_| at < DATA) {
                to.copy_from_slice(shard);
            }
        }
        black_box(&mut *place);
        Ok(())
    })?;
    Ok(spent)
}

fn main() -> Result<()> {
    let rounds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(20_usize).max(2);
    let mut rows =
        vec![seal_and_open(Aead::Aes128Gcm, rounds)?, seal_and_open(Aead::ChaCha20Poly1305, rounds)?];
    rows.extend(wire(true, rounds)?);
    rows.extend(wire(false, rounds)?);
    for lost in [0, 1, 5, 20] {
        rows.push(receive(lost, rounds)?);
    }
    println!(
        "{{\"goals\":\"P4 ratio ≤ 1.10; P5 ≥ 20 Gbit/s a CPU second into GRO, ≥ 14 without, ratio ≥ 1.5; \
         P8 ≤ 260 ns, release ≤ 20 µs + decoding; P9 allocations 0\",\
         \"method\":\"frames of {FRAME} bytes in datagrams of {PAYLOAD}, parity 20 %, least of {rounds} rounds, \
         peers in turn; CPU time of the sending thread, which on loopback also runs the kernel's receive path\",\
         \"rows\":[{}]}}",
        rows.join(",\n")
    );
    Ok(())
}
