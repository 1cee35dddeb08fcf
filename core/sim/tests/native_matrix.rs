//! The loss matrix of `punktfunk_sim::native::matrix`, small enough for every run of the tests.
//! `PUNKTFUNK_MATRIX_FRAMES` is how many frames a cell plays: 100,000 unless it says otherwise.

use std::sync::atomic::{AtomicUsize, Ordering};

use punktfunk_sim::native::matrix::Cell;

#[test]
fn lost_are_exactly_the_frames_whose_losses_exceed_parity() {
    let frames = std::env::var("PUNKTFUNK_MATRIX_FRAMES").ok().and_then(|text| text.parse().ok());
    let frames: u32 = frames.unwrap_or(100_000);
    let cells = Cell::all();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut found = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(cell) = cells.get(at) else { return found };
            found.push((*cell, cell.play(frames, at as u64)));
        }
    };
    let found = std::thread::scope(|scope| {
        let threads = [scope.spawn(work), scope.spawn(work)];
        threads.map(|thread| thread.join().expect("no cell failed")).concat()
    });
    assert_eq!(found.len(), cells.len());
    for (cell, found) in found {
        println!("{cell:?}: {found:?}");
        assert_eq!(found.whole + found.lost, u64::from(frames), "{cell:?}");
        let some = cell.loss * f64::from(frames) > 1000.0;
        assert!(!some || cell.m == 0 || found.repaired > 0, "{cell:?}: nothing was repaired");
        assert!(!some || cell.burst < 2.0 || found.lost > 0, "{cell:?}: nothing was lost");
    }
}
