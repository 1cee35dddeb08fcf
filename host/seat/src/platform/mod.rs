//! What needs unsafe code. Nothing else of the seat may.
#![expect(
    unsafe_code,
    reason = "an image over shared memory, memory of others, code between fork and exec and the user database have no safe form"
)]

pub mod account;
pub mod memory;
pub mod pixels;
pub mod spawn;
