//! Sound into a server, of one of two kinds ([`Part`]): that of a seat on a sound server
//! of the user besides (`localAudioPlayMode`, sheet, section 4), which is one ordinary
//! stream to the server's default sink and changes no default, volume or route there;
//! and that of a client's microphone on the server of its seat, which is a source.
//!
//! Two clocks meet here, that of who speaks and that of who listens. A queue of
//! bounded length lies between them: when it has run empty there is silence until it
//! is filled again, and when it is too long the oldest sound is left out.

use std::collections::VecDeque;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use pipewire as pw;
use pw::properties::properties;
use pw::spa::pod::Pod;
use pw::spa::utils::Direction;
use pw::stream::{StreamBox, StreamFlags};

use super::pipewire::{format, keep_trying};
use super::{AudioError, SAMPLE_RATE};

/// Milliseconds of sound that wait before the first is played: two turns of the seat's
/// server.
const FILL_MS: usize = 40;
/// More than this is cut back to [`FILL_MS`].
const MOST_MS: usize = 120;
/// How long after a failure the server is looked for again.
const RETRY: Duration = Duration::from_millis(250);

/// What the sound is to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// A program that plays so many channels.
    Program(u8),
    /// A microphone, in stereo.
    Microphone,
}

impl Part {
    const fn channels(self) -> u8 {
        match self {
            Self::Program(channels) => channels,
            Self::Microphone => 2,
        }
    }

    fn properties(self) -> pw::properties::PropertiesBox {
        match self {
            Self::Program(_) => properties! {
                *pw::keys::MEDIA_TYPE => "Audio",
                *pw::keys::MEDIA_CATEGORY => "Playback",
                *pw::keys::MEDIA_ROLE => "Game",
                *pw::keys::NODE_NAME => "punktfunk.local",
                *pw::keys::NODE_DESCRIPTION => "punktfunk",
                *pw::keys::NODE_LATENCY => "480/48000",
            },
            Self::Microphone => properties! {
                *pw::keys::MEDIA_TYPE => "Audio",
                *pw::keys::MEDIA_CLASS => "Audio/Source",
                *pw::keys::MEDIA_ROLE => "Communication",
                *pw::keys::NODE_NAME => super::MICROPHONE,
                *pw::keys::NODE_DESCRIPTION => "Microphone of the client",
                *pw::keys::NODE_VIRTUAL => "true",
                *pw::keys::NODE_LATENCY => "480/48000",
                // Before the monitor of the seat's sink (2000): what records without a wish
                // gets the microphone.
                "priority.session" => "3000",
            },
        }
    }

    /// Who plays is linked to the default sink; a source waits for who records it.
    fn flags(self) -> StreamFlags {
        let flags = StreamFlags::MAP_BUFFERS | StreamFlags::RT_PROCESS;
        match self {
            Self::Program(_) => flags | StreamFlags::AUTOCONNECT,
            Self::Microphone => flags,
        }
    }

    const fn missing(self) -> &'static str {
        match self {
            Self::Program(_) => "no sound on this machine now: no PipeWire server of this user answers",
            Self::Microphone => "no microphone now: the seat's sound server does not answer",
        }
    }
}

/// A running playback. Dropping it ends its thread.
pub(super) struct Local {
    queue: Arc<Mutex<Queue>>,
    quit: pw::channel::Sender<()>,
    thread: Option<JoinHandle<()>>,
}

impl Local {
    /// Plays on the server at `remote`, whenever there is one: it may be started later,
    /// or again. Meanwhile the log says so, and the client hears the sound all the same.
    pub fn start(remote: &Path, part: Part) -> Option<Self> {
        let queue = Arc::new(Mutex::new(Queue::new(part.channels())));
        let (quit, quitting) = pw::channel::channel();
        let (remote, filled) = (remote.to_owned(), Arc::clone(&queue));
        let thread = thread::Builder::new().name("punktfunk-local".into()).spawn(move || {
            let attempt = |main_loop: &_| play(main_loop, &remote, part, &filled);
            if let Err(error) = keep_trying(quitting, RETRY, part.missing(), attempt) {
                tracing::warn!(%error, ?part, "no sound into that server");
            }
        });
        match thread {
            Ok(thread) => Some(Self { queue, quit, thread: Some(thread) }),
            Err(error) => {
                tracing::warn!(%error, ?part, "no sound into that server: no thread for it");
                None
            }
        }
    }

    /// Hands over interleaved samples.
    pub fn push(&self, samples: &[f32]) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).push(samples);
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        let _ = self.quit.send(());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What waits to be played. It never grows beyond its first allocation.
struct Queue {
    values: VecDeque<f32>,
    fill: usize,
    most: usize,
    filling: bool,
}

impl Queue {
    fn new(channels: u8) -> Self {
        let a_millisecond = SAMPLE_RATE as usize / 1_000 * usize::from(channels);
        let most = MOST_MS * a_millisecond;
        Self { values: VecDeque::with_capacity(most), fill: FILL_MS * a_millisecond, most, filling: true }
    }

    fn push(&mut self, samples: &[f32]) {
        let samples = &samples[samples.len().saturating_sub(self.fill)..];
        if self.values.len() + samples.len() > self.most {
            // What is left and what is new are together as long as at the start.
            let surplus = self.values.len() + samples.len() - self.fill;
            self.values.drain(..surplus.min(self.values.len()));
        }
        self.values.extend(samples);
    }

    /// Writes little-endian singles over all of `bytes`.
    fn fill(&mut self, bytes: &mut [u8]) {
        let values = bytes.as_chunks_mut::<4>().0;
        if self.filling && self.values.len() >= self.fill {
            // What waited while nobody played would be delay for good.
            self.values.drain(..self.values.len() - self.fill);
            self.filling = false;
        }
        if self.filling || self.values.len() < values.len() {
            self.filling = true;
            values.fill([0; 4]);
            return;
        }
        let count = values.len();
        for (to, value) in values.iter_mut().zip(self.values.drain(..count)) {
            *to = value.to_le_bytes();
        }
    }
}

/// Plays until the connection ends or the loop is told to quit.
fn play(
    main_loop: &pw::main_loop::MainLoopRc,
    remote: &Path,
    part: Part,
    queue: &Arc<Mutex<Queue>>,
) -> Result<(), AudioError> {
    // A look that costs next to nothing: there may be no server for hours.
    drop(UnixStream::connect(remote).map_err(AudioError::Local)?);
    let queue = Arc::clone(queue);
    queue.lock().unwrap_or_else(PoisonError::into_inner).filling = true;
    let context = pw::context::ContextRc::new(main_loop, None)?;
    let remote = remote.display().to_string();
    let core = context.connect_rc(Some(properties! { *pw::keys::REMOTE_NAME => remote.as_str() }))?;
    let _core = core
        .add_listener_local()
        .error({
            let main_loop = main_loop.clone();
            move |id, _, _, message| {
                tracing::warn!(id, message, "a sound server that is played into reports an error");
                // Id 0 is the connection itself: it is made anew.
                if id == 0 {
                    main_loop.quit();
                }
            }
        })
        .register();
    let channels = part.channels();
    let stream = StreamBox::new(&core, "punktfunk", part.properties())?;
    let frame = usize::from(channels) * 4;
    let _listener = stream
        .add_local_listener_with_user_data(queue)
        .process(move |stream, queue| {
            let Some(mut buffer) = stream.dequeue_buffer() else { return };
            let requested = usize::try_from(buffer.requested()).unwrap_or(0);
            let Some(data) = buffer.datas_mut().first_mut() else { return };
            let mut written = 0;
            if let Some(bytes) = data.data() {
                let room = bytes.len() / frame;
                written = frame * if requested == 0 { room } else { requested.min(room) };
                queue.lock().unwrap_or_else(PoisonError::into_inner).fill(&mut bytes[..written]);
            }
            let chunk = data.chunk_mut();
            *chunk.offset_mut() = 0;
            *chunk.stride_mut() = i32::try_from(frame).unwrap_or(0);
            *chunk.size_mut() = u32::try_from(written).unwrap_or(0);
        })
        .register()?;
    let format = format(channels)?;
    let mut parameters = [Pod::from_bytes(&format).ok_or(AudioError::Format)?];
    stream.connect(Direction::Output, None, part.flags(), &mut parameters)?;
    tracing::info!(remote, ?part, "sound goes into this server");
    main_loop.run();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(queue: &mut Queue, values: usize) -> f32 {
        let mut bytes = vec![0; values * 4];
        queue.fill(&mut bytes);
        f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
    }

    #[test]
    fn it_plays_in_order_once_it_is_filled_and_waits_again_when_empty() {
        let mut queue = Queue::new(2);
        let (turn, tone) = (queue.fill / 2, |value: f32| vec![value; Queue::new(2).fill / 2]);
        queue.push(&tone(0.1));
        assert_eq!(first(&mut queue, turn), 0.0, "half filled");
        queue.push(&tone(0.2));
        assert_eq!(first(&mut queue, turn), 0.1);
        assert_eq!(first(&mut queue, turn), 0.2);
        assert_eq!(first(&mut queue, turn), 0.0, "empty");
        queue.push(&tone(0.3));
        assert_eq!(first(&mut queue, turn), 0.0, "half filled again");
        queue.push(&tone(0.4));
        assert_eq!(first(&mut queue, turn), 0.3);
    }

    #[test]
    fn what_waited_while_nobody_played_is_no_delay_afterwards() {
        let mut queue = Queue::new(2);
        let turn = queue.fill / 2;
        for value in [0.1, 0.2, 0.3, 0.4, 0.5] {
            queue.push(&vec![value; turn]);
        }
        assert_eq!(first(&mut queue, turn), 0.4);
        assert_eq!(first(&mut queue, turn), 0.5);
    }

    #[test]
    fn it_never_grows_and_loses_the_oldest() {
        let mut queue = Queue::new(8);
        let capacity = queue.values.capacity();
        for turn in 0u16..100 {
            queue.push(&vec![f32::from(turn); queue.fill / 2]);
            assert!(queue.values.len() <= queue.most);
        }
        assert_eq!(queue.values.capacity(), capacity);
        assert_eq!(queue.values.back(), Some(&99.0));
        assert!(first(&mut queue, 8) > 90.0);
        // A turn longer than everything.
        queue.push(&vec![1.0; 10 * queue.most]);
        assert_eq!(queue.values.capacity(), capacity);
    }
}
