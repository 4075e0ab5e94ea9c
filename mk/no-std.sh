#!/usr/bin/env bash
# The proof that the protocols touch no clock, thread or socket: isis-core without its default
# features is linked into a crate that brings its own panic handler. A crate that used std anywhere
# below it would bring a second one, and the compiler would refuse it.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo rustc --locked --manifest-path mk/no-std/Cargo.toml --target-dir target/no-std
# A bare target has no std at all; used where the toolchain has one.
sysroot=$(rustc --print sysroot)
for bare in thumbv7em-none-eabi x86_64-unknown-none aarch64-unknown-none riscv64gc-unknown-none-elf; do
  [ -d "$sysroot/lib/rustlib/$bare" ] || continue
  echo "building for $bare"
  cargo build --locked --manifest-path mk/no-std/Cargo.toml --target-dir target/no-std --target "$bare"
done
