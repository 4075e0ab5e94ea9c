#!/usr/bin/env bash
# Each mutant is the shipped code with one protection taken out (`--cfg isis_mutant="V1"`: a compiler
# flag, never a Cargo feature, since features unify into users' builds). The explorer must find those
# of the site views, the simulator the others, blind: no stored seed. Ends with `N passed, N failed`.
set -uo pipefail
cd "$(dirname "$0")/.."

MUTANTS=${MUTANTS:-V1 V5 B3 B4 C1 C5 G1 G6}
SEEDS=${SEEDS:-5000}
LOGS=target/mutants
mkdir -p "$LOGS"
passed=0 failed=0

# A directory of its own, or every mutant would rebuild everything for everybody.
run() {
  RUSTFLAGS="--cfg isis_mutant=\"$1\"" cargo test --locked --release -p isis-core --test "$2" \
    --target-dir "target/mutants/$1"
}

# The simulator turns its verdict around.
simulator() {
  EXPECT_VIOLATION=1 SEEDS=$SEEDS run "$1" sim
}

# The explorer fails, and says after how many states: a failure to compile is no find.
explorer() {
  ! run "$1" explore_view && grep -qE '^after [0-9]+ states' "$LOGS/$1.log"
}

for mutant in $MUTANTS; do
  log=$LOGS/$mutant.log start=$SECONDS
  printf 'mutant %-3s ' "$mutant"
  if ! grep -rqE "isis_mutant *= *\"$mutant\"" isis-core/src; then
    echo "MISSING: no code under isis_mutant = \"$mutant\""
    failed=$((failed + 1))
    continue
  fi
  case $mutant in
    V*) tests=explore_view finds=explorer ;;
    *) tests=sim finds=simulator ;;
  esac
  if "$finds" "$mutant" >"$log" 2>&1; then
    echo "found by $tests ($((SECONDS - start)) s)"
    passed=$((passed + 1))
  else
    echo "NOT FOUND by $tests ($((SECONDS - start)) s; $log)"
    tail -n 15 "$log" | sed 's/^/    /'
    failed=$((failed + 1))
  fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
