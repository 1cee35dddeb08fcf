//! What a frame costs between the encoder and the wire: packetize, parity, seal,
//! send. Our path (one GSO call a frame) against the plain one (the same packets,
//! one `send` each), on the loopback interface, in thread CPU time, as JSON.
//! `bench_video_path [FRAMES]`

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use punktfunk_core::gamestream::video::{Config, Frame, FrameKind, Packetizer};
use punktfunk_net::{
    Datagrams, Received, RecvBatch, Route, SendPath, Transport, UdpOptions, UdpTransport, bind_udp_to,
    thread_cpu_nanos,
};

/// `P` of a client on the local network.
const PACKET_SIZE: usize = 1392;
/// Access unit of a 1080p60 stream at 60 Mbit/s: about 90 data shards.
const FRAME_BYTES: usize = 125_000;
/// Frames between two looks at what arrived, so that the buffer never overflows.
const WINDOW: u64 = 4;

#[derive(Default)]
struct Outcome {
    packetize_ns: u64,
    send_ns: u64,
    syscalls: u64,
    packets: u64,
    received: u64,
}

fn open(path: SendPath) -> Result<UdpTransport, punktfunk_net::Error> {
    let options = UdpOptions { path, ..UdpOptions::default() };
    UdpTransport::new(bind_udp_to(SocketAddr::from(([127, 0, 0, 1], 0)), false)?, &options)
}

fn run(path: SendPath, key: Option<[u8; 16]>, frames: u64) -> anyhow::Result<Outcome> {
    let receiver = Arc::new(open(SendPath::Gso)?);
    let sender = open(path)?;
    let route = Route::to(receiver.local_addr());
    let received = Arc::new(AtomicU64::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let drain = {
        let (receiver, received, stop) = (receiver.clone(), received.clone(), stop.clone());
        std::thread::spawn(move || {
            let mut batch = RecvBatch::new(64);
            while !stop.load(Ordering::Relaxed) {
                if let Ok(Received::Datagrams(count)) = receiver.receive(&mut batch, None) {
                    received.fetch_add(count as u64, Ordering::Relaxed);
                }
            }
        })
    };
    let config = Config { packet_size: PACKET_SIZE, fec_percentage: 20, min_parity: 2, key };
    let mut packetizer = Packetizer::new(config)?;
    let data: Vec<u8> = (0..FRAME_BYTES).map(|n| (n * 31 % 251) as u8).collect();
    let mut bytes = Vec::new();
    let mut outcome = Outcome::default();
    for number in 0..frames {
        bytes.clear();
        let frame = Frame { kind: FrameKind::P, timestamp_90k: 1500, latency_tenths_ms: 40, data: &data };
        let start = thread_cpu_nanos();
        let layout = packetizer.packetize(frame, &mut bytes)?;
        let packetized = thread_cpu_nanos();
        let sent = sender.send(Datagrams::new(&bytes, layout.datagram_len), route)?;
        outcome.packetize_ns += packetized - start;
        outcome.send_ns += thread_cpu_nanos() - packetized;
        outcome.syscalls += u64::from(sent.syscalls);
        outcome.packets += layout.datagrams as u64;
        if number % WINDOW == WINDOW - 1 {
            // Bounded: a lost packet must not stop the run.
            for _ in 0..10_000 {
                if received.load(Ordering::Relaxed) >= outcome.packets {
                    break;
                }
                std::thread::yield_now();
            }
        }
    }
    stop.store(true, Ordering::Relaxed);
    receiver.wake();
    // The thread only counts; if it panicked the count below tells.
    let _ = drain.join();
    outcome.received = received.load(Ordering::Relaxed);
    Ok(outcome)
}

fn main() -> anyhow::Result<()> {
    let frames = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1_000_u64).max(10);
    let mut rows = Vec::new();
    for (sealed, key) in [("clear", None), ("sealed", Some([7; 16]))] {
        let mut totals = Vec::new();
        for (name, path) in [("gso", SendPath::Gso), ("sendmmsg", SendPath::Many), ("send", SendPath::One)] {
            run(path, key, frames / 10)?;
            let outcome = run(path, key, frames)?;
            let per_frame = |ns: u64| ns as f64 / frames as f64 / 1000.0;
            totals.push(per_frame(outcome.packetize_ns + outcome.send_ns));
            rows.push(serde_json::json!({
                "case": format!("{name}, {sealed}"),
                "packetize_us_per_frame": per_frame(outcome.packetize_ns),
                "send_us_per_frame": per_frame(outcome.send_ns),
                "total_us_per_frame": per_frame(outcome.packetize_ns + outcome.send_ns),
                "syscalls_per_frame": outcome.syscalls as f64 / frames as f64,
                "packets_per_frame": outcome.packets / frames,
                "received_share": outcome.received as f64 / outcome.packets as f64,
            }));
        }
        rows.push(serde_json::json!({
            "case": format!("one send per packet / gso, {sealed}"),
            "total_us_per_frame": totals[2] / totals[0],
        }));
    }
    println!("{}", serde_json::json!({ "frames": frames, "frame_bytes": FRAME_BYTES, "rows": rows }));
    Ok(())
}
