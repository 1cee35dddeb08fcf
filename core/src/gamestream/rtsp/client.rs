//! The client's side of RTSP: writes the seven requests and reads what the answers
//! say, with the case-exact header names of stock clients.

use super::{MessageError, Method, Request, Response};
use crate::gamestream::sdp::{Offer, StreamConfig};

/// The host's answer ends the handshake.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The answer cannot be read.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// A status other than 200.
    #[error("the host answered step {step} with RTSP status {status}")]
    Status {
        /// The step, from 1.
        step: u32,
        /// The status.
        status: u16,
    },
    /// A header that must be there is missing or unreadable.
    #[error("the RTSP answer lacks a usable header {0}")]
    Header(&'static str),
    /// More answers than requests.
    #[error("the RTSP handshake is over")]
    Over,
}

/// What the handshake settled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientSetup {
    /// What the host offered.
    pub offer: Offer,
    /// UDP port of sound.
    pub audio_port: u16,
    /// UDP port of the picture.
    pub video_port: u16,
    /// UDP port of the control channel.
    pub control_port: u16,
    /// Sent in every ping; `None` means legacy pings.
    pub ping_payload: Option<[u8; 16]>,
    /// Goes into the ENet CONNECT.
    pub connect_data: u32,
}

/// The RTSP handshake of a client, one request per connection.
#[derive(Clone, Debug)]
pub struct ClientSession {
    url: String,
    host: String,
    step: u32,
    session: String,
    setup: ClientSetup,
}

impl ClientSession {
    /// A handshake with the host at `url` (`sessionUrl0`). `host` goes into the
    /// `Host` header; `0.0.0.0` asks for low-bitrate stereo.
    pub fn new(url: &str, host: &str) -> Self {
        Self {
            url: url.to_owned(),
            host: host.to_owned(),
            step: 1,
            session: String::new(),
            setup: ClientSetup::default(),
        }
    }

    /// The next request, `None` when the handshake is over. `config` is asked for
    /// once, with what DESCRIBE offered, when ANNOUNCE is written.
    pub fn request(&self, config: &mut dyn FnMut(&Offer) -> StreamConfig) -> Option<Request> {
        let request = |method, target: &str| {
            Request::new(method, target, self.step).with("X-GS-ClientVersion", "14").with("Host", &self.host)
        };
        let setup = |stream: &str| {
            let request = request(Method::Setup, stream);
            let request =
                if self.session.is_empty() { request } else { request.with("Session", &self.session) };
            request
                .with("Transport", "unicast;X-GS-ClientPort=50000-50001")
                .with("If-Modified-Since", "Thu, 01 Jan 1970 00:00:00 GMT")
        };
        Some(match self.step {
            1 => request(Method::Options, &self.url),
            2 => request(Method::Describe, &self.url)
                .with("Accept", "application/sdp")
                .with("If-Modified-Since", "Thu, 01 Jan 1970 00:00:00 GMT"),
            3 => setup("streamid=audio/0/0"),
            4 => setup("streamid=video/0/0"),
            5 => setup("streamid=control/13/0"),
            6 => {
                let payload = config(&self.setup.offer).to_announce(&self.host, self.setup.video_port);
                let announce = request(Method::Announce, "streamid=control/13/0")
                    .with("Session", &self.session)
                    .with("Content-type", "application/sdp")
                    .with("Content-length", &payload.len().to_string());
                Request { payload: payload.into_bytes(), ..announce }
            }
            7 => request(Method::Play, "/").with("Session", &self.session),
            _ => return None,
        })
    }

    /// Takes the bytes of an answer (decrypted, if RTSP is).
    pub fn answer(&mut self, bytes: &[u8]) -> Result<(), ClientError> {
        let response = Response::parse(bytes)?;
        if response.status != 200 {
            return Err(ClientError::Status { step: self.step, status: response.status });
        }
        match self.step {
            1 | 6 | 7 => {}
            2 => self.setup.offer = Offer::parse(&String::from_utf8_lossy(&response.payload)),
            3 => {
                let session = response.header("Session").ok_or(ClientError::Header("Session"))?;
                session.split(';').next().unwrap_or_default().trim().clone_into(&mut self.session);
                self.setup.audio_port = server_port(&response)?;
                self.setup.ping_payload = response
                    .header("X-SS-Ping-Payload")
                    .and_then(|payload| <[u8; 16]>::try_from(payload.as_bytes()).ok());
            }
            4 => self.setup.video_port = server_port(&response)?,
            5 => {
                self.setup.control_port = server_port(&response)?;
                let data = response.header("X-SS-Connect-Data").and_then(|data| data.parse().ok());
                self.setup.connect_data = data.unwrap_or(0);
            }
            _ => return Err(ClientError::Over),
        }
        self.step += 1;
        Ok(())
    }

    /// What was settled; complete once [`Self::request`] gives `None`.
    pub fn setup(&self) -> &ClientSetup {
        &self.setup
    }
}

fn server_port(response: &Response) -> Result<u16, ClientError> {
    let port = response.header("Transport").and_then(|transport| {
        let (_, text) = transport.split_once("server_port=")?;
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        text.get(..end)?.parse().ok()
    });
    port.ok_or(ClientError::Header("Transport"))
}
