//! Blocks of any shape through every backend: what the fuzzer and the corpus tests drive.

use super::{Backend, Decoder, Encoder, Shards, ShardsMut};

/// Bytes of a block that is tried: many small ones find more than few large ones.
const MOST: usize = 16 * 1024;

/// A block as a script describes it.
struct Block {
    k: usize,
    m: usize,
    len: usize,
    stride: usize,
    have: Vec<bool>,
    /// Indices of the parity shards that arrived, as foreign as all the rest.
    indices: Vec<u16>,
    data: Vec<u8>,
    parity: Vec<u8>,
}

impl Block {
    /// Data shards and parity shards (two bytes each), bytes of a shard, signed distance
    /// to the next, a byte that cuts the end off the buffer, how many parity shards
    /// arrived, two bytes for the index of each, a byte for each data shard whether it
    /// is there, and content.
    fn read(script: &[u8]) -> Option<Self> {
        let (&[k0, k1, m0, m1, len, gap, cut, count], rest) = script.split_first_chunk::<8>()?;
        let (k, m) = (usize::from(u16::from_le_bytes([k0, k1])), usize::from(u16::from_le_bytes([m0, m1])));
        let len = usize::from(len);
        let stride = len.saturating_add_signed(gap.cast_signed().into());
        let arrived = usize::from(count);
        let bytes = stride.max(len).checked_mul(k.max(arrived))?;
        if bytes.max(k).max(m * len) > MOST {
            return None;
        }
        let (indices, rest) = rest.split_at(rest.len().min(2 * arrived));
        let mut indices: Vec<u16> =
            indices.as_chunks().0.iter().map(|index| u16::from_le_bytes(*index)).collect();
        indices.resize(arrived, 0);
        let (flags, content) = rest.split_at(rest.len().min(k));
        let mut have: Vec<bool> = flags.iter().map(|flag| flag & 1 == 0).collect();
        have.resize(k, true);
        let mut content = content.iter().copied().chain(std::iter::repeat(0x5A));
        let data = content.by_ref().take((stride * k).saturating_sub(cut.into())).collect();
        let parity = content.take(len * arrived).collect();
        Some(Self { k, m, len, stride, have, indices, data, parity })
    }

    /// True when byte `at` belongs to a data shard that is missing.
    fn may_be_written(&self, at: usize) -> bool {
        let Some(shard) = at.checked_div(self.stride) else { return false };
        self.have.get(shard) == Some(&false) && at % self.stride < self.len
    }

    /// Repairs it as it is; the bytes that came of it, if it can be repaired.
    fn repair(&self, decoder: &mut Decoder) -> Option<Vec<u8>> {
        let mut bytes = self.data.clone();
        let parity = Shards::new(&self.parity, self.indices.len(), self.len, self.len).ok()?;
        let data = ShardsMut::new(&mut bytes, self.k, self.len, self.stride).ok()?;
        let result = decoder.decode_strided(data, &self.have, parity, &self.indices, self.m);
        let kept = |at: usize| bytes.get(at) == self.data.get(at);
        if result.is_err() {
            assert!(bytes == self.data, "a refused block was written to");
            return None;
        }
        assert!((0..bytes.len()).all(|at| self.may_be_written(at) || kept(at)), "too much written");
        Some(bytes)
    }

    /// Encodes what it holds, loses what it says is missing, and repairs that with all
    /// parity, the last shard first.
    fn round_trip(mut self, backend: Backend) {
        let mut parity = vec![0; self.m * self.len];
        let Ok(data) = Shards::new(&self.data, self.k, self.len, self.stride) else { return };
        let Ok(to) = ShardsMut::new(&mut parity, self.m, self.len, self.len) else { return };
        if Encoder::with(backend).encode(data, to).is_err() {
            return;
        }
        let whole = self.data.clone();
        for at in 0..self.data.len() {
            if self.may_be_written(at)
                && let Some(byte) = self.data.get_mut(at)
            {
                *byte = !*byte;
            }
        }
        self.indices = (0..self.m).rev().filter_map(|index| index.try_into().ok()).collect();
        self.parity = parity.chunks_exact(self.len).rev().flatten().copied().collect();
        let repaired = self.repair(&mut Decoder::with(backend));
        let missing = self.have.iter().filter(|have| !**have).count();
        assert_eq!(repaired.is_some(), missing <= self.m, "what can be repaired is, and nothing else");
        assert!(repaired.is_none_or(|repaired| repaired == whole), "another block came back");
    }
}

/// Repairs a block whose shape, losses, parity and bytes `script` picks, on every
/// backend, and another of that shape that was encoded before.
///
/// # Panics
///
/// When backends differ, a refused block was written to, anything but missing data was
/// written, or what was encoded does not come back: all are defects.
pub fn exercise(script: &[u8]) {
    let Some(block) = Block::read(script) else { return };
    let backends = || Backend::ALL.into_iter().filter(|backend| backend.available());
    let mut results = backends().map(|backend| block.repair(&mut Decoder::with(backend)));
    let first = results.next();
    assert!(results.all(|other| Some(other) == first), "backends differ");
    for backend in backends() {
        if let Some(block) = Block::read(script) {
            block.round_trip(backend);
        }
    }
}
