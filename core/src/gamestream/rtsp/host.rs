//! The host's side of RTSP: seven steps in order (sheet, section 5.1).

use super::{Method, Request, Response};
use crate::gamestream::sdp::{Offer, StreamConfig};

/// What the answers of one session say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// What DESCRIBE offers.
    pub offer: Offer,
    /// `Session` value, without `;`. Not a secret.
    pub session: String,
    /// UDP port of sound.
    pub audio_port: u16,
    /// UDP port of the picture.
    pub video_port: u16,
    /// UDP port of the control channel.
    pub control_port: u16,
    /// `X-SS-Ping-Payload`: 16 ASCII characters, fresh in every session.
    pub ping_payload: [u8; 16],
    /// `X-SS-Connect-Data`: comes back in the ENet CONNECT, fresh in every session.
    pub connect_data: u32,
}

/// What the session has to do before the answer is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The stream is settled: get sockets and stages ready. If that fails, send
    /// [`HostSession::fail`] instead of the answer.
    Announced(Box<StreamConfig>),
    /// The client waits for pictures. The handshake is over.
    Play,
}

/// The answer to a request, and what it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Send it, then close the connection.
    pub response: Response,
    /// Nothing in most steps.
    pub event: Option<Event>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Options,
    Describe,
    Audio,
    Video,
    Control,
    Announce,
    Play,
    Over,
}

/// The RTSP handshake of one launch. A request out of order is refused and changes
/// nothing; the client gives up at any status but 200.
#[derive(Clone, Debug)]
pub struct HostSession {
    facts: Facts,
    stage: Stage,
}

impl HostSession {
    /// A handshake that waits for OPTIONS.
    pub const fn new(facts: Facts) -> Self {
        Self { facts, stage: Stage::Options }
    }

    /// True when PLAY was answered or the session failed.
    pub fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    /// Takes the next request.
    pub fn handle(&mut self, request: &Request) -> Outcome {
        match self.step(request) {
            Ok((response, event, next)) => {
                self.stage = next;
                Outcome { response, event }
            }
            Err(status) => Outcome { response: Response::new(status, request.cseq()), event: None },
        }
    }

    /// The stream could not be made ready: ends the session and gives the answer to
    /// send instead of the good one.
    pub fn fail(&mut self, request: &Request) -> Response {
        self.stage = Stage::Over;
        Response::new(503, request.cseq())
    }

    fn step(&self, request: &Request) -> Result<(Response, Option<Event>, Stage), u16> {
        let answer = Response::new(200, request.cseq());
        let facts = &self.facts;
        // Only the first three requests come before the session has a name.
        let named = !matches!(self.stage, Stage::Options | Stage::Describe | Stage::Audio);
        if named && !self.is_over() && !self.names_session(request) {
            return Err(454);
        }
        let plain = |response, next| Ok((response, None, next));
        match (&request.method, self.stage) {
            (Method::Other(_), _) => Err(501),
            (Method::Options, Stage::Options) => {
                plain(answer.with("Public", "OPTIONS, DESCRIBE, SETUP, ANNOUNCE, PLAY"), Stage::Describe)
            }
            (Method::Describe, Stage::Describe) => {
                let payload = facts.offer.to_text().into_bytes();
                let answer = answer.with("Content-Type", "application/sdp");
                plain(Response { payload, ..answer }, Stage::Audio)
            }
            (Method::Setup, stage) => self.setup(request, stage, answer),
            (Method::Announce, Stage::Announce) => {
                let mut config = StreamConfig::from_announce(&request.payload).map_err(|_| 400u16)?;
                if config.audio_channels == 2 {
                    // SDP has no word for it: the Host header decides (section 12.1).
                    config.audio_high_quality = request.wants_high_stereo();
                }
                Ok((answer, Some(Event::Announced(Box::new(config))), Stage::Play))
            }
            (Method::Play, Stage::Play) => Ok((answer, Some(Event::Play), Stage::Over)),
            _ => Err(455),
        }
    }

    fn setup(
        &self,
        request: &Request,
        stage: Stage,
        answer: Response,
    ) -> Result<(Response, Option<Event>, Stage), u16> {
        let facts = &self.facts;
        let stream = request.target.split('/').next().unwrap_or_default();
        let (port, next) = match (stream, stage) {
            ("streamid=audio", Stage::Audio) => (facts.audio_port, Stage::Video),
            ("streamid=video", Stage::Video) => (facts.video_port, Stage::Control),
            ("streamid=control", Stage::Control) => (facts.control_port, Stage::Announce),
            ("streamid=audio" | "streamid=video" | "streamid=control", _) => return Err(455),
            _ => return Err(404),
        };
        let answer = answer
            .with("Session", &format!("{};timeout = 90", facts.session))
            .with("Transport", &format!("server_port={port}"));
        let answer = if stage == Stage::Control {
            answer.with("X-SS-Connect-Data", &facts.connect_data.to_string())
        } else {
            answer.with("X-SS-Ping-Payload", &String::from_utf8_lossy(&facts.ping_payload))
        };
        Ok((answer, None, next))
    }

    fn names_session(&self, request: &Request) -> bool {
        let name = request.header("Session").map(|v| v.split(';').next().unwrap_or_default().trim());
        name == Some(self.facts.session.as_str())
    }
}
