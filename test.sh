#!/usr/bin/env bash
# The checks of a change, which need only stable Rust. Alone it runs the tests and the models; with --lints what rustfmt, clippy
# and rustdoc say; with --all, as in CI, both, and what needs a browser, Redis and valgrind, the benches and the crowds. In a
# terminal it prints one line for each step, and the output of a step that fails. Elsewhere, or with VERBOSE=1, it prints all
# output.
set -euo pipefail
cd "$(dirname "$0")"
case "$*" in
    '') kinds='check' all= ;;
    --lints) kinds='lint' all= ;;
    --all) kinds='check|lint|full' all=1 ;;
    *) echo "unknown arguments: $*; the options are --lints and --all"; exit 2 ;;
esac
target=${CARGO_TARGET_DIR:-target}
logs=$target/test-logs
# The state for incremental builds would double the size of `target`.
export CARGO_INCREMENTAL=0
# Tests of the chat mostly wait for servers.
export RUST_TEST_THREADS=$((2 * $(getconf _NPROCESSORS_ONLN)))
mkdir -p "$logs"
rm -f "$logs"/*.log

if [[ $kinds == *lint* ]]; then
    for tool in cargo-fmt cargo-clippy; do
        command -v "$tool" >/dev/null || { echo "missing: $tool; install it with 'rustup component add ${tool#cargo-}'"; exit 1; }
    done
fi

number=0
steps=$(grep -cE "^($kinds) '" "$0")
# step TITLE COMMAND...
step() {
    local title=$1 log begin=$SECONDS
    shift
    number=$((number + 1))
    log=$logs/$(printf '%02d' "$number").log
    if [ -t 1 ] && [ -z "${VERBOSE:-}" ]; then
        printf '[%2d/%d] %-45s ' "$number" "$steps" "$title"
        if "$@" >"$log" 2>&1; then
            printf '%4d s\n' $((SECONDS - begin))
        else
            echo "FAILED; the end of $log:"
            tail -n 60 "$log"
            exit 1
        fi
    else
        printf '\n[%d/%d] %s: %s\n' "$number" "$steps" "$title" "$*"
        "$@" 2>&1 | tee "$log"
    fi
}

# Steps of one kind.
check() { [[ $kinds != *check* ]] || step "$@"; }
lint() { [[ $kinds != *lint* ]] || step "$@"; }
full() { [[ $kinds != *full* ]] || step "$@"; }

# Tests of the chat drive Chromium and start a Redis of their own; callgrind counts instructions. CHROMEWEBDRIVER names the
# folder of Chromium's driver if that is not in the PATH.
missing=()
if [ -n "$all" ]; then
    command -v "${CHROMEWEBDRIVER:+$CHROMEWEBDRIVER/}chromedriver" >/dev/null || missing+=(chromium chromium-driver)
    command -v redis-server >/dev/null && command -v redis-cli >/dev/null || missing+=(redis-server)
    command -v valgrind >/dev/null || missing+=(valgrind)
fi
install() {
    apt-get update --quiet
    DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes "${missing[@]}"
}
if [ ${#missing[@]} != 0 ]; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "missing; install with 'apt-get install ${missing[*]}'"; exit 1
    fi
    steps=$((steps + 1))
    step "install ${missing[*]}" install
fi

# One build of the pool, with all its features, serves its own tests and those of what uses it.
pool=anthill/futures,anthill/hyper,anthill/metrics,anthill/stream,anthill/tokio,anthill/tower,anthill/tracing,anthill/tuner
services=chat-demo/redis-tests
tested=(-p anthill -p chat-demo -p chat-demo-client -p chat-demo-load -p chat-demo-server -p docs
    ${all:+-p benches -p chat-demo-browser-tests} --features "$pool${all:+,$services}" --locked)
loom() { RUSTFLAGS='--cfg anthill_loom' CARGO_TARGET_DIR=$target/loom "$@"; }
plain() { RUSTFLAGS='--cfg anthill_loom --cfg anthill_plain_deque' CARGO_TARGET_DIR=$target/loom "$@"; }
shuttle() { RUSTFLAGS='--cfg anthill_shuttle' CARGO_TARGET_DIR=$target/loom "$@"; }

# The chat server on another pool is a workspace of its own, because features are per workspace. It has the versions of this one.
on_tokio() {
    cp Cargo.lock benches/chat-on-tokio/
    cargo clippy --quiet --manifest-path benches/chat-on-tokio/Cargo.toml --target-dir "$target" -- -D warnings
}

lint 'format' cargo fmt --all --check
lint 'lints' cargo clippy --quiet --workspace --all-targets --features "$pool,$services" --locked -- -D warnings
full 'lints of the server on tokio' on_tokio
lint 'documentation' env RUSTDOCFLAGS='-D warnings' cargo doc --quiet --workspace --no-deps --features "$pool" --locked
full 'the pool without features' cargo check --quiet -p anthill --all-targets --locked
check 'build of the tests' cargo test --quiet "${tested[@]}" --no-run
check 'tests of the pool, the chat and the documents' cargo test "${tested[@]}"
# Of the same packages, so that nothing is built twice.
full 'each benchmark once' cargo test --quiet "${tested[@]}" --bench engine
full 'instruction counts of the hot paths' cargo run --quiet --release -p instructions --locked
# The models replace the pool's atomics, locks and threads, so they are builds of their own.
full 'lints of the models' loom cargo clippy --quiet -p anthill -p loom-tests --tests --locked -- -D warnings
full 'the models on the plain deque compile' plain cargo check --quiet -p loom-tests --tests --locked
check 'models: every schedule' cargo run --quiet -p loom-tests --locked -- models
full 'lints of the crowds' shuttle cargo clippy --quiet -p loom-tests --tests --locked -- -D warnings
full 'crowds: random schedules' shuttle cargo test -p loom-tests --profile loom --test crowds --locked

passed=$(sed -n 's/^test result: ok\. \([0-9]*\) passed.*/\1/p' "$logs"/*.log | awk '{ sum += $1 } END { print sum + 0 }')
[ "$kinds" = lint ] && tests= || tests=": $passed tests and models"
printf '\nall %d steps passed in %d min %d s%s\n' "$steps" $((SECONDS / 60)) $((SECONDS % 60)) "$tests"
