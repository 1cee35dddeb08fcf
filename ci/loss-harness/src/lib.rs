//! The loss-resilience sweep: one stream through many kinds of loss, with every way to
//! answer it, in virtual time.
//!
//! A host's and a client's machine (`punktfunk_sim::native`) play the same stream for each
//! combination of loss, length of bursts and [`Way`] of protection; what reached the
//! decoder, how late and at what price in bytes becomes a [`Row`]. The same seed gives the
//! same rows on every machine. `main.rs` prints them, `examples/bench_loss.rs` hands them
//! to `cargo xtask bench`.
#![forbid(unsafe_code)]

mod matrix;
pub mod promise;
mod sweep;
mod table;

pub use matrix::matrix;
pub use promise::Promise;
pub use sweep::{Row, Sweep, Way};
pub use table::{as_json, as_table, method};
