//! Records the monitor of one sink of one PipeWire server: of one with a name, or of the
//! default one, which may become another.
//!
//! PipeWire wants a loop of its own: it has the thread `punktfunk-record`, which
//! ends with [`Recorder`]. A server that goes away is looked for until it is back: the
//! seat starts it again. What happens to the connection is logged there.

use std::cell::Cell;
use std::io::Cursor;
use std::path::PathBuf;
use std::rc::Rc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use pipewire as pw;
use pw::properties::properties;
use pw::spa::param::ParamType;
use pw::spa::param::audio::{AudioFormat, AudioInfoRaw, MAX_CHANNELS};
use pw::spa::pod::serialize::PodSerializer;
use pw::spa::pod::{Object, Pod, Value};
use pw::spa::utils::{Direction, SpaTypes};
use pw::stream::{StreamBox, StreamFlags};

use super::stage::Feed;
use super::{AudioError, SAMPLE_RATE};

/// `SPA_AUDIO_CHANNEL_…` of FL FR FC LFE RL RR SL SR, the order of the clients.
const POSITIONS: [u32; super::MAX_CHANNELS] = [3, 4, 5, 6, 12, 13, 7, 8];
/// Samples of a turn of a sound card that others use as well: 10 ms.
const LONG_TURN: usize = 480;
/// How long after a failure the server is looked for again.
const RETRY: Duration = Duration::from_millis(50);

/// What is recorded.
pub(super) struct Wanted {
    /// The server's socket.
    pub remote: PathBuf,
    /// The sink's `node.name`; none for the default one.
    pub sink: Option<String>,
    /// 2, 6 or 8; a sink of another layout is mixed to it.
    pub channels: u8,
    /// Samples of each channel that a turn should have.
    pub samples: usize,
}

/// A running recording.
pub(super) struct Recorder {
    quit: pw::channel::Sender<()>,
    thread: Option<JoinHandle<()>>,
}

impl Recorder {
    /// Starts to record. The connection is made on its own thread, again and again.
    pub(super) fn start(wanted: Wanted, feed: Feed) -> Result<Self, AudioError> {
        let (quit, quitting) = pw::channel::channel();
        let thread = thread::Builder::new().name("punktfunk-record".into()).spawn(move || {
            let meaning = match wanted.sink {
                Some(_) => "the seat's sound cannot be recorded now",
                None => "no sound now: the PipeWire server of this user does not answer",
            };
            let attempt = |main_loop: &_| record(main_loop, &wanted, feed.clone());
            if let Err(error) = keep_trying(quitting, RETRY, meaning, attempt) {
                tracing::warn!(%error, remote = %wanted.remote.display(), "sound is not recorded");
            }
        })?;
        Ok(Self { quit, thread: Some(thread) })
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = self.quit.send(());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Calls `attempt` with a loop, again and again, `pause` after it returned, until
/// `quitting` says so. Only the first of several failures in a row is logged, with what
/// it means.
pub(super) fn keep_trying(
    quitting: pw::channel::Receiver<()>,
    pause: Duration,
    meaning: &str,
    mut attempt: impl FnMut(&pw::main_loop::MainLoopRc) -> Result<(), AudioError>,
) -> Result<(), AudioError> {
    pw::init();
    let main_loop = pw::main_loop::MainLoopRc::new(None)?;
    let stopped = Rc::new(Cell::new(false));
    let _quit = quitting.attach(main_loop.loop_(), {
        let (main_loop, stopped) = (main_loop.clone(), Rc::clone(&stopped));
        move |()| {
            stopped.set(true);
            main_loop.quit();
        }
    });
    let mut told = false;
    while !stopped.get() {
        match attempt(&main_loop) {
            Ok(()) => told = false,
            Err(error) if !told => {
                tracing::warn!(%error, "{meaning}");
                told = true;
            }
            Err(_) => {}
        }
        let again = Instant::now() + pause;
        while !stopped.get() && Instant::now() < again {
            let wait = again.saturating_duration_since(Instant::now());
            main_loop.loop_().iterate(pw::loop_::Timeout::Finite(wait));
        }
    }
    Ok(())
}

/// Records until the connection ends or the loop is told to quit.
fn record(main_loop: &pw::main_loop::MainLoopRc, wanted: &Wanted, feed: Feed) -> Result<(), AudioError> {
    let context = pw::context::ContextRc::new(main_loop, None)?;
    let remote = wanted.remote.display().to_string();
    let core = context.connect_rc(Some(properties! { *pw::keys::REMOTE_NAME => remote.as_str() }))?;
    let _core = core
        .add_listener_local()
        .error({
            let main_loop = main_loop.clone();
            move |id, _, _, message| {
                tracing::warn!(id, message, "the sound server reports an error");
                // Id 0 is the connection itself: nothing follows.
                if id == 0 {
                    main_loop.quit();
                }
            }
        })
        .register();
    let stream = StreamBox::new(&core, "punktfunk", about(wanted))?;
    let asked = std::sync::Once::new();
    let _listener = stream
        .add_local_listener_with_user_data(feed)
        .process(move |stream, feed| {
            // The library's own thread: late for one turn, and the turn is lost.
            asked.call_once(|| drop(punktfunk_net::wake_on_time()));
            let Some(mut buffer) = stream.dequeue_buffer() else { return };
            let Some(data) = buffer.datas_mut().first_mut() else { return };
            let (start, length) = (data.chunk().offset() as usize, data.chunk().size() as usize);
            if let Some(bytes) = data.data().and_then(|bytes| bytes.get(start..start + length)) {
                feed.push(bytes);
            }
        })
        .register()?;
    let format = format(wanted.channels)?;
    let mut parameters = [Pod::from_bytes(&format).ok_or(AudioError::Format)?];
    stream.connect(
        Direction::Input,
        None,
        StreamFlags::AUTOCONNECT | StreamFlags::MAP_BUFFERS | StreamFlags::RT_PROCESS,
        &mut parameters,
    )?;
    main_loop.run();
    Ok(())
}

/// What the server is told of the recording.
fn about(wanted: &Wanted) -> pw::properties::PropertiesBox {
    // A shorter turn than a sound card has by itself would cost the user's own programs.
    let samples = wanted.samples.max(if wanted.sink.is_some() { 0 } else { LONG_TURN });
    let latency = format!("{samples}/{SAMPLE_RATE}");
    let mut properties = properties! {
        *pw::keys::MEDIA_TYPE => "Audio",
        *pw::keys::MEDIA_CATEGORY => "Capture",
        *pw::keys::MEDIA_ROLE => "Production",
        *pw::keys::STREAM_CAPTURE_SINK => "true",
        *pw::keys::NODE_LATENCY => latency.as_str(),
        "node.dont-reconnect" => "false",
        // A client with more channels than the sink hears what is played, no more.
        "channelmix.upmix" => "false",
    };
    // Without it the session manager links the default sink, and goes with it.
    if let Some(sink) = &wanted.sink {
        properties.insert("target.object", sink.as_str());
    }
    properties
}

/// The only format taken: interleaved singles at 48 kHz, in the order of the clients.
pub(super) fn format(channels: u8) -> Result<Vec<u8>, AudioError> {
    let positions = POSITIONS.get(..usize::from(channels)).ok_or(AudioError::Channels(channels))?;
    let mut info = AudioInfoRaw::new();
    info.set_format(AudioFormat::F32LE);
    info.set_rate(SAMPLE_RATE);
    info.set_channels(u32::from(channels));
    let mut position = [0; MAX_CHANNELS];
    position[..positions.len()].copy_from_slice(positions);
    info.set_position(position);
    let object = Value::Object(Object {
        type_: SpaTypes::ObjectParamFormat.as_raw(),
        id: ParamType::EnumFormat.as_raw(),
        properties: info.into(),
    });
    let serialized = PodSerializer::serialize(Cursor::new(Vec::new()), &object);
    serialized.map(|(cursor, _)| cursor.into_inner()).map_err(|_| AudioError::Format)
}
