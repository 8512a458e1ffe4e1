//! Any bytes as a payload.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/fuzz/payload.rs"]
mod payload;

fuzz_target!(|bytes: &[u8]| {
    payload::check(bytes);
});
