//! Sizes seen before cost no allocation. A process of its own, and one test in it: the
//! counter counts every thread.

use std::alloc::System;

use punktfunk_fec::gf16::{Decoder, Encoder, Shards, ShardsMut};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const LEN: usize = 1426;
const STRIDE: usize = LEN + 46;

#[test]
fn sizes_seen_before_cost_no_allocation() {
    let sizes = [(8, 2), (100, 20), (3, 9), (32, 20), (700, 140)];
    let mut blocks: Vec<(Vec<u8>, Vec<u8>)> =
        sizes.iter().map(|&(k, m)| (vec![7; k * STRIDE], vec![0; m * STRIDE])).collect();
    let (mut encoder, mut decoder) = (Encoder::new(), Decoder::new());
    let indices: Vec<u16> = (0..140).collect();
    let mut have = [true; 700];
    have[..2].fill(false);
    let mut pass = |blocks: &mut [(Vec<u8>, Vec<u8>)]| {
        for (&(k, m), (data, parity)) in sizes.iter().zip(blocks) {
            let from = Shards::new(data, k, LEN, STRIDE).unwrap();
            encoder.encode(from, ShardsMut::new(parity, m, LEN, STRIDE).unwrap()).unwrap();
            for lost in [1, 2, m.min(k)] {
                have.fill(true);
                have[..lost].fill(false);
                let to = ShardsMut::new(data, k, LEN, STRIDE).unwrap();
                let from = Shards::new(parity, m, LEN, STRIDE).unwrap();
                decoder.decode_strided(to, &have[..k], from, &indices[..m], m).unwrap();
            }
        }
    };
    pass(&mut blocks);
    let region = Region::new(ALLOCATOR);
    pass(&mut blocks);
    let change = region.change();
    assert_eq!((change.allocations, change.reallocations), (0, 0), "{change:?}");
}
