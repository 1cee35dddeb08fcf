//! Views of equally long shards that lie at equal distances in one buffer, as in a
//! batch of datagrams.

use super::Error;

/// Shards to read: shard `i` is the `len` bytes from `i * stride`.
#[derive(Clone, Copy, Debug)]
pub struct Shards<'a> {
    bytes: &'a [u8],
    shape: Shape,
}

/// Shards to write: shard `i` is the `len` bytes from `i * stride`. What lies between
/// them is never touched.
#[derive(Debug)]
pub struct ShardsMut<'a> {
    bytes: &'a mut [u8],
    shape: Shape,
}

/// Where shards lie in a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) count: usize,
    pub(super) len: usize,
    pub(super) stride: usize,
}

impl Shape {
    fn checked(self, bytes: usize) -> Result<Self, Error> {
        let Self { count, len, stride } = self;
        let last = count.saturating_sub(1).checked_mul(stride);
        let end = last.and_then(|last| last.checked_add(len));
        let inside = count == 0 || end.is_some_and(|end| end <= bytes);
        // Shards of one buffer that overlap would be written over each other.
        let apart = len <= stride || count <= 1;
        if inside && apart { Ok(self) } else { Err(Error::Layout { count, len, stride, bytes }) }
    }
}

impl<'a> Shards<'a> {
    /// `count` shards of `len` bytes, `stride` bytes apart, from the start of `bytes`.
    /// The last one need not be followed by anything.
    ///
    /// # Errors
    ///
    /// [`Error::Layout`] when they reach beyond the end or overlap.
    pub fn new(bytes: &'a [u8], count: usize, len: usize, stride: usize) -> Result<Self, Error> {
        let shape = Shape { count, len, stride }.checked(bytes.len())?;
        Ok(Self { bytes, shape })
    }

    /// How many there are.
    pub const fn count(&self) -> usize {
        self.shape.count
    }

    /// Bytes of each.
    pub const fn shard_len(&self) -> usize {
        self.shape.len
    }

    /// Where they begin, and the bytes from one to the next.
    pub(super) const fn place(&self) -> (*const u8, usize) {
        (self.bytes.as_ptr(), self.shape.stride)
    }

    /// Shard `index`, if there is one.
    pub fn shard(&self, index: usize) -> Option<&'a [u8]> {
        let at = index.checked_mul(self.shape.stride).filter(|_| index < self.shape.count)?;
        self.bytes.get(at..)?.get(..self.shape.len)
    }
}

impl<'a> ShardsMut<'a> {
    /// `count` shards of `len` bytes, `stride` bytes apart, from the start of `bytes`.
    /// The last one need not be followed by anything.
    ///
    /// # Errors
    ///
    /// [`Error::Layout`] when they reach beyond the end or overlap.
    pub fn new(bytes: &'a mut [u8], count: usize, len: usize, stride: usize) -> Result<Self, Error> {
        let shape = Shape { count, len, stride }.checked(bytes.len())?;
        Ok(Self { bytes, shape })
    }

    /// How many there are.
    pub const fn count(&self) -> usize {
        self.shape.count
    }

    /// Bytes of each.
    pub const fn shard_len(&self) -> usize {
        self.shape.len
    }

    /// Shard `index`, if there is one.
    pub fn shard(&mut self, index: usize) -> Option<&mut [u8]> {
        let at = index.checked_mul(self.shape.stride).filter(|_| index < self.shape.count)?;
        self.bytes.get_mut(at..)?.get_mut(..self.shape.len)
    }

    /// Where they begin, and the bytes from one to the next.
    pub(super) const fn place(&mut self) -> (*mut u8, usize) {
        (self.bytes.as_mut_ptr(), self.shape.stride)
    }
}
