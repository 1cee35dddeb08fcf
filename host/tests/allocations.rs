//! In steady state no frame asks for memory, on any thread of this process: from the
//! access unit to the wire, and in a whole session as far as it is ours (performance
//! page, P9). One test, because the allocator counts for all threads together.

use std::alloc::System;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::{Duration, Instant};

use punktfunk_core::gamestream::http::codec_mode;
use punktfunk_core::gamestream::sdp::{Codec, ColorSpace, StreamConfig};
use punktfunk_core::gamestream::video::{Event, FrameKind, Policy, Reassembler};
use punktfunk_core::input::pad::Feedback;
use punktfunk_host::config::{Config, TEST_CARD_ID};
use punktfunk_host::encode::Backend;
use punktfunk_host::send::{MediaPorts, Outgoing, Sent, VideoConfig, VideoSender};
use punktfunk_host::session::{
    ClientId, Fault, GameStream, KeyLedger, LaunchRequest, Mode, Reason, Rules, SeatSettings, SessionId,
    Sessions, Settings, StreamSettings, Supervisor, Voice,
};
use punktfunk_net::{Datagrams, RecvBatch, Route, Transport, UdpOptions, UdpTransport, bind_udp_to};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// How long anything may take on a loaded machine before it counts as broken.
const LIMIT: Duration = Duration::from_secs(20);
const PAYLOAD: [u8; 16] = *b"0123456789abcdef";
const KEY: [u8; 16] = [7; 16];
const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Frames until every buffer has its size.
const WARM: usize = 30;
const LOOKED_AT: usize = 200;

fn transport() -> UdpTransport {
    let socket = bind_udp_to(SocketAddr::new(LOCALHOST, 0), false).expect("a socket");
    UdpTransport::new(socket, &UdpOptions::default()).expect("a transport")
}

fn asked_for(region: &Region<'_, System>) -> usize {
    let change = region.change();
    change.allocations + change.reallocations
}

/// A client that receives, and asks for no memory while it does.
struct Client {
    transport: UdpTransport,
    batch: RecvBatch,
}

impl Client {
    fn new() -> Self {
        Self { transport: transport(), batch: RecvBatch::new(64) }
    }

    fn ping(&self, port: SocketAddr, payload: [u8; 16]) {
        let ping = [&payload[..], &1_u32.to_be_bytes()].concat();
        self.transport.send(Datagrams::one(&ping), Route::to(port)).expect("a ping is sent");
    }

    /// Takes datagrams until there were `count`.
    fn take(&mut self, count: usize) {
        let mut taken = 0;
        self.each(|_| {
            taken += 1;
            taken >= count
        });
    }

    /// Takes datagrams until they made `count` frames.
    fn frames(&mut self, reassembler: &mut Reassembler, count: usize) {
        let mut whole = 0;
        self.each(|datagram| {
            reassembler.push(datagram).expect("it is ours");
            while let Some(event) = reassembler.poll() {
                if let Event::Frame(frame) = event {
                    whole += 1;
                    reassembler.recycle(frame.data);
                }
            }
            whole >= count
        });
    }

    fn each(&mut self, mut enough: impl FnMut(&[u8]) -> bool) {
        let start = Instant::now();
        let mut done = false;
        while !done {
            assert!(start.elapsed() < LIMIT, "too few datagrams came");
            self.batch.clear();
            self.transport.receive(&mut self.batch, Some(LIMIT)).expect("it receives");
            for (datagram, _, _) in self.batch.iter() {
                done |= enough(datagram);
            }
        }
    }
}

/// What a frame asks for between the encoder and the wire, with the threads of sender
/// and ports.
fn sending(key: Option<[u8; 16]>) -> Vec<usize> {
    let ports = MediaPorts::start(transport(), transport()).expect("ports");
    let route = ports.route(PAYLOAD, LOCALHOST);
    let mut client = Client::new();
    client.ping(ports.video().local_addr(), PAYLOAD);
    assert!(route.wait_for_video(Instant::now() + LIMIT), "the ping was not heard");
    let config = VideoConfig {
        codec: Codec::H264,
        packet_size: 1392,
        fec_percentage: 20,
        min_parity: 2,
        key,
        bitrate_bps: 40_000_000,
        fps: 60,
        drop_percent: 0.0,
    };
    let mut sender = VideoSender::start(&config, &ports, &route).expect("a sender");
    // One block, and two of them.
    let units = [vec![3; 40_000], vec![5; 380_000]];
    let mut send = |data: &[u8], is_new| {
        let unit = Outgoing { data, kind: FrameKind::P, timestamp_us: 7, is_new };
        match sender.send(&unit) {
            Sent::Queued { packets, .. } => packets,
            other => panic!("{other:?}"),
        }
    };
    // Two at once: one waits while the other is sent, so that there are buffers for it.
    for _ in 0..WARM {
        let packets = send(&units[1], true) + send(&units[1], true);
        client.take(packets);
    }
    let mut counts = Vec::with_capacity(LOOKED_AT);
    for number in 0..LOOKED_AT {
        let region = Region::new(ALLOCATOR);
        let packets = send(&units[number % 2], number % 3 == 0);
        client.take(packets);
        counts.push(asked_for(&region));
    }
    counts
}

struct Silent;

impl Voice for Silent {
    fn feedback(&self, _id: SessionId, _pad: u8, _feedback: Feedback) {}
    fn end(&self, _id: SessionId, _reason: Reason) {}
}

struct Trusting;

impl KeyLedger for Trusting {
    fn claim(&self, _key: &[u8; 16]) -> Result<bool, String> {
        Ok(true)
    }
}

/// The seat lies beside the test's own directory in the target directory.
fn seat_program() -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    let program = own.parent()?.parent()?.join("punktfunk-seat");
    program.is_file().then_some(program)
}

fn settings(program: PathBuf, runtime_dir: PathBuf) -> Settings {
    let config = Config::default();
    Settings {
        apps: Arc::new(config.apps),
        rules: Rules { max: 1, shared: false, keep: None },
        seat: SeatSettings {
            program,
            runtime_dir,
            owner: "allocations".into(),
            keyboard: config.keyboard,
            compositor: config.sessions.compositor,
        },
        stream: StreamSettings {
            parity: Policy::fixed(20),
            codec_modes: Arc::new(AtomicU32::new(codec_mode::H264)),
            drop_percent: 0.0,
            fault: Fault::default(),
            encoder: Some(Backend::Synthetic),
        },
    }
}

const STREAM: StreamConfig = StreamConfig {
    width: 640,
    height: 360,
    fps: 60,
    packet_size: 1392,
    bitrate_kbps: 20_000,
    codec: Codec::H264,
    slices: 1,
    color_space: ColorSpace::Rec709,
    full_range: false,
    ten_bit: false,
    chroma_444: false,
    reference_frames: 1,
    min_parity: 2,
    audio_channels: 2,
    audio_high_quality: false,
    audio_packet_ms: 5,
    control_v2: true,
    encrypt_video: true,
    encrypt_audio: true,
    ping_payload: true,
    fec_status: true,
    qos: false,
};

/// What a whole session asks for in 200 frames: a real seat with the Test card, its
/// frames, the encode loop, video and sound.
fn session(program: PathBuf) -> usize {
    let runtime = std::env::temp_dir().join(format!("pf-alloc-{}", std::process::id()));
    std::fs::create_dir_all(&runtime).expect("a directory");
    let ports = MediaPorts::start(transport(), transport()).expect("ports");
    let (video, audio) = (ports.video().local_addr(), ports.audio().local_addr());
    let gamestream = GameStream { ports: Arc::new(ports), voice: Arc::new(Silent) };
    let sessions = Sessions::start(settings(program, runtime.clone()), Some(gamestream), Box::new(Trusting))
        .expect("sessions");
    let request = LaunchRequest {
        client: ClientId([1; 32]),
        client_name: "tv".into(),
        app: TEST_CARD_ID,
        mode: Mode { width: STREAM.width, height: STREAM.height, fps: STREAM.fps },
        key: KEY,
        key_id: 1,
        encrypted_rtsp: false,
        play_locally: false,
        channels: 2,
        peer: LOCALHOST,
    };
    let pending = sessions.launch(request).expect("the Test card starts");
    sessions.announce(pending.id, STREAM).expect("announced");
    let (mut client, ears) = (Client::new(), UdpSocket::bind((LOCALHOST, 0)).expect("a socket"));
    let ping = [&pending.ping_payload[..], &1_u32.to_be_bytes()].concat();
    ears.send_to(&ping, audio).expect("a ping is sent");
    client.ping(video, pending.ping_payload);
    sessions.play(pending.id).expect("it plays");
    let mut reassembler = Reassembler::new(STREAM.packet_size, Some(KEY)).expect("a reassembler");
    client.frames(&mut reassembler, WARM);
    let region = Region::new(ALLOCATOR);
    client.frames(&mut reassembler, LOOKED_AT);
    let count = asked_for(&region);
    sessions.stop();
    drop(sessions);
    std::fs::remove_dir_all(&runtime).expect("removed");
    count
}

#[test]
fn frames_ask_for_no_memory() {
    let region = Region::new(ALLOCATOR);
    drop(std::hint::black_box(vec![1_u8; 64]));
    assert_eq!(asked_for(&region), 1, "the allocator counts");

    for key in [None, Some(KEY)] {
        let counts = sending(key);
        assert!(counts.iter().all(|count| *count == 0), "encrypted {}: {counts:?}", key.is_some());
    }

    let Some(program) = seat_program() else {
        println!("SKIPPED frames_ask_for_no_memory: in a session, as punktfunk-seat was not built");
        return;
    };
    let count = session(program);
    println!("a session asked {count} times for memory in {LOOKED_AT} frames");
    // A message of the seat is read into memory of its own, and so is the answer that
    // gives the frame back; where the machine is busy, two messages are made one.
    assert!(count <= 3 * LOOKED_AT, "{count} in {LOOKED_AT} frames");
}
