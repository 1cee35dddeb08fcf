//! The RTSP port: which launch a request reaches, in the clear and encrypted.

#[expect(dead_code, reason = "each test file uses a part")]
mod support;

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use punktfunk_core::gamestream::rtsp::{Cipher, ClientSession, Frame, Method, Request, Response};
use punktfunk_core::gamestream::sdp::{Codec, ColorSpace, StreamConfig};
use punktfunk_host::session::{Pending, SessionId};
use support::net::{TestHost, tcp};

const KEY: [u8; 16] = [7; 16];

fn wait_for(host: &TestHost, id: u64, key: [u8; 16], encrypted: bool, peer: [u8; 4]) {
    let pending = Pending {
        id: SessionId(id),
        key,
        encrypted,
        peer: peer.into(),
        ping_payload: *b"0123456789abcdef",
        connect_data: 0x0102_0304 + u32::try_from(id).unwrap(),
    };
    host.sessions.pending.lock().unwrap().insert(0, pending);
}

fn config() -> StreamConfig {
    StreamConfig {
        width: 1280,
        height: 720,
        fps: 60,
        packet_size: 1392,
        bitrate_kbps: 10_000,
        codec: Codec::H264,
        slices: 1,
        color_space: ColorSpace::Rec709,
        full_range: false,
        ten_bit: false,
        chroma_444: false,
        reference_frames: 1,
        min_parity: 2,
        audio_channels: 2,
        audio_high_quality: true,
        audio_packet_ms: 5,
        control_v2: true,
        encrypt_video: true,
        encrypt_audio: true,
        ping_payload: true,
        fec_status: true,
        qos: false,
    }
}

fn address(host: &TestHost) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], host.base + 21))
}

/// Sends bytes in small pieces, as clients do, and reads until the host closes.
fn send(host: &TestHost, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = tcp(address(host));
    stream.set_nodelay(true)?;
    for piece in bytes.chunks(300) {
        stream.write_all(piece)?;
    }
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}

/// The whole handshake; `cipher` for an encrypted one.
fn play(host: &TestHost, mut cipher: Option<&mut Cipher>) -> ClientSession {
    let mut session = ClientSession::new("rtsp://127.0.0.1:48010", "127.0.0.1");
    while let Some(request) = session.request(&mut |_| config()) {
        let bytes = request.to_bytes();
        let answer = match cipher.as_deref_mut() {
            None => send(host, &bytes).unwrap(),
            Some(cipher) => {
                let answer = send(host, &cipher.seal(&bytes).unwrap()).unwrap();
                cipher.open(&Frame::parse(&answer).unwrap().unwrap()).unwrap()
            }
        };
        session.answer(&answer).unwrap();
    }
    session
}

#[test]
fn a_plain_handshake_reaches_the_launch_of_its_address() {
    let host = TestHost::start();
    wait_for(&host, 1, KEY, false, [127, 0, 0, 1]);
    wait_for(&host, 2, KEY, false, [10, 9, 9, 9]);
    let session = play(&host, None);
    assert_eq!(host.sessions.calls(), ["announce 1", "play 1"]);
    let setup = session.setup();
    assert_eq!(
        (setup.video_port, setup.control_port, setup.audio_port),
        (host.base + 9, host.base + 10, host.base + 11)
    );
    assert_eq!(setup.ping_payload, Some(*b"0123456789abcdef"));
    assert_eq!(setup.connect_data, 0x0102_0305);
    let announced = host.sessions.announced.lock().unwrap().clone().unwrap();
    assert_eq!((announced.width, announced.fps, announced.packet_size), (1280, 60, 1392));
}

#[test]
fn an_encrypted_handshake_reaches_the_launch_whose_key_opens_it() {
    let host = TestHost::start();
    wait_for(&host, 1, KEY, true, [127, 0, 0, 1]);
    wait_for(&host, 2, [9; 16], true, [127, 0, 0, 1]);
    play(&host, Some(&mut Cipher::client(&KEY).unwrap()));
    assert_eq!(host.sessions.calls(), ["announce 1", "play 1"]);
    play(&host, Some(&mut Cipher::client(&[9; 16]).unwrap()));
    assert_eq!(host.sessions.calls()[2..], ["announce 2", "play 2"]);
}

#[test]
fn an_encrypted_launch_is_not_reached_in_the_clear() {
    let host = TestHost::start();
    wait_for(&host, 1, KEY, true, [127, 0, 0, 1]);
    let options = Request::new(Method::Options, "rtsp://x", 1).to_bytes();
    assert!(send(&host, &options).unwrap_or_default().is_empty());
    let mut wrong = Cipher::client(&[1; 16]).unwrap();
    assert!(send(&host, &wrong.seal(&options).unwrap()).unwrap_or_default().is_empty());
    assert_eq!(host.sessions.calls(), Vec::<String>::new());
}

#[test]
fn steps_out_of_order_are_refused_and_change_nothing() {
    let host = TestHost::start();
    wait_for(&host, 1, KEY, false, [127, 0, 0, 1]);
    let early = Request::new(Method::Play, "/", 1).with("Session", "PUNKTFUNK00000001").to_bytes();
    assert_ne!(Response::parse(&send(&host, &early).unwrap()).unwrap().status, 200);
    play(&host, None);
    assert_eq!(host.sessions.calls(), ["announce 1", "play 1"]);
}

#[test]
fn plain_handshakes_behind_one_address_are_told_apart_by_their_session() {
    let host = TestHost::start();
    wait_for(&host, 1, KEY, false, [127, 0, 0, 1]);
    let mut first = ClientSession::new("rtsp://127.0.0.1:48010", "127.0.0.1");
    let step = |session: &mut ClientSession| {
        let Some(request) = session.request(&mut |_| config()) else { return false };
        session.answer(&send(&host, &request.to_bytes()).unwrap()).unwrap();
        true
    };
    // OPTIONS, DESCRIBE and the first SETUP, whose answer names the session.
    for _ in 0..3 {
        assert!(step(&mut first));
    }
    wait_for(&host, 2, KEY, false, [127, 0, 0, 1]);
    play(&host, None);
    while step(&mut first) {}
    assert_eq!(host.sessions.calls(), ["announce 2", "play 2", "announce 1", "play 1"]);
    assert_eq!(first.setup().connect_data, 0x0102_0305);
}

#[test]
fn a_launch_with_new_keys_starts_anew() {
    let host = TestHost::start();
    wait_for(&host, 1, KEY, true, [127, 0, 0, 1]);
    let mut cipher = Cipher::client(&KEY).unwrap();
    let options = Request::new(Method::Options, "rtsp://x", 1).to_bytes();
    assert!(!send(&host, &cipher.seal(&options).unwrap()).unwrap().is_empty());
    host.sessions.pending.lock().unwrap().clear();
    wait_for(&host, 1, [3; 16], true, [127, 0, 0, 1]);
    play(&host, Some(&mut Cipher::client(&[3; 16]).unwrap()));
    assert_eq!(host.sessions.calls(), ["announce 1", "play 1"]);
}

#[test]
fn empty_and_foreign_connections_are_survived() {
    let host = TestHost::start();
    drop(TcpStream::connect(address(&host)).unwrap());
    for bytes in [&b"\x80\x00"[..], b"GET / HTTP/1.1\r\n\r\n", &[0xFF; 64], b"\r\n\r\n"] {
        let mut stream = tcp(address(&host));
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
    }
    wait_for(&host, 1, KEY, false, [127, 0, 0, 1]);
    play(&host, None);
}
