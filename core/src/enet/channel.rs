//! The receiving half of one channel: puts reliable messages in order, collects
//! fragments, holds unreliable messages until their reliable predecessor is there.
//!
//! What may wait is bounded: a message that finds no room is refused, not
//! acknowledged, and so sent again by its sender.

use std::collections::VecDeque;

use super::wire::Fragment;

/// Reliable commands further ahead of the next one than this are refused: six of
/// the sixteen windows that ENet divides the sequence numbers into.
const AHEAD: u16 = 6 * 4096;
/// Unreliable messages that may wait for a reliable one, per channel.
const HELD: usize = 64;
/// What a waiting message costs besides its bytes.
const OVERHEAD: usize = 64;

/// What became of a reliable command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It was new or a duplicate: acknowledge it.
    Acknowledge,
    /// There is no room, or it makes no sense: let it be sent again.
    Refuse,
}

/// What all channels of a peer may keep waiting together.
#[derive(Clone, Debug)]
pub(super) struct Room {
    pub(super) max_message: usize,
    pub(super) max_waiting: usize,
    pub(super) waiting: usize,
}

#[derive(Clone, Debug)]
struct Waiting {
    start: u16,
    /// Sequence numbers it takes.
    count: u16,
    data: Vec<u8>,
    /// One flag per fragment that arrived; empty for a whole message.
    arrived: Vec<bool>,
    missing: u16,
}

impl Waiting {
    fn cost(&self) -> usize {
        self.data.len() + self.arrived.len() + OVERHEAD
    }
}

#[derive(Clone, Debug)]
struct Held {
    reliable: u16,
    seq: u16,
    data: Vec<u8>,
}

/// The receiving half of a channel.
#[derive(Clone, Debug)]
pub(super) struct Incoming {
    /// The reliable sequence number that is delivered next.
    next: u16,
    /// The last unreliable one delivered since the last reliable one.
    unreliable: u16,
    /// Ordered by distance from `next`.
    waiting: VecDeque<Waiting>,
    held: VecDeque<Held>,
}

impl Incoming {
    pub(super) const fn new() -> Self {
        Self { next: 1, unreliable: 0, waiting: VecDeque::new(), held: VecDeque::new() }
    }

    /// Takes a whole reliable message.
    pub(super) fn reliable(
        &mut self,
        seq: u16,
        data: &[u8],
        room: &mut Room,
        deliver: &mut dyn FnMut(Vec<u8>),
    ) -> Verdict {
        let ahead = seq.wrapping_sub(self.next);
        if ahead >= 0x8000 {
            return Verdict::Acknowledge;
        }
        if ahead == 0 && self.waiting.front().is_none_or(|first| first.start != seq) {
            deliver(data.to_vec());
            self.advance(1, room, deliver);
            return Verdict::Acknowledge;
        }
        let waiting = Waiting { start: seq, count: 1, data: data.to_vec(), arrived: Vec::new(), missing: 0 };
        match self.find(seq) {
            Ok(_) => Verdict::Acknowledge,
            Err(at) => self.insert(at, waiting, room),
        }
    }

    /// Takes one fragment of a reliable message.
    pub(super) fn fragment(
        &mut self,
        seq: u16,
        fragment: &Fragment<'_>,
        room: &mut Room,
        deliver: &mut dyn FnMut(Vec<u8>),
    ) -> Verdict {
        let total = usize::try_from(fragment.total).unwrap_or(usize::MAX);
        let (Ok(count), Ok(number)) = (u16::try_from(fragment.count), u16::try_from(fragment.number)) else {
            return Verdict::Refuse;
        };
        if total > room.max_message || count > AHEAD || seq != fragment.start.wrapping_add(number) {
            return Verdict::Refuse;
        }
        if fragment.start.wrapping_sub(self.next) >= 0x8000 {
            return Verdict::Acknowledge;
        }
        let at = match self.find(fragment.start) {
            Ok(at) => at,
            Err(at) => {
                let waiting = Waiting {
                    start: fragment.start,
                    count,
                    data: vec![0; total],
                    arrived: vec![false; usize::from(count)],
                    missing: count,
                };
                if self.insert(at, waiting, room) == Verdict::Refuse {
                    return Verdict::Refuse;
                }
                at
            }
        };
        let Some(waiting) = self.waiting.get_mut(at) else { return Verdict::Refuse };
        if waiting.data.len() != total || waiting.count != count {
            return Verdict::Refuse;
        }
        let Some(arrived) = waiting.arrived.get_mut(usize::from(number)) else { return Verdict::Refuse };
        if !*arrived {
            let offset = usize::try_from(fragment.offset).unwrap_or(usize::MAX);
            let Some(place) =
                waiting.data.get_mut(offset..).and_then(|rest| rest.get_mut(..fragment.data.len()))
            else {
                return Verdict::Refuse;
            };
            place.copy_from_slice(fragment.data);
            *arrived = true;
            waiting.missing -= 1;
        }
        self.release(room, deliver);
        Verdict::Acknowledge
    }

    /// Takes an unreliable message that belongs after reliable message `reliable`.
    pub(super) fn unreliable(
        &mut self,
        reliable: u16,
        seq: u16,
        data: &[u8],
        room: &mut Room,
        deliver: &mut dyn FnMut(Vec<u8>),
    ) {
        match reliable.wrapping_sub(self.next.wrapping_sub(1)) {
            0 => {
                let newer = seq.wrapping_sub(self.unreliable);
                if newer != 0 && newer < 0x8000 {
                    self.unreliable = seq;
                    deliver(data.to_vec());
                }
            }
            1..=AHEAD
                if self.held.len() < HELD && room.waiting + data.len() + OVERHEAD <= room.max_waiting =>
            {
                room.waiting += data.len() + OVERHEAD;
                let at = self.held.partition_point(|held| {
                    let order = held.reliable.wrapping_sub(reliable);
                    order >= 0x8000 || order == 0 && held.seq.wrapping_sub(seq) >= 0x8000
                });
                self.held.insert(at, Held { reliable, seq, data: data.to_vec() });
            }
            // Too old, or nowhere to keep it: unreliable messages may get lost.
            _ => {}
        }
    }

    /// Where the message that begins at `start` waits or belongs.
    fn find(&self, start: u16) -> Result<usize, usize> {
        let ahead = start.wrapping_sub(self.next);
        self.waiting.binary_search_by_key(&ahead, |waiting| waiting.start.wrapping_sub(self.next))
    }

    fn insert(&mut self, at: usize, waiting: Waiting, room: &mut Room) -> Verdict {
        let ahead = waiting.start.wrapping_sub(self.next);
        let overlaps_before =
            at.checked_sub(1).and_then(|before| self.waiting.get(before)).is_some_and(|before| {
                u32::from(before.start.wrapping_sub(self.next)) + u32::from(before.count) > u32::from(ahead)
            });
        let overlaps_after = self.waiting.get(at).is_some_and(|after| {
            u32::from(ahead) + u32::from(waiting.count) > u32::from(after.start.wrapping_sub(self.next))
        });
        if overlaps_before || overlaps_after || ahead > AHEAD {
            return Verdict::Refuse;
        }
        // The message everything else waits for always finds room.
        if ahead > 0 && room.waiting + waiting.cost() > room.max_waiting {
            return Verdict::Refuse;
        }
        room.waiting += waiting.cost();
        self.waiting.insert(at, waiting);
        Verdict::Acknowledge
    }

    /// Steps over `count` sequence numbers and delivers what waited for them.
    fn advance(&mut self, count: u16, room: &mut Room, deliver: &mut dyn FnMut(Vec<u8>)) {
        self.next = self.next.wrapping_add(count);
        self.unreliable = 0;
        self.release_held(room, deliver);
        self.release(room, deliver);
    }

    fn release(&mut self, room: &mut Room, deliver: &mut dyn FnMut(Vec<u8>)) {
        while let Some(first) =
            super::pop_front_if(&mut self.waiting, |first| first.start == self.next && first.missing == 0)
        {
            room.waiting -= first.cost();
            deliver(first.data);
            self.next = self.next.wrapping_add(first.count);
            self.unreliable = 0;
            self.release_held(room, deliver);
        }
    }

    fn release_held(&mut self, room: &mut Room, deliver: &mut dyn FnMut(Vec<u8>)) {
        let last = self.next.wrapping_sub(1);
        while let Some(held) = super::pop_front_if(&mut self.held, |held| {
            let order = held.reliable.wrapping_sub(last);
            order == 0 || order >= 0x8000
        }) {
            room.waiting -= held.data.len() + OVERHEAD;
            if held.reliable == last && held.seq != self.unreliable {
                self.unreliable = held.seq;
                deliver(held.data);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ROOM: Room = Room { max_message: 1000, max_waiting: 1000, waiting: 0 };

    #[test]
    fn a_full_channel_refuses_what_is_early_and_takes_what_is_due() {
        let mut channel = Incoming::new();
        let mut room = ROOM;
        let mut heard = Vec::new();
        let mut deliver = |data: Vec<u8>| heard.push(data.len());
        assert_eq!(channel.reliable(2, &[0; 900], &mut room, &mut deliver), Verdict::Acknowledge);
        assert_eq!(channel.reliable(3, &[0; 900], &mut room, &mut deliver), Verdict::Refuse);
        assert_eq!(channel.reliable(1, &[0; 901], &mut room, &mut deliver), Verdict::Acknowledge);
        assert_eq!(channel.reliable(2, &[0; 900], &mut room, &mut deliver), Verdict::Acknowledge);
        assert_eq!(channel.reliable(3, &[0; 902], &mut room, &mut deliver), Verdict::Acknowledge);
        assert_eq!(heard, [901, 900, 902]);
        assert_eq!(room.waiting, 0);
    }

    #[test]
    fn an_unreliable_message_waits_for_its_reliable_predecessor() {
        let mut channel = Incoming::new();
        let mut room = ROOM;
        let mut heard = Vec::new();
        let mut deliver = |data: Vec<u8>| heard.push(data[0]);
        channel.unreliable(1, 2, &[12], &mut room, &mut deliver);
        channel.unreliable(1, 1, &[11], &mut room, &mut deliver);
        channel.unreliable(0, 1, &[1], &mut room, &mut deliver);
        channel.reliable(1, &[10], &mut room, &mut deliver);
        channel.unreliable(1, 2, &[99], &mut room, &mut deliver);
        channel.unreliable(0, 2, &[98], &mut room, &mut deliver);
        assert_eq!(heard, [1, 10, 11, 12]);
        assert_eq!(room.waiting, 0);
    }

    proptest! {
        #[test]
        fn messages_come_out_once_and_in_order_whatever_the_arrival(
            start in any::<u16>(),
            mut order in Just((0u16..40).chain(0..40).collect::<Vec<_>>()).prop_shuffle(),
        ) {
            let mut channel = Incoming::new();
            channel.next = start;
            let mut room = Room { max_message: 100, max_waiting: 100_000, waiting: 0 };
            let mut heard = Vec::new();
            // Numbers divisible by four begin a message of two fragments.
            order.retain(|n| *n < 40);
            for n in order {
                let seq = start.wrapping_add(n);
                let mut deliver = |data: Vec<u8>| heard.extend(data);
                let byte = [u8::try_from(n).unwrap()];
                let verdict = if n % 4 < 2 {
                    let first = n - n % 4;
                    let fragment = Fragment {
                        start: start.wrapping_add(first), count: 2, number: u32::from(n - first),
                        total: 2, offset: u32::from(n - first), data: &byte,
                    };
                    channel.fragment(seq, &fragment, &mut room, &mut deliver)
                } else {
                    channel.reliable(seq, &byte, &mut room, &mut deliver)
                };
                prop_assert_eq!(verdict, Verdict::Acknowledge);
            }
            prop_assert_eq!(heard, (0u8..40).collect::<Vec<_>>());
            prop_assert_eq!(room.waiting, 0);
        }
    }
}
