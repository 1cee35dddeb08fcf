//! The time, as everything that is limited or expires asks for it: the system's, or one
//! that a test moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// Where a clock moved by hand starts, seconds since 1970.
const MANUAL_START: u64 = 1_800_000_000;

/// A clock.
#[derive(Clone, Debug)]
pub struct Clock {
    base: Instant,
    /// Moved by hand, milliseconds.
    moved: Option<Arc<AtomicU64>>,
}

impl Clock {
    /// The system's.
    pub fn system() -> Self {
        Self { base: Instant::now(), moved: None }
    }

    /// One that stands still until [`advance`](Self::advance).
    pub fn manual() -> Self {
        Self { base: Instant::now(), moved: Some(Arc::default()) }
    }

    /// Moves a clock made by [`manual`](Self::manual), with all its clones.
    pub fn advance(&self, time: Duration) {
        if let Some(moved) = &self.moved {
            moved.fetch_add(u64::try_from(time.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }

    /// Since some moment; does not jump when the clock of the wall is set.
    pub fn elapsed(&self) -> Duration {
        match &self.moved {
            Some(moved) => Duration::from_millis(moved.load(Ordering::Relaxed)),
            None => self.base.elapsed(),
        }
    }

    /// Seconds since 1970.
    pub fn unix(&self) -> u64 {
        match &self.moved {
            Some(moved) => MANUAL_START + moved.load(Ordering::Relaxed) / 1000,
            None => SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs(),
        }
    }
}
