#!/usr/bin/env bash
# Changes each function and operator of the pool's core with cargo-mutants, and prints the changes that no test finds. The
# pool's unit tests try each change. Its other tests try the changes that are left, and then the models, first with one
# preemption. A run takes some hours. `--re engine/idle` tries only the changes whose places or names contain `engine/idle`.
# `--shard` would select anew in each pass.
set -euo pipefail
cd "$(dirname "$0")/.."

try() {
    cargo mutants --config loom-tests/mutants.toml --baseline=skip --colors=never --test-tool nextest "$@" || case $? in
        2 | 3) ;; # Some changes were not found.
        *) exit 1 ;;
    esac
}

# What these tests find, faster tests find as well.
slow='tuner::|lifetimes::|against_a_model|panicking_tasks_always_wake|close_leaves_no_submitter|no_readiness_event'
slow+='|many_submitters_never|rest_code_coverage|tuning_leaves_no_submitter|thread_about_to_sleep'
rm -rf target/mutants.out
pool() {
    CARGO_PROFILE_DEV_DEBUG=false try "$@" --test-package anthill --timeout 240 \
        -C=--features=anthill/futures,anthill/metrics,anthill/stream,anthill/tokio,anthill/tuner \
        -- --config-file loom-tests/nextest.toml -E "not test(/$slow/)"
}
# The unit tests build and run in a few seconds.
pool "$@" -C=--lib
pool "$@" --iterate -C=--test=behaviour

export RUSTFLAGS='--cfg anthill_loom'
models() {
    try --iterate --test-package loom-tests --profile loom -C=--test=models "$@"
}

# Each change compiles the pool and the models again, so that only other crates are optimised.
LOOM_MAX_PREEMPTIONS=1 LOOM_MAX_DURATION=1 CARGO_PROFILE_LOOM_OPT_LEVEL=0 CARGO_PROFILE_LOOM_INCREMENTAL=true \
    CARGO_PROFILE_LOOM_CODEGEN_UNITS=256 models "$@" --timeout 240 -C='--config=profile.loom.package."*".opt-level=1' \
    -- --config-file loom-tests/nextest.toml

# Few changes are left, so the models may take their time.
models "$@" --timeout 1200 -- --config-file loom-tests/nextest.toml --profile whole
