#!/usr/bin/env bash
# Every check that needs stable Rust (rustup's default profile), a browser, Redis and valgrind: format, lints, docs, tests,
# instruction counts, models.
set -euo pipefail
cd "$(dirname "$0")"

for tool in cargo-fmt cargo-clippy; do
    command -v "$tool" >/dev/null || { echo "missing: $tool; install it with 'rustup component add ${tool#cargo-}'"; exit 1; }
done

step() { printf '\n== %s\n' "$*"; "$@"; }

# The tests of the chat drive Chromium and start a Redis of their own; callgrind counts instructions. CHROMEWEBDRIVER names the folder of Chromium's driver
# if that is not in the PATH.
missing=()
command -v "${CHROMEWEBDRIVER:+$CHROMEWEBDRIVER/}chromedriver" >/dev/null || missing+=(chromium chromium-driver)
command -v redis-server >/dev/null && command -v redis-cli >/dev/null || missing+=(redis-server)
command -v valgrind >/dev/null || missing+=(valgrind)
if [ ${#missing[@]} != 0 ]; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "missing; install with 'apt-get install ${missing[*]}'"; exit 1
    fi
    step apt-get update --quiet
    DEBIAN_FRONTEND=noninteractive step apt-get install --quiet --yes "${missing[@]}"
fi

step cargo fmt --all --check
step cargo clippy --quiet --workspace --all-targets --locked -- -D warnings
RUSTDOCFLAGS='-D warnings' step cargo doc --quiet --workspace --no-deps --locked
# The chat server on another pool, with the versions of this workspace.
cp Cargo.lock benches/chat-on-tokio/
step cargo clippy --quiet --manifest-path benches/chat-on-tokio/Cargo.toml --target-dir "${CARGO_TARGET_DIR:-target}" -- -D warnings
# The pool as it comes, the pool with all its features, and those that use it with some.
step cargo test --locked -p anthill
step cargo clippy --quiet -p anthill --all-targets --all-features --locked -- -D warnings
step cargo test --quiet --locked -p anthill --all-features
step cargo test --locked -p chat-demo -p chat-demo-client -p chat-demo-load -p chat-demo-server -p benches
# The examples of the documents, and every relative link.
step cargo test --quiet --locked -p docs
# Each bench runs once. Of the same packages, so that nothing is built twice.
step cargo test --quiet --locked -p benches --bench engine
# No hot path takes more instructions than it did.
step cargo run --quiet --release --locked -p instructions

# The models replace the pool's atomics, locks and threads, so they are builds of their own.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/loom"
RUSTFLAGS='--cfg anthill_loom' step cargo clippy --quiet -p anthill -p loom-tests --tests --locked -- -D warnings
RUSTFLAGS='--cfg anthill_loom --cfg anthill_plain_deque' step cargo check --quiet -p loom-tests --tests --locked
RUSTFLAGS='--cfg anthill_loom' step cargo test --locked -p loom-tests --profile loom --tests
RUSTFLAGS='--cfg anthill_shuttle' step cargo clippy --quiet -p loom-tests --tests --locked -- -D warnings
RUSTFLAGS='--cfg anthill_shuttle' step cargo test --locked -p loom-tests --profile loom --test crowds
