//! Desktop entries: what an application says about itself and how to start it.
//!
//! A seat offers what is installed, and the host looks for games: both read entries with
//! this and with nothing else.
#![forbid(unsafe_code)]

mod entry;
#[cfg(test)]
mod exercise;

pub use entry::{Entry, MAX_ARGUMENTS, MAX_LEN, command, locales, parse};
