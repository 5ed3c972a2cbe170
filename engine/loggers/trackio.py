"""Curves of a run in Trackio: ``trackio show --project dltui``.

Trackio itself finds its folder, or the server or Space that it sends to, from its environment
(``TRACKIO_DIR``, ``TRACKIO_SERVER_URL``, ``TRACKIO_SPACE_ID``). No credential passes through here.
The run's configuration and the curves that TensorBoard would show are written, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from engine.errors import TrainingError
from engine.loggers.tensorboard import scalars
from engine.runs.events import Event
from engine.runs.session import RunSession

_PROJECT = "dltui"


class Trackio:
    """Writes where Trackio keeps its projects; a run that is resumed continues its curves."""

    def __init__(self, session: RunSession) -> None:
        """Raises :class:`TrainingError` where the package is missing."""
        try:
            import trackio
        except ImportError as error:
            raise TrainingError(
                "train.report_to: the package trackio is missing.",
                "Install it with: pip install 'dltui[trackio]'.",
            ) from error
        self._open: Callable[[], Any] = lambda: trackio.init(
            project=_PROJECT, name=session.run.id, config=session.config.values(),
            resume="allow", embed=False, auto_log_gpu=False, auto_log_cpu=False,
        )  # fmt: skip
        self._step = 0

    @cached_property
    def _there(self) -> Any:
        return self._open()  # what goes wrong here is no reason not to train

    def report(self, event: Event) -> None:
        """Add the event to the curves."""
        self._step = getattr(event, "step", self._step)
        values = {tag: value for tag, value in scalars(event) if value is not None}
        if values:
            self._there.log(values, step=self._step)

    def flush(self) -> None:
        """Do nothing: Trackio writes by itself."""

    def close(self) -> None:
        """Write what is buffered and close."""
        self._there.finish()
