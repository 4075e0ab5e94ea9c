# The Python wheel: .venv with the pinned tools, the wheel in target/wheels, its tests.

VENV := .venv
WHEELS := target/wheels
# `make wheel WHEEL_PROFILE=dev` builds without optimization.
WHEEL_PROFILE ?= release

.PHONY: venv wheel wheel-installed pytest python-unit wheel-check

$(VENV)/.ready: python/requirements-dev.txt
	$(PYTHON) -m venv --clear $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	touch $@

venv: $(VENV)/.ready ## .venv with maturin, pytest, mypy and cmake

wheel: venv ## the wheel, in target/wheels
	rm -f $(WHEELS)/isis_groups-*.whl
	$(VENV)/bin/maturin build --locked --profile $(WHEEL_PROFILE) \
	  --manifest-path python/Cargo.toml --out $(WHEELS)

wheel-installed: wheel ## the wheel, installed in .venv
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-index --no-deps \
	  --force-reinstall $(WHEELS)/isis_groups-*.whl

pytest: wheel-installed python-unit ## the tests of the wheel
	$(VENV)/bin/pytest python

# The crate's own tests link with the interpreter's shared library, which some systems ship apart.
LIBPYTHON := import os, sysconfig; v = sysconfig.get_config_var; \
  print(v("LIBDIR") if os.path.exists(os.path.join(v("LIBDIR"), v("LDLIBRARY"))) else "")

python-unit: venv
	@libdir=$$($(VENV)/bin/python -c '$(LIBPYTHON)'); \
	if [ -z "$$libdir" ]; then echo 'SKIPPED: no shared libpython to link the unit tests with'; exit; fi; \
	LD_LIBRARY_PATH=$$libdir PYO3_PYTHON=$$PWD/$(VENV)/bin/python $(CARGO) test --locked -p isis-python

wheel-check: wheel ## the wheel alone, in a fresh venv without cargo, runs the README's example
	mk/wheel-check.sh $(PYTHON) $(WHEELS)/isis_groups-*.whl
