"""``dltui show RUN``: what is known of one run."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from datetime import datetime
from typing import Any

from engine.events import Failed
from engine.follow import read_history
from engine.history import History
from engine.locations import runs_folder
from engine.run_directory import RunDirectory
from engine.run_list import RunSummary, summarize
from tui import console
from tui.exit_codes import DONE
from tui.figures import amount, duration, number


def arguments(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("run", metavar="RUN", help="the run, or the only one that starts so")
    parser.add_argument("--json", action="store_true", help="one object, for programs")


def execute(options: Namespace) -> int:
    """Show a run: what, where, how far, how good."""
    run = RunDirectory.open(runs_folder(), options.run)
    summary, history, report = summarize(run), read_history(run), run.read_report()
    if options.json:
        console.as_json(_record(summary, history, report))
    else:
        console.facts(_facts(summary, history))
        _metrics(report)
    return DONE


def _record(summary: RunSummary, history: History, report: dict[str, Any] | None) -> dict[str, Any]:
    """The row of ``dltui runs`` with the configuration, the last words and the report."""
    progress = history.progress
    return summary.record() | {
        "path": str(summary.run.path),
        "step": progress.step if progress else 0,
        "steps": history.model.steps if history.model else None,
        "config": None if summary.problem else summary.run.config().values(),
        "error": _error(history) or summary.problem,
        "report": report,
    }


def _facts(summary: RunSummary, history: History) -> dict[str, object]:
    started, model, progress = history.started, history.model, history.progress
    return {
        "run": summary.id,
        "state": summary.state,
        "error": _error(history) or summary.problem,
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
        "directory": summary.run.path,
    }  # fmt: skip


def _data(summary: RunSummary, history: History) -> str:
    rows = (history.data or {}).get("rows", {})
    return ", ".join([summary.data, *(f"{count:,} {split}" for split, count in rows.items())])


def _error(history: History) -> str:
    return history.ending.message if isinstance(history.ending, Failed) else ""


def _metrics(report: dict[str, Any] | None) -> None:
    """The final metrics, a column for each split and one for the baseline."""
    if report is None:
        return
    columns = dict(report["metrics"])
    if report["baseline"]:
        columns[report["baseline"]["name"]] = report["baseline"]["metrics"]
    names = dict.fromkeys(name for metrics in columns.values() for name in metrics)
    console.line()
    console.table(
        ("metric", *columns),
        [(name, *(number(metrics.get(name)) for metrics in columns.values())) for name in names],
    )
