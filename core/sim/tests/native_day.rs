//! A day of virtual time at 5 Mbit/s: the stream is as good in the evening as it was in the
//! morning, and nobody holds more memory than an hour after the start.

use std::alloc::System;
use std::time::Duration;

use punktfunk_sim::Weather;
use punktfunk_sim::native::{Outcome, Setup, Sizes, session};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Bytes that are allocated and not freed.
fn held() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated.saturating_sub(stats.bytes_deallocated)
}

#[test]
fn a_day_at_5_mbit_grows_nothing() {
    let weather = Weather { delay: Duration::from_millis(5), ..Weather::lossy(0.002, 2.0) };
    let setup = Setup {
        sizes: Sizes { bitrate: 5_000_000, fps: 30, ..Sizes::default() },
        agreed: 8_000_000,
        there: weather,
        back: weather,
        payload: 8_000,
        most_payload: 9_000,
        keeps: false,
        ..Setup::default()
    };
    let mut session = session(&setup);
    session.keeps_lost = false;
    let (mut most, mut before) = (Vec::new(), 0);
    for hour in 1..=24_u64 {
        let mut largest = 0;
        for _ in 0..60 {
            let end = session.now() + Duration::from_secs(60);
            session.run_until(end);
            largest = largest.max(held());
        }
        most.push(largest);
        let outcome = Outcome::of(&session);
        let lost = outcome.lost - before;
        before = outcome.lost;
        assert!(outcome.frames >= hour * 107_990, "hour {hour}: {outcome:?}");
        assert!(lost < 20, "{lost} frames lost in hour {hour}");
    }
    // What the first hour needed, and some for a burst that was larger than all of it.
    let later = most[1..].iter().max().copied().unwrap_or(0);
    assert!(later < most[0] + most[0] / 8 + (256 << 10), "{most:?}");
    assert!(most[23] < 32 << 20, "{most:?}");
    println!("bytes held, most of each hour: {most:?}, lost {before}");
}
