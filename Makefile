# make run     install on the first call, then open dltui
# make test    all tests that take no more than a few seconds each
# make bench   times and memory, against other libraries too; an hour on a quiet machine
# make lint    style, types and the direction of imports
# make audit   known weaknesses of the pinned versions; asks the network
#
# PYTHON=python3.12 names another interpreter for a new .venv.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt
# Many small networks are trained at once: more threads each would only get in each other's way.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest
PROJECT := pyproject.toml constraints.txt

.PHONY: run test test-slow test-faults bench lint format audit clean

run: .venv/installed
	@$(BIN)/dltui

test: .venv/installed-test
	$(PYTEST) -n 2 --ignore tests/benchmarks -m "not slow and not faults"

test-slow: .venv/installed-test
	$(PYTEST) --ignore tests/benchmarks -m "slow and not faults" --timeout 3600

test-faults: .venv/installed-test
	$(PYTEST) --ignore tests/benchmarks -m faults --timeout 3600

bench: .venv/installed-bench
	$(BIN)/python tests/benchmarks/speed.py
	$(BIN)/python tests/benchmarks/to_accuracy.py
	$(BIN)/python tests/benchmarks/around.py
	$(BIN)/python tests/benchmarks/adapters.py
	$(BIN)/python tests/benchmarks/memory.py
	$(BIN)/python tests/benchmarks/streaming.py
	$(BIN)/python tests/benchmarks/history.py
	$(BIN)/python tests/benchmarks/terminal.py
	$(BIN)/python -m pytest tests/benchmarks/test_llama_cuda.py -s -rs

lint: .venv/installed-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/installed-lint
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

audit: .venv/installed
	$(PIP) --quiet pip-audit
	$(BIN)/pip-audit --no-deps --disable-pip --requirement constraints.txt

clean:
	rm -rf .venv

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "dltui needs Python 3.11 or later: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/installed: $(PROJECT) | $(BIN)/python
	$(PIP) --editable .
	@touch $@

.venv/installed-%: .venv/installed
	$(PIP) --editable '.[$*]'
	@touch $@
