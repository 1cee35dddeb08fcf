//! The sender thread: batches in, paced datagrams out, and never a wait for the
//! one who submits.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use crate::batch::{Batch, BufferPool, Datagrams};
use crate::clock::{monotonic_nanos, sleep_until, wake_on_time};
use crate::histogram::{Counts, Histogram, Quantiles};
use crate::pacer::{Forecast, Limits, Pace, Pacer};
use crate::transport::{Error, Route, Transport};

/// Batches that wait behind the one being sent.
const DEPTH: usize = 2;
/// Buffers in circulation: those waiting, one being sent, one being filled, and
/// one to spare.
const BUFFERS: usize = DEPTH + 3;
/// What each datagram costs on Ethernet beyond its payload: preamble, frame and
/// gap 38, IPv4 20, UDP 8. (IPv6: 20 more.)
pub const WIRE_OVERHEAD: usize = 66;

/// Where a stream goes, shared by those who learn it and those who send. Empty
/// until the client's first datagram shows its address.
#[derive(Clone, Debug, Default)]
pub struct Destination(Arc<Mutex<Option<Route>>>);

impl Destination {
    /// A destination not known yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends elsewhere from the next packets on; `None` stops sending.
    pub fn set(&self, route: Option<Route>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = route;
    }

    /// The route in force.
    pub fn current(&self) -> Option<Route> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<Route> for Destination {
    fn from(route: Route) -> Self {
        Self(Arc::new(Mutex::new(Some(route))))
    }
}

/// What the pace follows; all in bits per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderConfig {
    /// Bitrate of the stream, parity included.
    pub bitrate: u64,
    /// What the path was measured to carry, if anybody did.
    pub link: Option<u64>,
    /// What the path cannot exceed, as the speed of the network card.
    pub hard: Option<u64>,
}

impl SenderConfig {
    /// A stream of so many bits per second over a path nobody measured.
    pub fn new(bitrate: u64) -> Self {
        Self { bitrate, link: None, hard: None }
    }

    fn limits(self) -> Limits {
        Limits::of_stream(self.bitrate, self.link, self.hard)
    }
}

/// What became of a submitted batch.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a dropped batch carries its buffer, and a dropped frame wants a new reference"]
pub enum Submit {
    /// It will be sent.
    Queued,
    /// The queue was full, or the thread is gone; here it is back.
    Dropped(Batch),
}

/// Counters since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SenderStats {
    /// Batches sent to their last datagram.
    pub batches: u64,
    /// Datagrams handed to the network.
    pub packets: u64,
    /// Their payload.
    pub bytes: u64,
    /// Batches refused because the queue was full.
    pub dropped: u64,
    /// Batches discarded because the destination was not known.
    pub unrouted: u64,
    /// Batches cut short by an error of the network.
    pub errors: u64,
    /// System calls for sending.
    pub syscalls: u64,
    /// Whether segmentation offload is in use.
    pub gso: bool,
    /// Whether the thread got real-time scheduling.
    pub realtime: bool,
    /// From `submit` to the first attempt to send.
    pub queue_wait: Quantiles,
    /// From the first attempt to the last datagram's handing over, pacing included.
    pub send_time: Quantiles,
}

#[derive(Debug)]
struct Queue {
    batches: VecDeque<(Batch, u64)>,
    limits: Limits,
    config: SenderConfig,
    /// All that was handed over, as the thread will pace it.
    model: Pacer,
    stopping: bool,
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
    pool: BufferPool,
    /// The same as `Queue::stopping`, for a look without the lock.
    stop: AtomicBool,
    realtime: AtomicBool,
    batches: AtomicU64,
    packets: AtomicU64,
    bytes: AtomicU64,
    dropped: AtomicU64,
    unrouted: AtomicU64,
    errors: AtomicU64,
    syscalls: AtomicU64,
    queue_wait: Histogram,
    send_time: Histogram,
    passage: Histogram,
}

impl Shared {
    fn new(config: SenderConfig) -> Self {
        let queue = Queue {
            batches: VecDeque::with_capacity(DEPTH),
            limits: config.limits(),
            config,
            model: Pacer::new(config.limits()),
            stopping: false,
        };
        Self {
            queue: Mutex::new(queue),
            changed: Condvar::new(),
            pool: BufferPool::new(BUFFERS),
            stop: AtomicBool::new(false),
            realtime: AtomicBool::new(false),
            batches: AtomicU64::new(0),
            packets: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            unrouted: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            syscalls: AtomicU64::new(0),
            queue_wait: Histogram::new(),
            send_time: Histogram::new(),
            passage: Histogram::new(),
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.queue().stopping = true;
        self.changed.notify_all();
    }

    /// The next batch with the moment of its submission and the limits in force;
    /// `None` when it is time to end.
    fn next(&self) -> Option<(Batch, u64, Limits)> {
        let mut queue = self.queue();
        loop {
            if queue.stopping {
                return None;
            }
            if let Some((batch, at)) = queue.batches.pop_front() {
                return Some((batch, at, queue.limits));
            }
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn add(counter: &AtomicU64, more: usize) {
    counter.fetch_add(more as u64, Ordering::Relaxed);
}

/// A thread that sends batches to one destination at the pace of the link. The
/// transport may be shared with other senders. Dropping it ends the thread.
#[derive(Debug)]
pub struct PacedSender {
    shared: Arc<Shared>,
    transport: Shown,
    thread: Option<JoinHandle<()>>,
}

/// The transport, for its one answer that the counters want.
struct Shown(Arc<dyn Transport>);

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Transport {{ offloads: {} }}", self.0.offloads())
    }
}

impl PacedSender {
    /// Starts the thread `punktfunk-send`.
    ///
    /// # Errors
    /// [`Error::Thread`].
    pub fn spawn(
        transport: Arc<dyn Transport>,
        destination: Destination,
        config: SenderConfig,
    ) -> Result<Self, Error> {
        let shared = Arc::new(Shared::new(config));
        let worker = Worker {
            shared: shared.clone(),
            transport: transport.clone(),
            destination,
            pacer: Pacer::new(config.limits()),
        };
        let thread = std::thread::Builder::new()
            .name("punktfunk-send".into())
            .spawn(move || worker.run())
            .map_err(Error::Thread)?;
        Ok(Self { shared, transport: Shown(transport), thread: Some(thread) })
    }

    /// Queues a batch. Never waits for the network: when two batches are waiting
    /// already, this newest one comes straight back.
    pub fn submit(&self, batch: Batch) -> Submit {
        let mut queue = self.shared.queue();
        if queue.stopping || queue.batches.len() >= DEPTH {
            drop(queue);
            add(&self.shared.dropped, 1);
            return Submit::Dropped(batch);
        }
        let (now, datagrams) = (monotonic_nanos(), batch.datagrams());
        let bytes = datagrams.bytes().len() + datagrams.len() * WIRE_OVERHEAD;
        queue.model.take(now, bytes);
        queue.batches.push_back((batch, now));
        drop(queue);
        self.shared.changed.notify_one();
        Submit::Queued
    }

    /// When a batch leaves that is submitted now, as far as pacing goes. Each datagram counts
    /// [`WIRE_OVERHEAD`] bytes more than it holds.
    pub fn forecast(&self) -> Forecast {
        self.shared.queue().model.forecast(monotonic_nanos())
    }

    /// Whether a batch would be queued now. It stays true for the only one who submits.
    pub fn has_room(&self) -> bool {
        let queue = self.shared.queue();
        !queue.stopping && queue.batches.len() < DEPTH
    }

    /// False once the thread has ended, which before `close` only a panic does.
    pub fn is_alive(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// An empty buffer to fill, one that was sent before if there is one.
    pub fn buffer(&self) -> Vec<u8> {
        self.shared.pool.take()
    }

    /// Gives a buffer back that was not sent, as that of a dropped batch.
    pub fn recycle(&self, buffer: Vec<u8>) {
        self.shared.pool.put(buffer);
    }

    /// Follows a new bitrate (bits per second) from the next batch on.
    pub fn set_bitrate(&self, bitrate: u64) {
        self.reconfigure(|config| config.bitrate = bitrate);
    }

    /// Follows a new measurement of the path (bits per second) from the next
    /// batch on.
    pub fn set_link(&self, link: Option<u64>) {
        self.reconfigure(|config| config.link = link);
    }

    fn reconfigure(&self, change: impl FnOnce(&mut SenderConfig)) {
        let mut queue = self.shared.queue();
        change(&mut queue.config);
        queue.limits = queue.config.limits();
        let limits = queue.limits;
        queue.model.set_limits(monotonic_nanos(), limits);
    }

    /// The counters.
    pub fn stats(&self) -> SenderStats {
        let shared = &self.shared;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        SenderStats {
            batches: read(&shared.batches),
            packets: read(&shared.packets),
            bytes: read(&shared.bytes),
            dropped: read(&shared.dropped),
            unrouted: read(&shared.unrouted),
            errors: read(&shared.errors),
            syscalls: read(&shared.syscalls),
            gso: self.transport.0.offloads(),
            realtime: shared.realtime.load(Ordering::Relaxed),
            queue_wait: shared.queue_wait.quantiles(),
            send_time: shared.send_time.quantiles(),
        }
    }

    /// What reads the counters from elsewhere, also after the thread ended.
    pub fn gauge(&self) -> SenderGauge {
        SenderGauge { shared: Arc::clone(&self.shared) }
    }

    /// Ends the thread, discarding what waits, and returns the final counters.
    pub fn close(mut self) -> SenderStats {
        self.join();
        self.stats()
    }

    fn join(&mut self) {
        self.shared.stop();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the sender thread panicked");
        }
    }
}

/// Reads the counters of a [`PacedSender`] without keeping its thread. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SenderGauge {
    shared: Arc<Shared>,
}

impl SenderGauge {
    /// Datagrams handed to the network, and the bytes of their payload.
    pub fn sent(&self) -> (u64, u64) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (read(&self.shared.packets), read(&self.shared.bytes))
    }

    /// From `submit` to the last datagram's handing over, of each batch.
    pub fn passage(&self) -> Counts {
        self.shared.passage.counts()
    }
}

impl Drop for PacedSender {
    fn drop(&mut self) {
        self.join();
    }
}

struct Worker {
    shared: Arc<Shared>,
    transport: Arc<dyn Transport>,
    destination: Destination,
    pacer: Pacer,
}

impl Worker {
    fn run(mut self) {
        match wake_on_time() {
            Ok(()) => self.shared.realtime.store(true, Ordering::Relaxed),
            Err(reason) => tracing::debug!(%reason, "no real-time scheduling for the sender thread"),
        }
        while let Some((batch, submitted, limits)) = self.shared.next() {
            let start = monotonic_nanos();
            self.shared.queue_wait.record(start.saturating_sub(submitted));
            if limits != self.pacer.limits() {
                self.pacer.set_limits(start, limits);
            }
            if self.send(batch.datagrams()) {
                let end = monotonic_nanos();
                self.shared.send_time.record(end.saturating_sub(start));
                self.shared.passage.record(end.saturating_sub(submitted));
                add(&self.shared.batches, 1);
            }
            self.shared.pool.put(batch.bytes);
        }
    }

    /// Whether all of the batch went out.
    fn send(&mut self, mut rest: Datagrams<'_>) -> bool {
        while !rest.is_empty() {
            if self.shared.stop.load(Ordering::Relaxed) {
                return false;
            }
            let Some(route) = self.destination.current() else {
                add(&self.shared.unrouted, 1);
                return false;
            };
            let size = rest.segment() + WIRE_OVERHEAD;
            match self.pacer.pace(monotonic_nanos(), size, rest.len()) {
                Pace::Wait(until) => sleep_until(until),
                Pace::Send(count) => {
                    let (now, later) = rest.split_at(count);
                    if !self.send_now(now, route) {
                        return false;
                    }
                    rest = later;
                }
            }
        }
        true
    }

    fn send_now(&self, datagrams: Datagrams<'_>, route: Route) -> bool {
        let shared = &self.shared;
        let (sent, error) = match self.transport.send(datagrams, route) {
            Ok(sent) => (sent, None),
            Err(Error::Send { sent, source }) => (sent, Some(Error::Send { sent, source })),
            Err(error) => (Default::default(), Some(error)),
        };
        add(&shared.packets, sent.datagrams);
        add(&shared.bytes, datagrams.split_at(sent.datagrams).0.bytes().len());
        shared.syscalls.fetch_add(u64::from(sent.syscalls), Ordering::Relaxed);
        let Some(error) = error else { return true };
        let count = shared.errors.fetch_add(1, Ordering::Relaxed) + 1;
        // A dead path fails for every frame: the 1st, 2nd, 4th, 8th... is told.
        if count.is_power_of_two() {
            tracing::warn!(to = %route.to, %error, count, "the rest of a batch is lost");
        }
        false
    }
}
