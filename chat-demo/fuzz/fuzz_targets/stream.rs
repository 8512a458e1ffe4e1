//! Any bytes as what a client sends behind its handshake.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/fuzz/target.rs"]
#[expect(dead_code, reason = "conversations are another target's")]
mod target;

use target::Target;

static TARGET: LazyLock<Target> = LazyLock::new(Target::start);

fuzz_target!(|bytes: &[u8]| TARGET.stream(bytes));
