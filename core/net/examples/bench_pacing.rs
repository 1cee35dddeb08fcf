//! How well the paced sender keeps its plan, on the loopback interface: the moment each
//! packet was handed to the kernel against the moment that the pacer, asked by a clock
//! that is never late, would have had it leave. As JSON. `bench_pacing [FRAMES]`
//!
//! Two things are told apart: the wake-up (from `submit` to the first packet) and the
//! pacing (the packets after the first burst of a frame, from that burst on). How late a
//! thread wakes is the scheduler's affair: a busy machine without real-time scheduling
//! is late by as long as others compute. After a late wake-up more leaves at once, so that
//! packets behind it can be ahead of the plan.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use punktfunk_net::{
    Batch, Datagrams, Error, Limits, Pace, PacedSender, Pacer, Received, RecvBatch, Route, SenderConfig,
    Sent, Submit, Transport, UdpOptions, UdpTransport, bind_udp_to, monotonic_nanos,
};

const SIZE: usize = 1392;
/// What the sender adds for the headers of the wire (`core/net/src/sender.rs`).
const WIRE: usize = SIZE + 66;
const INTERVAL: Duration = Duration::from_micros(16_667);

/// Notes when how many packets were handed over.
struct Watched {
    inner: UdpTransport,
    sent: Mutex<Vec<(u64, usize)>>,
}

impl Watched {
    fn take(&self) -> Vec<(u64, usize)> {
        std::mem::take(&mut self.sent.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Transport for Watched {
    fn send(&self, datagrams: Datagrams<'_>, route: Route) -> Result<Sent, Error> {
        let at = monotonic_nanos();
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).push((at, datagrams.len()));
        self.inner.send(datagrams, route)
    }

    fn receive(&self, into: &mut RecvBatch, timeout: Option<Duration>) -> Result<Received, Error> {
        self.inner.receive(into, timeout)
    }

    fn wake(&self) {
        self.inner.wake();
    }

    fn offloads(&self) -> bool {
        self.inner.offloads()
    }
}

/// When each packet of a frame leaves that begins at `start`, and in how many pieces.
fn plan(pacer: &mut Pacer, start: u64, packets: usize) -> (Vec<u64>, usize) {
    let (mut now, mut times, mut pieces) = (start, Vec::with_capacity(packets), 0);
    while times.len() < packets {
        match pacer.pace(now, WIRE, packets - times.len()) {
            Pace::Wait(until) => now = until,
            Pace::Send(count) => {
                times.resize(times.len() + count, now);
                pieces += 1;
            }
        }
    }
    (times, pieces)
}

fn quantile(values: &mut [u64], share: f64) -> f64 {
    values.sort_unstable();
    let at = ((values.len() as f64 * share) as usize).min(values.len().saturating_sub(1));
    values.get(at).map_or(0.0, |nanos| *nanos as f64 / 1000.0)
}

fn run(mbit: u64, packets: usize, frames: usize) -> Result<String, Error> {
    let socket = || bind_udp_to(SocketAddr::from(([127, 0, 0, 1], 0)), false);
    let receiver = UdpTransport::new(socket()?, &UdpOptions::default())?;
    let inner = UdpTransport::new(socket()?, &UdpOptions::default())?;
    let watched = Arc::new(Watched { inner, sent: Mutex::default() });
    let config = SenderConfig::new(mbit * 1_000_000);
    let route = Route::to(receiver.local_addr());
    let sender = PacedSender::spawn(watched.clone(), route.into(), config)?;
    let limits = Limits::of_stream(config.bitrate, config.link, config.hard);
    let mut pacer = Pacer::new(limits);
    let (mut batch, mut wake, mut error, mut early) = (RecvBatch::new(64), Vec::new(), Vec::new(), 0_u64);
    let (mut planned, mut pieces) = (0, 0);
    for number in 0..frames {
        let began = monotonic_nanos();
        let mut bytes = sender.buffer();
        bytes.resize(packets * SIZE, 0x5a);
        let submitted = monotonic_nanos();
        if !matches!(sender.submit(Batch::new(bytes, SIZE)), Submit::Queued) {
            continue;
        }
        let mut arrived = 0;
        while arrived < packets {
            match receiver.receive(&mut batch, Some(Duration::from_secs(1)))? {
                Received::Datagrams(count) => arrived += count,
                _ => break,
            }
        }
        let sent = watched.take();
        let Some(&(first, _)) = sent.first() else { continue };
        let (times, in_pieces) = plan(&mut pacer, first, packets);
        // The first frames find their memory.
        if number >= 10 {
            planned += in_pieces;
            pieces += sent.len();
            wake.push(first.saturating_sub(submitted));
            let real = sent.iter().flat_map(|&(at, count)| std::iter::repeat_n(at, count));
            for (at, due) in real.zip(times).filter(|(_, due)| *due > first) {
                early += u64::from(at < due);
                error.push(at.abs_diff(due));
            }
        }
        let rest = INTERVAL.saturating_sub(Duration::from_nanos(monotonic_nanos() - began));
        std::thread::sleep(rest);
    }
    let stats = sender.close();
    let measured = (frames - 10) as f64;
    let cap = limits.burst as usize / WIRE;
    Ok(format!(
        "{{\"case\": \"{mbit} Mbit/s, {packets} packets, cap {cap}\", \"sends_planned\": {:.2}, \"sends\": {:.2}, \
         \"wake_us_p50\": {:.1}, \"wake_us_p99\": {:.1}, \"paced_packets\": {}, \"ahead_of_plan\": {early}, \
         \"error_us_p50\": {:.1}, \"error_us_p99\": {:.1}, \"realtime\": {}}}",
        planned as f64 / measured,
        pieces as f64 / measured,
        quantile(&mut wake, 0.5),
        quantile(&mut wake, 0.99),
        error.len(),
        quantile(&mut error, 0.5),
        quantile(&mut error, 0.99),
        stats.realtime,
    ))
}

fn main() -> Result<(), Error> {
    let frames = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(200_usize).max(20);
    let mut rows = Vec::new();
    // Below the cap of the burst, an ordinary frame, a key frame, and much more.
    for (mbit, packets) in [(20, 12), (20, 36), (20, 108), (150, 270)] {
        rows.push(run(mbit, packets, frames)?);
    }
    println!(
        "{{\"name\": \"bench_pacing\", \"goal\": \"P15: error p99 ≤ 50 µs with SCHED_FIFO; sends 1 below the cap\", \
         \"frames\": {frames}, \"rows\": [{}]}}",
        rows.join(", ")
    );
    Ok(())
}
