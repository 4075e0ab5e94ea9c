#!/usr/bin/env bash
# Says what a machine lacks, and installs what it may (valgrind, as root, on Debian's family).
set -uo pipefail
missing=0
need() {
  command -v "$1" >/dev/null || { echo "missing: $1 ($2)"; missing=1; }
}
need cargo "https://rustup.rs"
need python3 "3.9 or later"
need cc "a C compiler"
need c++ "a C++ compiler, for the header's C++ checks"
need pkg-config "for the installation check"
if ! command -v valgrind >/dev/null; then
  if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq valgrind
  fi
  command -v valgrind >/dev/null || echo "valgrind is not installed: its check will be skipped"
fi
exit $missing
