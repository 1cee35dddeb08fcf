//! Blocks of any shape through every backend: what the fuzzer and the corpus tests drive.

use super::{Backend, Codec, Stripe, audio};

/// Bytes of a block that is tried: many small ones find more than few large ones.
const MOST: usize = 8 * 1024;

/// A block as a script describes it.
struct Block {
    data: usize,
    stripe: Stripe,
    present: Vec<bool>,
    bytes: Vec<u8>,
}

impl Block {
    /// Four bytes of shape (data shards, shards in all, bytes of a shard, signed distance
    /// to the next), one that cuts the end off the buffer, then for each shard whether it
    /// is there, and its content.
    fn read(script: &[u8]) -> Option<Self> {
        let (&[data, count, len, gap, cut], rest) = script.split_first_chunk::<5>()?;
        let len = usize::from(len);
        let stripe = Stripe { stride: len.saturating_add_signed(gap.cast_signed().into()), len };
        let (flags, content) = rest.split_at(rest.len().min(usize::from(count)));
        let mut present: Vec<_> = flags.iter().map(|flag| flag & 1 == 0).collect();
        present.resize(usize::from(count), true);
        let whole = usize::from(count) * stripe.stride.max(len);
        if whole > MOST {
            return None;
        }
        let content = content.iter().copied().chain(std::iter::repeat(0x5A));
        let bytes = content.take(whole.saturating_sub(cut.into())).collect();
        Some(Self { data: data.into(), stripe, present, bytes })
    }

    fn missing(&self) -> usize {
        self.present.iter().take(self.data).filter(|there| !**there).count()
    }

    /// True when byte `at` belongs to a data shard that is missing.
    fn may_be_written(&self, at: usize) -> bool {
        let Some(shard) = at.checked_div(self.stripe.stride) else { return false };
        shard < self.data
            && self.present.get(shard) == Some(&false)
            && at % self.stripe.stride < self.stripe.len
    }

    /// Repairs it as it is; the bytes that came of it.
    fn repair(&self, backend: Backend) -> Option<Vec<u8>> {
        let mut bytes = self.bytes.clone();
        let result = Codec::new(backend).repair_stripe(&mut bytes, self.stripe, self.data, &self.present);
        let changed = |at: usize| bytes.get(at) != self.bytes.get(at);
        match result {
            Ok(count) => {
                assert_eq!(count, self.missing());
                assert!(
                    (0..bytes.len()).all(|at| self.may_be_written(at) || !changed(at)),
                    "too much written"
                );
                Some(bytes)
            }
            Err(_) => {
                assert_eq!(bytes, self.bytes, "a refused block was written to");
                None
            }
        }
    }

    /// Encodes what it holds, loses what it says is missing, and repairs that.
    fn round_trip(mut self, backend: Backend) {
        let mut codec = Codec::new(backend);
        let Some(parity) = self.present.len().checked_sub(self.data) else { return };
        let at = (self.data * self.stripe.stride).min(self.bytes.len());
        let (data, rest) = self.bytes.split_at_mut(at);
        if codec.encode_stripe((self.data, parity), self.stripe, data, rest).is_err() {
            return;
        }
        let whole = self.bytes.clone();
        for at in 0..self.bytes.len() {
            if self.may_be_written(at)
                && let Some(byte) = self.bytes.get_mut(at)
            {
                *byte = !*byte;
            }
        }
        if let Some(repaired) = self.repair(backend) {
            assert!(repaired == whole, "another block came back");
        }
    }
}

/// Repairs a block whose shape, losses and bytes `script` picks, on every backend; the
/// other code repairs six shards of any lengths out of the same bytes.
///
/// # Panics
///
/// When backends differ, a refused block was written to, anything but missing data was
/// written, or what was encoded does not come back: all are defects.
pub fn exercise(script: &[u8]) {
    let Some(block) = Block::read(script) else { return };
    let backends = || Backend::ALL.into_iter().filter(|backend| backend.available());
    let mut results = backends().map(|backend| block.repair(backend));
    let first = results.next();
    assert!(results.all(|other| Some(other) == first), "backends differ");
    for backend in backends() {
        if let Some(block) = Block::read(script) {
            block.round_trip(backend);
        }
    }
    exercise_audio(script);
}

fn exercise_audio(script: &[u8]) {
    let Some((&[lost, odd, len], rest)) = script.split_first_chunk::<3>() else { return };
    let mut shards: [Vec<u8>; 6] = std::array::from_fn(|shard| {
        let extra = usize::from(odd >> shard & 1);
        rest.iter().copied().cycle().skip(shard).take(usize::from(len) + extra).collect()
    });
    let present = std::array::from_fn(|shard| lost >> shard & 1 == 0);
    let mut codec = audio::Codec::default();
    let before = shards.clone();
    let result = codec.repair(shards.each_mut().map(Vec::as_mut_slice), present);
    for (shard, there) in present.into_iter().enumerate() {
        let kept = shards.get(shard) == before.get(shard);
        assert!(kept || !there, "a shard that was there was written to");
        assert!(kept || result.is_ok(), "a refused block was written to");
    }
}
