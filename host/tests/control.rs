//! The control server over real loopback UDP, with a client of our own and a
//! supervisor that writes down what it hears.

use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use punktfunk_core::enet::{self, Delivery, Event, Output};
use punktfunk_core::gamestream::control::{
    Cipher, ClientMessage, FecStatus, HdrMetadata, HostMessage, REASON_GRACEFUL, Side, Style,
};
use punktfunk_core::gamestream::input::{Message, message};
use punktfunk_core::gamestream::sdp::StreamConfig;
use punktfunk_core::input;
use punktfunk_core::input::pad::{self, Feedback};
use punktfunk_core::time::Time;
use punktfunk_host::serve::control::{self, ControlHandle};
use punktfunk_host::session::{
    ClientId, ControlEvent, LaunchError, LaunchRequest, OpenControl, Pending, Reason, SessionId, Supervisor,
    Voice,
};

const KEY: [u8; 16] = [7; 16];
const DATA: u32 = 0x1234_5678;
/// A client of the old style, whose stream is HDR.
const OLD: u32 = 0x8765_4321;
const ID: SessionId = SessionId(9);
/// Far longer than anything here takes; reached only by a defect.
const PATIENCE: Duration = Duration::from_secs(20);

/// Knows one session, and sends what it hears to the test.
struct Scribe(mpsc::Sender<(SessionId, ControlEvent)>);

impl Supervisor for Scribe {
    fn launch(&self, _: LaunchRequest) -> Result<Pending, LaunchError> {
        Err(LaunchError::UnknownApp(0))
    }

    fn resume(&self, _: LaunchRequest) -> Result<Pending, LaunchError> {
        Err(LaunchError::NothingToResume)
    }

    fn cancel(&self, _: ClientId) -> Result<(), LaunchError> {
        Ok(())
    }

    fn revoke(&self, _: ClientId) {}

    fn running_app(&self, _: ClientId) -> Option<u32> {
        None
    }

    fn running_apps(&self) -> Vec<u32> {
        Vec::new()
    }

    fn pending(&self) -> Vec<Pending> {
        Vec::new()
    }

    fn announce(&self, _: SessionId, _: StreamConfig) -> Result<(), LaunchError> {
        Ok(())
    }

    fn play(&self, _: SessionId) -> Result<(), LaunchError> {
        Ok(())
    }

    fn open_control(&self, connect_data: u32, peer: SocketAddr) -> Option<OpenControl> {
        assert!(peer.is_ipv4(), "mapped addresses are taken apart");
        match connect_data {
            DATA => Some(OpenControl { id: ID, key: KEY, v2: true, hdr: None }),
            OLD => Some(OpenControl { id: ID, key: KEY, v2: false, hdr: Some(hdr()) }),
            _ => None,
        }
    }

    fn control(&self, id: SessionId, event: ControlEvent) {
        let _ = self.0.send((id, event));
    }
}

fn hdr() -> HdrMetadata {
    HdrMetadata { white: [15635, 16450], max_luminance: 1000, ..HdrMetadata::default() }
}

struct Server {
    addr: SocketAddr,
    handle: ControlHandle,
    thread: JoinHandle<std::io::Result<()>>,
    heard: mpsc::Receiver<(SessionId, ControlEvent)>,
}

impl Server {
    fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let addr = socket.local_addr().unwrap();
        let (handle, inbox) = control::channel().unwrap();
        let (sender, heard) = mpsc::channel();
        let thread = control::start(socket, inbox, Arc::new(Scribe(sender))).unwrap();
        Self { addr, handle, thread, heard }
    }

    fn stop(self) {
        self.handle.stop();
        self.thread.join().unwrap().unwrap();
    }
}

/// A client that is driven while the test waits for something.
struct Player {
    socket: UdpSocket,
    client: enet::Client,
    cipher: Cipher,
    origin: Instant,
    events: Vec<Event>,
}

impl Player {
    fn connect(server: SocketAddr, data: u32, seed: u64) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
        let config = enet::Config { channels: 48, seed, ..enet::Config::default() };
        let client = enet::Client::new(Time::default(), server, data, &config);
        let style = if data == OLD { Style::Old } else { Style::V2 };
        let cipher = Cipher::new(&KEY, Side::Client, style).unwrap();
        Self { socket, client, cipher, origin: Instant::now(), events: Vec::new() }
    }

    fn now(&self) -> Time {
        Time::default() + self.origin.elapsed()
    }

    /// Sends and receives until `done` has an answer.
    fn until<T>(&mut self, mut done: impl FnMut(&mut Self) -> Option<T>) -> T {
        let mut buffer = [0; 4096];
        while self.origin.elapsed() < PATIENCE {
            loop {
                match self.client.poll(self.now()) {
                    Output::Transmit { to, bytes } => {
                        self.socket.send_to(&bytes, to).unwrap();
                    }
                    Output::Event(event) => self.events.push(event),
                    Output::Deadline(_) => break,
                }
            }
            if let Some(answer) = done(self) {
                return answer;
            }
            if let Ok((len, from)) = self.socket.recv_from(&mut buffer) {
                let _ = self.client.handle(self.now(), from, &buffer[..len]);
            }
        }
        panic!("in vain: {:?}", self.events);
    }

    /// The next event of the connection.
    fn event(&mut self) -> Event {
        self.until(|player| (!player.events.is_empty()).then(|| player.events.remove(0)))
    }

    /// The next thing the supervisor hears.
    fn heard(&mut self, server: &Server) -> ControlEvent {
        self.until(|_| {
            let (id, event) = server.heard.try_recv().ok()?;
            assert_eq!(id, ID);
            Some(event)
        })
    }

    fn say(&mut self, channel: u8, message: &ClientMessage) {
        let sealed = self.cipher.seal(&message.encode()).unwrap();
        self.client.send(channel, &sealed, Delivery::Reliable).unwrap();
    }

    /// The next message of the host.
    fn message(&mut self) -> HostMessage {
        match self.event() {
            Event::Message { channel: 0, bytes, .. } => {
                HostMessage::decode(&self.cipher.open(&bytes).unwrap()).unwrap()
            }
            other => panic!("{other:?}"),
        }
    }
}

fn connected(server: &Server, seed: u64) -> Player {
    let mut player = Player::connect(server.addr, DATA, seed);
    assert!(matches!(player.event(), Event::Connected { .. }));
    assert_eq!(player.client.channels(), 48);
    let sdr = HostMessage::HdrMode { enabled: false, metadata: HdrMetadata::default() };
    assert_eq!(player.message(), sdr, "the first thing a client hears");
    player
}

fn key(down: bool) -> ClientMessage {
    ClientMessage::Input(Message::Key { down, flags: 0, key: b'A', modifiers: 0 })
}

const KEY_A_DOWN: ControlEvent = ControlEvent::Input(input::Event::Key { code: 30, down: true });
const KEY_A_UP: ControlEvent = ControlEvent::Input(input::Event::Key { code: 30, down: false });
const RELEASE_ALL: ControlEvent = ControlEvent::Input(input::Event::ReleaseAll);

#[test]
fn both_directions_are_heard_and_a_goodbye_releases_everything() {
    let server = Server::start();
    let mut player = connected(&server, 1);
    player.say(0, &ClientMessage::IdrRequest);
    assert_eq!(player.heard(&server), ControlEvent::KeyFrameWanted);
    player.say(0, &ClientMessage::StartB);
    player.say(0, &ClientMessage::Ping);
    player.say(1, &ClientMessage::InvalidateRange { first: 3, last: 5 });
    assert_eq!(player.heard(&server), ControlEvent::InvalidateRange { first: 3, last: 5 });
    let status =
        FecStatus { frame: 4, data_total: 5, parity_total: 2, data_received: 4, ..FecStatus::default() };
    player.say(0, &ClientMessage::FecStatus(status));
    assert_eq!(player.heard(&server), ControlEvent::FecStatus(status));

    let rumble = HostMessage::Rumble { pad: 0, low: 1, high: 2 };
    server.handle.feedback(ID, 0, Feedback::Rumble { low: 1, high: 2 });
    server.handle.feedback(SessionId(1), 0, Feedback::Rumble { low: 1, high: 2 });
    assert_eq!(player.message(), rumble);

    player.say(2, &key(true));
    assert_eq!(player.heard(&server), KEY_A_DOWN);
    player.say(2, &key(true));
    let now = player.now();
    player.client.disconnect(now);
    assert_eq!(player.heard(&server), KEY_A_UP);
    assert_eq!(player.heard(&server), RELEASE_ALL);
    assert_eq!(player.heard(&server), ControlEvent::Closed { by_client: true });
    assert!(matches!(player.event(), Event::Disconnected { by_peer: false, .. }));
    server.stop();
}

#[test]
fn what_was_not_sealed_with_the_key_is_counted_and_dropped() {
    let server = Server::start();
    let mut player = connected(&server, 2);
    player.client.send(0, b"rubbish", Delivery::Reliable).unwrap();
    let mut stranger = Cipher::new(&[8; 16], Side::Client, Style::V2).unwrap();
    let sealed = stranger.seal(&ClientMessage::IdrRequest.encode()).unwrap();
    player.client.send(0, &sealed, Delivery::Reliable).unwrap();
    let sealed = player.cipher.seal(&key(true).encode()).unwrap();
    player.client.send(0, &sealed, Delivery::Reliable).unwrap();
    player.client.send(0, &sealed, Delivery::Reliable).unwrap();
    player.say(0, &key(false));
    assert_eq!(player.heard(&server), KEY_A_DOWN);
    assert_eq!(player.heard(&server), KEY_A_UP);
    assert_eq!(server.handle.undecryptable(), 3);
    server.stop();
}

#[test]
fn a_stranger_and_a_second_connection_with_one_key_are_turned_away() {
    let server = Server::start();
    let mut stranger = Player::connect(server.addr, DATA + 1, 3);
    assert!(matches!(stranger.event(), Event::Connected { .. }));
    assert!(matches!(stranger.event(), Event::Disconnected { by_peer: true, .. }));

    let mut player = connected(&server, 4);
    let mut second = Player::connect(server.addr, DATA, 5);
    assert!(matches!(second.event(), Event::Connected { .. }));
    assert!(matches!(second.event(), Event::Disconnected { by_peer: true, .. }));
    // The first one goes on.
    player.say(0, &ClientMessage::IdrRequest);
    assert_eq!(player.heard(&server), ControlEvent::KeyFrameWanted);
    server.stop();
}

#[test]
fn the_client_hears_why_the_stream_ends_before_it_is_disconnected() {
    let server = Server::start();
    let mut player = connected(&server, 6);
    player.say(2, &key(true));
    assert_eq!(player.heard(&server), KEY_A_DOWN);
    server.handle.end(ID, Reason::Broken);
    assert_eq!(player.message(), HostMessage::Termination { reason: 0x800E_9403 });
    assert_eq!(player.heard(&server), KEY_A_UP);
    assert_eq!(player.heard(&server), RELEASE_ALL);
    assert!(matches!(player.event(), Event::Disconnected { by_peer: true, .. }));
    server.stop();
}

#[test]
fn stopping_says_goodbye_to_everyone() {
    let server = Server::start();
    let mut player = connected(&server, 7);
    // The server knows of the connection once it has heard something.
    player.say(0, &ClientMessage::IdrRequest);
    assert_eq!(player.heard(&server), ControlEvent::KeyFrameWanted);
    server.handle.stop();
    assert_eq!(player.message(), HostMessage::Termination { reason: REASON_GRACEFUL });
    assert!(matches!(player.event(), Event::Disconnected { by_peer: true, .. }));
    server.thread.join().unwrap().unwrap();
    let rest: Vec<_> = server.heard.try_iter().collect();
    assert_eq!(rest, [(ID, RELEASE_ALL)]);
}

#[test]
fn an_old_client_is_understood_and_understands() {
    let server = Server::start();
    let mut player = Player::connect(server.addr, OLD, 9);
    assert!(matches!(player.event(), Event::Connected { .. }));
    assert_eq!(player.message(), HostMessage::HdrMode { enabled: true, metadata: hdr() });
    player.say(1, &ClientMessage::IdrRequest);
    assert_eq!(player.heard(&server), ControlEvent::KeyFrameWanted);
    // More messages than there are nonces, each way.
    for n in 0..300_u16 {
        server.handle.feedback(ID, 0, Feedback::Rumble { low: n, high: 0 });
        let rumble = HostMessage::Rumble { pad: 0, low: n, high: 0 };
        assert_eq!(player.message(), rumble, "in order and without a loss");
        player.say(2, &key(n % 2 == 0));
        assert_eq!(player.heard(&server), if n % 2 == 0 { KEY_A_DOWN } else { KEY_A_UP });
    }
    server.handle.end(ID, Reason::Quit);
    assert_eq!(player.message(), HostMessage::Termination { reason: REASON_GRACEFUL });
    assert_eq!(server.handle.undecryptable(), 0);
    server.stop();
}

#[test]
fn what_is_said_at_once_arrives_in_order_and_the_reason_last() {
    let server = Server::start();
    let mut player = connected(&server, 10);
    let lights = (0..2000_u16).map(|n| {
        let [low, high] = n.to_le_bytes();
        Feedback::Led([low, high, 0])
    });
    let lights: Vec<_> = lights.collect();
    for light in &lights {
        server.handle.feedback(ID, 15, *light);
    }
    server.handle.end(ID, Reason::ScreenLost);
    server.handle.feedback(ID, 15, lights[0]);
    for light in &lights {
        assert_eq!(player.message(), HostMessage::from((15, *light)));
    }
    assert_eq!(player.message(), HostMessage::Termination { reason: 0x8003_0024 });
    assert!(matches!(player.event(), Event::Disconnected { by_peer: true, .. }));
    server.stop();
}

#[test]
fn fingers_and_gamepads_are_heard_and_let_go() {
    let server = Server::start();
    let mut player = connected(&server, 11);
    let arrival = message::Arrival { pad: 1, kind: 1, capabilities: 3, buttons: 0xF7FF };
    player.say(0x11, &ClientMessage::Input(Message::PadArrival(arrival)));
    let pad = |event| match event {
        ControlEvent::Pad(pad::Event { index: 1, change }) => change,
        other => panic!("{other:?}"),
    };
    let arrived = pad::Arrival { kind: pad::Kind::Xbox, capabilities: 3, buttons: 0xF7FF };
    assert_eq!(pad(player.heard(&server)), pad::Change::Arrived(arrived));
    let state = message::PadState { pad: 1, active: 2, buttons: 0x1000, ..message::PadState::default() };
    player.say(0x11, &ClientMessage::Input(Message::PadState(state)));
    let pressed = pad::State { buttons: 0x1000, ..pad::State::default() };
    assert_eq!(pad(player.heard(&server)), pad::Change::State(pressed));
    let (event, rotation) = (message::phase::DOWN, message::ROTATION_UNKNOWN);
    let touch = message::Touch { event, rotation, id: 3, x: 0.5, y: 0.5, pressure: 0.0, contact: [0.0; 2] };
    player.say(5, &ClientMessage::Input(Message::Touch(touch)));
    let phase = |event| match event {
        ControlEvent::Input(input::Event::Touch(touch)) => touch.phase,
        other => panic!("{other:?}"),
    };
    assert_eq!(phase(player.heard(&server)), input::Phase::Down);
    let now = player.now();
    player.client.disconnect(now);
    assert_eq!(phase(player.heard(&server)), input::Phase::CancelAll);
    assert_eq!(pad(player.heard(&server)), pad::Change::State(pad::State::default()));
    assert_eq!(player.heard(&server), RELEASE_ALL);
    assert_eq!(player.heard(&server), ControlEvent::Closed { by_client: true });
    server.stop();
}

#[test]
fn a_client_that_changes_its_port_stays_connected() {
    let server = Server::start();
    let mut player = connected(&server, 8);
    player.say(0, &ClientMessage::IdrRequest);
    assert_eq!(player.heard(&server), ControlEvent::KeyFrameWanted);
    player.socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    player.socket.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
    player.say(0, &key(true));
    assert_eq!(player.heard(&server), KEY_A_DOWN);
    server.handle.feedback(ID, 0, Feedback::Rumble { low: 1, high: 2 });
    assert_eq!(player.message(), HostMessage::Rumble { pad: 0, low: 1, high: 2 });
    server.stop();
}
