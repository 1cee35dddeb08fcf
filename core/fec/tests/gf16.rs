//! The code of punktfunk/1 against the crate that defines it.

use proptest::prelude::*;
use punktfunk_fec::gf16::{Backend, Decoder, Encoder, Error, MAX_SHARDS, Shards, ShardsMut};

fn backends() -> impl Iterator<Item = Backend> {
    Backend::ALL.into_iter().filter(|backend| backend.available())
}

/// A small generator: the bytes only have to differ.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .collect()
}

/// Some `count` of `of`, without repetition, in a random order.
fn picked(seed: u64, of: usize, count: usize) -> Vec<usize> {
    let mut all: Vec<usize> = (0..of).collect();
    let dice = noise(seed, of * 4);
    for (i, dice) in dice.chunks_exact(4).enumerate() {
        let dice = u32::from_le_bytes(dice.try_into().unwrap()) as usize;
        all.swap(i, i + dice % (of - i));
    }
    all.truncate(count);
    all
}

/// Bytes between shards, which nobody may touch.
const BETWEEN: u8 = 0x77;

/// A block in the layout of a datagram batch, with the parity of the stock crate.
struct Block {
    k: usize,
    m: usize,
    len: usize,
    stride: usize,
    data: Vec<u8>,
    parity: Vec<Vec<u8>>,
}

impl Block {
    fn new(k: usize, m: usize, len: usize, gap: usize, seed: u64) -> Self {
        let stride = len + gap;
        let mut data = vec![BETWEEN; (k - 1) * stride + len];
        let content = noise(seed, k * len);
        for (i, shard) in content.chunks_exact(len).enumerate() {
            data[i * stride..][..len].copy_from_slice(shard);
        }
        let parity = reed_solomon_simd::encode(k, m, content.chunks_exact(len)).unwrap();
        Self { k, m, len, stride, data, parity }
    }

    fn encode(&self, encoder: &mut Encoder) {
        let mut out = vec![BETWEEN; (self.m - 1) * self.stride + self.len];
        let mut expected = out.clone();
        for (i, shard) in self.parity.iter().enumerate() {
            expected[i * self.stride..][..self.len].copy_from_slice(shard);
        }
        let data = Shards::new(&self.data, self.k, self.len, self.stride).unwrap();
        let parity = ShardsMut::new(&mut out, self.m, self.len, self.stride).unwrap();
        encoder.encode(data, parity).unwrap();
        assert!(out == expected, "{}+{} of {}", self.k, self.m, self.len);
    }

    /// Loses these data shards, keeps these parity shards, and repairs.
    fn repair(&self, decoder: &mut Decoder, lost: &[usize], kept: &[usize]) {
        let mut damaged = self.data.clone();
        let mut have = vec![true; self.k];
        for &i in lost {
            damaged[i * self.stride..][..self.len].fill(0xAA);
            have[i] = false;
        }
        let mut again = damaged.clone();
        let parity: Vec<(u16, &[u8])> = kept.iter().map(|&j| (j as u16, self.parity[j].as_slice())).collect();
        let data = ShardsMut::new(&mut damaged, self.k, self.len, self.stride).unwrap();
        decoder.decode(data, &have, &parity, self.m).unwrap();
        assert!(damaged == self.data, "{}+{} of {}: {lost:?} {kept:?}", self.k, self.m, self.len);
        let (indices, joined): (Vec<u16>, Vec<&[u8]>) = parity.into_iter().unzip();
        let joined = joined.concat();
        let parity = Shards::new(&joined, kept.len(), self.len, self.len).unwrap();
        let data = ShardsMut::new(&mut again, self.k, self.len, self.stride).unwrap();
        decoder.decode_strided(data, &have, parity, &indices, self.m).unwrap();
        assert!(again == self.data);
    }
}

#[test]
fn bad_blocks_are_errors_and_nothing_is_written() {
    let mut encoder = Encoder::new();
    let block = vec![1; 64];
    let mut out = vec![9; 64];
    let mut encode = |k, m, len: usize, other: usize| {
        let data = Shards::new(&block, k, len, len).unwrap();
        let result = encoder.encode(data, ShardsMut::new(&mut out, m, other, other).unwrap());
        assert!(result.is_ok() || out.iter().all(|&byte| byte == 9));
        result
    };
    assert_eq!(encode(0, 1, 2, 2), Err(Error::ShardCount { data: 0, parity: 1 }));
    assert_eq!(encode(1, 1, 3, 3), Err(Error::Length));
    assert_eq!(encode(4, 1, 0, 0), Err(Error::Length));
    assert_eq!(encode(4, 1, 4, 2), Err(Error::Length));
    assert_eq!(encode(4, 0, 4, 2), Ok(()));
    assert_eq!(encode(4, 2, 4, 4), Ok(()));
    let layout = Error::Layout { count: 3, len: 4, stride: 3, bytes: 64 };
    assert_eq!(Shards::new(&block, 3, 4, 3).unwrap_err(), layout);
    assert!(Shards::new(&block, 4, 16, 16).is_ok());
    assert!(Shards::new(&block, 4, 16, 17).is_err());
    assert!(Shards::new(&block, 2, 2, usize::MAX).is_err());
    assert!(ShardsMut::new(&mut out, usize::MAX, 2, 2).is_err());
    let large = vec![0; 2 * (MAX_SHARDS + 1)];
    let many = Shards::new(&large, MAX_SHARDS + 1, 2, 2).unwrap();
    let refused = encoder.encode(many, ShardsMut::new(&mut out, 1, 2, 2).unwrap());
    assert_eq!(refused, Err(Error::ShardCount { data: MAX_SHARDS + 1, parity: 1 }));
}

#[test]
fn what_cannot_be_repaired_is_an_error() {
    let mut decoder = Decoder::new();
    let block = Block::new(3, 2, 4, 0, 1);
    let mut bytes = vec![5; 12];
    let mut decode = |have: &[bool], parity: &[(u16, &[u8])], m| {
        let result = decoder.decode(ShardsMut::new(&mut bytes, 3, 4, 4).unwrap(), have, parity, m);
        assert!(result.is_ok() || bytes.iter().all(|&byte| byte == 5));
        result
    };
    let [p, q] = [block.parity[0].as_slice(), block.parity[1].as_slice()];
    let few = |missing, parity| Err(Error::TooFewShards { missing, parity });
    assert_eq!(decode(&[true, false, true], &[], 2), few(1, 0));
    assert_eq!(decode(&[false; 3], &[(0, p), (1, q)], 2), few(3, 2));
    assert_eq!(decode(&[true, false, true], &[(2, p)], 2), Err(Error::ParityIndex(2)));
    assert_eq!(decode(&[true, false, true], &[(u16::MAX, p)], 2), Err(Error::ParityIndex(u16::MAX)));
    assert_eq!(decode(&[true, false, false], &[(1, p), (1, p)], 2), Err(Error::ParityIndex(1)));
    assert_eq!(decode(&[true, false], &[(1, p)], 2), Err(Error::Length));
    assert_eq!(decode(&[true; 4], &[(1, p)], 2), Err(Error::Length));
    assert_eq!(decode(&[true, false, true], &[(1, &p[..2])], 2), Err(Error::Length));
    assert_eq!(decode(&[true, false, true], &[(1, p)], 0), Err(Error::ParityIndex(1)));
    let large = Err(Error::ShardCount { data: 3, parity: usize::MAX });
    assert_eq!(decode(&[true, false, true], &[(1, p)], usize::MAX), large);
    assert_eq!(decode(&[true; 3], &[], 0), Ok(()));
    assert_eq!(decode(&[true, false, true], &[(1, q)], 2), Ok(()));
}

#[test]
fn every_small_block_and_every_loss() {
    let both = |backend| (Encoder::with(backend), Decoder::with(backend));
    let mut codecs: Vec<(Encoder, Decoder)> = backends().map(both).collect();
    for (k, m) in (1..=5usize).flat_map(|k| (1..=5usize).map(move |m| (k, m))) {
        let block = Block::new(k, m, 2 + 2 * (k % 2) + 64 * (m % 2), 3, (k * 8 + m) as u64);
        for (encoder, decoder) in &mut codecs {
            block.encode(encoder);
            for lost in 0u32..1 << k {
                for kept in 0u32..1 << m {
                    if lost.count_ones() <= kept.count_ones() {
                        let of = |bits: u32| (0..8).filter(|i| bits >> i & 1 != 0).collect::<Vec<_>>();
                        block.repair(decoder, &of(lost), &of(kept));
                    }
                }
            }
        }
    }
}

#[test]
fn large_blocks_and_those_at_the_edges() {
    let sizes = [
        (1, 1),
        (1, 40),
        (2, 4096),
        (16, 16),
        (17, 16),
        (16, 17),
        (32, 20),
        (20, 32),
        (255, 1),
        (256, 255),
        (1000, 200),
        (2049, 70),
        (4095, 1025),
        (4096, 1),
        (4096, 2048),
        (4096, 4096),
    ];
    for (k, m) in sizes {
        let len = if k + m > 2000 { 130 } else { 1426 };
        let block = Block::new(k, m, len, 46, (k * 5 + m) as u64);
        for backend in backends() {
            let few = backend == Backend::Scalar && k + m > 2000;
            block.encode(&mut Encoder::with(backend));
            let mut decoder = Decoder::with(backend);
            for lost in [1, 3, 33, m.min(k) / 2, m.min(k)].into_iter().filter(|&lost| lost <= m.min(k)) {
                if !few || lost == m.min(k) / 2 {
                    block.repair(&mut decoder, &picked(7, k, lost), &picked(8, m, lost));
                }
            }
        }
    }
}

/// The ways a repair can go have to agree where one takes over from the other.
#[test]
fn every_number_of_losses_in_some_blocks() {
    for (k, m, len) in [(100, 20, 194), (60, 64, 66), (20, 90, 2), (300, 70, 4)] {
        let block = Block::new(k, m, len, 0, 3);
        for backend in backends() {
            let mut decoder = Decoder::with(backend);
            for lost in 0..=m.min(k) {
                block.repair(&mut decoder, &picked(lost as u64, k, lost), &picked(9, m, lost));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Parity is that of the stock crate, and any losses up to the parity that
    /// arrived are repaired, whatever the layout.
    #[test]
    fn parity_is_the_stock_crates_and_losses_are_repaired(
        k in 1usize..200, m in 1usize..70, half in 1usize..150, gap in 0usize..70, seed: u64,
    ) {
        let block = Block::new(k, m, half * 2, gap, seed);
        let arrived = seed as usize % (m + 1);
        let lost = picked(seed, k, (seed >> 32) as usize % (arrived.min(k) + 1));
        let kept = picked(!seed, m, arrived);
        for backend in backends() {
            block.encode(&mut Encoder::with(backend));
            block.repair(&mut Decoder::with(backend), &lost, &kept);
            block.repair(&mut Decoder::with(backend), &picked(seed, k, m.min(k)), &picked(!seed, m, m));
        }
    }
}
