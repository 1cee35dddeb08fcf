//! `punktfunk-host`: streams this machine to its paired clients.
//!
//! The library behind the program, so that process tests and the program share
//! it. `main.rs` only parses arguments.
#![deny(unsafe_code)]

pub mod abilities;
pub mod api;
pub mod audio;
pub mod cli;
pub mod config;
pub mod diagnose;
pub mod display;
pub mod doctor;
pub mod encode;
pub mod input;
pub mod library;
pub mod log;
pub mod platform;
pub mod send;
pub mod serve;
pub mod session;
pub mod store;
pub mod sysext;
pub mod update;
pub mod wiring;
