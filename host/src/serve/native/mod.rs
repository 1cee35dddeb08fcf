//! punktfunk/1 on one UDP port: QUIC for what is said, media beside it.
//!
//! The shell around the machines of `core::native`, called by [`super::start`]. It knows
//! who is paired and what the owner allows; what a session does is the supervisor's.

mod pairing_window;
pub(super) mod payload;
mod windows;

pub(super) use pairing_window::{OPEN_FOR, WindowId};
pub(super) use windows::{Terms, Windows};
