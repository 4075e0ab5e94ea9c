#!/usr/bin/env bash
# `make test`: every check, one after the other, whatever fails. Ends with `N passed, N failed`.
# Counts are those of the test programs; a check that counts nothing itself counts as one.
# A check that cannot run here (no root, no tool) says SKIPPED; with CI=true that is a failure.
set -uo pipefail
cd "$(dirname "$0")/.."

# Replays are the same on every machine, so the number of seeds bounds the time, not the luck.
SEEDS=${SEEDS:-1500}
LOGS=target/check
mkdir -p "$LOGS"
export CARGO_TERM_COLOR=never PY_COLORS=0

passed=0 failed=0 skipped=0
failures=() skips=()

# Adds "passed failed skipped" as the test programs in a log counted them.
count() {
  awk '
    /^test result: / { for (i = 1; i < NF; i++) {
        if ($(i+1) ~ /^passed/) p += $i; if ($(i+1) ~ /^failed/) f += $i; if ($(i+1) ~ /^ignored/) s += $i } next }
    /^=+ .*(passed|failed|skipped|error).* in [0-9.]+s/ { for (i = 1; i < NF; i++) {
        if ($(i+1) ~ /^passed/) p += $i; if ($(i+1) ~ /^(failed|errors?)/) f += $i; if ($(i+1) ~ /^skipped/) s += $i } next }
    /^[0-9]+ passed, [0-9]+ failed$/ { p += $1; f += $3; next }
    /^SKIPPED/ { if ($0 !~ /^SKIPPED \[/) s += 1 }
    END { print p + 0, f + 0, s + 0 }' "$1"
}

check() {
  local name=$1 log=$LOGS/${1//[ \/]/-}.log start=$SECONDS status p f s
  shift
  printf '%-28s ' "$name"
  "$@" >"$log" 2>&1 </dev/null
  status=$?
  read -r p f s < <(count "$log")
  if [ $status -ne 0 ] && [ "$f" -eq 0 ]; then f=1; fi
  if [ $((p + f + s)) -eq 0 ]; then p=1; fi
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
  if [ "$f" -ne 0 ]; then
    echo "FAILED ($p passed, $f failed, $((SECONDS - start)) s; $log)"
    tail -n 40 "$log" | sed 's/^/    /'
    failures+=("$name")
  else
    echo "ok ($p passed, $((SECONDS - start)) s)"
  fi
  if [ "$s" -ne 0 ]; then
    grep -E '^SKIPPED|, [0-9]+ skipped|[1-9][0-9]* ignored' "$log" | sed "s/^/    SKIPPED in $name: /"
    skips+=("$name ($s)")
  fi
}

target() { check "$1" make --no-print-directory "$1"; }

check "tools needed"      mk/tools-needed.sh
check "formatting"        cargo fmt --all --check
check "clippy"            cargo clippy --locked --workspace --all-targets -- -D warnings
check "protocols without std" mk/no-std.sh
check "no mutant is shipped" mk/no-mutant.sh
check "Rust tests"        cargo test --locked
check "simulator"         env SEEDS="$SEEDS" cargo test --locked --release -p isis-core --test sim
check "explorers"         cargo test --locked --release -p isis-core --test explore -- --nocapture --test-threads=1
check "schedules"         make --no-print-directory schedules SCHEDULES=300
check "Rust documentation" env RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --workspace
target ffi
target header-check
target symbols-check
target ctest
target ctest-valgrind
target install-check
target venv
target pytest
target wheel-check
rm -rf target/histories
check "demo, C dies, audited" make --no-print-directory demo VICTIM=c RECORD=target/histories
check "demo, Python dies" make --no-print-directory demo VICTIM=python
check "faults on networks"  make --no-print-directory test-net \
  SCENARIO="partition isolation kill-manager kill-coordinator clock-back cold-restart killed-connections"

echo
[ ${#skips[@]} -eq 0 ] || echo "SKIPPED for lack of a tool or of rights: ${skips[*]}"
if [ "${CI:-}" = true ] && [ "$skipped" -ne 0 ]; then
  echo "CI=true: what is skipped has failed"
  failed=$((failed + skipped))
fi
[ ${#failures[@]} -eq 0 ] || echo "failed: ${failures[*]}"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
