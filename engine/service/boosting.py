"""Export the gradient boosting that a table's network was compared with, ready to predict.

The trees are those of the training. What is written is loaded back, and its figures on the test
rows are held against the results of the run.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from engine.artifacts.model_folder import load_exported, read_exported, write_exported
from engine.batches.source import Source
from engine.data.raw import TEST, VALIDATION, RawData
from engine.errors import DataError, RunError, TrainingError
from engine.files.digest import sha256
from engine.files.sanitize import plain
from engine.models.tables.boosted_trees import TREES, BoostedTrees, load_trees, save_trees
from engine.pipelines.tables.fitted import TabularFitted
from engine.runs.boosting import BOOSTING, keeps_boosting
from engine.runs.directory import RunDirectory
from engine.tasks.tabular import TabularTask

_SAME = 1e-6
"""Relative difference of figures that are the same."""
_CPU = torch.device("cpu")


def write_boosting(run: RunDirectory, folder: Path) -> list[str]:
    """Write the trees of a run, its columns and a card into a new ``folder``; return notes.

    Raises ``OSError`` and :class:`~engine.errors.UserError`.
    """
    report = run.report.read() or {}
    baseline = report.get("baseline") or {}
    trees = _trees_of(run, baseline)
    task, fitted = read_exported(run.model)
    if not isinstance(task, TabularTask) or not isinstance(fitted, TabularFitted):
        raise _keeps_none(run)
    notes: list[str] = []
    data = _data(task, notes)
    validation = None if data is None else _source(task, data, VALIDATION, fitted)
    state = task.boosting(fitted).fitted_to(trees, validation)
    split = TEST if TEST in (report.get("metrics") or {}) else VALIDATION
    known = baseline.get("metrics") or {}
    write_exported(folder, task, state, lambda place: save_trees(trees, place / TREES),
                   {split: known})  # fmt: skip
    _, read, network = load_exported(folder, _CPU)
    if not isinstance(network, BoostedTrees) or not _same_trees(trees, network):
        raise TrainingError("What was written are other trees than the run's, so it was removed.")
    if data is not None and (source := _source(task, data, split, fitted)) is not None:
        found = task.boosting(read).evaluate_trees(network, source).metrics
        notes += _on_figures(known, found, split, len(source))
    return notes


def _trees_of(run: RunDirectory, baseline: Mapping[str, Any]) -> BoostedTrees:
    if not keeps_boosting(run):
        raise _keeps_none(run)
    path = run.path / BOOSTING
    try:
        if baseline.get("sha256") not in (None, sha256(path)):
            raise RunError(f"{path} has changed since it was written.", "Train again.")
        return load_trees(path)
    except (SafetensorError, ValueError) as error:
        raise RunError(f"{path} cannot be read: {plain(error, 200)}.", "Train again.") from error


def _keeps_none(run: RunDirectory) -> RunError:
    return RunError(
        f"The run {run.id} keeps no gradient boosting.",
        "Runs of tables with validation or test rows keep theirs when they end, "
        "unless they are from an earlier version: train again.",
    )


def _data(task: TabularTask[Any], notes: list[str]) -> RawData | None:
    """Return the data of the run, where it can still be read."""
    try:
        return task.pipeline.load()
    except DataError as error:
        notes.append(
            "The data of the run cannot be read now, so the figures of the results were not "
            f"computed again, and predictions have no bands: {plain(error, 300)}"
        )
        return None


def _source(task: TabularTask[Any], data: RawData, split: str, fitted: Any) -> Source | None:
    table = data.splits.get(split)
    if table is None or not table.num_rows:
        return None
    return task.encode(table, fitted, _CPU, lambda event: None)


def _same_trees(trees: BoostedTrees, other: BoostedTrees) -> bool:
    theirs = dict(other.named_buffers())
    return all(torch.equal(part, theirs[name]) for name, part in trees.named_buffers())


def _on_figures(
    known: Mapping[str, float | None], found: Mapping[str, float], split: str, rows: int
) -> Iterator[str]:
    """Yield a sentence on the figures of the results and those of the exported trees."""
    both = {name: (value, found[name]) for name, value in known.items()
            if value is not None and name in found}  # fmt: skip
    other = [name for name, pair in both.items() if not math.isclose(*pair, rel_tol=_SAME)]
    on = f"the {rows:,} {split} rows"
    if other:
        name = other[0]
        before, after = both[name]
        yield (
            f"Its {name} on {on} is {after:.4g} now, not {before:.4g} as in the results: the data, "
            "or how it is read, has changed since the training."
        )
    elif both:
        name = next(name for name in both if name != "loss") if len(both) > 1 else next(iter(both))
        yield f"Its figures on {on} are those of the results ({name} {both[name][0]:.4g})."
