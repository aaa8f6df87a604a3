# The everyday commands. `make demo` and `make test` are all that a newcomer needs; each installs
# what is missing (tools/packages.txt), configures, builds and runs, and does nothing twice.
# The build itself is CMake's: the presets of CMakePresets.json, in build/PRESET. All but `release`
# build the tests too, and so need the packages for them.

SHELL := /bin/bash
.DELETE_ON_ERROR:
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

prefix ?= /usr/local
JOBS ?= $(shell nproc)
# Tests wait for other processes a third of their time: with as many as processors, those stand idle.
TEST_JOBS ?= $(shell expr $(JOBS) + $(JOBS) / 2)
FUZZ_SECONDS ?= 60
# Compilers' heaps in huge pages: Clang needs up to 30% less CPU time where page faults are dear.
IN_HUGE_PAGES := GLIBC_TUNABLES=glibc.malloc.hugetlb=1
BUILD := $(IN_HUGE_PAGES) cmake --build

# Everything that a configured build tree depends on.
cmake_files := $(wildcard CMakeLists.txt CMakePresets.json cmake/* */CMakeLists.txt \
  */*/CMakeLists.txt */*/*/CMakeLists.txt)

.PHONY: help
help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: packages-build build/release/build.ninja  ## show what heapspy tells of ls and of the experiments
	@$(BUILD) build/release --parallel $(JOBS) --target heapspy lab
	@tools/demo build/release

.PHONY: test
test: packages-build packages-test build-dev  ## build everything and run the tests
	@ctest --preset dev --parallel $(TEST_JOBS)

.PHONY: install
install: packages-build build-release  ## install to $(DESTDIR)$(prefix)
	cmake --install build/release --prefix "$(prefix)"

.PHONY: bench
bench: packages-build packages-bench build-release  ## measure, and print the table of docs/benchmarks.md
	bench/run build/release

.PHONY: asan
asan: packages-build packages-test packages-check build-asan  ## run the tests under AddressSanitizer and UBSan
	@ctest --preset asan --parallel $(TEST_JOBS)

.PHONY: ubsan
ubsan: packages-build packages-test build-ubsan  ## run the tests under UBSan alone
	@ctest --preset ubsan --parallel $(TEST_JOBS)

# ThreadSanitizer leaves 1.5 TiB for mappings: where the kernel places them at random, libminimalloc's window of
# more than 1 TiB fits into that only now and then. Left out are long tests of one thread.
.PHONY: tsan
tsan: packages-build packages-test build/tsan/build.ninja  ## run the tests of what threads share under ThreadSanitizer
	@$(BUILD) build/tsan --parallel $(JOBS) --target concurrent_tests
	@GTEST_FILTER='-*UnderFailure*:*SweepTest*' setarch -R ctest --preset tsan -L concurrent --parallel $(TEST_JOBS)

.PHONY: fuzz
fuzz: packages-build packages-test packages-check build/asan/build.ninja  ## fuzz each parser for $(FUZZ_SECONDS) seconds
	@$(BUILD) build/asan --parallel $(JOBS) --target fuzzers
	tools/run_fuzzers build/asan $(FUZZ_SECONDS) $(JOBS)

.PHONY: coverage
coverage: packages-build packages-test packages-coverage build-coverage  ## print how much of each file the tests reach
	@find build/coverage -name '*.gcda' -delete
	@ctest --preset coverage --parallel $(TEST_JOBS) --quiet
	@gcovr --root . --filter src/ build/coverage

.PHONY: check-format
check-format: packages-check  ## is the code laid out as .clang-format says?
	tools/check_format

.PHONY: format
format: packages-check  ## lay the code out as .clang-format says
	tools/check_format --fix

.PHONY: tidy
tidy: packages-build packages-test packages-check build/dev/build.ninja  ## static analysis of all files
	$(IN_HUGE_PAGES) tools/run_clang_tidy build/dev $(JOBS)

.PHONY: check-aarch64
check-aarch64: packages-build packages-test packages-check  ## does it compile for aarch64, and libminimalloc run there?
	tools/check_aarch64

.PHONY: clean
clean:  ## remove what was built
	rm -rf build

package_goals := $(addprefix packages-,build test programs check bench coverage)
.PHONY: $(package_goals)
$(package_goals): packages-%:
	@tools/install_packages $*

build_goals := $(addprefix build-,dev release asan ubsan tsan coverage)
.PHONY: $(build_goals)
$(build_goals): build-%: build/%/build.ninja
	@$(BUILD) build/$* --parallel $(JOBS)

build/%/build.ninja: $(cmake_files)
	@cmake --preset $* --log-level=WARNING && touch $@
