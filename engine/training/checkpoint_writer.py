"""Asynchronous checkpoints: the state is copied at once and written by a thread."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import psutil
import torch

from engine.runs.directory import RunDirectory
from engine.runs.events import CheckpointSaved, EventLog
from engine.training import checkpoint
from engine.training.non_finite import not_finite
from engine.training.state import TrainingState, finite_weights, trained_weights

SCHEDULE = "schedule"
"""The reason of checkpoints that training does not wait for."""
_SHARE = 0.25
"""Share of the free memory: a larger state is written uncopied, while the training waits."""


class Saver:
    """Writes checkpoints of one state, none twice, one at a time.

    As a context manager, it has written everything on exit.
    """

    def __init__(
        self, run: RunDirectory, state: TrainingState, events: EventLog, keep: int
    ) -> None:
        self._run = run
        self._state = state
        self._events = events
        self._keep = keep
        self._last: dict[str, Any] = {}
        self._thread = ThreadPoolExecutor(1, "checkpoint")
        self._writing: Future[None] | None = None

    def __enter__(self) -> Saver:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._thread.shutdown()  # finishes pending writes, whatever happened here
        if kind is None:
            self.wait()

    def expected_size(self) -> int:
        """Return the bytes of a checkpoint: weights, best ones, average, and optimizer's state.

        If the optimizer has made no update yet, AdamW's state is assumed.
        """
        weights = _size(trained_weights(self._state.network))
        average = _size(self._state.average or {})
        return 2 * weights + average + (_size(self._state.optimizer.state_dict()) or 2 * weights)

    def save(self, reason: str) -> None:
        """Write the current state; re-raises the error of the previous write.

        Raises :class:`TrainingError`.
        """
        step = self._state.position.step
        position = vars(self._state.position) | {"seconds": 0.0}
        if position == self._last:
            if reason != SCHEDULE:
                self.wait()
            return
        state = self._state.state_dict()
        if not finite_weights(state["network"]):
            raise not_finite(step)
        self.wait()
        self._last = position
        if reason != SCHEDULE or _size(state) > _SHARE * psutil.virtual_memory().available:
            self._write(step, state, reason)
        else:
            state = state if self._state.owned else _copied(state)
            self._writing = self._thread.submit(self._write, step, state, reason)

    def wait(self) -> None:
        """Wait until the pending checkpoint is on disk; raises :class:`TrainingError`."""
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()

    def _write(self, step: int, state: dict[str, Any], reason: str) -> None:
        written = checkpoint.save(self._run.checkpoints, step, state, self._keep)
        self._events.write(
            CheckpointSaved(step=step, name=written.path.name, size=written.size, reason=reason)
        )


def _copied(value: Any) -> Any:
    """Return a copy on the CPU, whose tensors nothing else writes to."""
    if isinstance(value, torch.Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        return {key: _copied(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_copied, value))
    return value


def _size(value: Any) -> int:
    """Return the bytes of all tensors in a state."""
    if isinstance(value, torch.Tensor):
        return value.nbytes
    parts = value.values() if isinstance(value, dict) else value
    return sum(map(_size, parts)) if isinstance(value, dict | list | tuple) else 0
