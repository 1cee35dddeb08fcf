//! Frames of 100 packets of 1,392 bytes over the loopback interface, by each way
//! of sending: processor time of the sending thread per packet and system calls,
//! as JSON. `bench_send [FRAMES]`
//!
//! On the loopback interface the receive path of the kernel runs on the sending
//! thread, up to the receiver's buffer: compare the figures with each other.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use punktfunk_net::{
    Batch, Error, Received, RecvBatch, Route, SendPath, Transport, UdpOptions, UdpTransport, bind_udp_to,
    thread_cpu_nanos,
};

const PACKETS: usize = 100;
const SIZE: usize = 1392;
/// Frames between two looks at what arrived, so that the buffer never overflows.
const WINDOW: u64 = 8;

struct Outcome {
    nanos: u64,
    syscalls: u64,
    path: SendPath,
    received: u64,
}

fn open(options: &UdpOptions) -> Result<UdpTransport, Error> {
    UdpTransport::new(bind_udp_to(SocketAddr::from(([127, 0, 0, 1], 0)), false)?, options)
}

fn run(path: SendPath, gro: bool, frames: u64) -> Result<Outcome, Error> {
    let receiver = Arc::new(open(&UdpOptions { gro, ..UdpOptions::default() })?);
    let sender = open(&UdpOptions { path, ..UdpOptions::default() })?;
    let route = Route::to(receiver.local_addr());
    let received = Arc::new(AtomicU64::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let drain = {
        let (receiver, received, stop) = (receiver.clone(), received.clone(), stop.clone());
        std::thread::spawn(move || {
            let mut batch = if gro { RecvBatch::coalesced(16) } else { RecvBatch::new(64) };
            while !stop.load(Ordering::Relaxed) {
                if let Ok(Received::Datagrams(count)) = receiver.receive(&mut batch, None) {
                    received.fetch_add(count as u64, Ordering::Relaxed);
                }
            }
        })
    };
    let batch = Batch::new(vec![0x5a; PACKETS * SIZE], SIZE);
    let (mut nanos, mut syscalls, mut sent) = (0, 0, 0);
    for frame in 0..frames {
        let start = thread_cpu_nanos();
        let result = sender.send(batch.datagrams(), route)?;
        nanos += thread_cpu_nanos() - start;
        syscalls += u64::from(result.syscalls);
        sent += PACKETS as u64;
        if frame % WINDOW == WINDOW - 1 {
            // Bounded: a lost packet must not stop the run.
            for _ in 0..10_000 {
                if received.load(Ordering::Relaxed) >= sent {
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
    Ok(Outcome { nanos, syscalls, path: sender.path(), received: received.load(Ordering::Relaxed) })
}

fn main() -> Result<(), Error> {
    let frames = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(2_000_u64).max(1);
    let packets = frames * PACKETS as u64;
    let cases = [
        ("gso_to_gro", SendPath::Gso, true),
        ("gso", SendPath::Gso, false),
        ("sendmmsg", SendPath::Many, false),
        ("send", SendPath::One, false),
    ];
    let mut lines = Vec::new();
    for (name, path, gro) in cases {
        run(path, gro, (frames / 10).max(1))?; // warm up
        let outcome = run(path, gro, frames)?;
        lines.push(format!(
            "  \"{name}\": {{\"cpu_ns_per_packet\": {}, \"syscalls_per_frame\": {:.2}, \"fell_back\": {}, \"received\": {}}}",
            outcome.nanos / packets,
            outcome.syscalls as f64 / frames as f64,
            outcome.path != path,
            outcome.received,
        ));
    }
    println!("{{\n  \"frames\": {frames},\n  \"packets_per_frame\": {PACKETS},\n  \"packet_bytes\": {SIZE},");
    println!("{}\n}}", lines.join(",\n"));
    Ok(())
}
