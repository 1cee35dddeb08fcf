//! RTSP from both ends, in the clear and encrypted.

use proptest::prelude::*;
use punktfunk_core::bytes::to_hex;
use punktfunk_core::gamestream::rtsp::{
    Assembled, Cipher, ClientError, ClientSession, Event, Facts, Frame, HostSession, MessageError, Method,
    Request, Response, assemble, open_with,
};
use punktfunk_core::gamestream::sdp::{Offer, StreamConfig};

const KEY: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

fn facts() -> Facts {
    let layouts = Offer::all_layouts();
    Facts {
        offer: Offer { hevc: true, encryption_supported: 3, layouts, ..Offer::default() },
        session: "DEADBEEFCAFE".to_owned(),
        audio_port: 48000,
        video_port: 47998,
        control_port: 47999,
        ping_payload: *b"0123456789abcdef",
        connect_data: 4_000_000_000,
    }
}

fn config() -> StreamConfig {
    StreamConfig::from_announce(b"").unwrap()
}

/// Both ends through the seven requests; what the host was told.
fn handshake(host_header: &str) -> (ClientSession, Vec<Event>, HostSession) {
    let mut client = ClientSession::new("rtspenc://10.0.0.1:48010", host_header);
    let mut host = HostSession::new(facts());
    let (mut client_cipher, mut host_cipher) = (Cipher::client(&KEY).unwrap(), Cipher::host(&KEY).unwrap());
    let mut events = Vec::new();
    while let Some(request) = client.request(&mut |_| config()) {
        let sent = client_cipher.seal(&request.to_bytes()).unwrap();
        let Ok(Assembled::Encrypted(frame)) = assemble(&sent) else { panic!("not a frame") };
        let (index, message) = open_with(&frame, &[[9; 16], KEY]).unwrap();
        assert_eq!(index, 1);
        let request = Request::parse(&message).unwrap().unwrap();
        let outcome = host.handle(&request);
        events.extend(outcome.event);
        let answer = host_cipher.seal(&outcome.response.to_bytes()).unwrap();
        let frame = Frame::parse(&answer).unwrap().unwrap();
        client.answer(&client_cipher.open(&frame).unwrap()).unwrap();
    }
    (client, events, host)
}

#[test]
fn seven_requests_settle_a_stream() {
    let (client, events, host) = handshake("10.0.0.1");
    let setup = client.setup();
    assert_eq!((setup.audio_port, setup.video_port, setup.control_port), (48000, 47998, 47999));
    assert_eq!(setup.ping_payload, Some(*b"0123456789abcdef"));
    assert_eq!(setup.connect_data, 4_000_000_000);
    assert_eq!(setup.offer, facts().offer);
    let wanted = StreamConfig { audio_high_quality: true, ..config() };
    assert_eq!(events, [Event::Announced(Box::new(wanted)), Event::Play]);
    assert!(host.is_over());
}

#[test]
fn the_host_header_decides_over_the_quality_of_stereo() {
    let (_, events, _) = handshake("0.0.0.0");
    assert_eq!(events.first(), Some(&Event::Announced(Box::new(config()))));
}

#[test]
fn a_request_out_of_order_is_refused_and_changes_nothing() {
    let request = |method, target: &str| Request::new(method, target, 9).with("Session", "DEADBEEFCAFE");
    let all = [
        request(Method::Options, "rtsp://x"),
        request(Method::Describe, "rtsp://x"),
        request(Method::Setup, "streamid=audio/0/0"),
        request(Method::Setup, "streamid=video/0/0"),
        request(Method::Setup, "streamid=control/13/0"),
        request(Method::Announce, "streamid=control/13/0"),
        request(Method::Play, "/"),
    ];
    let mut host = HostSession::new(facts());
    for (right, next) in all.iter().enumerate() {
        for (_, wrong) in all.iter().enumerate().filter(|(at, _)| *at != right) {
            let outcome = host.handle(wrong);
            assert_eq!((outcome.response.status, outcome.event), (455, None));
        }
        let outcome = host.handle(next);
        assert_eq!(outcome.response.status, 200);
        assert_eq!(outcome.response.header("CSeq"), Some("9"));
    }
    assert!(all.iter().all(|request| host.handle(request).response.status == 455));
}

#[test]
fn refusals_name_their_reason() {
    let mut host = HostSession::new(facts());
    assert_eq!(host.handle(&Request::new(Method::Other("TEARDOWN".to_owned()), "/", 1)).response.status, 501);
    for request in [Request::new(Method::Options, "/", 1), Request::new(Method::Describe, "/", 2)] {
        assert_eq!(host.handle(&request).response.status, 200);
    }
    assert_eq!(host.handle(&Request::new(Method::Setup, "streamid=mic/0/0", 3)).response.status, 404);
    assert_eq!(host.handle(&Request::new(Method::Setup, "streamid=audio/0/0", 3)).response.status, 200);
    let nameless = Request::new(Method::Setup, "streamid=video/0/0", 4);
    assert_eq!(host.handle(&nameless).response.status, 454);
    assert_eq!(host.fail(&nameless).status, 503);
    assert!(host.is_over());
    let mut client = ClientSession::new("rtsp://x", "x");
    let refusal = Response::new(503, 1).to_bytes();
    assert_eq!(client.answer(&refusal), Err(ClientError::Status { step: 1, status: 503 }));
}

#[test]
fn a_host_frame_is_as_on_the_wire() {
    let mut host = Cipher::host(&KEY).unwrap();
    let frame = host.seal(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n").unwrap();
    let expected = "8000001c00000001f1734c68fca6356daf5717bc54c6f6a2\
                    600872b43a271f6b4fc685cedf9a7cb84351077c0cc521456e1d06e9";
    assert_eq!(to_hex(&frame), expected);
    assert_eq!(Response::new(200, 1).to_bytes(), b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n");
}

#[test]
fn a_client_may_go_on_counting_but_no_host_frame_opens_as_its_own() {
    let mut client = Cipher::client(&KEY).unwrap();
    let host = Cipher::host(&KEY).unwrap();
    for _ in 0..7 {
        client.seal(b"x").unwrap();
    }
    let frame = Frame::parse(&client.seal(b"second session").unwrap()).unwrap().unwrap();
    assert_eq!(frame.sequence(), 8);
    assert_eq!(host.open(&frame).unwrap(), b"second session");
    assert!(client.open(&frame).is_err());
    assert_eq!(open_with(&frame, &[[1; 16]]), None);
}

#[test]
fn a_message_is_whole_or_not_yet() {
    let request = Request { payload: b"v=0\r\n".to_vec(), ..Request::new(Method::Announce, "streamid=x", 6) }
        .with("Content-length", "5");
    let bytes = request.to_bytes();
    for end in 0..bytes.len() {
        assert_eq!(assemble(&bytes[..end]), Ok(Assembled::Incomplete), "{end}");
    }
    assert_eq!(assemble(&bytes), Ok(Assembled::Plain(request)));
    assert_eq!(assemble(&[&bytes[..], b"x"].concat()), Err(MessageError::Trailing));
    assert_eq!(assemble(&[0xFF; 8]), Err(MessageError::TooLarge));
    assert_eq!(assemble(&vec![b'A'; 70_000]), Err(MessageError::TooLarge));
    for bad in ["GET / HTTP/1.1\r\n\r\n", "OPTIONS /\r\n\r\n", "PLAY / RTSP/1.0\r\nnocolon\r\n\r\n"] {
        assert_eq!(assemble(bad.as_bytes()), Err(MessageError::Malformed), "{bad}");
    }
}

proptest! {
    #[test]
    fn reading_anything_never_panics(bytes: Vec<u8>, text in "[A-Z]{1,8} [ -~]{0,20}(\r\n[ -~]{0,20}){0,5}\r\n\r\n") {
        let _ = assemble(&bytes);
        let _ = assemble(text.as_bytes());
        let _ = Response::parse(&bytes);
        let _ = Response::parse(format!("RTSP/1.0 {text}").as_bytes());
        let _ = Frame::parse(&bytes);
    }
}
