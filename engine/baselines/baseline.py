"""Baselines: other predictions of the same rows."""

from __future__ import annotations

from dataclasses import dataclass

from engine.metrics.evaluator import Evaluation
from engine.models.tables.boosted_trees import BoostedTrees


@dataclass(frozen=True)
class Baseline:
    """A baseline by name, and its result; its errors are NaN where it made no forecast."""

    name: str
    evaluation: Evaluation
    missing: str = ""
    """The reason why there is no result, as a sentence; empty where there is one."""
    advice: str = ""
    """A sentence on what would give it more rows or windows; empty where it has all."""
    trees: BoostedTrees | None = None
    """The fitted baseline itself, where it is trees that can be kept."""
