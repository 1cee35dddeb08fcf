//! A headless client: pairs, plays, decodes and measures. [`native`] speaks punktfunk/1,
//! everything at the top speaks GameStream.
//!
//! The program `punktfunk-probe` is a thin shell around it, and `ci/e2e` plays its
//! scenarios with it. It shares the protocol machines of `core` with the host, in
//! their client roles, and nothing else; for punktfunk/1 it is a shell around
//! `punktfunk-client`.
#![forbid(unsafe_code)]

mod audio;
mod control;
pub mod decode;
mod hands;
mod host;
mod http;
mod identity;
pub mod keys;
mod media;
pub mod native;
mod options;
mod player;
mod report;
mod rtsp;
mod stats;
mod video;

pub use host::{Host, refusal};
pub use http::trusting;
pub use identity::{Identity, UNIQUE_ID};
pub use options::Options;
pub use player::{Player, launch_arguments};
pub use punktfunk_core::gamestream::control::HostMessage;
pub use punktfunk_core::gamestream::http::{App, Mode, ServerInfo, Verb};
pub use punktfunk_core::gamestream::input::{Message as Input, message};
pub use punktfunk_core::gamestream::sdp::Codec;
pub use report::Report;
pub use stats::{Card, End, Heard, Seen, Stats, quantile};
