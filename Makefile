# make run     install on the first call, then open dltui
# make test    all tests that take no more than a few seconds each
# make bench   times and memory, against other libraries too; an hour on a quiet machine
# make models  docs/models.md: what each type of transformers and torchvision does; an hour and a half
# make gpu     what only a GPU shows, in nine minutes; SMOKE=1 tries the script on any machine
# make recording  docs/monitor.svg: the monitor while a run trains, half a minute
# make lint    style, types and the direction of imports
# make audit   known weaknesses of the pinned versions; asks the network
#
# PYTHON=python3.12 names another interpreter for a new .venv.
#
# `make gpu` installs nothing: it takes .venv if that is there, or PYTHON with whatever it has (at
# least torch, torchvision, transformers, peft, pandas, pyarrow, scikit-learn). For a machine
# without a network, `make gpu-wheels` and `make gpu-wheels-bitsandbytes` gather the other packages
# here, to be copied there with the rest. ONLY=works,bits chooses parts, OUT=folder says where the
# results go.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt
# Many small networks are trained at once: more threads each would only get in each other's way.
# Bytecode is kept wherever the tests run, since each of hundreds of processes would compile anew.
PYTEST := OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest
PROJECT := pyproject.toml constraints.txt

# The interpreter that was named, else that of .venv, else python3.
GPU_PYTHON := $(if $(filter command environment,$(firstword $(origin PYTHON))),$(PYTHON),$\
	$(firstword $(wildcard $(BIN)/python) $(PYTHON)))
WHEELS := --no-deps --only-binary=:all: --implementation cp --python-version 3.12 \
	--platform manylinux_2_28_x86_64 --platform manylinux_2_24_x86_64 \
	--platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64
GPU_PACKAGES := datasets dill multiprocess fsspec pydantic pydantic-core annotated-types \
	typing-inspection typing-extensions tomlkit platformdirs xxhash

.PHONY: run test test-slow test-faults models recording bench gpu gpu-wheels gpu-wheels-bitsandbytes lint \
	format audit clean

run: .venv/installed
	@$(BIN)/dltui

test: .venv/installed-test
	$(PYTEST) -n 3 --dist worksteal --ignore tests/benchmarks -m "not slow and not faults"

test-slow: .venv/installed-test
	$(PYTEST) --ignore tests/benchmarks -m "slow and not faults" --timeout 3600

test-faults: .venv/installed-test
	$(PYTEST) --ignore tests/benchmarks -m faults --timeout 3600

# The page is written even where a type fails, and says so.
models: .venv/installed-test
	rm -f .models.jsonl
	DLTUI_MODEL_WALK=.models.jsonl $(PYTEST) tests/train/test_model_walk.py -m slow; failed=$$?; \
	$(BIN)/python tests/train/models_page.py .models.jsonl > docs/models.md && exit $$failed

recording: .venv/installed
	COLORTERM=truecolor $(BIN)/python docs/recording.py

bench: .venv/installed-bench
	$(BIN)/python tests/benchmarks/speed.py
	$(BIN)/python tests/benchmarks/to_accuracy.py
	$(BIN)/python tests/benchmarks/around.py
	$(BIN)/python tests/benchmarks/tuning.py
	$(BIN)/python tests/benchmarks/writing.py
	$(BIN)/python tests/benchmarks/adapters.py
	$(BIN)/python tests/benchmarks/memory.py
	$(BIN)/python tests/benchmarks/streaming.py
	$(BIN)/python tests/benchmarks/history.py
	$(BIN)/python tests/benchmarks/terminal.py

gpu:
	$(GPU_PYTHON) tests/benchmarks/gpu.py $(if $(SMOKE),--smoke) $(if $(ONLY),--only $(ONLY)) \
		$(if $(OUT),--out $(OUT)/gpu.json)

gpu-wheels: | $(BIN)/python
	rm -rf .wheels
	$(BIN)/python -m pip download --disable-pip-version-check --quiet \
		--constraint constraints.txt $(WHEELS) --dest .wheels $(GPU_PACKAGES)

# Apart, since it is ten times as large; only QLoRA and the optimizers of eight bits need it.
gpu-wheels-bitsandbytes: | $(BIN)/python
	rm -rf .wheels-bitsandbytes
	$(BIN)/python -m pip download --disable-pip-version-check --quiet \
		--constraint constraints.txt $(WHEELS) --dest .wheels-bitsandbytes bitsandbytes

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
