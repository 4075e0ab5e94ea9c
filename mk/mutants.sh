#!/usr/bin/env bash
# Each mutant is the shipped code with one protection taken out (`--cfg isis_mutant="V1"`: a compiler
# flag, never a Cargo feature, since features unify into users' builds). The explorer must find those
# of the site views, the simulator the others, blind: no stored seed. Ends with a table of who found
# what after how much, and `N passed, N failed`.
#
# MUTANTS="B3 C1" runs these; SEEDS bounds the simulator, EXPLORE_SECONDS the explorer, per mutant.
set -uo pipefail
cd "$(dirname "$0")/.."

MUTANTS=${MUTANTS:-V1 V2 V3 V4 V5 B2 B3 B4 B5 B7 C1 C5 C6 G1 G4 G5 G6 \
  R12 R14 R15 R16 R21 R22 R24 R25 R27}
export SEEDS=${SEEDS:-5000} EXPLORE_SECONDS=${EXPLORE_SECONDS:-60}
DIR=$PWD/target/mutants
mkdir -p "$DIR"
# One directory for all: what the crates depend on is built once. Optimised for building, not for size.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$DIR/build}
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_DEBUG=0 CARGO_INCREMENTAL=1

# Cargo runs the compiler through this for the workspace's own crates, and keeps what each wrapper
# built apart.
wrapper() {
  printf '#!/bin/sh\nexec "$@" --cfg '\''isis_mutant="%s"'\''\n' "$1" >"$DIR/rustc-$1"
  chmod +x "$DIR/rustc-$1"
  echo "$DIR/rustc-$1"
}

# The explorer fails and says after how many states; the simulator turns its verdict around and names
# the seed. A failure to compile is neither.
hunt() {
  local mutant=$1 tests=$2
  EXPECT_VIOLATION=1 RUSTC_WORKSPACE_WRAPPER=$(wrapper "$mutant") \
    cargo test --locked --release -p isis-core --test "$tests" 2>&1
}

passed=0 failed=0
table=()
for mutant in $MUTANTS; do
  log=$DIR/$mutant.log start=$SECONDS
  case $mutant in
    V*) tests=explore_view find='^after [0-9]+ states' ;;
    *) tests=sim find='^found with seed [0-9]+: [A-Z0-9a-z]+' ;;
  esac
  if ! grep -rqE "isis_mutant *= *\"$mutant\"" isis-core/src; then
    found="NOT IN THE CODE"
  else
    hunt "$mutant" "$tests" >"$log"
    found=$(grep -oE -m1 "$find" "$log" || echo "NOT FOUND")
  fi
  case $found in
    NOT*)
      failed=$((failed + 1))
      [ ! -e "$log" ] || tail -n 15 "$log" | sed 's/^/    /'
      ;;
    *) passed=$((passed + 1)) ;;
  esac
  row=$(printf '%-4s %-13s %-32s %4d s' "$mutant" "$tests" "$found" $((SECONDS - start)))
  echo "$row"
  table+=("$row")
done
echo
printf '%s\n' "${table[@]}"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
