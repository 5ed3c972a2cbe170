#!/usr/bin/env bash
# To normalise images takes three times as long with the channels innermost in memory.
#
# Expected: torch goes over the memory of a tensor as it lies there, so images in channels_last, with
#   which convolutions on CPUs are the fastest, are normalised as fast as others.
# Observed with torch 2.15.0 and torchvision 0.29.2: normalize subtracts a mean of shape [3, 1, 1] and
#   divides by such a deviation. With the channels innermost, the inner loop of both has three values,
#   and takes about three times as long. Lines of pixels, with the mean repeated for each pixel of a
#   line, are as fast as images with the channels outermost; all values are the same to the bit.
#
# Needs Python 3.11 or later, 6 GB of disk (torch with its CUDA libraries; it runs on the CPU) and a
# package index; takes some minutes. Exits with 1 when something else is seen than above.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export OMP_NUM_THREADS=1 CUDA_VISIBLE_DEVICES=

"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    torch==2.15.0 torchvision==0.29.2 numpy==2.4.6

cat > "$folder/check.py" <<'PYTHON'
import sys
import time

import torch
import torchvision
from torchvision.transforms.v2.functional import normalize

print(f"torch {torch.__version__}, torchvision {torchvision.__version__}")
torch.set_num_threads(1)
MEAN, STD = [0.4, 0.5, 0.6], [0.2, 0.3, 0.25]
SIDE = 128


def milliseconds(function):
    """The least processor time of thirty calls."""
    times = []
    for _ in range(31):
        begin = time.process_time()
        function()
        times.append(time.process_time() - begin)
    return 1000 * min(times[1:])


def by_lines(images):
    lines = images.permute(0, 2, 3, 1).reshape(-1, SIDE * 3)
    mean, std = (torch.tensor(values).repeat(SIDE) for values in (MEAN, STD))
    return ((lines - mean) / std).view(-1, SIDE, SIDE, 3).permute(0, 3, 1, 2)


planes = torch.rand(64, 3, SIDE, SIDE)
innermost = planes.contiguous(memory_format=torch.channels_last)
expected = normalize(planes, MEAN, STD)
assert torch.equal(normalize(innermost, MEAN, STD), expected)
assert torch.equal(by_lines(innermost), expected)
times = {
    "channels outermost": milliseconds(lambda: normalize(planes, MEAN, STD)),
    "channels innermost": milliseconds(lambda: normalize(innermost, MEAN, STD)),
    "channels innermost, by lines": milliseconds(lambda: by_lines(innermost)),
}
for name, spent in times.items():
    print(f"{name}: {spent:.1f} ms for 64 images of {SIDE} × {SIDE} pixels")
outermost, slow, lines = times.values()
sys.exit(not (slow > 1.5 * outermost and slow > 1.5 * lines))
PYTHON
"$folder/venv/bin/python" "$folder/check.py"
