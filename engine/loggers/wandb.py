"""Curves of a run in Weights & Biases.

wandb itself finds the account and its mode (``WANDB_MODE=offline``), from its environment or from
what ``wandb login`` left. No credential passes through here. The run's configuration and the curves
that TensorBoard would show are sent: no code, no console, no list of packages.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from engine.errors import TrainingError
from engine.loggers.tensorboard import scalars
from engine.runs.directory import RunDirectory
from engine.runs.events import Event

_PROJECT = "dltui"
_STEP = "update"
_SILENT = {"console": "off", "disable_git": True, "save_code": False, "silent": True,
           "x_disable_meta": True, "x_disable_stats": True,
           "x_save_requirements": False}  # fmt: skip


class Wandb:
    """Writes into the run's directory, and sends from there."""

    def __init__(self, run: RunDirectory) -> None:
        """Raises :class:`TrainingError` where the package is missing."""
        try:
            import wandb
        except ImportError as error:
            raise TrainingError(
                "train.report_to: the package wandb is missing.",
                "Install it with: pip install 'dltui[wandb]'.",
            ) from error
        self._open: Callable[[], Any] = lambda: wandb.init(
            project=_PROJECT, id=run.id, name=run.id, resume="allow", dir=str(run.path),
            config=run.config.read().values(), settings=wandb.Settings(**_SILENT),
        )  # fmt: skip
        self._step = 0

    @cached_property
    def _there(self) -> Any:
        there = self._open()
        # A run that goes back to a checkpoint makes some updates once more.
        there.define_metric("*", step_metric=_STEP)
        return there

    def report(self, event: Event) -> None:
        """Add the event to the curves."""
        self._step = getattr(event, "step", self._step)
        values = {tag: value for tag, value in scalars(event) if value is not None}
        if values:
            self._there.log({_STEP: self._step, **values})

    def flush(self) -> None:
        """Do nothing: wandb sends by itself."""

    def close(self) -> None:
        """Write what is buffered and close."""
        self._there.finish()
