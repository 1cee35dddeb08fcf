//! What needs unsafe code. Nothing else of the seat may.
#![expect(
    unsafe_code,
    reason = "an image over shared memory and code between fork and exec have no safe form"
)]

pub mod pixels;
pub mod spawn;
