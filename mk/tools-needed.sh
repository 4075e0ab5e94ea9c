#!/usr/bin/env bash
# Says what a machine lacks, and installs what it may (as root, on Debian's family).
# `tools-needed.sh net`: only what the tests on real networks take.
set -uo pipefail
missing=0
need() {
  command -v "$1" >/dev/null || { echo "missing: $1 ($2)"; missing=1; }
}

# want <how to find it> <package>: without it a check is skipped.
wanted=()
want() {
  compgen -G "$1" >/dev/null || command -v "$1" >/dev/null || wanted+=("$2")
}

if [ "${1:-}" != net ]; then
  need cargo "https://rustup.rs"
  need python3 "3.9 or later"
  need cc "a C compiler"
  need c++ "a C++ compiler, for the header's C++ checks"
  need pkg-config "for the installation check"
  want valgrind valgrind
fi
want nft nftables
want ip iproute2
want '/usr/lib/*/faketime/libfaketimeMT.so.1' faketime

if [ ${#wanted[@]} -ne 0 ]; then
  if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${wanted[@]}"
  else
    echo "not installed: ${wanted[*]}; checks that need them are skipped"
  fi
fi
exit $missing
