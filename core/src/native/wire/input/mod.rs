//! Between the one input model (`crate::input`) and the wire. A client gives its events
//! to [`Outbound`] and sends what comes out; a host gives what came in to [`Inbound`]
//! and carries out the events. What a host has a pad do goes the other way through
//! [`Effects`] and [`InboundEffects`]. Counters of what may be lost live here, so one of each
//! belongs to one connection.

mod effects;
mod inbound;
mod outbound;

pub use effects::{EffectOut, Effects, InboundEffects};
pub use inbound::{Inbound, Input};
pub use outbound::{Outbound, Sent};

use crate::input::Event;
use crate::native::wire::Access;

impl Access {
    /// What it takes to have this carried out.
    pub const fn needed_for(input: &Input) -> Self {
        match input {
            Input::Pad(_) => Self::PADS,
            Input::Event(event) => match event {
                Event::Key { .. } | Event::Text { .. } => Self::KEYBOARD,
                Event::ReleaseAll => Self::NONE,
                _ => Self::POINTER,
            },
        }
    }

    /// True when the client may do this.
    pub const fn allows(self, input: &Input) -> bool {
        self.contains(Self::needed_for(input))
    }
}

/// How often a state is said again when nothing changed.
const REPEATS: u8 = 3;

/// After how many milliseconds.
const REPEAT_AFTER_MS: u64 = 100;

/// A share of 0.0 to 1.0 as 0 to 65,535.
fn share(value: f64) -> u16 {
    let scaled = (value.clamp(0.0, 1.0) * f64::from(u16::MAX)).round();
    // Between 0 and 65,535, NaN becomes 0.
    scaled as u16
}

/// The reverse of [`share`].
fn unshare(value: u16) -> f64 {
    f64::from(value) / f64::from(u16::MAX)
}

/// Lets through what is newer than everything before (RFC 1982).
#[derive(Clone, Copy, Debug, Default)]
struct Newest(Option<u32>);

impl Newest {
    fn take(&mut self, seq: u32) -> bool {
        let newer = self.0.is_none_or(|last| seq.wrapping_sub(last).cast_signed() > 0);
        if newer {
            self.0 = Some(seq);
        }
        newer
    }
}

/// Counts up from 0 and wraps.
#[derive(Clone, Copy, Debug, Default)]
struct Count(u32);

impl Count {
    fn take(&mut self) -> u32 {
        let seq = self.0;
        self.0 = seq.wrapping_add(1);
        seq
    }
}
