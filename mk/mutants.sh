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

for mutant in $MUTANTS; do
  case $mutant in
    V*) tests=explore_view ;;
    *) tests=sim ;;
  esac
  log=$LOGS/$mutant.log start=$SECONDS
  printf 'mutant %-3s ' "$mutant"
  if ! grep -rqE "isis_mutant *= *\"$mutant\"" isis-core/src; then
    echo "MISSING: no code under isis_mutant = \"$mutant\""
    failed=$((failed + 1))
    continue
  fi
  # A directory of its own, or every mutant would rebuild everything for everybody; the dependencies
  # are compiled once per mutant.
  if RUSTFLAGS="--cfg isis_mutant=\"$mutant\"" EXPECT_VIOLATION=1 SEEDS=$SEEDS \
    cargo test --locked --release -p isis-core --test $tests --target-dir "target/mutants/$mutant" >"$log" 2>&1; then
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
