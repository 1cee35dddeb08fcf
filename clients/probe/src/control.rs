//! The control connection: a thread that drives ENet, seals what we say and opens
//! what the host says (sheet, sections 13 and 14).

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result};
use punktfunk_core::enet::{self, Delivery, Event, Output};
pub(crate) use punktfunk_core::gamestream::control::channel;
use punktfunk_core::gamestream::control::{Cipher, ClientMessage, HostMessage, Side, Style};
use punktfunk_core::gamestream::input;
use punktfunk_core::time::Time;
use punktfunk_net::{Datagrams, RecvBatch, Route, Transport as _, UdpOptions, UdpTransport, bind_udp};

use crate::stats::{Board, Clock, End};

/// Channels a stock client asks for.
const CHANNELS: u8 = 0x30;
const PING_EVERY: Duration = Duration::from_millis(100);
/// The host may be deaf when we say goodbye.
const GOODBYE: Duration = Duration::from_secs(2);

enum Command {
    Send(u8, Delivery, ClientMessage),
    Close,
}

/// Says things on the control connection, from any thread.
#[derive(Clone)]
pub(crate) struct Link {
    commands: Sender<Command>,
    transport: Arc<UdpTransport>,
}

impl Link {
    /// Queues a message, which travels as stock clients have it; false when the
    /// connection is over.
    pub fn send(&self, channel: u8, message: ClientMessage) -> bool {
        let (_, delivery) = message.route();
        self.command(Command::Send(channel, delivery, message))
    }

    /// The same, on the channel of its kind and reliably if `reliable` says so.
    pub fn say(&self, message: ClientMessage, reliable: bool) -> bool {
        let (channel, delivery) = message.route();
        let delivery = if reliable { Delivery::Reliable } else { delivery };
        self.command(Command::Send(channel, delivery, message))
    }

    /// Says goodbye; the thread ends once the host has heard it.
    pub fn close(&self) {
        self.command(Command::Close);
    }

    fn command(&self, command: Command) -> bool {
        let sent = self.commands.send(command).is_ok();
        self.transport.wake();
        sent
    }
}

/// What was said on a link that leads nowhere.
#[cfg(test)]
pub(crate) struct Said(Receiver<Command>);

#[cfg(test)]
impl Said {
    /// Channel and message, in order.
    pub fn messages(&self) -> Vec<(u8, ClientMessage)> {
        let message = |command| match command {
            Command::Send(channel, _, message) => Some((channel, message)),
            Command::Close => None,
        };
        self.0.try_iter().filter_map(message).collect()
    }
}

#[cfg(test)]
impl Link {
    /// A link that leads nowhere.
    pub fn detached() -> (Self, Said) {
        let (commands, queue) = mpsc::channel();
        let socket = bind_udp(0, false).expect("a socket");
        let transport = UdpTransport::new(socket, &UdpOptions::default()).expect("a transport");
        (Self { commands, transport: Arc::new(transport) }, Said(queue))
    }
}

/// Starts the thread. It ends with the connection, and notes how on the board.
pub(crate) fn spawn(
    host: SocketAddr,
    connect_data: u32,
    (key, style): (&[u8; 16], Style),
    clock: Clock,
    board: Arc<Board>,
) -> Result<(Link, JoinHandle<()>)> {
    let transport = Arc::new(UdpTransport::new(bind_udp(0, false)?, &UdpOptions::default())?);
    let (commands, queue) = mpsc::channel();
    let mut seed = [0; 8];
    crate::host::fill_random(&mut seed);
    let config = enet::Config { channels: CHANNELS, seed: u64::from_le_bytes(seed), ..Default::default() };
    let mut connection = Connection {
        enet: enet::Client::new(clock.now(), host, connect_data, &config),
        cipher: Cipher::new(key, Side::Client, style)?,
        transport: Arc::clone(&transport),
        queue,
        clock,
        board,
        next_ping: None,
        closing: None,
        over: false,
    };
    let thread = std::thread::Builder::new()
        .name("probe-control".into())
        .spawn(move || {
            if let Err(error) = connection.run() {
                connection.board.end(End::Failed(format!("control: {error:#}")));
            }
        })
        .context("no thread for the control connection")?;
    Ok((Link { commands, transport }, thread))
}

struct Connection {
    enet: enet::Client,
    cipher: Cipher,
    transport: Arc<UdpTransport>,
    queue: Receiver<Command>,
    clock: Clock,
    board: Arc<Board>,
    next_ping: Option<Time>,
    closing: Option<Time>,
    over: bool,
}

impl Connection {
    fn run(&mut self) -> Result<()> {
        let mut batch = RecvBatch::new(16);
        loop {
            self.obey()?;
            let wake_at = self.advance()?;
            if self.over || self.closing.is_some_and(|until| until <= self.clock.now()) {
                self.board.end(End::Stopped);
                return Ok(());
            }
            let until = [wake_at, self.next_ping, self.closing].into_iter().flatten().min();
            let wait = until.map(|until| until - self.clock.now());
            self.transport.receive(&mut batch, wait)?;
            for (datagram, from, _) in batch.iter() {
                if let Err(dropped) = self.enet.handle(self.clock.now(), from, datagram) {
                    tracing::debug!(%from, %dropped, "control datagram dropped");
                }
            }
            batch.clear();
        }
    }

    /// Carries out what other threads asked for, and the periodic ping.
    fn obey(&mut self) -> Result<()> {
        loop {
            match self.queue.try_recv() {
                Ok(Command::Send(channel, delivery, message)) => self.say(channel, delivery, &message)?,
                Ok(Command::Close) | Err(TryRecvError::Disconnected) => {
                    self.leave();
                    break;
                }
                Err(TryRecvError::Empty) => break,
            }
        }
        let now = self.clock.now();
        if self.closing.is_none() && self.next_ping.is_some_and(|at| at <= now) {
            self.next_ping = Some(now + PING_EVERY);
            self.greet(&ClientMessage::Ping)?;
        }
        Ok(())
    }

    fn leave(&mut self) {
        if self.closing.is_none() {
            let now = self.clock.now();
            self.closing = Some(now + GOODBYE);
            self.next_ping = None;
            self.enet.disconnect(now);
        }
    }

    /// What belongs to no other channel.
    fn greet(&mut self, message: &ClientMessage) -> Result<()> {
        self.say(channel::GENERIC, Delivery::Reliable, message)
    }

    fn say(&mut self, channel: u8, delivery: Delivery, message: &ClientMessage) -> Result<()> {
        if !self.enet.is_connected() || self.closing.is_some() {
            return Ok(());
        }
        let sealed = self.cipher.seal(&message.encode())?;
        // A host that grants fewer channels hears everything on the first.
        let channel = if channel < self.enet.channels() { channel } else { 0 };
        Ok(self.enet.send(channel, &sealed, delivery)?)
    }

    /// Lets the ENet machine do what is due; when it wants to be called again.
    fn advance(&mut self) -> Result<Option<Time>> {
        loop {
            match self.enet.poll(self.clock.now()) {
                Output::Transmit { to, bytes } => {
                    if let Err(error) = self.transport.send(Datagrams::one(&bytes), Route::to(to)) {
                        tracing::debug!(%error, "control datagram not sent");
                    }
                }
                Output::Event(event) => self.react(event)?,
                Output::Deadline(at) => return Ok(at),
            }
        }
    }

    fn react(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Connected { .. } => {
                self.board.update(|stats| stats.connected = true);
                self.next_ping = Some(self.clock.now());
                self.greet(&ClientMessage::IdrRequest)?;
                self.greet(&ClientMessage::StartB)?;
                let haptics = input::Message::EnableHaptics { value: 1 };
                self.greet(&ClientMessage::Input(haptics))?;
            }
            Event::Message { bytes, .. } => match self.cipher.open(&bytes) {
                Ok(message) => self.hear(&message),
                Err(error) => {
                    tracing::warn!(%error, "a control message was not opened");
                    self.board.update(|stats| stats.control_rejected += 1);
                }
            },
            Event::Disconnected { by_peer, .. } => {
                let ours = self.closing.is_some();
                self.board.end(match (ours, by_peer) {
                    (true, _) => End::Stopped,
                    (false, true) => End::Disconnected,
                    (false, false) => End::TimedOut,
                });
                self.over = true;
            }
            _ => {}
        }
        Ok(())
    }

    fn hear(&mut self, message: &[u8]) {
        match HostMessage::decode(message) {
            Ok(HostMessage::Termination { reason }) => {
                self.board.end(End::Terminated(reason));
                self.leave();
            }
            Ok(other) => {
                tracing::debug!(?other, "host message");
                self.board.heard(self.clock.millis(), other);
            }
            Err(error) => tracing::warn!(%error, "a host message makes no sense"),
        }
    }
}
