//! The native port, as a client sees it: sessions are played by a fake.

mod api;
mod bad;
mod front;
mod pairing;
mod session;
mod stage;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "each test file uses a part")]
mod support;
