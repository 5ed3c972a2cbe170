"""A run in a few facts, and its final metrics as a table."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from engine.runs.events import Failed
from engine.runs.history import History
from engine.runs.listing import RunSummary
from tui.format.numbers import amount, duration, number

BASE = "base model"
"""The column of the network before the first update."""


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
    """Headings and rows: a column for each split, the base model, the baseline and rivals."""
    columns = dict(report["metrics"])
    if base := report.get("base"):
        columns[BASE] = base["metrics"]
    if report["baseline"]:
        columns[report["baseline"]["name"]] = report["baseline"]["metrics"]
    columns |= {rival["name"]: rival["metrics"] for rival in report.get("rivals") or []}
    names = dict.fromkeys(name for metrics in columns.values() for name in metrics)
    rows = [[name, *(number(metrics.get(name)) for metrics in columns.values())] for name in names]
    return ["metric", *columns], rows


def _data(summary: RunSummary, history: History) -> str:
    rows = (history.data or {}).get("rows", {})
    return ", ".join([summary.data, *(f"{count:,} {split}" for split, count in rows.items())])
