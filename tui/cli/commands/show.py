"""``dltui show RUN``: the details of one run."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from engine.files.paths import runs_folder
from engine.runs.directory import RunDirectory
from engine.runs.follower import read_history
from engine.runs.history import History
from engine.runs.listing import RunSummary, summarize
from tui.cli import console
from tui.cli.exit_codes import DONE
from tui.format.run_facts import error, facts, metrics_table


def arguments(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("run", metavar="RUN", help="the run, or the only one that starts so")
    parser.add_argument("--json", action="store_true", help="one object, for programs")


def execute(options: Namespace) -> int:
    """Show a run: what, where, how far, how good."""
    run = RunDirectory.open(runs_folder(), options.run)
    summary, history, report = summarize(run), read_history(run), run.report.read()
    if options.json:
        console.as_json(_record(summary, history, report))
    else:
        console.facts(facts(summary, history) | {"directory": str(summary.run.path)})
        if report is not None:
            console.line()
            console.table(*metrics_table(report))
    return DONE


def _record(summary: RunSummary, history: History, report: dict[str, Any] | None) -> dict[str, Any]:
    """Return the row of ``dltui runs`` with the configuration, the last events and the report."""
    progress = history.progress
    return summary.record() | {
        "path": str(summary.run.path),
        "step": progress.step if progress else 0,
        "steps": history.model.steps if history.model else None,
        "config": None if summary.problem else summary.run.config.read().values(),
        "error": error(history) or summary.problem,
        "report": report,
    }
