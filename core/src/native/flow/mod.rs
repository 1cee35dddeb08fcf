//! What keeps a picture whole and in time on a path that loses, delays and changes:
//! each part one decision, made of numbers and the time, with no socket and no clock.
//! The machines of both sides ([`super::host`], [`super::client`]) ask them; nobody
//! else has to.
//!
//! Everything here reads numbers that a peer chose. They are bounded where they enter
//! ([`feedback::Readings`]), so that the rest can calculate without looking back.

pub mod clock;
mod exercise;
pub mod feedback;
pub mod gso;
pub mod later;
pub mod mend;
pub mod mtu;
pub mod pace;
pub mod parity;
pub mod rate;
pub mod recovery;
pub mod repair;
pub mod todo;

use std::time::Duration;

pub use exercise::exercise_peer;

/// Microseconds as a peer's number has them, at most an hour: longer means nothing here.
pub(crate) fn micros(value: u64) -> Duration {
    Duration::from_micros(value.min(3_600_000_000))
}

/// Microseconds of `duration`, for the wire.
pub(crate) fn to_micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
