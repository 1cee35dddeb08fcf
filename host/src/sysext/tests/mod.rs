//! The rules on a machine that can lose its power anywhere, and releases with real
//! signatures from folders and a real web server.

mod remote;
mod rules;
mod signing;
mod world;
