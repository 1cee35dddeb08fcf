//! One connection, seen from either end: what to make of the peer's commands and
//! what to send it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use super::channel::{Incoming, Room, Verdict};
use super::outgoing::{Outgoing, low_millis};
use super::wire::{self, Body, CONNECTION, Command, Head};
use super::{Config, Delivery, Event, PeerId, SendError};
use crate::replay::ReplayWindow;
use crate::time::Time;

/// After so much silence a PING asks whether the peer is still there.
const PING_INTERVAL: Duration = Duration::from_millis(500);
/// How long the goodbye of a peer is acknowledged again.
const LINGER: Duration = Duration::from_secs(2);
/// Acknowledgements that may wait for the next datagram.
const MAX_ACKS: usize = 1024;

/// Where a connection is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// CONNECT was sent (client).
    Connecting,
    /// VERIFY CONNECT was sent (host).
    Answered,
    Connected,
    /// Ends as soon as everything reliable is acknowledged.
    Draining,
    /// DISCONNECT was sent.
    Disconnecting,
    /// Over; repeated commands are still acknowledged until that moment.
    Over(Time),
}

#[derive(Clone, Copy, Debug)]
struct Ack {
    channel: u8,
    seq: u16,
    sent: u16,
}

/// What identifies a connection on the wire.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ids {
    /// Peer id in datagrams to us, and to the peer.
    pub(super) ours: u16,
    pub(super) theirs: u16,
    /// Session in datagrams to us, and to the peer.
    pub(super) incoming_session: u8,
    pub(super) outgoing_session: u8,
    pub(super) connect_id: [u8; 4],
}

/// One end of a connection.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) peer: PeerId,
    pub(super) addr: SocketAddr,
    pub(super) ids: Ids,
    pub(super) state: State,
    pub(super) data: u32,
    pub(super) created: Time,
    pub(super) out: Outgoing,
    pub(super) mtu: usize,
    /// A move was reported and not decided.
    pub(super) asked: Option<SocketAddr>,
    channels: Vec<Incoming>,
    room: Room,
    groups: ReplayWindow,
    acks: VecDeque<Ack>,
    last_heard: Time,
    max_queued: usize,
    timeout: Duration,
    handshake_timeout: Duration,
}

impl Link {
    pub(super) fn new(
        peer: PeerId,
        addr: SocketAddr,
        ids: Ids,
        state: State,
        channels: u8,
        config: &Config,
        now: Time,
    ) -> Self {
        let mut groups = ReplayWindow::new();
        // Groups are numbered from 1 modulo 65536: leave room for the ones before.
        groups.accept(1 << 16);
        Self {
            peer,
            addr,
            ids,
            state,
            data: 0,
            created: now,
            out: Outgoing::new(channels, now),
            mtu: usize::from(config.mtu.clamp(576, 4096)),
            asked: None,
            channels: vec![Incoming::new(); usize::from(channels)],
            room: Room { max_message: config.max_message, max_waiting: config.max_waiting, waiting: 0 },
            groups,
            acks: VecDeque::new(),
            last_heard: now,
            max_queued: config.max_queued,
            timeout: config.timeout,
            handshake_timeout: config.handshake_timeout,
        }
    }

    pub(super) const fn is_over(&self) -> bool {
        matches!(self.state, State::Over(_))
    }

    /// True when datagrams with that head belong to this connection.
    pub(super) const fn is_addressed(&self, head: &Head) -> bool {
        head.peer == self.ids.ours && head.session == self.ids.incoming_session
    }

    /// Messages may be sent and received.
    const fn is_open(&self) -> bool {
        matches!(self.state, State::Connected | State::Draining)
    }

    pub(super) fn limit_channels(&mut self, channels: u8) {
        self.out.limit_channels(channels);
        self.channels.truncate(usize::from(channels));
    }

    pub(super) fn send(&mut self, channel: u8, data: &[u8], delivery: Delivery) -> Result<(), SendError> {
        if self.state != State::Connected {
            return Err(SendError::NotConnected);
        }
        if data.len() > self.room.max_message {
            return Err(SendError::TooLong { limit: self.room.max_message });
        }
        self.out.message(channel, data, delivery, self.mtu, self.max_queued)
    }

    /// Ends the connection once everything reliable is acknowledged.
    pub(super) fn disconnect(&mut self, now: Time) {
        match self.state {
            State::Connected => self.state = State::Draining,
            State::Connecting | State::Answered => self.state = State::Over(now),
            _ => {}
        }
    }

    /// Ends the connection and returns the datagram that says so, unacknowledged.
    pub(super) fn reset(&mut self, now: Time) -> Vec<u8> {
        self.state = State::Over(now);
        self.out.clear();
        self.acks.clear();
        let mut bytes = Vec::new();
        wire::encode_head(self.head(None), &mut bytes);
        let body = Body::Disconnect { data: 0 };
        let command = Command { acknowledge: false, unsequenced: true, channel: CONNECTION, seq: 0, body };
        wire::encode_command(&command, &mut bytes);
        bytes
    }

    const fn head(&self, sent: Option<u16>) -> Head {
        Head { peer: self.ids.theirs, session: self.ids.outgoing_session, sent }
    }

    /// Takes the commands of a datagram that belongs to this connection.
    pub(super) fn handle(
        &mut self,
        now: Time,
        head: &Head,
        commands: &[Command<'_>],
        events: &mut VecDeque<Event>,
    ) {
        self.last_heard = now;
        for command in commands {
            if self.take(now, command, events) == Verdict::Acknowledge {
                self.acknowledge(head, command);
            }
        }
    }

    /// Owes an acknowledgement for `command`; needs the time it was sent.
    pub(super) fn acknowledge(&mut self, head: &Head, command: &Command<'_>) {
        if let (true, Some(sent)) = (command.acknowledge && self.acks.len() < MAX_ACKS, head.sent) {
            self.acks.push_back(Ack { channel: command.channel, seq: command.seq, sent });
        }
    }

    fn take(&mut self, now: Time, command: &Command<'_>, events: &mut VecDeque<Event>) -> Verdict {
        match command.body {
            Body::Ack { seq, sent } => self.acknowledged(now, command.channel, seq, sent, events),
            Body::Disconnect { .. } => self.goodbye(now, events),
            Body::Ping | Body::BandwidthLimit { .. } | Body::Throttle(_) | Body::UnreliableFragment(_) => {}
            // Handled where connections are made; here they are repetitions.
            Body::Connect { .. } => return Verdict::Refuse,
            Body::Verify(_) => {}
            Body::Reliable(_) | Body::Unreliable { .. } | Body::Fragment(_) | Body::Unsequenced { .. } => {
                return self.message(command, events);
            }
        }
        if self.state == State::Answered { Verdict::Refuse } else { Verdict::Acknowledge }
    }

    fn message(&mut self, command: &Command<'_>, events: &mut VecDeque<Event>) -> Verdict {
        if self.is_over() || self.state == State::Disconnecting {
            // Nobody listens any more, but the peer need not repeat it.
            return Verdict::Acknowledge;
        }
        let (peer, channel) = (self.peer, command.channel);
        let open = self.is_open();
        let Some(incoming) = self.channels.get_mut(usize::from(channel)).filter(|_| open) else {
            return Verdict::Refuse;
        };
        let limit = self.room.max_message;
        let mut deliver = |bytes| events.push_back(Event::Message { peer, channel, bytes });
        match command.body {
            Body::Reliable(data) | Body::Unreliable { data, .. } | Body::Unsequenced { data, .. }
                if data.len() > limit =>
            {
                return Verdict::Refuse;
            }
            Body::Reliable(data) => {
                return incoming.reliable(command.seq, data, &mut self.room, &mut deliver);
            }
            Body::Fragment(fragment) => {
                return incoming.fragment(command.seq, &fragment, &mut self.room, &mut deliver);
            }
            Body::Unreliable { seq, data } => {
                incoming.unreliable(command.seq, seq, data, &mut self.room, &mut deliver);
            }
            Body::Unsequenced { group, data } => {
                // The counter nearest to the highest one that ends in these 16 bits.
                let last = self.groups.end() - 1;
                let step = group.wrapping_sub(u16::try_from(last & 0xFFFF).unwrap_or(0)).cast_signed();
                if self.groups.accept(last.saturating_add_signed(i64::from(step))) {
                    deliver(data.to_vec());
                }
            }
            _ => {}
        }
        Verdict::Acknowledge
    }

    fn acknowledged(&mut self, now: Time, channel: u8, seq: u16, sent: u16, events: &mut VecDeque<Event>) {
        if !self.out.acknowledged(now, channel, seq, sent) {
            return;
        }
        match self.state {
            State::Answered => {
                self.state = State::Connected;
                events.push_back(Event::Connected { peer: self.peer, data: self.data, addr: self.addr });
            }
            State::Disconnecting if self.out.is_settled() => self.over(now, false, events),
            _ => {}
        }
    }

    fn goodbye(&mut self, now: Time, events: &mut VecDeque<Event>) {
        match self.state {
            State::Connected => self.over(now + LINGER, true, events),
            State::Draining | State::Disconnecting => self.over(now + LINGER, false, events),
            State::Connecting => self.over(now, true, events),
            State::Answered => self.state = State::Over(now),
            State::Over(_) => {}
        }
    }

    fn over(&mut self, until: Time, by_peer: bool, events: &mut VecDeque<Event>) {
        self.state = State::Over(until);
        self.out.clear();
        self.channels.clear();
        self.room.waiting = 0;
        events.push_back(Event::Disconnected { peer: self.peer, by_peer });
    }

    /// Lets time pass: time-outs, pings, the end of draining.
    pub(super) fn tick(&mut self, now: Time, events: &mut VecDeque<Event>) {
        if self.expires().is_some_and(|at| at <= now) {
            match self.state {
                State::Answered => self.state = State::Over(now),
                _ => self.over(now, false, events),
            }
        }
        if self.state == State::Draining && self.out.is_settled() {
            self.state = State::Disconnecting;
            self.out.connection(Body::Disconnect { data: 0 });
        }
        if self.ping_at().is_some_and(|at| at <= now) {
            self.out.connection(Body::Ping);
        }
    }

    fn ping_at(&self) -> Option<Time> {
        let idle = self.state == State::Connected && self.out.is_settled();
        idle.then(|| self.last_heard + PING_INTERVAL)
    }

    /// When the connection is given up if nothing comes.
    fn expires(&self) -> Option<Time> {
        match self.state {
            State::Over(_) => None,
            State::Answered | State::Connecting => Some(self.created + self.handshake_timeout),
            _ => Some(self.out.silent_since()? + self.timeout),
        }
    }

    /// When [`tick`](Self::tick) or [`datagram`](Self::datagram) has work.
    pub(super) fn deadline(&self) -> Option<Time> {
        let linger = if let State::Over(until) = self.state { Some(until) } else { None };
        [linger, self.expires(), self.ping_at(), self.out.due()].into_iter().flatten().min()
    }

    /// The next datagram to the peer, if there is something to say now.
    pub(super) fn datagram(&mut self, now: Time) -> Option<Vec<u8>> {
        if self.acks.is_empty() && self.out.due().is_none_or(|due| due > now) {
            return None;
        }
        let mut body = Vec::new();
        let mut commands = 0;
        let limit = self.mtu - wire::HEAD_LEN;
        while commands < wire::MAX_COMMANDS && body.len() + wire::ACK_LEN <= limit {
            let Some(Ack { channel, seq, sent }) = self.acks.pop_front() else { break };
            let ack = Body::Ack { seq, sent };
            let command = Command { acknowledge: false, unsequenced: false, channel, seq, body: ack };
            wire::encode_command(&command, &mut body);
            commands += 1;
        }
        let wants = self.out.fill(now, &mut commands, limit, &mut body);
        if body.is_empty() {
            return None;
        }
        let mut bytes = Vec::with_capacity(wire::HEAD_LEN + body.len());
        wire::encode_head(self.head(wants.then(|| low_millis(now))), &mut bytes);
        bytes.extend_from_slice(&body);
        Some(bytes)
    }
}
