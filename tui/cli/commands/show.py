"""``dltui show RUN``: the details of one run."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from engine.files.paths import runs_folder
from engine.reports.note import Note
from engine.reports.note_table import notes_in, tally
from engine.runs.directory import RunDirectory
from engine.runs.follower import read_history
from engine.runs.history import History
from engine.runs.listing import RunSummary, summarize
from tui.cli import console
from tui.cli.exit_codes import DONE
from tui.format.evals import evals_table
from tui.format.imported import imported_facts
from tui.format.note_lines import note_lines
from tui.format.run_facts import error, facts, metrics_table
from tui.format.verdict import judged, verdict


def arguments(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("run", metavar="RUN", help="the run, or the only one that starts so")
    parser.add_argument("--json", action="store_true", help="one object, for programs")


def execute(options: Namespace) -> int:
    """Show a run: what, where, how far, how good."""
    run = RunDirectory.open(runs_folder(), options.run)
    summary, history, report = summarize(run), read_history(run), run.report.read()
    imported = run.config.imported()
    if options.json:
        console.as_json(_record(summary, history, report))
    else:
        console.facts(facts(summary, history) | {"directory": str(summary.run.path)})
        if imported is not None:
            console.line()
            console.facts(imported_facts(imported))
        _show_notes(notes_in(history.data))
        evals = evals_table(run.evals.read())
        if report is not None:
            console.line()
            console.table(*metrics_table(report))
            if outcome := verdict(report) | judged(report):
                console.line()
                console.facts(outcome)
        if evals[1]:
            console.line()
            console.table(*evals)
    return DONE


def _show_notes(notes: Sequence[Note]) -> None:
    """Print the table of what was converted, left out or is in doubt in the data."""
    if notes:
        console.line()
        console.line(f"data: {tally(notes)}")
        for line in note_lines(notes, console.width()):
            console.line(line.text)


def _record(summary: RunSummary, history: History, report: dict[str, Any] | None) -> dict[str, Any]:
    """Return the row of ``dltui runs`` with the configuration, the last events and the report."""
    progress = history.progress
    return summary.record() | {
        "path": str(summary.run.path),
        "step": progress.step if progress else 0,
        "steps": history.model.steps if history.model else None,
        "config": _config(summary),
        "error": error(history) or summary.problem,
        "data": _data(history),
        "report": report,
        "evals": summary.run.evals.read(),
    }


def _config(summary: RunSummary) -> dict[str, Any] | None:
    """Return the configuration, or the settings of an imported run."""
    if summary.problem:
        return None
    if (imported := summary.run.config.imported()) is not None:
        return imported.settings
    return summary.run.config.read().values()


def _data(history: History) -> dict[str, Any] | None:
    """Return the summary of the data, with all that was left out among its notes."""
    if history.data is None:
        return None
    kept = {name: value for name, value in history.data.items() if name != "skips"}
    return kept | {"notes": [asdict(note) for note in notes_in(history.data)]}
