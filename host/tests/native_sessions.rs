//! Native sessions over loopback UDP: a real seat with the Test card, and a client made of
//! core's machine, without QUIC.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use openh264::decoder::Decoder;
use openh264::formats::YUVSource as _;
use punktfunk_core::gamestream::http::codec_mode;
use punktfunk_core::gamestream::video::Policy;
use punktfunk_core::input::pad::Feedback;
use punktfunk_core::native::client::{self, Media, Output};
use punktfunk_core::native::keys::{Aead, Direction, Exported};
use punktfunk_core::native::media::{Flags, Frame, Limits};
use punktfunk_core::native::wire::control::{Hello, Reconfigure};
use punktfunk_core::native::wire::{self, Access, Codec, Datagram, MediaId, Mode};
use punktfunk_core::testcard::read_code;
use punktfunk_core::time::Time;
use punktfunk_host::config::{Config, TEST_CARD_ID};
use punktfunk_host::encode::Backend;
use punktfunk_host::session::{
    ClientId, ControlEvent, Fault, KeyLedger, LaunchError, NativeLink, NativeRequest, NativeStarted, Played,
    Reason, Rules, SeatSettings, SessionId, Sessions, Settings, StreamSettings, Supervisor as _, Voice,
    Watcher,
};
use punktfunk_net::{
    Datagrams, RecvBatch, Route, Transport, UdpOptions, UdpTransport, bind_udp_to, monotonic_nanos,
};

/// How long anything may take on a loaded machine before it counts as broken.
const LIMIT: Duration = Duration::from_secs(30);
const TV: ClientId = ClientId([1; 32]);
const PHONE: ClientId = ClientId([2; 32]);
const MODE: Mode = Mode { width: 640, height: 360, refresh_mhz: 30_000 };

fn transport() -> UdpTransport {
    let local = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
    let socket = bind_udp_to(local, false).expect("a socket");
    UdpTransport::new(socket, &UdpOptions::default()).expect("a transport")
}

fn now() -> Time {
    Time(monotonic_nanos() / 1000)
}

/// What a client is told beside its pictures.
#[derive(Debug, PartialEq)]
enum Told {
    Datagram(Vec<u8>),
    End(SessionId, Reason),
}

struct Ears(mpsc::Sender<Told>);

impl Voice for Ears {
    fn feedback(&self, _id: SessionId, _pad: u8, _feedback: Feedback) {}

    fn end(&self, id: SessionId, reason: Reason) {
        let _ = self.0.send(Told::End(id, reason));
    }

    fn datagram(&self, _id: SessionId, datagram: &[u8]) {
        let _ = self.0.send(Told::Datagram(datagram.to_vec()));
    }
}

struct NoKeys;

impl KeyLedger for NoKeys {
    fn claim(&self, _key: &[u8; 16]) -> Result<bool, String> {
        Err("native sessions have keys of their own".into())
    }
}

/// A host without GameStream, and the thread that receives for it.
struct Host {
    sessions: Arc<Sessions>,
    transport: Arc<UdpTransport>,
    receiver: Option<std::thread::JoinHandle<()>>,
    runtime: PathBuf,
}

impl Host {
    /// `None` when there is no seat to start, which is then said.
    fn start(test: &str) -> Option<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let own = std::env::current_exe().expect("it has a name");
        let program =
            own.parent().and_then(|deps| deps.parent()).expect("a directory").join("punktfunk-seat");
        if !program.is_file() {
            println!("SKIPPED {test}: punktfunk-seat was not built");
            return None;
        }
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let runtime = std::env::temp_dir().join(format!("pf-nat-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&runtime).expect("a directory");
        let config = Config::default();
        let settings = Settings {
            apps: Arc::new(config.apps),
            rules: Rules { max: 4, shared: false, keep: None },
            seat: SeatSettings {
                program,
                runtime_dir: runtime.clone(),
                owner: "native".into(),
                keyboard: config.keyboard,
                compositor: config.sessions.compositor,
            },
            stream: StreamSettings {
                parity: Policy::following(20),
                codec_modes: Arc::new(AtomicU32::new(codec_mode::H264)),
                drop_percent: 0.0,
                fault: Fault::default(),
                encoder: Some(Backend::OpenH264),
            },
        };
        let sessions = Sessions::start(settings, None, Box::new(NoKeys)).expect("sessions");
        let transport = Arc::new(transport());
        let (ours, heard) = (Arc::clone(&transport), Arc::clone(&sessions));
        let receiver = std::thread::spawn(move || {
            let mut batch = RecvBatch::new(16);
            while !matches!(ours.receive(&mut batch, None), Ok(punktfunk_net::Received::Woken)) {
                for (datagram, from, local) in batch.iter() {
                    heard.media(datagram, Route { to: from, from: local, dscp: None });
                }
            }
        });
        Some(Self { sessions, transport, receiver: Some(receiver), runtime })
    }

    fn connect(&self, client: ClientId, change: impl FnOnce(&mut NativeRequest)) -> Attempt {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let media = MediaId(NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        let (voice, told) = mpsc::channel();
        let socket = transport();
        let exported = Exported::new([7; 32]);
        let mut request = NativeRequest {
            client,
            client_name: "tv".into(),
            access: Access::ALL,
            hello: hello(),
            link: NativeLink {
                transport: Arc::clone(&self.transport) as _,
                route: Route::to(socket.local_addr()),
                voice: Arc::new(Ears(voice)),
                media,
                exported: exported.clone(),
                aead: Aead::Aes128Gcm,
            },
        };
        change(&mut request);
        let started = self.sessions.start_native(request);
        Attempt { started, media, exported, socket, told, host: self.transport.local_addr() }
    }

    fn play(&self, client: ClientId, change: impl FnOnce(&mut NativeRequest)) -> Viewer {
        let viewer = self.connect(client, change).viewer();
        self.sessions.play(viewer.started.id).expect("it plays");
        viewer
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.sessions.stop();
        self.transport.wake();
        if let Some(receiver) = self.receiver.take() {
            let _ = receiver.join();
        }
        let _ = std::fs::remove_dir_all(&self.runtime);
    }
}

fn hello() -> Hello {
    Hello {
        versions: vec![1],
        name: "tv".into(),
        app: Some(TEST_CARD_ID),
        resume: None,
        mode: MODE,
        codecs: vec![Codec::HEVC_10, Codec::H264],
        bitrate_kbps: 20_000,
        channels: 2,
        aeads: vec![Aead::Aes128Gcm],
        payload: 1400,
        mic: false,
        pads: 1,
        launch: true,
        local_sound: false,
    }
}

/// A Hello and what came of it.
struct Attempt {
    started: Result<NativeStarted, LaunchError>,
    media: MediaId,
    exported: Exported,
    socket: UdpTransport,
    told: mpsc::Receiver<Told>,
    host: SocketAddr,
}

impl Attempt {
    fn viewer(self) -> Viewer {
        let config = client::Config {
            media: self.media.0,
            traffic: self.exported.traffic(Aead::Aes128Gcm),
            first_frame: Some(0),
            patience: client::PATIENCE,
            limits: Limits::default(),
        };
        let media = Media::new(now(), config).expect("a machine");
        let started = self.started.expect("it starts");
        let (socket, host, told) = (self.socket, self.host, self.told);
        Viewer { started, media, socket, batch: RecvBatch::new(64), host, told }
    }
}

/// A client.
struct Viewer {
    started: NativeStarted,
    media: Media,
    socket: UdpTransport,
    batch: RecvBatch,
    host: SocketAddr,
    told: mpsc::Receiver<Told>,
}

impl Viewer {
    /// The next frame, with all that the machine has to say meanwhile.
    fn frame(&mut self) -> Frame {
        let (start, mut out) = (Instant::now(), Vec::new());
        loop {
            assert!(start.elapsed() < LIMIT, "no frame came");
            out.clear();
            match self.media.poll(now(), &mut out) {
                Output::Send(length) => {
                    let said = Datagrams::one(&out[..length]);
                    self.socket.send(said, Route::to(self.host)).expect("it is sent");
                }
                Output::Frame(frame) => {
                    self.media.decoded(frame.number, Duration::from_millis(1), 0);
                    return frame;
                }
                Output::Lost { .. } | Output::Undecodable { .. } => {}
                Output::Wait(until) => {
                    let wait = until.map_or(LIMIT, |until| until - now());
                    self.batch.clear();
                    self.socket.receive(&mut self.batch, Some(wait)).expect("it receives");
                    let datagrams: Vec<_> =
                        self.batch.iter().map(|(datagram, ..)| datagram.to_vec()).collect();
                    for mut datagram in datagrams {
                        // A busy machine drops datagrams; what was sent twice comes twice.
                        let _ = self.media.datagram(now(), &mut datagram);
                    }
                }
            }
        }
    }

    /// Frames up to one that is as wanted.
    fn until(&mut self, wanted: impl Fn(&Frame) -> bool) -> Frame {
        let start = Instant::now();
        loop {
            let frame = self.frame();
            if wanted(&frame) {
                return frame;
            }
            assert!(start.elapsed() < LIMIT, "no such frame came");
            self.media.recycle(frame);
        }
    }

    /// What it was told last, sound left out.
    fn end(&self) -> (SessionId, Reason) {
        loop {
            match self.told.recv_timeout(LIMIT).expect("it is told") {
                Told::End(id, reason) => return (id, reason),
                Told::Datagram(_) => {}
            }
        }
    }
}

/// Width, height and the number of the Test card's picture in an access unit.
fn look(decoder: &mut Decoder, frame: &Frame) -> (usize, usize, Option<u32>) {
    let picture = decoder.decode(frame.data()).expect("it decodes").expect("a picture");
    let ((width, height), (stride, ..)) = (picture.dimensions(), picture.strides());
    (width, height, read_code(picture.y(), stride, width, height).map(|code| code.frame))
}

#[test]
fn a_native_client_sees_and_hears_the_test_card() {
    let Some(host) = Host::start("a_native_client_sees_and_hears_the_test_card") else { return };
    let mut viewer = host.connect(TV, |_| ()).viewer();
    let started = viewer.started.clone();
    assert_eq!((started.mode, started.codec, started.epoch), (MODE, Codec::H264, 0));
    assert_eq!((started.app, started.resumed, started.mic), (TEST_CARD_ID, false, false));
    assert!(viewer.told.try_recv().is_err(), "nothing is sent before Start");
    host.sessions.play(started.id).expect("it plays");

    let mut decoder = Decoder::new().expect("a decoder");
    let first = viewer.frame();
    assert_eq!((first.number, first.epoch, first.flags.has(Flags::KEY_FRAME)), (0, 0, true));
    assert_eq!(look(&mut decoder, &first).0, 640);
    let mut last = first.number;
    let mut seen = Vec::new();
    while seen.len() < 10 {
        let frame = viewer.frame();
        assert_eq!(frame.number, last + 1, "none is missing");
        last = frame.number;
        let (width, height, code) = look(&mut decoder, &frame);
        assert_eq!((width, height), (640, 360));
        seen.extend(code.filter(|code| !seen.contains(code)));
    }
    assert!(seen.is_sorted(), "{seen:?}");

    let layout = started.sound.expect("there is sound");
    let mut opus = opus2::MSDecoder::new(48_000, layout.streams, layout.coupled, &layout.mapping).unwrap();
    let mut expected = None;
    for _ in 0..20 {
        let Told::Datagram(datagram) = viewer.told.recv_timeout(LIMIT).expect("sound comes") else {
            panic!("it ended");
        };
        let Ok(Datagram::Sound(sound)) = Datagram::parse(Direction::ToClient, &datagram) else {
            panic!("{datagram:?}");
        };
        assert_eq!(sound.seq, *expected.get_or_insert(sound.seq));
        expected = Some(sound.seq.wrapping_add(1));
        let mut samples = [0.0; 2 * 5760];
        let count = opus.decode_float(sound.packets.as_slice()[0], &mut samples, false).expect("Opus");
        assert_eq!(count as u32 * 1_000 / 48, layout.frame_us);
    }
}

#[test]
fn the_picture_changes_while_it_runs() {
    let Some(host) = Host::start("the_picture_changes_while_it_runs") else { return };
    let mut viewer = host.play(TV, |_| ());
    let id = viewer.started.id;
    viewer.until(|frame| frame.number >= 5);

    let began = Instant::now();
    let wish = Reconfigure { width: Some(800), height: Some(600), ..Reconfigure::default() };
    let changed = host.sessions.reconfigure(id, &wish).expect("it runs");
    let mode = Mode { width: 800, height: 600, ..MODE };
    assert_eq!((changed.epoch, changed.mode, &*changed.text), (1, mode, ""));
    let first = viewer.until(|frame| frame.epoch == 1);
    println!("the picture was back after {:?}", began.elapsed());
    assert!(first.flags.has(Flags::KEY_FRAME), "its parameter sets come with it");
    let mut decoder = Decoder::new().expect("a decoder");
    assert_eq!(look(&mut decoder, &first).0, 800);
    let next = viewer.frame();
    assert_eq!((next.number, next.epoch), (first.number + 1, 1), "frames are numbered on");

    let wish = Reconfigure { bitrate_kbps: Some(8_000), ..Reconfigure::default() };
    let changed = host.sessions.reconfigure(id, &wish).expect("it runs");
    assert_eq!((changed.epoch, changed.bitrate_kbps, changed.mode), (1, 8_000, mode));

    let wish = Reconfigure { codec: Some(Codec::AV1), ..Reconfigure::default() };
    let refused = host.sessions.reconfigure(id, &wish).expect("it runs");
    assert_eq!((refused.epoch, refused.codec), (1, Codec::H264));
    assert!(refused.text.contains("AV1"), "{}", refused.text);
    let last = viewer.frame().number;
    viewer.until(|frame| frame.number > last + 3 && frame.epoch == 1);
    assert!(host.sessions.reconfigure(SessionId(999), &wish).is_err());
}

#[test]
fn the_picture_follows_a_client_to_another_address() {
    let Some(host) = Host::start("the_picture_follows_a_client_to_another_address") else { return };
    let mut viewer = host.play(TV, |_| ());
    let before = viewer.until(|frame| frame.number >= 5).number;
    viewer.socket = transport();
    viewer.until(|frame| frame.number > before + 10);
    assert!(host.sessions.seats()[0].stream.is_some());
}

#[test]
fn a_client_goes_on_with_what_it_had() {
    let Some(host) = Host::start("a_client_goes_on_with_what_it_had") else { return };
    let mut first = host.play(TV, |_| ());
    first.until(|frame| frame.number >= 2);
    let session = first.started.session;

    // Nobody else's, and nothing that is not there.
    let resume = |id: wire::SessionId| move |request: &mut NativeRequest| request.hello.resume = Some(id);
    let strange = host.connect(PHONE, resume(session)).started;
    assert!(matches!(strange, Err(LaunchError::NothingToResume)), "{strange:?}");
    let wrong = host.connect(TV, resume(wire::SessionId([0xEE; 16]))).started;
    assert!(matches!(wrong, Err(LaunchError::NothingToResume)), "{wrong:?}");
    let other = host.connect(TV, |request| request.hello.app = Some(1)).started;
    assert!(matches!(other, Err(LaunchError::Busy(_))), "{other:?}");

    for change in [true, false] {
        // By the session's id, and as the client whose application runs.
        let mut second = host.play(TV, |request| request.hello.resume = change.then_some(session));
        assert!(second.started.resumed && second.started.session == session);
        assert_eq!(first.end(), (first.started.id, Reason::Replaced));
        let frame = second.until(|frame| frame.number >= 2);
        assert_eq!(frame.epoch, second.started.epoch);
        first = second;
    }
    // The client is gone without a word; what ran is there when it comes back.
    host.sessions.control(first.started.id, ControlEvent::Closed { by_client: false });
    let mut again = host.play(TV, |request| request.hello.launch = false);
    assert!(again.started.resumed);
    again.until(|frame| frame.number >= 2);

    host.sessions.cancel(TV).expect("it ends");
    assert_eq!(again.end(), (again.started.id, Reason::Quit));
    let gone = host.connect(TV, resume(session)).started;
    assert!(matches!(gone, Err(LaunchError::NothingToResume)), "{gone:?}");
}

#[test]
fn a_client_does_what_its_access_allows() {
    let Some(host) = Host::start("a_client_does_what_its_access_allows") else { return };
    let blind = host.connect(TV, |request| request.access = Access::PADS).started;
    assert!(matches!(blind, Err(LaunchError::NotAllowed(_))), "{blind:?}");
    let idle = host.connect(TV, |request| request.access = Access::VIEW).started;
    assert!(matches!(idle, Err(LaunchError::NotAllowed(_))), "{idle:?}");
    let unknown = host.connect(TV, |request| request.hello.app = Some(77)).started;
    assert!(matches!(unknown, Err(LaunchError::UnknownApp(77))), "{unknown:?}");
    let unsuited = host.connect(TV, |request| request.hello.codecs = vec![Codec::AV1]).started;
    assert!(matches!(unsuited, Err(LaunchError::Unsupported(_))), "{unsuited:?}");
    assert!(host.sessions.seats().is_empty(), "nothing was started for any of them");

    let mut viewer = host.play(TV, |_| ());
    viewer.until(|frame| frame.number >= 2);
    host.sessions.set_access(viewer.started.id, Access::VIEW);
    let last = viewer.frame().number;
    viewer.until(|frame| frame.number > last + 2);
    host.sessions.set_access(viewer.started.id, Access::NONE);
    assert_eq!(viewer.end(), (viewer.started.id, Reason::Revoked));
}

/// Notes which streams ended.
struct Ended(mpsc::Sender<Played>);

impl Watcher for Ended {
    fn changed(&self) {}

    fn ended(&self, played: Played) {
        let _ = self.0.send(played);
    }
}

#[test]
fn the_owner_sees_how_a_stream_goes_and_changes_it() {
    let Some(host) = Host::start("the_owner_sees_how_a_stream_goes_and_changes_it") else { return };
    let (tell, ended) = mpsc::channel();
    host.sessions.watch(Arc::new(Ended(tell)));
    assert!(host.sessions.figures().is_empty());
    let mut viewer = host.play(TV, |_| ());
    viewer.until(|frame| frame.number >= 20);
    let seat = host.sessions.seats()[0].clone();
    let stream = seat.stream.expect("it is watched");
    let stages: Vec<&str> = stream.why.iter().map(|why| why.stage.as_str()).collect();
    let expected = ["display", "size", "codec", "bitrate", "audio", "encryption", "encoder"];
    assert_eq!((stages, stream.encoder.as_str(), stream.encrypted), (expected.into(), "openh264", true));

    let (id, first) = host.sessions.figures()[0].clone();
    assert_eq!(id, seat.id);
    let latency = first.latency_ms;
    assert!(first.fps > 0.0 && first.frames >= 20 && first.bytes > 0, "{first:?}");
    assert!(latency.encode.p50 > 0.0 && latency.encode.max >= latency.encode.p95, "{first:?}");
    assert!(latency.capture.max > 0.0 && latency.send.max > 0.0, "{first:?}");
    let before = first.frames;
    viewer.until(|frame| u64::from(frame.number) >= before + 20);
    let (_, second) = host.sessions.figures()[0].clone();
    assert!(second.frames > first.frames && second.bytes > first.bytes && second.at_ms > first.at_ms);
    assert!(second.rtt_ms.is_some() && second.limiter.is_some(), "its client reports: {second:?}");
    assert!(second.latency_ms.network.is_some() && second.latency_ms.decode.is_some(), "{second:?}");

    host.sessions.set_bitrate(seat.id, 5_000).expect("it runs");
    let stream = host.sessions.seats()[0].stream.clone().expect("it is watched");
    assert_eq!(stream.bitrate_kbps, 5_000);
    host.sessions.message(seat.id, "dinner is ready").expect("its seat takes it");
    assert!(host.sessions.message(999, "nobody").is_err() && host.sessions.set_bitrate(999, 5_000).is_err());

    host.sessions.end(seat.id);
    let played = ended.recv_timeout(LIMIT).expect("it ended");
    assert_eq!((played.device.name.as_str(), played.device.protocol.as_str()), ("tv", "native"));
    assert!(played.figures.frames >= second.frames && played.stream.bitrate_kbps == 5_000);
}

#[test]
fn what_the_owner_starts_a_client_finds_running() {
    let Some(host) = Host::start("what_the_owner_starts_a_client_finds_running") else { return };
    let seat = host.sessions.start(PHONE, "phone", TEST_CARD_ID).expect("it starts");
    assert!(host.sessions.start(PHONE, "phone", TEST_CARD_ID).is_err(), "one at a time");
    assert!(host.sessions.start(TV, "tv", 4_000_000_000).is_err());
    let listed = host.sessions.seats();
    assert_eq!((listed.len(), listed[0].id, listed[0].stream.is_none()), (1, seat, true));
    let mut viewer = host.play(PHONE, |_| ());
    assert!(viewer.started.resumed);
    viewer.until(|frame| frame.number >= 2);
    assert_eq!(host.sessions.seats()[0].id, seat);
}
