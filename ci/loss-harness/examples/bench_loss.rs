//! The sweep for `cargo xtask bench`: every kind of loss with every protection.
#![forbid(unsafe_code)]

use punktfunk_loss_harness::{Sweep, as_json};

fn main() {
    let sweep = Sweep::default();
    println!("{:#}", as_json(&sweep, &sweep.run()));
}
