#!/usr/bin/env bash
# The pool's tests with real threads under AddressSanitizer and ThreadSanitizer. Needs a nightly toolchain:
# rustup toolchain install nightly
set -euo pipefail
cd "$(dirname "$0")/.."

host="$(rustc +nightly -vV | sed -n 's/^host: //p')"

run() {
    local name="$1" flags="$2"
    printf '\n== %s\n' "$name"
    RUSTFLAGS="$flags" CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/$name" \
        cargo +nightly test --quiet --locked -p anthill --target "$host" --lib \
        --test stress --test lifetimes --test lives --test scopes --test groups --test results --test strands --test futures \
        --test panics --test shutdown --test discard --test reopen --test expiry --test threads "${@:3}"
}

LSAN_OPTIONS="suppressions=$PWD/loom-tests/lsan.txt" run address '-Zsanitizer=address'

# The standard library is not instrumented, so what it orders looks like a race; tsan.txt names it. The flags of
# crossbeam take stores in place of fences, which this sanitizer does not understand.
RUST_BACKTRACE=0 TSAN_OPTIONS="suppressions=$PWD/loom-tests/tsan.txt halt_on_error=1" \
    run thread '-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer --cfg crossbeam_sanitize_thread'
