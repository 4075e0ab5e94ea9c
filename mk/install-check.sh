#!/usr/bin/env bash
# Installs into a folder under target/, then builds and runs C programs that know of the library only
# what pkg-config says: shared and static, in the usual place and in an odd LIBDIR.
set -uo pipefail
cd "$(dirname "$0")/.."
passed=0 failed=0
try() {
  local what=$1
  shift
  if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAILED: $what"; fi
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
    echo "$passed $failed" >../counts
  )
  read -r passed failed <"$root/counts"
  try "nothing names the staging folder" sh -c "! grep -r '$root' '$root$libdir/pkgconfig'"
  # shellcheck disable=SC2046 # the words are compared, not the blanks
  try "the .pc file moves with its prefix" test \
    "$(echo $(env -u PKG_CONFIG_SYSROOT_DIR pkg-config --define-variable=prefix=/elsewhere --cflags isis))" \
    = "-I/elsewhere/include"
}

check_at /usr/local /usr/local/lib || failed=$((failed + 1))
check_at /opt/isis /opt/isis/lib/x86_64-linux-gnu || failed=$((failed + 1))
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
