# The front door. `make` lists what there is; the work itself is in scripts/ and CMakePresets.json.
.PHONY: help setup build demo demo-down test slow asan tsan tidy fmt lint check bench matrix verifiers fuzz clean

help:
	@echo 'make demo                  set up, build, and run the main job on two real clusters'
	@echo 'make demo CONTEXTS=a,b     the same on clusters of yours'
	@echo 'make test                  set up, build, and run all tests but the slow'
	@echo 'make slow                  the slow tests: whole meshes'
	@echo 'make asan | tsan           unit tests under sanitizers'
	@echo 'make lint | fmt            format and clang-tidy checks; reformat'
	@echo 'make check                 all of the above but demo'
	@echo 'make bench                 timings against other tools'
	@echo 'make verifiers             what Go, BoringSSL and rustls-webpki say of many chains (SEED=, CASES=)'
	@echo 'make fuzz                  every fuzz target for SECONDS_EACH=300'
	@echo 'make matrix                every deployment model beside the same by hand: docs/models.md'
	@echo 'make demo-down | clean     stop the demo clusters; remove build/'

setup:
	@scripts/setup

build: setup
	@scripts/build dev

demo: setup
	@scripts/build dev meshtrust
	@scripts/demo "$(CONTEXTS)"

demo-down:
	@MESHTRUST_RIG_STATE=$(CURDIR)/build/demo-clusters tests/rig/rig down

test: setup
	@scripts/test
	@echo "all tests passed; next: 'make demo', or 'make check' before a commit"

slow: setup
	@scripts/test -L slow

asan: setup
	@scripts/build asan
	@ctest --preset asan -L unit

tsan: setup
	@scripts/build tsan run_tests
	@ctest --preset tsan -R '^run\.'

tidy: setup
	@scripts/lint tidy

fmt:
	@git ls-files '*.h' '*.cpp' | xargs clang-format -i

lint: setup
	@scripts/lint

check: lint asan tsan test slow

bench: setup
	@scripts/build release meshtrust
	@bench/run

verifiers: setup
	@scripts/build dev chains
	@MESHTRUST_REQUIRE_VERIFIERS=1 MESHTRUST_SEED=$(or $(SEED),1) MESHTRUST_CASES=$(or $(CASES),20000) python3 -B tests/interop/verifiers_test.py

fuzz: setup
	@SECONDS_EACH=$(or $(SECONDS_EACH),300) scripts/fuzz $(TARGETS)

matrix: setup
	@scripts/build release meshtrust
	@tests/rig/rig build kubernetes kwok pilot-discovery istioctl
	@bench/models/matrix

clean:
	rm -rf build
