//! `input-test`: the pointer is put somewhere, and the picture has to change there.

use std::time::{Duration, Instant};

use punktfunk_core::input::Event;
use punktfunk_seat_ipc::{AppKind, Rect};

use super::bench::Bench;
use super::{Report, Wish, quantile};

/// How long a movement may take to be seen before it counts as lost.
const SEEN: Duration = Duration::from_secs(1);
/// How far the pointer's picture reaches around its place, pixels.
const REACH: u32 = 48;
/// How many places are tried.
const PLACES: u32 = 24;

/// Is the pointer seen where it was put, and how soon?
pub fn pointer(wish: &Wish) -> anyhow::Result<Report> {
    let mut report = Report::default();
    let bench = Bench::start(wish, AppKind::Desktop)?;
    report.add("seat", true, format!("up after {} ms", bench.up.as_millis()));
    // A desktop that has just started still draws by itself: wait until it is quiet.
    let patience = Instant::now() + wish.time.max(Duration::from_secs(3));
    while bench.frame((Instant::now() + Duration::from_millis(500)).min(patience))?.is_some() {}
    let (width, height, fps) = wish.mode;
    let interval = Duration::from_secs(1) / fps.max(1);
    let (mut seen, mut lost) = (Vec::new(), 0);
    for place in 0..PLACES {
        // Two steps that never meet the same place twice in a row.
        let x = (width / 8) + place * 7 % 24 * (width * 3 / 4) / 24;
        let y = (height / 8) + place * 5 % 24 * (height * 3 / 4) / 24;
        let share = |value: u32, whole: u32| (f64::from(value) + 0.5) / f64::from(whole);
        // A hand does not keep step with the screen: up to two pictures' time in between.
        let pause = Instant::now() + interval * (place * 5 % 16) / 8;
        while bench.frame(pause)?.is_some() {}
        let put = Instant::now();
        bench.seat.input(&Event::PointerPosition { x: share(x, width), y: share(y, height) })?;
        let near = |rect: &Rect| {
            let beside = |at: u32, from: u32, length: u32| at + REACH >= from && at <= from + length + REACH;
            beside(x, rect.x, rect.width) && beside(y, rect.y, rect.height)
        };
        let found = loop {
            match bench.frame(put + SEEN)? {
                Some(frame) if frame.damage().iter().any(near) => break Some(put.elapsed()),
                Some(_) => {}
                None => break None,
            }
        };
        match found {
            Some(after) => seen.push(after.as_secs_f64() * 1000.0),
            None => lost += 1,
        }
    }
    report.add("pointer", lost == 0, format!("seen at {} of {PLACES} places", seen.len()));
    let (middle, late) = (quantile(&mut seen, 0.5), quantile(&mut seen, 0.99));
    report.add(
        "latency",
        !seen.is_empty(),
        format!("{middle:.1} ms from event to picture, 99 %: {late:.1} ms"),
    );
    Ok(report)
}
