//! A desktop entry: what an application says about how to start it.
#![no_main]

#[path = "../../../host/seat/src/launcher/entry.rs"]
mod entry;
#[path = "../../../host/seat/src/launcher/exercise.rs"]
mod exercise;

libfuzzer_sys::fuzz_target!(|data: &[u8]| exercise::exercise(data));
