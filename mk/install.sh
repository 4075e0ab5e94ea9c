#!/usr/bin/env bash
# Installs the C library: mk/install.sh <prefix> <libdir>; DESTDIR in the environment goes before
# both. The .pc file names libdir relative to the prefix where it can, so that
# `pkg-config --define-variable=prefix=...` moves everything; the CMake package finds all from where it is.
set -euo pipefail
cd "$(dirname "$0")/.."
prefix=$1 libdir=$2 destdir=${DESTDIR:-}
built=target/release
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"$/\1/p' Cargo.toml)
soname=$(readelf -d $built/libisis.so | sed -n 's/.*(SONAME).*\[\(.*\)\]$/\1/p')
# What a program that links libisis.a needs besides: the standard library's own needs, which rustc
# names for any static library (no crate that is in it adds one: `make install-check` links it).
private=$("${RUSTC:-rustc}" --crate-name empty --crate-type staticlib --print native-static-libs \
  -o target/libempty.a - </dev/null 2>&1 | sed -n 's/^note: native-static-libs: //p')
[ -n "$private" ] || { echo "rustc did not name the native libraries" >&2; exit 1; }

in_prefix=$libdir
case $libdir in "$prefix"/*) in_prefix="\${exec_prefix}/${libdir#"$prefix"/}" ;; esac

cmake=$libdir/cmake/isis
to_include=$(realpath -m -s --relative-to="$cmake" "$prefix/include")
install -d "$destdir$prefix/include" "$destdir$libdir/pkgconfig" "$destdir$cmake"
install -m 644 include/isis.h include/isis.hpp "$destdir$prefix/include/"
install -m 644 $built/libisis.a "$destdir$libdir/"
install -m 755 $built/libisis.so "$destdir$libdir/libisis.so.$version"
ln -sf "libisis.so.$version" "$destdir$libdir/$soname"
ln -sf "$soname" "$destdir$libdir/libisis.so"
sed -e "s|@PREFIX@|$prefix|; s|@LIBDIR@|$in_prefix|; s|@VERSION@|$version|" \
  -e "s|@LIBS_PRIVATE@|$private|" bindings/isis.pc.in >"$destdir$libdir/pkgconfig/isis.pc"
chmod 644 "$destdir$libdir/pkgconfig/isis.pc"
# A program with pointers of another size cannot link it.
case $(readelf -h $built/libisis.so | sed -n 's/^ *Class: *//p') in ELF64) pointer=8 ;; *) pointer=4 ;; esac
for file in isisConfig.cmake isisConfigVersion.cmake; do
  sed -e "s|@VERSION@|$version|g; s|@SONAME@|$soname|; s|@TO_INCLUDE@|$to_include|" \
    -e "s|@LIBS_PRIVATE@|${private// /;}|; s|@POINTER_SIZE@|$pointer|" \
    "bindings/$file.in" >"$destdir$cmake/$file"
  chmod 644 "$destdir$cmake/$file"
done
