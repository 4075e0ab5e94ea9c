# Everything a user or a packager runs. On a fresh machine with cargo, python3 (3.9+), a C compiler
# and make, each target sets up whatever else it needs under target/ and .venv/.
# What belongs to one folder (C library, Python wheel) is in mk/<folder>.mk.

.DEFAULT_GOAL := help
SHELL := /bin/bash
CARGO ?= cargo
PYTHON ?= python3
CC ?= cc

-include $(sort $(wildcard mk/*.mk))

ISIS := target/release/isis
DEMO_MEMBER := target/demo/member
BENCH_MEMBER := target/bench/member
NET_MEMBER := target/net-member/member

# The victim's site is the oldest, the view manager: c or python.
VICTIM ?= c
# The text to send; by default the one shipped, repeated.
FILE ?= demo/text.txt
# How many orders of steps each test of `make schedules` tries.
SCHEDULES ?= 1000
# Of processes.
SOAK_MINUTES ?= 3
# Of the simulator: so many seeds from FIRST, or as many as MINUTES allow, but at least LEAST.
SEEDS ?=
FIRST ?= 1
MINUTES ?= 90
LEAST ?= 50000
# The folder for histories of the demonstration or of the soak of processes, which are audited then; none by default.
RECORD ?=
# Per target.
FUZZ_SECONDS ?= 60
BENCH_RUNS ?= 3
# The scenarios of `make test-net`, by name; all by default.
SCENARIO ?=

.PHONY: help demo test test-net check-deep schedules mutants fuzz asan soak soak-processes bench clean tools

help: ## show the targets
	@echo 'make demo [VICTIM=c|python] [FILE=path]   three processes, one is killed, all agree'
	@echo '          [RECORD=dir]                    records their histories and audits them'
	@echo 'make test                                 every check; ends with "N passed, N failed"'
	@echo 'make check-deep                           every state of the machines at small sizes; long'
	@echo 'make test-net [SCENARIO=name ...]         five sites in namespaces under real faults; needs root'
	@echo 'make schedules [SCHEDULES=1000]           threads, under one order of steps after the other'
	@echo 'make mutants                              each seeded fault must be found'
	@echo 'make fuzz [FUZZ_SECONDS=60]                any bytes, at every boundary; seconds per target'
	@echo 'make asan                                 the Rust and C tests under AddressSanitizer'
	@echo 'make soak [MINUTES=90] [SEEDS=] [FIRST=1] the simulator, for long; at least LEAST=50000 seeds'
	@echo 'make soak-processes [SOAK_MINUTES=3] [RECORD=dir]   load, and a kill every 20 s'
	@echo 'make bench [BENCH_RUNS=3]                 throughput, latency, kill to view, through the C API'
	@echo 'make install [DESTDIR= PREFIX= LIBDIR=]   library, headers, isis.pc and CMake package'
	@echo 'make clean                                remove everything built'

tools:
	$(CARGO) build --locked --release -p isis-tools

$(DEMO_MEMBER): demo/member.c demo/replica.c demo/replica.h include/isis.h target/release/libisis.so
	@mkdir -p $(@D)
	$(CC) -std=c99 -O2 -g -Wall -Wextra -Wpedantic -Werror -Iinclude -o $@ \
	  demo/member.c demo/replica.c -Ltarget/release -Wl,-rpath,'$$ORIGIN/../release' -lisis

$(BENCH_MEMBER): bench/member.c include/isis.h target/release/libisis.so
	@mkdir -p $(@D)
	$(CC) -std=c99 -O2 -g -Wall -Wextra -Wpedantic -Werror -Iinclude -o $@ \
	  bench/member.c -Ltarget/release -Wl,-rpath,'$$ORIGIN/../release' -lisis

$(NET_MEMBER): net/member.c include/isis.h target/release/libisis.so
	@mkdir -p $(@D)
	$(CC) -std=c99 -O2 -g -Wall -Wextra -Wpedantic -Werror -Iinclude -o $@ \
	  net/member.c -Ltarget/release -Wl,-rpath,'$$ORIGIN/../release' -lisis

demo: tools ffi wheel-installed ## three processes, one is killed, all agree
	@$(MAKE) --no-print-directory $(DEMO_MEMBER)
	@$(ISIS) demo --victim $(VICTIM) --file '$(FILE)' --c-member $(DEMO_MEMBER) \
	  --python .venv/bin/python --python-member demo/member.py $(if $(RECORD),--record '$(RECORD)')
	@$(if $(RECORD),$(ISIS) audit --at-rest '$(RECORD)')

test: ## every check
	@mk/check.sh

# One exploration at a time: each has all cores, and up to 9 GiB.
check-deep: ## every state of the machines at small sizes
	@EXPLORE_WHOLE=1 $(CARGO) test --locked --release -p isis-core --test explore -- --nocapture --test-threads=1

# With CI=true what cannot run here fails, as for `make test`.
test-net: tools ffi wheel-installed ## five sites in network namespaces, under real faults
	@mk/tools-needed.sh net
	@$(MAKE) --no-print-directory $(NET_MEMBER)
	@$(ISIS) net --c-member $(NET_MEMBER) --python .venv/bin/python --python-member net/member.py $(SCENARIO)

# Of its own directory, for the flag would have everything built anew.
schedules: ## threads under SCHEDULES orders of steps each
	@RUSTFLAGS='--cfg isis_shuttle' SCHEDULES='$(SCHEDULES)' $(CARGO) test --locked -p isis-core --lib \
	  --target-dir target/schedules runtime::schedules

mutants: ## each seeded fault must be found
	@mk/mutants.sh

fuzz: ## any bytes, at every boundary
	@FUZZ_SECONDS=$(FUZZ_SECONDS) mk/fuzz.sh

asan: ## the Rust and C tests under AddressSanitizer
	@mk/asan.sh

soak: ## the simulator, for long
	@$(if $(SEEDS),SEEDS=$(SEEDS),MINUTES=$(MINUTES) LEAST=$(LEAST)) FIRST=$(FIRST) $(CARGO) test --locked \
	  --release -p isis-core --test sim seeds

soak-processes: tools ## load, and a kill every 20 s
	@$(ISIS) soak --minutes $(SOAK_MINUTES) $(if $(RECORD),--record '$(RECORD)')
	@$(if $(RECORD),$(ISIS) audit --at-rest '$(RECORD)')

bench: tools ffi ## throughput, latency, kill to view, through the C API
	@$(MAKE) --no-print-directory $(BENCH_MEMBER)
	@$(ISIS) bench --member $(BENCH_MEMBER) --runs $(BENCH_RUNS)

clean: ## remove everything built
	rm -rf target .venv
