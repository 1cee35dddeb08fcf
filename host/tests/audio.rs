//! Sound from a program on a seat's private server to Opus packets.

#[path = "counting/ffi.rs"]
mod counting;
#[path = "../seat/src/audio.rs"]
mod server;

use std::collections::BTreeSet;
use std::io::Read as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use punktfunk_core::gamestream::audio::{Config as PacketConfig, Packetizer};
use punktfunk_core::gamestream::sdp::Offer;
use punktfunk_core::testcard::TONES;
use punktfunk_host::audio::{Config, MICROPHONE, Microphone, Source, Stage};

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

/// How long the whole way may take on a loaded machine before it counts as broken.
const LIMIT: Duration = Duration::from_secs(20);

/// A directory that goes away with the test.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("pf-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a directory");
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

struct Player(Child);

impl Drop for Player {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the server, or says by name that the test is skipped.
fn server(directory: &Directory, channels: u8, test: &str) -> Option<server::Server> {
    let directory = directory.0.clone();
    match server::Server::start(server::Plan { directory, bus: None, channels, turn: None, prepare: |_| () })
    {
        Ok(server) => Some(server),
        Err(error @ server::AudioError::Missing { .. }) => {
            println!("SKIPPED {test}: {error}");
            None
        }
        Err(error) => panic!("the sound server does not start: {error}"),
    }
}

/// Writes a sine of 48 kHz on each channel as a WAV file. Its channels are those of
/// `mask`, from the lowest bit on.
fn wav(path: &PathBuf, frequencies: &[u32], mask: u32, seconds: u32) {
    let samples = (0..48_000 * seconds).flat_map(|index| {
        let value = move |&frequency: &u32| {
            let phase = f64::from(index) * f64::from(frequency) / 48_000.0;
            (((phase * std::f64::consts::TAU).sin() * 9_000.0) as i16).to_le_bytes()
        };
        frequencies.iter().flat_map(value)
    });
    let data: Vec<u8> = samples.collect();
    let (length, channels) = (data.len() as u32, frequencies.len() as u32);
    let mut file = Vec::new();
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(60 + length).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt ");
    // WAVE_FORMAT_EXTENSIBLE with the subformat PCM.
    for field in [40, (channels << 16) | 0xFFFE, 48_000, 96_000 * channels, 0x0010_0000 + 2 * channels] {
        file.extend_from_slice(&field.to_le_bytes());
    }
    for field in [0x0010_0016, mask, 1, 0x0010_0000, 0xAA00_0080, 0x719B_3800] {
        file.extend_from_slice(&field.to_le_bytes());
    }
    file.extend_from_slice(b"data");
    file.extend_from_slice(&length.to_le_bytes());
    file.extend_from_slice(&data);
    std::fs::write(path, file).expect("the tone is written");
}

/// The share of `samples`' power that is at `frequency` (Goertzel).
fn share(samples: &[f32], frequency: f64) -> f64 {
    let coefficient = 2.0 * (std::f64::consts::TAU * frequency / 48_000.0).cos();
    let (mut last, mut before) = (0.0_f64, 0.0_f64);
    for &sample in samples {
        (last, before) = (f64::from(sample) + coefficient * last - before, last);
    }
    let power = last * last + before * before - coefficient * last * before;
    let total: f64 = samples.iter().map(|&s| f64::from(s).powi(2)).sum();
    if total < 1e-3 { 0.0 } else { 2.0 * power / (total * samples.len() as f64) }
}

fn config(source: Source, channels: u8, high_quality: bool, packet_us: u32) -> Config {
    Config { source, channels, high_quality, packet_us, local: None }
}

fn listen(config: Config) -> (Stage, Receiver<Vec<u8>>) {
    let (packets, received) = mpsc::channel();
    let stage = Stage::spawn(config, move |packet| {
        let _ = packets.send(packet.to_vec());
    });
    (stage.expect("the stage starts"), received)
}

/// What a stock client makes of packets.
struct Client {
    decoder: opus2::MSDecoder,
    channels: Vec<Vec<f32>>,
    lengths: Vec<usize>,
}

impl Client {
    /// Decodes with what it reads in the host's offer.
    fn new(channels: u8, high_quality: bool) -> Self {
        let offer = Offer { layouts: Offer::all_layouts(), ..Offer::default() };
        let layout = Offer::parse(&offer.to_text()).decoded_layout(channels, high_quality).expect("offered");
        let mapping = &layout.mapping[..usize::from(channels)];
        let decoder = opus2::MSDecoder::new(48_000, layout.streams, layout.coupled, mapping);
        let decoder = decoder.expect("a decoder");
        Self { decoder, channels: vec![Vec::new(); mapping.len()], lengths: Vec::new() }
    }

    /// Decodes packets until a quarter of a second of each channel is mostly its
    /// frequency; returns how many samples of a channel that took.
    fn hear(&mut self, received: &Receiver<Vec<u8>>, frequencies: &[u32]) -> usize {
        let count = self.channels.len();
        let mut block = vec![0.0; count * 480];
        let start = Instant::now();
        let mut shares = Vec::new();
        let mut packets = 0_usize;
        while start.elapsed() < LIMIT {
            let packet = received.recv_timeout(LIMIT).expect("packets keep coming");
            packets += 1;
            if !self.lengths.contains(&packet.len()) {
                self.lengths.push(packet.len());
            }
            let samples = self.decoder.decode_float(&packet, &mut block, false).expect("it decodes");
            for frame in block[..samples * count].chunks(count) {
                self.channels.iter_mut().zip(frame).for_each(|(channel, value)| channel.push(*value));
            }
            let length = self.channels[0].len();
            if length < 12_000 || !packets.is_multiple_of(10) {
                continue;
            }
            let recent = self.channels.iter().map(|channel| &channel[length - 12_000..]);
            shares = recent.zip(frequencies).map(|(c, f)| share(c, f64::from(*f))).collect::<Vec<_>>();
            if shares.iter().all(|share| *share > 0.9) {
                return length;
            }
        }
        panic!("{frequencies:?} Hz were not heard: {shares:?}");
    }
}

#[test]
fn a_program_on_the_seat_is_heard() {
    let directory = Directory::new("heard");
    let began = Instant::now();
    let Some(server) = server(&directory, 2, "a_program_on_the_seat_is_heard") else { return };
    println!("the sound server was ready after {:?}", began.elapsed());
    assert!(server.bus_address().starts_with("unix:path="), "it has a bus of its own");
    let tone = directory.0.join("tone.wav");
    wav(&tone, &[440, 440], 3, 30);
    let source = Source::PipeWire { remote: server.pipewire_socket(), sink: server::SINK.into() };
    let (stage, received) = listen(config(source, 2, false, 5_000));
    for program in ["paplay", "pw-play"] {
        let Some(player) = play(program, &tone, &server, &directory, "a_program_on_the_seat_is_heard") else {
            continue;
        };
        let mut client = Client::new(2, false);
        let samples = client.hear(&received, &[440, 440]);
        println!("{program} was heard after {samples} samples");
        assert_eq!(client.lengths, [60], "the bitrate is constant");
        drop(player);
    }
    drop(stage);
    drop(server);
    let left: Vec<_> = std::fs::read_dir(&directory.0).expect("listed").flatten().collect();
    assert_eq!(left.len(), 1, "only the tone is left: {left:?}");
}

/// Starts `program` on the seat, or says that it is not there.
fn play(
    program: &str,
    file: &PathBuf,
    server: &server::Server,
    directory: &Directory,
    test: &str,
) -> Option<Player> {
    let player = Command::new(program)
        .arg(file)
        .envs(server.environment())
        .env("XDG_RUNTIME_DIR", &directory.0)
        .stdout(Stdio::null())
        .spawn();
    match player {
        Ok(player) => Some(Player(player)),
        Err(error) => {
            println!("SKIPPED {test}: {program} is not installed ({error})");
            None
        }
    }
}

#[test]
fn a_program_with_eight_channels_is_heard_in_each() {
    const TEST: &str = "a_program_with_eight_channels_is_heard_in_each";
    let directory = Directory::new("eight");
    let Some(server) = server(&directory, 8, TEST) else { return };
    let told = server.environment().into_iter().find(|(name, _)| *name == "PUNKTFUNK_AUDIO_CHANNELS");
    assert_eq!(told.map(|(_, value)| value).as_deref(), Some("8"));
    // FL FR FC LFE BL BR SL SR are the bits 0 to 5, 9 and 10, and that is our order.
    let tone = directory.0.join("tone.wav");
    wav(&tone, &TONES, 0x63F, 30);
    let source = Source::PipeWire { remote: server.pipewire_socket(), sink: server::SINK.into() };
    let (_stage, received) = listen(config(source, 8, false, 10_000));
    let Some(_player) = play("paplay", &tone, &server, &directory, TEST) else { return };
    Client::new(8, false).hear(&received, &TONES);
}

#[test]
fn the_sound_comes_back_after_the_server_was_killed() {
    const TEST: &str = "the_sound_comes_back_after_the_server_was_killed";
    let directory = Directory::new("killed");
    let Some(mut server) = server(&directory, 2, TEST) else { return };
    let tone = directory.0.join("tone.wav");
    wav(&tone, &[440, 440], 3, 60);
    let source = Source::PipeWire { remote: server.pipewire_socket(), sink: server::SINK.into() };
    let (_stage, received) = listen(config(source, 2, false, 5_000));
    // In the order in which they were started: the bus, PipeWire, WirePlumber, PulseAudio.
    for victim in 1..4 {
        let player = play("paplay", &tone, &server, &directory, TEST);
        let Some(_player) = player else { return };
        Client::new(2, false).hear(&received, &[440, 440]);
        let before = server.pids();
        let killed = Command::new("kill").args(["-KILL", &before[victim].to_string()]).status();
        assert!(killed.expect("kill runs").success(), "{before:?}");
        let start = Instant::now();
        // The seat hears of the end by SIGCHLD; nobody tells a test.
        let whole = |server: &server::Server| {
            let pids = server.pids();
            pids.len() == 4
                && !pids.contains(&before[victim])
                && UnixStream::connect(server.pulse_socket()).is_ok()
        };
        while !whole(&server) {
            assert!(start.elapsed() < LIMIT, "it was not started again: {:?}", server.pids());
            server.mend();
            std::thread::park_timeout(Duration::from_millis(5));
        }
        println!("{victim}: started again after {:?}", start.elapsed());
    }
    let Some(_player) = play("paplay", &tone, &server, &directory, TEST) else { return };
    Client::new(2, false).hear(&received, &[440, 440]);
}

#[test]
fn silence_is_sent_while_nothing_plays_or_nothing_answers() {
    let nowhere = Source::PipeWire { remote: "/nonexistent/pipewire-0".into(), sink: "none".into() };
    let nobody = Source::Monitor { remote: "/nonexistent/pipewire-0".into() };
    for source in [nowhere, nobody, Source::Null] {
        let (_stage, received) = listen(config(source, 2, true, 10_000));
        for _ in 0..20 {
            assert_eq!(received.recv_timeout(LIMIT).expect("a packet").len(), 640);
        }
    }
}

#[test]
fn each_channel_of_each_layout_is_heard_in_its_place() {
    let frequencies = TONES.map(|hertz| hertz as f32);
    for (channels, high_quality) in [(2, false), (2, true), (6, false), (6, true), (8, false), (8, true)] {
        // The bitrate of normal surround is too low for packets of 2.5 ms: each would
        // hold 80 bytes for six channels. GameStream knows 5 and 10 ms only.
        let shortest = if channels > 2 && !high_quality { 1 } else { 0 };
        for packet_us in [2_500, 5_000, 10_000].into_iter().skip(shortest) {
            let (_stage, received) =
                listen(config(Source::Synthetic { frequencies }, channels, high_quality, packet_us));
            let mut client = Client::new(channels, high_quality);
            client.hear(&received, &TONES[..usize::from(channels)]);
            assert_eq!(client.lengths.len(), 1, "{channels} channels: the bitrate is constant");
        }
    }
}

/// The defaults of a server, as its metadata has them; or says that they cannot be read.
///
/// What it has of single streams is left out: that comes and goes with them.
fn defaults(server: &server::Server, directory: &Directory, test: &str) -> Option<BTreeSet<String>> {
    let mut command = Command::new("pw-metadata");
    command.envs(server.environment()).env("XDG_RUNTIME_DIR", &directory.0);
    match command.output() {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout);
            let lines: BTreeSet<_> =
                text.lines().filter(|line| line.contains("key:'default.")).map(str::to_owned).collect();
            assert!(!lines.is_empty(), "pw-metadata says nothing of defaults: {output:?}");
            Some(lines)
        }
        Err(error) => {
            println!("SKIPPED {test} (the user's defaults): pw-metadata is not installed ({error})");
            None
        }
    }
}

#[test]
fn the_sound_is_played_on_this_machine_too_when_asked() {
    const TEST: &str = "the_sound_is_played_on_this_machine_too_when_asked";
    let (seat_directory, own_directory) = (Directory::new("lseat"), Directory::new("lown"));
    let Some(seat) = server(&seat_directory, 2, TEST) else { return };
    // What a user would have: another server, with another sink as its default.
    let Some(own) = server(&own_directory, 2, TEST) else { return };
    let tone = seat_directory.0.join("tone.wav");
    wav(&tone, &[440, 440], 3, 60);
    let Some(_player) = play("paplay", &tone, &seat, &seat_directory, TEST) else { return };
    let record = |server: &server::Server, local: Option<PathBuf>| {
        let source = Source::PipeWire { remote: server.pipewire_socket(), sink: server::SINK.into() };
        listen(Config { local, ..config(source, 2, false, 5_000) })
    };
    let (_heard_by_user, by_user) = record(&own, None);
    let before = defaults(&own, &own_directory, TEST);
    let (stage, by_client) = record(&seat, Some(own.pipewire_socket()));
    Client::new(2, false).hear(&by_client, &[440, 440]);
    Client::new(2, false).hear(&by_user, &[440, 440]);
    if let Some(before) = before {
        let now = defaults(&own, &own_directory, TEST);
        assert_eq!(now, Some(before), "the user's defaults were changed");
    }
    // Nothing of it is left there after the stream.
    drop(stage);
    let silent = (0..200).map(|_| by_user.recv_timeout(LIMIT).expect("a packet")).collect::<Vec<_>>();
    let mut client = Client::new(2, false);
    let mut block = [0.0; 960];
    let last = silent.iter().map(|packet| client.decoder.decode_float(packet, &mut block, false));
    assert!(last.last().is_some_and(|samples| samples.is_ok()));
    assert!(block.iter().all(|sample| sample.abs() < 0.01), "it is played on after the stream");
}

#[test]
fn the_sound_on_this_machine_follows_the_server_of_its_user() {
    const TEST: &str = "the_sound_on_this_machine_follows_the_server_of_its_user";
    let (seat_directory, own_directory) = (Directory::new("fseat"), Directory::new("fown"));
    let Some(seat) = server(&seat_directory, 2, TEST) else { return };
    let tone = seat_directory.0.join("tone.wav");
    wav(&tone, &[440, 440], 3, 60);
    let Some(_player) = play("paplay", &tone, &seat, &seat_directory, TEST) else { return };
    let at = |directory: &Directory| Source::PipeWire {
        remote: directory.0.join("pipewire-0"),
        sink: server::SINK.into(),
    };
    let local = Some(own_directory.0.join("pipewire-0"));
    let (_stage, by_client) = listen(Config { local, ..config(at(&seat_directory), 2, false, 5_000) });
    Client::new(2, false).hear(&by_client, &[440, 440]);
    // The user comes after the stream has begun, and starts the server again during it.
    for _ in 0..2 {
        let Some(own) = server(&own_directory, 2, TEST) else { return };
        let (heard_by_user, by_user) = listen(config(at(&own_directory), 2, false, 5_000));
        Client::new(2, false).hear(&by_user, &[440, 440]);
        drop((heard_by_user, own));
        // The client hears it all the while: everything since and what comes.
        Client::new(2, false).hear(&by_client, &[440, 440]);
    }
}

#[test]
fn the_users_default_sink_is_heard_and_followed_and_not_changed() {
    const TEST: &str = "the_users_default_sink_is_heard_and_followed_and_not_changed";
    let directory = Directory::new("monitor");
    let Some(server) = server(&directory, 2, TEST) else { return };
    let tones = [440, 880].map(|frequency| {
        let tone = directory.0.join(format!("{frequency}.wav"));
        wav(&tone, &[frequency; 2], 3, 60);
        tone
    });
    let before = defaults(&server, &directory, TEST);
    let (_stage, received) =
        listen(config(Source::Monitor { remote: server.pipewire_socket() }, 2, false, 5_000));
    let Some(player) = play("paplay", &tones[0], &server, &directory, TEST) else { return };
    Client::new(2, false).hear(&received, &[440, 440]);
    assert_eq!(defaults(&server, &directory, TEST), before, "the user's defaults were changed");
    drop(player);
    // The user puts headphones on: another sink, which becomes the default.
    let pactl = |arguments: &[&str]| {
        let mut command = Command::new("pactl");
        command.args(arguments).envs(server.environment()).env("XDG_RUNTIME_DIR", &directory.0);
        command.output()
    };
    if let Err(error) = pactl(&["load-module", "module-null-sink", "sink_name=headphones", "rate=48000"]) {
        println!("SKIPPED {TEST} (another sink): pactl is not installed ({error})");
        return;
    }
    let start = Instant::now();
    while !pactl(&["set-default-sink", "headphones"]).expect("pactl runs").status.success() {
        assert!(start.elapsed() < LIMIT, "there is no other sink");
    }
    let mut player = Command::new("paplay");
    // The environment of a seat names the sink from before.
    player.arg("--device=headphones").arg(&tones[1]).envs(server.environment());
    player.env("XDG_RUNTIME_DIR", &directory.0).stdout(Stdio::null());
    let _player = Player(player.spawn().expect("paplay runs, as before"));
    Client::new(2, false).hear(&received, &[880, 880]);
}

#[test]
fn no_server_of_the_user_is_no_obstacle() {
    let nowhere = Some(PathBuf::from("/nonexistent/pipewire-0"));
    let source = Source::PipeWire { remote: "/nonexistent/pipewire-1".into(), sink: "none".into() };
    let (_stage, received) = listen(Config { local: nowhere, ..config(source, 6, false, 5_000) });
    for _ in 0..20 {
        assert_eq!(received.recv_timeout(LIMIT).expect("a packet").len(), 160);
    }
}

/// Reads interleaved stereo singles from what a program records, until a quarter of a
/// second of its left channel is mostly a tone; false when it ended or recorded for
/// seconds before.
fn recorded(child: &mut Child, frequency: f64) -> bool {
    let mut pipe = child.stdout.take().expect("a pipe");
    let (chunks, chunk) = mpsc::channel();
    // Reading has no deadline of its own. The thread ends with the program.
    std::thread::spawn(move || {
        let mut bytes = [0; 9_600];
        while pipe.read_exact(&mut bytes).is_ok() && chunks.send(bytes).is_ok() {}
    });
    let mut heard = Vec::new();
    while heard.len() < 48_000 * 5 {
        let Ok(bytes) = chunk.recv_timeout(LIMIT) else { return false };
        let left =
            bytes.chunks_exact(8).map(|frame| f32::from_le_bytes([frame[0], frame[1], frame[2], frame[3]]));
        heard.extend(left);
        let recent = heard.len().checked_sub(12_000).and_then(|from| heard.get(from..));
        if recent.is_some_and(|recent| share(recent, frequency) > 0.9) {
            return true;
        }
    }
    false
}

#[test]
fn what_a_client_says_is_heard_by_programs_on_the_seat() {
    const TEST: &str = "what_a_client_says_is_heard_by_programs_on_the_seat";
    let directory = Directory::new("mic");
    let Some(server) = server(&directory, 2, TEST) else { return };
    let microphone = Microphone::start(&server.pipewire_socket()).expect("a microphone");
    // Says 440 Hz all the while, with every tenth packet lost and told again.
    let (stop, stopped) = mpsc::channel::<()>();
    let speaker = std::thread::spawn(move || {
        let mut opus =
            opus2::Encoder::new(48_000, opus2::Channels::Mono, opus2::Application::Voip).expect("Opus");
        let (mut before, mut sample) = (Vec::new(), 0_u32);
        let start = Instant::now();
        for number in 0_u32.. {
            let tone =
                |index: u32| (f64::from(index) * 440.0 / 48_000.0 * std::f64::consts::TAU).sin() as f32 * 0.3;
            let values: Vec<f32> = (sample..sample + 480).map(tone).collect();
            sample += 480;
            let packet = opus.encode_vec_float(&values, 400).expect("coded");
            if !number.is_multiple_of(10) {
                microphone.hear(number, &[&packet, &before]);
            }
            before = packet;
            let due = start + Duration::from_millis(10) * (number + 1);
            if stopped.recv_timeout(due.saturating_duration_since(Instant::now())).is_ok() {
                return;
            }
        }
    });
    let recorders: [(&str, &[&str]); 2] = [
        // The default of the seat, by way of PulseAudio, and by its name.
        ("parec", &["--format=float32le", "--rate=48000", "--channels=2"]),
        (
            "pw-record",
            &["--target", MICROPHONE, "--format", "f32", "--rate", "48000", "--channels", "2", "-"],
        ),
    ];
    for (program, arguments) in recorders {
        let start = Instant::now();
        loop {
            let mut command = Command::new(program);
            command.args(arguments).envs(server.environment()).env("XDG_RUNTIME_DIR", &directory.0);
            match command.stdout(Stdio::piped()).spawn() {
                Ok(child) => {
                    if recorded(&mut Player(child).0, 440.0) {
                        break;
                    }
                    // On a busy machine it may have come before the source did.
                    assert!(start.elapsed() < LIMIT, "{program} does not hear it");
                }
                Err(error) => {
                    println!("SKIPPED {TEST}: {program} is not installed ({error})");
                    break;
                }
            }
        }
    }
    stop.send(()).expect("it listens");
    speaker.join().expect("it spoke");
}

/// Packets until everything has its size.
const WARM: usize = 100;
/// Packets that are looked at.
const LOOKED_AT: usize = 200;

/// How much memory was asked for from one packet to the next, on the thread that
/// encodes, packetizes, encrypts and protects.
fn allocations(source: Source, channels: u8) -> Vec<u64> {
    let config = config(source, channels, true, 5_000);
    let key = Some(([7; 16], -5));
    let mut packetizer = Packetizer::new(PacketConfig { packet_ms: 5, key }).expect("a packetizer");
    let (counts, counted) = mpsc::sync_channel(WARM + LOOKED_AT);
    let mut bytes = 0;
    let stage = Stage::spawn(config, move |opus| {
        packetizer.packetize(opus, &mut |datagram| bytes += datagram.len()).expect("packetized");
        let _ = counts.try_send(counting::count());
    });
    let _stage = stage.expect("the stage starts");
    let counts: Vec<u64> =
        (0..WARM + LOOKED_AT).map(|_| counted.recv_timeout(LIMIT).expect("a packet")).collect();
    counts[WARM..].windows(2).map(|pair| pair[1] - pair[0]).collect()
}

#[test]
fn the_allocator_counts() {
    let before = counting::count();
    drop(std::hint::black_box(vec![1_u8; 64]));
    assert_eq!(counting::count() - before, 1);
}

#[test]
fn synthetic_sound_asks_for_nothing() {
    for channels in [2, 6, 8] {
        let counts = allocations(Source::Synthetic { frequencies: [440.0; 8] }, channels);
        assert!(counts.iter().all(|count| *count == 0), "{channels} channels: {counts:?}");
    }
}

#[test]
fn recorded_sound_asks_for_nothing() {
    const TEST: &str = "recorded_sound_asks_for_nothing";
    let directory = Directory::new("memory");
    let Some(server) = server(&directory, 6, TEST) else { return };
    let tone = directory.0.join("tone.wav");
    wav(&tone, &TONES[..6], 0x3F, 30);
    let Some(_player) = play("paplay", &tone, &server, &directory, TEST) else { return };
    let source = Source::PipeWire { remote: server.pipewire_socket(), sink: server::SINK.into() };
    let counts = allocations(source, 6);
    assert!(counts.iter().all(|count| *count == 0), "{counts:?}");
}
