//! GameStream: what a stock Moonlight client expects of a host, and the client's
//! side of the same for the probe and the tests.
//!
//! One module per plane. Each holds both directions, so that a message is written
//! and read in one file. The facts come from the interface sheet
//! (`docs/protocol/gamestream.md` names the sections).

pub mod audio;
pub mod control;
pub mod http;
pub mod input;
pub mod pairing;
pub mod rtsp;
pub mod sdp;
pub mod video;
pub mod xml;
