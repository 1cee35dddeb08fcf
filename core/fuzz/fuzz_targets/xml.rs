//! The XML documents a client reads, and what it reads in them.
#![no_main]

use punktfunk_core::gamestream::{http, xml};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let _ = xml::Document::parse(&text);
    http::exercise_answer(&text);
});
