"""``dltui queue``: runs one after another, or one on each GPU, unattended."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from engine.config.presets import experiment_of
from engine.errors import UserError
from engine.queue import entries, worker
from tui.cli import console
from tui.cli.exit_codes import DONE

_EXAMPLES = """
examples:
  dltui queue add digits-cnn train.learning_rate=1e-3
  dltui queue add digits-cnn train.learning_rate=1e-4
  dltui queue start              (in the background, one run after another)
  dltui queue start --per-gpu    (one run at once on each GPU)
  dltui queue list

A run that waits is an ordinary run in the state queued. The queue outlives the terminal; after a
restart of the machine, `dltui queue start` resumes it, and so do the runs that were cut off.
"""
_MOST_PARALLEL = 64


def arguments(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = _EXAMPLES
    parser.add_argument(
        "action",
        choices=("add", "list", "remove", "start", "run", "stop"),
        help="add a preset at the end; list what waits; remove a run; start it in the "
        "background; run it here; stop: begin no other run",
    )
    parser.add_argument(
        "names",
        metavar="PRESET field=value … | RUN …",
        nargs="*",
        default=[],
        help="for add and remove",
    )
    parser.add_argument("--json", action="store_true", help="for programs: the list as JSON")
    worker.arguments(parser)


def execute(options: Namespace) -> int:
    """Do what was asked for with the queue."""
    if not 1 <= options.parallel <= _MOST_PARALLEL:
        raise UserError(f"--parallel goes from 1 to {_MOST_PARALLEL}.")
    _ACTIONS[options.action](options)
    return DONE


def _add(options: Namespace) -> None:
    if not options.names:
        raise UserError("Name a preset to add.", "`dltui presets` lists all presets.")
    name, *assignments = options.names
    run = entries.add(experiment_of(name, assignments))
    console.line(run.id)
    if not entries.running():
        console.complain("It waits; `dltui queue start` starts the queue.")


def _list(options: Namespace) -> None:
    found = entries.entries()
    rows = [(entry.run.id, str(entry.run.status.state()), entry.device) for entry in found]
    if options.json:
        records = [
            {"place": place, "id": name, "state": state, "device": device}
            for place, (name, state, device) in enumerate(rows, 1)
        ]
        console.as_json({"working": entries.running(), "runs": records})
        return
    for place, (name, state, device) in enumerate(rows, 1):
        console.line(f"{place:3}  {state:11}  {name}" + f"  GPU {device}" * bool(device))
    if not rows:
        console.line("The queue is empty.")
    elif not entries.running():
        console.line("It is not running; `dltui queue start` starts it.")


def _remove(options: Namespace) -> None:
    if not options.names:
        raise UserError("Name a run to remove.", "`dltui queue list` shows what waits.")
    for name in options.names:
        run = entries.remove(name)
        console.line(f"{run.id} waits no more; `dltui trash --put {run.id}` deletes it.")


def _start(options: Namespace) -> None:
    entries.start(options.parallel, options.per_gpu)
    console.line(f"The queue is running: {len(entries.entries())} runs.")


def _run(options: Namespace) -> None:
    worker.work(options.parallel, options.per_gpu, console.line)


def _stop(_: Namespace) -> None:
    working = entries.stop()
    console.line(
        "No further run starts; running ones continue." if working else "The queue is not running."
    )


_ACTIONS = {
    "add": _add, "list": _list, "remove": _remove, "start": _start, "run": _run, "stop": _stop,
}  # fmt: skip
