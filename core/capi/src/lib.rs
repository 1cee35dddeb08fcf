//! The C ABI of the client library: `libpunktfunk`, with `include/punktfunk.h`.
//!
//! Every function is total: null pointers, closed handles, sizes of another version,
//! numbers of no meaning and text that is not UTF-8 give a status, and a panic never
//! crosses the border. Handles are keys into tables and not addresses, so a closed one is
//! noticed. No function calls the caller's code, and all may be called from any thread.
//!
//! `abi` is the only module that touches the caller's memory; `handle` has the tables,
//! `error` the statuses. The others are the functions, one module for each subject.

mod abi;
mod error;
mod events;
mod handle;
mod hosts;
mod identity;
mod input;
mod pads;
mod session;
mod told;

pub use error::*;
pub use events::*;
pub use handle::{PunktfunkClient, PunktfunkEvent, PunktfunkSession};
pub use hosts::*;
pub use identity::*;
pub use input::*;
pub use pads::*;
pub use session::*;
pub use told::*;
