//! The control stream: connecting, and messages in both directions.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use punktfunk_core::native::keys::Direction;
use punktfunk_core::native::wire::control::{Apps, Reader, Refused};
use punktfunk_core::native::wire::{Code, Control};
use punktfunk_quic::{Connection, ConnectionError, Endpoint, MediaSink, ReadError, RecvStream, SendStream};
use tokio::runtime::Runtime;

use crate::client::Client;
use crate::error::Error;

/// Most bytes that are read at a time.
const CHUNK: usize = 16 << 10;

/// The messages of one connection.
pub(crate) struct Stream {
    pub connection: Connection,
    send: SendStream,
    receive: RecvStream,
    reader: Reader,
    /// Bytes that were read and not understood yet: at most one chunk.
    pending: Vec<u8>,
    scratch: Vec<u8>,
}

impl Stream {
    /// Connects and opens the stream.
    pub async fn open(endpoint: &Endpoint, to: SocketAddr, host: Option<[u8; 32]>) -> Result<Self, Error> {
        let connection = endpoint.connect(to, host).await?;
        let (send, receive) = connection.open_bi().await.map_err(|error| ended(&error))?;
        Ok(Self {
            connection,
            send,
            receive,
            reader: Reader::new(Direction::ToClient),
            pending: Vec::new(),
            scratch: Vec::new(),
        })
    }

    /// Sends a message.
    pub async fn say(&mut self, message: &Control) -> Result<(), Error> {
        self.scratch.clear();
        message.encode(&mut self.scratch)?;
        match self.send.write_all(&self.scratch).await {
            Ok(()) => Ok(()),
            // The connection's own end says more than the stream's.
            Err(error) => Err(self.reason().unwrap_or_else(|| Error::Lost(error.to_string()))),
        }
    }

    /// The next message. Nothing is lost when it is given up while it waits.
    pub async fn hear(&mut self) -> Result<Control, Error> {
        loop {
            if let Some(message) = self.understand()? {
                return Ok(message);
            }
            match self.receive.read_chunk(CHUNK, true).await {
                Ok(Some(chunk)) => self.pending.extend_from_slice(&chunk.bytes),
                Ok(None) => return Err(Error::Lost("the host closed the control stream".to_owned())),
                Err(ReadError::ConnectionLost(error)) => return Err(ended(&error)),
                Err(error) => return Err(Error::Lost(error.to_string())),
            }
        }
    }

    fn understand(&mut self) -> Result<Option<Control>, Error> {
        let mut rest = self.pending.as_slice();
        let message = self.reader.read(&mut rest);
        let taken = self.pending.len() - rest.len();
        self.pending.drain(..taken);
        Ok(message?)
    }

    /// The next message, within `limit`.
    pub async fn hear_within(&mut self, limit: Duration) -> Result<Control, Error> {
        tokio::time::timeout(limit, self.hear()).await.map_err(|_| Error::TimedOut)?
    }

    /// Why the connection is closed, if it is.
    fn reason(&self) -> Option<Error> {
        self.connection.close_reason().map(|error| ended(&error))
    }

    /// Closes the connection with a code of section 8.
    pub fn close(&self, code: Code) {
        let number = u32::try_from(code.number()).unwrap_or(0);
        self.connection.close(number.into(), b"");
    }
}

/// A connection's end, as the caller shall know it.
pub(crate) fn ended(error: &ConnectionError) -> Error {
    match error {
        ConnectionError::ApplicationClosed(close) => Error::Refused {
            code: Code::from_number(close.error_code.into_inner()),
            text: punktfunk_core::native::wire::cut(&String::from_utf8_lossy(&close.reason), 800).to_owned(),
        },
        other => Error::Lost(other.to_string()),
    }
}

/// A refusal in a message.
pub(crate) fn refused(refused: Refused) -> Error {
    Error::Refused { code: refused.code, text: refused.text }
}

/// A runtime for something short.
pub(crate) fn runtime() -> Result<Runtime, Error> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::Start(error.to_string()))
}

/// A socket that reaches `to`, with a port of the system's choice. Where the machine has
/// IPv6 it is one for both, so that the session can roam between them.
pub(crate) fn socket(to: SocketAddr) -> Result<std::net::UdpSocket, Error> {
    let failed = |error: punktfunk_net::Error| Error::Start(error.to_string());
    if to.ip().is_loopback() {
        let any = if to.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" };
        let any = any.parse().map_err(|_| Error::Range("the address"))?;
        return punktfunk_net::bind_udp_to(any, false).map_err(failed);
    }
    punktfunk_net::bind_udp(0, false).map_err(failed)
}

/// A client's endpoint. Inside a runtime.
pub(crate) fn endpoint(client: &Client, to: SocketAddr, sink: Arc<dyn MediaSink>) -> Result<Endpoint, Error> {
    let failed = |error: punktfunk_quic::Error| Error::Start(error.to_string());
    Endpoint::client(socket(to)?, &client.identity, sink).map_err(failed)
}

/// A sink for connections that carry no media.
pub(crate) fn no_media() -> Arc<dyn MediaSink> {
    Arc::new(|_: &mut [u8], _: punktfunk_quic::Peer| {})
}

/// How long an answer may take that needs nothing but looking up.
pub(crate) const ANSWER: Duration = Duration::from_secs(15);

/// Asks for the list of applications.
pub(crate) fn apps(client: &Client, address: SocketAddr, host: [u8; 32]) -> Result<Apps, Error> {
    runtime()?.block_on(async {
        let endpoint = endpoint(client, address, no_media())?;
        let mut stream = Stream::open(&endpoint, address, Some(host)).await?;
        stream.say(&Control::ListApps).await?;
        let answer = loop {
            match stream.hear_within(ANSWER).await? {
                Control::Apps(apps) => break Ok(apps),
                Control::Refused(no) => break Err(refused(no)),
                // Anything else may be said at any time.
                _ => {}
            }
        };
        stream.close(Code::None);
        // So that the host need not wait for a time-out.
        let _ = tokio::time::timeout(Duration::from_millis(200), endpoint.wait_idle()).await;
        answer
    })
}
