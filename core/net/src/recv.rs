//! Received datagrams in buffers that are used again for every call.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::addr::{Control, Name};

/// Messages fetched by one system call at most.
pub(crate) const MAX_MESSAGES: usize = 64;
/// Room for a datagram that crossed an ordinary network.
const ORDINARY: usize = 2048;
/// Room for what `UDP_GRO` glues together.
const COALESCED: usize = 65_535;

/// How a call to receive ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// So many datagrams are in the batch (at least one).
    Datagrams(usize),
    /// Nothing came in time.
    TimedOut,
    /// Somebody called `wake`.
    Woken,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    pub len: usize,
    /// Bytes per datagram when the kernel glued several together.
    pub segment: usize,
    pub from: SocketAddr,
    pub local: Option<IpAddr>,
}

impl Slot {
    const EMPTY: Self =
        Self { len: 0, segment: 0, from: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0), local: None };
}

/// Buffers for one receive call and, afterwards, what arrived.
#[derive(Debug)]
pub struct RecvBatch {
    pub(crate) bytes: Vec<u8>,
    pub(crate) stride: usize,
    pub(crate) slots: Vec<Slot>,
    pub(crate) filled: usize,
    pub(crate) names: Vec<Name>,
    pub(crate) controls: Vec<Control>,
    pub(crate) oversized: u64,
}

impl Default for RecvBatch {
    fn default() -> Self {
        Self::new(32)
    }
}

impl RecvBatch {
    /// Room for `messages` (1 to 64) datagrams of up to 2048 bytes; longer ones
    /// are discarded and counted.
    pub fn new(messages: usize) -> Self {
        Self::with_stride(messages, ORDINARY)
    }

    /// Room for `messages` (1 to 64) runs of datagrams, for a socket with
    /// `UdpOptions::gro`: 64 KiB each.
    pub fn coalesced(messages: usize) -> Self {
        Self::with_stride(messages, COALESCED)
    }

    fn with_stride(messages: usize, stride: usize) -> Self {
        let messages = messages.clamp(1, MAX_MESSAGES);
        Self {
            bytes: vec![0; messages * stride],
            stride,
            slots: vec![Slot::EMPTY; messages],
            filled: 0,
            names: vec![Name::empty(); messages],
            controls: vec![Control::empty(); messages],
            oversized: 0,
        }
    }

    /// Forgets what arrived; the memory stays.
    pub fn clear(&mut self) {
        self.filled = 0;
    }

    /// Adds a datagram, for transports that are not sockets. False, and nothing
    /// is added, when there is no slot left or the datagram is too long.
    pub fn push(&mut self, datagram: &[u8], from: SocketAddr, local: Option<IpAddr>) -> bool {
        if self.filled == self.slots.len() || datagram.len() > self.stride {
            return false;
        }
        let start = self.filled * self.stride;
        self.bytes[start..start + datagram.len()].copy_from_slice(datagram);
        self.slots[self.filled] = Slot { len: datagram.len(), segment: 0, from, local };
        self.filled += 1;
        true
    }

    /// Whether every slot is taken.
    pub fn is_full(&self) -> bool {
        self.filled == self.slots.len()
    }

    /// Datagrams discarded so far because they were longer than a slot.
    pub fn oversized(&self) -> u64 {
        self.oversized
    }

    /// What arrived, in order: datagram, sender, and the local address that it
    /// was sent to (the one to answer from). IPv4 peers of a dual-stack socket
    /// appear as IPv4.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], SocketAddr, Option<IpAddr>)> {
        self.slots[..self.filled].iter().zip(self.bytes.chunks(self.stride)).flat_map(|(slot, bytes)| {
            let bytes = &bytes[..slot.len];
            let segment = if slot.segment == 0 { slot.len } else { slot.segment }.max(1);
            // An empty datagram is still a datagram; chunks() would yield none.
            let empty = bytes.is_empty().then_some(bytes);
            empty
                .into_iter()
                .chain(bytes.chunks(segment))
                .map(move |datagram| (datagram, slot.from, slot.local))
        })
    }

    /// What arrived, as [`iter`](Self::iter), to be changed in place, as by those who open
    /// sealed datagrams. Empty datagrams are left out.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&mut [u8], SocketAddr, Option<IpAddr>)> {
        self.slots[..self.filled].iter().zip(self.bytes.chunks_mut(self.stride)).flat_map(|(slot, bytes)| {
            let segment = if slot.segment == 0 { slot.len } else { slot.segment }.max(1);
            let from = (slot.from, slot.local);
            bytes[..slot.len].chunks_mut(segment).map(move |datagram| (datagram, from.0, from.1))
        })
    }

    pub(crate) fn count(&self) -> usize {
        self.slots[..self.filled]
            .iter()
            .map(|slot| if slot.segment == 0 { 1 } else { slot.len.div_ceil(slot.segment).max(1) })
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_run_out_and_are_reused() {
        let from: SocketAddr = "192.0.2.1:9".parse().expect("address");
        let mut batch = RecvBatch::new(2);
        assert!(batch.push(b"one", from, None) && batch.push(b"", from, None));
        assert!(batch.is_full() && !batch.push(b"three", from, None));
        let got: Vec<&[u8]> = batch.iter().map(|(bytes, _, _)| bytes).collect();
        assert_eq!(got, [b"one".as_slice(), b""]);
        batch.clear();
        assert!(!batch.push(&[0; 4096], from, None));
        assert_eq!(batch.iter().count(), 0);
    }

    #[test]
    fn a_coalesced_slot_is_cut_into_its_datagrams() {
        let from: SocketAddr = "192.0.2.1:9".parse().expect("address");
        let mut batch = RecvBatch::new(1);
        assert!(batch.push(b"aabbc", from, None));
        batch.slots[0].segment = 2;
        let got: Vec<&[u8]> = batch.iter().map(|(bytes, _, _)| bytes).collect();
        assert_eq!(got, [b"aa".as_slice(), b"bb", b"c"]);
        assert_eq!(batch.count(), 3);
        batch.iter_mut().for_each(|(datagram, _, _)| datagram[0] = b'x');
        let got: Vec<&[u8]> = batch.iter().map(|(bytes, _, _)| bytes).collect();
        assert_eq!(got, [b"xa".as_slice(), b"xb", b"x"]);
    }
}
