//! In steady state a frame of punktfunk/1 costs no allocation, from access unit to sealed
//! datagrams, through the history, and back to the access unit (performance page, P9).

use std::alloc::System;
use std::time::Duration;

use punktfunk_core::native::keys::{Aead, Direction, Exported};
use punktfunk_core::native::media::{
    Event, Flags, History, Limits, Opener, Order, Packetizer, Piece, Reassembler, Sealer, Side, Wish,
};
use punktfunk_core::time::Time;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Frames until every buffer has its size.
const WARM: usize = 500;

/// Allocations of each of 700 frames in `slices` slices, with or without loss and repair.
fn stream(slices: usize, loss: bool) -> Vec<usize> {
    let schedule = Exported::new([3; 32]).schedule(Direction::ToClient, Aead::Aes128Gcm);
    let mut sealer = Sealer::new(Side::Host, [0; 8], schedule.clone(), Time(0)).unwrap();
    let mut opener = Opener::new(Side::Host, [0; 8], schedule).unwrap();
    let mut packetizer = Packetizer::new(0, 1472).unwrap();
    let mut reassembler = Reassembler::new(Order::Numbered, Limits::default(), Some(0));
    let mut history = History::new(Duration::from_millis(250), 8 << 20);
    let wish = Wish { turn: Some(0), least: 5, most: 9, before: Time(u64::MAX) };
    let (mut batch, mut allocations) = (Vec::new(), Vec::new());
    // Frames differ, and now and then there is a large one.
    let units: Vec<Vec<u8>> =
        (1..=10).map(|n| vec![n; [30_000, 90_000][usize::from(n == 7)] + 999]).collect();
    for number in 0..700_u32 {
        let region = Region::new(ALLOCATOR);
        let now = Time(u64::from(number) * 16_667);
        let unit = &units[number as usize % units.len()];
        for (at, data) in unit.chunks(unit.len().div_ceil(slices)).enumerate() {
            batch.clear();
            let mut kept = history.spare();
            kept.extend_from_slice(data);
            let last = at + 1 == slices;
            let piece = Piece { data: &kept, taken: now, epoch: 0, flags: Flags::default(), last };
            let layout =
                packetizer.packetize(now, piece, |k| k.div_ceil(5), &mut sealer, &mut batch).unwrap();
            history.keep(now, layout, kept);
            for (index, datagram) in batch.chunks_mut(layout.datagram_len()).enumerate() {
                if !(loss && (index == 1 || index == 3)) {
                    let opened = opener.open(now, datagram).unwrap();
                    reassembler.push(now, opened.plain).unwrap();
                }
            }
            if loss {
                batch.clear();
                let block = (number, layout.first_block);
                let repair = history.repair(now, block, [(0, 3)], wish, &mut sealer, &mut batch).unwrap();
                for datagram in batch.chunks_mut(repair.datagram_len) {
                    let opened = opener.open(now, datagram).unwrap();
                    reassembler.push(now, opened.plain).unwrap();
                }
            }
        }
        let Some(Event::Frame(frame)) = reassembler.poll() else { panic!("frame {number} is lost") };
        assert!(frame.data() == unit && (frame.recovered > 0) == loss);
        reassembler.recycle(frame);
        let change = region.change();
        allocations.push(change.allocations + change.reallocations);
    }
    allocations
}

#[test]
fn frames_cost_no_allocation() {
    for (slices, loss) in [(1, false), (1, true), (4, false), (4, true)] {
        let allocations = stream(slices, loss);
        let steady = &allocations[WARM..];
        assert!(steady.iter().all(|count| *count == 0), "{slices} slices, loss {loss}: {steady:?}");
        assert!(allocations[0] > 0, "the counter counts");
    }
}
