//! A player of punktfunk/1 against the small host of tests: real QUIC, real datagrams,
//! real H.264 and Opus.

use std::f32::consts::TAU;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use openh264::OpenH264API;
use openh264::encoder::{Encoder, EncoderConfig, RateControlMode};
use openh264::formats::YUVSlices;
use punktfunk_core::native::pairing::host::Offer;
use punktfunk_core::native::pairing::qr::{Address, Invitation};
use punktfunk_core::native::pairing::{Pin, Secret};
use punktfunk_core::native::wire::Datagram;
use punktfunk_core::native::wire::datagram::{Packets, Sound};
use punktfunk_core::native::wire::input::Input;
use punktfunk_core::testcard::{Code as CardCode, draw_code};
use punktfunk_probe::Card;
use punktfunk_probe::native::input::Event;
use punktfunk_probe::native::{self, Code, End, Home, Latency, Options, Player, Reconfigure, Word, refusal};
use punktfunk_testhost::{Heard, Host, LONG, Settings, clock, tell};

/// A folder of one test, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("probe-native-{name}-{}", std::process::id())))
    }

    fn home(&self) -> Home {
        Home::open(&self.0, "probe").expect("home")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Left behind it harms nobody.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn known(host: &Host) -> native::Host {
    native::Host { name: "test".to_owned(), address: host.address, fingerprint: host.identity.hash() }
}

/// Draws and codes the Test card's code.
struct Painter {
    encoder: Encoder,
    width: usize,
    height: usize,
    next: u32,
}

impl Painter {
    fn new(width: usize, height: usize) -> Self {
        let config = EncoderConfig::new().skip_frames(false).rate_control_mode(RateControlMode::Off);
        let encoder = Encoder::with_api_config(OpenH264API::from_source(), config).expect("encoder");
        Self { encoder, width, height, next: 0 }
    }

    fn picture(&mut self) -> Vec<u8> {
        let (width, height) = (self.width, self.height);
        let code = CardCode { frame: self.next, micros: 0 };
        let mut pixels = vec![128_u8; width * height * 4];
        draw_code(&mut pixels, width * 4, width, height, code);
        self.next += 1;
        // The code is black and white: any of the colours is its luma.
        let luma: Vec<u8> = pixels.chunks_exact(4).map(|pixel| pixel[0]).collect();
        let grey = vec![128_u8; width / 2 * height / 2];
        let picture = YUVSlices::new((&luma, &grey, &grey), (width, height), (width, width / 2, width / 2));
        self.encoder.encode(&picture).expect("coded").to_vec()
    }
}

#[test]
fn the_test_card_is_decoded_and_measured() {
    let (host, folder) = (Host::new(Settings::default()), Folder::new("card"));
    let home = folder.home();
    let player = Player::start(home.client(), &known(&host), &Options::default()).expect("player");
    host.started();
    let mut painter = Painter::new(320, 240);
    // Until the clocks are known, and some more.
    let mut more = 5;
    while more > 0 {
        let first = painter.next == 0;
        host.planes.frame(&painter.picture(), 0, first);
        let count = u64::from(painter.next);
        let stats =
            player.wait_for("a picture", LONG, |stats| stats.frames_decoded == count).expect("picture");
        more -= i32::from(stats.timings.last().is_some_and(|timing| timing.captured.is_some()));
    }
    let stats = player.stats();
    assert_eq!(stats.size, (320, 240));
    let numbers = u64::from(painter.next);
    assert_eq!(Card::of(&stats.seen), Card { read: numbers, unique: numbers, ..Card::default() });
    let latency = Latency::of(&stats.timings);
    assert!(latency.pictures >= 5, "{latency:?}");
    let sum: f64 = latency.stages()[..4].iter().map(|(_, stage)| stage.mean_ms).sum();
    assert!((sum - latency.captured_to_decoded.mean_ms).abs() < 1e-6, "{latency:?}");
    assert!(latency.taken_to_decoded.p50_ms > 0.0, "{latency:?}");

    let file = folder.0.join("pictures/last.png");
    player.last_picture().expect("picture").save(&file).expect("saved");
    assert!(fs::read(&file).expect("file").starts_with(b"\x89PNG"));
    let report = serde_json::to_value(player.stop()).expect("json");
    assert_eq!((&report["host"], &report["codec"]), (&"test host".into(), &"H.264".into()));
    assert_eq!(report["frames_decoded"], numbers);
    assert_eq!(report["end"], "stopped");
    assert!(report["latency"]["captured_to_decoded"]["p99_ms"].is_number());
}

#[test]
fn another_picture_needs_another_decoder() {
    let (host, folder) = (Host::new(Settings::default()), Folder::new("epochs"));
    let player = Player::start(folder.home().client(), &known(&host), &Options::default()).expect("player");
    host.started();
    host.planes.frame(&Painter::new(320, 240).picture(), 0, true);
    player.wait_for("a picture", LONG, |stats| stats.size == (320, 240)).expect("picture");
    let wanted = Reconfigure { width: Some(640), height: Some(480), ..Reconfigure::default() };
    player.reconfigure(wanted).expect("asked");
    let stats =
        player.wait_for("an answer", LONG, |stats| stats.reconfigured().count() == 1).expect("answer");
    assert!(matches!(&stats.host_messages[0].word, Word::Reconfigured(now) if now.epoch == 1));
    host.planes.frame(&Painter::new(640, 480).picture(), 1, true);
    let stats = player.wait_for("the other", LONG, |stats| stats.size == (640, 480)).expect("picture");
    assert_eq!((stats.epoch, stats.decode_errors), (1, 0));
}

#[test]
fn losses_on_purpose_are_lost_and_mended() {
    let (host, folder) = (Host::new(Settings::default()), Folder::new("losses"));
    let options = Options { drop_percent: 30.0, decode: false, ..Options::default() };
    let player = Player::start(folder.home().client(), &known(&host), &options).expect("player");
    host.started();
    let mut sent = 0;
    // Each frame has many datagrams: sooner or later parity stands in for one.
    while player.look(|stats| stats.recovered_frames == 0) {
        let before = player.look(|stats| stats.frames_received + stats.lost_frames);
        host.planes.frame(&[7; 20_000], 0, true);
        sent += 1;
        assert!(sent < 1000, "{:?}", player.library_stats());
        player
            .wait_for("a frame", LONG, |stats| stats.frames_received + stats.lost_frames > before)
            .expect("a frame or its loss");
    }
    assert!(player.look(|stats| stats.recovered_shards > 0));
}

#[test]
fn the_tone_is_heard() {
    let (host, folder) = (Host::new(Settings::default()), Folder::new("tone"));
    let player = Player::start(folder.home().client(), &known(&host), &Options::default()).expect("player");
    let connection = host.started();
    let (stereo, low_delay) = (opus2::Channels::Stereo, opus2::Application::LowDelay);
    let mut encoder = opus2::Encoder::new(48_000, stereo, low_delay).expect("encoder");
    for seq in 0..200_u32 {
        let sample = |at: u32| (((seq * 240 + at) as f32) * 1000.0 * TAU / 48_000.0).sin() * 0.3;
        let samples: Vec<f32> = (0..240).flat_map(|at| [sample(at), sample(at)]).collect();
        let packet = encoder.encode_vec_float(&samples, 1000).expect("packet");
        let packets = Packets::new(&[&packet]).expect("packets");
        tell(&connection, &Datagram::Sound(Sound { seq, timestamp: clock(), packets }));
        // One by one: what does not fit into a queue of datagrams is dropped.
        player.wait_for("sound", LONG, |stats| stats.audio_packets > u64::from(seq)).expect("sound");
    }
    let stats = player.wait_for("the tone", LONG, |stats| stats.tone_share > 0.9).expect("tone");
    assert_eq!((stats.audio_packets, stats.audio_lost), (200, 0));
    let tones: Vec<_> = stats.channel_tones.iter().map(|(hertz, _)| *hertz).collect();
    assert_eq!(tones, [1000, 1000]);
}

#[test]
fn hands_reach_the_host() {
    let (host, folder) = (Host::new(Settings::default()), Folder::new("hands"));
    let player = Player::start(folder.home().client(), &known(&host), &Options::default()).expect("player");
    host.started();
    player.type_text("aB").expect("typed");
    let key = |heard| match heard {
        Heard::Input(Input::Event(Event::Key { code, down })) => Some((code, down)),
        _ => None,
    };
    let keys: Vec<_> = (0..6).map(|_| host.wait(key)).collect();
    assert_eq!(keys, [(30, true), (30, false), (42, true), (48, true), (48, false), (42, false)]);
    player.click().expect("clicked");
    for wanted in [true, false] {
        let down = host.wait(|heard| match heard {
            Heard::Input(Input::Event(Event::PointerButton { code: native::LEFT_BUTTON, down })) => {
                Some(down)
            }
            _ => None,
        });
        assert_eq!(down, wanted);
    }
    assert!(player.type_text("ß").is_err());
}

#[test]
fn a_host_that_is_started_again_is_found_again() {
    let (host, folder) = (Host::new(Settings::default()), Folder::new("again"));
    let player = Player::start(folder.home().client(), &known(&host), &Options::default()).expect("player");
    let connection = host.started();
    host.planes.frame(&Painter::new(320, 240).picture(), 0, true);
    player.wait_for("a picture", LONG, |stats| stats.frames_decoded == 1).expect("picture");
    let session = player.session_id();
    drop(connection);
    let (address, identity) = host.kill();
    let host = Host::at(address, identity, Settings::default());
    host.planes.remember(session);
    player.wait_for("the session", LONG, |stats| stats.resumptions == 1).expect("resumed");
    host.started();
    host.planes.frame(&Painter::new(320, 240).picture(), 0, true);
    let stats = player.wait_for("a picture", LONG, |stats| stats.frames_decoded == 2).expect("picture");
    assert_eq!((stats.interruptions, player.session_id()), (1, session));
}

#[test]
fn pairing_is_remembered_and_the_end_is_told() {
    let secret = Secret([7; 16]);
    let offer = Offer { pin: Some(Pin::parse("123456").expect("pin")), secret: Some(secret) };
    let (host, folder) = (Host::new(Settings { offer, ..Settings::default() }), Folder::new("pairing"));
    let home = folder.home();
    let paired = home.pair_pin(host.address, "123456", "den").expect("paired");
    assert_eq!(home.find(None).expect("the only one"), paired);
    assert_eq!(paired.find_app(home.client(), "desktop").expect("app"), 1);
    let error = paired.find_app(home.client(), "chess").expect_err("no such").to_string();
    assert!(error.contains("it has: Desktop"), "{error}");

    let address = Address { host: host.address.ip().to_string(), port: host.address.port() };
    let (addresses, fingerprint) = (vec![address], host.identity.hash());
    let invitation = Invitation { addresses, fingerprint, secret, name: "attic".to_owned() };
    let again = home.pair_qr(&format!("{invitation}\n")).expect("paired");
    assert_eq!((again.name.as_str(), again.fingerprint), ("attic", paired.fingerprint));
    assert_eq!(home.hosts().expect("hosts"), std::slice::from_ref(&again));

    let player = Player::start(home.client(), &again, &Options::default()).expect("player");
    player.quit().expect("asked");
    let end = player.wait_for_end(LONG);
    assert_eq!(end, Some(End::Ended { code: Code::AppEnded, text: "the game is over".to_owned() }));
    let error = player.play_on(Duration::ZERO).expect_err("ended").to_string();
    assert!(error.contains("the game is over"), "{error}");
}

#[test]
fn a_refusal_has_a_code() {
    let host = Host::new(Settings { refuse: Some((Code::Busy, "two play already")), ..Settings::default() });
    let folder = Folder::new("refusal");
    let started = Player::start(folder.home().client(), &known(&host), &Options::default());
    let error = started.err().expect("refused");
    assert_eq!((refusal(&error), error.to_string().as_str()), (Some(Code::Busy), "BUSY: two play already"));
}
