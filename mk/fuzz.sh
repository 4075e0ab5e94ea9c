#!/usr/bin/env bash
# Fuzzes targets for FUZZ_SECONDS (60) each: mk/fuzz.sh [target...], all of them by default. Begins
# from what is kept in fuzz/corpus, works in target/fuzz, and fails at the first input that breaks
# something: keep that in fuzz/corpus/<target>, where `make test` replays it.
# `mk/fuzz.sh --keep [target...]` adds to fuzz/corpus what short inputs have reached that none there does.
# Installs the pinned cargo-fuzz under target/. The compiler is the stable one, told to obey -Z.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo_fuzz_version=0.13.2
tools=target/tools/cargo-fuzz-$cargo_fuzz_version
if [ ! -x "$tools/bin/cargo-fuzz" ]; then
  "${CARGO:-cargo}" install --quiet --locked --version "=$cargo_fuzz_version" --root "$tools" cargo-fuzz
fi
export PATH="$PWD/$tools/bin:$PATH" RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/fuzz"
host=$(rustc -vV | sed -n 's/^host: //p')
keep=false
if [ "${1:-}" = --keep ]; then
  keep=true
  shift
fi
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
  mapfile -t targets < <(sed -n 's/^name = "\(.*\)"$/\1/p' fuzz/Cargo.toml | grep -v isis-fuzz)
fi

cargo fuzz build --fuzz-dir fuzz --target "$host" -O
for target in "${targets[@]}"; do
  program=$CARGO_TARGET_DIR/$host/release/$target
  work=$CARGO_TARGET_DIR/corpus/$target
  broken=$CARGO_TARGET_DIR/broken/$target
  mkdir -p "$work" "$broken"
  if $keep; then
    "$program" -merge=1 -max_len=256 "fuzz/corpus/$target" "$work" 2>&1 | tail -n 1
  else
    echo "$target: ${FUZZ_SECONDS:-60} s"
    "$program" "$work" "fuzz/corpus/$target" -max_total_time="${FUZZ_SECONDS:-60}" \
      -max_len=4096 -timeout=20 -rss_limit_mb=2048 -artifact_prefix="$broken/" -verbosity=0 -print_final_stats=1
  fi
done
