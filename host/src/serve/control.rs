//! The control server: one thread around [`punktfunk_core::enet::Host`] that opens
//! sealed messages for the supervisor and seals what the sessions have to say.
//!
//! A session key is used for one connection only: a second one would repeat the
//! counters that AES-GCM must never see twice.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use punktfunk_core::crypto::sha256;
use punktfunk_core::enet::{Config, Delivery, Event, Host, Output, PeerId};
use punktfunk_core::gamestream::control::{
    Cipher, ClientMessage, HostMessage, REASON_CONVERSION, REASON_GRACEFUL, Repeats, Side, Style, channel,
};
use punktfunk_core::gamestream::input::{Translated, Translator};
use punktfunk_core::input::{self, pad};
use punktfunk_core::time::Time;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec};

use crate::session::{ControlEvent, OpenControl, Reason, SessionId, Supervisor, Voice};

/// Datagrams taken before the answers to them are sent.
const BATCH: usize = 64;
/// Longest datagram ENet can send.
const MAX_DATAGRAM: usize = 4096;
/// How long the goodbyes of [`ControlHandle::stop`] may take.
const STOP_TIME: Duration = Duration::from_secs(1);
/// What a client shows as a number: the screen is gone, nobody asked for it. Next to
/// the graceful reason, and used by no other host.
const REASON_SCREEN_LOST: u32 = 0x8003_0024;
/// Between two tellings of a client's round trip.
const MEASURED_EVERY: Duration = Duration::from_secs(1);
/// Session keys remembered as used.
const USED_KEYS: usize = 1024;

#[derive(Debug)]
enum Command {
    Send(SessionId, HostMessage),
    End(SessionId, u32),
    Stop,
}

/// Speaks to the control server from any thread. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ControlHandle {
    commands: mpsc::Sender<Command>,
    wake: Arc<OwnedFd>,
    undecryptable: Arc<AtomicU64>,
}

impl ControlHandle {
    /// Ends every connection gracefully, then the server.
    pub fn stop(&self) {
        self.command(Command::Stop);
    }

    /// How many messages could not be decrypted so far.
    pub fn undecryptable(&self) -> u64 {
        self.undecryptable.load(Ordering::Relaxed)
    }

    fn command(&self, command: Command) {
        // Neither can fail but after the server has ended, when nobody listens.
        if self.commands.send(command).is_ok() {
            let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
        }
    }
}

impl Voice for ControlHandle {
    /// Reliably.
    fn feedback(&self, id: SessionId, pad: u8, feedback: pad::Feedback) {
        self.command(Command::Send(id, HostMessage::from((pad, feedback))));
    }

    /// Disconnects the client once it has heard the reason. What it held is released;
    /// [`ControlEvent::Closed`] does not follow, nor anything else of this connection.
    fn end(&self, id: SessionId, reason: Reason) {
        self.command(Command::End(id, number_of(reason)));
    }
}

/// As clients know it (sheet, section 14.2).
const fn number_of(reason: Reason) -> u32 {
    match reason {
        Reason::ScreenLost => REASON_SCREEN_LOST,
        Reason::Broken => REASON_CONVERSION,
        Reason::Quit
        | Reason::AppEnded
        | Reason::SessionEnded
        | Reason::Replaced
        | Reason::Revoked
        | Reason::HostStopping => REASON_GRACEFUL,
    }
}

/// What [`ControlHandle`]s put in, for [`start`] to take out.
#[derive(Debug)]
pub struct ControlInbox {
    commands: mpsc::Receiver<Command>,
    wake: Arc<OwnedFd>,
    undecryptable: Arc<AtomicU64>,
}

/// A handle, and the inbox to start the server with. Made first, because the
/// supervisor needs the handle and the server needs the supervisor.
pub fn channel() -> io::Result<(ControlHandle, ControlInbox)> {
    let wake = Arc::new(rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
    let undecryptable = Arc::new(AtomicU64::new(0));
    let (sender, receiver) = mpsc::channel();
    let handle = ControlHandle {
        commands: sender,
        wake: Arc::clone(&wake),
        undecryptable: Arc::clone(&undecryptable),
    };
    Ok((handle, ControlInbox { commands: receiver, wake, undecryptable }))
}

/// Starts the thread `punktfunk-control` on a bound socket. It ends after
/// [`ControlHandle::stop`], or with an error of the socket.
pub fn start(
    socket: UdpSocket,
    inbox: ControlInbox,
    supervisor: Arc<dyn Supervisor>,
) -> io::Result<JoinHandle<io::Result<()>>> {
    socket.set_nonblocking(true)?;
    let mut seed = [0; 8];
    rustix::rand::getrandom(&mut seed, rustix::rand::GetRandomFlags::empty())?;
    let config = Config { seed: u64::from_ne_bytes(seed), ..Config::default() };
    let server = Server {
        socket,
        inbox,
        supervisor,
        host: Host::new(config),
        clients: HashMap::new(),
        used_keys: VecDeque::new(),
        origin: Instant::now(),
        stop_at: None,
    };
    std::thread::Builder::new().name("punktfunk-control".into()).spawn(move || server.run())
}

/// One connection that belongs to a session.
#[derive(Debug)]
struct Client {
    session: SessionId,
    cipher: Cipher,
    translator: Translator,
    repeats: Repeats,
    /// When the round trip was told last.
    measured: Time,
    /// [`ControlHandle::end`] was called: nothing it says counts any more.
    ended: bool,
}

struct Server {
    socket: UdpSocket,
    inbox: ControlInbox,
    supervisor: Arc<dyn Supervisor>,
    host: Host,
    clients: HashMap<PeerId, Client>,
    /// Hashes of the keys that had a connection.
    used_keys: VecDeque<[u8; 32]>,
    origin: Instant,
    stop_at: Option<Time>,
}

impl Server {
    fn now(&self) -> Time {
        Time::default() + self.origin.elapsed()
    }

    fn run(mut self) -> io::Result<()> {
        let result = loop {
            let deadline = self.answer();
            if let Some(stop_at) = self.stop_at
                && (self.now() >= stop_at || self.host.peer_count() == 0)
            {
                break Ok(());
            }
            if let Err(error) = self.wait(deadline).and_then(|()| self.receive()) {
                tracing::error!(%error, "the control socket failed");
                break Err(error);
            }
            self.obey();
            self.repeat();
        };
        // Nobody may stay pressed, however this ended.
        for (_, client) in std::mem::take(&mut self.clients) {
            self.close(client, false);
        }
        result
    }

    /// Sleeps until a datagram, a command or the deadline.
    fn wait(&self, deadline: Option<Time>) -> io::Result<()> {
        let repeat = self.clients.values().filter_map(|client| client.repeats.deadline()).min();
        let until = [deadline, repeat, self.stop_at].into_iter().flatten().min();
        // Rounded up, so that the deadline has come when this returns.
        let timeout = until.map(|until| until - self.now() + Duration::from_micros(1));
        let timeout = timeout.map(|timeout| Timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(timeout.subsec_nanos()),
        });
        let mut fds = [
            PollFd::from_borrowed_fd(self.socket.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.inbox.wake.as_fd(), PollFlags::IN),
        ];
        match rustix::event::poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn receive(&mut self) -> io::Result<()> {
        let mut buffer = [0; MAX_DATAGRAM];
        for _ in 0..BATCH {
            match self.socket.recv_from(&mut buffer) {
                Ok((len, from)) => {
                    let now = self.now();
                    if let Err(why) = self.host.handle(now, from, &buffer[..len]) {
                        tracing::trace!(%from, %why, "dropped a datagram");
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if is_about_a_peer(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Does what the machine asks for; returns its deadline.
    fn answer(&mut self) -> Option<Time> {
        loop {
            match self.host.poll(self.now()) {
                Output::Transmit { to, bytes } => {
                    // A datagram that cannot be sent is a lost datagram.
                    if let Err(error) = self.socket.send_to(&bytes, to) {
                        tracing::debug!(%to, %error, "a control datagram was not sent");
                    }
                }
                Output::Event(event) => self.event(event),
                Output::Deadline(deadline) => return deadline,
            }
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Connected { peer, data, addr } => self.connected(peer, data, addr),
            Event::Message { peer, bytes, .. } => self.message(peer, &bytes),
            Event::Moved { peer, addr, payload } if self.is_genuine(peer, &payload) => {
                tracing::info!(%addr, "a client moved to another address");
                self.host.accept_move(peer, addr);
            }
            Event::Disconnected { peer, by_peer } => {
                if let Some(client) = self.clients.remove(&peer) {
                    tracing::info!(session = client.session.0, by_peer, "a control connection ended");
                    self.close(client, by_peer);
                }
            }
            _ => {}
        }
    }

    fn is_genuine(&self, peer: PeerId, payload: &[u8]) -> bool {
        self.clients.get(&peer).is_some_and(|client| client.cipher.is_genuine(payload))
    }

    fn connected(&mut self, peer: PeerId, data: u32, addr: SocketAddr) {
        let seen = SocketAddr::new(addr.ip().to_canonical(), addr.port());
        let opened = self.supervisor.open_control(data, seen).filter(|_| self.stop_at.is_none());
        let Some(OpenControl { id: session, key, v2, hdr }) = opened else {
            tracing::info!(%seen, "a control connection belongs to no session");
            self.host.reset(self.now(), peer);
            return;
        };
        let mark = sha256(&[&session.0.to_be_bytes(), &key]);
        let style = if v2 { Style::V2 } else { Style::Old };
        let cipher = Cipher::new(&key, Side::Host, style).ok().filter(|_| !self.used_keys.contains(&mark));
        let Some(cipher) = cipher else {
            tracing::warn!(%seen, session = session.0, "a second control connection with one key was refused");
            self.host.reset(self.now(), peer);
            return;
        };
        if self.used_keys.len() == USED_KEYS {
            self.used_keys.pop_front();
        }
        self.used_keys.push_back(mark);
        // A resumed session may come back before the old connection timed out.
        let old = self.clients.iter().find(|(_, client)| client.session == session).map(|(peer, _)| *peer);
        if let Some(old) = old {
            self.host.reset(self.now(), old);
            if let Some(mut client) = self.clients.remove(&old) {
                self.release(&mut client);
            }
        }
        tracing::info!(%seen, session = session.0, ?style, "the control connection is open");
        let (translator, repeats) = (Translator::new(), Repeats::new());
        let measured = self.now();
        self.clients.insert(peer, Client { session, cipher, translator, repeats, measured, ended: false });
        let mode = HostMessage::HdrMode { enabled: hdr.is_some(), metadata: hdr.unwrap_or_default() };
        self.send(session, &mode);
    }

    fn message(&mut self, peer: PeerId, bytes: &[u8]) {
        let Some(client) = self.clients.get_mut(&peer).filter(|client| !client.ended) else { return };
        let message = match client.cipher.open(bytes) {
            Ok(message) => message,
            Err(why) => {
                self.inbox.undecryptable.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(session = client.session.0, %why, "dropped a control message");
                return;
            }
        };
        let session = client.session;
        let now = Time::default() + self.origin.elapsed();
        if now - client.measured >= MEASURED_EVERY {
            client.measured = now;
            if let Some(time) = self.host.round_trip(peer) {
                self.supervisor.control(session, ControlEvent::RoundTrip(time));
            }
        }
        match ClientMessage::decode(&message) {
            Ok(ClientMessage::Input(message)) => {
                for event in client.translator.translate(&message) {
                    self.supervisor.control(session, translated(event));
                }
            }
            Ok(message) => {
                if let Some(event) = stream_event(&message) {
                    self.supervisor.control(session, event);
                }
            }
            Err(why) => tracing::debug!(session = session.0, %why, "dropped a control message"),
        }
    }

    /// Carries out what the handles asked for.
    fn obey(&mut self) {
        // Cleared before the queue is read, so that no command is slept over.
        let _ = rustix::io::read(&self.inbox.wake, &mut [0; 8]);
        while let Ok(command) = self.inbox.commands.try_recv() {
            match command {
                Command::Send(id, message) => self.send(id, &message),
                Command::End(id, reason) => self.end(id, reason),
                Command::Stop if self.stop_at.is_none() => {
                    self.stop_at = Some(self.now() + STOP_TIME);
                    let sessions: Vec<_> = self.clients.values().map(|client| client.session).collect();
                    for id in sessions {
                        self.end(id, REASON_GRACEFUL);
                    }
                }
                Command::Stop => {}
            }
        }
    }

    /// Says again what clients would forget.
    fn repeat(&mut self) {
        let now = self.now();
        let due = |client: &mut Client| {
            let session = client.session;
            client.repeats.due(now).into_iter().map(move |message| (session, message))
        };
        let due: Vec<_> = self.clients.values_mut().flat_map(due).collect();
        for (session, message) in due {
            self.send(session, &message);
        }
    }

    fn peer_of(&self, id: SessionId) -> Option<PeerId> {
        let open = |(_, client): &(&PeerId, &Client)| client.session == id && !client.ended;
        self.clients.iter().find(open).map(|(peer, _)| *peer)
    }

    fn send(&mut self, id: SessionId, message: &HostMessage) {
        let Some(peer) = self.peer_of(id) else { return };
        let now = self.now();
        let Some(client) = self.clients.get_mut(&peer) else { return };
        client.repeats.said(now, message);
        let sealed = match client.cipher.seal(&message.encode()) {
            Ok(sealed) => sealed,
            Err(error) => {
                tracing::warn!(session = id.0, %error, "a control message was not sealed");
                return;
            }
        };
        if let Err(error) = self.host.send(peer, channel::GENERIC, &sealed, Delivery::Reliable) {
            tracing::warn!(session = id.0, %error, "a control message was not sent");
        }
    }

    fn end(&mut self, id: SessionId, reason: u32) {
        let Some(peer) = self.peer_of(id) else { return };
        self.send(id, &HostMessage::Termination { reason });
        self.host.disconnect(self.now(), peer);
        if let Some(mut client) = self.clients.remove(&peer) {
            self.release(&mut client);
            client.ended = true;
            self.clients.insert(peer, client);
        }
    }

    fn release(&self, client: &mut Client) {
        for event in client.translator.release_all() {
            self.supervisor.control(client.session, translated(event));
        }
        self.supervisor.control(client.session, ControlEvent::Input(input::Event::ReleaseAll));
    }

    fn close(&self, mut client: Client, by_client: bool) {
        if !client.ended {
            self.release(&mut client);
            self.supervisor.control(client.session, ControlEvent::Closed { by_client });
        }
    }
}

fn translated(event: Translated) -> ControlEvent {
    match event {
        Translated::Input(event) => ControlEvent::Input(event),
        Translated::Pad(event) => ControlEvent::Pad(event),
    }
}

/// What a message means for the stream; nothing for pings and statistics.
fn stream_event(message: &ClientMessage) -> Option<ControlEvent> {
    match *message {
        ClientMessage::IdrRequest => Some(ControlEvent::KeyFrameWanted),
        ClientMessage::InvalidateRange { first, last } => Some(ControlEvent::InvalidateRange { first, last }),
        ClientMessage::LongTermAck { frame } => Some(ControlEvent::LongTermAck { frame }),
        ClientMessage::FecStatus(status) => Some(ControlEvent::FecStatus(status)),
        _ => None,
    }
}

/// True for what the network reports about one peer: the socket goes on working.
fn is_about_a_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionRefused, ConnectionReset, HostUnreachable, Interrupted, NetworkUnreachable,
    };
    matches!(
        error.kind(),
        ConnectionRefused | ConnectionReset | HostUnreachable | Interrupted | NetworkUnreachable
    )
}
