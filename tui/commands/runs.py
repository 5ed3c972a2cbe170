"""``dltui runs``: the history."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from engine.locations import runs_folder
from engine.run_list import RunSummary, list_runs
from tui import console
from tui.exit_codes import DONE
from tui.figures import duration, number


def arguments(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--json", action="store_true", help="a list of objects, for programs")


def execute(options: Namespace) -> int:
    """List all runs."""
    runs = list_runs(runs_folder())
    if options.json:
        console.as_json([run.record() for run in runs])
    elif runs:
        console.table(("run", "state", "result", "time", "task"), list(map(_row, runs)))
    else:
        console.line("There are no runs yet. `dltui` opens the program, `dltui run PRESET` trains.")
    return DONE


def _row(run: RunSummary) -> tuple[str, ...]:
    result = f"{run.metric} {number(run.value)}" if run.value is not None else "–"
    return run.id, run.state, result, duration(run.seconds), run.task or run.problem
