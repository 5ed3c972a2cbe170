"""A run in a few facts, and its final metrics as a table."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from engine.runs.events import Failed
from engine.runs.history import History
from engine.runs.listing import RunSummary
from tui.format.numbers import amount, duration, number

BASE = "base model"
"""The column of the network before the first update."""
INTERVAL = "95 % interval"
"""The column of intervals over the rows of the split before it."""


def facts(summary: RunSummary, history: History) -> dict[str, str]:
    """Names and values: what, where, how far, how good; unknown values are left out."""
    started, model, progress = history.started, history.model, history.progress
    known = {
        "run": summary.id,
        "state": str(summary.state),
        "error": error(history) or summary.problem,
        "task": summary.task,
        "data": _data(summary, history),
        "model": f"{summary.model}, {amount(model.trainable)} of {amount(model.parameters)} "
        "parameters trained" if model else summary.model,
        "device": f"{started.device}, {started.precision}" if started else "",
        "started": f"{datetime.fromtimestamp(summary.started):%Y-%m-%d %H:%M:%S}",
        "time": duration(summary.seconds),
        "progress": f"{progress.step:,} of {progress.steps:,} updates, "
        f"epoch {progress.epoch:.4g} of {progress.epochs}" if progress else "",
        "best": f"{summary.metric} {number(history.best.metrics.get(summary.metric))} on the "
        f"validation data after epoch {history.best.epoch:.4g}" if history.best else "",
    }  # fmt: skip
    return {name: value for name, value in known.items() if value}


def error(history: History) -> str:
    """Return the error message of a failed run; empty for any other."""
    return history.ending.message if isinstance(history.ending, Failed) else ""


def metrics_table(report: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Headings and rows: a column for each split, the base model, the baseline and further ones."""
    columns = dict(report["metrics"])
    if base := report.get("base"):
        columns[BASE] = base["metrics"]
    if report["baseline"]:
        columns[report["baseline"]["name"]] = report["baseline"]["metrics"]
    others = report.get("baselines") or []
    columns |= {other["name"]: other["metrics"] for other in others if other["metrics"]}
    measured = {name: numbers_of(metrics) for name, metrics in columns.items()}
    texts = with_intervals(measured, *intervals_of(report))
    names = dict.fromkeys(name for metrics in columns.values() for name in metrics)
    rows = [[name, *(column.get(name, "–") for column in texts.values())] for name in names]
    return ["metric", *texts], rows


def numbers_of(metrics: Mapping[str, float | None]) -> dict[str, str]:
    """Return the metrics as texts."""
    return {name: number(value) for name, value in metrics.items()}


def intervals_of(report: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """Return the split whose metrics have intervals, and these as texts; empty for none."""
    for split, intervals in (report.get("intervals") or {}).items():
        ends = intervals.items()
        return split, {name: _interval(*pair) for name, pair in ends}
    return "", {}


def with_intervals(
    columns: Mapping[str, Mapping[str, str]], split: str, intervals: Mapping[str, str]
) -> dict[str, Mapping[str, str]]:
    """Return the columns with that of the intervals behind their split."""
    found: dict[str, Mapping[str, str]] = {}
    for name, texts in columns.items():
        found[name] = texts
        if name == split:
            found[INTERVAL] = intervals
    return found


def _data(summary: RunSummary, history: History) -> str:
    rows = (history.data or {}).get("rows", {})
    return ", ".join([summary.data, *(f"{count:,} {split}" for split, count in rows.items())])


def _interval(low: float | None, high: float | None) -> str:
    """Return both ends; a dash would look like the sign of a negative one."""
    between = " to " if low is not None and low < 0 else "–"
    return f"{number(low)}{between}{number(high)}"
