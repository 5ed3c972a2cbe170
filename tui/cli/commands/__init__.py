"""The commands of ``dltui``, one module each. Adding one: a module here and a line in the table.

A module is loaded when its command is called, so that the others cost nothing. It has two
functions: ``arguments(parser)`` declares what it takes, ``execute(options)`` does it and returns
the exit status.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from importlib import import_module
from typing import Protocol, cast


class Command(Protocol):
    """The interface of a module in this folder."""

    def arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""

    def execute(self, options: Namespace) -> int:
        """Do it; returns the exit status, raises :class:`~engine.errors.UserError`."""


COMMANDS = {
    "run": "train a preset without opening the program",
    "queue": "put runs into a queue, and start them one after another",
    "runs": "list all runs, the newest first",
    "presets": "list all presets",
    "show": "show what is known of a run",
    "report": "write a run down as a page of Markdown or HTML",
    "import": "read runs of TensorBoard, W&B, Lightning and others into the history, to compare",
    "compare": "put runs side by side: which is best, and what differs",
    "trash": "list, restore or remove the runs that were deleted",
    "predict": "let a finished run predict from new inputs",
    "eval": "evaluate a finished language model on tasks of lm-eval",
    "export": "write a finished run's model in another format",
    "push": "push a finished run's model to the Hugging Face hub",
    "merge": "combine adapters of several runs into a new one",
    "submit": "write a training as a job of Slurm, SkyPilot, Kubernetes or Ray, and submit it",
    "stop": "ask a run to stop and keep its model",
    "check": "check the data of a preset, or whether a model suits a task",
    "folds": "cross-validate: a run for each fold, with mean and spread",
    "sweep": "search for better values by many runs",
    "sweeps": "list all sweeps, or rank the trials of one",
    "notify": "send a notification to the addresses of the settings, to try them",
    "doctor": "show versions, devices, memory, disk and what the terminal can do",
}
"""By name: a line of help."""


_MODULES = {"import": "import_runs"}
"""Modules whose command is a keyword of Python."""


def load(name: str) -> Command:
    """The module of a command."""
    return cast(Command, import_module(f"tui.cli.commands.{_MODULES.get(name, name)}"))
