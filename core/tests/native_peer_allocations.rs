//! In steady state both ends of the media plane ask for no memory, reports and clock probes
//! included (performance page, P9).

use std::alloc::System;
use std::time::Duration;

use punktfunk_core::native::flow::parity::Protection;
use punktfunk_core::native::keys::{Aead, Exported};
use punktfunk_core::native::media::{Flags, Limits};
use punktfunk_core::native::{client, host};
use punktfunk_core::time::Time;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Frames until every buffer has its size, and frames that are counted.
const WARM: u64 = 600;
const COUNTED: u64 = 300;

#[test]
fn both_ends_ask_for_no_memory() {
    let traffic = Exported::new([3; 32]).traffic(Aead::Aes128Gcm);
    let config = host::Config {
        media: [0; 8],
        traffic: traffic.clone(),
        bitrate: 20_000_000,
        first_frame: 0,
        payload: 1472,
        limit: 1472,
        protection: Protection::Adaptive,
    };
    let mut host = host::Media::new(Time(0), config).unwrap();
    let limits = Limits::default();
    let config =
        client::Config { media: [0; 8], traffic, first_frame: Some(0), patience: client::PATIENCE, limits };
    let mut client = client::Media::new(Time(0), config).unwrap();
    let (mut down, mut up) = (Vec::new(), Vec::new());
    let (mut shown, mut steady) = (0, Vec::with_capacity(1_000));
    for number in 0..WARM + COUNTED {
        let region = Region::new(ALLOCATOR);
        let now = Time(number * 16_667);
        let mut data = host.buffer();
        data.resize(40_000, number as u8);
        let flags = if number == 0 { Flags::KEY_FRAME } else { Flags::NEW_PICTURE };
        down.clear();
        let batch =
            host.frame(now, host::Unit { data, taken: now, epoch: 0, flags, last: true }, &mut down).unwrap();
        for datagram in down.chunks_mut(batch.datagram_len) {
            client.datagram(now, datagram).unwrap();
        }
        loop {
            up.clear();
            match client.poll(now, &mut up) {
                client::Output::Wait(_) => break,
                client::Output::Send(_) => assert!(host.datagram(now, &mut up).unwrap().newest),
                client::Output::Frame(frame) => {
                    shown += 1;
                    client.decoded(frame.number, Duration::from_millis(2), 0);
                    client.recycle(frame);
                }
                other => panic!("{other:?}"),
            }
        }
        loop {
            down.clear();
            match host.poll(now, &mut down) {
                host::Output::Wait(_) => break,
                host::Output::Send(batch) => {
                    for datagram in down.chunks_mut(batch.datagram_len) {
                        client.datagram(now, datagram).unwrap();
                    }
                }
                _ => {}
            }
        }
        let change = region.change();
        if number >= WARM {
            steady.push(change.allocations + change.reallocations);
        } else {
            assert!(number > 0 || change.allocations > 0, "the counter counts");
        }
    }
    assert_eq!(shown, WARM + COUNTED);
    assert!(steady.iter().all(|count| *count == 0), "{steady:?}");
}
