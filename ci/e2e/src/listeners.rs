//! Programs that listen to a host's events over HTTPS, as consoles in browsers do: how
//! many events each heard is counted, what they say is thrown away.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use punktfunk_probe::trusting;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

/// How long a listener waits for the next bytes: an idle stream has a comment at times.
const PATIENCE: Duration = Duration::from_secs(30);

/// Some listeners; they hang up when this is dropped.
pub struct Listeners {
    heard: Arc<AtomicU64>,
    each: Vec<(TcpStream, JoinHandle<()>)>,
}

impl Listeners {
    /// So many of them at the console's port of a host on this machine, which all show
    /// `token`. All are heard by the host when this returns.
    pub fn open(port: u16, token: &str, count: usize) -> Result<Self> {
        let config = Arc::new(trusting()?);
        let mut listeners = Self { heard: Arc::default(), each: Vec::new() };
        for _ in 0..count {
            listeners.each.push(listen(&config, port, token, Arc::clone(&listeners.heard))?);
        }
        Ok(listeners)
    }

    /// Events that all of them heard together.
    pub fn heard(&self) -> u64 {
        self.heard.load(Ordering::Relaxed)
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        for (socket, thread) in self.each.drain(..) {
            // It may have been closed by the host.
            let _gone = socket.shutdown(Shutdown::Both);
            // A thread that panicked has said so.
            let _ended = thread.join();
        }
    }
}

fn listen(
    config: &Arc<ClientConfig>,
    port: u16,
    token: &str,
    heard: Arc<AtomicU64>,
) -> Result<(TcpStream, JoinHandle<()>)> {
    let socket = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port)))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let name = ServerName::try_from("localhost").context("a constant name")?;
    let connection = ClientConnection::new(Arc::clone(config), name)?;
    let mut stream = StreamOwned::new(connection, socket.try_clone()?);
    write!(
        stream,
        "GET /api/v1/events HTTP/1.1\r\nHost: localhost:{port}\r\nAuthorization: Bearer {token}\r\n\r\n"
    )?;
    stream.flush()?;
    let mut buffer = [0; 16 << 10];
    let len = stream.read(&mut buffer)?;
    let head = String::from_utf8_lossy(buffer.get(..len).unwrap_or_default()).into_owned();
    ensure!(head.starts_with("HTTP/1.1 200"), "events: {head}");
    let thread = std::thread::Builder::new().name("listener".to_owned()).spawn(move || {
        while let Ok(len @ 1..) = stream.read(&mut buffer) {
            let bytes = buffer.get(..len).unwrap_or_default();
            let events = bytes.windows(3).filter(|part| part == b"id:").count();
            heard.fetch_add(events as u64, Ordering::Relaxed);
        }
    })?;
    Ok((socket, thread))
}
