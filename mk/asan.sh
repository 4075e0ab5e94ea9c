#!/usr/bin/env bash
# The Rust tests of isis-core and isis-ffi, and the C and C++ tests, under AddressSanitizer and its leak check.
# The compiler is the stable one, told to obey -Z; everything is built apart, in target/asan.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}/asan
host=$(rustc -vV | sed -n 's/^host: //p')
export RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address CARGO_TARGET_DIR=$target
# Few seeds: what is looked for is in the memory, not in the schedules.
SEEDS=${SEEDS:-20} "${CARGO:-cargo}" test --locked --target "$host" -p isis-core -p isis-ffi
"${CARGO:-cargo}" build --locked --release --target "$host" -p isis-ffi

library=$target/$host/release
ln -sf libisis.so "$library/libisis.so.0"
mkdir -p "$target/ctests/programs"
flags=(-O1 -g -fsanitize=address -fno-omit-frame-pointer -Wall -Wextra -Wpedantic -Werror
  -Iinclude -Ictests)
link=(-L"$library" -Wl,-rpath,"$(realpath "$library")" -lisis -lpthread)
for source in ctests/test_*.c; do
  name=$(basename "$source" .c)
  "${CC:-cc}" -std=c99 "${flags[@]}" -o "$target/ctests/programs/$name" "$source" "${link[@]}"
done
"${CXX:-c++}" -std=c++17 "${flags[@]}" -o "$target/ctests/programs/test_cpp" ctests/test_cpp.cpp "${link[@]}"
"${CC:-cc}" -std=c99 "${flags[@]}" -o "$target/ctests/member" bindings/examples/member.c "${link[@]}"
"${CXX:-c++}" -std=c++17 "${flags[@]}" -o "$target/ctests/member_cpp" bindings/examples/member.cpp "${link[@]}"
MEMBER=$target/ctests/member MEMBER_CPP=$target/ctests/member_cpp mk/ctest.sh "$target/ctests/programs"
