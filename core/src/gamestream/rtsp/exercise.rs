//! Both ends of RTSP under foreign bytes: what the fuzzer and the corpus tests drive.

use super::{
    Assembled, Cipher, ClientSession, Facts, Frame, HostSession, MessageError, Request, Response, assemble,
    open_with,
};
use crate::gamestream::sdp::{Offer, StreamConfig};

const KEY: [u8; 16] = [7; 16];
/// Requests of a handshake. The host is asked once more after them.
const STEPS: usize = 7;

/// Gives `bytes` to a host in each step of its handshake, and to a client in each step
/// as the answer. What [`assemble`] made of them.
///
/// # Panics
///
/// When a request is understood differently after writing, which is a defect.
pub fn exercise(bytes: &[u8]) -> Result<(), MessageError> {
    let assembled = assemble(bytes);
    if let Ok(Assembled::Encrypted(frame)) = &assembled {
        assert_eq!(open_with(frame, &[KEY]), None, "nobody knows this key");
    }
    if let Ok(Assembled::Plain(request)) = &assembled {
        let again = Request::parse(&request.to_bytes());
        assert_eq!(again.as_ref(), Ok(&Some(request.clone())));
        for steps in 0..=STEPS {
            let (_, mut host) = handshake(steps);
            let answer = host.handle(request).response.to_bytes();
            assert!(Response::parse(&answer).is_ok(), "an answer that no client reads");
        }
    }
    for steps in 0..STEPS {
        let (mut client, _) = handshake(steps);
        if client.answer(bytes).is_ok() {
            let config = StreamConfig::from_announce(b"").map_err(|_| MessageError::Malformed)?;
            let _ = client.request(&mut |_| config.clone());
        }
    }
    assembled.map(drop)
}

/// Gives `bytes` to a host as an encrypted frame, and takes them through one as a
/// message.
///
/// # Panics
///
/// When the message does not come back, which is a defect.
pub fn exercise_cipher(bytes: &[u8]) -> Result<(), MessageError> {
    let parsed = Frame::parse(bytes);
    let (Ok(mut client), Ok(mut host)) = (Cipher::client(&KEY), Cipher::host(&KEY)) else {
        return Err(MessageError::Malformed);
    };
    if let Ok(Some(frame)) = &parsed {
        assert!(host.open(frame).is_err() && client.open(frame).is_err(), "nobody knows this key");
    }
    through(&mut client, &host, bytes);
    through(&mut host, &client, bytes);
    parsed.map(drop)
}

fn through(sender: &mut Cipher, other: &Cipher, bytes: &[u8]) {
    let sealed = sender.seal(bytes).unwrap_or_default();
    if let Ok(Some(frame)) = Frame::parse(&sealed) {
        assert_eq!(other.open(&frame).as_deref(), Ok(bytes));
        assert!(sender.open(&frame).is_err(), "one's own frame came back");
    }
}

/// Both ends after that many steps.
fn handshake(steps: usize) -> (ClientSession, HostSession) {
    let mut client = ClientSession::new("rtsp://10.0.0.1:48010", "10.0.0.1");
    let mut host = HostSession::new(Facts {
        offer: Offer { layouts: Offer::all_layouts(), ..Offer::default() },
        session: "DEADBEEFCAFE".to_owned(),
        audio_port: 48000,
        video_port: 47998,
        control_port: 47999,
        ping_payload: *b"0123456789abcdef",
        connect_data: 7,
    });
    for _ in 0..steps {
        let config = StreamConfig::from_announce(b"");
        let Ok(config) = config else { break };
        let Some(request) = client.request(&mut |_| config.clone()) else { break };
        let answer = host.handle(&request).response;
        let answered = client.answer(&answer.to_bytes());
        assert_eq!(answered, Ok(()), "the handshake itself fails");
    }
    (client, host)
}
