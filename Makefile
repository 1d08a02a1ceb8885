# make demo: see it work.  make test: prove it.  make check: style, types, layers.  make bench: measure it.
PYTHON ?= python3
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest --numprocesses auto --dist loadfile

.PHONY: demo test test-all test-rest check bench dist clean

demo: .venv/base
	$(BIN)/visavis demo

# The runtime, without torch, a browser and slow tests. `make test-all` runs everything.
test: .venv/test
	@echo "the runtime's tests; make test-all adds research, browser and slow tests"
	$(PYTEST) -m "not browser and not slow" --ignore tests/train

test-all: test test-rest

# What `make test` leaves out.
test-rest: .venv/dev
	$(PYTEST) tests/train
	$(PYTEST) -m "browser or slow" --ignore tests/train

check: .venv/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/base
	$(BIN)/visavis bench

# Wheel and sdist; the demo runs from the wheel in an environment of its own.
dist: .venv/base
	rm -rf dist build/wheel
	$(BIN)/python -m pip install --quiet build
	$(BIN)/python -m build --outdir dist .
	$(PYTHON) -m venv build/wheel
	build/wheel/bin/python -m pip install --quiet dist/*.whl
	cd build && wheel/bin/visavis demo --headless --out demo && wheel/bin/python -c "import visavis; print(visavis.Track.load('demo/demo.npz'))"

.venv/base: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

.venv/test: .venv/base
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

.venv/dev: .venv/test
	$(BIN)/python -m pip install --quiet --editable '.[dev,train]'
	@touch $@

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache
