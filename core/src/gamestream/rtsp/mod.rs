//! RTSP: seven requests that settle a stream (sheet, section 5).
//!
//! One TCP connection carries one request and its answer; the host closes after the
//! answer. So [`HostSession`] lives between connections, and a connection only
//! collects bytes until [`assemble`] finds a whole request or a whole encrypted
//! frame in them.

mod cipher;
mod client;
mod exercise;
mod host;
mod message;

pub use cipher::{Cipher, CipherError, Frame, OVERHEAD, open_with};
pub use client::{ClientError, ClientSession, ClientSetup};
pub use exercise::{exercise, exercise_cipher};
pub use host::{Event, Facts, HostSession, Outcome};
pub use message::{MAX_MESSAGE, MessageError, Method, Request, Response};

/// What a connection received so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assembled {
    /// Not all of it is there: read on.
    Incomplete,
    /// A request in the clear.
    Plain(Request),
    /// An encrypted frame: find its key with [`open_with`], then read the request
    /// with [`Request::parse`].
    Encrypted(Frame),
}

/// Looks at the bytes a host received on a connection. An error means that no
/// further bytes can help: close.
pub fn assemble(bytes: &[u8]) -> Result<Assembled, MessageError> {
    // Bit 31 of a frame's length is set; a method is ASCII.
    if bytes.first().is_some_and(|first| first & 0x80 != 0) {
        return Ok(Frame::parse(bytes)?.map_or(Assembled::Incomplete, Assembled::Encrypted));
    }
    Ok(Request::parse(bytes)?.map_or(Assembled::Incomplete, Assembled::Plain))
}
