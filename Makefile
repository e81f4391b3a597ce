# The commands of the README. CMake does the work; `make help` lists the targets.
.PHONY: help packages other build install package demo test bench scoreboard asan tsan clean
JOBS ?= $(shell nproc)
# Most tests that take long wait for what they started.
TEST_JOBS ?= $(shell expr 2 '*' $(JOBS))

help:
	@echo "make build   build/release/ordeal"
	@echo "make install  the program and the checkers' library; PREFIX=/usr/local, DESTDIR="
	@echo "make package  Debian packages of both in build/packages"
	@echo "make demo    a local cluster, a real etcd, a workload under faults, a verdict"
	@echo "make test    build and run all tests"
	@echo "make asan    all tests, and a run against etcd, under AddressSanitizer and UBSan"
	@echo "make tsan    the same under ThreadSanitizer; TESTS='-L unit' for some of the tests"
	@echo "make bench   the benchmarks"
	@echo "make scoreboard  which planted bugs of ordeal-log are found, and how fast; BUDGET=2h JOBS= ONLY=BUG,…; goes on where it stopped"

packages: other
	@scripts/install-packages.sh build run test

# What the disk for nodes with the other kind of processor is linked with: build goes on without it.
OTHER_amd64 := arm64 build/foreign/aarch64
OTHER_arm64 := amd64 build/foreign/x86_64
other:
	@set -- $(OTHER_$(shell dpkg --print-architecture)); [ $$# -eq 0 ] || scripts/foreign-packages.sh $$* libfuse3-dev || true

build: other
	@scripts/install-packages.sh build run
	@cmake --preset release -DORDEAL_TESTS=OFF >build-configure.log 2>&1 || { cat build-configure.log; exit 1; }
	@rm -f build-configure.log
	@cmake --build --preset release -j $(JOBS)

PREFIX ?= /usr/local
install: build
	@DESTDIR=$(DESTDIR) cmake --install build/release --prefix $(PREFIX)

package: build
	@scripts/install-packages.sh package
	@cd build/release && cpack -B ../packages

# With Debian's Python, which is what the packages bring: another may begin with a script that finds it, each time.
test: export PATH := /usr/sbin:/usr/bin:/sbin:/bin:$(PATH)
test: packages
	@cmake --preset ci
	@cmake --build --preset ci -j $(JOBS)
	@ctest --test-dir build/ci --output-on-failure -j $(TEST_JOBS)

demo: build
	@scripts/demo.sh

asan tsan: packages
	@cmake --preset $@
	@cmake --build --preset $@ -j $(JOBS)
	@scripts/sanitize.sh $@ -j $(JOBS) $(TESTS)

bench: packages
	@cmake --preset bench
	@cmake --build --preset bench -j $(JOBS)

# Nodes are network namespaces: root.
BUDGET ?= 2h
ONLY ?=
scoreboard: build
	@cmake --build --preset release -j $(JOBS) --target ordeal-log-buggy ordeal_log_sim_program
	@scripts/scoreboard.py --budget $(BUDGET) --jobs $$((2 * $(JOBS))) --only '$(ONLY)'

clean:
	rm -rf build
