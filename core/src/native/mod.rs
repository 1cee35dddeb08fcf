//! punktfunk/1 (`docs/protocol/punktfunk-1.md`): messages, keys, media and pairing as
//! machines without sockets or a clock. The host's and the client's side share what is
//! on the wire and nothing else.

pub mod client;
pub mod flow;
pub mod host;
pub mod keys;
pub mod media;
pub mod pairing;
pub mod wire;
