#!/usr/bin/env bash
# torch.manual_seed formats a stack trace at each call, on machines without a GPU too.
#
# Expected: to seed the generator of the CPU takes about a microsecond, so that it can be done before
#   each update of a training, or each sample.
# Observed with torch 2.15.0: as long as CUDA is not in use (never, without a GPU), torch.manual_seed
#   calls traceback.format_stack three times (for CUDA and other kinds of devices) and keeps the text
#   in case that their seeding fails later. A call takes hundreds of times as long as
#   torch.default_generator.manual_seed, which gives the same numbers, and the longer the deeper in
#   the program it is.
#
# Needs Python 3.11 or later, 6 GB of disk (torch with its CUDA libraries; it runs on the CPU) and a
# package index; takes some minutes. Exits with 1 when something else is seen than above.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export OMP_NUM_THREADS=1 CUDA_VISIBLE_DEVICES=

"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    torch==2.15.0 numpy==2.4.6

cat >"$folder/seeds.py" <<'PYTHON'
import timeit
import traceback

import torch

CALLS = 500
stacks = []
original = traceback.format_stack


def counted(*args, **kwargs):
    text = original(*args, **kwargs)
    stacks.append(len(text))
    return text


def at_depth(depth, call):
    return at_depth(depth - 1, call) if depth else call()


def seconds(call, depth=0):
    return min(timeit.repeat(lambda: at_depth(depth, call), number=CALLS, repeat=3)) / CALLS


def numbers(seed):
    seed(7)
    return torch.rand(5)


print(f"torch {torch.__version__}, CUDA in use: {torch.cuda.is_initialized()}")
direct = torch.default_generator.manual_seed
same = torch.equal(numbers(torch.manual_seed), numbers(direct))
print(f"the same numbers: {same}")

ratios = []
for depth in (0, 30):
    whole, own = (seconds(lambda: seed(7), depth) for seed in (torch.manual_seed, direct))
    ratios.append(whole / own)
    print(f"{depth:2} calls deep: torch.manual_seed {whole * 1e6:6.0f} µs, "
          f"default_generator.manual_seed {own * 1e6:4.1f} µs")

traceback.format_stack = counted
torch.manual_seed(7)
for_whole = len(stacks)
direct(7)
print(f"stack traces formatted by torch.manual_seed: {for_whole}, by the generator: "
      f"{len(stacks) - for_whole}")
raise SystemExit(not (same and for_whole == 3 == len(stacks) and min(ratios) > 20))
PYTHON

"$folder/venv/bin/python" "$folder/seeds.py"
