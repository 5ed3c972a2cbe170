"""The phases after the last evaluation, export and baselines: their expected time and share."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import nn

from engine.baselines import statistical
from engine.config.tasks.forecasting import ForecastingConfig
from engine.data.raw import TEST, TRAIN, VALIDATION
from engine.runs.events import NEARLY
from engine.tasks.task import Task
from engine.training.material import Material
from engine.training.progress import ProgressReports

PASSES = 4
"""The number of times that a model's bytes are written, read or compared in an export."""
_BYTES_A_SECOND = 500e6
_SMALLEST_EXPORT = 0.2
"""Seconds in which a model of a few kilobytes is written, loaded again and compared."""
_MOST_ROWS = 50_000
"""About how many training rows baselines use at most."""
_MICROSECONDS = {
    "tabular_classification": 40, "tabular_regression": 50, "text_regression": 80,
    "image_classification": 1000, "image_regression": 1000, "seq2seq": 300, "causal_lm": 20,
    "token_classification": 20,
    "object_detection": 2000, "semantic_segmentation": 100, "forecasting": 30,
}  # fmt: skip
"""Time of a baseline a row, by the kind of task: 1.0 to 1.5 times what the presets took on a core
of a Xeon of 2.0 GHz. What is not listed takes next to nothing, or belongs to other packages."""
_MICROSECONDS_A_CLASS = {"text_classification": 90}
"""The same a row and class."""
_INTERVAL = 0.5
"""Seconds between two reports of a phase."""


@dataclass(frozen=True)
class LastPhases:
    """Seconds that the phases after the last evaluation are expected to take."""

    exporting: float
    baselines: float


def expected(task: Task[Any], material: Material, network: nn.Module) -> LastPhases:
    """Return what the last phases take by the sizes of the network and of the data, roughly."""
    adapted = task.config.adapter.active  # and its base is read once more, to compare
    size = sum(part.nbytes for part in network.parameters() if part.requires_grad or not adapted)
    return LastPhases(
        exporting=_SMALLEST_EXPORT + PASSES * size / _BYTES_A_SECOND,
        baselines=_baselines(task, material),
    )


def _baselines(task: Task[Any], material: Material) -> float:
    rows = {name: len(source) for name, source in material.sources.items()}
    held_out = rows.get(TEST) or rows.get(VALIDATION) or 0
    if not held_out:
        return 0.0
    kind, section = task.config.task.kind, task.config.task
    each = _MICROSECONDS.get(kind, 0)
    if kind in _MICROSECONDS_A_CLASS:
        each += _MICROSECONDS_A_CLASS[kind] * len(material.fitted.classes)
    seconds = each / 1e6 * (min(rows[TRAIN], _MOST_ROWS) + held_out)
    if isinstance(section, ForecastingConfig) and statistical.installed():
        seconds += section.baseline_seconds
    return seconds


@contextlib.contextmanager
def by_the_clock(reports: ProgressReports, phase: str, seconds: float) -> Iterator[None]:
    """Report that the training is in ``phase`` while the block runs, and its share by the clock.

    What runs inside belongs to libraries that tell nothing until they are done.
    """
    over = threading.Event()
    begin = time.perf_counter()

    def report() -> None:
        with contextlib.suppress(OSError):  # who runs the block meets the full disk too
            while not over.wait(_INTERVAL):
                share = (time.perf_counter() - begin) / seconds if seconds else 0.0
                reports.report_phase(phase, min(share, NEARLY))

    reports.report_phase(phase)
    thread = threading.Thread(target=report, name=phase, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
