//! The management API and the console: everything the owner does, over HTTPS at port
//! base + 1 and over a Unix socket of the owner.
//!
//! Handlers turn requests into calls of the store, the supervisor and the rooms beside
//! this one; they decide nothing about streams. `docs/api.md` is its page.
