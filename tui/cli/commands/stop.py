"""``dltui stop RUN``: end a run early, with everything that it has learned."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from engine.errors import RunError
from engine.files.paths import runs_folder
from engine.runs import control
from engine.runs.control import Request
from engine.runs.directory import RunDirectory
from engine.runs.status import State
from tui.cli import console
from tui.cli.exit_codes import DONE


def arguments(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("run", metavar="RUN", help="the run, or the only one that starts so")


def execute(options: Namespace) -> int:
    """Ask the run to stop; it does so after the update that it is at."""
    run = RunDirectory.open(runs_folder(), options.run)
    state = run.status.state()
    if state is not State.RUNNING:
        console.line(f"{run.id} does not run: it is {state}.")
        return DONE
    try:
        run.requests.send(Request(control.STOP))
    except OSError as error:
        raise RunError(f"Cannot write to {run.requests.path}: {error.strerror}.") from error
    console.line(f"{run.id} was asked to stop; its model is kept as it is now.")
    return DONE
