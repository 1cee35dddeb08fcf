//! A desktop entry: what an application says about how to start it.
#![no_main]

#[path = "../../../host/seat/entry/src/entry.rs"]
mod entry;
#[path = "../../../host/seat/entry/src/exercise.rs"]
mod exercise;

libfuzzer_sys::fuzz_target!(|data: &[u8]| exercise::exercise(data));
