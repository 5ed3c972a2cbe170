"""CIFAR-10 from its Parquet files to 94 % test accuracy, by a shipped preset.

The files are searched in the folder ``cifar10`` of ``DLTUI_TEST_DATA``, of ``shared/data`` beside
the repository, and of the repository itself; their names begin with ``train`` and ``test``.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import pyarrow.parquet as pq
import torch
from part import ROOT, Part, Skipped, main

from engine import RunConfig, train
from engine.config.presets import find_preset, load_preset
from engine.runs.directory import RunDirectory
from engine.runs.events import Evaluated, Finished, Started

PRESET = "cifar10-resnet18-fast"
GOAL = 0.94
TINY = ("model.name=mobilenet_v3_small", "train.epochs=1", "train.batch_size=125")
"""Overrides for a smoke test."""
FEW = {"train": 500, "test": 100}
"""Numbers of images in a smoke test."""


def folder() -> Path:
    """The folder of the Parquet files; raises :class:`Skipped` if there is none."""
    places = [ROOT.parent / "shared" / "data" / "cifar10", ROOT / "cifar10"]
    if given := os.environ.get("DLTUI_TEST_DATA"):
        places.insert(0, Path(given) / "cifar10")
    for place in places:
        if all(any(place.glob(f"{split}*.parquet")) for split in ("train", "test")):
            return place
    raise Skipped(
        "CIFAR-10 is missing: put its train*.parquet and test*.parquet into cifar10/ in the "
        "repository, or into the folder cifar10 of DLTUI_TEST_DATA"
    )


def some_images(home: Path) -> Path:
    """A folder with the first images of each split."""
    few = home / "cifar10"
    few.mkdir()
    for split, count in FEW.items():
        first = min(folder().glob(f"{split}*.parquet"))
        pq.write_table(pq.read_table(first).slice(0, count), few / f"{split}.parquet")
    return few


def experiment(part: Part, home: Path) -> RunConfig:
    """The preset, with the data from the disk."""
    data = some_images(home) if part.smoke else folder()
    changes = ["data.kind=file", f"data.path={data}", f"compute.device={part.device}"]
    return load_preset(find_preset(PRESET), [*changes, *(TINY if part.smoke else ())])


def seconds_to_goal(run: RunDirectory) -> float | None:
    """Seconds of training until the validation accuracy first reached the goal."""
    reached = [
        event.seconds
        for event in run.events.newest(Evaluated)
        if isinstance(event, Evaluated)
        and event.split == "validation"
        and (event.metrics.get("accuracy") or 0.0) >= GOAL
    ]
    return min(reached, default=None)


def rows(part: Part) -> None:
    """The row of one run."""
    with part.measured(PRESET) as row, tempfile.TemporaryDirectory(prefix="dltui-cifar10-") as home:
        if not (part.cuda or part.smoke):
            raise Skipped("no CUDA device")
        os.environ["DLTUI_HOME"] = home
        config = experiment(part, Path(home))
        if part.cuda:
            torch.zeros(1, device="cuda")  # the start of CUDA is not part of the run's time
        begun = time.perf_counter()
        run = train(config)
        whole = time.perf_counter() - begun
        started, finished = run.events.last(Started), run.events.last(Finished)
        if not isinstance(started, Started) or not isinstance(finished, Finished):
            raise AssertionError(f"the run ended as {run.status.state()}")
        accuracy = finished.metrics["accuracy"]
        reached = seconds_to_goal(run)
        row |= {
            "training_seconds": finished.seconds,
            "run_seconds": whole,
            "test_accuracy": accuracy,
            "reached_94_percent": accuracy is not None and accuracy >= GOAL,
            "seconds_until_validation_reached_it": "never" if reached is None else reached,
            "updates": finished.step,
            "epochs": config.train.epochs,
            "precision": started.precision,
        }


if __name__ == "__main__":
    main(rows)
