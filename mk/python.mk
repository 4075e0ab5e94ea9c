# The Python wheel: .venv with the pinned tools, the wheel in target/wheels, its tests.

VENV := .venv
WHEELS := target/wheels
# `make wheel WHEEL_PROFILE=dev` builds without optimization.
WHEEL_PROFILE ?= release

.PHONY: venv wheel wheel-installed pytest wheel-check

$(VENV)/.ready: python/requirements-dev.txt
	$(PYTHON) -m venv --clear $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	touch $@

venv: $(VENV)/.ready ## .venv with maturin, pytest and mypy

wheel: venv ## the wheel, in target/wheels
	rm -f $(WHEELS)/isis_groups-*.whl
	$(VENV)/bin/maturin build --locked --profile $(WHEEL_PROFILE) \
	  --manifest-path python/Cargo.toml --out $(WHEELS)

wheel-installed: wheel ## the wheel, installed in .venv
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-index --no-deps \
	  --force-reinstall $(WHEELS)/isis_groups-*.whl

pytest: wheel-installed ## the tests of the wheel
	$(VENV)/bin/pytest python

wheel-check: wheel ## the wheel alone, in a fresh venv without cargo, runs the README's example
	mk/wheel-check.sh $(PYTHON) $(WHEELS)/isis_groups-*.whl
