//! A peer that says on the control stream whatever it is told to, right or wrong.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use punktfunk_core::native::keys::Direction;
use punktfunk_core::native::wire::Code;
use punktfunk_core::native::wire::control::{Control, Reader};
use punktfunk_quic::{Connection, ConnectionError, Endpoint, Identity, Peer, RecvStream, SendStream};
use tokio::runtime::Runtime;
use tokio::time::timeout;

/// Longer than anything may take on a busy machine.
const LONG: Duration = Duration::from_secs(30);

/// One connection. Calls block.
pub struct Raw {
    runtime: Runtime,
    connection: Connection,
    send: SendStream,
    receive: RecvStream,
    rest: Vec<u8>,
    reader: Reader,
    _endpoint: Endpoint,
}

impl Raw {
    /// Connects and opens the control stream.
    pub fn connect(to: SocketAddr, identity: &Identity) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let (endpoint, connection, (send, receive)) = runtime.block_on(async {
            let any = if to.is_ipv4() { IpAddr::from([127, 0, 0, 1]) } else { "::1".parse()? };
            let socket = UdpSocket::bind((any, 0))?;
            let endpoint = Endpoint::client(socket, identity, Arc::new(|_: &mut [u8], _: Peer| {}))?;
            let connection = endpoint.connect(to, None).await?;
            let stream = timeout(LONG, connection.open_bi()).await??;
            Ok::<_, anyhow::Error>((endpoint, connection, stream))
        })?;
        let reader = Reader::new(Direction::ToClient);
        Ok(Self { runtime, connection, send, receive, rest: Vec::new(), reader, _endpoint: endpoint })
    }

    /// Says a message.
    pub fn say(&mut self, message: &Control) -> Result<()> {
        let mut bytes = Vec::new();
        message.encode(&mut bytes)?;
        self.bytes(&bytes);
        Ok(())
    }

    /// Says bytes as they are; the host may have closed already.
    pub fn bytes(&mut self, bytes: &[u8]) {
        let _ = self.runtime.block_on(async { timeout(LONG, self.send.write_all(bytes)).await });
    }

    /// The next message, or the code that the connection was closed with.
    pub fn hear(&mut self) -> Result<std::result::Result<Control, Code>> {
        loop {
            let mut rest = self.rest.as_slice();
            let message = self.reader.read(&mut rest)?;
            let taken = self.rest.len() - rest.len();
            self.rest.drain(..taken);
            if let Some(message) = message {
                return Ok(Ok(message));
            }
            let read = async { timeout(LONG, self.receive.read_chunk(4096, true)).await };
            match self.runtime.block_on(read).context("the host says nothing")? {
                Ok(Some(chunk)) => self.rest.extend_from_slice(&chunk.bytes),
                Ok(None) | Err(_) => return self.closed().map(Err),
            }
        }
    }

    /// The code that the connection is closed with.
    pub fn closed(&self) -> Result<Code> {
        let closed = async { timeout(LONG, self.connection.closed()).await };
        match self.runtime.block_on(closed).context("the connection stays open")? {
            ConnectionError::ApplicationClosed(close) => Ok(Code::from_number(close.error_code.into_inner())),
            other => bail!("the connection ended with {other}"),
        }
    }

    /// The host refuses with this code and closes; its words.
    pub fn ends_with(&mut self, code: Code) -> Result<String> {
        let (said, text) = loop {
            match self.hear()? {
                Ok(Control::Refused(no)) => break (no.code, no.text),
                Ok(Control::Goodbye(no)) => break (no.code, no.text),
                Ok(_) => {}
                // On a very busy machine the close overtakes the words.
                Err(code) => break (code, String::new()),
            }
        };
        ensure!(said == code, "it was told {said} ({text:?}) and not {code}");
        let closed = self.closed()?;
        ensure!(closed == code, "the connection was closed with {closed} and not with {code}");
        Ok(text)
    }
}
