//! Receiving media: a socket that keeps the host informed where we are, loses what
//! it is told to lose, and hands on the rest.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result};
use punktfunk_net::{Datagrams, RecvBatch, Route, Transport as _, UdpOptions, UdpTransport, bind_udp};

use crate::options::Loss;
use crate::stats::{Board, Clock, End};

/// How often a media port is pinged (sheet, section 7).
const PING_EVERY: Duration = Duration::from_millis(500);

/// One media port of the host.
pub(crate) struct Port {
    /// `video` or `audio`, for threads and messages.
    pub name: &'static str,
    /// Where pings go and media comes from.
    pub host: SocketAddr,
    /// `X-SS-Ping-Payload`.
    pub ping_payload: Option<[u8; 16]>,
    pub loss: Loss,
}

/// What receives on a port; stops and ends when told to.
pub(crate) struct Feed {
    transport: Arc<UdpTransport>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Feed {
    /// Starts to ping `port`, and to give everything that comes from it to `take`.
    pub fn spawn(
        port: Port,
        clock: Clock,
        board: Arc<Board>,
        take: impl FnMut(&[u8]) -> Result<()> + Send + 'static,
    ) -> Result<Self> {
        let transport = Arc::new(UdpTransport::new(bind_udp(0, false)?, &UdpOptions::default())?);
        let stop = Arc::new(AtomicBool::new(false));
        let receiver =
            Receiver { port, transport: Arc::clone(&transport), stop: Arc::clone(&stop), clock, board };
        let thread = std::thread::Builder::new()
            .name(format!("probe-{}", receiver.port.name))
            .spawn(move || receiver.run(take))
            .context("no thread to receive media")?;
        Ok(Self { transport, stop, thread: Some(thread) })
    }

    /// Ends the thread and waits for it.
    pub fn stop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.transport.wake();
        if let Some(thread) = self.thread.take() {
            // A panic was printed by the thread itself.
            let _ = thread.join();
        }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.stop();
    }
}

struct Receiver {
    port: Port,
    transport: Arc<UdpTransport>,
    stop: Arc<AtomicBool>,
    clock: Clock,
    board: Arc<Board>,
}

impl Receiver {
    fn run(mut self, mut take: impl FnMut(&[u8]) -> Result<()>) {
        if let Err(error) = self.receive(&mut take) {
            self.board.end(End::Failed(format!("{}: {error:#}", self.port.name)));
        }
    }

    fn receive(&mut self, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut batch = RecvBatch::new(64);
        let mut next_ping = self.clock.now();
        let mut pings = 0_u32;
        while !self.stop.load(Ordering::Acquire) {
            if next_ping <= self.clock.now() {
                next_ping = self.clock.now() + PING_EVERY;
                pings = pings.wrapping_add(1);
                self.ping(pings);
            }
            self.transport.receive(&mut batch, Some(next_ping - self.clock.now()))?;
            for (datagram, from, _) in batch.iter() {
                if from != self.port.host {
                    continue;
                }
                if self.port.loss.strikes() {
                    self.board.update(|stats| stats.injected_losses += 1);
                    continue;
                }
                take(datagram)?;
            }
            batch.clear();
        }
        Ok(())
    }

    fn ping(&self, number: u32) {
        let mut bytes = b"PING".to_vec();
        if let Some(payload) = self.port.ping_payload {
            bytes = payload.to_vec();
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        if let Err(error) = self.transport.send(Datagrams::one(&bytes), Route::to(self.port.host)) {
            tracing::debug!(%error, port = self.port.name, "ping not sent");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::sync::mpsc;

    #[test]
    fn a_feed_pings_takes_what_its_host_sends_and_nothing_else() {
        let host = UdpSocket::bind("127.0.0.1:0").unwrap();
        let patience = Duration::from_secs(30);
        host.set_read_timeout(Some(patience)).unwrap();
        let port = Port {
            name: "test",
            host: host.local_addr().unwrap(),
            ping_payload: Some([b'x'; 16]),
            loss: Loss::new(0.0, 1),
        };
        let board = Arc::new(Board::default());
        let (taken, heard) = mpsc::channel();
        let take = move |datagram: &[u8]| Ok(taken.send(datagram.to_vec())?);
        let mut feed = Feed::spawn(port, Clock::start(), Arc::clone(&board), take).unwrap();
        let mut ping = [0; 64];
        for number in 1_u32..=2 {
            let (len, from) = host.recv_from(&mut ping).unwrap();
            assert_eq!(ping[..len], [[b'x'; 16].as_slice(), &number.to_be_bytes()].concat());
            UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"stranger", from).unwrap();
            host.send_to(b"host", from).unwrap();
            assert_eq!(heard.recv_timeout(patience).unwrap(), b"host");
        }
        feed.stop();
        assert!(heard.recv().is_err());
        assert_eq!(board.stats().end, None);
    }

    #[test]
    fn what_cannot_be_taken_ends_the_stream_with_the_reason() {
        let host = UdpSocket::bind("127.0.0.1:0").unwrap();
        host.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let port = Port {
            name: "test",
            host: host.local_addr().unwrap(),
            ping_payload: None,
            loss: Loss::new(0.0, 1),
        };
        let board = Arc::new(Board::default());
        let feed =
            Feed::spawn(port, Clock::start(), Arc::clone(&board), |_| anyhow::bail!("enough")).unwrap();
        let mut ping = [0; 64];
        let (len, from) = host.recv_from(&mut ping).unwrap();
        assert_eq!(&ping[..len], b"PING");
        host.send_to(b"anything", from).unwrap();
        assert!(board.wait(Duration::from_secs(30), |stats| stats.end.is_some()));
        assert_eq!(board.stats().end, Some(End::Failed("test: enough".to_owned())));
        drop(feed);
    }
}
