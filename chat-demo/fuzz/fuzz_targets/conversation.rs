//! Any frames as what a client says behind its hello.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/fuzz/target.rs"]
#[expect(dead_code, reason = "streams are another target's")]
mod target;

use target::Target;

static TARGET: LazyLock<Target> = LazyLock::new(Target::start);

fuzz_target!(|bytes: &[u8]| TARGET.conversation(bytes));
