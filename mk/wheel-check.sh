#!/usr/bin/env bash
# wheel-check.sh PYTHON WHEEL: installs the wheel into a fresh venv without cargo on PATH and runs
# the README's example there.
set -euo pipefail
python=$1 wheel=$2
venv=target/wheel-check
"$python" -m venv --clear "$venv"
export PATH="$PWD/$venv/bin:/usr/bin:/bin"
if command -v cargo; then
  echo "cargo is on the PATH $PATH: this would prove nothing" >&2
  exit 1
fi
pip install --quiet --disable-pip-version-check --no-index "$wheel"
# Isolated: no checkout, no user directory on the module path.
python -I python/tests/readme_example.py python/README.md
