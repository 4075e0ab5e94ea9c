#!/usr/bin/env bash
# Prints a RUSTC_WORKSPACE_WRAPPER that builds a mutant: cargo runs the compiler through it for the
# workspace's own crates alone, and keeps apart what each wrapper built.
set -euo pipefail
cd "$(dirname "$0")/.."
wrapper=$PWD/target/mutants/rustc-$1
mkdir -p "$(dirname "$wrapper")"
printf '#!/bin/sh\nexec "$@" --cfg '\''isis_mutant="%s"'\''\n' "$1" >"$wrapper"
chmod +x "$wrapper"
echo "$wrapper"
