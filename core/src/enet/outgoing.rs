//! The sending half of a connection: numbers commands, keeps reliable ones until
//! they are acknowledged, and decides when to send them again.

use std::collections::VecDeque;
use std::time::Duration;

use super::wire::{self, Body, CONNECTION, Command, Fragment};
use super::{Delivery, SendError};
use crate::time::Time;

/// Reliable commands and bytes that may be on their way at a time.
const MAX_IN_FLIGHT: usize = 512;
const MAX_IN_FLIGHT_BYTES: usize = 64 * 1024;
/// Unreliable messages that may wait for the next datagram; the oldest gives way.
const MAX_UNRELIABLE: usize = 256;
/// The longest a retransmission waits before it is multiplied by the attempts.
const MAX_RETRANSMISSION: Duration = Duration::from_secs(2);
/// Attempts by which the wait is multiplied at most.
const MAX_BACKOFF: u32 = 2;

/// A reliable command, encoded, with its life so far.
#[derive(Clone, Debug)]
struct Reliable {
    channel: u8,
    seq: u16,
    bytes: Vec<u8>,
    first_sent: Time,
    due: Time,
    attempts: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Numbers {
    reliable: u16,
    unreliable: u16,
}

/// The sending half of a connection.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    connection: u16,
    channels: Vec<Numbers>,
    group: u16,
    queue: VecDeque<Reliable>,
    in_flight: Vec<Reliable>,
    unreliable: VecDeque<Vec<u8>>,
    /// Bytes of reliable commands, queued and in flight.
    bytes: usize,
    bytes_in_flight: usize,
    rtt: Duration,
    variance: Duration,
    measured: bool,
    last_ack: Time,
}

impl Outgoing {
    pub(super) fn new(channels: u8, now: Time) -> Self {
        Self {
            connection: 0,
            channels: vec![Numbers::default(); usize::from(channels)],
            group: 0,
            queue: VecDeque::new(),
            in_flight: Vec::new(),
            unreliable: VecDeque::new(),
            bytes: 0,
            bytes_in_flight: 0,
            rtt: Duration::from_millis(500),
            variance: Duration::ZERO,
            measured: false,
            last_ack: now,
        }
    }

    /// Channels from here on do not exist.
    pub(super) fn limit_channels(&mut self, channels: u8) {
        self.channels.truncate(usize::from(channels));
    }

    pub(super) fn channels(&self) -> u8 {
        u8::try_from(self.channels.len()).unwrap_or(u8::MAX)
    }

    pub(super) const fn rtt(&self) -> Duration {
        self.rtt
    }

    /// True when nothing reliable waits to be sent or acknowledged.
    pub(super) fn is_settled(&self) -> bool {
        self.queue.is_empty() && self.in_flight.is_empty()
    }

    /// Forgets everything but the numbers: only the end of the connection matters.
    pub(super) fn clear(&mut self) {
        self.queue.clear();
        self.in_flight.clear();
        self.unreliable.clear();
        self.bytes = 0;
        self.bytes_in_flight = 0;
    }

    /// Queues a command of the connection itself.
    pub(super) fn connection(&mut self, body: Body<'_>) {
        self.connection = self.connection.wrapping_add(1);
        self.push(CONNECTION, self.connection, body);
    }

    fn push(&mut self, channel: u8, seq: u16, body: Body<'_>) {
        let mut bytes = Vec::new();
        wire::encode_command(
            &Command { acknowledge: true, unsequenced: false, channel, seq, body },
            &mut bytes,
        );
        self.bytes += bytes.len();
        let origin = Time::default();
        self.queue.push_back(Reliable { channel, seq, bytes, first_sent: origin, due: origin, attempts: 0 });
    }

    /// Queues a message; `mtu` and `max_queued` are those of the connection.
    pub(super) fn message(
        &mut self,
        channel: u8,
        data: &[u8],
        delivery: Delivery,
        mtu: usize,
        max_queued: usize,
    ) -> Result<(), SendError> {
        let granted = self.channels();
        let part = mtu - wire::HEAD_LEN - wire::FRAGMENT_LEN;
        let Some(numbers) = self.channels.get_mut(usize::from(channel)) else {
            return Err(SendError::NoChannel { granted });
        };
        let body = match delivery {
            Delivery::Reliable => {
                let parts = data.len().div_ceil(part).max(1);
                if self.bytes + data.len() + parts * wire::FRAGMENT_LEN > max_queued {
                    return Err(SendError::Full);
                }
                numbers.unreliable = 0;
                let start = numbers.reliable.wrapping_add(1);
                numbers.reliable = numbers.reliable.wrapping_add(u16::try_from(parts).unwrap_or(u16::MAX));
                if parts == 1 {
                    self.push(channel, start, Body::Reliable(data));
                } else {
                    self.fragments(channel, start, data, part);
                }
                return Ok(());
            }
            _ if data.len() > part => return Err(SendError::TooLong { limit: part }),
            Delivery::Unreliable => {
                numbers.unreliable = numbers.unreliable.wrapping_add(1);
                Body::Unreliable { seq: numbers.unreliable, data }
            }
            Delivery::Unsequenced => {
                self.group = self.group.wrapping_add(1);
                Body::Unsequenced { group: self.group, data }
            }
        };
        let unsequenced = delivery == Delivery::Unsequenced;
        let seq = if unsequenced { 0 } else { numbers.reliable };
        let mut bytes = Vec::new();
        wire::encode_command(&Command { acknowledge: false, unsequenced, channel, seq, body }, &mut bytes);
        if self.unreliable.len() == MAX_UNRELIABLE {
            self.unreliable.pop_front();
        }
        self.unreliable.push_back(bytes);
        Ok(())
    }

    fn fragments(&mut self, channel: u8, start: u16, data: &[u8], part: usize) {
        let count = u32::try_from(data.len().div_ceil(part)).unwrap_or(u32::MAX);
        let total = u32::try_from(data.len()).unwrap_or(u32::MAX);
        let (mut seq, mut offset) = (start, 0);
        for (number, data) in (0..count).zip(data.chunks(part)) {
            let fragment = Fragment { start, count, number, total, offset, data };
            self.push(channel, seq, Body::Fragment(fragment));
            seq = seq.wrapping_add(1);
            offset += u32::try_from(data.len()).unwrap_or(0);
        }
    }

    /// An acknowledgement came; `sent` is the echoed low part of our milliseconds.
    /// False when nothing waits for it.
    pub(super) fn acknowledged(&mut self, now: Time, channel: u8, seq: u16, sent: u16) -> bool {
        let matches = |reliable: &Reliable| reliable.channel == channel && reliable.seq == seq;
        if let Some(at) = self.in_flight.iter().position(matches) {
            let done = self.in_flight.remove(at);
            self.bytes -= done.bytes.len();
            self.bytes_in_flight -= done.bytes.len();
            self.last_ack = now;
            let rtt = low_millis(now).wrapping_sub(sent);
            if rtt < 0x8000 {
                self.measure(Duration::from_millis(u64::from(rtt.max(1))));
            }
            return true;
        }
        false
    }

    /// CONNECT was answered, which needs no acknowledgement of its own.
    pub(super) fn connect_answered(&mut self, now: Time) {
        if let Some(connect) = self.in_flight.iter().find(|r| r.channel == CONNECTION && r.seq == 1) {
            let sent = low_millis(connect.first_sent);
            self.acknowledged(now, CONNECTION, 1, sent);
        }
    }

    fn measure(&mut self, rtt: Duration) {
        if !self.measured {
            self.measured = true;
            self.rtt = rtt;
            self.variance = rtt / 2;
            return;
        }
        let difference = self.rtt.abs_diff(rtt);
        self.variance = self.variance - self.variance / 4 + difference / 4;
        self.rtt = if rtt >= self.rtt { self.rtt + difference / 8 } else { self.rtt - difference / 8 };
    }

    fn retransmission(&self, attempts: u32) -> Duration {
        let margin = (4 * self.variance.max(Duration::from_millis(1))).min(self.rtt);
        (self.rtt + margin).min(MAX_RETRANSMISSION) * attempts.clamp(1, MAX_BACKOFF)
    }

    /// Since when the peer should have acknowledged something and did not.
    pub(super) fn silent_since(&self) -> Option<Time> {
        let oldest = self.in_flight.iter().map(|reliable| reliable.first_sent).min()?;
        Some(oldest.max(self.last_ack))
    }

    /// When [`fill`](Self::fill) has something to send.
    pub(super) fn due(&self) -> Option<Time> {
        let new = !self.unreliable.is_empty() || self.next_fits();
        if new { Some(Time::default()) } else { self.in_flight.iter().map(|reliable| reliable.due).min() }
    }

    fn next_fits(&self) -> bool {
        self.in_flight.len() < MAX_IN_FLIGHT
            && self.queue.front().is_some_and(|next| {
                self.in_flight.is_empty() || self.bytes_in_flight + next.bytes.len() <= MAX_IN_FLIGHT_BYTES
            })
    }

    /// Adds commands to a datagram as far as `limit` bytes and the count allow.
    /// Returns true when one of them wants an acknowledgement.
    pub(super) fn fill(&mut self, now: Time, commands: &mut usize, limit: usize, out: &mut Vec<u8>) -> bool {
        let mut wants = false;
        let fits = |bytes: &[u8], out: &Vec<u8>, commands: usize| {
            commands < wire::MAX_COMMANDS && out.len() + bytes.len() <= limit
        };
        for at in 0..self.in_flight.len() {
            let attempts = self.in_flight[at].attempts + 1;
            let wait = self.retransmission(attempts);
            let reliable = &mut self.in_flight[at];
            if reliable.due <= now && fits(&reliable.bytes, out, *commands) {
                out.extend_from_slice(&reliable.bytes);
                reliable.attempts = attempts;
                reliable.due = now + wait;
                *commands += 1;
                wants = true;
            }
        }
        // Before new reliable ones: the peer drops an unreliable message as stale once
        // a later reliable one has arrived, and holds it while an earlier one has not.
        while let Some(bytes) = super::pop_front_if(&mut self.unreliable, |bytes| fits(bytes, out, *commands))
        {
            out.extend_from_slice(&bytes);
            *commands += 1;
        }
        while self.next_fits() && self.queue.front().is_some_and(|next| fits(&next.bytes, out, *commands)) {
            let Some(mut reliable) = self.queue.pop_front() else { break };
            out.extend_from_slice(&reliable.bytes);
            self.bytes_in_flight += reliable.bytes.len();
            reliable.first_sent = now;
            reliable.attempts = 1;
            reliable.due = now + self.retransmission(1);
            self.in_flight.push(reliable);
            *commands += 1;
            wants = true;
        }
        wants
    }
}

/// The part of a moment that fits a datagram's head.
pub(super) fn low_millis(now: Time) -> u16 {
    u16::try_from(now.as_millis() & 0xFFFF).unwrap_or(0)
}
