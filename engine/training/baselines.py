"""The rivals of a trained network: its baseline, and other methods of the field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engine.baselines.baseline import Baseline
from engine.files.digest import sha256
from engine.metrics.evaluator import Evaluation
from engine.metrics.uncertainty.paired import PairedVerdict, judge_rows
from engine.metrics.uncertainty.verdict import ExactVerdict, Verdict, judge
from engine.models.tables.boosted_trees import save_trees
from engine.runs.events import finite_all
from engine.tasks.task import Task
from engine.training.material import Material

AnyVerdict = Verdict | ExactVerdict | PairedVerdict

_FEWEST = 10
"""Errors of a baseline, where it has not those of all rows, that a verdict needs."""


def beside_baselines(
    task: Task[Any], material: Material, result: Evaluation | None, trees: Path | None = None
) -> dict[str, Any]:
    """Return the baseline, further ones, and the verdict on the hardest of all, for a report.

    The hardest is the one whose error that of the network is the least below, or the most above.
    A baseline of trees is kept in the file ``trees``, where one is given. Raises ``OSError``.
    """
    baselines = task.baselines(material.raw, material.fitted)
    verdicts = [_verdict(result, other) for other in baselines]
    known = [verdict for verdict in verdicts if verdict is not None]
    hardest = max(known, key=lambda verdict: verdict.hardness, default=None)
    records = [_record(*both) for both in zip(baselines, verdicts, strict=True)]
    exported = {} if trees is None else _keep(baselines, trees)
    return {
        "baseline": _first(records[0]) | exported if records else None,
        "baselines": records[1:],
        "verdict": None if hardest is None else hardest.record(),
    }  # fmt: skip


def _keep(baselines: Sequence[Baseline], path: Path) -> dict[str, str]:
    """Keep the trees of the first baseline; return the format that exports them, and a digest."""
    path.unlink(missing_ok=True)  # of an earlier end of the same run
    if not baselines or baselines[0].trees is None:
        return {}
    save_trees(baselines[0].trees, path)
    return {"export": "boosting", "sha256": sha256(path)}


def _first(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: record[name] for name in ("name", "metrics")}


def _record(baseline: Baseline, verdict: AnyVerdict | None) -> dict[str, Any]:
    return {
        "name": baseline.name,
        "metrics": finite_all(baseline.evaluation.metrics),
        "verdict": None if verdict is None else verdict.record(),
        "missing": baseline.missing,
        "advice": baseline.advice,
    }


def _verdict(result: Evaluation | None, baseline: Baseline) -> AnyVerdict | None:
    """The difference to a baseline on the rows that both tell errors of."""
    theirs = baseline.evaluation
    if result is not None and result.rows is not None and theirs.rows is not None:
        return judge_rows(baseline.name, result.rows, theirs.rows)
    if result is None or result.errors is None or theirs.errors is None:
        return None
    known = int(np.isfinite(theirs.errors).sum())
    if known < min(_FEWEST, len(theirs.errors)):
        return None
    return judge(baseline.name, result.errors, theirs.errors, theirs.block, result.places)
