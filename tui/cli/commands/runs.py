"""``dltui runs``: the history."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from engine.files.paths import runs_folder
from engine.runs.filter import RunFilter
from engine.runs.listing import RunSummary, list_runs
from tui.cli import console
from tui.cli.exit_codes import DONE
from tui.format.numbers import duration, number

_EXAMPLES = """
examples:
  dltui runs --filter "task:image accuracy>0.9"
  dltui runs --filter "state:failed -tag:old digits"
"""


def arguments(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = _EXAMPLES
    parser.add_argument(
        "--filter", metavar="FILTER", default="", help="words and conditions that must all hold"
    )
    parser.add_argument("--json", action="store_true", help="a list of objects, for programs")


def execute(options: Namespace) -> int:
    """List all runs."""
    wanted = RunFilter.parse(options.filter)
    every = list_runs(runs_folder())
    runs = wanted.among(every)
    if options.json:
        console.as_json([run.record() for run in runs])
    elif runs:
        show_runs(runs)
    elif every:
        console.line("No run passes the filter.")
        if unknown := wanted.unknown(every):
            console.remark(unknown)
    else:
        console.line("There are no runs yet. `dltui` opens the program, `dltui run PRESET` trains.")
    return DONE


def show_runs(runs: Sequence[RunSummary]) -> None:
    """A table with a row a run."""
    console.table(("run", "state", "result", "time", "task", "tags"), list(map(_row, runs)))


def _row(run: RunSummary) -> tuple[str, ...]:
    result = f"{run.metric} {number(run.value)}" if run.value is not None else "–"
    return (
        run.id,
        run.state,
        result,
        duration(run.seconds),
        run.task or run.problem,
        " ".join(run.notes.tags),
    )
