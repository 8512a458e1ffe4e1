#!/usr/bin/env bash
# The pool's tests with real threads under AddressSanitizer and ThreadSanitizer. Needs a nightly toolchain:
# rustup toolchain install nightly
set -euo pipefail
cd "$(dirname "$0")/.."

target="${CARGO_TARGET_DIR:-target}"
host="$(rustc +nightly -vV | sed -n 's/^host: //p')"

run() {
    local name="$1" flags="$2"
    printf '\n== %s\n' "$name"
    local test=(cargo +nightly test --quiet --locked -p anthill --target "$host")
    export RUSTFLAGS="$flags" CARGO_TARGET_DIR="$target/$name"
    "${test[@]}" --lib "${@:3}"
    "${test[@]}" --test behaviour "${@:3}" -- lifetimes:: scopes:: groups:: group_stops:: results:: cancel:: in_place:: \
        strands:: futures:: run:: reservations:: panics:: shutdown:: discard:: reopen:: expiry:: threads::
    # One round, because `stress` compares the memory in use between rounds. The sanitizers keep memory of freed blocks and
    # of ended threads; LeakSanitizer finds leaks.
    STRESS_ROUNDS=1 "${test[@]}" --test own_process "${@:3}" -- stress:: lives::
}

LSAN_OPTIONS="suppressions=$PWD/loom-tests/lsan.txt" run address '-Zsanitizer=address'

# The standard library is not instrumented, so what it orders is reported as a race; tsan.txt suppresses that. With
# crossbeam's flag its queues use stores instead of fences, which this sanitizer does not understand.
RUST_BACKTRACE=0 TSAN_OPTIONS="suppressions=$PWD/loom-tests/tsan.txt halt_on_error=1" \
    run thread '-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer --cfg crossbeam_sanitize_thread'
