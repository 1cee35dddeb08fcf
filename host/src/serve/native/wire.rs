//! One connection as messages: the control stream both ways, datagrams in. What is said
//! waits in a buffer of its own, so that a client that does not read holds up nobody.

use std::time::Duration;

use punktfunk_core::native::keys::Direction;
use punktfunk_core::native::wire::control::{Control, Reader};
use punktfunk_core::native::wire::{Code, Error};
use punktfunk_quic::{Connection, ConnectionError, RecvStream, SendStream, VarInt};

/// Bytes read from the stream at a time.
const CHUNK: usize = 16 << 10;
/// So much may wait to be sent before nothing more is heard: a list of applications and
/// some.
const MOST_WAITING: usize = 128 << 10;
/// How long a last message may take to arrive before the connection is closed over it.
const LAST_WORDS: Duration = Duration::from_millis(900);

/// The wire.
pub(super) struct Wire {
    pub connection: Connection,
    receive: RecvStream,
    send: SendStream,
    reader: Reader,
    /// Read from the stream and not yet looked at, from `looked_at` on.
    chunk: Vec<u8>,
    looked_at: usize,
    outgoing: Vec<u8>,
}

/// What came in.
pub(super) enum Heard {
    /// On the control stream.
    Message(Control),
    /// A QUIC datagram.
    Datagram(Vec<u8>),
}

/// Why nothing more comes in.
#[derive(Clone, Debug)]
pub(super) enum End {
    /// The client closed it, with this code.
    Closed(Code),
    /// It is gone without a word.
    Lost,
    /// It does not speak the protocol.
    Bad(Error),
}

impl Wire {
    /// Waits for the client's control stream.
    pub async fn open(connection: Connection) -> Result<Self, End> {
        let (send, receive) = connection.accept_bi().await.map_err(|error| End::of(&error))?;
        Ok(Self {
            connection,
            receive,
            send,
            reader: Reader::new(Direction::ToHost),
            chunk: Vec::new(),
            looked_at: 0,
            outgoing: Vec::new(),
        })
    }

    /// The next thing to come in; sends what waits meanwhile. May be dropped at any time
    /// without losing anything.
    pub async fn next(&mut self) -> Result<Heard, End> {
        loop {
            // Datagrams go first: what moved the pointer was sent before the click that is
            // meant for where it is, and the stream is often the quicker to be read.
            tokio::select! {
                biased;
                datagram = self.connection.read_datagram() => return heard(datagram),
                () = std::future::ready(()) => {}
            }
            if self.outgoing.len() < MOST_WAITING
                && let Some(message) = self.parse()?
            {
                return Ok(Heard::Message(message));
            }
            let may_read = self.looked_at == self.chunk.len() && self.outgoing.len() < MOST_WAITING;
            tokio::select! {
                read = self.receive.read_chunk(CHUNK, true), if may_read => match read {
                    Ok(Some(chunk)) => {
                        self.chunk = chunk.bytes.to_vec();
                        self.looked_at = 0;
                    }
                    Ok(None) => return Err(End::Closed(Code::None)),
                    Err(_) => return Err(self.end()),
                },
                datagram = self.connection.read_datagram() => return heard(datagram),
                written = self.send.write(&self.outgoing), if !self.outgoing.is_empty() => match written {
                    Ok(count) => drop(self.outgoing.drain(..count)),
                    Err(_) => return Err(self.end()),
                },
            }
        }
    }

    /// Says something, as soon as the connection takes it.
    pub fn say(&mut self, message: &Control) {
        // What we say fits its type; the longest has a bounded list of bounded names.
        if let Err(error) = message.encode(&mut self.outgoing) {
            tracing::error!(%error, kind = message.kind(), "a message of ours is too long");
        }
    }

    /// Says a last thing, waits a moment for its arrival, and closes with `code`.
    pub async fn finish(mut self, message: &Control, code: Code, text: &str) {
        self.say(message);
        let said = async {
            if self.send.write_all(&self.outgoing).await.is_ok() && self.send.finish().is_ok() {
                // Until it was acknowledged, or the client closed.
                let _ = self.send.stopped().await;
            }
        };
        let _ = tokio::time::timeout(LAST_WORDS, said).await;
        close(&self.connection, code, text);
    }

    fn parse(&mut self) -> Result<Option<Control>, End> {
        let mut rest = self.chunk.get(self.looked_at..).unwrap_or_default();
        let message = self.reader.read(&mut rest);
        self.looked_at = self.chunk.len() - rest.len();
        message.map_err(End::Bad)
    }

    fn end(&self) -> End {
        self.connection.close_reason().map_or(End::Lost, |error| End::of(&error))
    }
}

fn heard<B: AsRef<[u8]>>(datagram: Result<B, ConnectionError>) -> Result<Heard, End> {
    match datagram {
        Ok(datagram) => Ok(Heard::Datagram(datagram.as_ref().to_vec())),
        Err(error) => Err(End::of(&error)),
    }
}

impl End {
    pub fn of(error: &ConnectionError) -> Self {
        match error {
            ConnectionError::ApplicationClosed(close) => {
                Self::Closed(Code::from_number(close.error_code.into_inner()))
            }
            _ => Self::Lost,
        }
    }

    /// The client meant it.
    pub fn by_client(&self) -> bool {
        matches!(self, Self::Closed(Code::None))
    }
}

/// Closes a connection with a code of section 8.
pub(super) fn close(connection: &Connection, code: Code, text: &str) {
    let number = VarInt::from_u64(code.number()).unwrap_or(VarInt::from_u32(0));
    connection.close(number, text.as_bytes());
}
