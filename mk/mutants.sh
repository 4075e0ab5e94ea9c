#!/usr/bin/env bash
# Each mutant is the shipped code with one protection taken out (`--cfg isis_mutant="V1"`: a compiler
# flag, never a Cargo feature, since features unify into users' builds). The explorer must find those
# of the site views, the schedules those of the hand-over between threads, the simulator the others,
# blind: no stored seed. Ends with a table of who found what after how much, and `N passed, N failed`.
#
# MUTANTS="B3 C1" runs these; SEEDS bounds the simulator, EXPLORE_SECONDS the explorer, SCHEDULES the
# schedules, per mutant.
set -uo pipefail
cd "$(dirname "$0")/.."

# The name, as in the code, and what is taken out.
read -r -d '' ALL <<'LIST'
V1 a view needs a quorum of the one before
V2 a take-over is bound by what was accepted
V3 by the highest ballot accepted, not by any
V4 acceptances count for one ballot
V5 the quorum is one of the view before, not of the one proposed
B2 a known final beats a new maximum
B3 nobody discards an orphan on local knowledge
B4 a failed destination's missing proposal counts as K+1
B5 the clock jumps to every final seen
B7 what is first heard of in a completion is kept
C1 copies of what has left the store are dropped
C5 predecessors go along to sites that they are not addressed to
C6 OBCASTs of a failed sender are passed on
G1 nothing is placed while a wait queue is up
G4 old messages are placed before the new group view
G5 a message stamped with a later group view waits for it
G6 every member's list is in *before*
H1 the flag is lowered before the last look
H2 a thread says that it sleeps before it looks once more
H3 who adds to a mailbox tells of what was in it
H4 who lacks room says so before it looks once more
R3 promises and acceptances are on disk before they are told
R12 nobody reports before all have pushed
R14 finals of a sender and label never decrease
R15 finals known here leave before the next body
R16 a proposal waits for the OBCASTs that the BCAST lists
R18 a header goes alone only where the body is safe
R21 ids are kept until placed everywhere, not received
R22 wait queues go up when the GBCAST heads all queues
R24 a GBCAST is placed when all have stored its record
R25 sends are held while the wait queue is up
R26 what is sent from outside is in its site's list
R27 an earlier BCAST to another address is placed first
U a safe BCAST waits until all know its final and those before it
LIST
MUTANTS=${MUTANTS:-$(cut -d ' ' -f 1 <<<"$ALL")}
export SEEDS=${SEEDS:-5000} EXPLORE_SECONDS=${EXPLORE_SECONDS:-60}
DIR=$PWD/target/mutants
mkdir -p "$DIR"
# One directory for all: what the crates depend on is built once. Optimised for building, not for size.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$DIR/build}
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_DEBUG=0 CARGO_INCREMENTAL=1

# The explorer fails and says after how many states; the simulator turns its verdict around and names
# the seed; in the schedules a lost wake-up is a deadlock. A failure to compile is none of these.
hunt() {
  local mutant=$1 tests=(--release --test "$2")
  if [ "$2" = schedules ]; then
    export RUSTFLAGS='--cfg isis_shuttle'
    tests=(--lib --target-dir "$DIR/schedules" runtime::schedules)
  fi
  EXPECT_VIOLATION=1 RUSTC_WORKSPACE_WRAPPER=$(mk/mutant-rustc.sh "$mutant") \
    cargo test --locked -p isis-core "${tests[@]}" 2>&1
}

passed=0 failed=0
table=()
for mutant in $MUTANTS; do
  log=$DIR/$mutant.log start=$SECONDS
  case $mutant in
    H*) tests=schedules find='deadlock!' ;;
    V* | R3) tests=explore find='^after [0-9]+ states' ;;
    *) tests=sim find='^found with seed [0-9]+: [A-Z0-9a-z]+' ;;
  esac
  if ! grep -rqE "isis_mutant *= *\"$mutant\"" isis-core/src; then
    found="NOT IN THE CODE"
  else
    (hunt "$mutant" "$tests") >"$log"
    found=$(grep -oE -m1 "$find" "$log" || echo "NOT FOUND")
  fi
  case $found in
    NOT*)
      failed=$((failed + 1))
      [ ! -e "$log" ] || tail -n 15 "$log" | sed 's/^/    /'
      ;;
    *) passed=$((passed + 1)) ;;
  esac
  lacks=$(sed -n "s/^$mutant //p" <<<"$ALL")
  row=$(printf '%-4s %-64s %-13s %-30s %4d s' "$mutant" "$lacks" "$tests" "$found" $((SECONDS - start)))
  echo "$row"
  table+=("$row")
done
echo
printf '%s\n' "${table[@]}"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
