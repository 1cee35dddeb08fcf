//! The audio stage: the thread that turns samples into packets.
//!
//! With PipeWire the sound server's clock sets the pace: packets leave as samples
//! come. When none come for a while (nothing is linked, the server stopped), a
//! timer with absolute deadlines takes over with silence, so that the sequence
//! never breaks.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::local::{Local, Part};
use super::opus::Encoder;
use super::synthetic::Tones;
use super::{AudioError, Config, SAMPLE_RATE, Source, null, pipewire};

/// Blocks of samples that may wait for the encoder: 100 ms of 5 ms turns. More
/// would only be delay.
const DEPTH: usize = 20;
/// How long the sound server may be silent before the timer takes over. Longer
/// than its longest turn, so that the two never run at once.
const PATIENCE: Duration = Duration::from_millis(60);

/// A running stage. Dropping it stops its threads.
pub struct Stage {
    stop: SyncSender<Input>,
    thread: Option<JoinHandle<()>>,
}

/// What reaches the thread.
pub(super) enum Input {
    /// Interleaved samples that the sound server recorded.
    Samples(Vec<f32>),
    /// The stage is being dropped.
    Stop,
}

/// The recorder's end: never blocks, reuses buffers.
#[derive(Clone)]
pub(super) struct Feed {
    queue: SyncSender<Input>,
    spare: Arc<Mutex<Vec<Vec<f32>>>>,
}

impl Feed {
    /// Hands over interleaved samples, little-endian singles as PipeWire has them.
    /// When the encoder is behind, they are dropped.
    pub(super) fn push(&self, bytes: &[u8]) {
        let mut samples = self.spare.lock().ok().and_then(|mut spare| spare.pop()).unwrap_or_default();
        samples.clear();
        samples.extend(bytes.as_chunks::<4>().0.iter().map(|value| f32::from_le_bytes(*value)));
        if let Err(TrySendError::Full(Input::Samples(samples))) = self.queue.try_send(Input::Samples(samples))
        {
            self.give_back(samples);
        }
    }

    fn give_back(&self, samples: Vec<f32>) {
        if let Ok(mut spare) = self.spare.lock()
            && spare.len() < DEPTH
        {
            spare.push(samples);
        }
    }
}

impl Stage {
    /// Starts the stage; `sink` is called on its thread with each Opus packet.
    /// A sound server that cannot be reached is logged, and silence is sent.
    pub fn spawn(config: Config, sink: impl FnMut(&[u8]) + Send + 'static) -> Result<Self, AudioError> {
        let encoder = Encoder::new(&config)?;
        let (queue, inputs) = mpsc::sync_channel(DEPTH);
        let stop = queue.clone();
        let feed = Feed { queue, spare: Arc::default() };
        let thread = thread::Builder::new()
            .name("punktfunk-audio".into())
            .spawn(move || run(&config, encoder, &inputs, feed, sink))?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Blocks for a moment at most: the thread empties the queue all the time.
        let _ = self.stop.send(Input::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(
    config: &Config,
    encoder: Encoder,
    inputs: &Receiver<Input>,
    feed: Feed,
    sink: impl FnMut(&[u8]) + Send + 'static,
) {
    if let Err(reason) = punktfunk_net::wake_on_time() {
        tracing::debug!(%reason, "no real-time scheduling for sound");
    }
    let samples = config.packet_samples();
    let interval = Duration::from_micros(samples as u64 * 1_000_000 / u64::from(SAMPLE_RATE));
    let mut packets = Packets { pending: Vec::with_capacity(encoder.values() * 4), encoder, sink };
    let (remote, sink) = match &config.source {
        Source::PipeWire { remote, sink } => (remote, Some(sink)),
        Source::Monitor { remote } => (remote, None),
        Source::Synthetic { frequencies } => {
            let mut tones = Tones::new(frequencies, config.channels);
            return timed(inputs, interval, &mut packets, |values| tones.fill(values));
        }
        Source::Null => return timed(inputs, interval, &mut packets, null::fill),
    };
    let wanted =
        pipewire::Wanted { remote: remote.clone(), sink: sink.cloned(), channels: config.channels, samples };
    let recorder = pipewire::Recorder::start(wanted, feed.clone());
    match &recorder {
        Ok(_) => tracing::debug!(remote = %remote.display(), sink, "recording"),
        Err(error) => tracing::warn!(%error, "no sound: silence is sent"),
    }
    let local = config.local.as_deref().and_then(|local| Local::start(local, Part::Program(config.channels)));
    follow(inputs, &feed, interval, local.as_ref(), &mut packets);
}

/// Sends what the sound server records, and silence while it records nothing.
fn follow<S: FnMut(&[u8])>(
    inputs: &Receiver<Input>,
    feed: &Feed,
    interval: Duration,
    local: Option<&Local>,
    packets: &mut Packets<S>,
) {
    // The first packets must not wait for the server: it may never answer.
    let mut deadline = Instant::now();
    loop {
        match inputs.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(Input::Samples(samples)) => {
                packets.push(&samples);
                if let Some(local) = local {
                    local.push(&samples);
                }
                feed.give_back(samples);
                deadline = Instant::now() + PATIENCE;
            }
            Err(RecvTimeoutError::Timeout) => {
                packets.generate(null::fill);
                deadline += interval;
            }
            Ok(Input::Stop) | Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Sends a generated packet every `interval`, at absolute deadlines.
fn timed<S: FnMut(&[u8])>(
    inputs: &Receiver<Input>,
    interval: Duration,
    packets: &mut Packets<S>,
    mut fill: impl FnMut(&mut [f32]),
) {
    let mut deadline = Instant::now();
    loop {
        match inputs.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Err(RecvTimeoutError::Timeout) => {
                packets.generate(&mut fill);
                deadline += interval;
            }
            Ok(Input::Samples(_)) => {}
            Ok(Input::Stop) | Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Collects samples until they fill a packet.
struct Packets<S> {
    encoder: Encoder,
    pending: Vec<f32>,
    sink: S,
}

impl<S: FnMut(&[u8])> Packets<S> {
    fn push(&mut self, samples: &[f32]) {
        self.pending.extend_from_slice(samples);
        let values = self.encoder.values();
        let mut used = 0;
        while let Some(block) = self.pending.get(used..used + values) {
            match self.encoder.encode(block) {
                Ok(packet) => (self.sink)(packet),
                Err(error) => tracing::warn!(%error, "a block of sound was not coded"),
            }
            used += values;
        }
        self.pending.drain(..used);
    }

    /// One packet's worth of generated values, after what is pending.
    fn generate(&mut self, fill: impl FnOnce(&mut [f32])) {
        let values = self.encoder.values();
        self.pending.clear();
        self.pending.resize(values, 0.0);
        fill(&mut self.pending);
        let block = std::mem::take(&mut self.pending);
        match self.encoder.encode(&block) {
            Ok(packet) => (self.sink)(packet),
            Err(error) => tracing::warn!(%error, "a block of sound was not coded"),
        }
        self.pending = block;
        self.pending.clear();
    }
}
