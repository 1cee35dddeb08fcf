//! The loss matrix for `cargo xtask bench`: that exactly those frames are lost of which more
//! was lost than they had parity, over as many frames a cell as `PUNKTFUNK_MATRIX_FRAMES`
//! says (`--frames`), a million otherwise.
#![forbid(unsafe_code)]

use punktfunk_loss_harness::matrix;

fn main() {
    let frames = std::env::var("PUNKTFUNK_MATRIX_FRAMES").ok().and_then(|text| text.parse().ok());
    println!("{:#}", matrix(frames.unwrap_or(1_000_000)));
}
