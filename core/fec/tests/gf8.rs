//! The codes against a plain reference, on every backend this processor has.

use proptest::prelude::*;
use punktfunk_fec::gf8::{Backend, Codec, Error, Stripe, audio, coefficient, multiply};

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

fn reference(data: &[Vec<u8>], parity: usize) -> Vec<Vec<u8>> {
    let len = data[0].len();
    (0..parity)
        .map(|row| {
            let mut out = vec![0; len];
            for (column, shard) in data.iter().enumerate() {
                let c = coefficient(parity, row, column);
                out.iter_mut().zip(shard).for_each(|(out, &byte)| *out ^= multiply(c, byte));
            }
            out
        })
        .collect()
}

fn encode(codec: &mut Codec, data: &[Vec<u8>], parity: usize) -> Vec<Vec<u8>> {
    let mut out = vec![vec![0xEE; data[0].len()]; parity];
    let data: Vec<&[u8]> = data.iter().map(Vec::as_slice).collect();
    let mut slices: Vec<&mut [u8]> = out.iter_mut().map(Vec::as_mut_slice).collect();
    codec.encode(&data, &mut slices).unwrap();
    out
}

#[test]
fn the_vectors_of_the_sheet() {
    // Section 18.
    let row = |d: usize, n: usize, j: usize| (0..d).map(|i| coefficient(n, j, i)).collect::<Vec<_>>();
    assert_eq!(row(3, 2, 0), [0x8E, 0xF4, 0x47]);
    assert_eq!(row(3, 2, 1), [0xF4, 0x8E, 0xA7]);
    assert_eq!(row(10, 2, 0), [0x8E, 0xF4, 0x47, 0xA7, 0x7A, 0xBA, 0xAD, 0x9D, 0xDD, 0x98]);
    assert_eq!(row(10, 2, 1), [0xF4, 0x8E, 0xA7, 0x47, 0xBA, 0x7A, 0x9D, 0xAD, 0x98, 0xDD]);
    let data = [vec![0, 1, 2, 3], vec![0x10, 0x11, 0x12, 0x13], vec![0x20, 0x21, 0x22, 0x23]];
    for backend in backends() {
        let parity = encode(&mut Codec::new(backend), &data, 2);
        assert_eq!(parity, [vec![0xF3, 0xCE, 0x89, 0xB4], vec![0x51, 0x8C, 0xF6, 0x2B]]);
        let mut parity = [[0; 4]; 2];
        let [p0, p1] = &mut parity;
        let data: [&[u8]; 4] = [&[0, 1, 2, 3], &[16, 17, 18, 19], &[32, 33, 34, 35], &[48, 49, 50, 51]];
        audio::Codec::new(backend).encode(data, [p0, p1]).unwrap();
        assert_eq!(parity, [[0x1A, 0x1B, 0x18, 0x19], [0x90, 0x91, 0x92, 0x93]]);
    }
}

#[test]
fn parity_is_the_same_everywhere_for_every_block_shape() {
    let mut codecs: Vec<Codec> = backends().map(Codec::new).collect();
    for parity in 1..255 {
        for data in 1..=(255 - parity) {
            // Mostly tiny shards (all pairs must stay quick); some cross tiles.
            let len = if (data * 31 + parity) % 61 == 0 { 131 + data % 67 } else { 1 };
            let shards: Vec<Vec<u8>> =
                (0..data).map(|i| noise((data * 1000 + parity * 7 + i) as u64, len)).collect();
            let expected = reference(&shards, parity);
            for codec in &mut codecs {
                assert!(encode(codec, &shards, parity) == expected, "{data}+{parity} {:?}", codec.backend());
            }
        }
    }
}

#[test]
fn every_vector_kernel_agrees_for_every_block_shape_in_whole_tiles() {
    let mut plain = Codec::new(Backend::Scalar);
    let mut codecs: Vec<Codec> =
        backends().filter(|&backend| backend != Backend::Scalar).map(Codec::new).collect();
    for parity in 1..64 {
        for data in (1..=(255 - parity)).step_by(7) {
            let shards: Vec<Vec<u8>> = (0..data).map(|i| noise((data + parity + i) as u64, 129)).collect();
            let expected = encode(&mut plain, &shards, parity);
            for codec in &mut codecs {
                assert!(encode(codec, &shards, parity) == expected, "{data}+{parity} {:?}", codec.backend());
            }
        }
    }
}

#[test]
fn bad_shapes_are_errors() {
    let mut codec = Codec::default();
    let mut parity = vec![0; 3];
    assert_eq!(codec.encode(&[], &mut [&mut parity]), Err(Error::ShardCount { data: 0, parity: 1 }));
    assert_eq!(codec.encode(&[&[1, 2]], &mut [&mut parity]), Err(Error::Length));
    let mut shards = vec![0; 256];
    let stripe = Stripe { stride: 1, len: 1 };
    let all = Err(Error::ShardCount { data: 200, parity: 56 });
    assert_eq!(codec.repair_stripe(&mut shards, stripe, 200, &[false; 256]), all);
    let short = Err(Error::Length);
    assert_eq!(codec.repair_stripe(&mut shards[..9], stripe, 8, &[true; 10]), short);
    let few = Err(Error::TooFewShards { missing: 2, parity: 1 });
    assert_eq!(codec.repair_stripe(&mut shards, stripe, 3, &[false, true, false, true, false]), few);
    let overlapping = Stripe { stride: 1, len: 2 };
    assert_eq!(codec.repair_stripe(&mut shards, overlapping, 3, &[true; 4]), short);
    assert_eq!(
        codec.repair_stripe(&mut shards, stripe, 9, &[true; 4]),
        Err(Error::ShardCount { data: 9, parity: 0 })
    );
}

#[test]
fn a_block_of_the_most_data_shards_needs_no_more_numbers_than_there_are() {
    let mut shards = [1; 255];
    let stripe = Stripe { stride: 1, len: 1 };
    assert_eq!(Codec::default().repair_stripe(&mut shards, stripe, 255, &[true; 255]), Ok(0));
    let few = Err(Error::TooFewShards { missing: 255, parity: 0 });
    assert_eq!(Codec::default().repair_stripe(&mut shards, stripe, 255, &[false; 255]), few);
}

#[test]
fn every_loss_of_an_audio_block_that_can_be_repaired_is() {
    for backend in backends() {
        let mut codec = audio::Codec::new(backend);
        for len in [1, 64, 200, 321] {
            let mut block: [Vec<u8>; 6] = std::array::from_fn(|i| noise(i as u64 + 1, len));
            let (data, parity) = block.split_at_mut(4);
            let [d0, d1, d2, d3] = data else { unreachable!() };
            let [p0, p1] = parity else { unreachable!() };
            codec.encode([d0, d1, d2, d3], [p0, p1]).unwrap();
            for lost in 0u8..64 {
                let present = std::array::from_fn(|i| lost >> i & 1 == 0);
                let mut damaged = block.clone();
                damaged.iter_mut().zip(present).filter(|(_, there)| !there).for_each(|(s, _)| s.fill(0xAA));
                let result = codec.repair(damaged.each_mut().map(Vec::as_mut_slice), present);
                let missing = (lost & 15).count_ones() as usize;
                if lost.count_ones() <= 2 {
                    assert_eq!(result, Ok(missing));
                    assert_eq!(damaged[..4], block[..4], "{lost:06b}");
                } else if missing > 0 {
                    assert!(result.is_err());
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Any losses up to the parity count are repaired, in either shape of the API,
    /// and nothing but the missing data shards is written.
    #[test]
    fn losses_up_to_the_parity_are_repaired(
        data in 1usize..200, parity in 1usize..56, len in 1usize..300, gap in 0usize..40, seed: u64,
    ) {
        let shards: Vec<Vec<u8>> = (0..data).map(|i| noise(seed ^ i as u64, len)).collect();
        let expected = reference(&shards, parity);
        let all: Vec<Vec<u8>> = shards.iter().chain(&expected).cloned().collect();
        let lost = noise(seed, parity);
        let mut present = vec![true; data + parity];
        for at in lost {
            present[(usize::from(at) * 7 + usize::from(at)) % (data + parity)] = false;
        }
        let missing = present[..data].iter().filter(|there| !**there).count();
        for backend in backends() {
            let mut codec = Codec::new(backend);
            let mut damaged = all.clone();
            damaged.iter_mut().zip(&present).filter(|(_, there)| !**there).for_each(|(s, _)| s.fill(0x55));
            let mut slices: Vec<&mut [u8]> = damaged.iter_mut().map(Vec::as_mut_slice).collect();
            prop_assert_eq!(codec.repair(&mut slices, data, &present), Ok(missing));
            prop_assert!(damaged[..data] == all[..data]);

            let stripe = Stripe { stride: len + gap, len };
            let mut buffer = vec![0x77; (len + gap) * (data + parity)];
            for (i, shard) in all.iter().enumerate().take(data) {
                buffer[i * (len + gap)..][..len].copy_from_slice(shard);
            }
            let (front, back) = buffer.split_at_mut((len + gap) * data);
            codec.encode_stripe((data, parity), stripe, front, back).unwrap();
            let whole = buffer.clone();
            for (i, shard) in all.iter().enumerate() {
                prop_assert!(buffer[i * (len + gap)..][..len] == shard[..]);
                if !present[i] && i < data {
                    buffer[i * (len + gap)..][..len].fill(0);
                }
            }
            prop_assert_eq!(codec.repair_stripe(&mut buffer, stripe, data, &present), Ok(missing));
            prop_assert!(buffer == whole);
        }
    }
}
