# Two commands: `make run` and `make test`. Each installs what it needs on Debian and builds first.
# Options go in ARGS: make run ARGS="--mode block --case phone-2"

ARGS ?=

.PHONY: run test build format check fuzz soak bench

run:
	@Scripts/setup run
	swift build --configuration release --static-swift-stdlib --product tidewaiter
	@exec .build/release/tidewaiter run $(ARGS)

test:
	@Scripts/setup test
	swift build --build-tests --explicit-target-dependency-import-check error
	swift test --skip-build --disable-xctest
	Tests/Loopback/run

# FUZZ="http1 600" for one target and longer.
fuzz:
	@Scripts/setup test
	Scripts/fuzz $(FUZZ)

# HANDSHAKES="500" for fewer than 10,000.
soak:
	@Scripts/setup test
	Scripts/soak $(HANDSHAKES)

# BENCH="--rounds 5 --cases small,h2"; Scripts/bench --count is about instructions (Tests/Benchmarks/README.md).
bench:
	@Scripts/setup bench
	swift build --configuration release --static-swift-stdlib --product tidewaiter
	@Scripts/bench $(BENCH)

build:
	@Scripts/setup run
	swift build

format:
	swift format --in-place --recursive Sources Tests Package.swift

check:
	swift format lint --strict --recursive Sources Tests Package.swift
	Scripts/check
