//! The RTSP handshake over TCP: one connection for each request, in the clear or
//! sealed (sheet, section 5).

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use punktfunk_core::gamestream::http::SessionUrl;
use punktfunk_core::gamestream::rtsp::{Cipher, ClientSession, ClientSetup, Frame};
use punktfunk_core::gamestream::sdp::{Offer, StreamConfig};

/// Connecting may take so long (sheet, section 5).
const CONNECT: Duration = Duration::from_secs(10);
/// An answer may take so long.
const ANSWER: Duration = Duration::from_secs(15);
/// No answer is longer.
const MAX_ANSWER: u64 = 1 << 20;

/// Goes through all seven steps. `settle` makes the stream's configuration from the
/// offer; `after` is called with what is known after each answer.
pub(crate) fn handshake(
    url: SessionUrl,
    key: &[u8; 16],
    host_header: &str,
    settle: &mut dyn FnMut(&Offer) -> StreamConfig,
    after: &mut dyn FnMut(&ClientSetup) -> Result<()>,
) -> Result<ClientSetup> {
    let mut cipher = url.encrypted.then(|| Cipher::client(key)).transpose()?;
    let mut session = ClientSession::new(&url.to_string(), host_header);
    let mut step = 1;
    while let Some(request) = session.request(settle) {
        let answer = exchange(url.address, cipher.as_mut(), &request.to_bytes())
            .with_context(|| format!("RTSP step {step} ({:?}) failed", request.method))?;
        session.answer(&answer)?;
        after(session.setup())?;
        step += 1;
    }
    Ok(session.setup().clone())
}

fn exchange(address: SocketAddr, cipher: Option<&mut Cipher>, request: &[u8]) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&address, CONNECT)
        .with_context(|| format!("no RTSP server answers at {address}"))?;
    stream.set_read_timeout(Some(ANSWER))?;
    stream.set_write_timeout(Some(ANSWER))?;
    let Some(cipher) = cipher else {
        stream.write_all(request)?;
        return read_to_close(stream);
    };
    stream.write_all(&cipher.seal(request)?)?;
    let bytes = read_to_close(stream)?;
    let frame = Frame::parse(&bytes)?.context("the host closed within an encrypted answer")?;
    Ok(cipher.open(&frame)?)
}

/// A client reads until the host closes: an answer alone is not enough.
fn read_to_close(stream: TcpStream) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut bytes).context("the host did not answer and close")?;
    ensure!(!bytes.is_empty(), "the host closed the connection without an answer");
    Ok(bytes)
}
