//! Any bytes as a frame.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/fuzz/frame.rs"]
mod frame;

fuzz_target!(|bytes: &[u8]| frame::check(bytes));
