# make demo: see it work.  make test: prove it.  make check: style, types, layers.  make bench: measure it.
# Before a release: make test-oldest test-wheel (9 to 33 minutes each on two busy cores).
PYTHON ?= python3
BIN := .venv/bin
PARALLEL := --numprocesses auto --dist loadfile
# Many of the slow tests wait: one worker more than there are cores.
MORE := --numprocesses $(shell $(PYTHON) -c "import os; print(1 + os.cpu_count())") --no-loadscope-reorder
PYTEST := $(BIN)/python -m pytest $(PARALLEL)
RUNTIME := -m "not browser and not slow" --ignore $(CURDIR)/tests/train

# With bytecode, a worker collects the tests in 10 s and not in 17, and each program that they start saves 0.3 s.
unexport PYTHONDONTWRITEBYTECODE

VENDOR := src/visavis/serve/static/vendor

.PHONY: demo test test-all test-rest check fuzz bench dist test-wheel test-oldest vendor clean

demo: .venv/base
	$(BIN)/visavis demo

# The runtime, without torch, a browser and slow tests. `make test-all` runs everything.
test: .venv/test
	@echo "the runtime's tests; make test-all adds research, browser and slow tests"
	$(PYTEST) $(RUNTIME)

test-all: test test-rest

# What `make test` leaves out.
test-rest: .venv/dev
	$(PYTEST) $(MORE) -m "browser or slow or research"

check: .venv/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Every parser under libFuzzer; Linux, or a Mac with clang. The environment survives for the next run.
SECONDS := 60
fuzz: .venv/fuzz
	PYTHONPATH=tests $(BIN)/python -m fuzz --seconds $(SECONDS)

bench: .venv/base
	$(BIN)/visavis bench

# Wheel and sdist; the tree and the sdist give the same wheel; the demo runs from it in an environment of its own.
dist: .venv/base
	rm -rf dist build/tree build/wheel
	$(BIN)/python -m pip install --quiet build
	$(BIN)/python -m build --outdir dist .
	$(BIN)/python -m build --wheel --outdir build/tree .
	cmp dist/*.whl build/tree/*.whl
	$(PYTHON) -m venv build/wheel
	build/wheel/bin/python -m pip install --quiet dist/*.whl
	cd build && wheel/bin/visavis demo --headless --out demo && wheel/bin/python -c "import visavis; print(visavis.Track.load('demo/demo.npz'))"

# The runtime's tests against the wheel, in an environment of its own: with the newest dependencies, or
# with the oldest that pyproject.toml allows. PYTHON chooses the Python.
test-wheel test-oldest: dist
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv venv --quiet --clear --python $(PYTHON) build/$@
	$(BIN)/uv pip install --quiet --python build/$@ $(CHOICE) -r pyproject.toml --extra dev --extra corpora --extra tables dist/*.whl
	cd build && $@/bin/python -c "import visavis as v; print(v.__file__); assert '/$@/' in v.__file__"
	cd build && $@/bin/python -m pytest --config-file ../pyproject.toml $(PARALLEL) $(RUNTIME) ../tests
test-wheel: CHOICE := --resolution highest --upgrade
test-oldest: CHOICE := --resolution lowest-direct

.venv/base: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

.venv/test: .venv/base
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

.venv/dev: .venv/test
	$(BIN)/python -m pip install --quiet --editable '.[dev,train,scale]'
	@touch $@

.venv/fuzz: .venv/test
	$(BIN)/python -m pip install --quiet --editable '.[fuzz]'
	@touch $@

# The page's copy of three.js and three-vrm; needs npm. Update LICENSES.txt with the versions.
vendor:
	mkdir -p build/vendor && cp $(VENDOR)/three-vrm.entry.js build/vendor/entry.js
	cd build/vendor && npm install --silent three@0.180.0 @pixiv/three-vrm@3.5.5 esbuild@0.28.2
	build/vendor/node_modules/.bin/esbuild build/vendor/entry.js --bundle --minify --format=esm --legal-comments=inline --outfile=$(VENDOR)/three-vrm.js

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache
