"""``dltui import PATH…``: runs of other programs in the history, for comparing."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from engine.errors import RunError
from engine.files.paths import runs_folder
from engine.files.sanitize import plain
from engine.importers.history import Outcome, import_runs
from tui.cli import console
from tui.cli.exit_codes import DONE

_EXAMPLES = """
examples:
  dltui import runs/                         all TensorBoard runs below a folder
  dltui import wandb/offline-run-*           offline runs of W&B
  dltui import results/trainer_state.json    a run of transformers' Trainer
  dltui import lightning_logs/               CSV of Lightning; also of Ultralytics and Keras
  dltui import mlruns/                       runs of MLflow in files

An imported run can be compared with others, and nothing else: it has neither model nor data.
Imported again, it is brought up to date.
"""


def arguments(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = _EXAMPLES
    parser.add_argument(
        "paths", metavar="PATH", nargs="+", type=Path,
        help="TensorBoard event files, run-*.wandb, trainer_state.json, CSV, or a folder of them",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="a list of objects, for programs")


def execute(options: Namespace) -> int:
    """Import all runs, and report what became of each. Raises :class:`RunError` if none could."""
    outcomes = []
    for path in options.paths:
        for outcome in import_runs(path, runs_folder()):
            outcomes.append(outcome)
            if not options.json:
                _report(outcome)
    if options.json:
        console.as_json([_record(outcome) for outcome in outcomes])
    if not any(outcome.run for outcome in outcomes):
        raise RunError("Nothing was imported.")
    return DONE


def _report(outcome: Outcome) -> None:
    console.line(plain(outcome.text, 600))
    for note in outcome.notes:
        console.line(f"  {plain(note, 600)}")


def _record(outcome: Outcome) -> dict[str, object]:
    run = outcome.run.id if outcome.run else None
    return {"run": run, "text": outcome.text, "notes": list(outcome.notes)}
