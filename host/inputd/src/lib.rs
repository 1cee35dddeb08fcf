//! `punktfunk-inputd`: makes the gamepads of seats, and nothing else.
//!
//! The host faces the network and holds no device. It tells this broker over a Unix
//! socket which pads it wants and what is pressed on them; the broker makes them with
//! `/dev/uinput` and says what games want them to do. One connection is one seat.
//!
//! [`seat`] is the conversation with one host, [`pad`] what a pad looks like to the
//! kernel, [`ff`] what games have it do, [`limits`] how much of it: none of them does
//! I/O, and time is an argument (since the start of the broker). [`server`] is the loop
//! around them, [`uinput`] the real devices.
#![deny(unsafe_code)]

pub mod access;
pub mod args;
pub mod device;
pub mod ff;
mod ffi;
pub mod limits;
pub mod pad;
pub mod seat;
pub mod server;
pub mod socket;
pub mod uinput;
