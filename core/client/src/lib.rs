//! A client of punktfunk/1 as a library: finds hosts, pairs, plays a stream.
#![forbid(unsafe_code)]
