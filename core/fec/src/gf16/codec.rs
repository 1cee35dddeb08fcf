//! Encoding a block, and rebuilding its missing data shards.

use std::fmt;

use reed_solomon_simd::{ReedSolomonDecoder, ReedSolomonEncoder};

use super::{Error, MAX_SHARDS, Shards, ShardsMut};

/// Computes parity. Keeps its working memory: sizes seen before allocate nothing.
#[derive(Default)]
pub struct Encoder {
    work: Option<ReedSolomonEncoder>,
}

/// Rebuilds missing data. Keeps its working memory: sizes seen before allocate nothing.
#[derive(Default)]
pub struct Decoder {
    work: Option<ReedSolomonDecoder>,
    seen: Vec<bool>,
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder").finish_non_exhaustive()
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder").finish_non_exhaustive()
    }
}

impl Encoder {
    /// An encoder that has no working memory yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Overwrites `parity` with the parity of `data`; how many shards each has is the
    /// `(k, m)` of the block. No parity shard at all is fine and does nothing.
    ///
    /// # Errors
    ///
    /// [`Error::ShardCount`] and [`Error::Length`]; then nothing was written.
    pub fn encode(&mut self, data: Shards<'_>, mut parity: ShardsMut<'_>) -> Result<(), Error> {
        let (k, m, len) = (data.count(), parity.count(), data.shard_len());
        check(k, m, len)?;
        if m == 0 {
            return Ok(());
        }
        if parity.shard_len() != len {
            return Err(Error::Length);
        }
        let refused = |_| Error::ShardCount { data: k, parity: m };
        let work = match &mut self.work {
            Some(work) => {
                work.reset(k, m, len).map_err(refused)?;
                work
            }
            empty => empty.insert(ReedSolomonEncoder::new(k, m, len).map_err(refused)?),
        };
        for i in 0..k {
            work.add_original_shard(data.shard(i).unwrap_or_default()).map_err(refused)?;
        }
        let result = work.encode().map_err(refused)?;
        for (i, from) in result.recovery_iter().enumerate() {
            if let Some(to) = parity.shard(i) {
                to.copy_from_slice(from);
            }
        }
        Ok(())
    }
}

impl Decoder {
    /// A decoder that has no working memory yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Restores the missing shards of `data`, those that are false in `have`, from the
    /// others and from `parity`: shards of the block's `m` parity shards, each with its
    /// index. More of them than are needed do no harm.
    ///
    /// # Errors
    ///
    /// All of [`Error`]; then nothing was written.
    pub fn decode(
        &mut self,
        data: ShardsMut<'_>,
        have: &[bool],
        parity: &[(u16, &[u8])],
        m: usize,
    ) -> Result<(), Error> {
        self.restore(data, have, parity.iter().copied(), m)
    }

    /// As [`Decoder::decode`] for parity shards in one buffer: `indices` holds the
    /// index of each of `parity`, in any order.
    ///
    /// # Errors
    ///
    /// As [`Decoder::decode`]; [`Error::Length`] also when `indices` is not as long as
    /// there are shards in `parity`.
    pub fn decode_strided(
        &mut self,
        data: ShardsMut<'_>,
        have: &[bool],
        parity: Shards<'_>,
        indices: &[u16],
        m: usize,
    ) -> Result<(), Error> {
        if indices.len() != parity.count() {
            return Err(Error::Length);
        }
        let shards = (0..parity.count()).filter_map(|i| parity.shard(i));
        self.restore(data, have, indices.iter().copied().zip(shards), m)
    }

    fn restore<'p>(
        &mut self,
        mut data: ShardsMut<'_>,
        have: &[bool],
        parity: impl Iterator<Item = (u16, &'p [u8])> + Clone,
        m: usize,
    ) -> Result<(), Error> {
        let (k, len) = (data.count(), data.shard_len());
        check(k, m, len)?;
        if have.len() != k || parity.clone().any(|(_, shard)| shard.len() != len) {
            return Err(Error::Length);
        }
        self.seen.clear();
        self.seen.resize(m, false);
        for (index, _) in parity.clone() {
            match self.seen.get_mut(usize::from(index)) {
                Some(seen) if !*seen => *seen = true,
                _ => return Err(Error::ParityIndex(index)),
            }
        }
        let missing = have.iter().filter(|have| !**have).count();
        let there = parity.clone().count();
        if missing > there {
            return Err(Error::TooFewShards { missing, parity: there });
        }
        if missing == 0 {
            return Ok(());
        }
        let refused = |_| Error::ShardCount { data: k, parity: m };
        let work = match &mut self.work {
            Some(work) => {
                work.reset(k, m, len).map_err(refused)?;
                work
            }
            empty => empty.insert(ReedSolomonDecoder::new(k, m, len).map_err(refused)?),
        };
        for (i, _) in have.iter().enumerate().filter(|(_, have)| **have) {
            work.add_original_shard(i, data.as_shards().shard(i).unwrap_or_default()).map_err(refused)?;
        }
        for (index, shard) in parity.take(missing) {
            work.add_recovery_shard(index.into(), shard).map_err(refused)?;
        }
        let result = work.decode().map_err(refused)?;
        for (i, from) in result.restored_original_iter() {
            if let Some(to) = data.shard(i) {
                to.copy_from_slice(from);
            }
        }
        Ok(())
    }
}

fn check(data: usize, parity: usize, len: usize) -> Result<(), Error> {
    if data == 0 || data > MAX_SHARDS || parity > MAX_SHARDS {
        return Err(Error::ShardCount { data, parity });
    }
    if len == 0 || len % 2 != 0 { Err(Error::Length) } else { Ok(()) }
}
