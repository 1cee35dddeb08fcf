//! The management API as browsers, programs and intruders see it.

#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "each test file uses a part")]
mod support;

mod backup;
mod claim;
mod command;
mod console;
mod document;
mod events;
mod login;
mod negative;
mod sockets;
mod stage;
mod tokens;
