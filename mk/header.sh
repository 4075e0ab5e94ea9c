#!/usr/bin/env bash
# Generates the C header from isis-ffi: mk/header.sh <output>. Installs the pinned cbindgen under
# target/ if it is not there.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$1
cbindgen_version=0.29.4
tool=target/tools/cbindgen-$cbindgen_version/bin/cbindgen
if [ ! -x "$tool" ]; then
  "${CARGO:-cargo}" install --quiet --locked --version "=$cbindgen_version" \
    --root "target/tools/cbindgen-$cbindgen_version" cbindgen
fi

version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"$/\1/p' Cargo.toml)
IFS=. read -r major minor patch <<<"$version"
mkdir -p "$(dirname "$out")"
"$tool" --quiet --config isis-ffi/cbindgen.toml isis-ffi --output "$out.raw"
# Rust's "# Safety" sections repeat what the comment says of the arguments. One at a comment's end
# goes, with the empty line above it.
sed -e "s/@MAJOR@/$major/; s/@MINOR@/$minor/; s/@PATCH@/$patch/; s/@VERSION@/$version/" \
  "$out.raw" | awk '
    { lines[n++] = $0 }
    END {
      for (i = 0; i < n; i++) {
        if (lines[i] ~ /^ \* # Safety$/) {
          while (lines[i] !~ /^ \*\/$/) i++
          if (out[m - 1] ~ /^ \*$/) m--
        }
        out[m++] = lines[i]
      }
      for (i = 0; i < m; i++) print out[i]
    }' >"$out.new"
rm "$out.raw"
mv "$out.new" "$out"
