"""Curves of a run in TensorBoard: ``tensorboard --logdir`` the folder of all runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

from engine.errors import TrainingError
from engine.runs.events import Evaluated, Event, Progress, Resources
from engine.runs.session import RunSession

FOLDER = "tensorboard"
"""In the run's directory."""


class TensorBoard:
    """Writes event files into the run's directory."""

    def __init__(self, session: RunSession) -> None:
        """Raises :class:`TrainingError` where the package is missing."""
        try:
            from tensorboard.summary import Writer
        except ImportError as error:
            raise TrainingError(
                "train.report_to: the package tensorboard is missing.",
                "Install it with: pip install 'dltui[tensorboard]'.",
            ) from error
        self._open: Callable[[], Any] = lambda: Writer(str(session.run.path / FOLDER))
        self._step = 0

    @cached_property
    def _writer(self) -> Any:
        return self._open()  # what goes wrong here is no reason not to train

    def report(self, event: Event) -> None:
        """Add the event to the curves."""
        self._step = getattr(event, "step", self._step)
        for tag, value in scalars(event):
            if value is not None:
                self._writer.add_scalar(tag, value, step=self._step, wall_time=event.time)

    def flush(self) -> None:
        """Write what is buffered."""
        self._writer.flush()

    def close(self) -> None:
        """Write what is buffered and close."""
        self._writer.close()


def scalars(event: Event) -> Iterator[tuple[str, float | None]]:
    """The numbers of an event that make curves, by their tags."""
    if isinstance(event, Progress) and event.phase == "train":
        for name in ("loss", "learning_rate", "grad_norm", "samples_per_second"):
            yield f"train/{name}", getattr(event, name)
    elif isinstance(event, Evaluated):
        for name, value in event.metrics.items():
            yield f"{event.split}/{name}", value
    elif isinstance(event, Resources):
        yield "machine/cpu_percent", event.cpu_percent
        yield "machine/memory", event.memory
