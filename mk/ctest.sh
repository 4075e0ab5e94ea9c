#!/usr/bin/env bash
# Runs the C tests of these folders: mk/ctest.sh [--valgrind] <folder>... Each test is a program that
# ends with `N passed, N failed`; the last line here sums them up.
# Without valgrind, --valgrind is skipped loudly; with CI=true that is a failure.
set -uo pipefail
cd "$(dirname "$0")/.."
passed=0 failed=0 under=()

if [ "${1:-}" = --valgrind ]; then
  shift
  if ! command -v valgrind >/dev/null; then
    echo "SKIPPED: the C tests under valgrind, which is not installed"
    [ "${CI:-}" != true ]
    exit
  fi
  under=(valgrind --quiet --error-exitcode=99 --leak-check=full --child-silent-after-fork=yes --suppressions=ctests/valgrind.supp
    --errors-for-leak-kinds=definite,indirect,possible --show-leak-kinds=definite,indirect,possible)
fi

run() {
  local name=$1 out status p f
  shift
  out=$(timeout 600 "$@" 2>&1)
  status=$?
  read -r p f < <(sed -n '$s/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' <<<"$out")
  passed=$((passed + ${p:-0})) failed=$((failed + ${f:-0}))
  if [ $status -ne 0 ] || [ -z "${p:-}" ]; then
    [ "${f:-0}" -ne 0 ] || failed=$((failed + 1))
    echo "$name: FAILED (exit status $status)"
    sed 's/^/    /' <<<"$out" | grep -vE '^ *[0-9]+ passed, ' | tail -n 60
  else
    echo "$name: ok ($p checks)"
  fi
}

for folder in "$@"; do
  for program in "$folder"/test_*; do
    run "$program" "${under[@]}" "$program"
  done
done
run "three members" ctests/members.sh "${under[@]}" "${MEMBER:-target/ctests/member}"
run "three members, in C++" ctests/members.sh "${under[@]}" "${MEMBER_CPP:-target/ctests/member_cpp}"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
