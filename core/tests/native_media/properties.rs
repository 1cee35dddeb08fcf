//! Any pattern of loss, order and repetition, and any bytes at all.

use std::time::Duration;

use proptest::prelude::*;
use punktfunk_core::native::media::{
    Error, Event, Flags, HEADER_LEN, History, Limits, Missing, Order, Reassembler, ShardHeader, Wish,
    exercise_open, exercise_reassemble,
};

use crate::{NOW, Pair, events, shard, unit};

/// Loses, repeats and mixes up datagrams as `dice` says; at most `most` of each block are lost.
fn weather(blocks: &[Vec<Vec<u8>>], most: usize, dice: &[(u16, u8)]) -> Vec<Vec<u8>> {
    let mut arriving = Vec::new();
    let mut dice = dice.iter().cycle();
    for block in blocks {
        let mut lost = 0;
        for datagram in block {
            let (order, fate) = *dice.next().unwrap();
            if fate % 3 == 0 && lost < most {
                lost += 1;
                continue;
            }
            arriving.push((order, datagram.clone()));
            if fate % 5 == 0 {
                arriving.push((order.wrapping_mul(7), datagram.clone()));
            }
        }
    }
    arriving.sort_by_key(|(order, _)| *order);
    arriving.into_iter().map(|(_, datagram)| datagram).collect()
}

/// The blocks of a few frames, each cut into slices.
fn frames(pair: &mut Pair, sizes: &[(usize, usize)], m: u16) -> (Vec<Vec<u8>>, Vec<Vec<Vec<u8>>>) {
    let (mut units, mut blocks) = (Vec::new(), Vec::new());
    for (number, (size, slices)) in sizes.iter().enumerate() {
        let data = unit(*size, number as u8);
        let step = size.div_ceil(*slices).max(1);
        let count = size.div_ceil(step).max(1);
        for at in 0..count {
            let part = &data[at * step..((at + 1) * step).min(*size)];
            blocks.push(pair.send(part, at + 1 == count, m).1);
        }
        units.push(data);
    }
    (units, blocks)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn anything_within_parity_gives_every_frame_bit_exact(
        sizes in proptest::collection::vec((0usize..40_000, 1usize..4), 1..4),
        m in 0u16..9,
        payload in 100usize..1473,
        dice in proptest::collection::vec(any::<(u16, u8)>(), 1..200),
        completed: bool,
    ) {
        let order = if completed { Order::Completed } else { Order::Numbered };
        let mut pair = Pair::new(u32::MAX, payload, order);
        let (units, blocks) = frames(&mut pair, &sizes, m);
        for datagram in weather(&blocks, usize::from(m), &dice) {
            match pair.receive(&datagram) {
                Ok(_) | Err(Error::Replayed) => {}
                Err(error) => prop_assert!(false, "{}", error),
            }
        }
        let mut seen = 0;
        while let Some(frame) = pair.frame() {
            let number = frame.number.wrapping_add(1) as usize;
            prop_assert!(completed || number == seen);
            prop_assert!(frame.data() == units[number], "frame {} is another", number);
            seen += 1;
        }
        prop_assert_eq!(seen, units.len());
        prop_assert_eq!(pair.reassembler.gaps().count(), 0);
    }

    #[test]
    fn beyond_parity_no_frame_is_wrong_and_repair_makes_it_whole(
        sizes in proptest::collection::vec((1usize..30_000, 1usize..4), 1..4),
        m in 0u16..5,
        dice in proptest::collection::vec(any::<(u16, u8)>(), 1..200),
    ) {
        let mut pair = Pair::new(0, 600, Order::Numbered);
        let mut history = History::new(Duration::from_secs(1), 1 << 20);
        let (mut units, mut blocks) = (Vec::new(), Vec::new());
        for (number, (size, slices)) in sizes.iter().enumerate() {
            let data = unit(*size, number as u8);
            let step = size.div_ceil(*slices);
            let count = size.div_ceil(step);
            for (at, part) in data.chunks(step).enumerate() {
                let (layout, datagrams) = pair.send(part, at + 1 == count, m);
                history.keep(NOW, layout, part.to_vec());
                blocks.push(datagrams);
            }
            units.push(data);
        }
        for datagram in weather(&blocks, usize::MAX, &dice) {
            let _ = pair.receive(&datagram);
        }
        // A last frame shows what is missing before it.
        let end = pair.send(&[1], true, 0).1;
        pair.receive(&end[0]).unwrap();
        units.push(vec![1]);
        // One round trip for blocks that nothing is known of, one for what they lack.
        for _ in 0..units.len() + blocks.len() {
            let gaps: Vec<u32> = pair.reassembler.gaps().map(|gap| gap.frame).collect();
            for frame in gaps {
                for missing in pair.missing(frame) {
                    let asked: Vec<(u8, (u16, u16))> = match missing {
                        Missing::Shards { block, first, count } => vec![(block, (first, count))],
                        Missing::Block(block) => vec![(block, (0, u16::MAX))],
                        Missing::Frame => history.blocks(frame).map(|block| (block, (0, u16::MAX))).collect(),
                    };
                    for (block, run) in asked {
                        let mut out = Vec::new();
                        let wish = Wish { most: 1000, ..Wish::default() };
                        let repair =
                            history.repair(NOW, (frame, block), [run], wish, &mut pair.sealer, &mut out).unwrap();
                        for datagram in out.chunks(repair.datagram_len.max(1)) {
                            pair.receive(datagram).unwrap();
                        }
                    }
                }
            }
        }
        for (number, unit) in units.iter().enumerate() {
            let frame = pair.frame();
            prop_assert!(frame.is_some_and(|frame| frame.data() == unit), "frame {} is not right", number);
        }
    }

    #[test]
    fn any_bytes_of_a_fuzzer_are_survived(script in proptest::collection::vec(any::<u8>(), 0..600)) {
        exercise_reassemble(&script);
        prop_assert_eq!(exercise_open(&script), Ok(()));
    }

    #[test]
    fn any_shards_are_survived_in_bounded_memory(
        shards in proptest::collection::vec(
            (0u32..200, 0u8..4, 1u16..40, 0u16..8, any::<u16>(), 1usize..200, any::<u8>()), 1..200,
        ),
    ) {
        const MEMORY: usize = 40_000;
        let mut reassembler = Reassembler::new(Order::Numbered, Limits { bytes: MEMORY }, None);
        for (frame, block, k, m, index, len, flags) in shards {
            let header = ShardHeader {
                frame, block, k, m, index: index % (k + m), base: u16::from(block) * k, tail: 1,
                flags: Flags(flags), ..ShardHeader::default()
            };
            let plain = shard(header, 2 * len);
            prop_assert_eq!(plain.len(), HEADER_LEN + 2 * len);
            let _ = reassembler.push(NOW, &plain);
            prop_assert!(reassembler.memory() <= MEMORY);
            while let Some(event) = reassembler.poll() {
                if let Event::Frame(frame) = event {
                    reassembler.recycle(frame);
                }
            }
        }
        reassembler.give_up(u32::MAX >> 1);
        events(&mut reassembler);
        let counters = reassembler.counters();
        prop_assert!(counters.frames + counters.lost <= 200);
    }
}
