#!/usr/bin/env bash
# What is shipped must not be a mutant (see mutants.sh). The libraries refuse to be built from one, so
# whatever the other checks built is none; here it is shown that they do refuse.
set -euo pipefail
cd "$(dirname "$0")/.."
RUSTC_WORKSPACE_WRAPPER=$(mk/mutant-rustc.sh B3)
export RUSTC_WORKSPACE_WRAPPER CARGO_TERM_COLOR=never
for crate in isis-ffi isis-python; do
  if said=$(cargo check --locked -p "$crate" 2>&1); then
    echo "$crate was built from a mutant"
    exit 1
  fi
  grep -F 'this would ship a mutant' <<<"$said" || { echo "$said"; exit 1; }
done
