//! No pads: says once why, and what to do.

use std::sync::atomic::{AtomicBool, Ordering};

use punktfunk_core::input::pad;

use super::Backend;

/// Ignores what clients do.
pub(super) struct Null {
    why: String,
    told: AtomicBool,
}

impl Null {
    /// `why` says what to do.
    pub(super) fn new(why: String) -> Self {
        Self { why, told: false.into() }
    }
}

impl Backend for Null {
    fn event(&self, event: &pad::Event) {
        if !self.told.swap(true, Ordering::Relaxed) {
            tracing::warn!(pad = event.index, why = %self.why, "gamepads are unavailable");
        }
    }

    fn release_all(&self) {}
}
