#!/usr/bin/env bash
# The checked-in header is the one that isis-ffi generates, and compiles without a warning in every
# standard that C and C++ programs use; isis.hpp in every one that it is for, with clang++ too where that
# is installed.
set -uo pipefail
cd "$(dirname "$0")/.."
passed=0 failed=0
try() {
  local what=$1
  shift
  if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAILED: $what"; fi
}
mk/header.sh target/isis.h || exit 1
try "include/isis.h is what make header gives" diff -u include/isis.h target/isis.h
strict=(-Wall -Wextra -Wpedantic -Werror -Iinclude -fsyntax-only)
for std in c99 c11 c17 c2x; do
  try "as $std" "${CC:-cc}" -std=$std -x c "${strict[@]}" - <<<'#include <isis.h>'
done
for std in c++11 c++14 c++17 c++20 c++23; do
  try "as $std" "${CXX:-c++}" -std=$std -x c++ "${strict[@]}" - <<<'#include <isis.h>'
done
for std in c++17 c++20 c++23; do
  for compiler in "${CXX:-c++}" clang++; do
    command -v "$compiler" >/dev/null || continue
    try "isis.hpp as $std by $compiler" "$compiler" -std=$std -x c++ "${strict[@]}" -Wconversion -Wshadow - \
      <<<'#include <isis.hpp>'
  done
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
