//! What is sent at a time: datagrams of one size laid end to end, and a pool
//! that hands the buffers round so that a running stream allocates nothing.

use std::sync::{Mutex, PoisonError};

/// Datagrams for one address, end to end in one buffer: the layout that the
/// kernel's segmentation offload takes without a copy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// The datagrams; each is `segment` bytes long, the last may be shorter.
    pub bytes: Vec<u8>,
    /// Bytes per datagram. Zero means that `bytes` is one datagram.
    pub segment: usize,
}

impl Batch {
    /// A batch of `bytes` cut every `segment` bytes.
    pub fn new(bytes: Vec<u8>, segment: usize) -> Self {
        Self { bytes, segment }
    }

    /// The datagrams, borrowed.
    pub fn datagrams(&self) -> Datagrams<'_> {
        Datagrams::new(&self.bytes, self.segment)
    }
}

/// A borrowed run of datagrams of one size, the last of which may be shorter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagrams<'a> {
    bytes: &'a [u8],
    segment: usize,
}

impl<'a> Datagrams<'a> {
    /// `bytes` cut every `segment` bytes; zero means one datagram.
    pub fn new(bytes: &'a [u8], segment: usize) -> Self {
        let segment = if segment == 0 { bytes.len() } else { segment };
        Self { bytes, segment: segment.max(1) }
    }

    /// A single datagram.
    pub fn one(bytes: &'a [u8]) -> Self {
        Self::new(bytes, bytes.len())
    }

    /// How many datagrams there are.
    pub fn len(self) -> usize {
        self.bytes.len().div_ceil(self.segment)
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.bytes.is_empty()
    }

    /// All bytes, end to end.
    pub fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// Bytes per datagram (all but the last).
    pub fn segment(self) -> usize {
        self.segment
    }

    /// The first `count` datagrams and the rest; all and none if there are fewer.
    pub fn split_at(self, count: usize) -> (Self, Self) {
        let cut = count.saturating_mul(self.segment).min(self.bytes.len());
        let (head, tail) = self.bytes.split_at(cut);
        (Self { bytes: head, ..self }, Self { bytes: tail, ..self })
    }

    /// The datagrams in order.
    pub fn iter(self) -> std::slice::Chunks<'a, u8> {
        self.bytes.chunks(self.segment)
    }
}

impl<'a> IntoIterator for Datagrams<'a> {
    type Item = &'a [u8];
    type IntoIter = std::slice::Chunks<'a, u8>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Buffers waiting for their next use. Shared by the thread that fills batches
/// and the thread that sends them.
#[derive(Debug)]
pub struct BufferPool {
    free: Mutex<Vec<Vec<u8>>>,
    keep: usize,
}

impl BufferPool {
    /// A pool that keeps at most `keep` buffers; more are freed.
    pub fn new(keep: usize) -> Self {
        Self { free: Mutex::new(Vec::with_capacity(keep)), keep }
    }

    /// An empty buffer, with the capacity of its earlier use if it had one.
    pub fn take(&self) -> Vec<u8> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// Gives a buffer back.
    pub fn put(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < self.keep && buffer.capacity() > 0 {
            free.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_are_cut_at_the_segment_and_the_last_may_be_short() {
        let batch = Batch::new((0..10).collect(), 4);
        let sizes: Vec<usize> = batch.datagrams().iter().map(<[u8]>::len).collect();
        assert_eq!(sizes, [4, 4, 2]);
        assert_eq!(batch.datagrams().len(), 3);
        let (head, tail) = batch.datagrams().split_at(2);
        assert_eq!((head.len(), tail.len()), (2, 1));
        assert_eq!(tail.bytes(), [8, 9]);
        assert!(batch.datagrams().split_at(9).1.is_empty());
    }

    #[test]
    fn a_segment_of_zero_is_one_datagram_and_no_bytes_are_none() {
        assert_eq!(Batch::new(vec![1, 2, 3], 0).datagrams().len(), 1);
        assert_eq!(Batch::default().datagrams().len(), 0);
    }

    #[test]
    fn a_returned_buffer_keeps_its_memory() {
        let pool = BufferPool::new(1);
        let mut buffer = pool.take();
        buffer.extend_from_slice(&[7; 1000]);
        let memory = buffer.as_ptr();
        pool.put(buffer);
        pool.put(vec![0; 8]);
        let again = pool.take();
        assert!(again.is_empty() && again.as_ptr() == memory);
        assert_eq!(pool.take().capacity(), 0);
    }
}
