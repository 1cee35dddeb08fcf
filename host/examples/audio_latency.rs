//! From the moment a program on a seat makes a sound to the packet that holds it, and
//! how often the sound breaks on the way, for several lengths of the server's turn.
//!
//! `audio_latency [SECONDS [LOAD [TURN...]]]`: LOAD threads do nothing but compute,
//! TURN is in samples. A program plays, without any buffer of its own, a steady tone on
//! the left and a click twice a second on the right; the packets are decoded as a client
//! does. A break is a jump of the tone's phase or strength. With `PULSE_LATENCY_MS` the
//! program speaks PulseAudio, with that much buffer.

#[path = "../seat/src/audio.rs"]
mod server;

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pipewire as pw;
use punktfunk_host::audio::{Config, Source, Stage};
use pw::properties::properties;
use pw::spa::param::audio::{AudioFormat, AudioInfoRaw, MAX_CHANNELS};
use pw::spa::pod::serialize::PodSerializer;
use pw::spa::pod::{Object, Pod, Value};
use pw::spa::utils::{Direction, SpaTypes};
use pw::stream::{StreamBox, StreamFlags};

/// Samples a second.
const RATE: u32 = 48_000;
/// Of the steady tone. No usual turn is a whole number of its periods, so that a turn
/// lost or played twice is a jump of the phase.
const TONE: f64 = 1_030.0;
/// Of the clicks, and how long one is in samples.
const CLICK: (f64, u64) = (4_000.0, 240);
/// Samples from one click to the next, so that clicks lie anywhere in a turn.
const BETWEEN: u64 = 24_007;
/// Samples of a packet.
const PACKET: usize = 240;
/// Sound that is not looked at: everything is being connected.
const WARM: Duration = Duration::from_secs(2);

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let words: Vec<u64> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let seconds = words.first().copied().unwrap_or(20);
    let load = words.get(1).copied().unwrap_or(0);
    let turns = words.get(2..).filter(|turns| !turns.is_empty()).unwrap_or(&[240, 480, 960]);
    let stop = Arc::new(AtomicBool::new(false));
    let busy: Vec<_> = (0..load)
        .map(|_| {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || while !stop.load(Ordering::Relaxed) {})
        })
        .collect();
    println!("| turn_ms | load | clicks | latency_ms_p50 | p95 | max | breaks_per_minute |");
    println!("|---|---|---|---|---|---|---|");
    for turn in turns {
        let turn = u32::try_from(*turn)?;
        let (mut latencies, breaks) = measure(turn, Duration::from_secs(seconds))?;
        latencies.sort_unstable();
        let at = |share: f64| {
            let index = ((latencies.len().max(1) - 1) as f64 * share).round() as usize;
            latencies.get(index).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1_000.0)
        };
        println!(
            "| {:.1} | {load} | {} | {:.1} | {:.1} | {:.1} | {:.1} |",
            f64::from(turn) * 1_000.0 / f64::from(RATE),
            latencies.len(),
            at(0.5),
            at(0.95),
            at(1.0),
            breaks as f64 * 60.0 / seconds as f64,
        );
    }
    stop.store(true, Ordering::Relaxed);
    busy.into_iter().for_each(|thread| drop(thread.join()));
    Ok(())
}

/// How long each click took, and how often the tone broke.
fn measure(turn: u32, time: Duration) -> Result<(Vec<Duration>, u64), Failure> {
    let directory = std::env::temp_dir().join(format!("pf-latency-{}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    let plan = server::Plan {
        directory: directory.clone(),
        bus: None,
        channels: 2,
        turn: Some(turn),
        prepare: |_| (),
    };
    let mut server = server::Server::start(plan)?;
    eprintln!("sound server: processes {:?}, bus {}", server.pids(), server.bus_address());
    let (packets, received) = channel();
    let source = Source::PipeWire { remote: server.pipewire_socket(), sink: server::SINK.into() };
    let config = Config { source, channels: 2, high_quality: true, packet_us: 5_000, local: None };
    let stage = Stage::spawn(config, move |opus| {
        let _ = packets.send((Instant::now(), opus.to_vec()));
    })?;
    let result = match std::env::var("PULSE_LATENCY_MS") {
        Ok(buffer) => {
            let player = Pulse::start(&server, &buffer)?;
            listen(&received, &player.clicks, time)
        }
        Err(_) => {
            let player = Player::start(&server.pipewire_socket(), turn);
            listen(&received, &player.clicks, time)
        }
    };
    // Says so on the log when a part of it died meanwhile: the figures mean nothing then.
    server.mend();
    drop((stage, server));
    std::fs::remove_dir_all(&directory)?;
    result
}

/// Decodes what comes in `time` and matches its clicks with those that were played.
fn listen(
    received: &Receiver<(Instant, Vec<u8>)>,
    played: &Mutex<Vec<Instant>>,
    time: Duration,
) -> Result<(Vec<Duration>, u64), Failure> {
    let begin = Instant::now() + WARM;
    let mut decoder = opus2::Decoder::new(RATE, opus2::Channels::Stereo)?;
    let (mut heard, mut tone, mut quiet) = (Vec::new(), Tone::default(), 0_u64);
    while let Ok((at, opus)) = received.recv_timeout(Duration::from_secs(5)) {
        if at > begin + time {
            break;
        }
        let mut samples = [0.0; PACKET * 2];
        decoder.decode_float(&opus, &mut samples, false)?;
        if at < begin {
            continue;
        }
        tone.hear(samples.iter().step_by(2).copied());
        for right in samples.iter().skip(1).step_by(2) {
            quiet += 1;
            if right.abs() > 0.1 {
                // The first loud sample after much silence is a click.
                if quiet > BETWEEN / 2 {
                    heard.push(at);
                }
                quiet = 0;
            }
        }
    }
    let played = played.lock().map_err(|_| "the player panicked")?;
    // The last one played before it was heard: less than half a second lies between.
    let latency = |heard: &Instant| {
        let made = played.iter().rfind(|made| *made <= heard)?;
        Some(heard.duration_since(*made))
    };
    Ok((heard.iter().filter_map(latency).collect(), tone.breaks))
}

/// The phase and strength of the tone, packet by packet.
#[derive(Default)]
struct Tone {
    before: Option<(f64, f64)>,
    breaks: u64,
    /// Packets since the last break: one is seen in two or three packets.
    since: u64,
}

impl Tone {
    fn hear(&mut self, samples: impl Iterator<Item = f32>) {
        let (mut re, mut im, mut count) = (0.0, 0.0, 0.0);
        for (index, value) in samples.enumerate() {
            let (sin, cos) = (std::f64::consts::TAU * TONE * index as f64 / f64::from(RATE)).sin_cos();
            re += f64::from(value) * cos;
            im += f64::from(value) * sin;
            count += 1.0;
        }
        let (strength, phase) = (re.hypot(im) / count, (-im).atan2(re));
        if let Some((was_strong, was)) = self.before {
            let turned = std::f64::consts::TAU * TONE * PACKET as f64 / f64::from(RATE);
            let jump = (phase - was - turned).rem_euclid(std::f64::consts::TAU);
            let jump = jump.min(std::f64::consts::TAU - jump);
            if jump > 0.2 || (strength - was_strong).abs() > 0.2 * was_strong.max(0.01) {
                self.breaks += u64::from(self.since > 3);
                self.since = 0;
            }
        }
        self.since += 1;
        self.before = Some((strength, phase));
    }
}

/// A program that writes as time passes to a PulseAudio stream; it ends when this is
/// dropped.
struct Pulse {
    program: Child,
    clicks: Arc<Mutex<Vec<Instant>>>,
}

impl Pulse {
    fn start(server: &server::Server, buffer: &str) -> Result<Self, Failure> {
        let mut program = Command::new("pacat")
            .args(["--playback", "--raw", "--rate=48000", "--format=float32le", "--channels=2"])
            .arg(format!("--latency-msec={buffer}"))
            .envs(server.environment())
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut pipe = program.stdin.take().ok_or("no pipe")?;
        let clicks = Arc::new(Mutex::new(Vec::new()));
        let made = Arc::clone(&clicks);
        std::thread::spawn(move || {
            let (begin, mut position) = (Instant::now(), 0_u64);
            loop {
                let due = begin + Duration::from_nanos(position * 1_000_000_000 / u64::from(RATE));
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                let block: Vec<u8> = (position..position + 120).flat_map(sound).collect();
                if (position..position + 120).any(|position| position % BETWEEN == 0)
                    && let Ok(mut clicks) = made.lock()
                {
                    clicks.push(Instant::now());
                }
                if pipe.write_all(&block).is_err() {
                    return;
                }
                position += 120;
            }
        });
        Ok(Self { program, clicks })
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// A program that plays; it ends when this is dropped.
struct Player {
    quit: pw::channel::Sender<()>,
    thread: Option<std::thread::JoinHandle<()>>,
    /// When each click was computed.
    clicks: Arc<Mutex<Vec<Instant>>>,
}

impl Player {
    fn start(remote: &Path, turn: u32) -> Self {
        let (quit, quitting) = pw::channel::channel();
        let clicks = Arc::new(Mutex::new(Vec::new()));
        let (remote, made) = (remote.to_owned(), Arc::clone(&clicks));
        let thread = std::thread::spawn(move || {
            if let Err(error) = play(&remote, turn, made, quitting) {
                eprintln!("nothing is played: {error}");
            }
        });
        Self { quit, thread: Some(thread), clicks }
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        let _ = self.quit.send(());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn play(
    remote: &Path,
    turn: u32,
    clicks: Arc<Mutex<Vec<Instant>>>,
    quitting: pw::channel::Receiver<()>,
) -> Result<(), Failure> {
    pw::init();
    let main_loop = pw::main_loop::MainLoopRc::new(None)?;
    let _quit = quitting.attach(main_loop.loop_(), {
        let main_loop = main_loop.clone();
        move |()| main_loop.quit()
    });
    let context = pw::context::ContextRc::new(&main_loop, None)?;
    let remote = remote.display().to_string();
    let core = context.connect_rc(Some(properties! { *pw::keys::REMOTE_NAME => remote.as_str() }))?;
    let latency = format!("{turn}/{RATE}");
    let stream = StreamBox::new(
        &core,
        "latency",
        properties! {
            *pw::keys::MEDIA_TYPE => "Audio",
            *pw::keys::MEDIA_CATEGORY => "Playback",
            *pw::keys::NODE_LATENCY => latency.as_str(),
        },
    )?;
    let _listener = stream
        .add_local_listener_with_user_data(0_u64)
        .process(move |stream, position| {
            let Some(mut buffer) = stream.dequeue_buffer() else { return };
            let requested = usize::try_from(buffer.requested()).unwrap_or(0);
            let Some(data) = buffer.datas_mut().first_mut() else { return };
            let mut frames = 0;
            if let Some(bytes) = data.data() {
                let room = bytes.len() / 8;
                frames = if requested == 0 { room } else { requested.min(room) };
                for frame in bytes.as_chunks_mut::<8>().0.iter_mut().take(frames) {
                    *frame = sound(*position);
                    if *position % BETWEEN == 0
                        && let Ok(mut clicks) = clicks.lock()
                    {
                        clicks.push(Instant::now());
                    }
                    *position += 1;
                }
            }
            let chunk = data.chunk_mut();
            *chunk.offset_mut() = 0;
            *chunk.stride_mut() = 8;
            *chunk.size_mut() = u32::try_from(frames * 8).unwrap_or(0);
        })
        .register()?;
    let format = format()?;
    let mut parameters = [Pod::from_bytes(&format).ok_or("no format")?];
    let flags = StreamFlags::AUTOCONNECT | StreamFlags::MAP_BUFFERS | StreamFlags::RT_PROCESS;
    stream.connect(Direction::Output, None, flags, &mut parameters)?;
    main_loop.run();
    Ok(())
}

/// Both channels at `position`, as little-endian singles.
fn sound(position: u64) -> [u8; 8] {
    let wave = |hertz: f64| (std::f64::consts::TAU * hertz * position as f64 / f64::from(RATE)).sin();
    let left = (wave(TONE) * 0.2) as f32;
    let loud = if position % BETWEEN < CLICK.1 { 0.6 } else { 0.0 };
    let right = ((wave(CLICK.0) + 0.3) * loud) as f32;
    let [a, b, c, d] = left.to_le_bytes();
    let [e, f, g, h] = right.to_le_bytes();
    [a, b, c, d, e, f, g, h]
}

fn format() -> Result<Vec<u8>, Failure> {
    let mut info = AudioInfoRaw::new();
    info.set_format(AudioFormat::F32LE);
    info.set_rate(RATE);
    info.set_channels(2);
    let mut position = [0; MAX_CHANNELS];
    // `SPA_AUDIO_CHANNEL_FL` and `FR`.
    (position[0], position[1]) = (3, 4);
    info.set_position(position);
    let object = Value::Object(Object {
        type_: SpaTypes::ObjectParamFormat.as_raw(),
        id: pw::spa::param::ParamType::EnumFormat.as_raw(),
        properties: info.into(),
    });
    Ok(PodSerializer::serialize(std::io::Cursor::new(Vec::new()), &object).map(|(c, _)| c.into_inner())?)
}
