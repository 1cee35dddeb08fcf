//! RTSP messages as text: a request with its headers, an answer with its payload.

use std::fmt;

/// Largest request or answer that is read, bytes, payload included.
pub const MAX_MESSAGE: usize = 64 * 1024;
const MAX_HEADERS: usize = 64;

/// A message could not be read. The connection is of no more use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// More than [`MAX_MESSAGE`] bytes or too many headers.
    #[error("the RTSP message is too large")]
    TooLarge,
    /// Bytes follow the message.
    #[error("bytes follow the RTSP message: send one message per connection")]
    Trailing,
    /// The head is not UTF-8, or its first line or a header is malformed.
    #[error("the RTSP message is malformed")]
    Malformed,
}

/// What a request wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Method {
    /// `OPTIONS`
    Options,
    /// `DESCRIBE`
    Describe,
    /// `SETUP`
    Setup,
    /// `ANNOUNCE`
    Announce,
    /// `PLAY`
    Play,
    /// Anything else.
    Other(String),
}

impl Method {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "OPTIONS" => Self::Options,
            "DESCRIBE" => Self::Describe,
            "SETUP" => Self::Setup,
            "ANNOUNCE" => Self::Announce,
            "PLAY" => Self::Play,
            _ if name.is_empty() || !name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_') => {
                return None;
            }
            _ => Self::Other(name.to_owned()),
        })
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Options => "OPTIONS",
            Self::Describe => "DESCRIBE",
            Self::Setup => "SETUP",
            Self::Announce => "ANNOUNCE",
            Self::Play => "PLAY",
            Self::Other(name) => name,
        })
    }
}

type Headers = Vec<(String, String)>;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// `streamid=..`, a URL whose scheme and host mean nothing, or `/`.
    pub target: String,
    /// Names as they came, values without surrounding blanks.
    pub headers: Headers,
    /// `Content-length` bytes.
    pub payload: Vec<u8>,
}

impl Request {
    /// A request without headers but its number.
    pub fn new(method: Method, target: &str, cseq: u32) -> Self {
        let headers = vec![("CSeq".to_owned(), cseq.to_string())];
        Self { method, target: target.to_owned(), headers, payload: Vec::new() }
    }

    /// Reads a request; `None` while more bytes must come.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, MessageError> {
        let Some((head, body)) = split_head(bytes)? else {
            return Ok(None);
        };
        let (line, headers) = parse_head(head)?;
        let mut words = line.split(' ');
        let (Some(method), Some(target), Some("RTSP/1.0"), None) =
            (words.next().and_then(Method::parse), words.next(), words.next(), words.next())
        else {
            return Err(MessageError::Malformed);
        };
        let request = Self { method, target: target.to_owned(), headers, payload: Vec::new() };
        let wanted = match request.header("Content-length") {
            Some(text) => text.parse::<usize>().map_err(|_| MessageError::Malformed)?,
            None => 0,
        };
        if wanted > MAX_MESSAGE {
            return Err(MessageError::TooLarge);
        }
        match body.len().cmp(&wanted) {
            std::cmp::Ordering::Less => Ok(None),
            std::cmp::Ordering::Greater => Err(MessageError::Trailing),
            std::cmp::Ordering::Equal => Ok(Some(Self { payload: body.to_vec(), ..request })),
        }
    }

    /// The value of a header, its name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// The number to be repeated in the answer, 0 when unreadable.
    pub fn cseq(&self) -> u32 {
        self.header("CSeq").and_then(|v| v.parse().ok()).unwrap_or(0)
    }

    /// False when the `Host` header is `0.0.0.0`: the only way a client asks for
    /// low-bitrate stereo (sheet, section 12.1).
    pub fn wants_high_stereo(&self) -> bool {
        self.header("Host") != Some("0.0.0.0")
    }

    /// Adds a header.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The request as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        write(&format!("{} {} RTSP/1.0", self.method, self.target), &self.headers, &self.payload)
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// 200, or what is shown to the user as the error of this stage.
    pub status: u16,
    /// Names exactly as the client looks for them, values never empty.
    pub headers: Headers,
    /// Everything after the head.
    pub payload: Vec<u8>,
}

impl Response {
    /// An answer to the request with that number.
    pub fn new(status: u16, cseq: u32) -> Self {
        Self { status, headers: vec![("CSeq".to_owned(), cseq.to_string())], payload: Vec::new() }
    }

    /// Adds a header; one with an empty value is left out, clients misread it.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        if !value.is_empty() {
            self.headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// The answer as bytes. Close the connection after them.
    pub fn to_bytes(&self) -> Vec<u8> {
        write(&format!("RTSP/1.0 {} {}", self.status, reason(self.status)), &self.headers, &self.payload)
    }

    /// Reads all bytes of a connection that the host closed.
    pub fn parse(bytes: &[u8]) -> Result<Self, MessageError> {
        let (head, body) = split_head(bytes)?.ok_or(MessageError::Malformed)?;
        let (line, headers) = parse_head(head)?;
        let mut words = line.splitn(3, ' ');
        let (Some("RTSP/1.0"), Some(status), Some(reason)) = (words.next(), words.next(), words.next())
        else {
            return Err(MessageError::Malformed);
        };
        let status = status.parse().map_err(|_| MessageError::Malformed)?;
        if reason.is_empty() || headers.is_empty() {
            return Err(MessageError::Malformed);
        }
        Ok(Self { status, headers, payload: body.to_vec() })
    }

    /// The value of a header, its name in exactly this case, as clients look.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        404 => "Stream Not Found",
        454 => "Session Not Found",
        455 => "Method Not Valid in This State",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        _ => "Error",
    }
}

fn write(line: &str, headers: &Headers, payload: &[u8]) -> Vec<u8> {
    let mut head = format!("{line}\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    let mut out = head.into_bytes();
    out.extend_from_slice(payload);
    out
}

/// Head (without the empty line) and what follows it; `None` while it is incomplete.
fn split_head(bytes: &[u8]) -> Result<Option<(&str, &[u8])>, MessageError> {
    if bytes.len() > MAX_MESSAGE {
        return Err(MessageError::TooLarge);
    }
    let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") else {
        return Ok(None);
    };
    let (head, body) = bytes.split_at(end);
    let head = std::str::from_utf8(head).map_err(|_| MessageError::Malformed)?;
    Ok(Some((head, body.get(4..).unwrap_or_default())))
}

fn parse_head(head: &str) -> Result<(&str, Headers), MessageError> {
    let mut lines = head.split("\r\n");
    let line = lines.next().ok_or(MessageError::Malformed)?;
    let mut headers = Headers::new();
    for header in lines {
        let (name, value) = header.split_once(':').ok_or(MessageError::Malformed)?;
        if name.is_empty() || name.contains(' ') {
            return Err(MessageError::Malformed);
        }
        if headers.len() >= MAX_HEADERS {
            return Err(MessageError::TooLarge);
        }
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    Ok((line, headers))
}
