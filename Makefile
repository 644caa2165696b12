# What people and CI run. Virtual environments are made on first use: .venv-demo holds NumPy alone, .venv the test extras.
PYTHON ?= python3
VENV ?= .venv
DEMO_VENV ?= .venv-demo
# What the linker puts into the library, function by function; the wheel's has no symbols.
LINK_MAP := $(abspath target/convrs.map)
comma := ,
LINK_ARGUMENTS := $(if $(filter Linux,$(shell uname)),-- -C link-arg=-Wl$(comma)-Map=$(LINK_MAP))
PIP := -m pip --disable-pip-version-check --quiet

.PHONY: help demo test test-long check lint inlined bench bench-sweep bench-filters bench-accuracy bench-beside bench-gpu wheel clean

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*##  *\(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

demo: $(DEMO_VENV)/bin/python  ## build the wheel, install it with NumPy alone, take the tour
	@$(call build_wheel,$(DEMO_VENV))
	@$(DEMO_VENV)/bin/python $(PIP) install --force-reinstall --no-deps dist/convrs-*.whl
	@$(DEMO_VENV)/bin/python $(PIP) install dist/convrs-*.whl
	@$(DEMO_VENV)/bin/convrs demo

test: $(VENV)/tested  ## build, install with torch and the test extras, run the Rust and the Python tests
	@$(call cargo_test)
	$(VENV)/bin/python -m pytest

test-long: $(VENV)/tested  ## the same with a hundred times more random cases
	@PROPTEST_CASES=25600 && export PROPTEST_CASES && $(call cargo_test)
	$(VENV)/bin/python -m pytest --hypothesis-profile=long

check: lint test  ## format, lint, types and tests: what must be green before a commit

lint: $(VENV)/tested
	cargo fmt --check
	cargo clippy --all-targets -- --deny warnings
	PYO3_PYTHON=$(abspath $(VENV)/bin/python) cargo clippy --features python -- --deny warnings
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/python -m mypy.stubtest convrs._convrs

inlined: $(VENV)/bin/python  ## build the wheel: no vector instruction may have become a function of its library
	@$(call build_wheel,$(VENV))
	@grep --quiet convrs $(LINK_MAP) && ! grep core_arch::x86 $(LINK_MAP) | grep -v _xgetbv

bench: $(VENV)/benched  ## layers beside torch, onnxruntime, OpenVINO, ncnn and SciPy; run it alone on the machine
	$(VENV)/bin/python benches/vs_peers.py --csv target/bench/vs_peers.csv --svg target/bench/vs_peers.svg
	cargo bench

bench-sweep: $(VENV)/benched  ## share of the peak over a grid of sizes; fails where one lies below half of its neighbour
	$(VENV)/bin/python benches/sweep.py --svg target/bench/sweep.svg

bench-filters: $(VENV)/benched  ## filters of one channel, 3 to 4096 taps and 3x3 to 63x63, beside SciPy and torch
	$(VENV)/bin/python benches/filters.py

bench-accuracy: $(VENV)/benched  ## error of the direct and the Winograd convolution, as a Markdown table
	$(VENV)/bin/python benches/accuracy.py

bench-beside: $(VENV)/benched  ## what torch and convrs cost each other in one process
	$(VENV)/bin/python benches/coexistence.py

bench-gpu: $(VENV)/benched  ## what convrs adds to calling torch on a GPU, or on the CPU's tensors without one
	$(VENV)/bin/python benches/gpu_overhead.py

wheel: $(DEMO_VENV)/bin/python  ## dist/convrs-*.whl for this platform
	@$(call build_wheel,$(DEMO_VENV))
	@ls -l dist/convrs-*.whl

clean:  ## remove what was built
	rm -rf target dist $(DEMO_VENV)

%/bin/python:
	$(PYTHON) -m venv $*

# The wheel is built each time (cargo rebuilds what has changed); the extras are installed once.
.PHONY: $(VENV)/tested $(VENV)/benched
$(VENV)/tested: $(VENV)/bin/python
	@$(call build_wheel,$(VENV))
	@$(VENV)/bin/python $(PIP) install "$$(ls dist/convrs-*.whl)[test]"
	@$(VENV)/bin/python $(PIP) install --force-reinstall --no-deps dist/convrs-*.whl

$(VENV)/benched: $(VENV)/tested
	@$(VENV)/bin/python $(PIP) install "$$(ls dist/convrs-*.whl)[bench]"
	@mkdir -p target/bench

define build_wheel
rm -rf dist && MATURIN_PEP517_ARGS="--compression-level 9 $(LINK_ARGUMENTS)" $(1)/bin/python $(PIP) wheel --no-deps --wheel-dir dist .
endef

define cargo_test
if cargo nextest --version >/dev/null 2>&1; then cargo nextest run; else cargo test; fi
endef
