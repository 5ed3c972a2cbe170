"""The estimated peak of memory and the peak of torch's allocator, for six runs.

The runs are those of ``tests/benchmarks/memory.py``, one after the other in this process. As there,
the peak is that of the training.
"""

from __future__ import annotations

import gc
import os
import tempfile
from pathlib import Path
from typing import Any

import torch
from part import Part, Skipped, main, script

from engine import train
from engine.runs.events import Progress
from engine.service.estimate import estimate

BOUND = 0.10
"""Largest accepted error of an estimate, as a share of the measured peak."""
SHAPES = ("CNN", "ResNet-18", "ViT", "BERT", "GPT-2, LoRA, 1,024 tokens", "MLP")
SMALLEST = "ViT"
"""The shape that takes the least time, for machines that measure no peak."""


def clear() -> None:
    """Release the memory of the run before, and reset the peak."""
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()


def told_and_trained(shape: Any, part: Part, row: dict[str, Any], home: Path) -> None:
    """Estimate a run, train it, and fill in the row."""
    if shape.base:
        shape.base(home)
    config = shape.config(part.device, home)
    if part.smoke:
        config = config.override(["train.max_steps=2", "train.batch_size=16"])
    told = estimate(config).record()["memory"]["total"]
    row["estimated_mb"] = told / 1e6
    if part.cuda:
        clear()
        row["held_before_mb"] = torch.cuda.memory_allocated() / 1e6
    last = train(config).events.last(Progress)
    if not isinstance(last, Progress) or last.step == 0:
        raise AssertionError("the run made no update")
    if not part.cuda:
        raise Skipped("the peak memory of a process cannot be reset between runs on a CPU")
    row["measured_mb"] = last.memory / 1e6
    row["deviation"] = told / last.memory - 1
    row["within_10_percent"] = abs(row["deviation"]) <= BOUND


def rows(part: Part) -> None:
    """Measure a row for each run; only the smallest where peaks are not measured."""
    known = script("memory").SHAPES
    for name in SHAPES if part.cuda and not part.smoke else (SMALLEST,):
        with part.measured(name) as row, tempfile.TemporaryDirectory() as home:
            os.environ["DLTUI_HOME"] = home
            if not (part.cuda or part.smoke):
                raise Skipped("the peak memory of a process cannot be reset between runs on a CPU")
            if part.seconds_left() < 0:
                raise Skipped("the time budget is used up")
            told_and_trained(known[name], part, row, Path(home))


if __name__ == "__main__":
    main(rows)
