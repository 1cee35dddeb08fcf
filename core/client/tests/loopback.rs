//! A client and a small host on 127.0.0.1: a real QUIC connection, real datagrams.

use std::time::{Duration, Instant};

use punktfunk_client::input::pad::{self, Change, Feedback, State};
use punktfunk_client::input::{Event as InputEvent, Phase, Touch};
use punktfunk_client::messages::Reconfigure;
use punktfunk_client::{Access, Client, Code, Config, Error, Event, Frame, Mode, Session, make_identity};
use punktfunk_core::native::pairing::host::Offer;
use punktfunk_core::native::pairing::qr::{Address, Invitation};
use punktfunk_core::native::pairing::{self, Pin, Secret};
use punktfunk_core::native::wire::Datagram;
use punktfunk_core::native::wire::control::Control;
use punktfunk_core::native::wire::datagram::{Motors, Packets, Sound};
use punktfunk_core::native::wire::input::Input;
use punktfunk_testhost::{Heard, Host, LONG, Settings, clock, tell};

fn client() -> Client {
    Client::new(make_identity().expect("identity"), "test client")
}

fn play(host: &Host) -> (Session, punktfunk_quic::Connection) {
    let config = Config::new(host.address, Some(host.identity.hash()));
    let session = client().connect(&config).expect("session");
    let connection = host.started();
    (session, connection)
}

/// The next event that `wanted` takes.
fn wait<T>(session: &Session, mut wanted: impl FnMut(Event) -> Option<T>) -> T {
    let begin = Instant::now();
    while begin.elapsed() < LONG {
        if let Some(event) = session.next(Duration::from_secs(1))
            && let Some(found) = wanted(event)
        {
            return found;
        }
    }
    panic!("nothing came: {:?}", session.stats());
}

fn frame(session: &Session) -> Frame {
    wait(session, |event| if let Event::Frame(frame) = event { Some(frame) } else { None })
}

fn picture(number: u32, len: usize) -> Vec<u8> {
    (0..len).map(|at| (at as u32).wrapping_mul(2_654_435_761).wrapping_add(number) as u8).collect()
}

#[test]
fn frames_arrive_bit_for_bit_and_in_order() {
    let host = Host::new(Settings::default());
    let (session, _connection) = play(&host);
    for (number, len) in [(0, 30_000), (1, 7), (2, 1), (3, 100_000), (4, 1154), (5, 3000)] {
        let sent = picture(number, len);
        host.planes.frame(&sent, 0, number == 0);
        let got = frame(&session);
        assert_eq!((got.number, got.epoch, got.key), (number, 0, number == 0));
        assert!(got.data() == sent, "frame {number} of {len} bytes");
        assert!(got.whole >= got.first);
        session.decoded(got.number, Duration::from_millis(2), 0);
    }
    let stats = session.stats();
    assert_eq!(stats.media.frames.frames, 6);
    assert_eq!((stats.frames_dropped, stats.comebacks), (0, 0));
}

#[test]
fn input_of_every_kind_arrives() {
    let host = Host::new(Settings::default());
    let (session, _connection) = play(&host);
    let touch =
        Touch { id: 3, phase: Phase::Down, x: 0.0, y: 1.0, pressure: None, contact: None, rotation: None };
    let events = [
        InputEvent::Key { code: 30, down: true },
        InputEvent::PointerMotion { dx: 12.5, dy: -3.0 },
        InputEvent::PointerButton { code: 0x110, down: true },
        InputEvent::Scroll { horizontal: 0, vertical: -120 },
        InputEvent::Touch(touch),
        InputEvent::Text { character: 'ß' },
        InputEvent::ReleaseAll,
    ];
    for event in &events {
        session.input(event).expect("sent");
    }
    // Two ways lead to the host, so they may come in another order.
    let mut missing = events.to_vec();
    while !missing.is_empty() {
        let event = host.wait(|heard| match heard {
            Heard::Input(Input::Event(event)) => Some(event),
            _ => None,
        });
        let at = missing.iter().position(|wanted| *wanted == event).expect("an event that was sent");
        missing.remove(at);
    }
    let state = State { buttons: pad::button::A, left: [-300, 400], ..State::default() };
    session.pad(&pad::Event { index: 2, change: Change::State(state) }).expect("sent");
    // It is said again when nothing changes, so that the last state arrives.
    for _ in 0..4 {
        let event = host.wait(|heard| match heard {
            Heard::Input(Input::Pad(event)) => Some(event),
            _ => None,
        });
        assert_eq!(event, pad::Event { index: 2, change: Change::State(state) });
    }
    assert!(matches!(session.pad(&pad::Event { index: 16, change: Change::Left }), Err(Error::Range(_))));
    session.mic(&[9; 40]).expect("sent");
    let spoken = host.wait(|heard| if let Heard::Microphone(packet) = heard { Some(packet) } else { None });
    assert_eq!(spoken, [9; 40]);
    session.clipboard("text/plain", &[7; 60_000]).expect("sent");
    let copied = host.wait(|heard| match heard {
        Heard::Message(Control::Clipboard(clipboard)) => Some(clipboard),
        _ => None,
    });
    assert_eq!((copied.mime.as_str(), copied.data.len()), ("text/plain", 60_000));
}

#[test]
fn sound_and_effects_come_back_once_each() {
    let host = Host::new(Settings::default());
    let (session, connection) = play(&host);
    let packets: Vec<Vec<u8>> = (0..4_u8).map(|number| vec![number; 20]).collect();
    let send = |seq: u32, list: &[&[u8]]| {
        let packets = Packets::new(list).expect("packets");
        tell(&connection, &Datagram::Sound(Sound { seq, timestamp: clock(), packets }));
    };
    send(0, &[&packets[0]]);
    // The second datagram is "lost"; the third carries it as well.
    send(2, &[&packets[2], &packets[1], &packets[0]]);
    send(3, &[&packets[3], &packets[2]]);
    for number in 0..4_u32 {
        let sound = wait(&session, |event| if let Event::Sound(sound) = event { Some(sound) } else { None });
        assert_eq!((sound.seq, sound.packet.as_slice()), (number, &packets[number as usize][..]));
    }
    let motors = Motors { low: 5, high: 6, ..Motors::default() };
    tell(&connection, &Datagram::Rumble { seq: 0, pad: 1, motors });
    let effect = wait(&session, |event| match event {
        Event::Effect { pad, effect } => Some((pad, effect)),
        _ => None,
    });
    assert_eq!(effect, (1, Feedback::Rumble { low: 5, high: 6 }));
}

#[test]
fn another_picture_begins_another_epoch() {
    let host = Host::new(Settings::default());
    let (session, _connection) = play(&host);
    host.planes.frame(&picture(0, 5000), 0, true);
    frame(&session);
    let wanted = Reconfigure { width: Some(1920), height: Some(1080), ..Reconfigure::default() };
    session.reconfigure(wanted).expect("asked");
    let now = wait(&session, |event| if let Event::Reconfigured(now) = event { Some(now) } else { None });
    let mode = Mode { width: 1920, height: 1080, refresh_mhz: 60_000 };
    assert_eq!((now.epoch, now.mode), (1, mode));
    assert_eq!(session.welcome().mode, mode);
    host.planes.frame(&picture(1, 9000), 1, true);
    let got = frame(&session);
    assert_eq!((got.number, got.epoch, got.key), (1, 1, true));
    let odd = Reconfigure { width: Some(641), ..Reconfigure::default() };
    assert!(matches!(session.reconfigure(odd), Err(Error::Range(_))));
}

#[test]
fn a_key_frame_is_called_for() {
    let host = Host::new(Settings::default());
    let (session, _connection) = play(&host);
    host.planes.frame(&picture(0, 5000), 0, true);
    frame(&session);
    session.want_key_frame();
    let begin = Instant::now();
    while host.planes.key_frames_wanted() == 0 {
        assert!(begin.elapsed() < LONG);
        session.next(Duration::from_millis(5));
    }
}

#[test]
fn pairing_by_pin_and_by_code() {
    let pin = Pin::parse("123456").expect("pin");
    let secret = Secret([7; 16]);
    let offer = Offer { pin: Some(pin), secret: Some(secret) };
    let host = Host::new(Settings { offer, ..Settings::default() });
    let client = client();
    let heard =
        |host: &Host| host.wait(|heard| if let Heard::Paired(who) = heard { Some(who) } else { None });
    let paired = client.pair_pin(host.address, "123 456").expect("paired");
    assert_eq!((paired.host, paired.access), (host.identity.hash(), Access::VIEW));
    assert_eq!(heard(&host), client.identity().hash());

    let address = Address { host: host.address.ip().to_string(), port: host.address.port() };
    let mut invitation = Invitation {
        addresses: vec![address],
        fingerprint: host.identity.hash(),
        secret,
        name: "test host".to_owned(),
    };
    let paired = client.pair_secret(&invitation.to_string()).expect("paired");
    assert_eq!((paired.host, paired.address), (host.identity.hash(), host.address));
    assert_eq!(heard(&host), client.identity().hash());

    // A code of another host at the same address.
    invitation.fingerprint = [1; 32];
    let error = client.pair_secret(&invitation.to_string()).expect_err("another host");
    assert!(error.is_other_host() && error.to_string().contains("another identity"), "{error}");
    assert!(matches!(client.pair_secret("https://example.com"), Err(Error::Input(_))));
}

#[test]
fn a_wrong_pin_pairs_nobody() {
    let offer = Offer { pin: Some(Pin::parse("123456").expect("pin")), secret: None };
    let host = Host::new(Settings { offer, ..Settings::default() });
    let client = client();
    let error = client.pair_pin(host.address, "654321").expect_err("wrong");
    assert_eq!(error.code(), Some(Code::WrongPin), "{error}");
    let why = host.wait(|heard| if let Heard::PairingFailed(why) = heard { Some(why) } else { None });
    assert_eq!(why, pairing::Error::Wrong);
    assert!(matches!(client.pair_pin(host.address, "12345"), Err(Error::Input(_))));

    let closed = Host::new(Settings::default());
    let error = client.pair_pin(closed.address, "123456").expect_err("closed");
    assert_eq!(error.code(), Some(Code::PairingClosed));
}

#[test]
fn a_refusal_says_why() {
    let connect = |host: &Host| {
        let config = Config::new(host.address, Some(host.identity.hash()));
        client().connect(&config).map(drop).expect_err("refused")
    };
    let host = Host::new(Settings { stranger: true, ..Settings::default() });
    let error = connect(&host);
    assert_eq!(error.code(), Some(Code::NotPaired));
    assert!(error.to_string().contains("pair it"), "{error}");
    let host = Host::new(Settings { refuse: Some((Code::Busy, "two play already")), ..Settings::default() });
    let error = connect(&host);
    assert_eq!(error.to_string(), "BUSY: two play already");
}

#[test]
fn the_applications_are_listed_and_one_can_be_ended() {
    let host = Host::new(Settings::default());
    let client = client();
    let apps = client.apps(host.address, host.identity.hash()).expect("list");
    assert_eq!(apps.apps[0].title, "Desktop");
    let (session, _connection) = play(&host);
    session.quit().expect("asked");
    let (code, text) = wait(&session, |event| match event {
        Event::Ended { code, text } => Some((code, text)),
        _ => None,
    });
    assert_eq!((code, text.as_str()), (Code::AppEnded, "the game is over"));
    assert!(matches!(session.quit(), Err(Error::Ended)));
    assert!(matches!(session.input(&InputEvent::ReleaseAll), Err(Error::Ended)));
}

#[test]
fn the_picture_goes_on_from_another_address() {
    let host = Host::new(Settings::default());
    let (session, _connection) = play(&host);
    host.planes.frame(&picture(0, 5000), 0, true);
    frame(&session);
    let before = host.planes.route().expect("route").to;
    session.rebind().expect("rebound");
    session.input(&InputEvent::Key { code: 30, down: true }).expect("sent");
    // The next report that opens shows the host where the client is now.
    let begin = Instant::now();
    while host.planes.route().expect("route").to == before {
        assert!(begin.elapsed() < LONG);
        session.next(Duration::from_millis(5));
    }
    let sent = picture(1, 50_000);
    host.planes.frame(&sent, 0, false);
    assert!(frame(&session).data() == sent);
    host.wait(|heard| matches!(heard, Heard::Input(Input::Event(InputEvent::Key { .. }))).then_some(()));
    assert_eq!(session.stats().comebacks, 0, "it was no new connection");
}

#[test]
fn a_lost_connection_is_resumed_by_its_session() {
    let host = Host::new(Settings::default());
    let (session, connection) = play(&host);
    host.planes.frame(&picture(0, 5000), 0, true);
    frame(&session);
    let id = session.welcome().session;
    drop(connection);
    // A connection that breaks is one that the host does not know any more.
    let (address, identity) = host.kill();
    let host = Host::at(address, identity, Settings::default());
    host.planes.remember(id);
    wait(&session, |event| matches!(event, Event::Interrupted { .. }).then_some(()));
    let welcome = wait(&session, |event| match event {
        Event::Resumed(welcome) => Some(welcome),
        _ => None,
    });
    assert!(welcome.resumed);
    assert_eq!((welcome.session, session.welcome().session), (id, id));
    host.started();
    let sent = picture(9, 40_000);
    host.planes.frame(&sent, 0, true);
    assert!(frame(&session).data() == sent);
    assert_eq!(session.stats().comebacks, 1);
    session.input(&InputEvent::Key { code: 31, down: true }).expect("sent");
    host.wait(|heard| {
        matches!(heard, Heard::Input(Input::Event(InputEvent::Key { code: 31, .. }))).then_some(())
    });
}

#[test]
fn a_host_that_forgot_the_session_begins_another() {
    let host = Host::new(Settings::default());
    let (session, connection) = play(&host);
    host.planes.frame(&picture(0, 500), 0, true);
    frame(&session);
    drop(connection);
    let (address, identity) = host.kill();
    let _host = Host::at(address, identity, Settings::default());
    let welcome = wait(&session, |event| match event {
        Event::Resumed(welcome) => Some(welcome),
        _ => None,
    });
    assert!(!welcome.resumed);
}

#[test]
fn patience_ends() {
    let host = Host::new(Settings::default());
    let mut config = Config::new(host.address, Some(host.identity.hash()));
    config.patience = Duration::ZERO;
    let session = client().connect(&config).expect("session");
    // Not one frame was sent yet.
    host.started();
    let (address, identity) = host.kill();
    let busy = Settings { refuse: Some((Code::Busy, "")), ..Settings::default() };
    let _host = Host::at(address, identity, busy);
    let code = wait(&session, |event| if let Event::Ended { code, .. } = event { Some(code) } else { None });
    assert_eq!(code, Code::Timeout);
}

#[test]
fn closing_says_goodbye() {
    let host = Host::new(Settings::default());
    let (session, connection) = play(&host);
    session.close();
    let reason = host.block_on(async { connection.closed().await });
    assert!(matches!(reason, punktfunk_quic::ConnectionError::ApplicationClosed(_)), "{reason}");
}

#[test]
fn who_waits_for_events_hears_that_another_thread_left() {
    let host = Host::new(Settings::default());
    let (session, _connection) = play(&host);
    let code = std::thread::scope(|threads| {
        let waiting = threads.spawn(|| {
            wait(&session, |event| if let Event::Ended { code, .. } = event { Some(code) } else { None })
        });
        session.leave();
        waiting.join().expect("no panic")
    });
    assert_eq!(code, Code::None);
}
