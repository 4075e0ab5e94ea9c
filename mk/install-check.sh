#!/usr/bin/env bash
# Installs into a folder under target/, then builds and runs C and C++ programs that know of the library
# only what pkg-config and CMake's find_package say: shared and static, in the usual place and in an odd
# LIBDIR. CMake is the one of .venv, else the system's; without any, what needs it is skipped loudly, and
# with CI=true that is a failure.
set -uo pipefail
cd "$(dirname "$0")/.."
passed=0 failed=0
cmake=$PWD/.venv/bin/cmake
[ -x "$cmake" ] || cmake=$(command -v cmake)
try() {
  local what=$1
  shift
  if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAILED: $what"; fi
}

# Run in the build folder.
check_cmake() {
  local root=$1 libdir=$2 program
  try "configure, $libdir" "$cmake" -S ../../../ctests -B cmake -Disis_DIR="$root$libdir/cmake/isis" \
    -DCMAKE_C_FLAGS='-Wall -Wextra -Wpedantic -Werror' -DCMAKE_CXX_FLAGS='-Wall -Wextra -Wpedantic -Werror' >log || cat log
  try "build with CMake, $libdir" "$cmake" --build cmake >log || cat log
  for program in c_isis c_isis_static; do
    try "run $program, $libdir" env LD_LIBRARY_PATH="$root$libdir" "cmake/$program"
  done
  for program in cxx_isis cxx_isis_static; do
    try "run $program, $libdir" env LD_LIBRARY_PATH="$root$libdir" "cmake/$program" 'id=1 first_view=alone' \
      <<<'a line' >log || cat log
  done
  try "CMake's program asks for the SONAME" \
    sh -c 'readelf -d cmake/cxx_isis | grep -q "NEEDED.*\[libisis.so.0\]"'
  try "CMake's static program needs no libisis" sh -c '! readelf -d cmake/cxx_isis_static | grep -q libisis'
}

check_at() {
  local prefix=$1 libdir=$2 root=$PWD/target/install-check
  rm -rf "$root"
  mkdir -p "$root/build"
  make --no-print-directory install DESTDIR="$root" PREFIX="$prefix" LIBDIR="$libdir" >/dev/null || return 1
  export PKG_CONFIG_LIBDIR="$root$libdir/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$root"
  local flags static
  flags=$(pkg-config --cflags --libs isis) && static=$(pkg-config --static --libs isis) || return 1
  (
    cd "$root/build" || exit 1
    # shellcheck disable=SC2086 # flags are words
    try "build, shared, $libdir" "${CC:-cc}" -std=c99 -Wall -Wextra -Wpedantic -Werror -o shared \
      ../../../ctests/installed.c $flags
    # shellcheck disable=SC2086
    try "build, static, $libdir" "${CC:-cc}" -std=c99 -o static ../../../ctests/installed.c \
      $(pkg-config --cflags isis) -Wl,-Bstatic -L"$root$libdir" -lisis -Wl,-Bdynamic ${static//-lisis/}
    try "run, shared, $libdir" env LD_LIBRARY_PATH="$root$libdir" ./shared
    try "run, static, $libdir" ./static
    try "the program asks for the SONAME" \
      sh -c 'readelf -d shared | grep -q "NEEDED.*\[libisis.so.0\]"'
    try "the static program needs no libisis" sh -c '! readelf -d static | grep -q libisis'
    if [ -n "$cmake" ]; then check_cmake "$root" "$libdir"; fi
    echo "$passed $failed" >../counts
  )
  read -r passed failed <"$root/counts"
  try "nothing names the staging folder" sh -c "! grep -r '$root' '$root$libdir/pkgconfig' '$root$libdir/cmake'"
  # shellcheck disable=SC2046 # the words are compared, not the blanks
  try "the .pc file moves with its prefix" test \
    "$(echo $(env -u PKG_CONFIG_SYSROOT_DIR pkg-config --define-variable=prefix=/elsewhere --cflags isis))" \
    = "-I/elsewhere/include"
}

check_at /usr/local /usr/local/lib || failed=$((failed + 1))
check_at /opt/isis /opt/isis/lib/x86_64-linux-gnu || failed=$((failed + 1))
# What find_package says of a version: a project of its own each, since it remembers what it found.
version_found() {
  "$cmake" -S ctests -B "target/install-check/version-$1" -DEXPECT_VERSION="$1" \
    -Disis_DIR="$PWD/target/install-check/opt/isis/lib/x86_64-linux-gnu/cmake/isis" | grep -qx -e "-- isis $1: $2"
}
if [ -n "$cmake" ]; then
  version=$(sed -n 's/^#define ISIS_VERSION "\(.*\)"$/\1/p' include/isis.h)
  for asked in "$version 1" "${version%.*} 1" "0 1" "${version%.*}.99 0" "0.0.1 0" "1.0 0"; do
    read -r asked found <<<"$asked"
    try "find_package(isis $asked) finds: $found" version_found "$asked" "$found"
  done
else
  echo "SKIPPED: the CMake package, since there is no cmake"
  [ "${CI:-}" != true ] || failed=$((failed + 1))
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
