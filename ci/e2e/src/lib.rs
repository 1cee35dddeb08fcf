//! What scenarios and benchmarks with real processes share: a host in a folder of its
//! own, a client, and what processes cost.
#![forbid(unsafe_code)]

pub mod host;
pub mod listeners;
pub mod measure;
pub mod namespace;
pub mod relay;
pub mod stage;
pub mod usage;
