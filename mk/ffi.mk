# The C library: header, symbols, tests, installation.

PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
export DESTDIR

C_FLAGS := -O1 -g -Wall -Wextra -Wpedantic -Werror -Iinclude -Ictests
C_LINK := -Ltarget/release -Wl,-rpath,'$$ORIGIN/../../release' -lisis -lpthread
CTESTS := $(basename $(notdir $(wildcard ctests/test_*.c)))
CTEST_PROGRAMS := $(CTESTS:%=target/ctests/c99/%) $(CTESTS:%=target/ctests/cxx17/%) \
  target/ctests/hpp/test_cpp target/ctests/member target/ctests/member_cpp

.PHONY: ffi header header-check symbols-check ctest ctest-valgrind ctest-programs install install-check

ffi: ## libisis.so and libisis.a
	$(CARGO) build --locked --release -p isis-ffi
	@ln -sf libisis.so target/release/libisis.so.0

header: ## regenerates include/isis.h
	@mk/header.sh include/isis.h

header-check: ## the checked-in header is the generated one, and clean in every standard
	@mk/header-check.sh

symbols-check: ffi ## exports exactly what isis-ffi/exports.txt lists
	@mk/symbols-check.sh

target/ctests/c99/%: ctests/%.c $(wildcard ctests/*.h) include/isis.h target/release/libisis.so
	@mkdir -p $(@D)
	$(CC) -std=c99 $(C_FLAGS) -o $@ $< $(C_LINK)

target/ctests/cxx17/%: ctests/%.c $(wildcard ctests/*.h) include/isis.h target/release/libisis.so
	@mkdir -p $(@D)
	$(CXX) -std=c++17 -x c++ $(C_FLAGS) -o $@ $< -x none $(C_LINK)

target/ctests/hpp/test_cpp: ctests/test_cpp.cpp ctests/check.h include/isis.hpp include/isis.h target/release/libisis.so
	@mkdir -p $(@D)
	$(CXX) -std=c++17 $(C_FLAGS) -o $@ $< $(C_LINK)

target/ctests/member_cpp: bindings/examples/member.cpp include/isis.hpp include/isis.h target/release/libisis.so
	@mkdir -p $(@D)
	$(CXX) -std=c++17 $(C_FLAGS) -o $@ $< -Ltarget/release -Wl,-rpath,'$$ORIGIN/../release' -lisis

target/ctests/member: bindings/examples/member.c include/isis.h target/release/libisis.so
	@mkdir -p $(@D)
	$(CC) -std=c99 $(C_FLAGS) -o $@ $< -Ltarget/release -Wl,-rpath,'$$ORIGIN/../release' -lisis

ctest-programs: $(CTEST_PROGRAMS)

ctest: ffi ## the C tests, as C99 and as C++17, and those of isis.hpp
	@$(MAKE) --no-print-directory ctest-programs
	@mk/ctest.sh target/ctests/c99 target/ctests/cxx17 target/ctests/hpp

ctest-valgrind: ffi ## the C tests under valgrind memcheck
	@$(MAKE) --no-print-directory ctest-programs
	@mk/ctest.sh --valgrind target/ctests/c99 target/ctests/hpp

install: ffi ## library, headers, isis.pc and the CMake package
	@mk/install.sh '$(PREFIX)' '$(LIBDIR)'

install-check: ffi venv ## installs under target/, then builds with pkg-config and CMake alone
	@mk/install-check.sh
