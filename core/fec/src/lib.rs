//! Forward error correction.
//!
//! [`gf8`] is the code of GameStream: Reed–Solomon over GF(2^8) with the Cauchy
//! matrix that stock Moonlight decodes, and the fixed 4+2 matrix of its audio.
//! [`gf16`] is the code of punktfunk/1: GF(2^16) in the Leopard form.
//!
//! This crate is one of the places where `unsafe` is allowed: the vector kernels
//! of `gf8::x86` need it. Everything above them checks its slices first.
// Arithmetic only, enforced: the lists are in core/clippy.toml.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod gf16;
pub mod gf8;
