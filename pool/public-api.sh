#!/usr/bin/env bash
# Writes the public API of the crate to public-api.txt. With --check, it fails if the file is out of
# date.
# Needs a nightly toolchain and `cargo install cargo-public-api`.
set -euo pipefail
cd "$(dirname "$0")"

listed="$(cargo public-api --package anthill --all-features -sss)"
if [ "${1:-}" = --check ]; then
    diff public-api.txt - <<<"$listed" || { echo "pool/public-api.txt is out of date; run pool/public-api.sh"; exit 1; }
else
    printf '%s\n' "$listed" >public-api.txt
fi
