#!/usr/bin/env bash
# The shared library exports what isis-ffi/exports.txt lists, nothing more, and what the header
# declares. A symbol that goes or changes its meaning breaks programs: the list is the interface.
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C
nm -D --defined-only target/release/libisis.so | awk '{ print $3 }' | sort >target/exports.now
grep -o '\bisis_[a-z_0-9]*(' include/isis.h | tr -d '(' | sort -u >target/exports.header
sort -c isis-ffi/exports.txt
status=0
diff isis-ffi/exports.txt target/exports.now || { echo "exports.txt (<) and the library (>) differ"; status=1; }
# Comments mention functions, too: what is declared is at least what is exported.
comm -13 target/exports.header target/exports.now | grep . && { echo "exported, but not in the header"; status=1; }
grep -v '^isis_' target/exports.now && { echo "exported, but not isis_*"; status=1; }
readelf -d target/release/libisis.so | grep -q 'SONAME.*\[libisis\.so\.0\]' || { echo "wrong SONAME"; status=1; }
[ $status -ne 0 ] || echo "$(wc -l <target/exports.now) symbols, all listed"
exit $status
