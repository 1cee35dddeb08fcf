//! A client of punktfunk/1 as a library: finds hosts, pairs, plays a stream. It shows
//! nothing and knows no decoder: access units and Opus packets come out, input goes in.
//!
//! The API blocks and may be used from any thread. A [`Session`] has a thread that
//! receives media, `punktfunk-net`, and one for the control stream, `punktfunk-ctl`;
//! neither ever calls the user's code. When the connection is lost the session comes
//! back by itself, by its session id, until the patience of its [`Config`] ends.
#![forbid(unsafe_code)]

mod client;
mod control;
mod discover;
mod drive;
mod error;
mod event;
mod identity;
mod media;
mod pair;
mod queue;
mod session;
mod stats;

pub use client::{Client, Config, Lose};
pub use discover::{Found, discover};
pub use error::{Error, advice};
pub use event::{Event, Frame, Sound};
pub use identity::{load_or_make_identity, make_identity};
pub use pair::Paired;
// What the API speaks in, so that a client needs no second list of versions.
pub use punktfunk_core::input;
pub use punktfunk_core::native::wire::{Access, Code, Codec, Family, Mode, SessionId, control as messages};
pub use punktfunk_core::time::Time;
pub use punktfunk_quic::{Identity, PORT};
pub use session::Session;
pub use stats::Stats;

/// The clock of this machine as the library uses it: microseconds, monotonic.
pub fn now() -> Time {
    Time(punktfunk_net::monotonic_nanos() / 1000)
}
