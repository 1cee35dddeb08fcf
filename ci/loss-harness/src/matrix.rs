//! The loss matrix of the simulator as a report.

use punktfunk_sim::native::matrix::Cell;
use serde_json::{Value, json};

use crate::sweep::in_parallel;

/// Plays every cell of the matrix with so many frames, each checked: where the bound of the
/// code does not hold it panics, and there is no report.
pub fn matrix(frames: u32) -> Value {
    let cells: Vec<(u64, Cell)> = (0..).zip(Cell::all()).collect();
    let found = in_parallel(&cells, |(seed, cell)| cell.play(frames, *seed));
    assert_eq!(found.len(), cells.len(), "a cell failed");
    let row = |((_, cell), found): (&(u64, Cell), _)| {
        let punktfunk_sim::native::matrix::Found { whole, repaired, lost } = found;
        json!({
            "loss_percent": cell.loss * 100.0,
            "burst": cell.burst,
            "data": cell.k,
            "parity": cell.m,
            "frames": frames,
            "whole": whole,
            "by_parity": repaired,
            "lost": lost,
        })
    };
    json!({
        "name": "bench_matrix",
        "goal": "P14: lost are exactly the frames of which more datagrams were lost than they had parity",
        "method": "every frame sealed, lost, opened, put together and compared; Gilbert-Elliott; no repair",
        "rows": cells.iter().zip(found).map(row).collect::<Vec<_>>(),
    })
}
