//! The management API as browsers, programs and intruders see it.

#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "each test file uses a part")]
mod support;

mod apps;
mod backup;
mod claim;
mod command;
mod console;
mod diagnostics;
mod document;
mod events;
mod login;
mod logs;
mod negative;
mod settings;
mod sockets;
mod stage;
mod tokens;
