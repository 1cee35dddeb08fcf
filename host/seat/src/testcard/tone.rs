//! The Test card's sound, −20 dBFS: 1000 Hz on both channels of a stereo seat, and a
//! tone of its own on each channel of a surround seat (`punktfunk_core::testcard`). It
//! goes on when the sound server was started again.

use std::cell::Cell;
use std::io::Cursor;
use std::rc::Rc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use pipewire as pw;
use punktfunk_core::testcard::tone;
use pw::properties::properties;
use pw::spa::param::ParamType;
use pw::spa::param::audio::{AudioFormat, AudioInfoRaw, MAX_CHANNELS};
use pw::spa::pod::serialize::PodSerializer;
use pw::spa::pod::{Object, Pod, Value};
use pw::spa::utils::{Direction, SpaTypes};
use pw::stream::{StreamBox, StreamFlags};

use super::TestCardError;

/// −20 dBFS.
const AMPLITUDE: f64 = 0.1;
/// Samples a second.
const SAMPLE_RATE: u32 = 48_000;
/// The most channels.
const CHANNELS: usize = 8;
/// `SPA_AUDIO_CHANNEL_…` of FL FR FC LFE RL RR SL SR.
const POSITIONS: [u32; CHANNELS] = [3, 4, 5, 6, 12, 13, 7, 8];
/// How long after a failure the server is looked for again.
const RETRY: Duration = Duration::from_millis(50);

/// A playing tone; it ends when this is dropped.
pub struct Tone {
    quit: pw::channel::Sender<()>,
    thread: Option<JoinHandle<()>>,
}

impl Tone {
    /// Starts the tone on the server that the environment names. One that cannot
    /// be reached is told on stderr: the picture goes on without.
    pub fn start() -> Result<Self, TestCardError> {
        let (quit, quitting) = pw::channel::channel();
        let thread = thread::Builder::new()
            .name("testcard-tone".into())
            .spawn(move || {
                if let Err(error) = play(quitting) {
                    tracing::warn!(%error, "the Test card has no sound");
                }
            })
            .map_err(TestCardError::System)?;
        Ok(Self { quit, thread: Some(thread) })
    }
}

impl Drop for Tone {
    fn drop(&mut self) {
        let _ = self.quit.send(());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn play(quitting: pw::channel::Receiver<()>) -> Result<(), pw::Error> {
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
        if let Err(error) = connect(&main_loop)
            && !told
        {
            tracing::warn!(%error, "the Test card has no sound now");
            told = true;
        }
        let again = Instant::now() + RETRY;
        while !stopped.get() && Instant::now() < again {
            let wait = again.saturating_duration_since(Instant::now());
            main_loop.loop_().iterate(pw::loop_::Timeout::Finite(wait));
        }
    }
    Ok(())
}

/// The tones of one seat.
struct Tones {
    channels: usize,
    phases: [f64; CHANNELS],
}

impl Tones {
    /// As many channels as the seat says it has.
    fn of_the_seat() -> Self {
        let told = std::env::var("PUNKTFUNK_AUDIO_CHANNELS").ok().and_then(|text| text.parse().ok());
        Self { channels: told.filter(|count| matches!(count, 6 | 8)).unwrap_or(2), phases: [0.0; CHANNELS] }
    }

    /// Writes interleaved little-endian singles over `bytes`, whole frames.
    fn fill(&mut self, bytes: &mut [u8]) {
        let channels = self.channels;
        for (index, value) in bytes.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            let channel = index % channels;
            let phase = &mut self.phases[channel];
            *value = (((*phase * std::f64::consts::TAU).sin() * AMPLITUDE) as f32).to_le_bytes();
            *phase = (*phase + f64::from(tone(channel, channels)) / f64::from(SAMPLE_RATE)).fract();
        }
    }
}

/// Plays until the connection ends or the loop is told to quit.
fn connect(main_loop: &pw::main_loop::MainLoopRc) -> Result<(), pw::Error> {
    let tones = Tones::of_the_seat();
    let frame = tones.channels * 4;
    let format = format(tones.channels);
    let context = pw::context::ContextRc::new(main_loop, None)?;
    let core = context.connect_rc(None)?;
    let _core = core
        .add_listener_local()
        .error({
            let main_loop = main_loop.clone();
            // Id 0 is the connection itself: nothing follows.
            move |id, _, _, _| {
                if id == 0 {
                    main_loop.quit();
                }
            }
        })
        .register();
    let stream = StreamBox::new(
        &core,
        "Test card",
        properties! {
            *pw::keys::MEDIA_TYPE => "Audio",
            *pw::keys::MEDIA_CATEGORY => "Playback",
            *pw::keys::MEDIA_ROLE => "Test",
            *pw::keys::NODE_LATENCY => "240/48000",
        },
    )?;
    let _listener = stream
        .add_local_listener_with_user_data(tones)
        .process(move |stream, tones| {
            let Some(mut buffer) = stream.dequeue_buffer() else { return };
            let requested = usize::try_from(buffer.requested()).unwrap_or(0);
            let Some(data) = buffer.datas_mut().first_mut() else { return };
            let mut written = 0;
            if let Some(bytes) = data.data() {
                let room = bytes.len() / frame;
                written = frame * if requested == 0 { room } else { requested.min(room) };
                tones.fill(&mut bytes[..written]);
            }
            let chunk = data.chunk_mut();
            *chunk.offset_mut() = 0;
            *chunk.stride_mut() = i32::try_from(frame).unwrap_or(0);
            *chunk.size_mut() = u32::try_from(written).unwrap_or(0);
        })
        .register()?;
    let mut parameters: Vec<&Pod> = Pod::from_bytes(&format).into_iter().collect();
    stream.connect(
        Direction::Output,
        None,
        StreamFlags::AUTOCONNECT | StreamFlags::MAP_BUFFERS | StreamFlags::RT_PROCESS,
        &mut parameters,
    )?;
    main_loop.run();
    Ok(())
}

fn format(channels: usize) -> Vec<u8> {
    let mut info = AudioInfoRaw::new();
    info.set_format(AudioFormat::F32LE);
    info.set_rate(SAMPLE_RATE);
    info.set_channels(u32::try_from(channels).unwrap_or(2));
    let mut position = [0; MAX_CHANNELS];
    position[..channels].copy_from_slice(&POSITIONS[..channels]);
    info.set_position(position);
    let object = Value::Object(Object {
        type_: SpaTypes::ObjectParamFormat.as_raw(),
        id: ParamType::EnumFormat.as_raw(),
        properties: info.into(),
    });
    // Writing into memory cannot fail; an empty format would be refused in turn.
    PodSerializer::serialize(Cursor::new(Vec::new()), &object)
        .map(|(cursor, _)| cursor.into_inner())
        .unwrap_or_default()
}
