"""``dltui trash``: the runs that were deleted in the program."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from engine.files.paths import runs_folder
from engine.runs.directory import RunDirectory
from engine.runs.listing import RunSummary, list_runs
from engine.runs.trash import discard, empty, restore, trash_folder
from tui.cli import console
from tui.cli.commands.runs import show_runs
from tui.cli.exit_codes import DONE


def arguments(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--put", metavar="RUN", help="delete a run: move it into the trash")
    action.add_argument("--restore", metavar="RUN", help="put a run back among the others")
    action.add_argument("--empty", action="store_true", help="delete all runs in it for good")
    parser.add_argument("--json", action="store_true", help="for programs: the list as JSON")


def execute(options: Namespace) -> int:
    """List the trash, or do what was asked for."""
    folder = runs_folder()
    if options.put is not None:
        moved = discard(RunDirectory.open(folder, options.put))
        console.line(f"{moved.id} is in the trash.")
    elif options.restore is not None:
        back = restore(RunDirectory.open(trash_folder(folder), options.restore))
        console.line(f"{back.id} is back.")
    elif options.empty:
        console.line(f"{empty(folder)} runs were deleted for good.")
    else:
        _list(list_runs(trash_folder(folder)), options.json)
    return DONE


def _list(runs: Sequence[RunSummary], json: bool) -> None:
    if json:
        console.as_json([run.record() for run in runs])
    elif runs:
        show_runs(runs)
    else:
        console.line("The trash is empty.")
