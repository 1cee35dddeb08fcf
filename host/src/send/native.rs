//! The media plane of one native client (punktfunk/1, section 4) around the machine of
//! `punktfunk_core::native::host`: its frames leave through a paced sender, resent shards
//! and reports at once, all over the port that QUIC uses, to where the client was heard
//! last.
//!
//! The encode thread has [`NativeVideo`]; the thread that receives for everybody leaves
//! datagrams here, and the thread `punktfunk-media` opens them and keeps the time.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use punktfunk_core::gamestream::video::FrameKind;
use punktfunk_core::native::host::{Config, Error, Media, Output, Unit};
use punktfunk_core::native::media::{Departures, Flags};
use punktfunk_core::time::Time;
use punktfunk_net::{
    Batch, Datagrams, Destination, PacedSender, Received, RecvBatch, Route, SenderConfig, SenderGauge,
    SenderStats, Submit, Transport, WIRE_OVERHEAD, monotonic_nanos,
};

use super::path::PathGauge;
use super::video::Losses;
use super::{Outgoing, Sent};

/// Datagrams of the client that may wait: several round trips' worth of reports.
const WAITING: usize = 256;
/// The longest report; nothing longer is a client's.
const LONGEST: usize = 9000;

/// What a media plane is started with.
pub struct NativeConfig {
    /// What the handshake settled.
    pub media: Config,
    /// The port of the host.
    pub transport: Arc<dyn Transport>,
    /// Where the client is at first.
    pub route: Route,
}

/// What the client's reports mean for the encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// The next frame shall be a key frame.
    KeyFrame,
    /// Frames `first..=last` are lost: nothing may refer to them.
    Lost {
        /// The first.
        first: u32,
        /// The last.
        last: u32,
    },
    /// A frame was decoded.
    Acknowledged(u32),
    /// Bits a second that the path carries of coded pictures.
    Bitrate(u64),
}

/// Hears what the client's reports mean. Called from several threads; must not block.
pub type OnWish = Box<dyn Fn(Wish) + Send + Sync>;

/// The media plane of one client. Dropping the last of it ends its threads.
pub struct Native {
    inner: Arc<Inner>,
    thread: Option<JoinHandle<()>>,
}

struct Inner {
    media: Mutex<Media>,
    sender: PacedSender,
    wire: Arc<Wire>,
    destination: Destination,
    on_wish: OnWish,
    inbox: SyncSender<Incoming>,
    spare: Mutex<Vec<Vec<u8>>>,
    gate: Mutex<Gate>,
    changed: Condvar,
    /// When the machine wants to be asked again, µs; `u64::MAX` for never.
    due: AtomicU64,
    /// The last report told of loss.
    is_lossy: AtomicBool,
    /// For whoever looks.
    path: Arc<PathGauge>,
}

/// Whether media may flow.
#[derive(Default)]
struct Gate {
    open: bool,
    closed: bool,
}

enum Incoming {
    Datagram(Vec<u8>, Route),
    /// The deadline is earlier now, or everything ends.
    Look,
}

/// The shared port, with segmentation offload only as long as this client bears it.
struct Wire {
    transport: Arc<dyn Transport>,
    one_by_one: AtomicBool,
}

impl Transport for Wire {
    fn send(
        &self,
        datagrams: Datagrams<'_>,
        route: Route,
    ) -> Result<punktfunk_net::Sent, punktfunk_net::Error> {
        if !self.one_by_one.load(Ordering::Relaxed) {
            return self.transport.send(datagrams, route);
        }
        let mut sent = punktfunk_net::Sent::default();
        for datagram in datagrams {
            let one = self.transport.send(Datagrams::one(datagram), route)?;
            sent.datagrams += one.datagrams;
            sent.syscalls += one.syscalls;
        }
        Ok(sent)
    }

    fn receive(
        &self,
        into: &mut RecvBatch,
        timeout: Option<Duration>,
    ) -> Result<Received, punktfunk_net::Error> {
        self.transport.receive(into, timeout)
    }

    fn wake(&self) {
        self.transport.wake();
    }

    fn offloads(&self) -> bool {
        !self.one_by_one.load(Ordering::Relaxed) && self.transport.offloads()
    }
}

impl Native {
    /// Starts the threads. Nothing is sent before [`Native::open`].
    ///
    /// # Errors
    /// When the keys are refused or a thread cannot be started.
    pub fn start(config: NativeConfig, on_wish: OnWish) -> Result<Arc<Self>, anyhow::Error> {
        let NativeConfig { media, transport, route } = config;
        let destination = Destination::new();
        destination.set(Some(route));
        let wire = Arc::new(Wire { transport, one_by_one: AtomicBool::new(false) });
        let pace = SenderConfig::new(media.bitrate);
        let (inbox, incoming) = sync_channel(WAITING);
        let inner = Arc::new(Inner {
            media: Mutex::new(Media::new(now(), media)?),
            sender: PacedSender::spawn(Arc::clone(&wire) as _, destination.clone(), pace)?,
            wire,
            destination,
            on_wish,
            inbox,
            spare: Mutex::default(),
            gate: Mutex::default(),
            changed: Condvar::new(),
            due: AtomicU64::new(u64::MAX),
            is_lossy: AtomicBool::new(false),
            path: Arc::default(),
        });
        let ours = Arc::clone(&inner);
        let thread = std::thread::Builder::new().name("punktfunk-media".into());
        let thread = thread.spawn(move || ours.run(&incoming))?;
        Ok(Arc::new(Self { inner, thread: Some(thread) }))
    }

    /// What the encode thread sends with.
    pub fn video(&self, epoch: u8, drop_percent: f64) -> NativeVideo {
        NativeVideo { inner: Arc::clone(&self.inner), epoch, losses: Losses::new(drop_percent) }
    }

    /// Bits a second of coded pictures that the path is believed to carry.
    pub fn encoder_bitrate(&self) -> u64 {
        self.inner.media().encoder_bitrate()
    }

    /// A datagram with this client's media id came in. Never blocks; what does not fit is
    /// lost.
    pub fn datagram(&self, datagram: &[u8], from: Route) {
        if datagram.len() > LONGEST {
            return;
        }
        let inner = &self.inner;
        let mut bytes = lock(&inner.spare).pop().unwrap_or_default();
        bytes.clear();
        bytes.extend_from_slice(datagram);
        // A client that floods loses its own reports.
        drop(inner.inbox.try_send(Incoming::Datagram(bytes, from)));
    }

    /// The client may be sent media from now on.
    pub fn open(&self) {
        lock(&self.inner.gate).open = true;
        self.inner.changed.notify_all();
    }

    /// The client may be sent media now.
    pub fn is_open(&self) -> bool {
        let gate = lock(&self.inner.gate);
        gate.open && !gate.closed
    }

    /// Waits until media may flow; false when `deadline` passed or all was closed before.
    pub fn wait(&self, deadline: Instant) -> bool {
        let mut gate = lock(&self.inner.gate);
        loop {
            if gate.open || gate.closed {
                return gate.open && !gate.closed;
            }
            let now = Instant::now();
            if now >= deadline {
                return false;
            }
            let wait = self.inner.changed.wait_timeout(gate, deadline - now);
            gate = wait.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Ends the waiting; nothing more is heard.
    pub fn close(&self) {
        self.inner.close();
    }

    /// Another bitrate was agreed, bits a second with parity.
    pub fn agree(&self, bitrate: u64) {
        self.inner.media().agree(bitrate);
        self.inner.settle(&mut Vec::new());
    }

    /// What the client told of its path.
    pub fn path(&self) -> Arc<PathGauge> {
        Arc::clone(&self.inner.path)
    }

    /// Whether the client's last report told of loss: then sound is said twice.
    pub fn is_lossy(&self) -> bool {
        self.inner.is_lossy.load(Ordering::Relaxed)
    }
}

impl Drop for Native {
    fn drop(&mut self) {
        self.inner.close();
        if let Some(thread) = self.thread.take() {
            // A panic was printed by the thread itself.
            let _ = thread.join();
        }
    }
}

impl Inner {
    fn media(&self) -> MutexGuard<'_, Media> {
        lock(&self.media)
    }

    fn close(&self) {
        lock(&self.gate).closed = true;
        self.changed.notify_all();
        // When it is full the thread looks at the gate anyway.
        drop(self.inbox.try_send(Incoming::Look));
    }

    fn run(&self, incoming: &Receiver<Incoming>) {
        let mut out = Vec::new();
        while !lock(&self.gate).closed {
            let due = Time(self.due.load(Ordering::Relaxed));
            let next = match due {
                Time(u64::MAX) => incoming.recv().map_err(|_| RecvTimeoutError::Disconnected),
                due => incoming.recv_timeout(due - now()),
            };
            match next {
                Ok(Incoming::Datagram(mut bytes, from)) => {
                    self.heard(&mut bytes, from);
                    let mut spare = lock(&self.spare);
                    if spare.len() < WAITING {
                        spare.push(bytes);
                    }
                }
                Ok(Incoming::Look) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.settle(&mut out);
        }
    }

    /// Opens a datagram; its sender is where the client is, if it is the newest.
    fn heard(&self, datagram: &mut [u8], from: Route) {
        let mut media = self.media();
        match media.datagram(now(), datagram) {
            Ok(heard) => {
                let stats = media.stats();
                let lossy = stats.last.is_some_and(|sample| sample.lost > 0);
                self.is_lossy.store(lossy, Ordering::Relaxed);
                self.path.note(&stats);
                let before = self.destination.current();
                if heard.newest && before.is_none_or(|route| (route.to, route.from) != (from.to, from.from)) {
                    tracing::info!(to = %from.to, "the client is at another address");
                    self.destination.set(Some(Route { dscp: before.and_then(|route| route.dscp), ..from }));
                    media.moved(now());
                }
            }
            Err(error) => tracing::debug!(%error, from = %from.to, "dropped a media datagram"),
        }
    }

    /// Does what the machine asks for, until it asks for nothing.
    fn settle(&self, out: &mut Vec<u8>) {
        loop {
            out.clear();
            let output = self.media().poll(now(), out);
            match output {
                Output::Send(batch) => self.send_now(Datagrams::new(out, batch.datagram_len)),
                Output::KeyFrameWanted { .. } => (self.on_wish)(Wish::KeyFrame),
                Output::Invalidate { first, last } => (self.on_wish)(Wish::Lost { first, last }),
                Output::Acknowledged { frame } => (self.on_wish)(Wish::Acknowledged(frame)),
                Output::Bitrate(rate) => {
                    let (kbps, limiter) = (rate.whole / 1000, rate.limiter.name());
                    tracing::debug!(kbps, limiter, because = ?rate.because, "the bitrate follows the path");
                    self.path.limited(rate.limiter);
                    self.sender.set_bitrate(rate.whole);
                    (self.on_wish)(Wish::Bitrate(rate.encoder));
                }
                Output::DisableGso => {
                    tracing::warn!(
                        "the client gets datagrams of wrong sizes: no segmentation offload for it"
                    );
                    self.wire.one_by_one.store(true, Ordering::Relaxed);
                }
                Output::PayloadSize(bytes) => {
                    tracing::debug!(bytes, "the path carries datagrams of this size")
                }
                Output::Wait(due) => {
                    let due = due.map_or(u64::MAX, |due| due.0);
                    self.due.store(due, Ordering::Relaxed);
                    return;
                }
            }
        }
    }

    fn send_now(&self, datagrams: Datagrams<'_>) {
        let Some(to) = self.destination.current() else { return };
        if let Err(error) = self.wire.send(datagrams, to) {
            tracing::debug!(%error, "a report or a repair was not sent");
        }
    }
}

/// The video sender of one native stream.
pub struct NativeVideo {
    inner: Arc<Inner>,
    epoch: u8,
    losses: Losses,
}

impl NativeVideo {
    pub(super) fn set_epoch(&mut self, epoch: u8) {
        self.epoch = epoch;
    }

    pub(super) fn next_frame(&self) -> u32 {
        self.inner.media().next_frame()
    }

    pub(super) fn has_room(&self) -> bool {
        self.inner.sender.has_room()
    }

    pub(super) fn is_alive(&self) -> bool {
        self.inner.sender.is_alive()
    }

    pub(super) fn stats(&self) -> SenderStats {
        self.inner.sender.stats()
    }

    pub(super) fn gauge(&self) -> SenderGauge {
        self.inner.sender.gauge()
    }

    pub(super) fn send(&mut self, unit: &Outgoing<'_>) -> Sent {
        let inner = &*self.inner;
        if !inner.sender.has_room() {
            return Sent::Dropped;
        }
        let mut bytes = inner.sender.buffer();
        let (made, parity) = {
            let mut media = inner.media();
            let parity = media.stats().parity;
            let mut data = media.buffer();
            data.extend_from_slice(unit.data);
            let unit = Unit {
                data,
                taken: Time(unit.timestamp_us),
                epoch: self.epoch,
                flags: flags(unit),
                last: true,
            };
            let forecast = inner.sender.forecast();
            media.set_departures(Departures {
                excess: forecast.excess,
                rate: forecast.rate,
                overhead: WIRE_OVERHEAD,
            });
            let made = media.frame(now(), unit, &mut bytes);
            (made, media.stats().parity - parity)
        };
        let batch = match made {
            Ok(batch) => batch,
            Err(error) => {
                inner.sender.recycle(bytes);
                if !matches!(error, Error::NoKeyFrame(_)) {
                    tracing::warn!(%error, bytes = unit.data.len(), "a frame could not be packetized");
                }
                return Sent::TooLarge;
            }
        };
        self.losses.strike(&mut bytes, batch.datagram_len);
        let sent = match inner.sender.submit(Batch { bytes, segment: batch.datagram_len }) {
            // At most as many as there are datagrams of one frame.
            Submit::Queued => Sent::Queued { packets: batch.datagrams, parity: parity as usize },
            Submit::Dropped(batch) => {
                inner.sender.recycle(batch.bytes);
                Sent::Dropped
            }
        };
        self.look();
        sent
    }

    /// What a frame changes may have to be done earlier than the thread knows.
    fn look(&self) {
        let inner = &*self.inner;
        if inner.due.load(Ordering::Relaxed) == u64::MAX {
            drop(inner.inbox.try_send(Incoming::Look));
        }
    }
}

fn flags(unit: &Outgoing<'_>) -> Flags {
    let kind = match unit.kind {
        FrameKind::Idr => Flags::KEY_FRAME,
        FrameKind::AfterInvalidation => Flags::RECOVERY_POINT,
        FrameKind::P | FrameKind::IntraRefresh => Flags::default(),
    };
    if unit.is_new { kind.with(Flags::NEW_PICTURE) } else { kind }
}

fn now() -> Time {
    Time(monotonic_nanos() / 1000)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every critical section leaves the state whole, even when it panics.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
