//! The runs of a sweep.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use punktfunk_sim::Weather;
use punktfunk_sim::native::{Outcome, Protection, Setup, Sizes, session};

/// How a stream is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// What the tables call it.
    pub name: &'static str,
    /// How much parity.
    pub protection: Protection,
    /// Whether what parity did not restore is sent again.
    pub repair: bool,
}

impl Way {
    /// All ways, from none to everything.
    pub const ALL: [Self; 6] = [
        Self { name: "nothing", protection: Protection::Fixed(0), repair: false },
        Self { name: "20 % parity", protection: Protection::Fixed(20), repair: false },
        Self { name: "adaptive parity", protection: Protection::Adaptive, repair: false },
        Self { name: "repair", protection: Protection::Fixed(0), repair: true },
        Self { name: "20 % parity, repair", protection: Protection::Fixed(20), repair: true },
        Self { name: "adaptive parity, repair", protection: Protection::Adaptive, repair: true },
    ];
}

/// What is tried.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// Mean share of lost datagrams, in percent.
    pub losses: Vec<f64>,
    /// Mean length of runs of lost datagrams.
    pub bursts: Vec<f64>,
    /// Ways of protection.
    pub ways: Vec<Way>,
    /// Round trip of the path.
    pub round_trip: Duration,
    /// Bits a second of the encoder.
    pub bitrate: u64,
    /// Frames a second.
    pub fps: u32,
    /// Length of each run, virtual seconds.
    pub seconds: u32,
    /// What chance is drawn from.
    pub seed: u64,
}

impl Default for Sweep {
    fn default() -> Self {
        Self {
            losses: vec![0.1, 1.0, 3.0, 5.0, 10.0],
            bursts: vec![1.0, 4.0, 16.0],
            ways: Way::ALL.to_vec(),
            round_trip: Duration::from_millis(20),
            bitrate: 20_000_000,
            fps: 60,
            seconds: 60,
            seed: 1,
        }
    }
}

/// One run.
#[derive(Clone, Debug)]
pub struct Row {
    /// Mean share of lost datagrams that was asked for, in percent.
    pub loss: f64,
    /// Mean length of runs of lost datagrams that was asked for.
    pub burst: f64,
    /// How the stream was protected.
    pub way: Way,
    /// What came of it.
    pub outcome: Outcome,
}

impl Sweep {
    /// Plays every combination, on as many threads as the machine has processors; the rows
    /// are in order of loss, burst and way.
    pub fn run(&self) -> Vec<Row> {
        let mut cells = Vec::new();
        for loss in &self.losses {
            for burst in &self.bursts {
                cells.extend(self.ways.iter().map(|way| (*loss, *burst, *way)));
            }
        }
        in_parallel(&cells, |cell| self.play(*cell))
    }

    fn play(&self, (loss, burst, way): (f64, f64, Way)) -> Row {
        let there = Weather { delay: self.round_trip / 2, ..Weather::lossy(loss / 100.0, burst) };
        let setup = Setup {
            sizes: Sizes { bitrate: self.bitrate, fps: self.fps, ..Sizes::default() },
            there,
            back: there,
            protection: way.protection,
            repair: way.repair,
            seed: self.seed,
            ..Setup::default()
        };
        let mut session = session(&setup);
        session.keeps_lost = false;
        let end = session.now() + Duration::from_secs(u64::from(self.seconds));
        session.run_until(end);
        Row { loss, burst, way, outcome: Outcome::of(&session) }
    }
}

/// What `play` makes of each cell, in their order, on as many threads as the machine has
/// processors.
pub(crate) fn in_parallel<C: Sync, R: Send>(cells: &[C], play: impl Fn(&C) -> R + Sync) -> Vec<R> {
    let (next, threads) = (AtomicUsize::new(0), std::thread::available_parallelism());
    let threads = threads.map_or(1, usize::from).min(cells.len());
    let mut rows = std::thread::scope(|scope| {
        let work = || {
            let mut done = Vec::new();
            while let Some((at, cell)) =
                Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| cells.get(at).map(|cell| (at, cell)))
            {
                done.push((at, play(cell)));
            }
            done
        };
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        handles.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect::<Vec<_>>()
    });
    rows.sort_by_key(|(at, _)| *at);
    rows.into_iter().map(|(_, row)| row).collect()
}
