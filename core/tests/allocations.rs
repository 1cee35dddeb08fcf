//! In steady state a frame costs no allocation, from access unit to datagrams and back
//! (performance page, P9).

use std::alloc::System;

use punktfunk_core::gamestream::video::{Config, Event, Frame, FrameKind, Packetizer, Reassembler};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const KEY: [u8; 16] = [7; 16];

/// Frames until every buffer has its size.
const WARM: usize = 20;

#[test]
fn frames_cost_no_allocation() {
    for (key, loss) in [(None, false), (Some(KEY), false), (None, true), (Some(KEY), true)] {
        let config = Config { packet_size: 1392, fec_percentage: 20, min_parity: 2, key };
        let mut packetizer = Packetizer::new(config).unwrap();
        let mut reassembler = Reassembler::new(1392, key).unwrap();
        let (mut batch, mut allocations) = (Vec::new(), Vec::new());
        // One block, and four of them.
        let data = [vec![3; 40_000], vec![5; 900_000]];
        for number in 0..60 {
            let region = Region::new(ALLOCATOR);
            batch.clear();
            let frame = Frame {
                kind: FrameKind::P,
                timestamp_90k: 1,
                latency_tenths_ms: 10,
                data: &data[number % 2],
            };
            let layout = packetizer.packetize(frame, &mut batch).unwrap();
            for (at, datagram) in batch.chunks(layout.datagram_len).enumerate() {
                // Some data shards of every block are missing; parity stands in.
                if !(loss && at % 50 == 7) {
                    reassembler.push(datagram).unwrap();
                }
            }
            let Some(Event::Frame(received)) = reassembler.poll() else { panic!("frame {number} is lost") };
            assert!(received.data == data[number % 2] && (received.repaired > 0) == loss);
            reassembler.recycle(received.data);
            let change = region.change();
            allocations.push(change.allocations + change.reallocations);
        }
        let steady = &allocations[WARM..];
        assert!(
            steady.iter().all(|count| *count == 0),
            "encrypted {}, loss {loss}: {steady:?}",
            key.is_some()
        );
        assert!(allocations[0] > 0, "the counter counts");
    }
}
